"""The base of the messages of widgets and screens: a message is declared by its fields, as a data class is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, dataclass_transform

from textual import message


@dataclass_transform()
class Message(message.Message):
    """A message that makes its `__init__` from its annotated fields; it is compared by identity, as all messages."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        dataclass(cls, eq=False, repr=False)
