"""Default < preset < file < typed; an unknown key is refused with the nearest known one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.load import read_toml, resolve
from tinygpt_tui.settings.presets import PRESETS
from tinygpt_tui.settings.training import TrainingSettings


def test_later_layers_win_and_the_rest_stays() -> None:
    base = PRESETS["small"].training
    found = resolve(base, {"steps": 10, "n_layer": 2}, {"steps": 20, "dropout": 0.5})
    assert (found.steps, found.architecture.n_layer, found.architecture.dropout) == (20, 2, 0.5)
    assert (found.batch_size, found.architecture.n_embd) == (base.batch_size, base.architecture.n_embd)


@pytest.mark.parametrize("layer", [{"steps": 0}, {"n_layer": "x"}, {"n_head": 3}, {"dropout": float("nan")}])
def test_what_cannot_be_is_refused(layer: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        resolve(TrainingSettings(), layer)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('steps = 7\nn_layer = 2\ndecay = "cosine"\n', encoding="utf-8")
    assert read_toml(path) == {"steps": 7, "n_layer": 2, "decay": "cosine"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"stpes = 7\n", "did you mean steps?"),
        (b"vocab_size = 7\n", "the text decides it"),
        (b"= 7\n", "one `name = value` a line"),
        (b"\xff\xfe", "one `name = value` a line"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_a_way_out(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_toml(path)
    assert str(path) in caught.value.message
    assert said in caught.value.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml"):
        read_toml(tmp_path / "missing.toml")
