"""Exports or saves a model in a process of its own: neither the app nor its engine loads the packages for it."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import msgspec

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.exports.result import Exported
from tinygpt_tui.reading import decode
from tinygpt_tui.workers.process import child_command, environment

PREFIX = "tinygpt-tui: "  # before the message of an error on stderr; the hint is on the line after


async def export(model: str, form: str, path: str, *, force: bool = False, approximate: bool = False) -> Exported:
    """Run `tinygpt-tui export` and return what it wrote. Raises TinyGPTError with its words."""
    flags = ["--json", *(["--force"] if force else []), *(["--approximate"] if approximate else [])]
    return decode(await _run("export", *flags, "--to", form, "--", model, path), Exported)


async def save_model(model: str, name: str) -> Path:
    """Run `tinygpt-tui open --keep` and return the new model's folder. Raises TinyGPTError with its words."""
    return Path(decode(await _run("open", "--json", f"--keep={name}", "--", model), _Saved).folder)


class _Saved(msgspec.Struct, frozen=True):
    folder: str = msgspec.field(name="kept")


async def _run(*arguments: str) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            *child_command("tinygpt_tui", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
    except OSError as error:
        raise TinyGPTError(f"it could not be started: {error}", "close other programs") from error
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        # Not communicate(): it closes stdin, which ends the process.
        written, errors = await asyncio.gather(process.stdout.read(), process.stderr.read())
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        raise
    finally:
        if process.stdin is not None:
            process.stdin.close()
    if process.returncode:
        raise _error(errors.decode("utf-8", "replace"))
    return written


def _error(errors: str) -> TinyGPTError:
    lines = errors.strip().splitlines()
    at = next((place for place, line in enumerate(lines) if line.startswith(PREFIX)), None)
    if at is None:
        return TinyGPTError("it failed", lines[-1] if lines else "")
    return TinyGPTError(lines[at].removeprefix(PREFIX), " ".join(line.strip() for line in lines[at + 1 :]))
