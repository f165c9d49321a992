"""Training recipes that are compared: the preset `modern` on a net of a third of its size, and one change at a time.

One more is the preset `llama`, reduced in the same way.
"""

from __future__ import annotations

from tinygpt_tui.settings.load import resolve
from tinygpt_tui.settings.presets import find_preset
from tinygpt_tui.settings.training import TrainingSettings

BASE = "before"
# As many parameters for each character, and about as many rounds through the text, as `modern` has on the whole one.
REDUCED: dict[str, object] = {"n_embd": 96, "n_head": 3, "n_layer": 3, "steps": 1500}
RECIPES: dict[str, dict[str, object]] = {
    BASE: {},
    "dropout 0.05": {"dropout": 0.05},
    "dropout 0.2": {"dropout": 0.2},
    "decay 0.3": {"weight_decay": 0.3},
    "decay 1 and dropout 0.2": {"weight_decay": 1.0, "dropout": 0.2},
    "rotary base 500": {"rotary_base": 500.0},
    "a layer and a quarter more steps": {"n_layer": 4, "steps": 1875},
    "llama": {"preset": "llama", "hidden": 240},
}


def settings_of(recipe: str, seed: int, validation_share: float, steps: int = 0) -> TrainingSettings:
    """Return the settings of `recipe`, for `steps` steps (0: as many as it has)."""
    more = {"steps": steps} if steps else {}
    plain = {
        "seed": seed,
        "validation_share": validation_share,
        "calibration_share": 0.0,  # one number, chosen on what judges, stands for what a run sets aside
        "device": "cpu",
        "threads": 1,
        "timeline_mb": 0,
        "sample_tokens": 0,
        "compile": "never",
    }
    changes = dict(RECIPES[recipe])
    preset = str(changes.pop("preset", "modern"))
    return resolve(find_preset(preset).training, REDUCED, changes, plain, more)
