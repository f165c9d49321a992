"""The settings of the server: where it listens, and how much it does for whom."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class ServingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where `tinygpt-tui serve` listens, and its limits."""

    host: Annotated[
        str,
        Meta(description="address to listen on; the default: this machine only; 0.0.0.0: all that reach it"),
    ] = "127.0.0.1"
    port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(description="the port to listen on; none: 8000, or another that is free"),
    ] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(description="names by which browsers may call the server, besides localhost and plain addresses"),
    ] = ()
    max_tokens: Annotated[int, Meta(ge=1, le=1_000_000, description="tokens of one text, at most")] = 4096
    texts: Annotated[int, Meta(ge=1, le=256, description="texts written at once, at most")] = 32
    waiting: Annotated[
        int, Meta(ge=0, le=10_000, description="requests that may wait; more receive try again later")
    ] = 64
    body_kib: Annotated[int, Meta(ge=1, le=65536, description="the largest request, in KiB")] = 256
    windows: Annotated[
        int, Meta(ge=1, le=64, description="with --app: browser windows at once; each runs an app of its own")
    ] = 8
