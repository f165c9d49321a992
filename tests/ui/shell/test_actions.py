"""Each key does something: the action of every binding is there where the key looks for it."""

from __future__ import annotations

import ast
from collections import Counter

import pytest
from sources import trees
from textual.actions import parse
from textual.app import App
from textual.binding import Binding, BindingsMap
from textual.dom import DOMNode
from textual.screen import Screen

from tinygpt_tui.ui.generate.workspace import Workspace
from tinygpt_tui.ui.shell.keymap import widgets


def bindings_of(kind: type[DOMNode]) -> list[Binding]:
    own = BindingsMap(kind.__dict__.get("BINDINGS", ())).key_to_bindings.values()
    return [binding for bindings in own for binding in bindings]


def has_action(kind: type[DOMNode], action: str) -> bool:
    """Whether the class has an action, or for `app.x` and `screen.x` the app or a screen of the same folder.

    `panes('x')` is an action of the Generate tab's panes.
    """
    target, name, parameters = parse(action)
    if name == "panes" and not target:
        kind, name = Workspace, parameters[0]
    package = kind.__module__.rpartition(".")[0]
    match target:
        case "":
            kinds = [kind]
        case "app":
            kinds = [one for one in widgets() if issubclass(one, App)]
        case "screen":
            kinds = [one for one in widgets() if issubclass(one, Screen) and one.__module__.startswith(package)]
        case _:
            return False
    return any(hasattr(one, f"{prefix}action_{name}") for one in kinds for prefix in ("", "_"))


@pytest.mark.parametrize("kind", [kind for kind in widgets() if bindings_of(kind)], ids=lambda kind: kind.__name__)
def test_every_binding_finds_its_action(kind: type[DOMNode]) -> None:
    assert [binding for binding in bindings_of(kind) if not has_action(kind, binding.action)] == []


def test_no_two_widgets_have_one_name() -> None:
    """A style sheet that names a class would style the other one, too."""
    names = Counter(kind.__name__ for kind in widgets())
    assert [name for name, count in names.items() if count > 1] == []


def test_workers_are_given_functions() -> None:
    """A coroutine object is left unawaited, with a warning, where the app ends before its worker begins."""
    workers = [
        node
        for tree in trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run_worker"
    ]
    assert workers
    assert [ast.unparse(node) for node in workers if isinstance(node.args[0], ast.Call)] == []
