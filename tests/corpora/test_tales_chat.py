"""The shipped conversations are what their grammar writes, and the model that was trained on them knows its tales."""

from __future__ import annotations

import hashlib

import pytest

from tinygpt_tui import paths
from tinygpt_tui.corpora.catalog import read_catalog
from tinygpt_tui.corpora.corpus import Roles
from tinygpt_tui.corpora.notation import GrammarText
from tinygpt_tui.corpora.read import read_text
from tinygpt_tui.corpora.tales_chat import ROLES, corpus
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.reading import decode_toml
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.tokenizers.dialogues import ASSISTANT, DialogueTokenizer, Turn
from tinygpt_tui.workers.models import OpenedModel, open_model


def test_the_shipped_file_is_what_the_generator_writes_and_what_the_catalogue_says() -> None:
    row = read_catalog()["tales-chat"]
    path = paths.shipped_data() / row.file
    content = path.read_bytes()
    assert content == corpus().encode()
    assert (row.bytes, row.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    text = read_text(path)
    assert (text.characters, text.roles) == (row.characters, Roles(roles=ROLES, replies=(ASSISTANT,)))


@pytest.fixture(scope="module")
def model() -> OpenedModel:
    return open_model(paths.shipped_models() / "tales-chat")


def answer(model: OpenedModel, *turns: Turn) -> str:
    """The most likely reply, and that it ends by itself."""
    assert isinstance(model.tokenizer, DialogueTokenizer)
    events = list(model.new_job(model.tokenizer.prompt_of(turns), SamplingSettings(temperature=0)))
    assert isinstance(events[-1], GenerationEnded)
    assert events[-1].reason == "end of text"
    return "".join(event.text for event in events if isinstance(event, Token | GenerationEnded))


def test_the_shipped_model_answers_with_what_the_tales_say(model: OpenedModel) -> None:
    tables = decode_toml((paths.shipped_data() / "tales.toml").read_bytes(), GrammarText).tables
    animals = [[cell.strip() for cell in row.split(";")] for row in tables["animal"].rows.strip().splitlines()]
    right = []
    for animal, _, _, food, home in animals:
        right.append(food in answer(model, Turn("user", f"What does a {animal} eat?")))
        right.append(home in answer(model, Turn("user", f"Where does a {animal} live?")))
    assert sum(right) >= 0.9 * len(right)


def test_it_knows_what_was_said(model: OpenedModel) -> None:
    names = ("Anna", "Molly", "Ruby", "Sara", "Zoe", "Bill", "Felix", "Harry", "Luke", "Toby")
    heard = [name in answer(model, Turn("user", f"Hello! I am {name}.")) for name in names]
    assert sum(heard) >= 8
