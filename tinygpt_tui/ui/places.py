"""Ways to a place in the app from anywhere: a view, a setting, a model, a run, a session, a letter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import App
from textual.screen import Screen

from tinygpt_tui.paths import shipped_models
from tinygpt_tui.ui.shared.dialog import Dialog
from tinygpt_tui.ui.shell.keys import keys_of
from tinygpt_tui.ui.shell.tab_screen import TabScreen
from tinygpt_tui.ui.timeline.opening import SHOWN_RUN, open_time_machine

if TYPE_CHECKING:
    from tinygpt_tui.ui.app import TinyGPTApp
    from tinygpt_tui.ui.generate.screen import GenerateScreen
    from tinygpt_tui.ui.inspect.screen import InspectScreen
    from tinygpt_tui.ui.learn.guide import LessonGuide
    from tinygpt_tui.ui.train.screen import TrainScreen

# What the actions of a tab need that cannot be done at once.
NEEDED = {
    "generate": "generate a text first",
    "train": "open a run first (^o)",
    "race": "start a race first",
    "runs": "there is no run yet, or it is not for this one",
    "inspect": "choose the view that it is for first",
}
Tab = TypeVar("Tab", bound=Screen[None])


async def to_tab(app: App[Any], name: str, kind: type[Tab]) -> Tab:
    """Go to a tab, and close what is open over it."""
    await app.switch_mode(name)
    while len(app.screen_stack) > 1 and not isinstance(app.screen, kind):
        over = app.screen
        await (over.dismiss(over.answer_now) if isinstance(over, Dialog) else app.pop_screen())
    assert isinstance(app.screen, kind)
    return app.screen


async def act_on_tab(app: App[Any], tab: str, action: str, title: str) -> None:
    """Go to a tab and do what the binding with the id `action` does; say what it needs where it can do nothing."""
    screen = await to_tab(app, tab, TabScreen)
    await screen.known.wait()

    async def act() -> None:
        for row in keys_of(screen):
            if row.id == action:
                await app.run_action(row.active.binding.action, row.active.node)
                return
        app.notify(f"{title}: {NEEDED[tab]}", severity="warning", markup=False)

    app.call_after_refresh(act)


async def to_generate(app: App[Any]) -> GenerateScreen:
    from tinygpt_tui.ui.generate.screen import GenerateScreen

    return await to_tab(app, "generate", GenerateScreen)


async def to_train(app: App[Any]) -> TrainScreen:
    from tinygpt_tui.ui.train.screen import TrainScreen

    return await to_tab(app, "train", TrainScreen)


async def to_inspect(app: App[Any], view: str = "") -> InspectScreen:
    """Go to the Inspect tab, and there to a view."""
    from tinygpt_tui.ui.inspect.screen import InspectScreen

    screen = await to_tab(app, "inspect", InspectScreen)
    if view:
        screen.action_view(view)
    return screen


def lessons(app: TinyGPTApp, lessons_from: tuple[Path, str] | None) -> LessonGuide:
    """Return the lessons of a folder in a language; by default those that come with the program, in the user's."""
    from tinygpt_tui.lessons.pack import SHIPPED, language_for
    from tinygpt_tui.ui.learn.guide import LessonGuide

    folder, language = lessons_from or (SHIPPED, language_for(os.environ))
    return LessonGuide(app, folder, language)


async def watch_it_learn(app: App[Any]) -> None:
    """Play the run of the bundled model in the time machine."""
    open_time_machine(await to_generate(app), shipped_models() / SHOWN_RUN, play=True)


async def train_on_text(app: App[Any]) -> None:
    """Open the form of a new run."""
    screen = await to_train(app)
    if screen.session is not None:
        screen.action_new()


async def tokenizers(app: App[Any]) -> None:
    await train_on_text(app)
    (await to_train(app)).form.action_tokenizers()


async def how_good(app: App[Any]) -> None:
    """Open the run of the model in use: its curve, and how it compares."""
    card = (await to_generate(app)).chooser.card
    if card is not None:
        await open_run(app, card.path)


async def open_run(app: App[Any], model_path: str) -> None:
    (await to_train(app)).open_run(model_path)


async def generate_with(app: App[Any], model_path: str) -> None:
    (await to_generate(app)).choose(model_path)


async def export_model(app: App[Any]) -> None:
    """Open the card of the model in use, and from there its export as soon as that is possible."""
    screen = await to_generate(app)
    card = screen.chooser.card
    if card is not None:
        screen.chooser.show_card(card, export=True)


async def set_sampling(app: App[Any], name: str, value: object) -> None:
    """Give a sampling setting of the Generate tab another value."""
    (await to_generate(app)).panes.set_sampling(name, value)


async def to_letter(app: App[Any], number: int) -> None:
    """Open the microscope on a letter of the text; the first one is number 1."""
    screen = await to_generate(app)
    if not screen.pane.glass.open(number - 1):
        screen.notify("there is no text yet", severity="warning")


async def open_session(app: App[Any], id: str, place: tuple[int, int] | None = None) -> None:
    """Reopen a session, at a branch and a character of its full text if they are given."""
    from tinygpt_tui.ui.generate.dialogs import reopen

    screen = await to_generate(app)
    await reopen(screen, screen.pane, id, place)
