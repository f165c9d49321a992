"""The tokenizers of a text: its merges one after another, a sentence cut by several, and the tokens themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input, Static
from textual.worker import get_current_worker

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.settings.tokenizer import LARGEST, SMALLEST
from tinygpt_tui.training.text_merges import TextMerges, merges_of
from tinygpt_tui.ui.forge.compared import ComparedCuts, Cut, Cutter
from tinygpt_tui.ui.forge.merge_text import MergeText
from tinygpt_tui.ui.forge.state import FIRST_SIZE, MergePosition, size_of
from tinygpt_tui.ui.forge.token_lists import TokenLists
from tinygpt_tui.ui.shared.binding import bind, bind_hidden
from tinygpt_tui.ui.shared.message import Message
from tinygpt_tui.ui.shared.save_dialog import SaveScreen
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.words import bar

if TYPE_CHECKING:
    from tinygpt_tui.runs.folder import CorpusReference
    from tinygpt_tui.tokenizers.base import Tokenizer

VIEWS = {"merges": "Merges", "compare": "Compare", "tokens": "Tokens"}
EACH_S = 0.1  # between two pictures while it plays
LISTED_FROM = 100  # columns from which the merges are listed beside the text
LEARNING = "Learning byte pairs from {name}…"
FIRST = "no merge yet: each token is a byte. → does the first one, Space plays all"
SAVED = "a tokenizer's file: choose it as the tokenizer of any run"


class TokenizerScreen(TabScreen):
    """Learns merges in a thread, goes through them, and shows three views."""

    TAB = "train"
    CSS_PATH = "screen.tcss"
    AUTO_FOCUS = "MergeText"
    HELP = MergeText.HELP
    BINDINGS = [
        bind("enter", "use", "Use", "forge.use", "Use a tokenizer of this size for the new run"),
        bind("space", "play", "Play", "forge.play", "Do one merge after another"),
        bind("space", "pause", "Pause", "forge.play", "Stop there"),
        bind("v", "next_view", "View", "forge.view", "Merges, a sentence compared, or the tokens"),
        *(
            bind_hidden(str(number), f"view('{view}')", title, f"forge.{view}", f"The view: {title.lower()}")
            for number, (view, title) in enumerate(VIEWS.items(), 1)
        ),
        bind("plus,equals_sign", "more", "More", "forge.more", "Learn twice as many merges"),
        bind_hidden("p", "prompt", "Prompt", "forge.prompt", "Type the sentence that is compared"),
        bind("f9", "save", "Save", "forge.save", "Save the tokenizer as a file, for any run"),
        bind("escape", "back", "Back", "forge.back", "Back to the form"),
    ]

    class _Learned(Message):
        found: TextMerges | TinyGPTError
        cutter: Cutter | None = None

    class _Compared(Message):
        cuts: list[Cut]

    def __init__(self, reference: CorpusReference, tokenizer: str, then: Callable[[str], None]) -> None:
        """`reference` is the text; start at the size of `tokenizer`, as it is typed in the form.

        `then` is called with the tokenizer that the user wants for the new run.
        """
        super().__init__()
        self._then = then
        self._reference = reference
        self._start = size_of(tokenizer) - SMALLEST
        self._wanted = max(FIRST_SIZE, self._start + SMALLEST)  # tokens that are learned
        self.position: MergePosition | None = None
        self.view = "merges"
        self.cuts: list[Cut] = []
        self._cutter: Cutter | None = None
        self._learning = False
        self._timer: Timer | None = None

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="forge-head"):
            yield Static("", id="forge-text-name", markup=False)
            yield Static("", id="forge-views")
        yield Static("", id="forge-merge", markup=False)
        with Horizontal(id="forge-merges"):
            yield MergeText()
            yield Static("", id="forge-list", markup=False)
        yield ComparedCuts(id="forge-compare")
        yield TokenLists(id="forge-tokens", markup=False)

    def on_mount(self) -> None:
        self._learn()
        self._show_state()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_state)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        position = self.position
        match action:
            case "use" | "save":
                return position is not None
            case "play":
                return position is not None and self._timer is None and self.view == "merges"
            case "pause":
                return self._timer is not None
            case "more":
                # The text may give fewer than were asked for: then there are no more.
                return (
                    position is not None
                    and not self._learning
                    and SMALLEST + position.seen.most == self._wanted < LARGEST
                )
        return True

    # Learning

    def _learn(self) -> None:
        self._learning = True
        self._learn_in_thread(self._wanted)

    @work(thread=True, exclusive=True, group="learn")
    def _learn_in_thread(self, size: int) -> None:
        try:
            seen = merges_of(self._reference, size)
            small = [size for size in (512, 1024, 2048, 4096) if size - SMALLEST <= seen.most]
            made: dict[str, Tokenizer] = {f"bpe:{one}": seen.history.tokenizer.first(one - SMALLEST) for one in small}
            self.post_message(self._Learned(seen, Cutter(seen.text, made)))
        except TinyGPTError as error:
            self.post_message(self._Learned(error))

    def on_tokenizer_screen__learned(self, message: TokenizerScreen._Learned) -> None:
        message.stop()
        self._learning = False
        if isinstance(message.found, TinyGPTError):
            self.show_error(message.found)
            self.query_one(MergeText).show_words(f"✗ {message.found.message}")
            return
        first = self.position is None
        self.position = MergePosition(message.found, self.position.at if self.position else self._start)
        self._cutter = message.cutter
        if first:
            self.query_one(ComparedCuts).show_sentence(message.found.text.sample_line())
        self._show_state()
        self._compare()

    def action_more(self) -> None:
        self._wanted = min(2 * self._wanted, LARGEST)
        self._learn()
        self._show_state()

    # Merges

    @on(MergeText.Moved)
    def _moved(self, message: MergeText.Moved) -> None:
        self._stop_playing()
        if self.position is not None and (
            self.position.jump(message.by) if message.is_jump else self.position.go_by(message.by)
        ):
            self._show_state()

    def action_play(self) -> None:
        if self.position is not None and self.position.is_end:
            self.position.go(0)
        self._timer = self.set_interval(EACH_S, self._play)
        self.refresh_bindings()

    def action_pause(self) -> None:
        self._stop_playing()

    def _play(self) -> None:
        if self.position is None or not self.position.play():
            self._stop_playing()
        self._show_state()

    def _stop_playing(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
            self.refresh_bindings()

    # Comparing

    @on(ComparedCuts.Changed)
    def _compare(self) -> None:
        if self._cutter is not None:
            compared = self.query_one(ComparedCuts)
            self._compare_in_thread(self._cutter, compared.names, compared.sentence)

    @work(thread=True, exclusive=True, group="compare")
    def _compare_in_thread(self, cutter: Cutter, names: list[str], sentence: str) -> None:
        worker = get_current_worker()
        cuts = []
        for name in names:
            cuts.append(cutter.cut(name, sentence))
            if worker.is_cancelled:
                return
        self.post_message(self._Compared(cuts))

    def on_tokenizer_screen__compared(self, message: TokenizerScreen._Compared) -> None:
        message.stop()
        self.cuts = message.cuts
        self.query_one(ComparedCuts).show_cuts(self.cuts)

    def action_prompt(self) -> None:
        self.action_view("compare")

    # What is chosen

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.screen.focus_next()

    def action_use(self) -> None:
        if self.position is not None:
            self.app.pop_screen()
            self._then(self.position.name)

    def action_save(self) -> None:
        if self.position is not None:
            content = json.dumps(
                self.position.seen.history.tokenizer.first(self.position.at).to_dict(), ensure_ascii=False
            )
            name = f"{self._reference.name}-{self.position.size}.json"
            self.app.push_screen(SaveScreen(name, content + "\n", kinds={}, title="save the tokenizer", others=SAVED))

    def action_back(self) -> None:
        merges = self.query_one(MergeText)
        if self.view == "merges":
            self._stop_playing()
            self.app.pop_screen()
        else:
            self.action_view("merges")
            merges.focus()

    # Showing

    def action_next_view(self) -> None:
        views = list(VIEWS)
        self.action_view(views[(views.index(self.view) + 1) % len(views)])

    def action_view(self, view: str) -> None:
        self.view = view
        self._stop_playing()
        self._show_state()
        self.refresh_bindings()
        if view == "compare":
            self.query_one("#forge-sentence").focus()
        else:
            self.query_one(MergeText if view == "merges" else TokenLists).focus()

    def _show_state(self) -> None:
        if not self.query(TokenLists):
            return  # while the app closes, a screen is still there when its widgets are gone
        for view in VIEWS:
            self.query_one(f"#forge-{view}").display = view == self.view
        self.query_one("#forge-text-name", Static).update(f"tokenizers of {self._reference.name}")
        tabs = "  ".join(
            f"[reverse] {number} {title} [/]" if view == self.view else f" {number} {title} "
            for number, (view, title) in enumerate(VIEWS.items(), 1)
        )
        self.query_one("#forge-views", Static).update(tabs)
        merge = self.query_one("#forge-merge", Static)
        merge.display = self.view != "compare"
        merge.update(self._merge())
        self.query_one("#forge-list").display = self.position is not None and self.size.width >= LISTED_FROM
        position = self.position
        if position is None:
            self.query_one(MergeText).show_words(LEARNING.format(name=self._reference.name))
        elif self.view == "merges":
            self.query_one(MergeText).show_pieces(position.pieces())
            self._show_list(position)
        elif self.view == "tokens":
            self.call_after_refresh(self._show_tokens, position)  # once it has its size
        self.refresh_bindings()

    def _show_tokens(self, position: MergePosition) -> None:
        tokens = self.query_one(TokenLists)
        tokens.show_tokens(*position.tokens(tokens.size.height))

    def _merge(self) -> str:
        """Return what is known of this place: three lines."""
        position, width = self.position, self.size.width - 2
        if position is None:
            return ""
        ends = f"{SMALLEST} ", f" {SMALLEST + position.seen.most:,}"
        cells = max(1, width - len("".join(ends)))
        slider = bar(position.at / max(1, position.seen.most), cells)
        what = FIRST if position.at == 0 else f"merge {position.at:,}: {position.merge_words(position.at - 1)}"
        more = " · learning more…" if self._learning else ""
        return "\n".join(
            [f"{ends[0]}{slider:<{cells}}{ends[1]}", what, f"{position.name} · {position.numbers()}{more}"]
        )

    def _show_list(self, position: MergePosition) -> None:
        """List the merges around this place, where there is room."""
        listed = self.query_one("#forge-list", Static)
        rows = max(1, listed.size.height)
        first = min(max(0, position.at - rows // 2), max(0, position.seen.most - rows))
        lines = [
            f"{'▸' if merge == position.at - 1 else ' '}{merge + 1:>6,}  {position.merge_words(merge)}"
            for merge in range(first, min(first + rows, position.seen.most))
        ]
        listed.update("\n".join(lines))
