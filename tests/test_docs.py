"""README.md and docs/: their commands can be typed, their examples run, their tables and links are right.

Every `tinygpt-tui ...` is parsed; what is in a block marked `sh` or `python` is also run, page by page.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tinygpt_tui.checkpoints.library import list_models
from tinygpt_tui.cli.main import COMMANDS, make_parser, run
from tinygpt_tui.planning.machine import Machine, save_machine
from tinygpt_tui.settings.base import count_parameters
from tinygpt_tui.settings.presets import ALL_PRESETS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "".join(f"the {a} cat sat on the {b} mat.\n" for a in ("red", "old", "shy") for b in ("big", "wet", "new")) * 40
# A page trains what a user would; its test trains for two steps, and a small model if the page starts from scratch.
SHORT = ["--steps", "2", "--evaluate-every", "2", "--sample-tokens", "5", "--threads", "1", "--batch-size", "4"]
SMALL = ["--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--ngram-rows", "0"]


def blocks(page: Path, kind: str) -> list[str]:
    """Return the contents of a page's code blocks of a kind; the kind of a plain block is empty."""
    return re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """Yield every command of a page as its words, without what explains it after two blanks."""
    text = page.read_text(encoding="utf-8")
    lines = [line for kind in ("", "sh") for block in blocks(page, kind) for line in block.splitlines()]
    inline = [" ".join(found.split()) for found in re.findall(r"(?<!`)`(tinygpt-tui [^`]+)`(?!`)", text)]
    for line in [*lines, *inline]:
        if line.startswith("tinygpt-tui "):
            yield shlex.split(re.split(r"  +| \| ", line)[0])[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_can_be_parsed(page: Path) -> None:
    for words in commands(page):
        command = next((word for word in words if not word.startswith("-")), None)
        if "--help" in words:
            assert command is None or command in COMMANDS
        else:
            make_parser(command).parse_args(words)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diary.txt").write_text(TEXT, encoding="utf-8")
    for line in "".join(blocks(page, "sh")).splitlines():
        words = shlex.split(line)[1:]
        if words[0] == "train":
            words += SHORT if "--from" in words else [*SHORT, *SMALL]
        if "--distil" in words:
            save_machine(Machine())  # this machine is known: nothing is measured
            words += ["--minutes", "0.02"]
        try:
            code = run(words)
        except SystemExit as ended:  # --help
            code = int(str(ended.code))
        assert code == 0, f"{line}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks(page, "python"):
        exec(block, {})
    assert len(capsys.readouterr().out) >= 100  # what is streamed


def rows(page: str) -> dict[str, list[str]]:
    """Return the rows of a page's tables by the name in the first cell."""
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {re.split("`", row[0])[1]: row for row in cells}


def test_the_table_of_models_is_what_models_prints() -> None:
    found = rows("docs/records.md")
    shipped = [card for card in list_models() if card.origin == "shipped"]
    assert shipped
    for card in shipped:
        assert card.trained is not None
        assert found[card.name][1] == f"{card.parameters:,}"
        assert found[card.name][4] == f"{card.trained.validation_loss:.3f}"


def test_the_presets_have_the_parameters_of_their_table() -> None:
    found = rows("docs/records.md")
    for name in ("seconds", "quick", "coffee", "modern", "classic", "nanogpt", "small", "tinygpt", "large"):
        architecture = msgspec.structs.replace(ALL_PRESETS[name].training.architecture, vocab_size=65)
        assert found[name][1].split()[0] == f"{count_parameters(architecture):,}", name


def test_links_lead_somewhere_and_every_page_is_linked() -> None:
    reached = set()
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
            reached.add((page.parent / link).resolve())
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")]
    assert all(page in reached or f"docs/{page.name}" in "".join(texts) for page in PAGES[1:])


def test_the_readme_is_short() -> None:
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 60
