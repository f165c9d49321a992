"""What the app remembers between two starts."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class AppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Unknown fields are ignored, so that an older program can read a newer one's file."""

    theme: Annotated[str, Meta(description="name of the colour theme")] = "tinygpt-dark"
    model: Annotated[str, Meta(description="the model chosen last")] = ""
    show_settings: Annotated[bool, Meta(description="the sampling settings are shown beside the output")] = True
    frames_per_second: Annotated[
        int, Meta(ge=1, le=120, description="how often new tokens and steps are handed to the screen")
    ] = 30
    race: Annotated[
        str, Meta(description="the panes of the last race, one a line: trained or untrained, and the model's name")
    ] = ""
