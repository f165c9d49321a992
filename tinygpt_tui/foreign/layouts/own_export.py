"""This program's own export as one safetensors file: the header holds the settings and the vocabulary."""

from __future__ import annotations

from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.facts import Fact, in_words
from tinygpt_tui.foreign.layouts.base import LayoutMatch
from tinygpt_tui.foreign.rename import To
from tinygpt_tui.foreign.source import Source
from tinygpt_tui.reading import Damage, decode
from tinygpt_tui.settings.fields import fields_of
from tinygpt_tui.settings.model_config import FORMAT, NativeConfig
from tinygpt_tui.tokenizers.table import tokenizer_from

MADE_BY, CONFIG, TOKENIZER = "made_by", "config", "tokenizer"  # keys of the header's metadata
PROGRAM = "tinygpt-tui"


class OwnExport:
    """What `export --to safetensors` wrote; nothing is left to guess."""

    name, title = "safetensors", "this program's own export"

    def recognises(self, source: Source) -> bool:
        return source.metadata.get(MADE_BY) == PROGRAM and CONFIG in source.metadata

    def match(self, source: Source) -> LayoutMatch:
        try:
            config = decode(source.metadata[CONFIG], NativeConfig)
            stored = decode(source.metadata.get(TOKENIZER, "null"), dict)
        except Damage as error:
            raise CheckpointError(f"{source.name}: its header is damaged: {error}", "export the model again") from None
        if config.format > FORMAT:
            raise CheckpointError(
                f"{source.name} was made by a newer version (format {config.format})", "update tinygpt-tui"
            )
        settings = config.architecture
        facts = [
            Fact(name=name, value=in_words(value), source="file")
            for name, field in fields_of(type(settings)).items()
            if (value := getattr(settings, name)) != field.default
        ]
        return LayoutMatch(
            settings,
            tuple(facts),
            {name: [((), name, To(name))] for name in source.tensors},
            tokenizer=tokenizer_from(stored),
            trained=config.trained,
        )
