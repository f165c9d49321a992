"""The Generate tab with a scripted engine: what the user types, and what they see."""

from __future__ import annotations

import pytest
from fakes import BLOCK_SIZE, FakeEngine, make_model
from generate_bench import Bench, opened
from textual import events
from textual.widgets import Input, Static
from wait import wait_until

from tinygpt_tui import paths
from tinygpt_tui.events.generation import EngineReady, GenerationEnded, GenerationStarted, Token
from tinygpt_tui.events.requests import Work
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.shared.confirm import ConfirmScreen
from tinygpt_tui.ui.shared.prompt_box import PromptBox
from tinygpt_tui.ui.shared.prompt_history import PromptHistory
from tinygpt_tui.ui.shared.sampling_form import SamplingForm
from tinygpt_tui.ui.shared.setting_row import SettingRow
from tinygpt_tui.workers.client import Job

pytestmark = pytest.mark.usefixtures("no_shipped_models")


async def test_type_enter_and_text_arrives() -> None:
    async with opened() as bench:
        await bench.pilot.press(*"ab", "enter")
        await bench.until(lambda: bench.engine.asked)
        assert bench.engine.asked[0].prompt == "ab"
        assert bench.text == "ab"
        assert "reading the prompt" in bench.status
        bench.engine.begin(seed=41)
        bench.engine.write("cde")
        await bench.until(lambda: bench.text == "abcde")
        assert bench.screen.pane.output.prompt_end == 2
        assert "generating" in bench.status
        assert bench.screen.pane.output.border_subtitle == "T 0.8 · ┄┄┄┄● full · seed 41"
        bench.engine.end("length")
        await bench.until(lambda: "stopped at the 3-token limit" in bench.status)
        assert "5 of 16" in bench.status
        assert bench.screen.query_one(PromptBox).text == "ab"


async def test_an_empty_prompt_may_be_asked() -> None:
    async with opened() as bench:
        await bench.write("", "abc")
        assert bench.text == "abc"


async def test_waiting_is_never_unexplained() -> None:
    async with opened(ready=False) as bench:
        await bench.ask("a")
        assert "starting the engine" in bench.status
        bench.engine.say(EngineReady(pid=1, versions={}))
        await bench.until(lambda: "reading the prompt" in bench.status)
        bench.engine.begin()
        bench.engine.write("b")
        await bench.until(lambda: "generating" in bench.status)


async def test_control_c_stops_the_writing_and_only_then_speaks_of_quitting() -> None:
    async with opened() as bench:
        await bench.ask("ab")
        bench.engine.begin()
        bench.engine.write("cde")
        await bench.until(lambda: bench.text == "abcde")
        await bench.pilot.press("ctrl+c")
        await bench.until(lambda: bench.engine.stopped)
        assert not bench.notes
        bench.engine.end("stopped")
        await bench.until(lambda: not bench.screen.pane.writing.busy)
        await bench.pilot.press("ctrl+c")
        await bench.until(lambda: "quit" in bench.notes)


async def test_characters_that_the_model_left_out_are_struck_out() -> None:
    async with opened() as bench:
        await bench.ask("aéb")
        bench.engine.begin(unknown="é")
        bench.engine.write("c")
        await bench.until(lambda: bench.text == "aébc")
        await bench.pilot.pause()
        struck = {
            segment.text
            for segment in bench.screen.pane.output.render_line(0)
            if segment.style and segment.style.strike
        }
        assert struck == {"é"}


async def test_what_the_model_does_not_know_is_struck_out_while_it_is_typed() -> None:
    async with opened() as bench:
        prompt = bench.screen.query_one(PromptBox)
        prompt.set_known(frozenset("ab"))
        await bench.pilot.press("a", "é", "b")
        await bench.until(lambda: "é" in str(prompt.border_subtitle))
        await bench.pilot.pause()
        assert {one.text for one in prompt.render_line(0) if one.style and one.style.strike} == {"é"}
        prompt.set_known(None)
        await bench.pilot.pause()
        assert not prompt.border_subtitle
        assert not any(one.style and one.style.strike for one in prompt.render_line(0))


async def test_what_is_typed_at_the_end_is_there_at_the_next_start() -> None:
    async with opened() as bench:
        bench.screen.query_one(PromptBox).text = "not used yet"
        await bench.pilot.press("ctrl+q")
        await bench.until(lambda: not bench.app.is_running)
    assert PromptHistory.load().older("") == "not used yet"


async def test_unsaved_text_is_marked_and_asked_about() -> None:
    paths.home().mkdir(parents=True, exist_ok=True)
    paths.sessions_folder().write_text("a file where the folder should be")
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.until(lambda: "not saved" in bench.status)
        await bench.pilot.press("ctrl+q")
        await bench.until(lambda: isinstance(bench.app.screen, ConfirmScreen))
        await bench.pilot.press("escape")
        await bench.until(lambda: bench.app.screen is bench.screen)
        assert not bench.engine.closed
        paths.sessions_folder().unlink()
        await bench.pilot.press("ctrl+q")
        await bench.until(lambda: bench.engine.closed)


async def test_escape_stops_and_the_text_stays() -> None:
    async with opened() as bench:
        await bench.ask("a")
        bench.engine.begin()
        bench.engine.write("bcd")
        await bench.until(lambda: bench.text == "abcd")
        await bench.pilot.press("escape")
        assert "stopping" in bench.status
        await bench.until(lambda: bench.engine.stopped == [1])
        bench.engine.end("stopped")
        await bench.until(lambda: "stopped" in bench.status)
        assert bench.text == "abcd"


async def test_enter_while_it_writes_begins_anew_and_the_old_job_is_silent() -> None:
    async with opened() as bench:
        await bench.ask("a")
        bench.engine.begin()
        bench.engine.write("bcd")
        await bench.ask("x")
        assert bench.engine.stopped == [1]
        bench.engine.write("never shown", job=1)
        bench.engine.begin()
        bench.engine.write("yz")
        await bench.until(lambda: bench.text == "xyz")


async def test_go_on_asks_with_all_the_text_and_keeps_its_look() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.pilot.press("ctrl+g")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        assert bench.engine.asked[1].prompt == "abcd"
        bench.engine.begin()
        bench.engine.write("ef")
        await bench.until(lambda: bench.text == "abcdef")
        assert bench.screen.pane.output.prompt_end == 2


async def test_again_repeats_the_last_request_from_where_it_began() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        bench.screen.query_one(PromptBox).text = "something else"
        await bench.pilot.press("ctrl+r")
        await bench.until(lambda: len(bench.engine.asked) == 2)
        assert bench.engine.asked[1].prompt == "ab"
        assert bench.text == "ab"


async def test_clear_keeps_the_prompt() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        await bench.pilot.press("ctrl+l")
        assert bench.text == ""
        assert bench.screen.query_one(PromptBox).text == "ab"


async def test_the_footer_shows_only_what_works_now() -> None:
    async with opened() as bench:
        assert bench.keys == {"Generate", "Microscope", "Models", "Sampling", "Sessions"}
        await bench.ask("a")
        bench.engine.begin()
        bench.engine.write("b")
        await bench.until(lambda: bench.text == "ab")
        assert "Stop" in bench.keys
        assert "Continue" not in bench.keys
        bench.engine.end()
        await bench.until(lambda: "Continue" in bench.keys)
        assert {"Retry", "Clear", "Copy", "Save"} <= bench.keys
        assert "Stop" not in bench.keys


async def test_characters_that_the_model_does_not_know_are_named() -> None:
    async with opened() as bench:
        await bench.ask("aéb日")
        bench.engine.begin(unknown="é日")
        await bench.until(lambda: "`é`, `日`" in bench.notes)


async def test_the_window_is_marked_where_the_model_stops_seeing() -> None:
    async with opened() as bench:
        await bench.ask("é" + "a" * 10)
        bench.engine.begin(unknown="é")
        bench.engine.write("b" * 10)
        await bench.until(lambda: bench.text.endswith("b" * 10))
        assert bench.screen.pane.output.window_start == len(bench.text) - BLOCK_SIZE
        assert "16 of 16" in bench.status


async def test_the_engine_may_die_and_the_text_stays() -> None:
    async with opened() as bench:
        await bench.ask("a")
        bench.engine.begin()
        bench.engine.write("bcd")
        await bench.until(lambda: bench.text == "abcd")
        bench.engine.die()
        await bench.until(lambda: "failed: the engine process ended" in bench.status)
        assert bench.text == "abcd"
        assert bench.notes.count("signal 9") == 1
        await bench.ask("x")
        assert "starting the engine" in bench.status


async def test_a_value_that_cannot_be_blocks_with_its_reason() -> None:
    async with opened() as bench:
        bench.screen.query_one("#sampling-top_p", Input).value = "2"
        form = bench.screen.query_one(SamplingForm)
        await bench.until(lambda: form.settings is None)
        box = next(box for box in form.query(SettingRow) if box.setting.name == "top_p")
        assert box.problem.startswith("must be at most 1")
        await bench.pilot.press("enter")
        await bench.until(lambda: "top p: must be at most 1" in bench.notes)
        assert bench.engine.asked == []
        assert bench.screen.focused is bench.screen.query_one("#sampling-top_p")


async def test_settings_go_with_the_request_and_stop_knows_newlines() -> None:
    async with opened() as bench:
        for name, typed in {"temperature": "0", "top_k": "5", "seed": "42", "stop": r"\n\nA\\"}.items():
            bench.screen.query_one(f"#sampling-{name}", Input).value = typed
        await bench.pilot.pause()
        await bench.ask("a")
        sampling = bench.engine.asked[0].sampling
        assert (sampling.temperature, sampling.top_k, sampling.seed) == (0, 5, 42)
        assert sampling.stop == ("\n\nA\\",)


async def test_enter_in_a_setting_generates_with_it() -> None:
    async with opened() as bench:
        bench.screen.query_one(PromptBox).text = "a"
        await bench.pilot.press("ctrl+t", "end", *"5", "enter")
        await bench.until(lambda: bench.engine.asked)
        assert bench.engine.asked[0].prompt == "a"
        assert bench.engine.asked[0].sampling.temperature == 0.85


async def test_the_sampling_pane_hides_and_that_is_remembered() -> None:
    async with opened() as bench:
        form = bench.screen.query_one(SamplingForm)
        assert form.region.width
        await bench.pilot.press("ctrl+t")  # goes there; only from inside it closes
        await bench.until(lambda: form.has_focus_within)
        await bench.pilot.press("ctrl+t")
        await bench.until(lambda: not form.region.width)
        assert isinstance(bench.screen.focused, PromptBox)
        await bench.until(lambda: paths.settings_file().exists())
    async with opened() as bench:
        assert not bench.screen.query_one(SamplingForm).region.width


async def test_narrow_panes_are_drawers_that_escape_closes() -> None:
    async with opened((80, 24)) as bench:
        form, models = bench.screen.query_one("#sampling"), bench.screen.query_one("#models")
        assert not form.region.width
        assert not models.region.width
        await bench.pilot.press("ctrl+t")
        await bench.until(lambda: form.region.width)
        await bench.pilot.press("escape")
        await bench.until(lambda: not form.region.width)
        await bench.pilot.press("ctrl+t", "up", "enter")  # it covers the text: away with it
        await bench.until(lambda: bench.engine.asked and not form.region.width)
        assert bench.engine.asked[0].sampling.temperature == 0.9
        assert isinstance(bench.screen.focused, PromptBox)
        await bench.pilot.press("ctrl+o")
        await bench.until(lambda: models.region.width)
        await bench.pilot.press("enter")
        await bench.until(lambda: not models.region.width)
        assert isinstance(bench.screen.focused, PromptBox)


async def test_newlines_have_their_own_key_and_pasted_ones_stay() -> None:
    async with opened() as bench:
        box = bench.screen.query_one(PromptBox)
        await bench.pilot.press("a", "ctrl+j", "b")
        assert box.text == "a\nb"
        bench.app.post_message(events.Paste("c\nd"))
        await bench.until(lambda: box.text == "a\nbc\nd")
        assert bench.engine.asked == []


async def test_up_and_down_walk_through_the_prompts_of_all_starts() -> None:
    async with opened() as bench:
        await bench.write("first", "a")
        await bench.write("second\nprompt", "b")
        await bench.until(lambda: paths.prompts_file().read_bytes().count(b"\n") == 2)
    async with opened() as bench:
        box = bench.screen.query_one(PromptBox)
        await bench.pilot.press(*"draft", "up")
        assert box.text == "second\nprompt"
        await bench.pilot.press("up", "up")
        assert box.text == "first"
        await bench.pilot.press("down", "down", "down")
        assert box.text == "draft"


async def test_copy_takes_the_selection_or_all() -> None:
    async with opened() as bench:
        await bench.write("one two", " three\nfour")
        await bench.pilot.press("f8")
        assert bench.app.clipboard == "one two three\nfour"
        output = bench.screen.pane.output
        await bench.pilot.mouse_down(output, offset=(7, 1))
        await bench.pilot.hover(output, offset=(10, 1))
        await bench.pilot.mouse_up(output, offset=(10, 1))
        await bench.pilot.press("f8")
        assert bench.app.clipboard in "one two three\nfour"
        assert 0 < len(bench.app.clipboard) < 8


async def test_save_asks_before_it_overwrites() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        path = paths.home() / "text.txt"
        path.write_text("old")
        await bench.pilot.press("f9")
        await bench.until(lambda: bench.app.screen.query("SaveScreen Input"))
        bench.app.screen.query_one(Input).value = str(path)
        await bench.pilot.press("enter")
        assert path.read_text() == "old"
        await bench.pilot.press("enter")
        await bench.until(lambda: path.read_text() == "abcd")


async def test_saving_where_it_cannot_be_says_why() -> None:
    async with opened() as bench:
        await bench.write("ab", "cd")
        (paths.home() / "file").write_text("no folder")
        await bench.pilot.press("f9")
        await bench.until(lambda: bench.app.screen.query("SaveScreen Input"))
        bench.app.screen.query_one(Input).value = str(paths.home() / "file" / "text.txt")
        await bench.pilot.press("enter")
        note = bench.app.screen.query_one("#save-note", Static)
        await bench.until(lambda: "text.txt" in str(note.content))


async def test_resizing_loses_nothing() -> None:
    async with opened() as bench:
        text = "".join(f"line {number} of many words\n" for number in range(60))
        await bench.write("a", text)
        for size in ((80, 24), (30, 8), (10, 4), (140, 40), (49, 11), (200, 60)):
            await bench.pilot.resize_terminal(*size)
            await bench.pilot.pause()
            assert bench.text == "a" + text
            assert bench.screen.pane.output.following
            if size[0] > 10:  # in the border where there is one
                await bench.until(lambda low=size[1] < 18: ("T 0.8 · " in bench.status) == low)


async def test_text_follows_until_somebody_scrolls_up() -> None:
    async with opened() as bench:
        await bench.ask("a")
        bench.engine.begin()
        bench.engine.write("line\n" * 100)
        output = bench.screen.pane.output
        await bench.until(lambda: output.scroll_offset.y == output.max_scroll_y > 50)
        await bench.pilot.press("pageup")
        await bench.until(lambda: not output.following)
        place = output.scroll_offset.y
        bench.engine.write("more\n" * 20)
        await bench.until(lambda: bench.text.count("more") == 20)
        assert output.scroll_offset.y == place
        await bench.pilot.press("ctrl+end")
        await bench.until(lambda: output.following and output.scroll_offset.y == output.max_scroll_y)


async def test_a_quick_request_and_its_events_are_not_lost() -> None:
    """All events may come before the screen has the job of its request."""

    class QuickEngine(FakeEngine):
        def start(self, request: Work) -> Job:
            job = super().start(request)
            self.say(GenerationStarted(job.number, 1, BLOCK_SIZE, 7))
            self.say(*(Token(job.number, index, 0, text, 2) for index, text in enumerate("bcd")))
            self.say(GenerationEnded(job.number, "length", 3, 2.0, 0.5))
            return job

    make_model("one")
    engine = QuickEngine()
    app = TinyGPTApp(engine)
    async with app.run_test() as pilot:
        bench = Bench(app, engine, pilot)
        await bench.until(lambda: bench.screen.pane.output.border_title == "one")
        await bench.ask("a")
        await bench.until(lambda: bench.text == "abcd")
        await bench.until(lambda: "stopped at the 3-token limit" in bench.status)


async def test_somebody_may_type_before_the_models_are_found() -> None:
    make_model("one")
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test() as pilot:
        await pilot.press("a", "enter")
        await wait_until(pilot, lambda: [asked.prompt for asked in engine.asked] == ["a"])
        assert not app._notifications


async def test_keys_that_come_in_one_breath_keep_their_order() -> None:
    async with opened() as bench:
        box = bench.screen.query_one(PromptBox)
        for key, character in (("a", "a"), ("ctrl+j", "\n"), ("b", "b"), ("enter", "\r"), ("c", "c")):
            bench.app.post_message(events.Key(key, character))
        await bench.until(lambda: bench.engine.asked)
        assert bench.engine.asked[0].prompt == "a\nb"
        await bench.until(lambda: box.text == "a\nbc")
