"""The dialogs and screens that the Generate tab opens for its text."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual.app import App

from tinygpt_tui.checkpoints.card import ModelCard
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import CopySaved, GenerationEnded
from tinygpt_tui.events.requests import SaveCopy
from tinygpt_tui.paths import shipped_models
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.sessions.store import Opened
from tinygpt_tui.tokenizers.dialogues import readable
from tinygpt_tui.ui.generate.model_chooser import ModelChooser
from tinygpt_tui.ui.generate.text_pane import TextPane
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.ui.timeline.opening import SHOWN_RUN, open_time_machine


def show_branches(app: App[object], pane: TextPane, cards: list[ModelCard]) -> None:
    """Show everything written in the session; then the branch that was chosen."""
    from tinygpt_tui.ui.generate.branches import BranchesScreen

    def closed(changed: bool | None) -> None:
        if changed:
            pane.show_branch()

    app.push_screen(BranchesScreen(pane.editor, [card.path for card in cards]), closed)


def show_sessions(app: App[object], pane: TextPane, cards: list[ModelCard]) -> None:
    """Show the saved sessions; then the one that was chosen."""
    from tinygpt_tui.ui.generate.sessions import SessionsScreen

    def closed(opened: Opened | None) -> None:
        if opened is not None:
            pane.open_session(opened)

    app.push_screen(SessionsScreen(pane.editor, [card.name for card in cards]), closed)


async def reopen(screen: TabScreen, pane: TextPane, id: str, place: tuple[int, int] | None = None) -> None:
    """Reopen a session, at a branch and a character of its full text if they are given."""
    try:
        opened = await asyncio.to_thread(pane.editor.load, id)
    except TinyGPTError as error:
        screen.show_error(error)
    else:
        pane.open_session(opened._replace(place=place))


async def save_copy(screen: TabScreen, chooser: ModelChooser, request: SaveCopy) -> None:
    """Have the engine save the adapted copy as a model; say its name."""
    async for batch in screen.workbench.engine.start(request):
        for event in batch:
            if isinstance(event, CopySaved):
                chooser.refresh_models()
                screen.notify(f"saved as {event.name}; its card can rename it", markup=False)
            elif isinstance(event, GenerationEnded) and event.reason == "failed":
                screen.show_error(TinyGPTError(event.message, event.hint))


def show_senses(app: App[object], pane: TextPane, card: ModelCard) -> None:
    """Show the senses of the text up to the microscope's cursor, if it is open; of the prompt without a text."""
    from tinygpt_tui.ui.senses.screen import SensesScreen

    def open_senses() -> None:
        cursor, text = pane.output.cursor, pane.output.text or pane.prompt.text
        app.push_screen(SensesScreen(card, text if cursor is None else text[: cursor + 1], pane.sampling))

    pane.prompt.call_later(open_senses)  # after keys that are still waiting


def play_run(screen: TabScreen, pane: TextPane, card: ModelCard | None) -> None:
    """Play the run of a model in the time machine with the prompt that is typed; a bundled one if it has no steps."""
    from tinygpt_tui.runs.timeline import list_moments

    has_steps = card is not None and card.layout == "native" and list_moments(RunFolder(Path(card.path)))
    if card is not None and not has_steps:
        screen.notify(f"{card.name} has no saved steps: this is the run of {SHOWN_RUN}", markup=False)
    model = Path(card.path) if card is not None and has_steps else shipped_models() / SHOWN_RUN
    open_time_machine(screen, model, prompt=pane.prompt.text, play=True)


def save_text(app: App[object], pane: TextPane, card: ModelCard | None) -> None:
    from tinygpt_tui.sessions.export import exports_of
    from tinygpt_tui.ui.shared.save_dialog import SaveScreen

    current = pane.editor.current
    name = f"{card.name if card else 'text'}-{(current.seed if current else None) or 0}"
    if current is not None and current.in_training and current.step is not None:
        name += f"-step-{current.step}"  # a plain text has no other trace of it
    exports = None if current is None else exports_of(pane.editor.session, current.id)
    app.push_screen(SaveScreen(f"{name}.txt", readable(pane.output.text, pane.turns.dialogue), exports))
