"""The thread that writes: it alone runs the engines, and takes all orders a token further in turn.

Orders for one model share its passes (continuous batching): a new one joins between two tokens of the others. Each
round takes in one new order, so that a crowd of newcomers does not hold up those who are reading.
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
from tinygpt_tui.generation.crowd import Crowd, Writing, WritingEvent
from tinygpt_tui.server.problems import Problem
from tinygpt_tui.settings.sampling import Window
from tinygpt_tui.workers.opened import OpenedModel

RETRY_AFTER_S = 1


class Order:
    """The texts of one request, and who is told; `deliver` is called in the scheduler's thread, and never waits."""

    def __init__(
        self,
        model: OpenedModel,
        window: Window,
        writings: Sequence[Writing],
        deliver: Callable[[Sequence[WritingEvent]], None],
    ) -> None:
        self.model, self.window, self.writings, self.deliver = model, window, list(writings), deliver
        self.cancelled = False

    def cancel(self) -> None:
        """Write nothing more of it; safe to call from another thread."""
        self.cancelled = True
        for writing in self.writings:
            writing.stop()


class Scheduler:
    """Takes orders from any thread."""

    def __init__(self, texts: int, waiting: int) -> None:
        """Write at most `texts` at once, and let at most `waiting` orders wait."""
        self._texts, self._room = texts, waiting
        self._changed = threading.Condition()
        self._waiting: deque[Order] = deque()
        self._orders: dict[int, Order] = {}  # that are being written, by their writings' job
        self._crowds: dict[tuple[OpenedModel, Window], Crowd] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """End all texts where they are, and the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def texts(self) -> int:
        """How many texts are being written."""
        return sum(len(crowd) for crowd in self._crowds.copy().values())

    def check_room(self) -> None:
        """Raise Problem where one more order could not wait."""
        with self._changed:
            self._check_room()

    def _check_room(self) -> None:
        self._waiting = deque(order for order in self._waiting if not order.cancelled)
        if len(self._waiting) > self._room or (len(self._waiting) == self._room and self._texts <= self.texts):
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.texts} texts are being written and {len(self._waiting)} requests wait; come again",
                code="rate_limit_exceeded",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )

    def submit(self, order: Order) -> None:
        """Take an order. Raises Problem where too many wait already, or the server is going."""
        with self._changed:
            if self._closed:
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the server is going")
            self._check_room()
            self._waiting.append(order)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._closed or self._waiting or self._crowds):
                    self._changed.wait()
                if self._closed:
                    orders = [*self._orders.values(), *self._waiting]
                    self._waiting.clear()
                    break
                order = self._next()
            if order is not None:
                self._begin(order)
            for key, crowd in list(self._crowds.items()):
                self._step(key, crowd)
        for order in orders:
            order.deliver([writing.end("stopped") for writing in order.writings if writing.ended is None])

    def _next(self) -> Order | None:
        """Return the order whose turn it is, if there is room for its texts."""
        while self._waiting and self._waiting[0].cancelled:
            self._waiting.popleft()
        if self._waiting and self.texts + len(self._waiting[0].writings) <= self._texts:
            return self._waiting.popleft()
        return None

    def _begin(self, order: Order) -> None:
        key = (order.model, order.window)
        self._orders[order.writings[0].job] = order
        try:
            crowd = self._crowds.get(key)
            if crowd is None:
                engine = order.model.new_batch_engine(self._texts, order.window)
                crowd = self._crowds[key] = Crowd(engine, order.model.engine_name)
            self._deliver(crowd.join(order.writings))
        except Exception as error:
            self._fail([order], error)
        self._forget_if_empty(key)

    def _step(self, key: tuple[OpenedModel, Window], crowd: Crowd) -> None:
        try:
            self._deliver(crowd.step())
        except Exception as error:
            del self._crowds[key]
            self._fail([order for order in self._orders.values() if (order.model, order.window) == key], error)
        self._forget_if_empty(key)

    def _forget_if_empty(self, key: tuple[OpenedModel, Window]) -> None:
        if key in self._crowds and not len(self._crowds[key]):
            del self._crowds[key]

    def _deliver(self, events: Sequence[WritingEvent]) -> None:
        by_job: dict[int, list[WritingEvent]] = {}
        for event in events:
            by_job.setdefault(event.job, []).append(event)
        for job, theirs in by_job.items():
            order = self._orders[job]
            order.deliver(theirs)
            ended = {event.sample for event in theirs if isinstance(event, GenerationEnded)}
            if ended:
                order.writings = [writing for writing in order.writings if writing.sample not in ended]
                if not order.writings:
                    del self._orders[job]

    def _fail(self, orders: Sequence[Order], error: Exception) -> None:
        """Tell those whose texts broke off; what no user can cause leaves its traceback where the server talks."""
        if not isinstance(error, TinyGPTError):
            traceback.print_exception(error, file=sys.stderr)
            error = TinyGPTError("the engine failed", "the server's own output has the details")
        for order in orders:
            self._orders.pop(order.writings[0].job, None)
            order.deliver([writing.end("failed", error) for writing in order.writings])
