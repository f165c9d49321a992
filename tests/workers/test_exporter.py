"""An export in a process of its own: what it wrote, or its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from makers import make_model

from tinygpt_tui import paths
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.workers.exporter import export, save_model


async def test_it_writes_and_says_what(tmp_path: Path) -> None:
    make_model(tmp_path / "letters")
    done = await export(str(tmp_path / "letters"), "nanogpt", str(tmp_path / "out"))
    assert done.files["ckpt.pt"] == (tmp_path / "out" / "ckpt.pt").stat().st_size
    assert done.checked is not None
    with pytest.raises(TinyGPTError, match="there is an export in") as refused:
        await export(str(tmp_path / "letters"), "nanogpt", str(tmp_path / "out"))
    assert refused.value.hint == "--force replaces it"


async def test_it_keeps_another_programs_model(tmp_path: Path) -> None:
    make_model(tmp_path / "letters")
    await export(str(tmp_path / "letters"), "nanogpt", str(tmp_path / "out"))
    folder = await save_model(str(tmp_path / "out"), "mine")
    assert folder == paths.models_folder() / "mine"
    assert (folder / "weights.safetensors").is_file()
