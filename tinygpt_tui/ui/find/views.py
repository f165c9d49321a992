"""Views of other tabs and other places that have no key where one is: by title, with other words for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any, NamedTuple

from textual.app import App

from tinygpt_tui.ui import places
from tinygpt_tui.ui.shell.keymap import default_bindings
from tinygpt_tui.ui.shell.other_names import OTHER_NAMES
from tinygpt_tui.ui.tabs import TABS

EXPORTS = "onnx gguf nanogpt llama2.c hugging face safetensors convert"
GOOD = "overfitting overfit validation loss yardsticks doctor verdict quality better than"

# The tab of an action, by the first part of its id.
TAB_OF = {name: name for name in TABS} | {"chart": "train", "sample": "train", "microscope": "generate"}
BELOW = 0.9  # the weight of what is not an action with a key now

TOKENS = "forge tokenizer bpe byte pair encoding merges vocabulary pieces sentencepiece cut tokens"


class Found(NamedTuple):
    """Something that the palette offers; `weight` lowers what comes after the actions."""

    title: str
    help_text: str
    run: Callable[[], object]
    names: str = ""
    weight: float = 1.0
    keys: str = ""


def elsewhere(app: App[Any], here: Collection[str]) -> Iterator[Found]:
    """Yield the actions of the tabs that have no key now, so whose ids are not in `here`."""
    for id, (binding, *_) in default_bindings().items():
        tab = TAB_OF.get(id.partition(".")[0])
        if tab is not None and id not in here:
            run = partial(places.act_on_tab, app, tab, id, binding.description)
            about = f"On the {TABS[tab].title} tab: {binding.tooltip}"
            yield Found(binding.description, about, run, OTHER_NAMES.get(id, ""), BELOW)


def views(app: App[Any]) -> list[Found]:
    """Return them in the order in which they are shown."""

    def inspect(title: str, help_text: str, view: str, names: str) -> Found:
        return Found(title, help_text, partial(places.to_inspect, app, view), names)

    def place(title: str, help_text: str, go: Callable[[App[Any]], object], names: str) -> Found:
        return Found(title, help_text, partial(go, app), names)

    watch = "The time machine of the bundled model: its text at each step"
    return [
        place("Watch it learn", watch, places.watch_it_learn, "time machine history checkpoints training replay"),
        place("How good is it?", "The curve of the model in use against its yardsticks", places.how_good, GOOD),
        place("Train on my text", "The form of a new run", places.train_on_text, "own corpus file new run learn"),
        place("Tokenizers", "Watch merges on a text, compare how sentences are cut", places.tokenizers, TOKENS),
        inspect("Attention", "Inspect: which letters each head looks at", "attention", "heads maps look at"),
        inspect("Walk", "Inspect: the model as a diagram, step by step", "walk", "tensors layers diagram forward pass"),
        inspect("Guesses", "Inspect: the prediction after each layer", "guesses", "logit lens prediction layers"),
        inspect("Parameters", "Inspect: where the parameters are", "parameters", "weights size count tree numbers"),
        inspect("Map of the embeddings", "Inspect: which letters are alike to the model", "map", "vectors similar pca"),
        place("Export the model", "Write it in another program's format", places.export_model, EXPORTS),
        Found("Themes", "Choose other colours", app.search_themes, "theme dark light colours nord gruvbox"),
    ]
