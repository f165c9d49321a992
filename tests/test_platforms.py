"""What differs between systems: each function answers for Windows, macOS and Linux alike, wherever the tests run."""

from __future__ import annotations

import errno
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tinygpt_tui import platforms
from tinygpt_tui.platforms import LINUX, MACOS, WINDOWS

EVERY = pytest.mark.parametrize("system", [LINUX, MACOS, WINDOWS])
POSIX = pytest.mark.parametrize("system", [LINUX, MACOS])


class Started:
    """Stands for Popen: keeps what it was called with, and refuses the first `refusals` calls."""

    def __init__(self, refusals: int = 0) -> None:
        self.calls: list[dict[str, Any]] = []
        self._refusals = refusals

    def __call__(self, command: list[str], **options: Any) -> Any:
        self.calls.append(options)
        if len(self.calls) <= self._refusals:
            raise PermissionError(errno.EACCES, "Access is denied")
        return self


@POSIX
def test_on_posix_a_detached_process_has_a_session_of_its_own(system: str) -> None:
    started = Started()
    platforms.start_detached(["x"], system=system, popen=started, cwd="there")
    assert started.calls == [{"cwd": "there", "start_new_session": True}]


@pytest.mark.parametrize("refusals", [0, 1])
def test_on_windows_a_detached_process_has_no_window_and_leaves_the_job_where_it_may(refusals: int) -> None:
    started = Started(refusals)
    platforms.start_detached(["x"], system=WINDOWS, popen=started)
    detached_console = 0x0000_0008  # its launcher's child would open a window of its own
    flags = [call["creationflags"] for call in started.calls]
    assert len(flags) == 1 + refusals
    for each in flags:
        assert each & platforms.CREATE_NO_WINDOW
        assert each & platforms.CREATE_NEW_PROCESS_GROUP
        assert not each & detached_console
    assert [bool(each & platforms.CREATE_BREAKAWAY_FROM_JOB) for each in flags] == [True, False][: len(flags)]


@EVERY
def test_a_process_that_may_not_be_started_is_an_error(system: str) -> None:
    with pytest.raises(PermissionError):
        platforms.start_detached(["x"], system=system, popen=Started(refusals=9))


@pytest.mark.skipif(sys.platform != WINDOWS, reason="`subprocess` has these names on Windows only")
def test_the_flags_are_those_of_windows() -> None:
    for name in ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP", "CREATE_BREAKAWAY_FROM_JOB"):
        assert getattr(platforms, name) == getattr(subprocess, name)


def test_a_detached_process_runs(tmp_path: Path) -> None:
    code = "import pathlib; pathlib.Path('made').touch()"
    assert platforms.start_detached([sys.executable, "-c", code], cwd=tmp_path).wait(240) == 0
    assert (tmp_path / "made").exists()


def test_signals_that_the_system_lacks_are_left_out() -> None:
    before = signal.getsignal(signal.SIGTERM)
    heard: list[int] = []
    try:
        platforms.on_signals(["SIGTERM", "SIGNOSUCH"], lambda number, frame: heard.append(number))
        signal.raise_signal(signal.SIGTERM)
        platforms.ignore_signals(["SIGTERM", "SIGNOSUCH"])
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_priority_is_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    found: list[tuple[str, int]] = []
    monkeypatch.setattr(os, "nice", lambda by: found.append(("posix", by)), raising=False)
    monkeypatch.setattr(psutil.Process, "nice", lambda self, value: found.append(("windows", value)))
    platforms.lower_priority(5, system=LINUX)
    platforms.lower_priority(5, system=WINDOWS)
    assert found == [("posix", 5), ("windows", platforms.BELOW_NORMAL_PRIORITY)]


def test_without_proc_nothing_is_told_and_nothing_fails(tmp_path: Path) -> None:
    assert platforms.since_boot(os.getpid(), proc=tmp_path) == 0.0
    assert platforms.processor_name(proc=tmp_path)


def test_with_proc_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name : Abacus 3\n", encoding="utf-8")
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text("7 (a (b) c) " + " ".join(str(n) for n in range(3, 53)), encoding="ascii")
    assert platforms.processor_name(proc=tmp_path) == "Abacus 3"
    if hasattr(os, "sysconf"):
        assert platforms.since_boot(7, proc=tmp_path) == 22 / os.sysconf("SC_CLK_TCK")


def test_one_core_is_given_back() -> None:
    before = platforms.usable_cores()
    with platforms.one_core() as core:
        assert platforms.usable_cores() == (before if core is None else 1)
    assert platforms.usable_cores() == before >= 1


@pytest.mark.parametrize("code", [platforms.ACCESS_DENIED, platforms.SHARING_VIOLATION, platforms.LOCK_VIOLATION, None])
@EVERY
def test_only_windows_refuses_what_is_in_use(system: str, code: int | None) -> None:
    error = PermissionError(errno.EACCES, "no")
    if code is not None:
        error.winerror = code  # a call of the Windows API tells its own number; open() tells none
    assert platforms.may_be_in_use(error, system=system) == (code is not None or system == WINDOWS)


@EVERY
def test_other_refusals_are_not_of_what_is_in_use(system: str) -> None:
    read_only = PermissionError(errno.EROFS, "the disk is write protected")
    read_only.winerror = 19
    for error in (read_only, FileNotFoundError(errno.ENOENT, "no"), OSError(errno.ENOSPC, "full")):
        assert not platforms.may_be_in_use(error, system=system)


@EVERY
def test_what_is_in_use_is_tried_again(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(platforms.time, "sleep", waits.append)

    def change() -> str:
        if len(waits) < 3:
            raise PermissionError(errno.EACCES, "no")
        return "changed"

    if system == WINDOWS:
        assert platforms.patiently(change, 60, system=system) == "changed"
        waits.clear()
        with pytest.raises(PermissionError):
            platforms.patiently(change, 0, system=system)
    else:
        with pytest.raises(PermissionError):
            platforms.patiently(change, 60, system=system)
    assert not waits


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EISDIR, errno.ENOSYS])
def test_a_folder_that_cannot_be_synced_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refusing(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refusing)
    platforms.sync_folder(tmp_path, system=LINUX)


def test_a_disk_that_fails_under_a_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refusing)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        platforms.sync_folder(tmp_path, system=LINUX)
    platforms.sync_folder(tmp_path, system=WINDOWS)  # has no such call


@POSIX
@pytest.mark.parametrize("word", ["plain", "two words", "it's", "", "a&b", "$HOME", "é", "back\\slash"])
def test_a_posix_shell_reads_a_command_as_it_was_meant(system: str, word: str) -> None:
    assert shlex.split(platforms.command_line("tinygpt-tui", Path("p q"), word, system=system)) == [
        "tinygpt-tui", "p q", word
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain-1.2_3", "plain-1.2_3"),
        ("C:\\models\\a", "C:\\models\\a"),
        ("two words", '"two words"'),
        ("a&b", '"a&b"'),
        ("a&b\\", '"a&b\\\\"'),
        ("C:\\my models\\", '"C:\\my models\\\\"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("", '""'),
        ("it's", '"it\'s"'),
    ],
)
def test_a_windows_shell_gets_double_quotes(word: str, quoted: str) -> None:
    assert platforms.command_line("tinygpt-tui", word, system=WINDOWS) == f"tinygpt-tui {quoted}"


def test_a_backslash_in_a_command_is_the_systems() -> None:
    assert platforms.split_command("C:\\bin\\cl /O2", system=WINDOWS) == ["C:\\bin\\cl", "/O2"]
    assert platforms.split_command("my\\ cc -O2", system=LINUX) == ["my cc", "-O2"]


def test_names_that_differ_by_system() -> None:
    assert [platforms.library_name("_gpt", system) for system in (LINUX, MACOS, WINDOWS, "freebsd14")] == [
        "_gpt.so", "_gpt.dylib", "_gpt.dll", "_gpt.so"
    ]  # fmt: skip
    assert [platforms.loopback_interface(system) for system in (LINUX, MACOS, WINDOWS)] == ["lo", "lo0", ""]
    assert [platforms.store_uses_libuv(system) for system in (LINUX, MACOS, WINDOWS)] == [True, True, False]
    assert [platforms.may_reuse_address(system) for system in (LINUX, MACOS, WINDOWS)] == [True, True, False]


SOURCES = sorted(Path(platforms.__file__).parent.rglob("*.py"))


def test_no_other_module_reads_proc() -> None:
    """Ruff keeps the modules out (see banned-api in pyproject.toml); a path is only a string to it."""
    readers = [path.name for path in SOURCES if re.search(r"""["']/proc\b""", path.read_text(encoding="utf-8"))]
    assert readers == ["platforms.py"]


@pytest.mark.parametrize(
    "line",
    [
        *(f"import {module}" for module in ("fcntl", "msvcrt", "resource", "shlex", "signal", "termios", "winreg")),
        *(f"import os\nos.{name}" for name in ("fork()", "killpg(1, 2)", "name", "nice(1)", "setsid()")),
        "import sys\nsys.platform",
        "from sys import platform",
    ],
)
def test_the_linter_keeps_them_out(line: str) -> None:
    import shutil

    ruff = shutil.which("ruff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if ruff is None:
        pytest.skip("ruff is not installed")
    root = Path(platforms.__file__).parents[1]
    done = subprocess.run(
        [ruff, "check", "--no-cache", "--select", "TID251", "--stdin-filename", "tinygpt_tui/some_module.py", "-"],
        input=line, cwd=root, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert "TID251" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no size in pixels")
def test_a_terminal_tells_the_size_of_its_cells() -> None:
    import fcntl
    import termios

    master, terminal = os.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 800, 480))
        assert platforms.cell_pixels(terminal) == (10, 20)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
        assert platforms.cell_pixels(terminal) == (0, 0)
    finally:
        os.close(master)
        os.close(terminal)
    with Path(os.devnull).open() as file:
        assert platforms.cell_pixels(file.fileno()) == (0, 0)
