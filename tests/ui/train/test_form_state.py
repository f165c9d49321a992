"""What the form holds, without the form."""

from __future__ import annotations

import pytest

from tinygpt_tui.runs.folder import CorpusReference
from tinygpt_tui.runs.text_facts import CorpusFacts
from tinygpt_tui.settings.presets import ALL_PRESETS
from tinygpt_tui.ui.train.draft import form_fields
from tinygpt_tui.ui.train.form_state import FormState


@pytest.mark.parametrize("preset", ALL_PRESETS)
def test_the_draft_is_the_presets_as_soon_as_it_is_chosen(preset: str) -> None:
    """Whatever is shown by then: rows of another architecture are mounted a moment later."""
    state = FormState()
    state.choose_preset(preset)
    training = ALL_PRESETS[preset].training
    assert state.architecture is type(training.architecture)
    assert state.texts.keys() == form_fields(state.architecture).keys()
    assert (state.draft.architecture, state.draft.problems) == (training.architecture, {})
    assert state.preset_name == preset


def test_what_was_changed_stays_and_other_names_are_ignored() -> None:
    state = FormState()
    state.change({"dropout": "0.25", "n_hidden": "5"})
    assert "n_hidden" not in state.texts
    assert (state.preset_name, state.changed_titles()) == ("", ["dropout"])
    state.change({"n_embd": "a few"})
    assert state.problem.startswith("n embd: ")
    assert state.draft.settings is None


def test_a_tokenizer_decides_the_vocabulary_and_the_number_of_tokens() -> None:
    corpus = CorpusReference(name="diary", path="/nowhere.txt", characters=200_000)
    state = FormState()
    state.apply_text(CorpusFacts(corpus, vocab_size=60, characters="abc", text_bytes=200_000), own=True)
    assert (state.draft.tokens, state.draft.settings.architecture.vocab_size) == (200_000, 60)
    state.change({"tokenizer": "bpe 512"})
    assert (state.draft.settings.tokenizer, state.draft.settings.architecture.vocab_size) == ("bpe:512", 512)
    assert 90_000 < state.draft.tokens < 120_000
    assert state.preset == "timed"
    state.change({"tokenizer": "bpe:1"})
    assert state.problem.startswith("tokenizer: a BPE has 256 to 65,536")
    state.change({"tokenizer": "nowhere.json"})
    assert "there is no file" in state.problem


def test_until_a_preset_is_chosen_one_suits_the_text() -> None:
    corpus = CorpusReference(name="diary", path="/nowhere.txt", characters=20_000)
    facts = CorpusFacts(corpus, vocab_size=3, characters="abc")
    state = FormState()
    state.apply_text(facts, own=True)
    assert state.preset == "timed"
    state.apply_text(None, own=False)
    assert state.preset != "timed"
    state.choose_preset("classic")
    state.apply_text(facts, own=True)
    assert state.preset == "classic"
