"""Every kind of tensor in every kind of file, against what torch itself reads; and files that are no checkpoints."""

from __future__ import annotations

import gzip
import io
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_programs import Lecture, NanoGPT, made
from torch import Tensor, nn

from tinygpt_tui.checkpoints.library import find_model
from tinygpt_tui.errors import CheckpointError
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.foreign.source import open_source
from tinygpt_tui.foreign.tensors import read

State = dict[str, Tensor]


class Subclass(torch.Tensor):
    """A tensor of a class of its own, as libraries make them."""


def per_tensor(tensor: Tensor) -> Tensor:
    return torch.quantize_per_tensor(tensor.detach(), 0.01, 3, torch.qint8)


def per_channel(tensor: Tensor) -> Tensor:
    scales = torch.linspace(0.01, 0.02, tensor.shape[-1]).double()
    zeros = torch.arange(tensor.shape[-1]) % 3
    return torch.quantize_per_channel(tensor.detach(), scales, zeros, tensor.dim() - 1, torch.quint8)


def sparse_rows(tensor: Tensor) -> Tensor:
    return tensor.relu().to_sparse_csr() if tensor.dim() == 2 else tensor


KINDS: dict[str, Callable[[Tensor], Any]] = {
    "plain": lambda tensor: tensor,
    "quantised": per_tensor,
    "quantised by channel": per_channel,
    "sparse": lambda tensor: tensor.relu().to_sparse(),
    "sparse rows": sparse_rows,
    "numpy": lambda tensor: tensor.numpy(),
    "numpy, half": lambda tensor: tensor.numpy().astype(np.float16),
    "numpy, columns first": lambda tensor: np.asfortranarray(tensor.numpy()),
    "numpy, big": lambda tensor: np.tile(tensor.numpy(), 400),
    "parameter": nn.Parameter,
    "subclass": lambda tensor: tensor.as_subclass(Subclass),
    "transposed": lambda tensor: tensor.t() if tensor.dim() == 2 else tensor,
}
FORMS: dict[str, Callable[[Any, Path], Any]] = {
    "zip": torch.save,
    "legacy": lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
    **{
        f"pickle, protocol {protocol}": lambda content, path, protocol=protocol: path.write_bytes(
            pickle.dumps(content, protocol)
        )
        for protocol in (2, 4, 5)
    },
}


def dense(value: Any) -> Tensor:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value).float()
    if value.layout != torch.strided:
        return value.to_dense().float()
    return (value.dequantize() if value.is_quantized else value).detach().as_subclass(Tensor).float()


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of sparse and quantised tensors
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("save", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_its_numbers_are_what_torch_reads(
    kind: Callable[[Tensor], Any], save: Callable[[Any, Path], Any], tmp_path: Path
) -> None:
    state = {name: kind(torch.randn(*shape)) for name, shape in {"a.weight": (5, 7), "b.weight": (3, 4)}.items()}
    save({"model": state, "step": 3}, tmp_path / "model.pt")
    source = open_source(tmp_path / "model.pt")
    assert source.extras["step"] == 3
    for name, value in state.items():
        np.testing.assert_allclose(read(source.tensors[name]), dense(value).numpy(), rtol=1e-6, atol=1e-7)


MODULES: dict[str, Callable[[nn.Module, Path], Any]] = {
    **FORMS,
    "legacy with its source": lambda module, path: path.write_bytes(with_source(module)),
}


def with_source(module: nn.Module) -> bytes:
    """Return what torch before 1.6 wrote: a module's class by a persistent id, with its file and its text."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(module, file, _use_new_zipfile_serialization=False)
    assert b"class Lecture" in file.getvalue()  # torch of today writes it too, in this form
    return file.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["model.pth", "model-01.pkl"])
@pytest.mark.parametrize("save", MODULES.values(), ids=MODULES.keys())
def test_a_whole_module_opens_however_it_was_saved(
    save: Callable[[nn.Module, Path], Any], name: str, tmp_path: Path
) -> None:
    model = made(Lecture(V=11))
    save(model, tmp_path / name)
    inspection = inspect_checkpoint(tmp_path)
    assert inspection.layout.name == "lecture"
    np.testing.assert_array_equal(
        inspection.weights()["transformer.wte.weight"], model.state_dict()["token_embedding_table.weight"].numpy()
    )


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_layers_that_torch_quantised_are_linear_ones_again(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2, bias=False))
    quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    torch.save(quantised.state_dict(), tmp_path / "model.pt")
    source = open_source(tmp_path / "model.pt")
    assert set(source.tensors) == {"0.weight", "0.bias", "1.weight"}
    np.testing.assert_allclose(read(source.tensors["0.weight"]), model[0].weight.detach().numpy(), atol=0.01)


def test_a_tensor_without_numbers_is_named(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2, device="meta"), "b": torch.ones(2)}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="a is on torch's meta device"):
        open_source(tmp_path / "model.pt")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_sparse_tensor_of_any_size_is_refused(tmp_path: Path) -> None:
    at = torch.zeros((2, 1), dtype=torch.long)
    torch.save({"a": torch.sparse_coo_tensor(at, torch.ones(1), (100_000, 100_000))}, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="a sparse tensor of 10,000,000,000 numbers"):
        open_source(tmp_path / "model.pt")


def _zip(*names: str) -> bytes:
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


def _saved(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234\n"
WRONG: dict[str, tuple[str, bytes, str, str]] = {
    "a pointer": ("ckpt.pt", LFS, "a Git LFS pointer: the file itself of 1,234 bytes", "git lfs pull"),
    "a pointer, safetensors": ("model.safetensors", LFS, "a Git LFS pointer", "git lfs pull"),
    "a page": ("ckpt.pt", b"\n<!DOCTYPE html><html>" + b" " * 2000, "a web page", "download the file itself"),
    "gzip": ("ckpt.pt", gzip.compress(b"x" * 100), "packed by gzip", "unpack it"),
    "7z": ("ckpt.pt", b"7z\xbc\xaf\x27\x1c" + bytes(100), "a 7z archive", "unpack it"),
    "rar": ("ckpt.pt", b"Rar!\x1a\x07\x01" + bytes(100), "a RAR archive", "unpack it"),
    "zip": ("model.zip", _zip("model.pt", "README.md"), "a zip archive", "it holds model.pt, README.md"),
    "npz": ("ckpt.npz", _zip("a.npy", "b.npy"), "numpy's arrays", "torch.save"),
    "npy": ("ckpt.npy", b"\x93NUMPY\x01\0" + bytes(100), "one array of numpy's", "all tensors"),
    "keras": ("model.keras", _zip("config.json", "model.weights.h5"), "a model of Keras", "torch"),
    "hdf5": ("weights.hdf5", b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file", "torch"),
    "onnx": ("model.pt", b"\x08\x08\x12\x07pytorch\x1a\x05" + bytes(90), "an ONNX file", "was exported"),
    "tensorflow": ("model.ckpt.data-00000-of-00001", bytes(100), "a part of a TensorFlow model", "torch"),
    "json": ("model.pt", b'{"a": 1}', "a JSON file", "weights"),
    "text": ("model.pt", b"hello\n", "a text file", "weights"),
    "empty": ("model.pt", b"", "is empty", "download it again"),
    "optimizer": ("optim.pt", _saved({"state": {}, "param_groups": [{"lr": 0.1}]}), "of an optimizer", "state_dict"),
    "settings": ("model.pt", _saved({"config": {"n_layer": 3}}), "holds no weights", "it holds config"),
}


@pytest.mark.parametrize(("name", "content", "said", "way_out"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_named_for_what_it_is(
    name: str, content: bytes, said: str, way_out: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError) as refused:
        inspect_checkpoint(tmp_path / name)
    assert said in refused.value.message
    assert way_out in refused.value.hint


def test_a_folder_without_weights_says_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")
    with pytest.raises(CheckpointError) as refused:
        find_model(str(tmp_path))
    assert refused.value.message == f"no weights in {tmp_path}; there is model.onnx"
    assert "model.onnx is an ONNX file" in refused.value.hint
    (tmp_path / "none").mkdir()
    with pytest.raises(CheckpointError, match="it is empty"):
        inspect_checkpoint(tmp_path / "none")


def test_parts_of_a_model_are_opened_together(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = made(NanoGPT(V=11, H=2)).state_dict()
    names = [f"model-0000{place}-of-00002.safetensors" for place in (1, 2)]
    head = {name: state[name] for name in list(state)[:5]}
    save_file(head, tmp_path / names[0])
    with pytest.raises(CheckpointError, match=f"{names[1]} is not there"):
        inspect_checkpoint(tmp_path / names[0])
    save_file(
        {name: value for name, value in state.items() if name not in {*head, "lm_head.weight"}}, tmp_path / names[1]
    )
    for given in (tmp_path / names[0], tmp_path / names[1], tmp_path):
        assert inspect_checkpoint(given).settings.vocab_size == 11


def test_a_pickle_beside_weights_is_no_second_model(tmp_path: Path) -> None:
    torch.save(made(Lecture(V=11)).state_dict(), tmp_path / "best.pth")
    (tmp_path / "anything.pkl").write_bytes(pickle.dumps([1, 2]))
    assert inspect_checkpoint(tmp_path).source.files == (tmp_path / "best.pth",)
