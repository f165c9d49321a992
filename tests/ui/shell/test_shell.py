"""The shell around the tabs: fast to import, remembers, helps, and quits cleanly."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fakes import FakeEngine, make_model
from textual.widgets import Input
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.shell.keys import keys_of
from tinygpt_tui.ui.shell.preferences import Preferences
from tinygpt_tui.ui.shell.tab_bar import TabTitle
from tinygpt_tui.ui.shell.terminal import has_few_colours
from tinygpt_tui.ui.tabs import TABS
from tinygpt_tui.ui.train.screen import TrainScreen

pytestmark = pytest.mark.usefixtures("no_shipped_models")


def test_the_app_never_imports_torch() -> None:
    look = "tinygpt_tui.ui.app, tinygpt_tui.ui.generate.screen, tinygpt_tui.ui.train.screen"
    assert _imported_with(look, "torch") == ""


def test_the_first_picture_waits_for_no_package_that_it_does_not_need() -> None:
    look = "tinygpt_tui.ui.app, tinygpt_tui.ui.generate.screen"
    assert _imported_with(look, "numpy", "filelock", "importlib.metadata", "tinygpt_tui.foreign.opening") == ""


def _imported_with(modules: str, *asked: str) -> str:
    code = f"import sys, {modules}; print(*sorted({set(asked)} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


async def test_the_function_keys_go_from_tab_to_tab_and_the_mouse_does_too() -> None:
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(80, 24)) as pilot:
        assert isinstance(app.screen, GenerateScreen)
        await pilot.press("f3")
        assert isinstance(app.screen, TrainScreen)
        await pilot.press("f2")
        await wait_until(pilot, lambda: isinstance(app.screen, GenerateScreen))
        await pilot.click(list(app.screen.query(TabTitle))[1])
        await wait_until(pilot, lambda: isinstance(app.screen, TrainScreen))


async def test_the_theme_is_remembered() -> None:
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        assert app.theme == "tinygpt-dark"
        await pilot.press("ctrl+n")
        assert app.theme == "tinygpt-light"
        await wait_until(pilot, lambda: Preferences().settings.theme == "tinygpt-light")
    again = TinyGPTApp(FakeEngine())
    async with again.run_test():
        assert again.theme == "tinygpt-light"


async def test_a_theme_chosen_as_a_dialog_opens_colours_all() -> None:
    def colours(app: TinyGPTApp) -> list[object]:
        return [widget.colors for widget in app.screen_stack[0].query("TabTitle, PromptBox")]

    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        app.theme = "tinygpt-light"
        await pilot.pause()
        light = colours(app)
        app.theme = "tinygpt-dark"
        await pilot.pause()
        assert colours(app) != light
        app.theme = "tinygpt-light"
        app.push_screen(HelpScreen.about(app.screen))
        await wait_until(pilot, lambda: app.screen.is_mounted)
        await pilot.pause()
        assert colours(app) == light


async def test_without_colour_no_theme_is_black_on_black(monkeypatch: pytest.MonkeyPatch) -> None:
    paths.home().mkdir(parents=True)
    paths.settings_file().write_bytes(b'theme = "ansi-dark"')
    monkeypatch.setenv("NO_COLOR", "1")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test():
        assert app.theme == "tinygpt-dark"
        assert not app.current_theme.ansi


@pytest.mark.parametrize(
    ("term", "colorterm", "few"),
    [("xterm", "", True), ("linux", "", True), ("xterm", "truecolor", False), ("xterm-256color", "", False)],
)
def test_sixteen_colours_are_few(monkeypatch: pytest.MonkeyPatch, term: str, colorterm: str, few: bool) -> None:
    monkeypatch.delenv("TEXTUAL_COLOR_SYSTEM", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLORTERM", colorterm)
    assert has_few_colours() == few


def test_the_settings_of_an_earlier_version_are_taken_over() -> None:
    paths.settings_file().parent.mkdir(parents=True, exist_ok=True)
    paths.settings_file().with_suffix(".json").write_bytes(b'{"theme": "tinygpt-light", "frames_per_second": 12}')
    remembered = Preferences()
    assert (remembered.settings.theme, remembered.settings.frames_per_second) == ("tinygpt-light", 12)
    remembered.change(theme="tinygpt-dark")
    remembered.save()
    assert Preferences().settings.frames_per_second == 12


@pytest.mark.parametrize("content", [b"", b"{", b"theme = 3", b'theme = "of another time"\nmore = 1', b"\xff\xfe"])
async def test_a_damaged_settings_file_is_no_hindrance(content: bytes) -> None:
    paths.home().mkdir(parents=True)
    paths.settings_file().write_bytes(content)
    app = TinyGPTApp(FakeEngine())
    async with app.run_test():
        assert app.theme == "tinygpt-dark"


@pytest.mark.parametrize("content", [b"{", b"theme = 3", b"\xff\xfe", b"a = " + b"[" * 5000, b"#" * (2 << 20)])
async def test_a_damaged_settings_file_is_set_aside_before_another_is_written(content: bytes) -> None:
    paths.home().mkdir(parents=True)
    paths.settings_file().write_bytes(content)
    aside = paths.settings_file().with_name(f"{paths.settings_file().name}.damaged")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        assert paths.settings_file().name in "".join(note.message for note in app._notifications)
        assert not aside.exists()  # a start alone changes nothing
        app.save_preferences(theme="tinygpt-light")
        await wait_until(pilot, aside.exists)
        written = paths.settings_file()
        await wait_until(pilot, lambda: written.exists() and b"tinygpt-light" in written.read_bytes())
    assert aside.read_bytes() == content


async def test_help_explains_what_has_the_focus_and_lists_its_keys() -> None:
    make_model("one")
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("f1")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        help_screen = app.screen
        assert isinstance(help_screen, HelpScreen)
        assert "The prompt" in help_screen.words
        assert {"Generate", "Models", "Sampling", "Quit", "Train"} <= {row.title for row in help_screen.keys}
        await pilot.press("f1")
        await wait_until(pilot, lambda: isinstance(app.screen, GenerateScreen))
        app.screen.query_one("#sampling-seed", Input).focus()
        await pilot.press("f1")
        await wait_until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert isinstance(app.screen, HelpScreen)
        assert "next token is sampled" in app.screen.words


@pytest.mark.parametrize("tab", TABS)
async def test_every_key_has_an_id_and_says_what_it_does(tab: str) -> None:
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        app.switch_mode(tab)
        await pilot.pause()
        ours = [
            binding
            for node in (app, app.screen)
            for bindings in type(node).__dict__["BINDINGS"]
            for binding in [bindings]
        ]
        assert all(binding.id and binding.tooltip for binding in ours)
        assert keys_of(app.screen)


async def test_quitting_ends_the_engine() -> None:
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+q")
    assert engine.closed


async def test_widgets_that_come_after_the_end_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.ui.shared.sampling_form.FILL_AFTER_S", 1_000.0)
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        await pilot.pause()
        late = [widget._fill for widget in app.screen.query(SamplingForm) if not widget.children]
        app.exit()
        for fill in late:
            app.call_next(fill)
        await pilot.pause()
    assert late
    assert not (paths.logs_folder() / "app.log").exists()


async def test_an_unforeseen_error_in_a_worker_is_logged_and_said() -> None:
    class BrokenEngine(FakeEngine):
        async def launch(self) -> None:
            raise RuntimeError("nobody foresaw this")

    make_model("one")
    app = TinyGPTApp(BrokenEngine())
    async with app.run_test() as pilot:
        await wait_until(pilot, lambda: (paths.logs_folder() / "app.log").exists())
        await wait_until(pilot, lambda: len(app._notifications) == 1)
    assert "nobody foresaw this" in (paths.logs_folder() / "app.log").read_text()


async def test_an_unforeseen_error_in_the_app_leaves_a_sentence_and_a_log() -> None:
    class BrokenApp(TinyGPTApp):
        CSS_PATH = None

        def action_night(self) -> None:
            raise RuntimeError("nobody foresaw this")

    app = BrokenApp(FakeEngine())
    with pytest.raises(RuntimeError, match="nobody foresaw this"):
        async with app.run_test() as pilot:
            await pilot.press("ctrl+n")
    assert app.return_code == 1
    assert "nobody foresaw this" in (paths.logs_folder() / "app.log").read_text()
