"""A model opened to generate: by the native engine if it was built and supports the model, else by torch.

torch is imported only then; if it is missing, MissingPackageError says what to install.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tinygpt_tui.checkpoints.card import is_native, read_config
from tinygpt_tui.checkpoints.engines import native_library, torch_for
from tinygpt_tui.checkpoints.snapshot import read_snapshot, read_stamp
from tinygpt_tui.checkpoints.stored import StoredModel, read_calibrated, read_folder, read_model, weights_of
from tinygpt_tui.checkpoints.vocabulary import open_tokenizer
from tinygpt_tui.checkpoints.weights import read_weights
from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.events.requests import Gain
from tinygpt_tui.foreign.calibration_cache import cache_calibration, cached_calibration
from tinygpt_tui.foreign.opening import inspect_checkpoint
from tinygpt_tui.generation.base import BatchEngine, Engine
from tinygpt_tui.generation.batch import sample_texts
from tinygpt_tui.generation.replacing import AT_ONCE, BatchReplacer, Replacer
from tinygpt_tui.generation.text import GenerationJob, TextEvent, TextGeneration
from tinygpt_tui.native.engine import NativeBatchEngine, NativeEngine
from tinygpt_tui.native.library import Library
from tinygpt_tui.native.replacing import NativeReplacer
from tinygpt_tui.native.weights import NativeWeights, arrange
from tinygpt_tui.packages import import_torch
from tinygpt_tui.runs.folder import RunFolder
from tinygpt_tui.runs.timeline import Moment
from tinygpt_tui.settings.architecture import GPTSettings, name_of
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.settings.model_config import NativeConfig
from tinygpt_tui.settings.sampling import SamplingChange, SamplingSettings, Weights, Window
from tinygpt_tui.settings.windows import policy_for
from tinygpt_tui.tokenizers.base import Tokenizer
from tinygpt_tui.tokenizers.letters import letters_of
from tinygpt_tui.workers.current_weights import WeightsNow

if TYPE_CHECKING:
    from tinygpt_tui.adapting.engine import AdaptiveEngine
    from tinygpt_tui.architectures.backpack import Backpack
    from tinygpt_tui.architectures.base import LanguageModel

# One token of a tiny model is too little work to share: waiting for other threads costs more than they save.
THREADS = 1


class OpenedModel(ABC):
    """An open model: each job gets an engine of its own, all share the weights."""

    engine_name: str

    def __init__(self, config: NativeConfig, tokenizer: Tokenizer) -> None:
        self.config, self.tokenizer = config, tokenizer
        # The step of the weights, and the last validation loss that was measured by then.
        self.step = config.trained.step if config.trained else None
        self.validation_loss = config.trained.loss_per_character if config.trained else None
        self.in_training = False  # whether these are the newest weights of a live run
        self._adaptive: AdaptiveEngine | None = None  # the last one: its text is often continued

    @abstractmethod
    def new_engine(self, window: Window = "auto", weights: Weights = "fp32") -> Engine:
        """Return an engine for one text. Raises UsageError if the model does not support the settings."""

    @abstractmethod
    def new_batch_engine(self, texts: int, window: Window = "auto", weights: Weights = "fp32") -> BatchEngine:
        """Return an engine for at most `texts` texts in shared passes. Raises UsageError."""

    @abstractmethod
    def net(self) -> LanguageModel:
        """Return the net, as torch's module. Raises MissingPackageError."""

    def adaptive_engine(self) -> AdaptiveEngine:
        """Return an engine with a copy that learns: the last one if no job has it. Raises MissingPackageError."""
        if self._adaptive is None or self._adaptive.in_use:
            import_torch("adapting to a text", threads=THREADS)
            from tinygpt_tui.adapting.engine import AdaptiveEngine

            self._adaptive = AdaptiveEngine(self.net(), letters=letters_of(self.tokenizer))
        return self._adaptive

    def new_replacer(self, window: Window = "auto", weights: Weights = "fp32") -> Replacer:
        """Return what reads one text with single tokens replaced. Raises UsageError as `new_engine`."""
        return BatchReplacer(self.new_batch_engine(AT_ONCE, window, weights))

    def new_text(
        self,
        prompt: str,
        sampling: SamplingSettings,
        *,
        job: int = 0,
        sample: int = 0,
        candidates: int | None = None,
        asked_at: float | None = None,
    ) -> TextGeneration:
        """Return a text that this model is to write; see TextGeneration. Raises UsageError."""
        return TextGeneration(
            self.tokenizer,
            self.config.architecture.context_length,
            prompt,
            sampling,
            job=job,
            sample=sample,
            candidates=candidates,
            engine_name=self.engine_name,
            step=self.step,
            validation_loss=self.validation_loss,
            in_training=self.in_training,
            asked_at=asked_at,
        )

    def new_job(
        self,
        prompt: str,
        sampling: SamplingSettings,
        *,
        job: int = 0,
        candidates: int | None = None,
        allowed: int | None = None,
        changes: Sequence[SamplingChange] = (),
        asked_at: float | None = None,
    ) -> GenerationJob:
        """Return the job that writes one text with an engine of its own. Raises UsageError."""
        text = self.new_text(prompt, sampling, job=job, candidates=candidates, asked_at=asked_at)
        if sampling.adapt:
            if sampling.weights != "fp32":
                raise UsageError(f"adapt: the weights {sampling.weights} cannot learn", "choose the weights fp32")
            engine = self.adaptive_engine()
            from tinygpt_tui.adapting.job import AdaptiveJob

            return AdaptiveJob(engine, text, self.tokenizer, allowed, changes)
        return GenerationJob(self.new_engine(sampling.window, sampling.weights), text, allowed, changes)

    def samples(
        self, prompt: str, sampling: SamplingSettings, samples: int, candidates: int | None = None
    ) -> Iterator[TextEvent]:
        """Yield the events of `samples` texts from one prompt; see sample_texts. Raises UsageError, CheckpointError."""
        if sampling.adapt:
            raise UsageError("adapt: a copy of the model adapts to one text", "ask for one text")
        return sample_texts(
            lambda texts: self.new_batch_engine(texts, sampling.window, sampling.weights),
            lambda own, sample: self.new_text(prompt, own, sample=sample, candidates=candidates),
            sampling,
            samples,
        )

    @property
    def backpack(self) -> Backpack:
        """The model with its senses. Raises UsageError if it has none."""
        raise _no_senses(self.config)

    def dialled(self, gains: Sequence[Gain]) -> OpenedModel:
        """Return a model that shares these weights, with some senses turned up or down. Raises UsageError."""
        raise _no_senses(self.config)


class NativeModel(OpenedModel):
    """Decoded by gpt.c; rounded weights are laid out when first requested."""

    engine_name = "native"

    def __init__(
        self,
        config: NativeConfig,
        tokenizer: Tokenizer,
        library: Library,
        lay_out: Callable[[Weights], NativeWeights],
        read: Callable[[], StoredModel],
    ) -> None:
        """`lay_out` reads the weights in a precision, `read` the model for torch.

        Raises CheckpointError if the weights cannot be read.
        """
        super().__init__(config, tokenizer)
        self._library, self._lay_out, self._read = library, lay_out, read
        self._laid_out: dict[Weights, NativeWeights] = {"fp32": lay_out("fp32")}

    def new_engine(self, window: Window = "auto", weights: Weights = "fp32") -> Engine:
        policy = policy_for(window, self.config.architecture)
        return NativeEngine(self._weights(weights), self._library, policy=policy)

    def new_batch_engine(self, texts: int, window: Window = "auto", weights: Weights = "fp32") -> BatchEngine:
        policy = policy_for(window, self.config.architecture)
        return NativeBatchEngine(self._weights(weights), self._library, texts=texts, policy=policy)

    def new_replacer(self, window: Window = "auto", weights: Weights = "fp32") -> Replacer:
        policy = policy_for(window, self.config.architecture)
        return NativeReplacer(self._weights(weights), self._library, policy=policy)

    def net(self) -> LanguageModel:
        import_torch("a copy that learns", threads=THREADS)
        from tinygpt_tui.checkpoints.native import checkpoint_of

        return checkpoint_of(self._read()).model

    def _weights(self, weights: Weights) -> NativeWeights:
        if weights not in self._laid_out:
            self._laid_out[weights] = self._lay_out(weights)
        return self._laid_out[weights]


class TorchModel(OpenedModel):
    """Run by torch."""

    engine_name = "torch"

    def __init__(self, config: NativeConfig, tokenizer: Tokenizer, model: LanguageModel) -> None:
        super().__init__(config, tokenizer)
        self._model = model

    def net(self) -> LanguageModel:
        return self._model

    @property
    def backpack(self) -> Backpack:
        from tinygpt_tui.architectures.backpack import Backpack

        if not isinstance(self._model, Backpack):
            raise _no_senses(self.config)
        return self._model

    def dialled(self, gains: Sequence[Gain]) -> OpenedModel:
        from tinygpt_tui.architectures.backpack import dialled

        turned = TorchModel(self.config, self.tokenizer, dialled(self.backpack, gains))
        turned.step, turned.validation_loss = self.step, self.validation_loss
        return turned

    def new_engine(self, window: Window = "auto", weights: Weights = "fp32") -> Engine:
        from tinygpt_tui.generation.engine import TorchEngine

        _check_weights(weights)
        return TorchEngine(self._model, policy_for(window, self.config.architecture))

    def new_batch_engine(self, texts: int, window: Window = "auto", weights: Weights = "fp32") -> BatchEngine:
        from tinygpt_tui.generation.slots import SlotBatchEngine

        _check_weights(weights)
        return SlotBatchEngine(self._model, texts, policy_for(window, self.config.architecture))


def open_model(folder: Path, *, untrained: bool = False, device: str = AUTO) -> OpenedModel:
    """Open a model folder, or another program's checkpoint; `untrained` with the weights that training started from.

    Raises CheckpointError if a part is missing, damaged, or does not fit; UsageError if `device` is missing;
    MissingPackageError.
    """
    if device != AUTO and not untrained:
        return _opened_on(device, read_model(folder))
    if not is_native(folder):
        return _open_foreign(folder, untrained, device)
    config = read_config(folder)
    if untrained:
        return _open_untrained(folder, config, open_tokenizer(folder, config), device)
    library = native_library(config.architecture)
    if library is not None and config.adapter is None:
        return NativeModel(
            config,
            open_tokenizer(folder, config),
            library,
            partial(read_weights, folder),
            partial(read_folder, folder),
        )
    return opened_from(read_folder(folder), folder.name)


def opened_from(stored: StoredModel, name: str) -> OpenedModel:
    """Open a model from what was read already. Raises CheckpointError, MissingPackageError."""
    config, library = stored.config, native_library(stored.config.architecture)
    if library is not None and isinstance(config.architecture, GPTSettings):
        lay_out = partial(arrange, config.architecture, stored.weights, name)
        return NativeModel(config, stored.tokenizer, library, lay_out, lambda: stored)
    torch_for(config.architecture, threads=THREADS)
    from tinygpt_tui.checkpoints.native import checkpoint_of

    return TorchModel(config, stored.tokenizer, checkpoint_of(stored).model)


def _open_foreign(path: Path, untrained: bool, device: str) -> OpenedModel:
    """Open another program's checkpoint: what its headers do not say is measured once."""
    found = inspect_checkpoint(path)
    inspection = cached_calibration(found)
    if inspection is None:
        if native_library(found.settings) is None:
            torch_for(found.settings, threads=THREADS)
        inspection, _ = read_calibrated(found)
        cache_calibration(found, inspection)
    if untrained:
        return _open_untrained(path, inspection.config, inspection.tokenizer, device)
    return opened_from(StoredModel(inspection.config, weights_of(inspection), inspection.tokenizer), inspection.name)


def _open_untrained(path: Path, config: NativeConfig, tokenizer: Tokenizer, device: str) -> OpenedModel:
    """Open a model with its initial weights, which torch draws: only its random numbers are those of the training."""
    import_torch("an untrained copy, whose weights torch draws,", threads=THREADS)
    from tinygpt_tui.workers.untrained import first_weights

    config = msgspec.structs.replace(config, trained=None)
    model = first_weights(path, config)
    if device != AUTO:
        from tinygpt_tui.training.device import choose_device

        return TorchModel(config, tokenizer, model.to(choose_device(device)))
    if native_library(config.architecture) is None:
        return TorchModel(config, tokenizer, model)
    tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    return opened_from(StoredModel(config, tensors, tokenizer), path.name)


def open_now(path: Path, now: WeightsNow, device: str = AUTO) -> OpenedModel:
    """Open a model with the weights that `weights_now` found. Raises what `open_model` raises."""
    newest = RunFolder(path).live_weights
    try:
        opened = open_moment(path, Moment(0, newest), device) if now.file == newest else open_model(path, device=device)
    except NotFoundError:  # its best has just become its newest
        opened = open_model(path, device=device)
    opened.in_training = now.in_training
    return opened


def open_moment(folder: Path, moment: Moment, device: str = AUTO) -> OpenedModel:
    """Open a model folder with the weights of a moment of its run.

    Raises CheckpointError if a part is missing, damaged, or does not fit; NotFoundError; UsageError if `device`
    is missing.
    """
    stamp, tensors = read_stamp(moment.path), read_snapshot(moment.path)
    stored = read_folder(folder, tensors)
    opened = opened_from(stored, moment.path.name) if device == AUTO else _opened_on(device, stored)
    opened.step, opened.validation_loss = stamp.step, stamp.validation_loss
    return opened


def _opened_on(device: str, stored: StoredModel) -> OpenedModel:
    """Return a model that torch computes on `device`. Raises UsageError if that is missing, MissingPackageError."""
    import_torch(f"the device {device}")
    from tinygpt_tui.checkpoints.native import checkpoint_of
    from tinygpt_tui.training.device import choose_device

    return TorchModel(stored.config, stored.tokenizer, checkpoint_of(stored, choose_device(device)).model)


def _no_senses(config: NativeConfig) -> UsageError:
    return UsageError(f"a {name_of(config.architecture)} has no senses", "use a model of the architecture backpack")


def _check_weights(weights: Weights) -> None:
    if weights != "fp32":
        raise UsageError("weights int8: only the native engine supports them", "choose fp32, or set the device to auto")
