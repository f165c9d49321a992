"""Fifteen texts by the engines in the wheels: three models, the most likely token and four seeds each."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import ziglang
from emulated.library import EmulatedLibrary

from tinygpt_tui.checkpoints.weights import read_weights
from tinygpt_tui.events.generation import GenerationEnded, Token
from tinygpt_tui.generation.text import GenerationJob, TextGeneration
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import Library
from tinygpt_tui.native.weights import NativeWeights
from tinygpt_tui.paths import shipped_models
from tinygpt_tui.settings.sampling import SamplingSettings
from tinygpt_tui.workers.current_weights import weights_now
from tinygpt_tui.workers.models import open_now

MODELS = {"shakespeare": "\n", "shakespeare-small": "\n", "tales": "One day"}
SEEDS = (None, 1, 2, 3, 4)
TOKENS, EMULATED_TOKENS = 300, 150  # beyond shakespeare's window, which slides
DRIVER = Path(__file__).parent / "driver.c"
ZIG = Path(ziglang.__file__).parent
ARM_ROOT = Path("/usr/aarch64-linux-gnu")
WINE = Path("/usr/lib/wine/wine64")


def texts_of(library_for: Callable[[NativeWeights], Library], tokens: int) -> dict[str, str]:
    """Return the texts by names; each model's weights get a library of their own."""
    found = {}
    for name, prompt in MODELS.items():
        folder = shipped_models() / name
        tokenizer, weights = open_now(folder, weights_now(folder)).tokenizer, read_weights(folder)
        engine = NativeEngine(weights, library_for(weights), policy="rolling" if weights.settings.sliding else "exact")
        for seed in SEEDS:
            sampling = SamplingSettings(max_new_tokens=tokens, temperature=0.8 if seed else 0.0, seed=seed)
            job = GenerationJob(engine, TextGeneration(tokenizer, weights.settings.block_size, prompt, sampling))
            text = "".join(event.text for event in job if isinstance(event, Token | GenerationEnded))
            found[f"{name}, {'most likely' if seed is None else f'seed {seed}'}"] = text
    return found


def native_texts(wheel: Path) -> dict[str, str]:
    """Return what the libraries in a wheel for this machine write. Raises AssertionError where they differ."""
    with tempfile.TemporaryDirectory() as name:
        libraries = [Library(path) for path in _libraries(wheel, Path(name))]
        first, *others = (texts_of(lambda _, library=library: library, TOKENS) for library in libraries)  # type: ignore[misc]
        assert all(other == first for other in others)
    return first


def emulators(folder: Path) -> Iterator[tuple[str, dict[str, str] | str]]:
    """Yield what each engine for another platform writes, or why it cannot be run here."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
        wine = shutil.which("wine64") or shutil.which("wine") or (str(WINE) if WINE.exists() else None)
        if qemu and ARM_ROOT.is_dir():
            driver = scratch / "driver"
            _zig(scratch, "cc", "-target", "aarch64-linux-gnu.2.17", "-O2", "-s", DRIVER, "-ldl", "-o", driver)
            for library in _libraries(_wheel(folder, "manylinux*aarch64"), scratch / "arm"):
                yield f"{library.name} for ARM", _emulated([qemu, "-L", str(ARM_ROOT), str(driver)], str(library))
        else:
            yield "the engine for ARM", "no qemu-user-static with libc6-arm64-cross"
        if wine:
            driver = scratch / "driver.exe"
            headers = ZIG / "lib/libc/include/any-windows-any"
            _zig(
                scratch, "build-exe", "-target", "x86_64-windows-gnu", "-O", "ReleaseFast", "-fstrip",
                "--subsystem", "console", "-fentry=mainCRTStartup", "-isystem", headers, DRIVER, "-lkernel32",
                f"-femit-bin={driver}",
            )  # fmt: skip
            os.environ |= {"WINEPREFIX": str(scratch / "wine"), "WINEDEBUG": "-all"}
            for library in _libraries(_wheel(folder, "win_amd64"), scratch / "windows"):
                path = f"Z:{library}".replace("/", "\\")
                yield f"{library.name} for Windows", _emulated([wine, str(driver)], path)
            subprocess.run([wine, "wineboot", "--end-session", "--shutdown"], check=False)
        else:
            yield "the engine for Windows", "no wine"


def _emulated(command: list[str], library: str) -> dict[str, str]:
    opened: list[EmulatedLibrary] = []

    def open_for(weights: NativeWeights) -> Library:
        opened.append(EmulatedLibrary(command, library, weights))
        return opened[-1]

    found = texts_of(open_for, EMULATED_TOKENS)
    for driver in opened:
        driver.close()
    return found


def _wheel(folder: Path, platform: str) -> Path:
    (wheel,) = folder.glob(f"tinygpt_tui-*-{platform}.whl")
    return wheel


def _libraries(wheel: Path, folder: Path) -> list[Path]:
    with zipfile.ZipFile(wheel) as archive:
        return [Path(archive.extract(name, folder)) for name in archive.namelist() if "/native/_gpt" in name]


def _zig(scratch: Path, *words: str | Path) -> None:
    # In a scratch folder: zig writes some files beside what it makes.
    subprocess.run([str(ZIG / "zig"), *map(str, words)], check=True, cwd=scratch)
