"""What all tests share: a home of their own, and the shared files where they are there."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import file_rules
import hypothesis
import pytest

from tinygpt_tui import paths
from tinygpt_tui.errors import MissingPackageError
from tinygpt_tui.packages import torch_version
from tinygpt_tui.runs import trash

# The nets of the tests are so small that a second thread only waits; set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TERM"] = "xterm"  # a terminal that can only print changes what commands write

# A machine that does other things, too, is slow: that is no failure.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/, which is not installed

SHARED = Path(__file__).resolve().parents[2] / "shared"


# Half a million objects come with torch, Textual and the rest, and none of them is garbage: to look through them
# again and again took a quarter of the tests' time.
gc.set_threshold(50_000, 20, 50)


def pytest_collection_finish() -> None:
    """Have the collector leave alone what is imported by now."""
    gc.collect()
    gc.freeze()


NO_TORCH = "" if torch_version() else "torch is not installed"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a module that cannot be imported without torch, where there is none."""
    report = yield
    if NO_TORCH and report.failed and "No module named 'torch'" in str(report.longrepr):
        report.outcome, report.longrepr = "skipped", (str(collector.path), 0, NO_TORCH)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test that failed because the program said that it needs torch, where there is none."""
    report = yield
    said = (report.longreprtext, *(content for _, content in report.sections)) if report.failed else ()
    if NO_TORCH and any("needs the package torch" in text for text in said) and not item.get_closest_marker("no_torch"):
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, NO_TORCH)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Skip a test whose fixtures, or which itself, cannot do without torch, where there is none."""
    needs_torch = item.get_closest_marker("torch")
    if NO_TORCH and needs_torch:
        pytest.skip(NO_TORCH)
    yield from _skipping()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """See pytest_runtest_setup."""
    yield from _skipping()


def _skipping() -> Generator[None, None, None]:
    try:
        yield
    except (ModuleNotFoundError, MissingPackageError) as error:
        if NO_TORCH and "torch" in str(error):
            pytest.skip(NO_TORCH)
        raise


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value by its length: a name of megabytes is sent and stored by every worker."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 200 else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each worker begin with its share of the slow tests: one begun last would run alone.

    `--dist worksteal` cuts the list into a piece for each worker.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    others = [item for item in items if not item.get_closest_marker("slow")]
    piece = -(-len(others) // workers)
    items[:] = [
        item
        for worker in range(workers)
        for item in (*slow[worker::workers], *others[worker * piece : (worker + 1) * piece])
    ]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Have more workers than cores (`-n auto`): a test that drives the app, or another process, waits a good deal."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of all workers, for what takes each of them seconds to make: under a lock, by the first."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the tests under the file rules of another system."""
    parser.addoption("--pretended-windows", action="store_true", help="run under Windows' file rules (on Linux)")


@pytest.fixture(autouse=True, scope="session")
def _file_rules(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Apply Windows' file rules to all tests, if requested."""
    if not request.config.getoption("--pretended-windows"):
        yield
        return
    with file_rules.apply_everywhere(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture
def windows_files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Apply Windows' file rules to one test's folder, and to the processes that it starts."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("the rules need /proc")
    if request.config.getoption("--pretended-windows"):
        yield
        return
    with file_rules.apply_everywhere(tmp_path):
        yield


def _no_trash(path: Path) -> None:
    raise OSError("a test has no trash of a desktop's")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Move everything that the program writes into the test's own folder."""
    monkeypatch.setenv("TERM", "xterm")  # also takes back what `--plain` does to it
    folder = tmp_path / "home"
    monkeypatch.setenv(paths.HOME_VARIABLE, str(folder))
    monkeypatch.setattr(trash, "_send", _no_trash)
    return folder


@pytest.fixture
def shakespeare() -> Path:
    """Return tiny Shakespeare's path; skip where it is not there."""
    path = SHARED / "data" / "tinyshakespeare.txt"
    if not path.is_file():
        pytest.skip(f"{path.name} is not on this machine")
    return path


@pytest.fixture
def fixtures() -> Path:
    """Return the folder of checkpoints that other programs wrote; skip where it is not there."""
    path = SHARED / "fixtures"
    if not path.is_dir():
        pytest.skip("the foreign checkpoints are not on this machine")
    return path


@pytest.fixture
def cases() -> Path:
    """Return the folder of small files with their right values; skip where it is not there."""
    path = SHARED / "findings" / "cases"
    if not path.is_dir():
        pytest.skip("the cases are not on this machine")
    return path
