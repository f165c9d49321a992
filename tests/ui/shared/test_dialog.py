"""What every dialog does: it shows why a worker of its own failed."""

from __future__ import annotations

import pytest
from fakes import FakeEngine
from textual import work
from textual.app import ComposeResult
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.errors import StorageError
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.shared.dialog import Dialog, NoteLine

pytestmark = pytest.mark.usefixtures("no_shipped_models")


class Working(Dialog[None]):
    """Raises an error in a worker, or in a thread."""

    def compose_body(self) -> ComposeResult:
        yield NoteLine("")

    @work(exit_on_error=False)
    async def fail(self, error: Exception) -> None:
        raise error

    @work(thread=True, exit_on_error=False)
    def fail_in_thread(self, error: Exception) -> None:
        raise error


@pytest.mark.parametrize("thread", [False, True])
async def test_an_error_is_shown_in_the_dialog(thread: bool) -> None:
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        dialog = Working("working")
        await app.push_screen(dialog)
        (dialog.fail_in_thread if thread else dialog.fail)(StorageError("the disk is full", "free some space"))
        note = dialog.query_one(NoteLine)
        await wait_until(pilot, lambda: str(note.content) == "the disk is full\nfree some space")
        assert note.has_class("-warning")


async def test_an_unexpected_error_is_logged_and_the_app_goes_on() -> None:
    app = TinyGPTApp(FakeEngine())
    async with app.run_test() as pilot:
        dialog = Working("working")
        await app.push_screen(dialog)
        dialog.fail(ZeroDivisionError("one by nothing"))
        await wait_until(pilot, lambda: any("one by nothing" in note.message for note in app._notifications))
        assert dialog.is_current
        assert "ZeroDivisionError: one by nothing" in (paths.logs_folder() / "app.log").read_text(encoding="utf-8")
