"""Build a wheel, install it into an empty environment, and use what is inside: `python tests/wheel.py`.

Not collected by pytest: it needs minutes and a package index, and `make wheel` runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
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
    """Run a command away from the checkout; return what it printed."""
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


def main() -> None:
    """Raise CalledProcessError or AssertionError where the wheel is not whole."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, PROJECT)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "venv", with_pip=True)
        bin_folder = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        python, home = bin_folder / "python", str(folder / "home")
        run(python, "-m", "pip", "install", "--quiet", "-c", PROJECT / "constraints.txt", wheel)
        models = run(bin_folder / "tinygpt-tui", "models", TINYGPT_TUI_HOME=home)
        assert "shakespeare " in models, models
        assert "tales" in models, models
        text = run(
            bin_folder / "tinygpt-tui", "generate", "shakespeare", "--prompt", "ROMEO:", "--max-new-tokens", "60",
            "--seed", "1", TINYGPT_TUI_HOME=home,
        )  # fmt: skip
        assert text.startswith("ROMEO:"), text
        assert len(text) > 60, text
        print(text)
        print(run(python, "-c", OPEN_THE_APP, TINYGPT_TUI_HOME=home))
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, opens with its models inside")


if __name__ == "__main__":
    main()
