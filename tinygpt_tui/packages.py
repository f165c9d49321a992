"""Optional packages: which are missing, and the command that installs them here.

The program runs without torch and without the packages of the extras. Code that needs one checks here first, so that
the user reads one sentence with a command to copy instead of a traceback. `import_torch` imports torch for the engines,
the trainer and the command line.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from enum import Enum
from pathlib import Path

from tinygpt_tui.errors import MissingPackageError
from tinygpt_tui.platforms import LINUX, MACOS, SYSTEM, WINDOWS, command_line

INSTALL, REINSTALL = "install it: ", "install it again: "
NAME, LITE = "tinygpt-tui", "tinygpt-tui-lite"  # the distribution, and the same without torch among its dependencies
PROGRAM = "tinygpt-tui"
TRAINING, ONE_BATCH = "training", "trying one batch"  # what needs torch, as the subject of a sentence
CPU_BUILDS = "https://download.pytorch.org/whl/cpu"  # PyTorch's own address; its default for Linux is a CUDA build
_UV_CACHE = ("archive-v", "environments-v", "builds-v")


class Installer(Enum):
    """How the program was installed."""

    PIP = "pip"
    UV = "uv"  # an environment without pip
    UV_TOOL = "uv tool"
    UVX = "uvx"
    PIPX = "pipx"
    SYSTEM = "system"  # a Python that the operating system manages, where pip refuses to install


def missing(package: str, purpose: str, extra: str = "") -> MissingPackageError | None:
    """Return the error for a package that is not installed, else None. Nothing is imported.

    `purpose` is the subject of the sentence: "training". `extra` is the extra of this program that brings it.
    """
    if _is_installed(package):
        return None
    message = f"{purpose} needs the package {package}, which is not installed"
    if package == "torch" and (reason := _why_no_torch()):
        return MissingPackageError(message, f"PyTorch has no build for {reason}: use another machine for this")
    return MissingPackageError(message, INSTALL + install_command(package, extra))


def _is_installed(package: str) -> bool:
    if package in sys.modules:
        return sys.modules[package] is not None
    return importlib.util.find_spec(package) is not None


def require(package: str, purpose: str, extra: str = "") -> None:
    """Raise MissingPackageError if a package is not installed."""
    error = missing(package, purpose, extra)
    if error is not None:
        raise error


def import_torch(purpose: str, threads: int | None = None) -> None:
    """Import torch and set its number of threads. Raises MissingPackageError if it is missing or broken."""
    require("torch", purpose)
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: one of its libraries does not load (Windows)
        command = install_command("torch", again=True)
        raise MissingPackageError(
            f"{purpose} needs the package torch, which is installed but cannot be loaded: {error}", REINSTALL + command
        ) from error
    if threads is not None:
        torch.set_num_threads(threads)


def command_in(hint: str) -> str:
    """Return the command in the hint of a MissingPackageError; empty for another error's hint."""
    for beginning in (INSTALL, REINSTALL):
        if hint.startswith(beginning):
            return hint.removeprefix(beginning)
    return ""


def install_command(package: str, extra: str = "", *, again: bool = False) -> str:
    """Return the command that installs a package where this program runs; `again` replaces a broken one.

    torch comes as its CPU build on Linux, unless there is an NVIDIA driver.
    """
    cpu = package == "torch" and SYSTEM == LINUX and shutil.which("nvidia-smi") is None
    name = distribution()
    wanted = f"{name}[{extra}]" if extra else package
    backend = ["--torch-backend", "cpu"] if cpu else []
    index = ["--index-url", CPU_BUILDS] if cpu else []
    match installer():
        case Installer.UVX:
            also = [] if extra else ["--with", package]
            return command_line("uvx", *backend, "--from", wanted if extra else name, *also, PROGRAM)
        case Installer.UV_TOOL:
            also = [] if extra else ["--with", package]
            more = ["--reinstall"] if again else []
            return command_line("uv", "tool", "install", wanted if extra else name, *also, *backend, *more)
        case Installer.PIPX:
            if extra:
                return command_line("pipx", "install", "--force", wanted)
            more = ["--force"] if again else []
            index = [f"--pip-args=--index-url {CPU_BUILDS}"] if cpu else []
            return command_line("pipx", "inject", *more, Path(sys.prefix).name, package, *index)
        case Installer.UV:
            more = ["--reinstall"] if again else []
            return command_line("uv", "pip", "install", "--python", sys.executable, wanted, *backend, *more)
        case Installer.SYSTEM:
            index = [f"--pip-args=--extra-index-url {CPU_BUILDS}"] if cpu else []
            return command_line("pipx", "install", "--force", wanted if extra else NAME, *index)
        case Installer.PIP:
            more = ["--force-reinstall"] if again else []
            return command_line(_python(), "-m", "pip", "install", *more, wanted, *index)


def installer() -> Installer:
    prefix = Path(sys.prefix)
    if (prefix / "uv-receipt.toml").is_file():
        return Installer.UV_TOOL
    if (prefix / "pipx_metadata.json").is_file():
        return Installer.PIPX
    if any(part.startswith(_UV_CACHE) for part in prefix.parts):
        return Installer.UVX
    if importlib.util.find_spec("pip") is None:
        return Installer.UV
    managed = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    if sys.prefix == sys.base_prefix and managed.is_file():
        return Installer.SYSTEM
    return Installer.PIP


def distribution() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import distribution as installed

    try:
        installed(LITE)
    except PackageNotFoundError:
        return NAME
    return LITE


def torch_version() -> str:
    """Return the version of torch without importing it; empty if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("torch") if _is_installed("torch") else ""
    except PackageNotFoundError:
        return ""


def _why_no_torch() -> str:
    """Return the kind of this machine if there is no torch for it, else an empty text."""
    machine = platform.machine().lower()
    if SYSTEM == MACOS and machine == "x86_64":
        return "Macs with an Intel processor"
    if SYSTEM == WINDOWS and machine == "arm64":
        return "Windows on ARM"
    if SYSTEM == LINUX and "musl" in (sysconfig.get_config_var("SOABI") or ""):
        return "Linux with musl (Alpine)"
    return ""


def _python() -> str:
    """Return the command that runs this interpreter: its bare name if that finds it, else its path."""
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and os.path.normcase(found) == os.path.normcase(sys.executable):
            return name
    return sys.executable
