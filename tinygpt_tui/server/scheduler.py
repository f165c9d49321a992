"""The thread that writes: only it runs the engines, and it advances all jobs by a token in turn.

Orders for one model share its passes (continuous batching): a new one joins between two tokens of the others. Each
round takes in one new job, so that many newcomers do not hold up those who are reading.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from http import HTTPStatus

from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.events.generation import GenerationEnded
from tinygpt_tui.generation.batch import Batch
from tinygpt_tui.generation.text import TextEvent, TextGeneration
from tinygpt_tui.server.problems import Problem
from tinygpt_tui.settings.sampling import Window
from tinygpt_tui.workers.models import OpenedModel

RETRY_AFTER_S = 1


class Job:
    """The texts of one request; `deliver` gets their events in the scheduler's thread, and never waits."""

    def __init__(
        self,
        model: OpenedModel,
        window: Window,
        texts: Sequence[TextGeneration],
        deliver: Callable[[Sequence[TextEvent]], None],
    ) -> None:
        self.model, self.window, self.texts, self.deliver = model, window, list(texts), deliver
        self.cancelled = False

    def cancel(self) -> None:
        """End its texts; safe to call from another thread."""
        self.cancelled = True
        for text in self.texts:
            text.stop()


class Scheduler:
    """Accepts jobs from any thread."""

    def __init__(self, texts: int, waiting: int) -> None:
        """Write at most `texts` at once, and let at most `waiting` jobs wait."""
        self._texts, self._room = texts, waiting
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._jobs: dict[int, Job] = {}  # that are being written, by their texts' job
        self._batches: dict[tuple[OpenedModel, Window], Batch] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End all texts, and the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def texts(self) -> int:
        return sum(len(batch) for batch in self._batches.copy().values())

    def check_room(self) -> None:
        """Raise Problem if the queue is full."""
        with self._changed:
            self._check_room()

    def _check_room(self) -> None:
        self._waiting = deque(job for job in self._waiting if not job.cancelled)
        if len(self._waiting) > self._room or (len(self._waiting) == self._room and self._texts <= self.texts):
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.texts} texts are being written and {len(self._waiting)} requests wait; try again",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )

    def submit(self, job: Job) -> None:
        """Accept a job. Raises Problem if the queue is full, or the server is shutting down."""
        with self._changed:
            if self._closed:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the server is shutting down")
            self._check_room()
            self._waiting.append(job)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._waiting or self._batches):
                    self._changed.wait()
                if self._closed:
                    jobs = [*self._jobs.values(), *self._waiting]
                    self._waiting.clear()
                    break
                job = self._next()
            if job is not None:
                self._begin(job)
            for key, batch in list(self._batches.items()):
                self._step(key, batch)
        for job in jobs:
            job.deliver([text.end() for text in job.texts])

    def _next(self) -> Job | None:
        """Return the next job, if there is room for its texts."""
        while self._waiting and self._waiting[0].cancelled:
            self._waiting.popleft()
        if self._waiting and self.texts + len(self._waiting[0].texts) <= self._texts:
            return self._waiting.popleft()
        return None

    def _begin(self, job: Job) -> None:
        key = (job.model, job.window)
        self._jobs[job.texts[0].job] = job
        try:
            batch = self._batches.get(key)
            if batch is None:
                engine = job.model.new_batch_engine(self._texts, job.window)
                batch = self._batches[key] = Batch(engine)
            self._deliver(batch.join(job.texts))
        except Exception as error:
            self._fail([job], error)
        self._forget_if_empty(key)

    def _step(self, key: tuple[OpenedModel, Window], batch: Batch) -> None:
        try:
            self._deliver(batch.step())
        except Exception as error:
            del self._batches[key]
            self._fail([job for job in self._jobs.values() if (job.model, job.window) == key], error)
        self._forget_if_empty(key)

    def _forget_if_empty(self, key: tuple[OpenedModel, Window]) -> None:
        if key in self._batches and not len(self._batches[key]):
            del self._batches[key]

    def _deliver(self, events: Sequence[TextEvent]) -> None:
        by_job: dict[int, list[TextEvent]] = {}
        for event in events:
            by_job.setdefault(event.job, []).append(event)
        for number, theirs in by_job.items():
            job = self._jobs[number]
            job.deliver(theirs)
            ended = {event.sample for event in theirs if isinstance(event, GenerationEnded)}
            if ended:
                job.texts = [text for text in job.texts if text.sample not in ended]
                if not job.texts:
                    del self._jobs[number]

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        """End the texts of `jobs` with an error; an unexpected one leaves its traceback in the server's output."""
        if not isinstance(error, TinyGPTError):
            traceback.print_exception(error, file=sys.stderr)
            error = TinyGPTError("the engine failed", "the server's own output has the details")
        for job in jobs:
            self._jobs.pop(job.texts[0].job, None)
            for text in job.texts:
                text.error = error
            job.deliver([text.end() for text in job.texts])
