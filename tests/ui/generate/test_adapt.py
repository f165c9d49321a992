"""Writing with a copy that adapts: it says what it learned, and can be kept."""

from __future__ import annotations

import pytest
from generate_bench import Bench, opened

from tinygpt_tui.events.generation import Adapted, CopySaved, GenerationEnded, LearnedWord

pytestmark = pytest.mark.usefixtures("no_shipped_models")
KEEP = "Keep the adapted copy"


def commands(bench: Bench) -> dict[str, object]:
    return {command.title: command.run for command in bench.screen.palette_commands()}


async def test_it_says_what_it_learned_and_is_kept() -> None:
    async with opened() as bench:
        bench.screen.form.put("adapt", True)
        await bench.until(lambda: bench.screen.pane.sampling.adapt)
        await bench.ask("Vera")
        (asked,) = bench.engine.asked
        assert asked.sampling.adapt
        bench.engine.begin()
        bench.engine.say(Adapted(asked.job, 2, 4, 1))
        await bench.until(lambda: "learning from the prompt… 50%" in bench.status)
        bench.engine.write("bc")
        await bench.until(lambda: bench.text == "Verabc")
        assert KEEP not in commands(bench)
        bench.engine.say(Adapted(asked.job, 4, 4, 2, (LearnedWord("Vera", 3.1, 0.4),)))
        bench.engine.end("length")
        await bench.until(lambda: "knows 'Vera' now: 3.1 → 0.4 bits a letter" in bench.status)

        commands(bench)[KEEP]()  # type: ignore[operator]
        await bench.until(lambda: bench.engine.asked_to_save)
        (kept,) = bench.engine.asked_to_save
        assert (kept.model, kept.text) == (asked.model, "Vera")
        bench.engine.say(CopySaved(kept.job, "one-adapted"))
        bench.engine.say(GenerationEnded(kept.job, "length", 0, 0.1, None))
        await bench.until(lambda: any("one-adapted" in note.message for note in bench.app._notifications))

        bench.screen.action_clear()
        assert KEEP not in commands(bench)


async def test_a_text_without_adapting_has_no_copy_to_keep() -> None:
    async with opened() as bench:
        await bench.write("a", "bc")
        assert KEEP not in commands(bench)


async def test_a_copy_that_cannot_be_kept_says_why() -> None:
    async with opened() as bench:
        bench.screen.form.put("adapt", True)
        await bench.until(lambda: bench.screen.pane.sampling.adapt)
        await bench.write("a", "bc")
        commands(bench)[KEEP]()  # type: ignore[operator]
        await bench.until(lambda: bench.engine.asked_to_save)
        job = bench.engine.asked_to_save[0].job
        bench.engine.say(GenerationEnded(job, "failed", 0, 0.0, None, message="the copy has learned nothing yet"))
        await bench.until(lambda: any("learned nothing" in note.message for note in bench.app._notifications))
