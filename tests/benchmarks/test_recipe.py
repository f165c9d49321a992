"""The benchmark of training recipes: the same small net trained in several ways, and a table of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks import recipe
from benchmarks.command import execute
from benchmarks.measure.recipe import RecipeBenchmark, RecipePlan
from benchmarks.measure.recipe_report import RecipeReport
from benchmarks.measure.recipes import BASE, RECIPES, settings_of
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.presets import find_preset

TEXT = "one two buckle my shoe, three four knock at the door.\n" * 200


def test_the_reduced_net_has_as_many_parameters_for_each_character() -> None:
    whole, reduced = find_preset("modern").training, settings_of(BASE, 1, 0.2)
    shares = count_parameters(whole.architecture) / 983_777, count_parameters(reduced.architecture) / 350_000
    assert shares[1] / shares[0] == pytest.approx(1.2, abs=0.1)


def test_the_reduced_llama_has_nearly_as_many() -> None:
    sizes = [count_parameters(settings_of(name, 1, 0.2).architecture) for name in (BASE, "llama")]
    assert sizes[1] / sizes[0] == pytest.approx(0.95, abs=0.03)


def test_every_recipe_differs_from_every_other() -> None:
    assert len({msgspec.json.encode(settings_of(name, 1, 0.2)) for name in RECIPES}) == len(RECIPES)


def test_the_end_of_the_text_is_not_looked_at() -> None:
    plan = RecipePlan(recipes=(BASE,), corpus="x", characters=5_000, seeds=(1,), steps=2)
    losses = []
    for end in ("", "z" * int(len(TEXT) * 0.1)):
        benchmark = RecipeBenchmark(plan, TEXT[: len(TEXT) - len(end)] + end)
        assert len(list(benchmark)) >= 1
        (run,) = benchmark.report().runs
        losses.append(run.loss)
    assert losses[0] == losses[1]
    assert benchmark.report().judged == 972


def test_a_table_and_json_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    command = ["--corpus", str(text), "--only", BASE, "--seeds", "2", "--steps", "2"]
    assert execute(recipe, [*command, "--json"]) == 0
    report = msgspec.json.decode(capsys.readouterr().out, type=RecipeReport)
    assert report.finished
    assert [run.seed for run in report.runs] == [1, 2]
    assert report.runs[0].loss != report.runs[1].loss
    assert all(run.loss <= run.plain_loss + 1e-6 for run in report.runs)
    assert BASE in recipe.in_words(report)


def test_a_recipe_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(recipe, ["--corpus", "tales", "--only", "luck"]) == 2
    assert f"luck is none of {BASE}" in capsys.readouterr().err
