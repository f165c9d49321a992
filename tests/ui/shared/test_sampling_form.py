"""The sampling form alone: what is typed and chosen, and what it says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input, Static
from wait import wait_until

from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.ui.shared.choice_box import ChoiceBox
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shared.setting_row import SettingRow

CHANGED = SamplingSettings(
    temperature=0.5, top_k=3, min_p=0.1, repetition_penalty=1.2, seed=4, stop=("\n\n", "a | b", "\\n"),
    stop_at_blank_line=True, stop_at_end_of_text=False, banned="\t", allowed="ab\\", window="reanchor", weights="int8",
    adapt=True,
)  # fmt: skip


class FormApp(App[None]):
    """Nothing but the form; keeps what it says."""

    def __init__(self, settings: SamplingSettings | None = None) -> None:
        super().__init__()
        self.form = SamplingForm(settings)
        self.said: list[SamplingSettings | None] = []
        self.submitted = 0

    def compose(self) -> ComposeResult:
        yield self.form

    def on_sampling_form_changed(self, message: SamplingForm.Changed) -> None:
        self.said.append(message.settings)

    def on_sampling_form_submitted(self) -> None:
        self.submitted += 1


@asynccontextmanager
async def form(settings: SamplingSettings | None = None) -> AsyncIterator[tuple[FormApp, Pilot[None]]]:
    """Open the form with all its boxes, the first one focused."""
    app = FormApp(settings)
    async with app.run_test(size=(40, 24)) as pilot:
        app.form.focus_first()
        await wait_until(pilot, lambda: app.focused is not None)
        yield app, pilot


def note(app: FormApp) -> str:
    return str(app.form.query_one(".-note", Static).content)


async def test_there_is_a_box_for_every_setting_and_all_are_seen_at_once() -> None:
    async with form() as (app, _):
        boxes = list(app.form.query(SettingRow))
        assert [box.setting.name for box in boxes] == list(fields_of(SamplingSettings))
        assert all(box.region.height == 1 and app.screen.region.contains_region(box.region) for box in boxes)
        titles = [box.query_one(Static) for box in boxes]
        assert all(len(box.setting.title) + 2 < title.size.width for box, title in zip(boxes, titles, strict=True))


@pytest.mark.parametrize("settings", [SamplingSettings(), CHANGED])
async def test_what_is_put_in_comes_out(settings: SamplingSettings) -> None:
    async with form(settings) as (app, pilot):
        assert app.form.settings == settings
        app.form.set_values(CHANGED)
        await pilot.pause()
        assert app.form.settings == CHANGED
        app.form.set_values(settings)
        await pilot.pause()
        assert app.form.settings == settings
        assert not app.form.problem


async def test_values_shown_before_the_boxes_are_there_are_not_lost() -> None:
    app = FormApp()
    async with app.run_test() as pilot:
        app.form.set_values(CHANGED)
        await wait_until(pilot, lambda: len(app.form.query("Input, ChoiceBox")) == len(fields_of(SamplingSettings)))
        await pilot.pause()
        assert app.form.settings == CHANGED
        assert app.form.query_one("#sampling-window", ChoiceBox).value == "reanchor"


async def test_tab_goes_from_box_to_box_and_the_note_explains_each() -> None:
    async with form() as (app, pilot):
        for name, field in fields_of(SamplingSettings).items():
            assert app.focused is not None
            assert app.focused.id == f"sampling-{name}"
            assert note(app).startswith(f"{field.title}: {field.description}")
            await pilot.press("tab")
        await pilot.press("shift+tab")
        assert app.focused is not None
        assert app.focused.id == "sampling-adapt"
        await pilot.press("up", "up", "up")  # no numbers there
        assert app.focused.id == "sampling-allowed"


async def test_keys_that_come_in_one_breath_go_where_they_belong() -> None:
    async with form() as (app, pilot):
        app.form.query_one("#sampling-banned").focus()
        for key in ("5", "down", "7", "up", "9"):  # each takes the place of what is there
            app.post_message(events.Key(key, key if key.isdigit() else None))
        await wait_until(pilot, lambda: app.form.settings == SamplingSettings(banned="9", allowed="7"))


async def test_up_and_down_change_a_number_and_a_key_puts_the_default_back() -> None:
    async with form() as (app, pilot):
        row = app.form.query(SettingRow).first()
        await pilot.press("up", "up", "up", "up")
        assert app.form.settings == SamplingSettings(temperature=1.2)
        assert row.has_class("-changed")
        await pilot.press("1", ".", "2", "5", "down")  # typing replaces what a key has put in; then on to the grid
        assert app.form.settings == SamplingSettings(temperature=1.2)
        await pilot.press("ctrl+z")
        assert app.form.settings == SamplingSettings()
        assert not row.has_class("-changed")
        await pilot.press("0", "down")
        assert app.form.settings == SamplingSettings(temperature=0)
        await pilot.press("x", "ctrl+z", "tab", "up", "tab", "down", "tab", "tab", "tab", "up")
        assert app.form.settings == SamplingSettings(top_k=1, top_p=0.95, max_new_tokens=600)
        app.form.query_one("#sampling-top_p", Input).value = "0.05"
        app.form.query_one("#sampling-top_p").focus()
        await pilot.press("down")  # 0 is no value for it
        assert app.form.settings == SamplingSettings(top_k=1, top_p=0.05, max_new_tokens=600)


async def test_space_and_arrows_go_round_the_values() -> None:
    async with form() as (app, pilot):
        box = app.form.query_one("#sampling-window", ChoiceBox)
        box.focus()
        seen = []
        for _ in range(5):
            await pilot.press("space")
            seen.append(box.value)
        assert seen == ["exact", "reanchor", "rolling", "auto", "exact"]
        await pilot.press("right", "left", "left")
        assert box.value == "auto"
        await pilot.press("r", "r")
        assert box.value == "rolling"
        await pilot.press("x")
        assert box.value == "rolling"
        await wait_until(pilot, lambda: app.form.settings == SamplingSettings(window="rolling"))
        assert app.said[-1] == app.form.settings


async def test_yes_and_no_are_chosen_and_a_click_is_enough() -> None:
    async with form() as (app, pilot):
        await pilot.click("#sampling-stop_at_blank_line")
        app.form.query_one("#sampling-stop_at_end_of_text", ChoiceBox).focus()
        await pilot.press("n")
        wanted = SamplingSettings(stop_at_blank_line=True, stop_at_end_of_text=False)
        await wait_until(pilot, lambda: app.form.settings == wanted)


async def test_several_stop_texts_are_typed_into_one_box() -> None:
    async with form() as (app, pilot):
        app.form.query_one("#sampling-stop", Input).focus()
        await pilot.press(*r"\n\n | a\|b | END")
        await wait_until(pilot, lambda: app.form.settings is not None and len(app.form.settings.stop) == 3)
        assert app.form.settings == SamplingSettings(stop=("\n\n", "a|b", "END"))


async def test_a_value_that_cannot_be_is_marked_named_and_mended() -> None:
    async with form() as (app, pilot):
        await pilot.press("tab", "tab", "end", "9")  # 19
        await wait_until(pilot, lambda: app.form.settings is None)
        box = next(box for box in app.form.query(SettingRow) if box.setting.name == "top_p")
        assert box.problem == "must be at most 1.0"
        assert str(box.query_one(Static).content).startswith("✗ ")
        assert note(app) == "✗ top p: must be at most 1.0"
        await pilot.press("tab")
        assert note(app).startswith("min p: ")
        app.set_focus(None)
        await wait_until(pilot, lambda: note(app) == "✗ top p: must be at most 1.0")
        app.form.focus_first()
        await wait_until(pilot, lambda: app.focused is not None and app.focused.id == "sampling-top_p")
        await pilot.press("end", "backspace")
        await wait_until(pilot, lambda: app.form.settings == SamplingSettings())
        assert not box.problem
        assert app.said == [None, SamplingSettings()]


async def test_enter_in_a_box_is_told() -> None:
    async with form() as (app, pilot):
        await pilot.press("enter")
        await wait_until(pilot, lambda: app.submitted == 1)


async def test_a_click_on_a_name_means_its_box() -> None:
    async with form() as (app, pilot):
        row = next(box for box in app.form.query(SettingRow) if box.setting.name == "banned")
        await pilot.click(row.query_one(".-title"))
        await wait_until(pilot, lambda: app.focused is not None and app.focused.id == "sampling-banned")


def test_the_help_names_every_setting() -> None:
    assert SamplingForm.HELP is not None
    assert all(f"**{field.title}**" in SamplingForm.HELP for field in fields_of(SamplingSettings).values())


async def test_a_setting_without_effect_says_so() -> None:
    async with form(SamplingSettings(temperature=0, top_k=3)) as (app, pilot):
        assert "No effect" not in note(app)
        await pilot.press("tab")
        await wait_until(pilot, lambda: note(app).startswith("top k"))
        assert note(app).endswith("No effect at temperature 0.")


async def test_what_is_typed_on_entering_a_box_takes_the_place_of_what_is_in_it() -> None:
    async with form() as (app, pilot):
        await pilot.press("1", ".", "2")
        assert app.form.settings == SamplingSettings(temperature=1.2)


async def test_a_long_note_leaves_the_boxes_their_lines() -> None:
    app = FormApp()
    async with app.run_test(size=(40, 18)) as pilot:
        app.form.focus_first()
        await wait_until(pilot, lambda: app.focused is not None)
        app.form.query_one("#sampling-window").focus()
        await wait_until(pilot, lambda: note(app).endswith("… F1"))
        boxes = list(app.form.query(SettingRow))
        await wait_until(pilot, lambda: all(app.form.region.contains_region(box.region) for box in boxes))
        below = app.form.query_one(".-note").region
        assert below.height == 18 - len(boxes)
        assert not any(box.region.overlaps(below) for box in boxes)
