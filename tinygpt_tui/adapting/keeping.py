"""What an adapted copy is on the disk: a model of its own, with the record of what it learned from."""

from __future__ import annotations

from pathlib import Path

from tinygpt_tui.adapting.engine import AdaptiveEngine
from tinygpt_tui.checkpoints.stored import StoredModel
from tinygpt_tui.errors import UsageError
from tinygpt_tui.foreign.facts import Fact
from tinygpt_tui.settings.model_config import FORMAT, NativeConfig
from tinygpt_tui.tokenizers.base import Tokenizer

LAYOUT = "adapted"
_QUOTED = 40  # characters of the text


def adapted_model(engine: AdaptiveEngine, tokenizer: Tokenizer, base: Path) -> StoredModel:
    """Return the copy as it is now; the n-gram cache belongs to the text and is no part of it.

    Raises UsageError where no gradient step was taken, so that it is still the model at `base`.
    """
    if not engine.steps:
        raise UsageError(
            f"the copy has learned nothing yet: its first step comes after {engine.block + 1} tokens",
            "adapt to a longer text",
        )
    text = b"".join(tokenizer.bytes_of(id) for id in engine.ids[: 4 * _QUOTED]).decode("utf-8", "ignore")
    beginning = " ".join(text.split())[:_QUOTED]
    facts = (
        Fact(name="base", value=base.name, source="file", detail=str(base)),
        Fact(
            name="adapted_to",
            value=f"{len(engine.ids):,} tokens in {engine.steps:,} steps",
            source="typed",
            detail=f"a text that begins: {beginning}…",
        ),
    )
    model = engine.model
    config = NativeConfig(format=FORMAT, architecture=model.settings, parameters=model.count_parameters())
    return StoredModel(config, engine.weights(), tokenizer, LAYOUT, facts)
