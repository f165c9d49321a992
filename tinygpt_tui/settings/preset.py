"""A named training: what a preset is."""

from __future__ import annotations

import msgspec

from tinygpt_tui.settings.training import TrainingSettings


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A name for a whole set of training settings, and in words what it is good for."""

    name: str
    title: str
    description: str
    training: TrainingSettings
