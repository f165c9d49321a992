"""Check the wheels that tools/wheels.py made, and use what is in them: `python tests/wheels.py [FOLDER]`.

Each wheel is whole, small, and has its platform's engine; the one for this machine is installed, with torch and
without; both open the app and write one text, and refuse each other. The engine for ARM runs under qemu and Windows'
under wine, where these are installed, and writes the same texts as the one for this machine.

Not collected by pytest: it needs a minute and a package index, and `make wheels` runs it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulated.texts import emulators, native_texts
from wheel.wheelfile import WheelFile

PROJECT = Path(__file__).resolve().parents[1]
LARGEST = 12_500_000  # bytes of a wheel
LIBRARIES = {  # in a wheel whose platform begins so: how a library's file begins
    "manylinux": b"\x7fELF", "musllinux": b"\x7fELF", "macosx": b"\xcf\xfa\xed\xfe", "win": b"MZ",
}  # fmt: skip
GENERATE = ("generate", "shakespeare", "--prompt", "ROMEO:", "--max-new-tokens", "60", "--seed", "1")
OPEN_THE_APP = """
import asyncio
from tinygpt_tui.ui.app import TinyGPTApp

async def main() -> None:
    app = TinyGPTApp()
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        print("app opened:", app.title)

asyncio.run(main())
"""


def run(*command: str | Path, **environment: str) -> str:
    """Run a command away from the checkout; return what it printed. Raises CalledProcessError."""
    print("$", *command, flush=True)
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=elsewhere,
            env={**os.environ, **environment},
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
    return done.stdout


def fails(*command: str | Path) -> str:
    """Run a command that must fail; return what it printed as errors."""
    print("$", *command, "# must fail", flush=True)
    done = subprocess.run([str(word) for word in command], capture_output=True, encoding="utf-8")
    assert done.returncode, f"it did not fail: {done.stdout}"
    return done.stderr


def check_files(folder: Path) -> None:
    """Each wheel agrees with its RECORD and its name, is small, and has the engine of its platform or none."""
    wheels = sorted(folder.glob("*.whl"))
    assert len(wheels) == 2 * 9, wheels
    for path in wheels:
        tags = path.stem.split("-")[-1]
        with WheelFile(path) as wheel:
            contents = {name: wheel.read(name) for name in wheel.namelist()}  # compares each with its hash
            told = contents[f"{wheel.dist_info_path}/WHEEL"].decode()
            metadata = contents[f"{wheel.dist_info_path}/METADATA"].decode()
        assert [f"Tag: py3-none-{tag}" for tag in tags.split(".")] == [x for x in told.split("\n") if x[:3] == "Tag"]
        assert path.stat().st_size < LARGEST, f"{path.name}: {path.stat().st_size / 1e6:.1f} MB"
        libraries = {name: data for name, data in contents.items() if "/native/_gpt" in name}
        assert bool(libraries) == (tags != "any"), path.name
        assert len(libraries) == 2 + ("x86_64" in tags or "amd64" in tags) or tags == "any", path.name
        for name, data in libraries.items():
            begins = next(mark for start, mark in LIBRARIES.items() if tags.startswith(start))
            assert data.startswith(begins), (path.name, name)
        needs_torch = any(line.startswith("Requires-Dist: torch") for line in metadata.splitlines())
        assert needs_torch == ("_lite" not in path.name), path.name
    run(sys.executable, "-m", "twine", "check", "--strict", *folder.iterdir())
    for path in wheels:
        if "linux" in path.name:
            told = run(sys.executable, "-m", "auditwheel", "show", path)
            assert "requires no external shared libraries" in " ".join(told.split()), told


def own(folder: Path, name: str) -> Path:
    """Return the wheel of a distribution for this machine."""
    (wheel,) = folder.glob(f"{name}-*-manylinux*_{platform.machine()}.whl")
    return wheel


def uses(python: Path, home: str) -> str:
    """Open the app, list models, write a text and return it."""
    command = python.parent / "tinygpt-tui"
    models = run(command, "models", TINYGPT_TUI_HOME=home)
    assert "shakespeare " in models, models
    assert "tales" in models, models
    text = run(command, *GENERATE, TINYGPT_TUI_HOME=home)
    assert text.startswith("ROMEO:"), text
    assert len(text) > 60, text
    print(run(python, "-c", OPEN_THE_APP, TINYGPT_TUI_HOME=home))
    return text


def check_install(folder: Path) -> None:
    """Both editions work, refuse each other, and leave nothing behind."""
    full, lite = own(folder, "tinygpt_tui"), own(folder, "tinygpt_tui_lite")
    with tempfile.TemporaryDirectory() as name:
        home = str(Path(name) / "home")
        for kind in ("full", "lite"):
            venv.create(Path(name) / kind, with_pip=kind == "full")
        with_torch, without = (Path(name) / kind / "bin" / "python" for kind in ("full", "lite"))
        pip = (with_torch, "-m", "pip", "install", "--quiet", "--no-compile")
        uv = (sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", without)
        constraints = PROJECT / "constraints.txt"
        run(*uv, "-c", constraints, lite)
        run(*pip, "-c", constraints, full)
        texts = {uses(python, home) for python in (with_torch, without)}
        assert len(texts) == 1, texts
        assert "UNINSTALL_THE_OTHER_EDITION_FIRST" in fails(*pip, "--no-deps", lite)
        assert "UNINSTALL_THE_OTHER_EDITION_FIRST" in fails(*uv, "--no-deps", full)
        run(with_torch, "-m", "pip", "uninstall", "--quiet", "--yes", "tinygpt-tui")
        left = list((Path(name) / "full").rglob("tinygpt*"))
        assert not left, left


def check_texts(folder: Path) -> None:
    """The engines of other platforms write the same texts as this machine's."""
    expected = native_texts(own(folder, "tinygpt_tui"))
    print(f"{len(expected)} texts by both libraries for this machine", flush=True)
    for name, texts in emulators(folder):
        if isinstance(texts, str):
            print(f"{name} was not run: {texts}", flush=True)
            continue
        for key, text in texts.items():
            assert expected[key].startswith(text), (name, key, text, expected[key])
        print(f"{name}: the same {len(texts)} texts of {min(map(len, texts.values()))} characters", flush=True)


def main() -> None:
    """Raise CalledProcessError or AssertionError where something is wrong."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "dist").resolve()
    checks: tuple[Callable[[Path], None], ...] = (check_texts, check_install, check_files)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(check, folder) for check in checks]:
            done.result()
    sizes = {path.name: round(path.stat().st_size / 1e6, 1) for path in sorted(folder.glob("*.whl"))}
    print(json.dumps(sizes, indent=1))


if __name__ == "__main__":
    main()
