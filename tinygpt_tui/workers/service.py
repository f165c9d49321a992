"""Handles the requests of the engine process: models are opened once, jobs advance in turn."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tinygpt_tui import paths
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import EngineFailed, EngineReady, GenerationEnded, GenerationEvent, ModelOpened
from tinygpt_tui.events.requests import (
    Allow,
    Attribute,
    ChangeSampling,
    CheckText,
    CompareWeights,
    Control,
    Explain,
    Generate,
    JobRequest,
    LookAtSenses,
    OpenModel,
    Request,
    SaveCopy,
    StopJob,
    Trace,
    Work,
)
from tinygpt_tui.generation.text import GenerationJob
from tinygpt_tui.insight.attribution import AttributionJob
from tinygpt_tui.insight.compare import CompareJob
from tinygpt_tui.insight.explain import ExplainJob
from tinygpt_tui.packages import torch_version
from tinygpt_tui.settings.computing import AUTO
from tinygpt_tui.workers.model_cache import ModelCache
from tinygpt_tui.workers.models import OpenedModel
from tinygpt_tui.workers.process import ENGINE_LOG
from tinygpt_tui.workers.snapshots import SnapshotCache
from tinygpt_tui.workers.traces import Traces

if TYPE_CHECKING:
    from tinygpt_tui.workers.text_checks import TextChecks


class Job(Protocol):
    """The work for one request: iterate for its events, of which the last is GenerationEnded."""

    def stop(self) -> None: ...

    def __iter__(self) -> Iterator[GenerationEvent]: ...


class EngineService:
    """Opened models and running jobs."""

    def __init__(self, device: str = AUTO) -> None:
        """`device` is where models compute; comparing weights and tracing stay on the CPU."""
        self._models = ModelCache(device)
        self._snapshots = SnapshotCache(device=device)
        self._traces = Traces()
        self._text_checks: TextChecks | None = None  # made for the first check, which needs more than writing
        self._jobs: dict[int, tuple[Job, Iterator[GenerationEvent]]] = {}
        self._paced: dict[int, GenerationJob] = {}  # those that may have to wait; the others cost no time for it

    @property
    def busy(self) -> bool:
        """Whether a job has something to do: not every one waits for more tokens to be allowed."""
        return bool(self._jobs) and (
            len(self._paced) < len(self._jobs) or not all(job.waiting for job in self._paced.values())
        )

    def ready(self) -> EngineReady:
        versions = {"python": platform.python_version()}
        if torch := torch_version():
            versions["torch"] = torch
        return EngineReady(pid=os.getpid(), versions=versions)

    def handle(self, asked_at: float, request: Request) -> list[GenerationEvent]:
        """Handle a request, or start its job; return the first events."""
        match request:
            case OpenModel(model=model):
                return self._open(model)
            case JobRequest():
                return self._begin(asked_at, request)
            case StopJob() | Allow() | ChangeSampling():
                if request.job in self._jobs:
                    self._control(self._jobs[request.job][0], request)
                return []

    def advance(self) -> Iterator[GenerationEvent]:
        """Yield one event of each running job that does not wait."""
        for number, (_, events) in list(self._jobs.items()):
            if number in self._paced and self._paced[number].waiting:
                continue
            try:
                event = next(events)
            except Exception as error:
                event = _failed(number, error)
            if isinstance(event, GenerationEnded):
                del self._jobs[number]
                self._paced.pop(number, None)
            yield event

    def _open(self, model: str) -> list[GenerationEvent]:
        began = time.perf_counter()
        try:
            opened, known = self._models.open_or_find(Path(model))
        except Exception as error:
            return [EngineFailed(*_described(error), model)]
        if known:
            return []
        return [
            ModelOpened(
                model=model,
                block_size=opened.config.architecture.context_length,
                vocab_size=opened.config.architecture.vocab_size,
                parameters=opened.config.parameters,
                seconds=time.perf_counter() - began,
            )
        ]

    def _begin(self, asked_at: float, request: Work) -> list[GenerationEvent]:
        try:
            job = self._job(asked_at, request)
        except Exception as error:
            return [_failed(request.job, error)]
        self._jobs[request.job] = (job, iter(job))
        if isinstance(job, GenerationJob) and isinstance(request, Generate) and request.allowed is not None:
            self._paced[request.job] = job
        return []

    def _control(self, job: Job, request: Control) -> None:
        if isinstance(request, StopJob):
            job.stop()
        elif isinstance(job, GenerationJob):
            if isinstance(request, ChangeSampling):
                job.change_sampling(request.sampling)
            else:
                job.allow(request.tokens, request.candidates)
                self._paced.pop(request.job, None)
                if request.tokens is not None:
                    self._paced[request.job] = job

    def _job(self, asked_at: float, request: Work) -> Job:
        if isinstance(request, CompareWeights):
            return CompareJob(Path(request.model), Path(request.other), job=request.job)
        if isinstance(request, LookAtSenses):
            return _senses(self._models.open(Path(request.model)), request)
        if isinstance(request, Trace):
            return self._traces.job(request)
        if isinstance(request, CheckText):
            return self._check_text(request)
        if isinstance(request, Generate) and request.at_step is not None:
            opened = self._snapshots.open(Path(request.model), request.at_step)
        else:
            opened = self._models.open(Path(request.model), untrained=request.untrained)
        if isinstance(request, SaveCopy):
            return _save_copy(opened, request)
        if isinstance(request, Explain):
            return _explain(opened, request)
        if isinstance(request, Attribute):
            return _attribute(opened, request)
        if request.gains:
            opened = opened.dialled(request.gains)
        return opened.new_job(
            request.prompt,
            request.sampling,
            job=request.job,
            candidates=request.candidates,
            allowed=request.allowed,
            changes=request.changes,
            asked_at=asked_at,
        )

    def _check_text(self, request: CheckText) -> Job:
        from tinygpt_tui.workers.text_checks import TextChecks

        if self._text_checks is None:
            self._text_checks = TextChecks()
        return self._text_checks.job(request)


def _explain(opened: OpenedModel, request: Explain) -> Job:
    return ExplainJob(
        opened.new_engine(request.sampling.window, request.sampling.weights),
        opened.tokenizer,
        opened.config.architecture.block_size,
        request.text,
        request.start,
        request.end,
        candidates=request.candidates,
        sampling=request.sampling,
        job=request.job,
    )


def _attribute(opened: OpenedModel, request: Attribute) -> Job:
    window, weights = request.sampling.window, request.sampling.weights
    return AttributionJob(
        opened.new_engine(window, weights),
        opened.new_replacer(window, weights),
        opened.tokenizer,
        opened.config.architecture.block_size,
        request.text,
        request.offset,
        job=request.job,
    )


def _save_copy(opened: OpenedModel, request: SaveCopy) -> Job:
    engine = opened.adaptive_engine()
    from tinygpt_tui.workers.saving_copies import SaveCopyJob

    return SaveCopyJob(engine, opened.tokenizer, request)


def _senses(opened: OpenedModel, request: LookAtSenses) -> Job:
    backpack = opened.backpack  # torch is imported by now
    from tinygpt_tui.insight.senses import SensesJob

    return SensesJob(backpack, opened.tokenizer, request.text, candidates=request.candidates, job=request.job)


def _failed(job: int, error: Exception) -> GenerationEnded:
    message, hint = _described(error)
    return GenerationEnded(
        job=job, reason="failed", tokens=0, seconds=0.0, seconds_to_first=None, message=message, hint=hint
    )


def _described(error: Exception) -> tuple[str, str]:
    """Return message and hint; an unexpected error leaves its traceback in the log."""
    if isinstance(error, TinyGPTError):
        return error.message, error.hint
    traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {error}", f"the details are in {paths.logs_folder() / ENGINE_LOG}"
