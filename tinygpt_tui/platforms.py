"""What differs between operating systems: no other module asks which one it runs on.

A function whose answer depends on the system takes `system` (a value of `sys.platform`), so that a test can ask for
another system's answer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shlex
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

SYSTEM = sys.platform
WINDOWS, MACOS, LINUX = "win32", "darwin", "linux"

# Requests to end: Ctrl-C, `kill`, and Ctrl-Break or a closing console on Windows. The terminal's own end is apart.
STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGBREAK")
HANG_UP = "SIGHUP"

# Values from the Windows API: `subprocess` has the names on Windows only.
CREATE_NEW_PROCESS_GROUP = 0x0000_0200
CREATE_BREAKAWAY_FROM_JOB = 0x0100_0000
CREATE_NO_WINDOW = 0x0800_0000
BELOW_NORMAL_PRIORITY = 0x4000
ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION = 5, 32, 33

LOOK_S = 0.02  # between two tries to change a file that is in use
INTERRUPT_POLL_S = 0.1
INTERRUPT_AGAIN_S = 1.0  # what is interrupted may need a moment to clean up, and a library may swallow an exception

# A folder on these file systems cannot be synced (or not even opened to be); its files can.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EBADF, errno.EISDIR, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_LOOPBACK = {LINUX: "lo", MACOS: "lo0"}
_PROC = Path("/proc")

SignalHandler = Callable[[int, FrameType | None], Any] | signal.Handlers


def is_windows(system: str = SYSTEM) -> bool:
    return system == WINDOWS


# Signals


def on_signals(names: Iterable[str], handler: SignalHandler) -> None:
    """Call `handler` for each of these signals that the system has (main thread only)."""
    for name in names:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def ignore_signals(names: Iterable[str]) -> None:
    """Ignore each of these signals that the system has (main thread only)."""
    on_signals(names, signal.SIG_IGN)


@contextlib.contextmanager
def handling_signals(names: Iterable[str], handler: SignalHandler) -> Iterator[None]:
    """Call `handler` for each of these signals within the block (main thread only); what was ignored stays ignored."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    ours = [number for number, known in before.items() if known is not signal.SIG_IGN]
    for number in ours:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def interrupt_raises() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, as it does in a new interpreter."""
    on_signals(["SIGINT"], signal.default_int_handler)


def interrupt(pid: int) -> bool:
    """Interrupt another process as Ctrl-C does; return False where this system has no such signal, or it is gone."""
    if is_windows():
        return False
    try:
        os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        return False
    return True


def terminals_hang_up() -> bool:
    """Whether a terminal that is closed sends a signal, and leaves descriptors that cannot be written."""
    return hasattr(signal, HANG_UP)


@contextlib.contextmanager
def on_hang_up(handler: Callable[[], None]) -> Iterator[None]:
    """Call `handler` if the terminal is closed during the block, unless that is ignored (nohup). Main thread only."""
    with handling_signals([HANG_UP], lambda number, frame: handler()):
        yield


@contextlib.contextmanager
def interruptible(due: Callable[[], bool], exception: type[BaseException]) -> Iterator[None]:
    """Raise `exception` in the block once `due()` holds, which another thread checks ten times a second.

    It may be raised between any two lines of the block, or in a system call that waits: what the block leaves behind
    then is the caller's to undo. It should be no Exception: libraries catch those. Blocks may be nested. Off the main
    thread, and on Windows, the block runs to its end.
    """
    main = threading.main_thread()
    if not hasattr(signal, "SIGUSR1") or threading.current_thread() is not main:
        yield
        return
    ended, raised_at = threading.Event(), -INTERRUPT_AGAIN_S
    outer = signal.getsignal(signal.SIGUSR1)

    def watch() -> None:
        while not ended.wait(INTERRUPT_POLL_S):
            if due() and main.ident is not None:
                signal.pthread_kill(main.ident, signal.SIGUSR1)

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal raised_at
        if ended.is_set() or not due():
            if callable(outer):
                outer(number, frame)
        elif time.monotonic() - raised_at >= INTERRUPT_AGAIN_S:
            raised_at = time.monotonic()
            raise exception

    watcher = threading.Thread(target=watch, daemon=True, name="interrupt")
    with handling_signals(["SIGUSR1"], interrupt):
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


# Processes


def detached(system: str = SYSTEM) -> list[dict[str, Any]]:
    """Return the options for Popen under which a process outlives this one and its terminal; the best ones first.

    On Windows: no console window (also for the child that a virtual environment's launcher starts), Ctrl-C does not
    reach it, and it leaves the terminal's job where that job permits it.
    """
    if not is_windows(system):
        return [{"start_new_session": True}]
    flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
    return [{"creationflags": flags | CREATE_BREAKAWAY_FROM_JOB}, {"creationflags": flags}]


def start_detached(
    command: Sequence[str],
    *,
    system: str = SYSTEM,
    popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one and its terminal. Raises OSError."""
    *better, last = detached(system)
    for own in better:
        with contextlib.suppress(PermissionError):  # the job permits no process to leave it
            return popen(command, **options, **own)
    return popen(command, **options, **last)


def lower_priority(niceness: int, system: str = SYSTEM) -> None:
    """Let other programs go first; `niceness` (1 to 19) is by how much, where the system has degrees."""
    if is_windows(system):
        import psutil

        psutil.Process().nice(BELOW_NORMAL_PRIORITY)
    else:
        os.nice(niceness)


def since_boot(pid: int, proc: Path = _PROC) -> float:
    """Return how long after the machine's start a process began, in seconds; 0 where the system does not tell.

    A clock that is set, or that a virtual machine's sleep has left behind, does not move it.
    """
    try:
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")  # the 22nd field of proc(5); two are before the bracket
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0


# The terminal


def terminal_is_gone(descriptor: int = 0) -> bool:
    """Whether the terminal at `descriptor` has hung up; False where the system does not tell (Windows)."""
    try:
        import termios
    except ImportError:
        return False
    try:
        termios.tcgetattr(descriptor)
    except (OSError, termios.error):
        return True
    return False


def cell_pixels(descriptor: int = 0) -> tuple[int, int]:
    """Return the width and height of a terminal's cell in pixels; (0, 0) where the system does not tell."""
    try:
        import fcntl
        import termios
    except ImportError:
        return 0, 0
    try:
        size = fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return 0, 0
    rows, columns, width, height = struct.unpack("HHHH", size)
    return width // max(1, columns), height // max(1, rows)


# The machine


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(_affinity()) or os.cpu_count() or 1


@contextlib.contextmanager
def one_core() -> Iterator[int | None]:
    """Keep this process, and what it starts, on one core; yield its number, None where the system cannot do that."""
    allowed = _affinity()
    if allowed:
        os.sched_setaffinity(0, {max(allowed)})  # the first one does most of the system's own work
    try:
        yield max(allowed, default=None)
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)


def load_average() -> float | None:
    """Return how many processes wanted a core during the last minute; None where the system does not count them."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def processor_name(proc: Path = _PROC) -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = (proc / "cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _affinity() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


# Files


def may_be_in_use(error: OSError, system: str = SYSTEM) -> bool:
    """Whether a refusal to open, replace, rename or delete may mean that another program has the file open.

    Only Windows refuses for that reason, and then for as long as a reader, a virus scanner or an indexer needs.
    """
    if not isinstance(error, PermissionError):
        return False
    code = getattr(error, "winerror", None)
    return is_windows(system) if code is None else code in (ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION)


def patiently(change: Callable[[], T], wait_s: float, *, system: str = SYSTEM) -> T:
    """Do what Windows refuses while another program has a file open; try again for `wait_s` seconds.

    Raises the last PermissionError after that, any other OSError at once.
    """
    end = time.monotonic() + wait_s
    while True:
        try:
            return change()
        except PermissionError as error:
            if time.monotonic() >= end or not may_be_in_use(error, system):
                raise
        time.sleep(LOOK_S)


def sync_folder(folder: Path, system: str = SYSTEM) -> None:
    """Have the names in `folder` survive a power cut, where the file system can do that. Raises OSError."""
    if is_windows(system):
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder may be written and not read
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def library_name(stem: str, system: str = SYSTEM) -> str:
    return stem + {WINDOWS: ".dll", MACOS: ".dylib"}.get(system, ".so")


# Command lines


def command_line(*arguments: str | os.PathLike[str], system: str = SYSTEM) -> str:
    """Return a command as the user types it in a shell: an argument with a blank or a special character is quoted."""
    words = [os.fspath(argument) for argument in arguments]
    return " ".join(_quoted_for_windows(word) for word in words) if is_windows(system) else shlex.join(words)


def own_command(*arguments: str) -> str:
    """Return the command that runs this program, as the user types it: `own_command("generate", name)`."""
    return command_line("tinygpt-tui", *arguments)


def python_command(*arguments: str) -> str:
    """Return the command that runs the Python of this program, which need not be the one called `python`."""
    return command_line(sys.executable or "python", *arguments)


def split_command(line: str, system: str = SYSTEM) -> list[str]:
    """Return the words of a command line, as in the variable CC; on Windows a backslash is only a backslash."""
    return shlex.split(line, posix=not is_windows(system))


def _quoted_for_windows(word: str) -> str:
    """Quote for the command prompt and PowerShell; list2cmdline alone leaves `&` and the like bare."""
    if word and all(one.isalnum() or one in "_-+=./\\:" for one in word):
        return word
    quoted = subprocess.list2cmdline([word])
    if quoted.startswith('"'):
        return quoted
    before_quote = "\\" * (len(word) - len(word.rstrip("\\")))  # doubled, or they would escape the quotation mark
    return f'"{quoted}{before_quote}"'


# Network


def loopback_interface(system: str = SYSTEM) -> str:
    """Return the name of the interface of this machine to itself; nothing where it is not known."""
    return _LOOPBACK.get(system, "")


def store_uses_libuv(system: str = SYSTEM) -> bool:
    """Whether torch's TCPStore may use libuv: the builds for Windows lack it."""
    return not is_windows(system)


def may_reuse_address(system: str = SYSTEM) -> bool:
    """Whether SO_REUSEADDR means "though a closed connection lingers"; on Windows two servers would share a port."""
    return not is_windows(system)
