"""The parameters of a model as a tree, with the share of each part."""

from __future__ import annotations

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from tinygpt_tui.insight.naming import GROUPS, MODULES
from tinygpt_tui.insight.parts import Part
from tinygpt_tui.ui.shared.branch_words import fitted
from tinygpt_tui.words import bar

BAR, NUMBERS = 8, 21  # cells: of the bar, and of the count with its share
ROOM_FOR_BARS = 44
BLOCKS = ("h", "layers", "blocks")  # under these names the numbers are blocks


class PartsTree(Tree[Part]):
    """A part a line: its name, how many numbers are in it, and which share of all that is."""

    HELP = """## Parameters

All learned numbers, as the tensors' names part them. Enter opens and closes a part; a tensor shows its shape. The share
is of the whole model.
"""
    DEFAULT_CSS = """
    PartsTree { scrollbar-size-vertical: 1; overflow-x: hidden; }
    """
    ICON_NODE = "▸ "
    ICON_NODE_EXPANDED = "▾ "

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self.guide_depth = 2
        self._whole = 0

    def show_parts(self, whole: Part) -> None:
        """Show this tree: open as far as blocks go, which are closed."""
        self._whole = whole.count
        self.clear()
        self.root.data = whole
        self.root.set_label("all")
        self._fill(self.root, whole)
        self.root.expand()
        self.cursor_line = 0

    def on_resize(self) -> None:
        self._clear_line_cache()
        self.refresh()

    def render_label(self, node: TreeNode[Part], base_style: Style, style: Style) -> Text:
        """Lay a line out: the numbers are aligned, however deep the name."""
        part = node.data
        if part is None:
            return Text.styled(" ", style)  # a text without a span has no style at all, which monochrome trips over
        depth, above = 0, node.parent
        while above is not None:
            depth, above = depth + 1, above.parent
        width = self.scrollable_content_region.width - depth * self.guide_depth - 1
        share = part.count / self._whole if self._whole else 0.0
        numbers = f"{part.count:>12,} {100 * share:6.1f}%"
        if width >= ROOM_FOR_BARS:
            numbers += " " + bar(share, BAR).ljust(BAR)
        icon = ("" if not part.parts else self.ICON_NODE_EXPANDED if node.is_expanded else self.ICON_NODE) or "  "
        title = "all" if node is self.root else title_of(part.name, above_name(node))
        name = icon + title
        shape = f"  {shape_words(part.shape)}" if part.shape is not None else ""
        room = width - cell_len(numbers)
        label = Text(no_wrap=True)
        if cell_len(name + shape) > room:
            shape = ""
        label.append(fitted(name, max(4, room - 1)))
        label.append(shape, "dim")
        if title not in ("all", part.name) and cell_len(label.plain) + cell_len(part.name) + 3 <= room:
            label.append(f"  {part.name}", "dim italic")
        label.append(" " * max(1, room - cell_len(label.plain)))
        label.append(numbers)
        label.stylize_before(style)
        return label

    def _fill(self, node: TreeNode[Part], part: Part) -> None:
        for inner in part.parts:
            child = node.add(inner.name, data=inner, allow_expand=bool(inner.parts))
            self._fill(child, inner)
            if not inner.name.split(".")[0].isdigit():
                child.expand()


def above_name(node: TreeNode[Part]) -> str:
    return node.parent.data.name if node.parent is not None and node.parent.data is not None else ""


def title_of(name: str, above: str = "") -> str:
    """Return what a part is called in words; its own name where there are none.

    >>> title_of("transformer"), title_of("h"), title_of("0", "h"), title_of("attn"), title_of("c_fc", "mlp")
    ('transformer', 'blocks', 'block 1', 'attention', 'wider')
    >>> title_of("lm_head.weight"), title_of("0.w", "made_up"), title_of("h.0")
    ('output head weight', '0.w', 'block 1')
    """
    above, words = above.rsplit(".", 1)[-1], []
    path = name.split(".")
    for part, inner in zip(path, [*path[1:], ""], strict=True):
        known = MODULES.get(f"{above}.{part}") or MODULES.get(part)
        if part.isdecimal() and above in BLOCKS:
            words.append(f"block {int(part) + 1}")
        elif part in BLOCKS:
            words += [] if inner.isdecimal() else ["blocks"]
        else:
            words.append(known.title if known is not None else GROUPS.get(part, part))
        above = part
    return name if "".join(words) == "".join(name.split(".")) else " ".join(words)


def shape_words(shape: tuple[int, ...] | None) -> str:
    """Return a shape as people write it; nothing for none.

    >>> shape_words((384, 128)), shape_words(()), shape_words(None)
    ('384×128', 'one number', '')
    """
    if shape is None:
        return ""
    return "×".join(map(str, shape)) or "one number"
