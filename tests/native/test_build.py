"""Building and loading say what is wrong, and leave nothing half-made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from makers import CLASSIC, random_ids, random_model

from tinygpt_tui.errors import EngineError, StorageError
from tinygpt_tui.generation.engine import TorchEngine
from tinygpt_tui.native import build as building
from tinygpt_tui.native import library as loading
from tinygpt_tui.native.build import build, main
from tinygpt_tui.native.engine import NativeEngine
from tinygpt_tui.native.library import AVX2_NAME, EXACT_NAME, FILE_NAME, VARIABLE, Library, load_library
from tinygpt_tui.native.weights import arrange


def test_without_a_compiler_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert main([str(tmp_path)]) == 9
    said = capsys.readouterr()
    assert said.out == ""
    assert "there is no C compiler" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f'"{sys.executable}" -c "import sys; sys.exit(\'no such flag\')"')
    with pytest.raises(EngineError, match="no such flag"):
        build(tmp_path)
    monkeypatch.setenv("CC", str(tmp_path / "nobody"))
    with pytest.raises(EngineError, match="nobody could not build"):
        build(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, library_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        build(tmp_path / "nowhere")


def test_where_the_linker_cannot_choose_copies_one_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library_path: Path
) -> None:
    commands = building._commands

    def first_fails(compiler: list[str], made: Path) -> list[list[str]]:
        # Which command is taken does not hang on how hard it tries: -O1 is built in a fraction of the time.
        first, *others = [[word.replace("-O3", "-O1") for word in command] for command in commands(compiler, made)]
        return [[*first, "-no-such-flag"], *others] if others else [first]

    monkeypatch.setattr(building, "_commands", first_fails)
    model = random_model(CLASSIC)
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    engine = NativeEngine(arrange(CLASSIC, state), Library(build(tmp_path)))
    ids = random_ids(8)
    np.testing.assert_allclose(engine.prefill(ids), TorchEngine(model).prefill(ids), rtol=0, atol=1e-3)
    assert {path.name for path in tmp_path.iterdir()} == {FILE_NAME, EXACT_NAME}


@pytest.mark.skipif(not building._X86, reason="AVX2 is of x86-64")
def test_where_one_library_cannot_serve_all_processors_the_best_that_this_one_runs_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library_path: Path
) -> None:
    commands = building._commands

    def portable(compiler: list[str], made: Path) -> list[list[str]]:
        return [[word.replace("-O3", "-O1") for word in commands(compiler, made)[-1]]]

    monkeypatch.setattr(building, "_commands", portable)
    build(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {FILE_NAME, AVX2_NAME, EXACT_NAME}
    plain = Library(tmp_path / FILE_NAME)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(loading, "FOLDER", tmp_path)

    def loaded() -> Path:
        found = load_library.__wrapped__()
        assert found is not None
        return Path(found.functions._name)

    assert loaded().name == (AVX2_NAME if plain.prefers_avx2() else FILE_NAME)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(tmp_path / FILE_NAME, elsewhere)
    (elsewhere / AVX2_NAME).write_bytes(b"damaged")
    monkeypatch.setattr(loading, "FOLDER", elsewhere)
    assert loaded().name == FILE_NAME
    # A library that chooses among its own copies needs no other.
    if building._has_copies([]):
        assert not Library(library_path).prefers_avx2()


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / FILE_NAME
    wrong.write_bytes(b"not a library")
    with pytest.raises(EngineError, match="is not the native engine"):
        Library(wrong)


def test_the_variable_names_the_library(library_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for value, works in ((str(library_path), True), (str(tmp_path / "none"), False)):
            load_library.cache_clear()
            monkeypatch.setenv(VARIABLE, value)
            if works:
                assert load_library() is load_library() is not None
            else:
                with pytest.raises(EngineError, match="is not the native engine"):
                    load_library()
    finally:
        load_library.cache_clear()


def test_a_library_of_another_version_is_refused_or_left_alone(
    library_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "source_mark", lambda: 1)
    with pytest.raises(EngineError, match="another version"):
        Library(library_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(loading, "FOLDER", library_path.parent)
    load_library.cache_clear()
    try:
        assert load_library() is None
        monkeypatch.undo()
        monkeypatch.delenv(VARIABLE, raising=False)
        monkeypatch.setattr(loading, "FOLDER", library_path.parent)
        load_library.cache_clear()
        assert load_library() is not None
    finally:
        load_library.cache_clear()


def test_structures_of_another_size_are_refused(library_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinygpt_tui.native.library.ctypes.sizeof", lambda _: 8)
    with pytest.raises(EngineError, match="another version"):
        Library(library_path)


def test_it_says_why_torch_decodes(tmp_path: Path, library_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(loading, "FOLDER", tmp_path)
    missing = loading.why_without()
    assert missing is not None
    assert "not built here" in missing.message
    assert loading.why_unused() is None
    shutil.copy(library_path, tmp_path / FILE_NAME)
    assert loading.why_without() is None
    monkeypatch.setattr(loading, "source_mark", lambda: 0)
    stale = loading.why_unused()
    assert stale is not None
    assert "another version" in stale.message
    assert "native.build" in stale.hint
    monkeypatch.setenv(VARIABLE, "off")
    chosen = loading.why_without()
    assert chosen is not None
    assert f"{VARIABLE} is off" in chosen.message


def test_it_needs_no_package() -> None:
    """A wheel is built where nothing is installed but the build tool."""
    root = Path(building.__file__).parents[2]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import tinygpt_tui.native.build"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, timeout=240)
