"""What must start at once imports neither torch nor Textual (in fresh interpreters); no imports form a circle; no file
is too long."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinygpt_tui

LIGHT = (
    "tinygpt_tui",
    "tinygpt_tui.errors, tinygpt_tui.paths, tinygpt_tui.files",
    "tinygpt_tui.settings.presets, tinygpt_tui.settings.fields, tinygpt_tui.settings.base, "
    "tinygpt_tui.settings.load, tinygpt_tui.settings.app, tinygpt_tui.events.wire",
    "tinygpt_tui.tokenizers.table, tinygpt_tui.tokenizers.stream",
    "tinygpt_tui.runs.index, tinygpt_tui.runs.journal, tinygpt_tui.runs.control, tinygpt_tui.runs.folder, "
    "tinygpt_tui.runs.history, tinygpt_tui.runs.new_run",
    "tinygpt_tui.runs.timeline, tinygpt_tui.runs.manage, tinygpt_tui.runs.report, tinygpt_tui.checkpoints.snapshot",
    "tinygpt_tui.checkpoints.library, tinygpt_tui.corpora.catalog, tinygpt_tui.corpora.corpus",
    "tinygpt_tui.workers.client, tinygpt_tui.workers.trainer, tinygpt_tui.workers.pump, tinygpt_tui.workers.host",
    "tinygpt_tui.charts",
    "tinygpt_tui.events.tracing",
    "tinygpt_tui.sessions.store, tinygpt_tui.sessions.autosave, tinygpt_tui.sessions.export",
)


@pytest.mark.parametrize("modules", LIGHT)
def test_it_imports_no_torch_and_no_textual(modules: str) -> None:
    code = f"import sys, {modules}; print(*sorted({{'torch', 'textual'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.strip() == ""


PACKAGE = Path(next(iter(tinygpt_tui.__path__)))
LONGEST_FILE, LONGEST_CLASS = 400, 300  # lines


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Every module or member that is imported, also inside functions, except for type checkers alone."""
    left = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            left += node.orelse
        elif isinstance(node, ast.stmt | ast.Module | ast.ExceptHandler | ast.match_case):
            left += ast.iter_child_nodes(node)


def imports_of(sources: dict[str, str]) -> dict[str, set[str]]:
    """What each module imports of the others. `from package.module import name` is an import of that module."""
    imports = {}
    for module, source in sources.items():
        named = {name if name in sources else name.rpartition(".")[0] for name in imported_names(ast.parse(source))}
        imports[module] = (named & sources.keys()) - {module}
    return imports


def circles(imports: dict[str, set[str]]) -> set[frozenset[str]]:
    """The groups of modules that import each other, directly or through others of the group."""
    reached = {module: set(others) for module, others in imports.items()}
    for via in imports:
        for others in reached.values():
            if via in others:
                others |= reached[via]
    return {
        frozenset(other for other in others if module in reached[other])
        for module, others in reached.items()
        if module in others
    }


def test_no_imports_form_a_circle() -> None:
    sources = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        sources[".".join(parts).removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    assert circles(imports_of(sources)) == set()


def test_a_circle_is_found_also_inside_functions() -> None:
    sources = {
        "p.a": "from p.b import x",
        "p.b": "def f():\n    from p import c",
        "p.c": "try:\n    pass\nexcept OSError:\n    import p.a",
        "p.d": "if TYPE_CHECKING:\n    from p import e",
        "p.e": "from p.d import D",
    }
    assert circles(imports_of(sources)) == {frozenset({"p.a", "p.b", "p.c"})}


def test_files_and_classes_can_be_read_at_once() -> None:
    long = []
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        classes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)]
        lines = {node.name: (node.end_lineno or node.lineno) - node.lineno + 1 for node in classes}
        long += [f"{path.name}: {name}, {count} lines" for name, count in lines.items() if count > LONGEST_CLASS]
        if source.count("\n") > LONGEST_FILE:
            long.append(path.name)
    assert long == []
