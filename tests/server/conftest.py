"""A server in the test's own process, with two small models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from makers import VARIANTS, make_model

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.vocabulary import write_tokenizer
from tinygpt_tui.server.app import make_app
from tinygpt_tui.server.models import ServedModels
from tinygpt_tui.server.scheduler import Scheduler
from tinygpt_tui.settings.serving import ServingSettings
from tinygpt_tui.tokenizers.char import CharTokenizer
from tinygpt_tui.tokenizers.dialogues import DialogueTokenizer

DIALOGUE = DialogueTokenizer(CharTokenizer("abcdefgh"), ("system", "user", "assistant"), ("assistant",))


@dataclass
class Served:
    """What a test may look at."""

    scheduler: Scheduler
    settings: ServingSettings
    token: str | None = None
    app: Any = field(init=False)

    def __post_init__(self) -> None:
        self.app = make_app(ServedModels(), self.scheduler, self.settings, self.token)

    def client(self) -> httpx.AsyncClient:
        """Return a client whose streams arrive whole: the transport is no network."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8000")


@pytest.fixture
def models(home: Path) -> None:
    """Put models into the test's home: one for the native engine, one for torch, and one with roles."""
    make_model(paths.models_folder() / "letters", VARIANTS["classic"])
    make_model(paths.models_folder() / "state", VARIANTS["gru"])
    make_model(paths.models_folder() / "talk", VARIANTS["classic"])
    write_tokenizer(paths.models_folder() / "talk", DIALOGUE)


@pytest.fixture
def settings() -> ServingSettings:
    """Limits that a test can reach."""
    return ServingSettings(max_tokens=200, texts=4, waiting=1, body_kib=4)


@pytest.fixture
def served(models: None, settings: ServingSettings) -> Iterator[Served]:
    """Serve."""
    scheduler = Scheduler(settings.texts, settings.waiting)
    scheduler.start()
    yield Served(scheduler, settings)
    scheduler.close()


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of it."""
    async with served.client() as client:
        yield client
