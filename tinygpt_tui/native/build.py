"""Compiles gpt.c with the platform's C compiler: `python -m tinygpt_tui.native.build [FOLDER]`.

Without a compiler the program still works: torch decodes then.
"""

from __future__ import annotations

import errno
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tinygpt_tui import platforms
from tinygpt_tui.errors import EngineError, ExitCode, TinyGPTError, storage_error
from tinygpt_tui.native.library import AVX2_NAME, EXACT_NAME, FILE_NAME, FOLDER, SOURCE, VARIABLE, source_mark

# Sums keep the order of the source but where a loop says otherwise; of "fast math" only what changes no result.
FLAGS = (
    "-std=c99", "-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast",
    "-fvisibility=hidden",
)  # fmt: skip
WIDE, AVX2, PORTABLE = "-mprefer-vector-width=512", ("-mavx2", "-mfma"), "-DPORTABLE"
EXACT = {"-O3": "-O2", "-ffp-contract=fast": "-ffp-contract=off", "/fp:fast": "/fp:strict"}  # in place of those flags
DEFINE_EXACT = "-DEXACT"
_UNIX = (*FLAGS, "-shared", "-fPIC")
_MSVC = ("/nologo", "/O2", "/fp:fast", "/LD")
_COMPILERS = ("cc", "gcc", "clang")
_SECONDS = 120
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_X86 = platform.machine().lower() in ("x86_64", "amd64")


def build(folder: Path = FOLDER) -> Path:
    """Compile gpt.c into `folder`; return the library's path. Raises EngineError, StorageError.

    The compiler is `CC` if that is set. An earlier library is replaced only by a complete one. If one library cannot
    serve every x86-64 processor, a second one for AVX2 is built beside it; and one whose results are the same bits
    everywhere (products.h).
    """
    compiler = _compiler()
    target = folder / FILE_NAME
    try:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made, fast = Path(scratch) / FILE_NAME, Path(scratch) / AVX2_NAME
            words = ""
            for command in _commands(compiler, made):
                succeeded, words = _run(command, Path(scratch))
                if not (succeeded and made.is_file()):
                    continue
                if _X86 and not _has_copies(command):
                    _run(_for_avx2(command, made, fast), Path(scratch))
                    if fast.is_file():
                        _replace(fast, folder / AVX2_NAME)
                exact = Path(scratch) / EXACT_NAME
                _run(_exactly(command, made, exact), Path(scratch))
                if exact.is_file():
                    _replace(exact, folder / EXACT_NAME)
                _replace(made, target)
                return target
    except OSError as error:
        found = storage_error(error, folder)
        if folder == FOLDER and error.errno in _REFUSED:
            # The package belongs to the system's owner, or a program has it loaded: another home would not help.
            other = f"{platforms.python_command('-m', 'tinygpt_tui.native.build')} FOLDER"
            found.hint = f"build it into another folder: {other}, then set {VARIABLE} to the file that it names"
        raise found from error
    raise EngineError(f"{compiler[0]} could not build the native engine:\n{words}", "torch decodes without it")


def _replace(new: Path, old: Path) -> None:
    platforms.patiently(lambda: new.replace(old), wait_s=1.0)


def _compiler() -> list[str]:
    chosen = os.environ.get("CC")
    if chosen:
        return platforms.split_command(chosen)
    for name in ("cl", *_COMPILERS) if platforms.is_windows() else _COMPILERS:
        found = shutil.which(name)
        if found:
            return [found]
    raise EngineError("there is no C compiler", "install gcc, clang or MSVC, or set CC; torch decodes without it")


def _commands(compiler: list[str], made: Path) -> list[list[str]]:
    """Return the commands to try, best first.

    Copies for each kind of processor need a linker that can choose among them; clang uses half of AVX-512 unless told.
    """
    if Path(compiler[0]).stem.lower() in ("cl", "clang-cl"):
        return [[*compiler, *_MSVC, f"/DSOURCE_MARK={source_mark()}u", str(SOURCE), f"/Fe{made}"]]
    flags = tuple(flag for flag in _UNIX if not platforms.is_windows() or flag != "-fPIC")
    tail = [
        f"-DSOURCE_MARK={source_mark()}u",
        str(SOURCE),
        "-o",
        str(made),
        *([] if platforms.is_windows() else ["-lm"]),
    ]
    extra = [[WIDE]] if _X86 else []
    return [[*compiler, *flags, *more, *tail] for more in (*extra, [], [PORTABLE])]


def _has_copies(command: Sequence[str]) -> bool:
    """Whether the library that `command` built has copies of its functions for each kind of processor (products.h)."""
    return platform.libc_ver()[0] == "glibc" and PORTABLE not in command


def _for_avx2(command: Sequence[str], made: Path, fast: Path) -> list[str]:
    """Return the command that builds `fast` for AVX2 as `command` builds `made` for any processor."""
    msvc = "/LD" in command
    return [*(word.replace(str(made), str(fast)) for word in command), *(("/arch:AVX2",) if msvc else AVX2)]


def _exactly(command: Sequence[str], made: Path, exact: Path) -> list[str]:
    """Return the command that builds `exact`, for any processor, whose results are the same bits on each."""
    words = [EXACT.get(word, word).replace(str(made), str(exact)) for word in command if word not in (WIDE, PORTABLE)]
    return [*words, PORTABLE, DEFINE_EXACT]


def _run(command: list[str], folder: Path) -> tuple[bool, str]:
    """Run a compiler in `folder`; return whether it succeeded, and its output."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    return done.returncode == 0, (done.stderr + done.stdout).strip()


def main(arguments: list[str] | None = None) -> int:
    """Build; print the library's path. Return the exit code: 9 if it could not be built, 6 if it cannot be written."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        print(build(Path(given[0]) if given else FOLDER))
    except TinyGPTError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
