"""The app's settings, which it keeps between two starts, and their TOML file."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.errors import UsageError
from tinygpt_tui.reading import Damage, decode_toml
from tinygpt_tui.settings.fields import checked, fields_of, written

LARGEST = 1 << 20  # bytes of the file
HEAD = "# Settings of tinygpt-tui. The app writes this file when a setting is changed in it.\n"
KEYS_HEAD = """\
# Your own keys, one binding a line; several keys with commas between. `tinygpt-tui config keys` lists the bindings.
# generate.again = "alt+a"
[keys]
"""


class AppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """Unknown fields are ignored, so that an older program can read a newer one's file."""

    theme: Annotated[str, Meta(description="name of the colour theme")] = "tinygpt-dark"
    model: Annotated[str, Meta(description="the model chosen last")] = ""
    show_settings: Annotated[bool, Meta(description="the sampling settings are shown beside the output")] = True
    sampling: Annotated[str, Meta(description="the sampling settings that were changed, one a line: NAME = VALUE")] = ""
    frames_per_second: Annotated[
        int, Meta(ge=1, le=120, description="how often new tokens and steps are handed to the screen")
    ] = 30
    race: Annotated[
        str, Meta(description="the panes of the last race, one a line: trained or untrained, and the model's name")
    ] = ""
    pace: Annotated[
        Literal["first", "step", "5", "20", "60", "full"],
        Meta(
            description="how fast text is written: tokens per second, or step (one token a key), or full speed; first: "
            "the first text slowly, then full"
        ),
    ] = "first"
    race_pace: Annotated[
        Literal["step", "5", "20", "60", "full"],
        Meta(description="how fast each pane of a race is written, as in pace; by default slow enough to watch"),
    ] = "20"
    pictures: Annotated[
        bool, Meta(description="curves, attention and the map of embeddings are pictures where the terminal draws them")
    ] = True
    keys: dict[str, Any] = {}

    def own_keys(self) -> dict[str, object]:
        """Return the user's keys by the id of their binding; `a.b = "f8"` without quotes is a table in a table."""

        def flat(table: dict[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
            for name, value in table.items():
                if isinstance(value, dict):
                    yield from flat(value, f"{before}{name}.")
                else:
                    yield f"{before}{name}", value

        return dict(flat(self.keys))


def to_toml(settings: AppSettings) -> str:
    """Return the settings as a TOML file in which each one is explained."""
    lines = [HEAD]
    for name, field in fields_of(AppSettings).items():
        limits = f", {field.minimum:g} to {field.maximum:g}" if field.minimum is not None else ""
        default = written(field.default)
        value = _in_toml(getattr(settings, name))
        lines.append(f"# {field.description}{limits} (default: {default or 'none'})\n{name} = {value}\n")
    lines.append(KEYS_HEAD + "".join(f"{_in_toml(n)} = {_in_toml(keys)}\n" for n, keys in settings.own_keys().items()))
    return "\n".join(lines)


def _in_toml(value: object) -> str:
    """Return a plain value as TOML, which JSON is, except for one character in texts."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def check_toml(content: bytes) -> AppSettings:
    """Return the settings of a file that the user has edited. Raises UsageError if one is wrong."""
    try:
        values = decode_toml(content, dict[str, Any])
    except Damage as error:
        raise UsageError(f"not TOML: {error}", "write `name = value`, one setting a line, texts in quotes") from None
    known = {*fields_of(AppSettings), "keys"}
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the settings are {', '.join(known)}"
            raise UsageError(f"there is no setting called {name!r}", hint)
    return checked(AppSettings, values)
