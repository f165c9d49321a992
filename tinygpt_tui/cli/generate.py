"""tinygpt-tui generate: continue a prompt; only the text goes to stdout.

Without a prompt, a terminal gets a loop.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tinygpt_tui.cli.flags import add_setting_flags, text_argument, typed_settings
from tinygpt_tui.cli.output import notify, write_data
from tinygpt_tui.errors import ExitCode, UsageError
from tinygpt_tui.settings.computing import ComputingSettings
from tinygpt_tui.settings.fields import checked
from tinygpt_tui.settings.sampling import SamplingSettings, without_effect

if TYPE_CHECKING:
    from tinygpt_tui.events.generation import GenerationEvent, LearnedWord
    from tinygpt_tui.workers.models import OpenedModel

UNKNOWN_SHOWN = 20
SEPARATOR = "---------------\n"  # nanoGPT's

ESCAPES = r"""
Texts of flags except --prompt may hold \n (new line), \t, \r and \\ (backslash): --stop '\n\n' --stop END
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [model] [--prompt TEXT] [--num-samples N] [--seed N]\n  [--temperature X] [OPTION ...]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = ESCAPES.strip()
    parser.add_argument(
        "model",
        nargs="?",
        default="shakespeare",
        help="a model's name (`tinygpt-tui models`), its folder, or hf:NAME (default: %(default)s)",
    )
    parser.add_argument(
        "--prompt",
        type=text_argument,
        metavar="TEXT",
        help="the text to continue; - reads it from stdin (default: empty; a terminal is asked for prompts)",
    )
    parser.add_argument("--no-echo", action="store_true", help="do not repeat the prompt in the output")
    parser.add_argument(
        "--num-samples",
        type=int,
        default=1,
        metavar="N",
        help="write N texts, several in one pass, with the seeds --seed, --seed + 1, … (default: 1)",
    )
    parser.add_argument(
        "--at-step",
        type=int,
        metavar="N",
        help="use the model of step N of its run, or of the nearest step that was saved",
    )
    parser.add_argument(
        "--keep",
        metavar="NAME",
        help="with --adapt: save the copy that has learned from the prompt as a model of this name",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON event a line instead of the text")
    parser.add_argument(
        "--candidates",
        type=int,
        metavar="K",
        help="with --json: the probability, rank and entropy of each token, and the K most likely alternatives",
    )
    add_setting_flags(parser, SamplingSettings, "sampling")
    add_setting_flags(parser, ComputingSettings, "computing")


def run(arguments: argparse.Namespace) -> int:
    """Stream one text, or write several. Raises UsageError, NotFoundError, CheckpointError."""
    sampling = checked(SamplingSettings, typed_settings(arguments, SamplingSettings))
    device = checked(ComputingSettings, typed_settings(arguments, ComputingSettings)).device
    _check(arguments, sampling)
    if names := [*without_effect(sampling), *(["num_samples"] if _all_the_same(sampling, arguments) else [])]:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        notify(f"tinygpt-tui: ignored at temperature 0, which always chooses the most likely token: {flags}")
    if _asks_for_prompts(arguments):
        return _loop(arguments, sampling, device)
    prompt = arguments.prompt or ""
    if prompt == "-":
        prompt = sys.stdin.buffer.read().decode("utf-8", "replace")

    model = _open(arguments.model, arguments.at_step, device)
    events = _events(model, prompt, sampling, arguments.num_samples, arguments.candidates)
    try:
        if arguments.json:
            _write_events(events)
        else:
            _write_texts(events, "" if arguments.no_echo else _echo(model, prompt), arguments.num_samples)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    if arguments.keep is not None:
        _save_copy(model, arguments)
    return int(ExitCode.OK)


def _save_copy(model: OpenedModel, arguments: argparse.Namespace) -> None:
    from tinygpt_tui.adapting.keeping import adapted_model
    from tinygpt_tui.cli.model_at import model_at
    from tinygpt_tui.cli.open import save_model
    from tinygpt_tui.platforms import own_command

    base = model_at(arguments.model)
    saved = save_model(adapted_model(model.adaptive_engine(), model.tokenizer, base), base, arguments.keep)
    notify(f"saved as {saved.name}; to write with it: {own_command('generate', saved.name)}")


def _asks_for_prompts(arguments: argparse.Namespace) -> bool:
    one_text = arguments.num_samples == 1 and not arguments.json
    return arguments.prompt is None and one_text and sys.stdin.isatty() and sys.stdout.isatty()


def _loop(arguments: argparse.Namespace, sampling: SamplingSettings, device: str) -> int:
    from tinygpt_tui.cli.prompt_loop import PromptLoop
    from tinygpt_tui.tokenizers.dialogues import has_roles

    def write_text(model: OpenedModel, prompt: str, sampling: SamplingSettings) -> str:
        echo = "" if arguments.no_echo or has_roles(model.tokenizer) else prompt
        return _write_texts(_events(model, prompt, sampling, 1, None), echo, 1)

    PromptLoop(arguments.model, sampling, lambda name: _open(name, arguments.at_step, device), write_text).run()
    return int(ExitCode.OK)


def _open(name: str, at_step: int | None, device: str) -> OpenedModel:
    from tinygpt_tui.checkpoints.library import doubts_of
    from tinygpt_tui.cli.model_at import model_at
    from tinygpt_tui.workers.current_weights import weights_now
    from tinygpt_tui.workers.models import open_moment, open_now

    folder = model_at(name)
    if at_step is None:
        opened = open_now(folder, weights_now(folder), device)
        if doubt := doubts_of(folder):  # after opening, which measures some of it
            notify(f"tinygpt-tui: {name}: {doubt}")
        return opened
    from tinygpt_tui.runs.folder import RunFolder
    from tinygpt_tui.runs.timeline import nearest

    moment = nearest(RunFolder(folder), at_step)
    if moment.step != at_step:
        notify(f"tinygpt-tui: step {at_step} was not saved; using step {moment.step}")
    return open_moment(folder, moment, device)


def _all_the_same(sampling: SamplingSettings, arguments: argparse.Namespace) -> bool:
    return sampling.temperature == 0 and arguments.num_samples > 1


def _check(arguments: argparse.Namespace, sampling: SamplingSettings) -> None:
    if arguments.num_samples < 1:
        raise UsageError(f"num samples: must be at least 1, not {arguments.num_samples}")
    if arguments.keep is not None:
        _check_keep(arguments, sampling)
    if arguments.candidates is None:
        return
    if arguments.candidates < 0:
        raise UsageError(f"candidates: must be at least 0, not {arguments.candidates}")
    if not arguments.json:
        raise UsageError("--candidates needs --json", "add --json")


def _check_keep(arguments: argparse.Namespace, sampling: SamplingSettings) -> None:
    """Check before anything is written that the copy can be kept. Raises UsageError."""
    from tinygpt_tui.runs.index import check_name

    if not sampling.adapt:
        raise UsageError("--keep needs --adapt", "add --adapt")
    if not arguments.prompt:
        raise UsageError("--keep needs a prompt to learn from", "add --prompt TEXT, or --prompt - with a file on stdin")
    check_name(arguments.keep)


def _events(
    model: OpenedModel, prompt: str, sampling: SamplingSettings, samples: int, candidates: int | None
) -> Iterator[GenerationEvent]:
    """Return the events of writing `samples` texts."""
    if samples == 1:
        return iter(model.new_job(prompt, sampling, candidates=candidates))
    return model.samples(prompt, sampling, samples, candidates)


def _write_events(events: Iterator[GenerationEvent]) -> None:
    from tinygpt_tui.events import wire

    for event in events:
        write_data(wire.to_line(event).decode())


def _echo(model: OpenedModel, prompt: str) -> str:
    """Return what is written before the text: the prompt, on a line of its own if the model answers it."""
    from tinygpt_tui.tokenizers.dialogues import has_roles

    return f"{prompt}\n" if prompt and has_roles(model.tokenizer) else prompt


def _write_texts(events: Iterator[GenerationEvent], echo: str, samples: int) -> str:
    """Write one text as it grows, and return it without the echo.

    Of several, each is written when it and all before it have ended, with a line between.
    """
    from tinygpt_tui.events.generation import Adapted, GenerationEnded, GenerationStarted, Token, learned_in_words

    texts: dict[int, str] = {}  # not written to stdout yet
    ended: set[int] = set()
    shown, written = 0, ""
    learned: tuple[LearnedWord, ...] = ()

    def write_one(text: str) -> None:
        nonlocal shown
        write_data(f"{SEPARATOR if shown else ''}{text}\n")
        shown += 1

    try:
        for event in events:
            if isinstance(event, Adapted):
                learned = event.words
            elif isinstance(event, GenerationStarted):
                if not event.sample:
                    _report_unknown(event.unknown)
                if samples == 1:
                    shown = 1
                    write_data(echo)
                else:
                    texts[event.sample] = echo
            elif isinstance(event, Token | GenerationEnded):
                if samples == 1:
                    write_data(event.text)
                    written += event.text
                    continue
                texts[event.sample] += event.text
                if isinstance(event, GenerationEnded):
                    ended.add(event.sample)
                    while shown in ended:
                        write_one(texts.pop(shown))
    finally:
        for text in texts.values():  # interrupted: as far as they were written
            write_one(text)
        if samples == shown == 1 and sys.stdout.isatty():
            write_data("\n")
    for word in learned:
        notify(learned_in_words(word))
    return written


def _report_unknown(unknown: str) -> None:
    if unknown:
        named = " ".join(f"`{_printable(character)}`" for character in unknown[:UNKNOWN_SHOWN])
        notify(f"tinygpt-tui: left out, because they are not in the vocabulary: {named}")


def _printable(character: str) -> str:
    """Return a character, escaped if it is a control character: `\\x1b`."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()
