"""Exports: what was written can be told from what was asked, and nothing is lost on the way."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tinygpt_tui.sessions import tree
from tinygpt_tui.sessions.document import Session, full_text
from tinygpt_tui.sessions.encoding import FORMAT, from_bytes, to_bytes
from tinygpt_tui.sessions.export import as_json, as_markdown, as_text, exports_of
from tinygpt_tui.settings.sampling import SamplingSettings

MADE = "2027-01-15T12:00:00Z"


def session() -> Session:
    about = {"model": "one", "sampling": SamplingSettings(top_k=5, stop=("\n\n",)), "created_at": MADE}
    made = tree.add_root(Session(id="s"), "The *king*", seed=7, reason="length", **about)
    made = tree.append(made, 0, " is\n```\ndead", 3)
    made = tree.append(tree.fork(made, 0, 11, "was", seed=8, **about), 1, " here", 2)
    return tree.rename(tree.mark(made, 1, True), 1, "Past")


def test_text_is_the_text() -> None:
    assert as_text(session(), 0).decode() == "The *king* is\n```\ndead"
    assert as_text(tree.add_root(Session(id="s"), "a\ud800b"), 0) == b"a?b"


def test_markdown_says_who_wrote_what() -> None:
    assert as_markdown(session(), 0).decode() == (
        "# The \\*king\\* is \\`\\`\\` dead\n\n"
        "- model: one\n- seed: 7\n- temperature: 0.8\n- top k: 5\n- stop: '\\\\n\\\\n'\n- tokens: 3\n"
        "- started: 2027-01-15T12:00:00Z\n- ended: length\n\n"
        "**Prompt**\n\n> ```text\n> The *king*\n> ```\n\n"
        "**Written**\n\n````text\n is\n```\ndead\n````\n\n"
        "## Branches\n\n"
        "````text\nThe *king* is ``` dead (above) · one, seed 7, 3 tokens\n"
        "└─ ★ Past · one, seed 8, 2 tokens\n````\n\n"
        "## Past\n\n"
        "- model: one\n- seed: 8\n- temperature: 0.8\n- top k: 5\n- stop: '\\\\n\\\\n'\n- tokens: 2\n"
        "- leaves its parent at character 11\n- started: 2027-01-15T12:00:00Z\n- ended: unknown\n\n"
        "**Prompt**\n\n> ```text\n> The *king*\n> ```\n\n"
        "**Written**\n\n```text\n was here\n```\n"
    )


def test_weights_are_stamped_for_good() -> None:
    stamp = {"step": 1240, "validation_loss": 1.52341, "in_training": True}
    stamped = tree.change(tree.change(session(), 0, **stamp), 1, step=5000, validation_loss=1.25)
    stamped = from_bytes(to_bytes(stamped), "s")
    assert stamped.branches[0].stamp == "step 1,240 (newest), loss 1.52"
    assert stamped.branches[1].stamp == "step 5,000, loss 1.25"
    told = as_markdown(stamped, 0).decode()
    assert "- weights: of step 1240, validation loss 1.5234 (its latest weights; it was in training)\n" in told
    assert "- weights: of step 5000, validation loss 1.2500\n" in told
    branch = json.loads(as_json(stamped))["branches"][0]
    assert {name: branch[name] for name in stamp} == stamp
    before = to_bytes(session()).replace(b'"format":%d' % FORMAT, b'"format":1')
    for name in (b'"step":null,', b'"validation_loss":null,', b'"in_training":false,', b'"untrained":false,'):
        before = before.replace(name, b"")
    assert from_bytes(before, "s") == session()  # a session of before there were stamps


def test_untrained_models_of_older_sessions_are_known_by_their_name() -> None:
    written = tree.change(session(), 0, model="cat, untrained", untrained=True)
    assert from_bytes(to_bytes(written), "s") == written
    older = to_bytes(written).replace(b'"format":%d' % FORMAT, b'"format":2').replace(b'"untrained":true,', b"")
    assert from_bytes(older.replace(b'"untrained":false,', b""), "s") == written


def test_json_has_everything() -> None:
    whole = json.loads(as_json(session()))
    assert (whole["program"], whole["kind"], whole["version"], whole["current"]) == ("tinygpt-tui", "session", 1, 1)
    root, fork = whole["branches"]
    assert (fork["parent"], fork["kept"], fork["name"], fork["seed"]) == (0, True, "Past", 8)
    assert fork["full_text"] == "The *king* was here"
    assert fork["full_text"][fork["fork_at"] :] == fork["text"]
    assert root["full_text"][: root["prompt_end"]] == "The *king*"
    assert root["sampling"]["stop"] == ["\n\n"]


@given(st.text(st.characters(exclude_categories=("Cs",))), st.text(st.characters(exclude_categories=("Cs",))))
def test_json_keeps_all_text_that_unicode_has(prompt: str, written: str) -> None:
    made = tree.append(tree.add_root(Session(id="s"), prompt), 0, written)
    assert json.loads(as_json(made))["branches"][0]["full_text"] == full_text(made, 0)


@given(st.text(), st.text())
def test_every_export_of_any_text_is_utf_8(prompt: str, written: str) -> None:
    made = tree.append(tree.add_root(Session(id="s"), prompt), 0, written)
    for suffix, make in exports_of(made, 0).items():
        assert suffix.startswith(".")
        make().decode("utf-8")


def test_a_half_of_a_character_is_escaped_in_json() -> None:
    made = tree.add_root(Session(id="s"), "a\ud800b")
    assert b"a\\ud800b" in as_json(made)
    assert json.loads(as_json(made))["branches"][0]["text"] == "a\ud800b"
