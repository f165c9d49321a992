"""Data sets of the Hub, by their name, from a small Hub on this machine."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hub_server import Handler, Hub

from tinygpt_tui import paths
from tinygpt_tui.cli.main import run
from tinygpt_tui.corpora.catalog import FETCHED, find_corpus
from tinygpt_tui.corpora.download import download
from tinygpt_tui.corpora.hub import data_set
from tinygpt_tui.errors import CorpusError, DownloadError, MissingPackageError, NotFoundError, StorageError, UsageError

CONVERTED = "refs/convert/parquet"
TALES = "tiny/tales"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub with a converted data set, one of its author's files alone, and one that is given to few."""
    hub = Hub(("127.0.0.1", 0), Handler)
    for name, branch, files in (
        (TALES, CONVERTED, {"default/train/0000.parquet": 300, "default/train/0001.parquet": 40,
                            "default/validation/0000.parquet": 30, "default/train/index.duckdb": 1}),
        ("big/corpus", CONVERTED, {"ax/partial-train/0000.parquet": 20, "cola/train/0000.parquet": 10}),
        ("own/files", "main", {"README.md": 1, ".gitattributes": 1, "dataset_infos.json": 1,
                               "data/train-00000.jsonl": 200, "data/test.jsonl": 20}),
        ("shut/away", CONVERTED, {"default/train/0000.parquet": 20}),
        ("only/pictures", "main", {"a.png": 1, "README.md": 1}),
    ):  # fmt: skip
        folder = tmp_path / "hub" / name
        for path, rows in files.items():
            _write(folder / path, rows)
        hub.data_sets[name] = {branch: folder}
    hub.token, hub.gated = "secret", frozenset({"shut/away"})
    thread = threading.Thread(target=hub.serve_forever)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    yield hub
    hub.shutdown()
    hub.server_close()
    thread.join()


def _write(path: Path, rows: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [{"id": number, "story": f"{path.parts[-2]}: the old cat number {number}"} for number in range(rows)]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    elif path.suffix == ".parquet":
        arrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        write_table(arrow.table({key: [record[key] for record in records] for key in records[0]}), path)
    else:
        path.write_text("nothing to learn from")


def get(name: str) -> Path:
    """Download it, and return its folder."""
    entry = find_corpus(name)
    states = list(download(entry))
    assert [state.done for state in states] == sorted(state.done for state in states)
    assert len({state.total for state in states}) == 1
    assert states[-1].done == states[-1].total
    return Path(str(states[-1].path))


def left_behind() -> list[Path]:
    return [path for path in (paths.data_folder() / FETCHED).rglob("*") if path.is_file()]


def test_the_training_split_is_downloaded_once(server: Hub) -> None:
    entry = find_corpus(f"hf:{TALES}")
    assert (entry.name, entry.here, entry.own) == ("tales", False, True)
    folder = get(f"hf:{TALES}")
    assert [path.name for path in sorted(folder.iterdir())] == [
        "00000-default-train-0000.parquet",
        "00001-default-train-0001.parquet",
    ]
    found = find_corpus(f"hf:{TALES}")
    assert (found.here, found.path) == (True, str(folder))
    assert get(f"hf:{TALES}:validation") != folder


def test_a_long_list_has_pages(server: Hub) -> None:
    server.page = 1
    assert len(list(get(f"hf:{TALES}").iterdir())) == 2
    assert sum("/tree/" in address for address in server.gets) == 4


def test_the_author_s_own_files(server: Hub) -> None:
    """Where nothing is converted: those of the split, if the names tell."""
    assert [path.name for path in get("hf:own/files").iterdir()] == ["00000-data-train-00000.jsonl"]
    assert [path.name for path in get("hf:own/files:test").iterdir()] == ["00000-data-test.jsonl"]
    with pytest.raises(CorpusError, match="no file that can be read in dev") as caught:
        get("hf:own/files:dev")
    assert "data/test.jsonl" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("hf:tiny/nothing", "no data set 'tiny/nothing'", "OWNER/NAME"),
        ("hf:big/corpus", "several configurations", "hf:big/corpus/ax, hf:big/corpus/cola"),
        ("hf:big/corpus/mnli", "no configuration 'mnli'", "hf:big/corpus/cola"),
        (f"hf:{TALES}:test", "no split 'test'", f"hf:{TALES}:train, hf:{TALES}:validation"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(name: str, message: str, hint: str, server: Hub) -> None:
    with pytest.raises(NotFoundError, match=message) as caught:
        get(name)
    assert hint in caught.value.hint
    assert left_behind() == []


def test_a_part_that_is_converted_only_in_part(server: Hub) -> None:
    assert [path.name for path in get("hf:big/corpus/ax").iterdir()] == ["00000-ax-partial-train-0000.parquet"]


def test_pictures_are_no_text(server: Hub) -> None:
    with pytest.raises(CorpusError, match="no file that can be read") as caught:
        get("hf:only/pictures")
    assert "a.png" in caught.value.hint


def test_one_that_is_given_to_few_needs_a_token(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DownloadError, match="given out only") as caught:
        get("hf:shut/away")
    assert "HF_TOKEN" in caught.value.hint
    assert "/datasets/shut/away" in caught.value.hint
    assert left_behind() == []
    (tmp_path / "token").write_text("secret\n")  # of `hf auth login`
    assert get("hf:shut/away").is_dir()
    monkeypatch.setenv("HF_TOKEN", "another")
    with pytest.raises(DownloadError, match="given out only"):
        get("hf:shut/away")


def test_without_a_network(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    get(f"hf:{TALES}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert find_corpus(f"hf:{TALES}").here
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        get("hf:own/files")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")  # no server is there
    with pytest.raises(DownloadError, match="could not be fetched") as caught:
        get("hf:own/files")
    assert "connection" in caught.value.hint


def test_what_does_not_arrive_leaves_nothing(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = download(find_corpus("hf:own/files"))
    assert next(steps).path is None
    steps.close()  # type: ignore[attr-defined]
    assert left_behind() == []
    server.claimed["train-00000.jsonl"] = 1
    with pytest.raises(DownloadError, match="not as large"):
        get("hf:own/files")
    server.claimed["train-00000.jsonl"] = 1 << 40
    with pytest.raises(DownloadError, match=r"1099\.5 GB, more than 21\.5 GB"):
        get("hf:own/files")
    server.claimed.clear()
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(StorageError, match="10 bytes are free"):
        get("hf:own/files")
    assert left_behind() == []


def test_parquet_is_not_downloaded_without_its_reader(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match="needs the package pyarrow"):
        get(f"hf:{TALES}")
    assert not any("/resolve/" in address for address in server.gets)


@pytest.mark.parametrize("name", ["hf:", "hf:../x", "hf:a/b/c/d", "hf:a/../b", "hf:a b", "hf:a:", "hf:https://a"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a data set"):
        data_set(name)


def test_the_command_reads_its_field(server: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["train", "--dry-run", "--block-size", "8", "--corpus"]
    assert run([*flags, f"hf:{TALES}"]) == 0
    assert "340 records, field `story`" in capsys.readouterr().err
    assert run([*flags, "hf:own/files", "--field", "story"]) == 0
    assert run([*flags, "hf:own/files", "--field", "text"]) == 5
    said = capsys.readouterr().err
    assert "no field 'text'; it has story" in said
    assert "another --field" in said
