"""What must start at once imports neither torch nor Textual: fresh interpreters prove it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = (
    "tinygpt_tui",
    "tinygpt_tui.errors, tinygpt_tui.paths, tinygpt_tui.files",
    "tinygpt_tui.settings.presets, tinygpt_tui.settings.fields, tinygpt_tui.settings.counting, "
    "tinygpt_tui.settings.load, tinygpt_tui.settings.app, tinygpt_tui.events.wire",
    "tinygpt_tui.tokenizers.table, tinygpt_tui.tokenizers.stream",
    "tinygpt_tui.runs.index, tinygpt_tui.runs.journal, tinygpt_tui.runs.control, tinygpt_tui.runs.folder, "
    "tinygpt_tui.runs.history, tinygpt_tui.runs.new_run",
    "tinygpt_tui.runs.timeline, tinygpt_tui.runs.manage, tinygpt_tui.runs.report, tinygpt_tui.checkpoints.snapshot",
    "tinygpt_tui.checkpoints.library, tinygpt_tui.corpora.catalog, tinygpt_tui.corpora.corpus",
    "tinygpt_tui.workers.client, tinygpt_tui.workers.trainer, tinygpt_tui.workers.pump, tinygpt_tui.workers.host",
    "tinygpt_tui.charts",
    "tinygpt_tui.events.tracing",
    "tinygpt_tui.sessions.store, tinygpt_tui.sessions.autosave, tinygpt_tui.sessions.export",
)


@pytest.mark.parametrize("modules", LIGHT)
def test_it_imports_no_torch_and_no_textual(modules: str) -> None:
    code = f"import sys, {modules}; print(*sorted({{'torch', 'textual'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == ""
