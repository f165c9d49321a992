"""Settings as forms and flags see them, and what is said of values that cannot be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.settings.app import AppSettings
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.fields import changed, checked, fields_of, parse_value, parse_values, written
from tinygpt_tui.settings.presets import ALL_PRESETS, DEFAULT_PRESET, find_preset
from tinygpt_tui.settings.sampling import SamplingSettings, from_lines, to_lines
from tinygpt_tui.settings.training import TrainingSettings

STRUCTS = (GPTSettings, SamplingSettings, TrainingSettings, AppSettings)
FIELDS = [(struct, field) for struct in STRUCTS for field in fields_of(struct).values()]
every_field = pytest.mark.parametrize(
    ("struct", "field"), FIELDS, ids=[f"{struct.__name__}.{field.name}" for struct, field in FIELDS]
)


@pytest.mark.parametrize("struct", STRUCTS)
def test_every_plain_field_is_a_setting(struct: type[msgspec.Struct]) -> None:
    names = [name for name in struct.__struct_fields__ if name not in ("architecture", "keys")]  # tables
    assert list(fields_of(struct)) == names


@every_field
def test_a_field_is_described_and_its_default_can_be(struct: type[msgspec.Struct], field: Any) -> None:
    assert field.description
    assert field.kind in (bool, int, float, str)
    assert getattr(struct(), field.name) == field.default
    assert changed(struct(), {field.name: field.default}) == struct()
    if field.choices:
        assert field.default in field.choices


@every_field
def test_a_default_that_is_written_down_is_read_back(struct: type[msgspec.Struct], field: Any) -> None:
    assert parse_value(field, written(field.default)) == field.default


@every_field
def test_values_beyond_the_limits_are_refused_in_words(struct: type[msgspec.Struct], field: Any) -> None:
    beyond = []
    if field.minimum is not None:
        beyond.append(field.kind(field.minimum - 1))
    if field.maximum is not None:
        beyond.append(field.kind(field.maximum + 1))
    if field.choices:
        beyond.append("<no such choice>")
    for value in beyond:
        with pytest.raises(UsageError) as caught:
            changed(struct(), {field.name: value})
        assert caught.value.message.startswith(f"{field.title}: must be ")
        assert "$" not in caught.value.message
        assert "`" not in caught.value.message


@pytest.mark.parametrize(
    ("struct", "changes", "message"),
    [
        (SamplingSettings, {"top_k": -1}, "top k: must be at least 0"),
        (SamplingSettings, {"temperature": 10.5}, "temperature: must be at most 10.0"),
        (SamplingSettings, {"top_p": 0.0}, "top p: must be more than 0.0"),
        (GPTSettings, {"dropout": 1.0}, "dropout: must be less than 1.0"),
        (TrainingSettings, {"decay": "<x"}, "decay: must be one of linear, cosine, constant"),
        (SamplingSettings, {"seed": -1}, "seed: must be at least 0"),
        (SamplingSettings, {"seed": 1 << 70}, "seed: must be at most 9223372036854775807"),
        (SamplingSettings, {"seed": 1.5}, "seed: expected int, got float"),
        (SamplingSettings, {"top_k": "x"}, "top k: expected int, got str"),
        (SamplingSettings, {"temperature": float("nan")}, "temperature: nan is not a finite number"),
        (SamplingSettings, {"temperature": float("inf")}, "temperature: inf is not a finite number"),
        (TrainingSettings, {"learning_rate": -float("inf")}, "learning rate: -inf is not a finite number"),
        (SamplingSettings, {"stop": ["x", 1]}, "stop: must be texts"),
        (SamplingSettings, {"stop": 1}, "stop: must be texts"),
        (SamplingSettings, {"weights": "fp8"}, "weights: must be one of fp32, int8"),
        (SamplingSettings, {"stop_at_blank_line": "x"}, "stop at blank line: expected bool, got str"),
        (SamplingSettings, {"tempo": 1}, "Object contains unknown field 'tempo'"),
    ],
)
def test_what_is_said(struct: type[msgspec.Struct], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        changed(struct(), changes)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("steps", " 1_000 ", 1000),
        ("learning_rate", "1e-3", 0.001),
        ("decay", " cosine ", "cosine"),
        ("device", "cpu", "cpu"),
    ],
)
def test_typed_values(name: str, typed: str, value: object) -> None:
    assert parse_value(fields_of(TrainingSettings)[name], typed) == value


@pytest.mark.parametrize(
    ("typed", "value"), [("yes", True), ("ON", True), ("1", True), ("no", False), ("False", False)]
)
def test_typed_yes_and_no(typed: str, value: bool) -> None:
    assert parse_value(fields_of(GPTSettings)["bias"], typed) is value


def test_an_optional_setting_is_written_as_nothing() -> None:
    seed = fields_of(SamplingSettings)["seed"]
    assert (seed.optional, seed.kind, seed.minimum) == (True, int, 0)
    assert parse_value(seed, "  ") is None
    assert parse_value(seed, "7") == 7


STOP = fields_of(SamplingSettings)["stop"]
BANNED = fields_of(SamplingSettings)["banned"]


@pytest.mark.parametrize(
    ("typed", "value"),
    [(" \n", " \n"), (r"\n\t\r", "\n\t\r"), (r"\\n", r"\n"), (r"a\d\|", r"a\d\|"), ("", "")],
)
def test_a_text_keeps_its_spaces_and_knows_escapes(typed: str, value: str) -> None:
    assert parse_value(BANNED, typed) == value


@pytest.mark.parametrize(
    ("typed", "texts"),
    [
        ("", ()),
        (r"\n\n", ("\n\n",)),
        (r"\n\n | THE END", ("\n\n", "THE END")),
        ("a|b", ("a|b",)),
        (r"a \| b | c", ("a | b", "c")),
        ("a | ", ("a",)),
        (" | a |  | b", ("a", "b")),
        ("a  |  b", ("a ", " b")),
        (r"a\\ | b", ("a\\", "b")),
        (" ", (" ",)),
    ],
)
def test_several_texts_in_one_box(typed: str, texts: tuple[str, ...]) -> None:
    assert parse_value(STOP, typed) == texts


def test_several_texts_each_by_itself() -> None:
    assert parse_values(STOP, [r"\n", "a | b", r"\|", ""]) == ("\n", "a | b", r"\|")
    assert STOP.several
    assert not BANNED.several


@given(st.lists(st.text("a |\\\nn\t\r", min_size=1, max_size=6), max_size=4).map(tuple))
@example(("\\", "|"))
@example((" ", " "))
def test_texts_that_are_written_down_are_read_back(texts: tuple[str, ...]) -> None:
    assert parse_value(STOP, written(texts)) == texts
    assert all(parse_value(BANNED, written(text)) == text for text in texts)
    assert "\n" not in written(texts)


def test_one_text_may_stand_for_a_list_of_one() -> None:
    assert checked(SamplingSettings, {"stop": "x"}).stop == ("x",)
    assert checked(SamplingSettings, {"stop": ["x", "y"]}).stop == ("x", "y")
    assert changed(SamplingSettings(stop=("x",)), {"top_k": 1}).stop == ("x",)


@pytest.mark.parametrize(
    ("struct", "name", "typed", "words"),
    [
        (TrainingSettings, "steps", "many", "is not a whole number"),
        (TrainingSettings, "steps", "1.5", "is not a whole number"),
        (TrainingSettings, "steps", "", "is not a whole number"),
        (TrainingSettings, "steps", "9" * 5000, "is not a whole number"),
        (TrainingSettings, "learning_rate", "fast", "is not a number"),
        (GPTSettings, "bias", "maybe", "is neither yes nor no"),
    ],
)
def test_typed_nonsense_is_refused(struct: type[msgspec.Struct], name: str, typed: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_value(fields_of(struct)[name], typed)


def test_changes_keep_the_rest_and_the_net() -> None:
    settings = TrainingSettings(architecture=GPTSettings(n_layer=7), seed=3)
    after = changed(settings, {"steps": 5})
    assert (after.steps, after.seed, after.architecture.n_layer) == (5, 3, 7)
    assert checked(SamplingSettings, {"top_k": 3}).top_k == 3


@pytest.mark.parametrize("name", ALL_PRESETS)
def test_presets_keep_their_own_limits(name: str) -> None:
    preset = find_preset(name)
    assert preset.name == name
    assert changed(preset.training, {}) == preset.training
    assert changed(preset.training.architecture, {}) == preset.training.architecture


def test_an_unknown_preset_names_the_nearest() -> None:
    assert DEFAULT_PRESET in ALL_PRESETS
    with pytest.raises(NotFoundError) as caught:
        find_preset("tinygtp")
    assert "did you mean tinygpt?" in caught.value.hint
    assert all(name in caught.value.hint for name in ALL_PRESETS)


@given(
    st.builds(
        SamplingSettings,
        temperature=st.floats(0, 10),
        seed=st.none() | st.integers(0, 2**32),
        stop=st.lists(st.text(min_size=1, max_size=4), max_size=2).map(tuple),
        banned=st.text(max_size=4),
        stop_at_blank_line=st.booleans(),
        weights=st.sampled_from(["fp32", "int8"]),
    )
)
def test_sampling_settings_are_remembered_as_they_were(settings: SamplingSettings) -> None:
    assert from_lines(to_lines(settings)) == settings


def test_lines_that_cannot_be_read_are_as_by_default() -> None:
    assert to_lines(SamplingSettings()) == ""
    assert from_lines("top_p = 7\nno such = 3\ntemperature = 0.5\n\nseed") == SamplingSettings(temperature=0.5)
