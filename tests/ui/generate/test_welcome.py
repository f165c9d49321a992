"""The first screen: what one can do, each by one key; it goes when the user types."""

from __future__ import annotations

from fakes import FakeEngine, make_model
from wait import shown, wait_until

from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.store import SessionStore
from tinygpt_tui.ui.app import TinyGPTApp
from tinygpt_tui.ui.generate.requests import FEW
from tinygpt_tui.ui.generate.screen import GenerateScreen


async def test_the_first_screen_offers_what_one_key_does() -> None:
    engine = FakeEngine()
    app = TinyGPTApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        assert isinstance(screen, GenerateScreen)
        pane = screen.pane
        await wait_until(pilot, lambda: pane.prompt.text == "ROMEO:")
        await wait_until(pilot, lambda: "F5     See inside a letter" in shown(pilot.app))
        assert "Continue" not in shown(pilot.app)  # there is no session yet
        await pilot.press("x")  # in the place of what was filled in
        await wait_until(pilot, lambda: "See inside" not in shown(pilot.app))
        assert pane.prompt.text == "x"
        await pilot.press("backspace")
        await wait_until(pilot, lambda: "See inside" in shown(pilot.app))
        screen.chooser.action_untrained()
        await wait_until(pilot, lambda: pane.prompt.text == "ROMEO:")
        await pilot.click("#welcome", offset=(12, 5))  # "See inside a letter", as F5 does
        await wait_until(pilot, lambda: engine.asked)
        assert (engine.asked[0].prompt, engine.asked[0].sampling.max_new_tokens) == ("ROMEO:", FEW)
        assert "See inside" not in shown(pilot.app)
        engine.begin()
        engine.write("\nWhat light")
        engine.end()
        await wait_until(pilot, lambda: pane.output.cursor == len("ROMEO:\n"))
        await pilot.press("escape", "enter")
        await wait_until(pilot, lambda: len(engine.asked) > 1)
        assert engine.asked[1].sampling.max_new_tokens == 500


async def test_the_last_session_is_one_key_away_and_no_model_needs_an_opening(no_shipped_models: None) -> None:
    make_model("one")
    store = SessionStore()
    session = tree.add_root(store.new(), "Now is the winter", model="one")
    store.save(tree.append(session, 0, " of our discontent", 18))
    app = TinyGPTApp(FakeEngine())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = app.screen
        assert isinstance(screen, GenerateScreen)
        await wait_until(pilot, lambda: screen.chooser.in_use and "“Now is the winter" in shown(pilot.app))
        assert screen.pane.prompt.text == ""
        await pilot.press("ctrl+g")
        await wait_until(pilot, lambda: screen.pane.output.text == "Now is the winter of our discontent")
