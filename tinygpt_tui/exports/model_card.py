"""The model card, a README.md with the front matter that the Hugging Face Hub reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

import tinygpt_tui
from tinygpt_tui.errors import TinyGPTError
from tinygpt_tui.exports.forms import STANDARD, Form, net_of
from tinygpt_tui.runs.folder import RunFolder, RunSettings
from tinygpt_tui.settings.architecture import ArchitectureSettings, EncoderDecoderSettings, GPTSettings, name_of
from tinygpt_tui.settings.fields import written
from tinygpt_tui.settings.model_config import NativeConfig, TrainedOn

LIBRARIES = {"hf": "transformers", "onnx": "onnx", "gguf": "gguf", "safetensors": "tinygpt-tui"}

USES = {
    "safetensors": """```
tinygpt-tui generate PATH_OF_THIS_FOLDER --prompt "..."
```""",
    "nanogpt": """With [nanoGPT](https://github.com/karpathy/nanoGPT), in its folder:

```
mkdir -p out data/{name}
cp PATH_OF_THIS_FOLDER/ckpt.pt out/
cp PATH_OF_THIS_FOLDER/meta.pkl data/{name}/
python sample.py --out_dir=out --device=cpu --compile=False
```

`train.py --init_from=resume` continues from it, with a fresh optimizer.""",
    "hf": """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("PATH_OF_THIS_FOLDER")
model = AutoModelForCausalLM.from_pretrained("PATH_OF_THIS_FOLDER"{trust})
ids = tokenizer({prompt}, return_tensors="pt").input_ids
print(tokenizer.decode(model.generate(ids, max_new_tokens={tokens}, do_sample=True)[0]))
```""",
    "pairs": """```python
import torch
from transformers import AutoModelForSeq2SeqLM

model = AutoModelForSeq2SeqLM.from_pretrained("PATH_OF_THIS_FOLDER")
question = torch.tensor([[{separator}]])  # the ids of a question, which ends with the separator, {separator}
print(model.generate(question, max_new_tokens={tokens})[0])  # the separator, then the answer
```""",
    "onnx": """```python
import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
characters = json.loads(session.get_modelmeta().custom_metadata_map["tokenizer"])["characters"]
ids = np.array([[characters.index(character) for character in {prompt}]])
(logits,) = session.run(None, {{"ids": ids}})  # (batch, time, {vocab_size})
print(characters[logits[0, -1].argmax()])
```

{window}""",
    "gguf": """With [llama.cpp](https://github.com/ggml-org/llama.cpp):

```
llama-completion -m {file} -p {prompt} -n {tokens} -no-cnv
```""",
    "lecture": """In the lecture's `gpt.py`, with its sizes at the top set to

```python
block_size, n_embd, n_head, n_layer = {block_size}, {n_embd}, {n_head}, {n_layer}
vocab_size = {vocab_size}
```

and the scores in `Head.forward` multiplied by `{scale}` (the same weights under another scale are another model):

```python
model.load_state_dict(torch.load("PATH_OF_THIS_FOLDER/model.pth", weights_only=True))
```

The characters, in the order of their ids, are in `tokenizer.json`, and in `chars.txt` if a text file can hold them.""",
}


@dataclass(frozen=True)
class CardForm:
    """A form in which the model is there, at `place`, and notes on what a reader must know of it."""

    form: Form
    notes: list[str]
    place: str = "PATH_OF_THIS_FOLDER"


def write_card(
    name: str, config: NativeConfig, forms: list[CardForm], run: RunSettings | None, prompt: str, more: str = ""
) -> str:
    """Return the card's Markdown; `prompt` is a text that the model knows, `more` is shown before the settings."""
    single = len(forms) == 1
    uses: list[str] = []
    for one in forms:
        use = _usage(name, config.architecture, one.form, prompt).replace("PATH_OF_THIS_FOLDER", one.place)
        uses += ([] if single else [f"### {one.form.title}", ""]) + [use, ""]
        uses += [line for note in one.notes for line in (note, "")]
    return "\n".join(
        (
            "---",
            *_front_matter(name, config, [one.form for one in forms]),
            "---",
            "",
            f"# {name}",
            "",
            _summary(config, run),
            "",
            "## Use",
            "",
            *uses,
            *([more, ""] if more else []),
            "## Settings",
            "",
            "| setting | value |",
            "|---|---|",
            *(f"| {title} | {value} |" for title, value in _rows(config, run)),
            "",
            f"Exported by tinygpt-tui {tinygpt_tui.__version__}.",
            "",
        )
    )


def run_of(folder: RunFolder) -> RunSettings | None:
    """Return how the model was trained; None where that is not known here."""
    try:
        return folder.read_settings()
    except TinyGPTError:
        return None


def _front_matter(name: str, config: NativeConfig, forms: list[Form]) -> list[str]:
    """YAML, whose texts are written as JSON, of which it is a superset."""
    kind = forms[0].name.partition("-")[0]
    lines = [f"library_name: {LIBRARIES[kind]}"] if kind in LIBRARIES else []
    lines += [
        "pipeline_tag: text-generation",
        "tags:",
        *(f"- {tag}" for tag in ("tinygpt-tui", name_of(config.architecture), *(form.name for form in forms))),
    ]
    if config.trained is not None:
        corpus = json.dumps(config.trained.corpus, ensure_ascii=False)
        lines += [
            "model-index:",
            f"- name: {json.dumps(name, ensure_ascii=False)}",
            "  results:",
            "  - task:",
            "      type: text-generation",
            "    dataset:",
            f"      name: {corpus}",
            f"      type: {corpus}",
            "      split: validation",
            "    metrics:",
            "    - type: loss",
            f"      value: {config.trained.validation_loss:.4f}",
            f"      name: validation loss, nats per token{_read(config.trained)}",
        ]
    return lines


def _read(trained: TrainedOn) -> str:
    return f", on {trained.tokens} tokens" if trained.tokens else ""


def _summary(config: NativeConfig, run: RunSettings | None) -> str:
    kind = name_of(config.architecture).upper()
    text = f"A {kind} of {config.parameters:,} parameters"
    if config.trained is None:
        return f"{text}."
    trained = config.trained
    text += f", trained on {trained.corpus}: a loss of {trained.validation_loss:.4f}"
    read = f"{trained.tokens:,} tokens of the" if trained.tokens else "the whole"
    per = trained.characters_per_token
    beside = f" ({trained.loss_per_character:.4f} per character)" if per != 1.0 else ""
    return f"{text} nats per token{beside} on {read} validation split, after {trained.step:,} steps."


def _usage(name: str, settings: ArchitectureSettings, form: Form, prompt: str) -> str:
    words: dict[str, Any] = {"name": name, "prompt": json.dumps(prompt, ensure_ascii=False)}
    words |= msgspec.structs.asdict(settings) | {
        "tokens": max(1, min(100, settings.block_size - len(prompt))),
        "window": "A text may have any length."
        if settings.supports_sliding
        else f"A text may have at most {settings.block_size} tokens.",
    }
    if isinstance(settings, GPTSettings):
        words["scale"] = "C**-0.5" if settings.attention_scale == "n_embd" else "k.shape[-1]**-0.5"
    words["file"] = form.file
    words["trust"] = "" if net_of(form, settings) in STANDARD else ", trust_remote_code=True"
    of_pairs = form.name == "hf" and isinstance(settings, EncoderDecoderSettings)
    use = USES["pairs" if of_pairs else form.name.partition("-")[0]]
    return use.format(**words) if "{" in use else use


def _rows(config: NativeConfig, run: RunSettings | None) -> list[tuple[str, str]]:
    settings = config.architecture
    rows = [("architecture", name_of(settings))]
    rows += [(field, written(getattr(settings, field))) for field in settings.__struct_fields__]
    if run is not None:
        training = run.training
        # The steps of a run by the clock are only what was guessed before it began.
        length = ("minutes", written(training.minutes)) if training.minutes else ("steps", f"{training.steps:,}")
        rows += [("corpus", run.corpus.name), ("preset", run.preset or "none"), length]
        rows += [
            (field, written(getattr(training, field)))
            for field in ("batch_size", "optimizer", "learning_rate", "seed")
            if hasattr(training, field)
        ]
    return rows
