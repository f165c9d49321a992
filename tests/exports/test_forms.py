"""What each form can say: the table, its refusals in words, and that a new setting is refused by itself."""

from __future__ import annotations

import msgspec
import pytest
from makers import CLASSIC, GPT_VARIANTS, LECTURE, MODERN, VARIANTS, tiny_gpt

from tinygpt_tui.errors import NotFoundError, UsageError
from tinygpt_tui.exports.forms import FORMS, check_form, destinations, find_form, unsaid
from tinygpt_tui.settings.architecture import ARCHITECTURE_SETTINGS, ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.presets import ALL_PRESETS

CLASSIC_TANH = tiny_gpt(activation="gelu_tanh")
LLAMA = GPT_VARIANTS["llama"]
GGUF = {"gguf", "gguf-f16", "gguf-q8_0"}


@pytest.mark.parametrize(
    ("settings", "forms"),
    [
        (CLASSIC, {"safetensors", "nanogpt", "hf", "onnx"}),
        (CLASSIC_TANH, {"safetensors", "hf", "onnx", *GGUF}),
        (LLAMA, {"safetensors", "hf", "onnx", *GGUF}),
        (msgspec.structs.replace(LLAMA, rotary_factors=(1.0, 2.0)), {"safetensors", "hf", "onnx", *GGUF}),
        (LECTURE, {"safetensors", "hf", "onnx", "lecture"}),
        (MODERN, {"safetensors", "hf", "onnx"}),
        (tiny_gpt(bias=True, qkv_bias=True, attention_scale="n_embd"), {"safetensors", "nanogpt", "hf", "onnx"}),
        (tiny_gpt(activation="relu", tied_head=False), {"safetensors", "hf", "onnx", "lecture"}),
        (tiny_gpt(activation="relu", qkv_bias=True), {"safetensors", "hf", "onnx"}),
    ],
)
def test_who_can_say_what(settings: ArchitectureSettings, forms: set[str]) -> None:
    assert {name for name, form in FORMS.items() if not unsaid(form, settings)} == forms


def test_a_refusal_names_every_setting_and_who_can() -> None:
    with pytest.raises(UsageError) as refused:
        check_form(FORMS["gguf"], "modern", MODERN)
    for words in ("rotary positions", "qk_norm", "embedding_norm", "token shift", "n-gram tables"):
        assert words in refused.value.message
    assert "--to safetensors, --to hf, --to onnx" in refused.value.hint
    assert "tied_head" not in refused.value.message  # that it can say


def test_what_a_form_comes_close_to_is_offered_and_not_done_unasked() -> None:
    with pytest.raises(UsageError, match="activation gelu") as refused:
        check_form(FORMS["gguf"], "classic", CLASSIC)
    assert "--approximate" in refused.value.hint
    check_form(FORMS["gguf"], "classic", CLASSIC, approximate=True)
    with pytest.raises(UsageError, match="activation relu"):
        check_form(FORMS["gguf"], "lecture", LECTURE, approximate=True)


def test_a_setting_that_no_form_knows_is_refused_unless_it_is_as_by_default() -> None:
    class Later(GPTSettings, frozen=True, tag="gpt"):
        echo: int = 0

    known = {name for form in FORMS.values() for can in (form.nets or {}).values() for name in can}
    assert known <= {name for net in ARCHITECTURE_SETTINGS for name in net.__struct_fields__}
    assert "echo" not in known
    plain = msgspec.convert(msgspec.structs.asdict(CLASSIC), Later)
    assert unsaid(FORMS["nanogpt"], plain) == []
    assert unsaid(FORMS["nanogpt"], msgspec.structs.replace(plain, echo=1)) == ["echo 1"]


def test_every_variant_can_be_exported_somewhere() -> None:
    for name, settings in VARIANTS.items():
        assert not any(unsaid(FORMS[form], settings) for form in ("safetensors", "onnx", "hf")), name


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("llama", "Hugging Face ✓  GGUF ✓  nanoGPT –"),
        ("nanogpt", "Hugging Face ✓  GGUF ≈  nanoGPT ✓"),
        ("lstm", "Hugging Face ✓  GGUF –  nanoGPT –"),
    ],
)
def test_where_a_net_can_go_is_known_before_it_is_trained(preset: str, said: str) -> None:
    assert destinations(ALL_PRESETS[preset].training.architecture) == said


def test_an_unknown_form_is_answered_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="no export to 'nanogtp'") as refused:
        find_form("nanogtp")
    assert "did you mean nanogpt?" in refused.value.hint
