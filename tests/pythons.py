"""Try the program on the Pythons and the versions of its dependencies that it claims to run on, without torch.

`python tests/pythons.py lowest|newest|between`: the oldest Python with the lowest versions that pyproject.toml allows;
the newest Python of this machine with the newest versions; the Pythons between with the pinned versions, and one line
for each version that is not on this machine. Every environment starts the app (tests/start.py); the first two run the
tests whose outcome depends on the dependencies, too.

Not collected by pytest: it makes environments with uv, from a package index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
# Torch is left out: it is the largest part by far, and neither the app nor the native engine imports it.
WITHOUT_TORCH = 'torch; python_version < "0"\n'
TEST_TOOLS = ["pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "hypothesis"]
# What the dependencies do, rather than what our own code does on every version alike.
TESTS = [
    "tests/settings", "tests/events", "tests/tokenizers", "tests/sessions", "tests/test_files.py",
    "tests/test_charts.py", "tests/test_imports.py", "tests/workers/test_engine_process.py", "tests/ui/test_shell.py",
    "tests/ui/test_real_start.py", "tests/ui/test_typed_ahead.py", "tests/ui/test_generate.py",
    "tests/ui/test_runs_table.py", "tests/ui/test_train_form.py",
]  # fmt: skip


def versions() -> list[str]:
    """Return the versions of Python that pyproject.toml names, oldest first."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))


def interpreter(version: str) -> str | None:
    """Return this machine's Python of that version: on the path, or one of pyenv's; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python"))):
        try:
            found = subprocess.run(
                [candidate, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True
            )
        except OSError:
            continue
        if found.returncode == 0:  # pyenv's shims are on the path for versions that are not chosen, too
            return found.stdout.strip()
    return None


def run(*command: str | Path, **environment: str) -> None:
    """Run a command in the checkout. Raises CalledProcessError."""
    print("$", *command, flush=True)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "UV_PYTHON_DOWNLOADS": "never", **environment}
    subprocess.run(list(map(str, command)), cwd=PROJECT, check=True, env=environment)


def make(name: str, python: str, *options: str, tools: bool = True) -> Path:
    """Make the environment `.venv-NAME` with the dependencies as `options` choose them; return its interpreter."""
    folder = PROJECT / f".venv-{name}"
    uv, inside = [sys.executable, "-m", "uv"], folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(*uv, "venv", "--quiet", "--clear", "--python", python, folder)
    without = folder / "without-torch.txt"
    without.write_text(WITHOUT_TORCH, encoding="utf-8")
    install = [*uv, "pip", "install", "--quiet", "--python", inside]
    run(*install, "--override", without, "--requirements", "pyproject.toml", *options)
    if tools:
        run(*install, "--constraints", "constraints.txt", *TEST_TOOLS)
    return inside


def start(python: Path) -> None:
    """Start the app and use it."""
    run(python, "tests/start.py")


def test(python: Path) -> None:
    """Run the chosen tests; snapshots belong to one version of Textual."""
    run(python, "-m", "pytest", "--quiet", "-n", "auto", "--dist", "worksteal", *TESTS)


def main(which: str) -> None:
    """Try `which` environments. Raises CalledProcessError."""
    found = {version: interpreter(version) for version in versions()}
    here = {version: python for version, python in found.items() if python}
    oldest, *between, newest = here
    if which == "lowest":
        python = make(which, here[oldest], "--resolution", "lowest-direct")
    elif which == "newest":
        python = make(which, here[newest], "--resolution", "highest")
    else:
        for version in found.keys() - here.keys():
            print(f"Python {version} is not on this machine: not tried")
        for version in between:
            start(make(version, here[version], "--constraints", "constraints.txt", tools=False))
        return
    start(python)
    test(python)


if __name__ == "__main__":
    main(*sys.argv[1:])
