"""The command that installs a missing package is the one for the way in which the program was installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tinygpt_tui import packages
from tinygpt_tui.errors import ExitCode, MissingPackageError
from tinygpt_tui.packages import CPU_BUILDS, Installer, command_in, install_command, installer, missing


def install_in(prefix: Path, monkeypatch: pytest.MonkeyPatch, *, system: str = "linux", driver: str = "") -> None:
    """Pretend that the program is installed in `prefix`, on a machine without NVIDIA's driver."""
    prefix.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(packages, "SYSTEM", system)
    monkeypatch.setattr(packages, "distribution", lambda: "tinygpt-tui-lite")
    monkeypatch.setattr("shutil.which", lambda name: driver or None if name == "nvidia-smi" else None)


@pytest.mark.parametrize(
    ("mark", "folder", "kind", "words"),
    [
        ("", "venv", Installer.PIP, ["-m pip install torch", f"--index-url {CPU_BUILDS}"]),
        ("pipx_metadata.json", "tinygpt-tui-lite", Installer.PIPX, ["pipx inject tinygpt-tui-lite torch", CPU_BUILDS]),
        ("uv-receipt.toml", "tool", Installer.UV_TOOL, ["uv tool install tinygpt-tui-lite --with torch", "cpu"]),
        ("", "archive-v0/abc", Installer.UVX, ["uvx --torch-backend cpu --from tinygpt-tui-lite --with torch tinygpt"]),
    ],
)
def test_each_way_has_its_command(
    mark: str, folder: str, kind: Installer, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_in(tmp_path / folder, monkeypatch)
    if mark:
        (tmp_path / folder / mark).touch()
    if kind is Installer.PIP:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "pip" else None)
    assert installer() is kind
    command = install_command("torch")
    assert all(word in command for word in words), command
    assert "tinygpt-tui-lite[onnx]" in install_command("onnx", "onnx")


def test_an_environment_without_pip_is_uvs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_in(tmp_path, monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert install_command("torch").startswith("uv pip install --python ")


def test_a_python_of_the_system_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_in(tmp_path, monkeypatch)
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "pip" else None)
    assert install_command("torch").startswith("pipx install --force tinygpt-tui ")


@pytest.mark.parametrize(("system", "driver"), [("darwin", ""), ("win32", ""), ("linux", "/usr/bin/nvidia-smi")])
def test_only_linux_without_a_gpu_is_sent_to_the_builds_for_the_processor(
    system: str, driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_in(tmp_path, monkeypatch, system=system, driver=driver)
    assert "cpu" not in install_command("torch").removeprefix(sys.executable)


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("win32", "ARM64")])
def test_where_there_is_no_torch_nothing_is_to_be_installed(
    system: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(packages, "SYSTEM", system)
    error = missing("torch", "training")
    assert error is not None
    assert "has no build for" in error.hint
    assert not command_in(error.hint)


def test_the_error_says_what_needs_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        MissingPackageError, match="writing ONNX needs the package onnx, which is not installed"
    ) as found:
        packages.require("onnx", "writing ONNX", "onnx")
    assert found.value.exit_code is ExitCode.MISSING_PACKAGE
    assert "[onnx]" in command_in(found.value.hint)
    assert missing("msgspec", "this") is None
