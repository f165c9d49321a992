"""What can be done with a run now, and where it is kept. It knows nothing of Textual."""

from __future__ import annotations

from collections.abc import Callable

from tinygpt_tui.platforms import own_command
from tinygpt_tui.ui.jobs.training_session import Phase, TrainingSession

TRAINS_OR_WAITS = (Phase.TRAINING, Phase.PAUSED)
# The actions of a run, each with whether it makes sense now.
ACTIONS: dict[str, Callable[[TrainingSession], bool]] = {
    "pause": lambda session: session.phase is Phase.TRAINING,
    "end_pause": lambda session: session.phase in (Phase.PAUSED, Phase.PAUSING),
    "stop": lambda session: session.phase.live and session.phase is not Phase.STARTING,
    "sample_now": lambda session: session.phase in TRAINS_OR_WAITS,
    "save_now": lambda session: session.phase in TRAINS_OR_WAITS,
    "resume": lambda session: session.can_resume,
    "extend": lambda session: session.can_be_extended,
    "talk": lambda session: session.has_weights,
    "time_machine": lambda session: True,
    "export": lambda session: True,
    "compare": lambda session: True,
}


def possible(session: TrainingSession) -> set[str]:
    return {action for action, is_possible in ACTIONS.items() if is_possible(session)}


def place_line(session: TrainingSession, live_names: list[str]) -> str:
    """Return where the run is kept, or what happens to it when the app is left; first, which others are live."""
    others = [name for name in live_names if name != session.name]
    also = f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} training too: see ctrl+o. " if others else ""
    if session.phase.live:
        return f"{also}Training continues when you quit; stop: s or `{own_command('stop', session.name)}`."
    where = f"are in {session.run.model}" if session.own else "came with the program"
    return f"{also}The model and its run {where}."
