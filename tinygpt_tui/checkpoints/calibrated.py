"""The calibration of a model: kept in its config, and put into its weights where they are read.

Engines and exports need not know of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tinygpt_tui.checkpoints.card import read_config, write_config
from tinygpt_tui.settings.architecture import GPTSettings
from tinygpt_tui.settings.model_config import EMBEDDING, HEAD, Calibration, NativeConfig

OUTPUT = (HEAD, "lm_head.bias", "table.weight")  # whatever of these a net has gives its logits
FINAL_NORM = ("transformer.ln_f.weight", "transformer.ln_f.bias", "lm_head.bias")


def folded(config: NativeConfig, weights: Mapping[str, NDArray[Any]]) -> tuple[NativeConfig, dict[str, NDArray[Any]]]:
    """Return a model whose logits are those of `weights` times its `logit_scale`, and which has none any more.

    The last matrix is multiplied, or the norm before it where the matrix is the token embedding, too.
    """
    if config.calibration is None or config.calibration.logit_scale == 1.0:
        return config, dict(weights)
    settings, scale = config.architecture, np.float32(config.calibration.logit_scale)
    if isinstance(settings, GPTSettings) and settings.logit_cap:  # s c tanh(x / c) = (s c) tanh(s x / (s c))
        settings = msgspec.structs.replace(settings, logit_cap=settings.logit_cap * float(scale))
    names = OUTPUT
    if settings.tied_head:
        if isinstance(settings, GPTSettings) and settings.final_norm and settings.norm_weight:
            names = FINAL_NORM
        else:
            settings = msgspec.structs.replace(settings, tied_head=False)
            weights = {HEAD: weights[EMBEDDING], **weights}
    scaled = {name: np.asarray(weights[name] * scale, dtype=np.float32) for name in names if name in weights}
    return msgspec.structs.replace(config, architecture=settings, calibration=None), {**weights, **scaled}


def write_calibration(folder: Path, calibration: Calibration, validation_loss: float | None) -> None:
    """Calibrate the weights of a model folder, which stay as they are; `validation_loss` is theirs from now on.

    None: it is not known. Raises CheckpointError, StorageError.
    """
    config = read_config(folder)
    trained = config.trained
    if trained is not None and validation_loss is not None:
        trained = msgspec.structs.replace(trained, validation_loss=validation_loss)
    write_config(folder, msgspec.structs.replace(config, trained=trained, calibration=calibration))
