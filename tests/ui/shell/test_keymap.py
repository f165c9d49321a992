"""The `[keys]` table of the settings file: every binding can have another key; what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeEngine
from textual import events
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.settings.app import AppSettings, check_toml, to_toml
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.shell.key_bar import KeyBar
from tinygpt_tui.ui.shell.keymap import ALIASES, default_bindings, own_keys, widgets
from tinygpt_tui.ui.shell.keys import keys_of


def write_keys(*lines: str) -> None:
    """Write a settings file with these lines in its `[keys]` table."""
    path = paths.settings_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["[keys]", *lines, ""]), encoding="utf-8")


def test_every_binding_has_an_id() -> None:
    assert len(default_bindings()) > 200
    for kind in widgets():
        for binding in kind.__dict__.get("BINDINGS", ()):
            assert binding.id, f"{kind.__name__}: {binding}"


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("generate.agan", "f8", "did you mean generate.again?"),
        ("generate.again", "ctlr+t", "there is no key 'ctlr+t'"),
        ("generate.again", "", "needs a key in quotes"),
        ("generate.again", 3, "needs a key in quotes"),
        ("generate.again", "f2", "already belongs to app.generate"),
        ("generate.again", "ctrl+b", "already belongs to generate.branches"),
        ("app.night", "ctrl+b", "already belongs to"),
    ],
)
def test_a_wrong_entry_is_reported_and_left_out(name: str, key: object, words: str) -> None:
    keymap, problems = own_keys({name: key})
    assert keymap == {}
    (problem,) = problems
    assert words in f"{problem.message} {problem.hint}"


def test_two_bindings_may_change_their_keys() -> None:
    again, branches = (default_bindings()[f"generate.{name}"][0].key for name in ("again", "branches"))
    keymap, problems = own_keys({"generate.again": branches, "generate.branches": again})
    assert not problems
    assert keymap == {"generate.again": branches, "generate.branches": again}


def test_a_binding_that_shares_a_key_keeps_it() -> None:
    keymap, problems = own_keys({"train.pause": "f8"})
    assert not problems
    assert keymap == {"train.pause": "f8", "train.end-pause": "space", "train.go-on": "space"}


def test_the_name_of_an_earlier_version_still_works() -> None:
    for old, new in ALIASES.items():
        assert old not in default_bindings()
        assert own_keys({old: "alt+f"}) == ({new: "alt+f"}, [])


async def test_the_app_uses_and_shows_the_keys_of_the_file() -> None:
    write_keys('app.train = "alt+t"', 'generate.models = "alt+m"', 'app.help = "alt+y"', 'app.nigt = "f9"')
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        assert "Train alt+t" in app.export_screenshot().replace("&#160;", " ")
        assert any("did you mean app.night?" in note.message for note in app._notifications)
        (bar,) = app.screen.query(KeyBar)
        await wait_until(pilot, lambda: [key.display for key in bar.keys if key.description == "Models"] == ["alt+m"])
        assert {row.active.binding.id: row.keys for row in keys_of(app.screen)}["generate.models"] == "alt+m"
        await pilot.press("f1")
        assert not isinstance(app.screen, HelpScreen)
        app.post_message(events.Key("alt+y", "y"))  # as a terminal sends it, and not typed into the prompt
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape", "f3")
        assert app.current_mode == "generate"
        await pilot.press("alt+t")
        await wait_until(pilot, lambda: app.current_mode == "train")


def test_the_table_is_kept_when_the_app_saves_other_settings() -> None:
    content = b'theme = "tinygpt-light"\n[keys]\ngenerate.again = "alt+a"\n"app.night" = "f8"\nfoo = 3\n'
    settings = check_toml(content)
    assert settings.own_keys() == {"generate.again": "alt+a", "app.night": "f8", "foo": 3}
    assert check_toml(to_toml(settings).encode()).own_keys() == settings.own_keys()
    assert "[keys]" in to_toml(AppSettings())


def test_the_command_line_lists_the_bindings_and_checks_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run(["config", "keys"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in default_bindings())
    write_keys('generate.agan = "ctrl+t"')
    monkeypatch.setenv("VISUAL", "true")
    assert run(["config", "edit"]) == 2
    assert "did you mean generate.again?" in capsys.readouterr().err
    write_keys('generate.again = "alt+a"')
    assert run(["config", "edit"]) == 0
