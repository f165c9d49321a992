"""A box about a run that finished, failed, died or waits; hidden while it trains."""

from __future__ import annotations

from textual.widgets import Static

from tinygpt_tui.ui.jobs.training_session import Phase, TrainingSession


class TrainNotice(Static):
    """Says in words what its colour says."""

    DEFAULT_CSS = """
    TrainNotice { height: auto; max-height: 6; display: none; padding: 0 1; border-left: thick; }
    TrainNotice.-shown { display: block; }
    """

    def __init__(self) -> None:
        super().__init__("", id="notice", markup=False)

    def show_notice(self, session: TrainingSession) -> None:
        """Show the notice about the run, if there is one."""
        text = notice_of(session)
        self.set_class(bool(text), "-shown")
        self.set_class(session.phase in (Phase.FAILED, Phase.DIED), "-bad")
        self.set_class(session.phase is Phase.FINISHED, "-good")
        self.update(text)


def notice_of(session: TrainingSession) -> str:
    """Return the notice; empty if there is none."""
    history, phase = session.history, session.phase
    ended, best = history.ended, history.best
    saved = f"validation loss {best[1]:.4f} at step {best[0]:,}" if best else "no weights saved yet"
    again = " Resume from the last checkpoint: g." if session.has_state else " Start it again: g."
    again = again if session.can_resume else ""
    talk = "; generate with it (g)" if session.has_weights else ""
    match phase:
        case Phase.FINISHED:
            return f"Done: {saved}{talk}."
        case Phase.STOPPED:
            return f"Stopped at step {history.step:,}; the best weights are saved: {saved}{talk}.{again}"
        case Phase.FAILED:
            message = ended.message if ended else session.status_message
            hint = f"\nWhat helps: {ended.hint}." if ended and ended.hint else ""
            return f"Failed: {message or 'for an unknown reason'}.{hint}\nBest so far: {saved}.{again}"
        case Phase.DIED if session.never_started:
            words = session.log_tail()
            return f"The trainer ended before the first step.{again}" + (f"\n{words}" if words else "")
        case Phase.DIED:
            return (
                f"The trainer was killed or crashed at step {history.step:,}.\n"
                f"Everything up to here is saved; best: {saved}.{again}"
            )
        case Phase.PAUSED:
            reason = history.paused.reason if history.paused else ""
            why = reason or session.status_message
            return f"Paused: {why}" if why else "Paused. The trainer waits in memory; press Space to continue."
        case _:
            return ""
