"""Exports, saves or measures a model in its own process: neither the app nor its engine loads the packages for it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec

from tinygpt_tui import platforms
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.exports.result import Exported
from tinygpt_tui.reading import decode
from tinygpt_tui.words import TRYING
from tinygpt_tui.workers.process import child_command, environment

PREFIX = "tinygpt-tui: "  # before the message of an error on stderr; the hint is on the line after


async def export(
    model: str,
    form: str,
    path: str,
    *,
    force: bool = False,
    approximate: bool = False,
    distil: bool = False,
    report: Callable[[str], None] = lambda _line: None,
    stop: asyncio.Event | None = None,
) -> Exported:
    """Run `tinygpt-tui export` and return what it wrote; `report` gets what it says.

    With `distil` a model that the form stores is trained first; `stop` ends that as Ctrl-C does: what was learned is
    saved. Raises TinyGPTError with its words.
    """
    chosen = {"--force": force, "--approximate": approximate, "--distil": distil}
    flags = ["--json", *(flag for flag, is_set in chosen.items() if is_set)]
    done = await _run("export", *flags, "--to", form, "--", model, path, on_line=report, stop=stop)
    return decode(done, Exported)


async def save_model(model: str, name: str) -> Path:
    """Run `tinygpt-tui open --keep` and return the new model's folder. Raises TinyGPTError with its words."""
    return Path(decode(await _run("open", "--json", f"--keep={name}", "--", model), _Saved).folder)


async def measure_model(model: str, report: Callable[[str], None]) -> None:
    """Run `tinygpt-tui open`, so that what headers do not tell is measured and stored; `report` gets what is tried.

    Raises TinyGPTError with its words; where it is cancelled, the process is ended.
    """

    def tried(line: str) -> None:
        if line.startswith(TRYING):
            report(line)

    await _run("open", "--json", "--progress", "--", model, on_line=tried)


class _Saved(msgspec.Struct, frozen=True):
    folder: str = msgspec.field(name="kept")


async def _run(
    *arguments: str, on_line: Callable[[str], None] = lambda _line: None, stop: asyncio.Event | None = None
) -> bytes:
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
    stopping = None if stop is None else asyncio.create_task(_interrupt_at(stop, process))
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        # Not communicate(): it closes stdin, which ends the process.
        written, errors = await asyncio.gather(process.stdout.read(), _lines(process.stderr, on_line))
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        raise
    finally:
        if stopping is not None:
            stopping.cancel()
        if process.stdin is not None:
            process.stdin.close()
    if process.returncode:
        raise _error(errors)
    return written


async def _interrupt_at(stop: asyncio.Event, process: asyncio.subprocess.Process) -> None:
    """Interrupt the process as Ctrl-C does, once `stop` is set; end it where a system cannot do that."""
    await stop.wait()
    if not platforms.interrupt(process.pid) and process.returncode is None:
        process.kill()


async def _lines(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> str:
    """Return all that comes, and give each line to `on_line` at once."""
    lines: list[str] = []
    async for line in stream:
        lines.append(line.decode("utf-8", "replace"))
        on_line(lines[-1].rstrip())
    return "".join(lines)


def _error(errors: str) -> TinyGPTError:
    lines = errors.strip().splitlines()
    at = next((place for place, line in enumerate(lines) if line.startswith(PREFIX)), None)
    if at is None:
        return TinyGPTError("it failed", lines[-1] if lines else "")
    return TinyGPTError(lines[at].removeprefix(PREFIX), " ".join(line.strip() for line in lines[at + 1 :]))
