"""A tour: every screen and every dialog of the app, one above another, with something in each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fakes import FakeEngine, make_model
from textual.pilot import Pilot
from textual.screen import Screen
from train_bench import STEPS, ScriptedRun, beginning, steps
from wait import wait_until

from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.corpora.catalog import find_corpus
from tinygpt_tui.corpora.corpus import CorpusText
from tinygpt_tui.events.generation import GenerationStarted
from tinygpt_tui.lessons.course import Course
from tinygpt_tui.lessons.labels import ENGLISH
from tinygpt_tui.lessons.pack import read_pack
from tinygpt_tui.lessons.progress import Progress
from tinygpt_tui.runs.facts import FactsReader, settings_of
from tinygpt_tui.runs.folder import CorpusReference
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.forge.screen import TokenizerScreen
from tinygpt_tui.ui.generate.branches import BranchesScreen
from tinygpt_tui.ui.generate.screen import GenerateScreen
from tinygpt_tui.ui.generate.sessions import SessionsScreen
from tinygpt_tui.ui.inspect.screen import InspectScreen
from tinygpt_tui.ui.jobs.training_session import TrainingSession
from tinygpt_tui.ui.learn.lesson_list import LessonList
from tinygpt_tui.ui.models.card import CardScreen
from tinygpt_tui.ui.models.choose_model import ChooseModel
from tinygpt_tui.ui.models.compare import CompareScreen
from tinygpt_tui.ui.models.export import ExportScreen
from tinygpt_tui.ui.models.open_model import OpenModelScreen
from tinygpt_tui.ui.race.screen import RaceScreen
from tinygpt_tui.ui.runs.differences import RunDifferencesScreen
from tinygpt_tui.ui.runs.notes import RunNotesScreen
from tinygpt_tui.ui.runs.screen import RunsScreen
from tinygpt_tui.ui.senses.screen import SensesScreen
from tinygpt_tui.ui.shared.choose_file import ChooseFileScreen
from tinygpt_tui.ui.shared.confirm import ConfirmScreen
from tinygpt_tui.ui.shared.edit_sampling import EditSampling
from tinygpt_tui.ui.shared.save_dialog import SaveScreen
from tinygpt_tui.ui.shared.text_place import TextPlaceScreen
from tinygpt_tui.ui.shell.help import HelpScreen
from tinygpt_tui.ui.timeline.screen import TimeMachineScreen
from tinygpt_tui.ui.train.choose_overlays import ChooseOverlaysScreen
from tinygpt_tui.ui.train.choose_run import ChooseRunScreen
from tinygpt_tui.ui.train.more_steps import MoreStepsScreen
from tinygpt_tui.ui.train.overlays import offers
from tinygpt_tui.ui.train.screen import TrainScreen

TEXT = "ROMEO: But soft, what light through yonder window breaks? " * 20


def _runs(count: int) -> list[ScriptedRun]:
    """Make runs that have ended, each with its model."""
    runs = [ScriptedRun(f"run-{number}") for number in range(count)]
    for number, run in enumerate(runs):
        make_model(f"run-{number}", loss=1.7)
        run.write([*beginning(), *steps(1, STEPS)])
        run.end("finished", STEPS)
    return runs


@asynccontextmanager
async def open_everything(runs: int = 3) -> AsyncIterator[tuple[TinyGPTApp, Pilot[None], list[Screen[object]]]]:
    """Open every screen at 140x40; yield the app, its pilot and the screens, the last one being in front."""
    made = _runs(runs)
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(140, 40)) as pilot:
        generate = app.screen
        assert isinstance(generate, GenerateScreen)
        await wait_until(pilot, lambda: generate.chooser.card is not None)
        editor, cards = generate.pane.editor, list_models()
        for prompt in ("ROMEO:", "JULIET:"):
            editor.begin(prompt, cards[0], SamplingSettings())
            editor.started(GenerationStarted(0, 1, 8, 7))
            editor.append(TEXT, len(TEXT))
            editor.ended("length")
        generate.pane.glass.reset(TEXT, 6)
        generate.pane.glass.open()
        facts = FactsReader().read()
        first, second = ((one, settings_of(one.card)) for one in facts[:2])
        model = Path(cards[0].path)
        session = TrainingSession.open(made[0].folder.model)
        train = TrainScreen()
        screens: list[Screen[object]] = [
            TrainScreen(),
            train,
            RaceScreen(),
            RunsScreen(),
            InspectScreen(),
            TimeMachineScreen(session, "train"),
            SensesScreen(cards[0], TEXT, SamplingSettings()),
            TokenizerScreen(CorpusReference(name="tales", path=find_corpus("tales").path or ""), "bpe:300", print),
            BranchesScreen(editor),
            SessionsScreen(editor),
            CardScreen(cards[0], cards),
            CompareScreen(cards[0], cards[1]),
            ExportScreen(model, GPTSettings()),
            SaveScreen("a.txt", TEXT),
            ChooseFileScreen(model),
            OpenModelScreen(model.parent),
            ChooseRunScreen(FactsReader().read()),
            ChooseOverlaysScreen(offers(str(model), "a text"), []),
            ConfirmScreen("title", "question", "Yes"),
            MoreStepsScreen("one", 10, 20),
            ChooseModel("models", cards, cards[0].path),
            EditSampling(SamplingSettings(), "hint", same_as=SamplingSettings()),
            RunDifferencesScreen(first, second),
            RunNotesScreen("one", "notes"),
            TextPlaceScreen("a text", "/nowhere.txt", CorpusText.of(TEXT).around(100)),
            LessonList(Course(read_pack(), Progress()), ENGLISH, is_open=False),
            HelpScreen.about(generate),
        ]
        # Each dialog is drawn over what is below it: no more than a few above one another.
        tabs = [screen for screen in screens if not screen.is_modal]
        dialogs = [screen for screen in screens if screen.is_modal]
        share = -(-len(dialogs) // len(tabs))
        screens = [one for at, tab in enumerate(tabs) for one in (tab, *dialogs[at * share : (at + 1) * share])]
        for screen in screens:
            await app.push_screen(screen)
            await wait_until(pilot, lambda screen=screen: screen.is_mounted)  # type: ignore[misc]
            if screen is train:
                train.open_run(str(made[0].folder.model))
        yield app, pilot, [generate, *screens]
