"""Build a release: `python tools/wheels.py [FOLDER]` writes the source distribution and all wheels to FOLDER (dist).

The native engine is compiled for each platform with the C compiler of the `ziglang` package, and depends on no library
but macOS's own. One wheel without it is built from the source distribution, as pip builds it; each other one is that
wheel with a library, other tags and, for `tinygpt-tui-lite`, other metadata. Building again gives the same bytes,
except for the wheels of macOS.
"""

from __future__ import annotations

import base64
import email
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import ziglang

from tinygpt_tui import platforms
from tinygpt_tui.native.build import DEFINE_EXACT, EXACT, FLAGS, PORTABLE
from tinygpt_tui.native.library import FOLDER as NATIVE
from tinygpt_tui.native.library import SOURCE, source_mark

PROJECT = Path(__file__).resolve().parents[1]
ZIG = Path(ziglang.__file__).parent
PACKAGE = "tinygpt_tui"
# A file in tinygpt-tui, a folder in tinygpt-tui-lite, and first in both: so an installer that is to put one over the
# other stops before it has changed anything, and its error names this path.
GUARD = f"{PACKAGE}/UNINSTALL_THE_OTHER_EDITION_FIRST"
LITE = "tinygpt-tui-lite"
NOT_IN_LITE = "torch"
PURE = "any"
EXACT_STEM = "_gpt_exact"
ZIP_TIME = (2020, 2, 2, 0, 0, 0)  # as hatchling has it


@dataclass(frozen=True)
class Build:
    """A library: `system` as sys.platform says it, and zig's `target`.

    With `headers` (folders of zig's) it is linked without a C library: zig's own functions serve for the few that gpt.c
    calls. So one file serves glibc and musl, and Windows' C library, which takes minutes to compile, is not needed.
    """

    system: str
    target: str
    cpu: str = "baseline"
    stem: str = "_gpt"
    headers: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """Return the name under which the package loads the library."""
        return platforms.library_name(self.stem, self.system)


def _linux(machine: str, cpu: str = "baseline", stem: str = "_gpt") -> Build:
    target = f"{machine}-linux-musl"
    return Build("linux", target, cpu, stem, (target, "generic-musl"))


def _windows(machine: str, cpu: str = "baseline", stem: str = "_gpt") -> Build:
    return Build("win32", f"{machine}-windows-gnu", cpu, stem, ("any-windows-any",))


def _macos(machine: str, cpu: str = "baseline", stem: str = "_gpt") -> Build:
    return Build("darwin", f"{machine}-macos.11.0", cpu, stem)


def _libraries(platform: Callable[..., Build], machine: str) -> tuple[Build, ...]:
    """Return the fastest library and the one whose results are the same bits everywhere (products.h)."""
    return platform(machine), platform(machine, stem=EXACT_STEM)


def _for_x86_64(platform: Callable[..., Build]) -> tuple[Build, ...]:
    """Return `_libraries` and one for AVX2, which the program prefers to the first where it can.

    Not one with copies of its functions (products.h): zig's part of that is a stub, which always chooses the slowest.
    """
    return *_libraries(platform, "x86_64"), platform("x86_64", "x86_64+avx2+fma", "_gpt_avx2")


# The platform tags of a wheel, and the libraries in it.
WHEELS: dict[str, tuple[Build, ...]] = {
    "manylinux_2_17_x86_64.manylinux2014_x86_64": _for_x86_64(_linux),
    "manylinux_2_17_aarch64.manylinux2014_aarch64": _libraries(_linux, "aarch64"),
    "musllinux_1_2_x86_64": _for_x86_64(_linux),
    "musllinux_1_2_aarch64": _libraries(_linux, "aarch64"),
    "macosx_11_0_x86_64": _for_x86_64(_macos),
    "macosx_11_0_arm64": _libraries(_macos, "aarch64"),
    "win_amd64": _for_x86_64(_windows),
    "win_arm64": _libraries(_windows, "aarch64"),
    PURE: (),
}


def compile_library(build: Build, folder: Path) -> Path:
    """Compile gpt.c; return the library's path in `folder`. Raises CalledProcessError."""
    made = folder / f"{build.target}-{build.file_name}"
    exact = build.stem == EXACT_STEM
    flags = [*(EXACT.get(flag, flag) for flag in FLAGS), DEFINE_EXACT] if exact else FLAGS
    words = [*flags, PORTABLE, f"-DSOURCE_MARK={source_mark()}u"]
    target = ["-target", build.target, f"-mcpu={build.cpu}"]
    if build.headers:
        headers = [word for name in build.headers for word in ("-isystem", str(ZIG / "lib/libc/include" / name))]
        entry = ["-fno-entry"] if platforms.is_windows(build.system) else []
        command = ["build-lib", "-dynamic", *target, "-O", "ReleaseFast", "-fcompiler-rt", "-fstrip",
                   *entry, "--name", build.stem, "-cflags", *words, *headers, "--", SOURCE.name,
                   f"-femit-bin={made}"]  # fmt: skip
    else:
        command = ["cc", *target, *words, "-shared", "-fPIC", "-s", SOURCE.name, "-o", str(made)]
    subprocess.run([ZIG / "zig", *command], cwd=NATIVE, check=True)
    return made


def compile_all(folder: Path) -> dict[Build, bytes]:
    """Return every library that the wheels need. Raises CalledProcessError."""
    builds = list(dict.fromkeys(build for libraries in WHEELS.values() for build in libraries))
    with ThreadPoolExecutor(platforms.usable_cores()) as pool:
        return dict(
            zip(
                builds,
                (path.read_bytes() for path in pool.map(compile_library, builds, [folder] * len(builds))),
                strict=True,
            )
        )


def build_pure(folder: Path) -> Path:
    """Build the source distribution and, from it, the wheel without an engine; return the wheel."""
    subprocess.run(
        [sys.executable, "-m", "build", "--installer", "uv", "--outdir", folder, PROJECT],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TINYGPT_TUI_NATIVE": "off"},
    )
    (wheel,) = folder.glob("*-none-any.whl")
    return wheel


class Edition:
    """What all wheels of one distribution share, compressed once."""

    def __init__(self, files: Mapping[str, bytes], metadata: bytes) -> None:
        """`files`: all of a wheel but its METADATA, WHEEL and RECORD, whose folder they name as `.dist-info`."""
        told = email.message_from_bytes(metadata)
        self.name = f"{told['Name'].replace('-', '_')}-{told['Version']}"
        self._metadata = metadata
        self._shared = {path.replace(".dist-info", f"{self.name}.dist-info", 1): data for path, data in files.items()}
        self._zip = io.BytesIO()
        with zipfile.ZipFile(self._zip, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            _write(archive, self._shared)

    def write(self, folder: Path, platform: str, libraries: Mapping[str, bytes]) -> Path:
        """Write the wheel for `platform`, with `libraries` by their file names; return its path."""
        tags = "".join(f"Tag: py3-none-{tag}\n" for tag in platform.split("."))
        pure = "false" if libraries else "true"
        info = f"{self.name}.dist-info"
        own = {f"{PACKAGE}/native/{name}": data for name, data in libraries.items()} | {
            f"{info}/METADATA": self._metadata,
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tinygpt-tui\nRoot-Is-Purelib: {pure}\n{tags}".encode(),
        }
        record = "".join(f"{_recorded(path, data)}\n" for path, data in {**self._shared, **own}.items())
        own[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
        wheel = folder / f"{self.name}-py3-none-{platform}.whl"
        wheel.write_bytes(self._zip.getvalue())
        with zipfile.ZipFile(wheel, "a", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            _write(archive, own)
        return wheel


def editions(wheel: Path) -> Iterator[Edition]:
    """Yield tinygpt-tui and tinygpt-tui-lite from a wheel of the first."""
    with zipfile.ZipFile(wheel) as archive:
        contents = {path: archive.read(path) for path in archive.namelist()}
    (metadata_path,) = (path for path in contents if path.endswith(".dist-info/METADATA"))
    info = str(PurePosixPath(metadata_path).parent)
    metadata = contents.pop(metadata_path)
    del contents[f"{info}/WHEEL"], contents[f"{info}/RECORD"]
    guard = contents.pop(GUARD)
    files = {path.replace(info, ".dist-info", 1): data for path, data in contents.items()}
    yield Edition({GUARD: guard, **files}, metadata)
    yield Edition({f"{GUARD}/README": guard, **files}, lite_metadata(metadata))


def lite_metadata(metadata: bytes) -> bytes:
    """Return METADATA under the other name, without torch among the requirements."""
    head, gap, readme = metadata.partition(b"\n\n")
    lines = head.decode().splitlines()
    needless = [line for line in lines if line.startswith(f"Requires-Dist: {NOT_IN_LITE}") and "extra ==" not in line]
    assert len(needless) == 1, needless
    replaced = {
        "Name: tinygpt-tui": f"Name: {LITE}",
        needless[0]: None,
    }
    core = [replaced.get(line, line) for line in lines]
    said = [f"{line} Without torch." if line and line.startswith("Summary: ") else line for line in core]
    return "\n".join(line for line in said if line is not None).encode() + gap + readme


def _recorded(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


def _write(archive: zipfile.ZipFile, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        entry = zipfile.ZipInfo(path, ZIP_TIME)
        entry.create_system, entry.external_attr = 3, (0o100755 if "/native/_gpt" in path else 0o100644) << 16
        archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def main() -> None:
    """Build everything; print each file with its size."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else PROJECT / "dist")
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(1) as beside:
        scratch = Path(name)
        pure = beside.submit(build_pure, scratch)
        libraries = compile_all(scratch)
        for edition in editions(pure.result()):
            for platform, builds in WHEELS.items():
                edition.write(target, platform, {build.file_name: libraries[build] for build in builds})
        (source,) = scratch.glob("*.tar.gz")
        shutil.copy(source, target)
    for path in sorted(target.iterdir()):
        print(f"{path.stat().st_size / 1e6:6.2f} MB  {path.name}")


if __name__ == "__main__":
    main()
