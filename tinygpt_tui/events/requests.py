"""What can be asked of the engine process."""

from __future__ import annotations

import msgspec

from tinygpt_tui.settings.sampling import SamplingSettings


class OpenModel(msgspec.Struct, frozen=True, tag=True):
    """Have this model (a path) ready, so that the first token comes at once."""

    model: str


class Generate(msgspec.Struct, frozen=True, tag=True):
    """Write on from `prompt` with the model at this path; `job` is the asker's number for it."""

    job: int
    model: str
    prompt: str
    sampling: SamplingSettings


class StopJob(msgspec.Struct, frozen=True, tag=True):
    """End this job at its next token; what was written stays."""

    job: int


Request = OpenModel | Generate | StopJob
