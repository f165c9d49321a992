"""Every sampling setting has an effect: some value of it changes the text, or the engine that writes it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from makers import ByteTokenizer, ScriptedEngine
from numpy.typing import NDArray

from tinygpt_tui.errors import UsageError
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.models import OpenedModel

# A value that changes what is written with the others at BASE. A new setting needs a value here.
BASE = SamplingSettings(temperature=1.0, max_new_tokens=60, seed=1)
VALUES: dict[str, Any] = {
    "temperature": 2.0,
    "top_k": 2,
    "top_p": 0.3,
    "min_p": 0.5,
    "repetition_penalty": 5.0,
    "max_new_tokens": 3,
    "seed": 2,
    "stop": ("e",),
    "stop_at_blank_line": True,
    "stop_at_end_of_text": False,
    "banned": "e",
    "allowed": "ab",
}
FOR_THE_ENGINE = {"window": "reanchor", "weights": "int8"}  # how the model is computed, not what is drawn
ON_ITS_OWN = "adapt"  # another engine, for one text alone
LETTERS = b"\n\0etaoinshrdluab"


class Ending(ByteTokenizer):
    """Bytes, of which 0 ends a text."""

    end_of_text = 0


class Opinion(ScriptedEngine):
    """Prefers other letters each time, the end of a line often, the end of the text seldom."""

    def __init__(self) -> None:
        super().__init__([])
        self._random = np.random.default_rng(3)

    def _next(self) -> NDArray[np.float32]:
        logits = np.full(256, -np.inf, dtype=np.float32)
        logits[list(LETTERS)] = self._random.normal(size=len(LETTERS))
        logits[ord("\n")] += 3
        return logits


def written(settings: SamplingSettings) -> tuple[list[int], str]:
    """Return the ids and the text that some settings write."""
    events = list(GenerationJob(Opinion(), TextGeneration(Ending(), 8, "eta", settings)))
    return [event.id for event in events if hasattr(event, "id")], "".join(
        getattr(event, "text", "") for event in events
    )


def test_every_setting_has_a_value_that_has_an_effect() -> None:
    assert list(fields_of(SamplingSettings)) == [*VALUES, *FOR_THE_ENGINE, ON_ITS_OWN]


@pytest.mark.parametrize("name", VALUES)
def test_the_setting_changes_what_is_written(name: str) -> None:
    assert written(BASE) == written(BASE)
    assert written(BASE) != written(msgspec.structs.replace(BASE, **{name: VALUES[name]}))


class Asked(Exception):
    """An engine was requested with this window and these weights."""


class Recording(OpenedModel):
    """Opens no engine, but says which one was requested."""

    engine_name = "recording"

    def __init__(self) -> None:
        pass

    def new_text(self, prompt: str, sampling: SamplingSettings, **more: Any) -> TextGeneration:
        return TextGeneration(ByteTokenizer(), 8, prompt, sampling)

    def new_engine(self, window: Any = "auto", weights: Any = "fp32") -> Any:
        raise Asked(window, weights)

    def net(self) -> Any:
        raise NotImplementedError

    def adaptive_engine(self) -> Any:
        raise Asked(ON_ITS_OWN)

    def new_batch_engine(self, texts: int, window: Any = "auto", weights: Any = "fp32") -> Any:
        raise Asked(window, weights)


@pytest.mark.parametrize("name", FOR_THE_ENGINE)
def test_the_setting_reaches_the_engine(name: str) -> None:
    settings = msgspec.structs.replace(BASE, **{name: FOR_THE_ENGINE[name]})
    for ask in (lambda: Recording().new_job("", settings), lambda: list(Recording().samples("", settings, 1))):
        with pytest.raises(Asked) as asked:
            ask()
        assert asked.value.args == (settings.window, settings.weights)


def test_adapting_reaches_the_engine_of_one_text() -> None:
    settings = msgspec.structs.replace(BASE, adapt=True)
    with pytest.raises(Asked, match=ON_ITS_OWN):
        Recording().new_job("", settings)
    with pytest.raises(UsageError, match="one text"):
        list(Recording().samples("", settings, 2))
