"""What a window costs, against brute force: every context written out and read by the net itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from makers import TEXT, make_model, random_ids, random_model, split, tiny_gpt

from benchmarks.measure.window_loss import WindowBenchmark, WindowReport, engines_of, split_ids
from tinygpt_tui.architectures.base import LanguageModel
from tinygpt_tui.checkpoints.card import read_config
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.errors import CorpusError
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.training import TrainingSettings
from tinygpt_tui.settings.windows import Policy, retained_after
from tinygpt_tui.tokenizers.char import CharTokenizer

CLASSIC, SLIDING = tiny_gpt(), tiny_gpt(positions="rotary", sliding=True)
IDS = np.array(random_ids(60), dtype=np.int64)


def losses_by_brute_force(model: LanguageModel, policy: Policy) -> list[float]:
    """-log p of every id behind the first window, the context of each written out."""
    T = model.block_size
    assert T is not None
    ids = IDS.tolist()
    context = ids[:T]
    losses = []
    for place in range(T, len(ids)):
        with torch.no_grad():
            logits = model(torch.tensor([context]))[0, -1]
        losses.append(-float(logits.double().log_softmax(0)[ids[place]]))
        if policy == "rolling":
            context = ids[: place + 1]
        elif policy == "exact":
            context = ids[place + 1 - T : place + 1]
        else:
            kept = context if len(context) < T else context[-retained_after("reanchor", T) :]
            context = [*kept, ids[place]]
    return losses


def measured(model: LanguageModel, settings: GPTSettings, characters: int = 10_000) -> WindowReport:
    benchmark = WindowBenchmark(
        lambda policy, weights: TorchEngine(model, policy),
        settings,
        IDS,
        characters=characters,
        precisions=("fp32",),
    )
    for progress in benchmark:
        assert 0 <= progress.share <= 1
    return benchmark.report()


@pytest.mark.parametrize("settings", [CLASSIC, SLIDING], ids=["classic", "sliding"])
def test_each_policys_loss_is_that_of_its_contexts(settings: GPTSettings) -> None:
    model = random_model(settings)
    report = measured(model, settings)
    assert report.finished
    assert report.base == ("rolling" if settings.sliding else "exact")
    wanted = {row.window: float(np.mean(losses_by_brute_force(model, row.window))) for row in report.rows}
    assert len(wanted) == (3 if settings.sliding else 2)
    for row in report.rows:
        assert row.characters == len(IDS) - settings.block_size
        assert row.loss == pytest.approx(wanted[row.window], abs=1e-5)
        assert row.cost == pytest.approx(wanted[row.window] - wanted[report.base], abs=1e-5)
        assert row.within == row.cost_within == 0


def test_what_is_drawn_is_carried_to_the_whole_text_by_what_was_read() -> None:
    model = random_model(CLASSIC)
    report = measured(model, CLASSIC, characters=20)
    rows = {row.window: row for row in report.rows}
    exact, reanchor = rows["exact"], rows["reanchor"]
    assert exact.characters == 20
    assert exact.loss == pytest.approx(reanchor.loss - reanchor.cost)
    assert exact.within == pytest.approx(reanchor.cost_within)
    # The same draw by hand: the mean difference of twenty characters.
    drawn = np.random.default_rng(0).choice(len(IDS) - 8, size=20, replace=False)
    apart = np.subtract(losses_by_brute_force(model, "reanchor"), losses_by_brute_force(model, "exact"))[drawn]
    assert reanchor.cost == pytest.approx(apart.mean(), abs=1e-5)
    share_left = 1 - 20 / (len(IDS) - 8)
    assert reanchor.cost_within == pytest.approx(2 * np.sqrt(apart.var(ddof=1) / 20 * share_left), abs=1e-5)


def test_a_models_own_engines_agree_with_torch(tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    model = make_model(folder, CLASSIC)
    open_engine, precisions, name = engines_of(folder)
    benchmark = WindowBenchmark(open_engine, CLASSIC, IDS, precisions=precisions, names=("letters", "random", name))
    list(benchmark)
    report = benchmark.report()
    assert report.engine == name
    wanted = {row.window: row.loss for row in measured(model, CLASSIC).rows}
    for row in report.rows:
        assert row.loss == pytest.approx(wanted[row.window], abs=1e-4 if row.weights == "fp32" else 0.2)
    assert {row.weights for row in report.rows} == set(precisions)


def test_an_interrupted_measurement_keeps_the_policies_that_are_through() -> None:
    model = random_model(CLASSIC)
    benchmark = WindowBenchmark(lambda policy, weights: TorchEngine(model, policy), CLASSIC, IDS, precisions=("fp32",))
    for progress in benchmark:
        if progress.words.startswith("exact"):
            break
    report = benchmark.report()
    assert not report.finished
    assert [row.window for row in report.rows] == ["reanchor"]
    assert report.rows[0].cost is None


def test_a_text_that_is_no_longer_than_the_window_is_refused() -> None:
    with pytest.raises(CorpusError, match="window is 8"):
        WindowBenchmark(lambda policy, weights: pytest.fail("opened"), CLASSIC, IDS[:8])


def test_the_validation_split_is_the_trainings(tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    make_model(folder, CLASSIC)
    tokenizer = open_tokenizer(folder, read_config(folder))
    assert isinstance(tokenizer, CharTokenizer)
    corpus = split(TEXT, CLASSIC.block_size, TrainingSettings().validation_share, tokenizer)
    training, validation = split_ids(folder, TEXT, tokenizer)
    assert validation.tolist() == corpus.validation.tolist()
    assert training.tolist() + validation.tolist() == tokenizer.encode(TEXT)
