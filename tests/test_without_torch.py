"""Without torch: every command, request and call gives its result, or one sentence that says what to install.

The interpreter that is asked cannot import torch, whether it is installed here or not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tinygpt_tui import paths
from tinygpt_tui.cli.main import COMMANDS
from tinygpt_tui.native.library import load_library
from tinygpt_tui.packages import NAME, torch_version

pytestmark = [
    pytest.mark.skipif(load_library() is None, reason="the native engine was not built"),
    pytest.mark.no_torch,
]

HERE = Path(__file__).resolve().parent
OK, NEEDED = 0, 11
FEW = "--max-new-tokens 60 --prompt ROMEO:"
TEXTS = [
    *(f"generate {model} {FEW} {how}"
      for model in ("shakespeare", "shakespeare-small", "tales", "{foreign}", "{pickled}")
      for how in ("--seed 1", "--seed 2", "--temperature 0")),
    f"generate shakespeare {FEW} --seed 3 --weights int8",
    f"generate shakespeare {FEW} --seed 3 --at-step 100",
    f"generate tales {FEW} --seed 3 --num-samples 3",
    f"generate shakespeare {FEW} --seed 3 --json --candidates 3",
    "open {foreign} --json",
    "open {pickled} --json",
]  # fmt: skip
LINES = {
    **dict.fromkeys(TEXTS, OK),
    "models": OK,
    "models --json": OK,
    "runs": OK,
    "runs compare shakespeare tales": OK,
    "runs card shakespeare": OK,
    "watch shakespeare-small": OK,
    "data": OK,
    "doctor shakespeare": OK,
    "calibrate tales --dry-run": OK,
    "doctor --corpus tales": OK,
    "doctor --corpus tales --one-batch": NEEDED,
    "open shakespeare": OK,
    "open shakespeare-rnn": NEEDED,
    "open {foreign} --keep mine": OK,
    "generate mine --max-new-tokens 3": OK,
    "generate shakespeare-rnn": NEEDED,
    "generate shakespeare-senses": NEEDED,
    "export shakespeare-small --to safetensors {out}/st": OK,
    "export {foreign} --to hf {out}/hf": OK,
    "export {foreign} --to nanogpt {out}/nanogpt": NEEDED,
    "export shakespeare-small --to lecture {out}/lecture": NEEDED,
    "export shakespeare-rnn --to safetensors {out}/rnn": NEEDED,
    "pack {text} --model shakespeare-small --out {out}/text.tgp": OK,
    "unpack {out}/text.tgp --out {out}/same.txt": OK,
    "pack {text} --model shakespeare-rnn --out {out}/rnn.tgp": NEEDED,
    "export shakespeare --to nanogpt --distil {out}/distilled": NEEDED,
    "publish shakespeare-small --to me/small --dry-run --formats safetensors hf": OK,
    "get a/name/too-long": 2,
    "train --corpus tales --steps 5": NEEDED,
    "train --corpus tales --dry-run": OK,
    "tokenizer encode tales Tom": OK,
    "check-device --quick": NEEDED,
    "completion bash": OK,
    "man": OK,
    "config path": OK,
    "learn --list": OK,
    "train --corpus tales --minutes 1": NEEDED,
    "train --corpus tales --detach": NEEDED,
    "train --corpus tales --from shakespeare": NEEDED,
    "race bigram rnn --corpus tales": NEEDED,
    "resume shakespeare": NEEDED,
    "bench generate --quick": NEEDED,
    "records": OK,
    "benchmarks.train --corpus tales": NEEDED,
    "benchmarks.family --corpus tales": NEEDED,
    "benchmarks.window shakespeare-small --corpus {text} --characters 1": OK,
    **{f"{command} shakespeare": 7 for command in ("stop", "pause", "save", "sample")},
}  # fmt: skip
SERVES = {"serve"}  # until Ctrl-C; what it answers is asked of its shelf


def foreign(folder: Path) -> tuple[Path, Path | None]:
    """Write a trained model as nanoGPT names its parts, without a word on its heads; and pickled, where torch is."""
    state = safetensors.numpy.load_file(paths.shipped_models() / "shakespeare-small" / "weights.safetensors")
    del state["lm_head.bias"]
    for name in state:
        if ".c_attn." in name:  # nanoGPT divides scores by the root of the head's size
            rows = len(state[name]) // 3
            state[name][:rows] *= np.float32(0.5)
    (folder / "model.safetensors").write_bytes(safetensors.numpy.save(state))
    if not torch_version():
        return folder / "model.safetensors", None
    import torch

    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, folder / "pickled.pt")
    return folder / "model.safetensors", folder / "pickled.pt"


def found_in(folder: Path, lines: list[str], *more: str) -> Any:
    """Have an interpreter of its own run `lines` in `folder`."""
    folder.mkdir()
    made, pickled = foreign(folder)
    (folder / "text.txt").write_text("To be, or not to be: that is the question.\n" * 60, encoding="utf-8")
    places = {"foreign": made, "pickled": pickled or made, "text": folder / "text.txt", "out": folder / "out"}
    filled = [line.format(**places).split() for line in lines]
    (folder / "lines.json").write_text(json.dumps(filled), encoding="utf-8")
    environment = os.environ | {paths.HOME_VARIABLE: str(folder / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "torchless.py"), str(folder), *more]
    subprocess.run(command, env=environment, check=True, timeout=250)
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    found["lines"] = dict(zip(lines, found["lines"], strict=True))
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What came of everything, without torch."""
    return found_in(tmp_path_factory.mktemp("without") / "here", list(LINES))


@pytest.fixture(scope="module")
def with_torch(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The texts that a usual interpreter writes."""
    if not torch_version():
        pytest.skip("torch is not installed")
    return found_in(tmp_path_factory.mktemp("with") / "here", TEXTS, "--with-torch")


def says_what_to_install(message: str, hint: str) -> bool:
    return "needs the package torch" in message and hint.startswith("install it: ") and "torch" in hint.split()


def test_every_command_is_tried() -> None:
    assert {line.split()[0] for line in LINES if not line.startswith("benchmarks.")} | SERVES == set(COMMANDS)


@pytest.mark.parametrize("line", LINES)
def test_a_command_gives_its_result_or_says_what_to_install(line: str, found: Any) -> None:
    done = found["lines"][line]
    assert done["code"] == LINES[line], done["err"]
    assert "Traceback" not in done["err"]
    if done["code"] == NEEDED:
        first, second = done["err"].strip().splitlines()[-2:]
        assert says_what_to_install(first, second.strip())
        assert not done["out"]


@pytest.mark.parametrize("line", TEXTS)
def test_the_same_is_written_as_with_torch(line: str, found: Any, with_torch: Any) -> None:
    def plain(text: str) -> str:
        return re.sub(r'"(path|seconds\w*|asked_at|time)":\s*("[^"]*"|[\d.e-]+)', "", text)

    assert plain(found["lines"][line]["out"]) == plain(with_torch["lines"][line]["out"])
    assert found["lines"][line]["out"]


REQUESTS_WITHOUT = ("generate", "generate at a step", "explain", "compare")


def test_the_engine_process_does_what_it_can_and_says_what_it_cannot(found: Any) -> None:
    for name, ended in found["requests"].items():
        if name in REQUESTS_WITHOUT:
            assert ended["reason"] == "length", (name, ended)
        elif name == "senses of a gpt":
            assert "has no senses" in ended["message"]
        else:
            assert ended["reason"] == "failed"
            assert says_what_to_install(ended["message"], ended["hint"]), (name, ended)


def test_the_api_and_the_server_say_it(found: Any) -> None:
    calls = found["calls"]
    for name in ("generate", "samples", "int8", "loss"):
        assert calls[name]["value"], name
    for name in ("logits", "module", "device", "recurrent", "models"):
        assert calls[name]["error"] == "MissingPackageError", (name, calls[name])
        assert says_what_to_install(calls[name]["message"], calls[name]["hint"])
        assert calls[name]["status"] == 501
    assert "shakespeare-rnn" not in calls["served"]["value"]
    assert "tales" in calls["served"]["value"]


def test_the_lists_mark_what_needs_torch(found: Any) -> None:
    cards = [json.loads(line) for line in found["lines"]["models --json"]["out"].splitlines()]
    marked = {card["name"] for card in cards if card["problem"]}
    assert marked == {"shakespeare-rnn", "shakespeare-senses"}
    assert all(card["hint"].startswith("install it: ") for card in cards if card["problem"])


def test_a_torch_that_cannot_be_loaded_is_no_traceback_either(tmp_path: Path, home: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text('raise OSError("c10.dll: error 126")\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tinygpt_tui", "generate", "shakespeare-rnn"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(HERE.parent)])},
        capture_output=True, encoding="utf-8", timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == NEEDED
    assert "cannot be loaded: c10.dll: error 126" in done.stderr
    assert "install it again: " in done.stderr
    assert "Traceback" not in done.stderr
    assert NAME in done.stderr
