"""What somebody should know about a run now: that it is done, failed, died, or waits; nothing while all is well."""

from __future__ import annotations

from textual.widgets import Static

from tinygpt_tui.ui.jobs.training_session import Phase, TrainingSession


class TrainNotice(Static):
    """Hidden while there is nothing to say; its kind is a word, not only a colour."""

    DEFAULT_CSS = """
    TrainNotice { height: auto; max-height: 6; display: none; padding: 0 1; border-left: thick; }
    TrainNotice.-shown { display: block; }
    """

    def __init__(self) -> None:
        super().__init__("", id="notice", markup=False)

    def show(self, session: TrainingSession) -> None:
        """Say what there is to say about the run."""
        text = notice_of(session)
        self.set_class(bool(text), "-shown")
        self.set_class(session.phase in (Phase.FAILED, Phase.DIED), "-bad")
        self.set_class(session.phase is Phase.FINISHED, "-good")
        self.update(text)


def notice_of(session: TrainingSession) -> str:
    """The words of the notice; empty where nothing needs saying."""
    history, phase = session.history, session.phase
    ended, best = history.ended, history.best
    kept = f"validation loss {best[1]:.4f} at step {best[0]:,}" if best else "no weights were kept yet"
    again = " Go on from the last saved state: g." if session.has_state else " Begin it again: g."
    again = again if session.can_go_on else ""
    talk = "; talk to it in Generate (t)" if session.has_weights else ""
    match phase:
        case Phase.FINISHED:
            return f"Done: {kept}{talk}."
        case Phase.STOPPED:
            return f"Stopped at step {history.step:,}, the best is kept: {kept}{talk}.{again}"
        case Phase.FAILED:
            message = ended.message if ended else session.status_message
            hint = f"\nWhat helps: {ended.hint}." if ended and ended.hint else ""
            return f"Failed: {message or 'nobody said why'}.{hint}\nBest so far: {kept}.{again}"
        case Phase.DIED if session.never_began:
            words = session.last_words()
            return f"The trainer ended before it began.{again}" + (f"\n{words}" if words else "")
        case Phase.DIED:
            return (
                f"The trainer died at step {history.step:,} without a word: killed, or the machine went down.\n"
                f"Everything up to here is kept; best: {kept}.{again}"
            )
        case Phase.PAUSED:
            reason = history.paused.reason if history.paused else ""
            why = reason or session.status_message
            return f"Paused: {why}" if why else "Paused. The trainer waits in memory; press p to go on."
        case _:
            return ""
