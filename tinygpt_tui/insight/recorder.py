"""Listens to one forward pass of any net: which tensors it computes, in which order, each from which others.

Nothing is written into the nets for it: their modules are hooked for the one pass, and the operations between them
are seen by a TorchFunctionMode. While nothing is recorded, a net is unchanged.
"""

from __future__ import annotations

import linecache
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from tinygpt_tui import architectures
from tinygpt_tui.architectures.base import Head, LanguageModel
from tinygpt_tui.events.tracing import Picture, StepKind, TraceStep
from tinygpt_tui.insight import naming
from tinygpt_tui.insight.cells import inside_of
from tinygpt_tui.insight.naming import Words
from tinygpt_tui.insight.pictures import COLUMNS, HEAD_COLUMNS, picture_of, weights_picture

CROSS = ("cross-attention",)  # a part of a net in which one text asks another
ONE_STEP = ("NgramTables",)  # modules with others in them whose inside is not shown
HOUSE = str(Path(architectures.__file__).parent)

Origins = frozenset[int]


class Recorder:
    """`record` runs the net on ids; `steps` is then what it computed. With `keep`, `tensors` are the whole ones."""

    def __init__(self, model: LanguageModel, rows: int, *, keep: bool = False) -> None:
        """`rows` is how many tokens the pictures show."""
        self.steps: list[TraceStep] = []
        self.tensors: dict[int, Tensor] = {}
        self._model, self._rows, self._keep = model, rows, keep
        self._paths = {module: path for path, module in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._closed = 0  # how many modules we are in whose inside is not shown
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._calls: list[int] = []  # of the modules on the stack, the number of the call
        self._calls_made = 0
        self._origins: Any = WeakIdKeyDictionary()

    @torch.no_grad()
    def record(self, ids: Tensor) -> Tensor:
        """ids (1, T) -> logits (1, T, V), as the net itself gives them."""
        hooks = [
            hook
            for module in self._model.modules()
            for hook in (
                module.register_forward_pre_hook(self._enter),
                module.register_forward_hook(self._leave, with_kwargs=True),
            )
        ]
        try:
            self._origins[ids] = frozenset((self._add(naming.IDS, ids, (), ()),))
            with _Listener(self._computed):
                logits = self._model(ids)
        finally:
            for hook in hooks:
                hook.remove()
        return cast(Tensor, logits)

    # Modules

    def _enter(self, module: nn.Module, arguments: object) -> None:
        self._stack.append(module)
        self._calls_made += 1
        self._calls.append(self._calls_made)
        self._closed += _is_one_step(module)

    def _leave(self, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        self._stack.pop()
        self._calls.pop()
        if not _is_one_step(module):
            return
        self._closed -= 1
        if self._closed or not isinstance(output, Tensor):
            return
        tensors = [*_tensors_in(arguments), *_tensors_in(named.values())]
        if any(output is tensor for tensor in tensors):
            return  # a norm, or a projection, that is not there
        path = self._paths[module]
        parent, _, own = path.rpartition(".")
        named_as = "lm_head" if isinstance(module, Head) else path
        words = naming.words_of_module(named_as) or Words(own, own, "", f"{own}({{x}})")
        place = naming.place_of(parent) or (("senses",) if own.startswith("sense") else ())
        inputs = self._origins_of(tensors)
        self._origins[output] = frozenset((self._add(_written(words, module), output, place, inputs),))

    # Operations

    def _computed(
        self, function: Callable[..., Any], arguments: Sequence[Any], named: dict[str, Any], result: Any
    ) -> None:
        if self._closed:
            return
        tensors = [*_tensors_in(arguments), *_tensors_in(named.values())]
        inputs = self._origins_of(tensors)
        name = getattr(function, "__name__", "")
        if not inputs:
            return
        if name == "scaled_dot_product_attention":
            self._attended(arguments, named, result)
        elif name in naming.CELLS:
            self._stepped(name, arguments, result, inputs)
        elif isinstance(result, Tensor) and (words := self._words(name, tensors, result)) is not None:
            number = self._add(words, result, self._place(inputs), inputs)
            self._origins[result] = frozenset((number,))
        else:
            for tensor in _tensors_in((result,)):
                if tensor not in self._origins:
                    self._origins[tensor] = inputs

    def _words(self, name: str, tensors: list[Tensor], result: Tensor) -> Words | None:
        """Return what a result is called; None where it is no step but another way to look at the same numbers."""
        module = self._stack[-1] if self._stack else self._model
        if not result.is_floating_point() or result.dim() < 2 or any(result is tensor for tensor in tensors):
            return None
        kind = type(module).__name__
        rows = naming.OPERATIONS.get((kind, name))
        if rows is None:
            return naming.ANYWHERE.get(name)
        if name in ("reshape", "flatten") and result.dim() > 4:  # on the way to complex numbers
            return None
        if name == "flatten" and result.shape[-1] != self._model.settings.head_size:  # a part of a head is turned
            return None
        key = (kind, name, self._calls[-1] if self._calls else 0)
        count = self._counts[key]
        self._counts[key] += 1
        return rows[count] if count < len(rows) else None

    def _attended(self, arguments: Sequence[Any], named: dict[str, Any], result: Tensor) -> None:
        """Attention is one kernel, which does not return its weights: they are computed from its inputs."""
        q, k, v = arguments[:3]
        mask = arguments[3] if len(arguments) > 3 else named.get("attn_mask")
        scale = named.get("scale") or q.shape[-1] ** -0.5
        senses = type(self._stack[-1]).__name__ == "Backpack" if self._stack else False
        letter = "S" if senses else "H"
        T, S = q.shape[-2], k.shape[-2]
        shown = T if self._keep else min(T, self._rows)
        scores = q[..., T - shown :, :].float() @ k.float().transpose(-1, -2) * scale
        if mask is not None:
            seen = mask[..., T - shown :, :]
            scores = scores.masked_fill(~seen, float("-inf")) if mask.dtype == torch.bool else scores + seen
        elif named.get("is_causal"):
            future = torch.ones(T, S, dtype=torch.bool, device=q.device).triu(1)[T - shown :]
            scores = scores.masked_fill(future, float("-inf"))
        weights = scores.softmax(-1)
        inputs = self._origins_of([q, k])
        place = self._place(inputs)
        root = f"/ √{round(scale**-2)}"
        words = naming.WEIGHTS._replace(
            title="sense weights" if senses else next((part for part in place if part in CROSS), "attention"),
            symbols=naming.WEIGHTS.symbols.replace("{H}", letter),
            formula=naming.WEIGHTS.formula.replace("{scale}", root),
        )
        number = self._add(words, weights, place, inputs, kind="weights", shape=(*q.shape[:-1], S))
        mixed = naming.MIXED._replace(symbols="B, S, T, C" if senses else naming.HEADS)
        after = frozenset({number}) | self._origins_of([v])
        self._origins[result] = frozenset((self._add(mixed, result, place, after),))

    def _stepped(self, name: str, arguments: Sequence[Any], result: Any, inputs: Origins) -> None:
        """A recurrent kernel keeps its gates to itself, too."""
        place = self._place(inputs)
        inside: dict[str, int] = {}
        for words, tensor in zip(naming.CELLS[name], inside_of(name, arguments, result[0]), strict=True):
            named = naming.CELL_INPUTS.get((name, words.name), "")
            of_token = inputs if words.name not in "cs" or not named else frozenset[int]()
            number = self._add(words, tensor, place, of_token | {inside[one] for one in named})
            inside[words.name] = number
        for tensor in _tensors_in((result,)):
            self._origins[tensor] = frozenset((number,))

    # Steps

    def _place(self, inputs: Origins) -> tuple[str, ...]:
        """Return the parts that an operation belongs to: the module's, or deeper ones if all it works on is there."""
        module = self._stack[-1] if self._stack else self._model
        place = naming.place_of(self._paths[module])
        places = {self.steps[number].place for number in inputs}
        deeper = places.pop()
        return place if places or deeper[: len(place)] != place else deeper

    def _add(
        self,
        words: Words,
        tensor: Tensor,
        place: tuple[str, ...],
        inputs: Iterable[int],
        kind: StepKind | None = None,
        shape: tuple[int, ...] = (),
    ) -> int:
        number = len(self.steps)
        inputs = tuple(sorted(inputs))
        shape = shape or tuple(tensor.shape)
        if kind is None:
            kind = "ids" if not number else "logits" if words.name == "logits" else "numbers"
        # The first comes first in the formula: the stream, which is the oldest.
        names = [self.steps[at].name for at in inputs] or ["x"]
        formula = words.formula.replace("{x}", names[0]).replace("{y}", names[-1])
        source, code = _line()
        if self._keep:
            self.tensors[number] = tensor.detach().clone()
        numbers = tensor.detach().float()
        self.steps.append(
            TraceStep(
                number=number,
                name=words.name,
                title=words.title,
                place=place,
                symbols=words.symbols or self._axes(shape),
                shape=shape,
                formula=formula,
                source=source,
                code=code,
                inputs=inputs,
                kind=kind,
                pictures=tuple(self._pictures(tensor, kind)),
                least=_finite(numbers.min()),
                most=_finite(numbers.max()),
                mean=_finite(numbers.mean()),
                spread=_finite(numbers.std(correction=0)),
            )
        )
        return number

    def _pictures(self, tensor: Tensor, kind: StepKind) -> Iterator[Picture]:
        if kind == "ids":
            return
        if tensor.dim() == 2:
            yield picture_of(tensor, self._rows, COLUMNS)
        elif tensor.dim() == 3:
            yield picture_of(tensor[0], self._rows, COLUMNS)
        elif kind == "weights":
            yield from (weights_picture(head[-self._rows :], self._rows) for head in tensor[0])
        elif tensor.dim() == 4:
            yield from (picture_of(head, self._rows, HEAD_COLUMNS) for head in tensor[0])

    def _axes(self, shape: tuple[int, ...]) -> str:
        """Name the axes by their sizes."""
        s = self._model.settings
        width = s.n_embd
        if len(shape) == 4:
            return naming.HEADS if shape[1] == s.n_head else naming.HEADS.replace("H", "K")
        letters = {s.hidden_size: "F", s.vocab_size: "V", width: "C"}
        last = letters.get(shape[-1]) or (f"{shape[-1] // width}C" if shape[-1] % width == 0 else "")
        if not last and s.n_head:
            D = s.head_size
            last = "H·D" if shape[-1] == s.n_head * D else "(H+2K)·D"
        return ", ".join([*("B", "T")[3 - len(shape) :], last or "n"])

    def _origins_of(self, tensors: Iterable[Tensor]) -> Origins:
        found: Origins = frozenset()
        for tensor in tensors:
            found |= self._origins.get(tensor, frozenset())
        return found


class _Listener(TorchFunctionMode):
    """Hands on each operation; what is computed inside `computed` is not seen again."""

    def __init__(self, computed: Callable[[Callable[..., Any], Sequence[Any], dict[str, Any], Any], None]) -> None:
        super().__init__()
        self._computed = computed

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._computed(func, args, kwargs or {}, result)
        return result


def _is_one_step(module: nn.Module) -> bool:
    return type(module).__name__ in ONE_STEP or next(module.children(), None) is None


def _tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors_in(value)


def _written(words: Words, module: nn.Module) -> Words:
    """Write what a module has into its formula: which norm, weights, a bias."""
    formula = words.formula
    if formula == "{norm}":
        formula = naming.NORMS[getattr(module, "kind", "layernorm")]
    formula = formula.replace("{*w}", " · w" if getattr(module, "weight", None) is not None else "")
    return words._replace(formula=formula.replace("{+b}", " + b" if getattr(module, "bias", None) is not None else ""))


def _line() -> tuple[str, str]:
    """Return the line of an architecture's file that is running: ("transformer.py:121", the code)."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(HOUSE):
            code = linecache.getline(file, frame.f_lineno).split("  #")[0].strip()
            return f"{Path(file).name}:{frame.f_lineno}", code
        frame = frame.f_back
    return "", ""


def _finite(number: Tensor) -> float:
    return float(number.nan_to_num())
