"""The table of records: read, printed, written in the docs, and measured again."""

from __future__ import annotations

import hashlib
import json
import lzma
from pathlib import Path

import msgspec
import pytest
from command_line import tinygpt
from makers import make_model, tiny_gpt

from tinygpt_tui import paths
from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.cli.bench_progress import watch
from tinygpt_tui.corpora.catalog import read_catalog
from tinygpt_tui.measuring.records import Records, Row, Text, read_records
from tinygpt_tui.measuring.records_again import COMPRESSORS, RecordsAgain

DOCS = Path(__file__).resolve().parents[2] / "docs" / "records.md"


def test_the_docs_have_the_table_that_the_command_prints() -> None:
    records = read_records()
    printed = tinygpt("records", "--markdown").stdout
    assert printed in DOCS.read_text(encoding="utf-8")
    rows = [json.loads(line) for line in tinygpt("records", "--json").stdout.splitlines()]
    assert [row["name"] for row in rows] == [row.name for row in records.row]
    assert all(row.name in tinygpt("records").stdout for row in records.row[:2])


def test_the_rows_agree_with_the_models_and_the_catalogue() -> None:
    records = read_records()
    text = read_catalog()["shakespeare"]
    assert records.text.sha256 == text.sha256
    assert records.text.characters == text.bytes - int(text.bytes * 0.9)
    models = {card.name: card for card in list_models() if card.origin == "shipped"}
    measured = [row for row in records.row if row.measure]
    assert {row.name for row in measured} == set(models) - {"tales", "tales-chat"} | set(COMPRESSORS)
    for row in measured:
        assert row.command
        if row.is_model:
            card = models[row.name]
            assert card.trained is not None
            assert row.parameters == card.parameters
            assert row.window == pytest.approx(card.trained.validation_loss, abs=5e-4)


def test_tracks_and_one_loss_in_its_column() -> None:
    row = Row(name="x", parameters=100_000, seconds=10, window=1.0)
    assert row.track == "10 s, ≤ 100k"
    assert msgspec.structs.replace(row, parameters=100_001, seconds=10.5).track == "1 min, ≤ 1M"
    assert msgspec.structs.replace(row, parameters=2_000_000, seconds=1801).track == "any time, any size"
    assert Row(name="gzip", adaptive=2.0).track == Row(name="y", parameters=1, window=1.0, source="z").track == ""


def test_rows_are_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_model(tmp_path / "m", tiny_gpt(positions="rotary", sliding=True))
    monkeypatch.setattr(paths, "shipped_models", lambda: tmp_path)
    data = b"a cab\nfed a hag\n" * 60
    records = Records(
        text=Text(corpus="x", sha256=hashlib.sha256(data).hexdigest(), characters=96),
        row=(Row(name="m", parameters=1, window=9.0, measure=True), Row(name="xz", measure=True), Row(name="other")),
    )
    benchmark = RecordsAgain(records, data)
    watch(benchmark)
    window, rolling, xz = benchmark.report()
    assert [(one.name, one.column) for one in (window, rolling, xz)] == [
        ("m", "window"),
        ("m", "rolling"),
        ("xz", "adaptive"),
    ]
    assert not window.is_same
    assert abs(window.loss - rolling.loss) < 1
    sizes = [len(lzma.compress(part, preset=9 | lzma.PRESET_EXTREME)) for part in (data, data[:-96])]
    assert xz.loss == pytest.approx((sizes[0] - sizes[1]) * 8 * 0.6931471805599453 / 96)
