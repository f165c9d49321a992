"""Try the program on the Pythons and the versions of its dependencies that it claims to run on, without torch.

`python tests/pythons.py lowest|newest|between`:

- lowest: the oldest Python with the lowest versions that pyproject.toml allows;
- newest: the newest Python of this machine with the newest versions, and the wheel that is built from the source
  distribution, with the source distribution's own tests;
- between: the other Pythons with the pinned versions, and one line for each that is not on this machine.

Each starts the app (tests/start.py); the first two run the tests whose outcome depends on dependencies, too. Not
collected by pytest: it makes environments with uv, from a package index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CONSTRAINTS = PROJECT / "constraints.txt"
UV = [sys.executable, "-m", "uv"]
# Torch is left out: it is the largest part by far, and neither the app nor the native engine imports it.
WITHOUT_TORCH = 'torch; python_version < "0"\n'
TEST_TOOLS = ["pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "hypothesis", "starlette"]
# What the dependencies do, rather than what our own code does on every version alike.
TESTS = [
    "tests/settings", "tests/events", "tests/tokenizers", "tests/test_charts.py", "tests/test_packages.py",
    "tests/ui/shell/test_shell.py", "tests/ui/shell/test_key_queue.py",
]  # fmt: skip
# What depends less on versions, and most on torch not being there: tried once.
ONCE = [
    "tests/sessions", "tests/test_files.py", "tests/test_without_torch.py", "tests/workers/test_engine_process.py",
    "tests/ui/test_real_start.py",
]  # fmt: skip


def versions() -> list[str]:
    """Return the versions of Python that pyproject.toml names, oldest first."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))


def interpreter(version: str) -> str | None:
    """Return this machine's Python of that version: on the path, or one of pyenv's; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    command = ["-c", "import sys; print(sys.executable)"]
    for candidate in (f"python{version}", *map(str, pyenv.glob(f"{version}.*/bin/python"))):
        try:
            found = subprocess.run([candidate, *command], capture_output=True, text=True)
        except OSError:
            continue
        if found.returncode == 0:  # pyenv's shims are on the path for versions that are not chosen, too
            return found.stdout.strip()
    return None


def run(*command: str | Path, **environment: str) -> None:
    """Run a command away from the checkout, so that nothing is imported from there by chance.

    Raises CalledProcessError.
    """
    print("$", *command, flush=True)
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **environment}
    with tempfile.TemporaryDirectory() as elsewhere:
        subprocess.run(list(map(str, command)), cwd=elsewhere, check=True, env=environment)


def make(name: str, python: str, *options: str | Path) -> Path:
    """Make the environment `.venv-NAME` with the dependencies as `options` choose them; return its interpreter."""
    folder = PROJECT / f".venv-{name}"
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(*UV, "venv", "--quiet", "--clear", "--python", python, folder)
    without = folder / "without-torch.txt"
    without.write_text(WITHOUT_TORCH, encoding="utf-8")
    install(inside, "--override", without, "--requirements", PROJECT / "pyproject.toml", *options)
    return inside


def install(python: Path, *what: str | Path) -> None:
    """Install into the environment of `python`."""
    run(*UV, "pip", "install", "--quiet", "--python", python, *what)


def start(python: Path, sources: Path = PROJECT, **environment: str) -> None:
    """Start the app and use it."""
    run(python, sources / "tests" / "start.py", **environment)


def try_tests(python: Path, tests: list[str], sources: Path = PROJECT, **environment: str) -> None:
    """Run `tests` as they are in `sources`; no snapshots, which belong to one version of Textual."""
    install(python, "--constraints", CONSTRAINTS, *TEST_TOOLS)
    pytest = [python, "-m", "pytest", "--config-file", sources / "pyproject.toml", "--quiet", "-n", "2"]
    run(*pytest, "--dist", "worksteal", *(sources / test for test in tests), **environment)


def lowest(python: str) -> None:
    """Try the lowest versions, with the sources as they are here."""
    inside = make("lowest", python, "--resolution", "lowest-direct")
    start(inside, PYTHONPATH=str(PROJECT))
    try_tests(inside, [*TESTS, *ONCE], PYTHONPATH=str(PROJECT))


def newest(python: str) -> None:
    """Try the newest versions, with what is published: nothing that is not in the source distribution."""
    inside = make("newest", python, "--resolution", "highest")
    with tempfile.TemporaryDirectory() as name:
        run(*UV, "build", "--quiet", "--sdist", "--out-dir", name, PROJECT)
        (archive,) = Path(name).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(name, filter="data")
        sources = Path(name) / archive.name.removesuffix(".tar.gz")
        install(inside, "--no-deps", sources)
        start(inside, sources)
        try_tests(inside, TESTS, sources)


def main(which: str) -> None:
    """Try `which` environments. Raises CalledProcessError."""
    found = {version: interpreter(version) for version in versions()}
    here = {version: python for version, python in found.items() if python}
    first, *between, last = here
    if which == "lowest":
        lowest(here[first])
    elif which == "newest":
        newest(here[last])
    else:
        for version in found.keys() - here.keys():
            print(f"Python {version} is not on this machine: not tried")
        for version in between:
            start(make(version, here[version], "--constraints", CONSTRAINTS), PYTHONPATH=str(PROJECT))


if __name__ == "__main__":
    main(*sys.argv[1:])
