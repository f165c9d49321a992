"""The settings of one run: what to train, how long, and how."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tinygpt_tui.settings.architecture import ArchitectureSettings, GPTSettings
from tinygpt_tui.settings.tokenizer import CHARACTERS

DEFAULT_RANK = 2  # of an adapter
BY_DOCUMENT = frozenset({"documents", "pairs"})  # windows


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """A run was given another number of steps `at` a step; until then it was planned for `steps_before`."""

    at: int
    steps_before: int


class TrainingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides how a run goes; saved, resolved, in `run/settings.json`."""

    architecture: ArchitectureSettings = msgspec.field(default_factory=GPTSettings)
    tokenizer: Annotated[
        str,
        Meta(
            description="what the model reads and writes: characters, characters:N (those that occur N times; all "
            "others are bytes), bytes, bpe:SIZE (byte pairs trained on the text, 256 to 65536 tokens), or a "
            "tokenizer's file"
        ),
    ] = CHARACTERS
    steps: Annotated[int, Meta(ge=1, le=10_000_000, description="number of optimizer steps")] = 2000
    minutes: Annotated[
        float,
        Meta(ge=0, le=100_000, description="train for this long by the clock; 0: as many steps as `steps` says"),
    ] = 0.0
    batch_size: Annotated[int, Meta(ge=1, le=4096, description="windows of block_size tokens in one step")] = 16
    windows: Annotated[
        Literal["auto", "anywhere", "documents", "pairs"],
        Meta(
            description="what a window is: a part of the text that may begin anywhere, or a document from its "
            "beginning (a longer one is several windows); pairs: documents question=answer, of which only the answer "
            "is learned; auto: pairs for a task, else anywhere"
        ),
    ] = "auto"
    optimizer: Annotated[
        Literal["adamw", "muon"],
        Meta(description="muon updates the blocks' matrices and AdamW the rest; adamw updates all"),
    ] = "muon"
    learning_rate: Annotated[
        float, Meta(gt=0, le=1, description="peak rate of the matrices (of everything with adamw)")
    ] = 8e-3
    embedding_rate: Annotated[
        float, Meta(ge=0, le=1, description="peak rate of embeddings and token shift; 0: learning_rate")
    ] = 0.0
    head_rate: Annotated[
        float, Meta(ge=0, le=1, description="peak AdamW rate of the output head and all else; 0: learning_rate")
    ] = 0.0
    weight_decay: Annotated[float, Meta(ge=0, le=1, description="pull of the matrices towards zero")] = 0.1
    warmup_share: Annotated[float, Meta(ge=0, le=1, description="share of the steps in which the rate rises")] = 0.02
    decay: Annotated[
        Literal["linear", "cosine", "constant"], Meta(description="how the rate falls after the warm-up")
    ] = "linear"
    final_rate: Annotated[float, Meta(ge=0, le=1, description="share of the peak rate at the last step")] = 0.0
    beta1: Annotated[float, Meta(ge=0, lt=1, description="AdamW's memory of the gradient")] = 0.9
    beta2: Annotated[float, Meta(ge=0, lt=1, description="AdamW's memory of the squared gradient")] = 0.99
    gradient_clip: Annotated[float, Meta(ge=0, description="largest norm of the gradient; 0: no limit")] = 1.0
    validation_share: Annotated[
        float, Meta(gt=0, lt=1, description="share at the end of the corpus that is never trained on")
    ] = 0.1
    calibration_share: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            description="share at the end of the training part that no step reads, 50,000 tokens at most: at the end "
            "it decides how sure the model may be; 0: none",
        ),
    ] = 0.0
    evaluate_every: Annotated[
        int, Meta(ge=0, description="steps between two evaluations; 0: nine to twenty-six in all")
    ] = 0
    evaluation_tokens: Annotated[
        int,
        Meta(
            ge=0,
            description="validation tokens that each evaluation before the last one reads, always the same ones; "
            "0: few enough to stay fast; the last evaluation reads the whole split",
        ),
    ] = 0
    patience: Annotated[
        int, Meta(ge=0, le=10_000, description="stops after this many evaluations without a better one; 0: never")
    ] = 0
    stop_at_loss: Annotated[
        float, Meta(ge=0, description="stops at this validation loss, nats per token; 0: never")
    ] = 0.0
    sample_tokens: Annotated[int, Meta(ge=0, le=10_000, description="length of the sample at each evaluation")] = 200
    timeline_mb: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="disk space for checkpoints along the way, at most about 40; 0: none",
        ),
    ] = 250
    lora: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            description="rank of an adapter (LoRA) that is trained, the model it starts from stays as it is; 0: none",
            extra={"alone": DEFAULT_RANK},
        ),
    ] = 0
    lora_matrices: Annotated[
        Literal["all", "attention", "mlp"], Meta(description="which matrices of the blocks an adapter changes")
    ] = "all"
    mix_old: Annotated[
        float,
        Meta(
            ge=0,
            le=0.9,
            description="share of the windows that is from the starting model's own text, so that it is not forgotten",
        ),
    ] = 0.0
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1, description="same seed, same run")] = 1337
    device: Annotated[str, Meta(description="auto (measured), cpu, cuda or mps")] = "auto"
    threads: Annotated[int, Meta(ge=0, le=512, description="processor threads; 0: measured, the fastest number")] = 0
    processes: Annotated[
        int, Meta(ge=1, le=64, description="processes that share each batch, on this machine; under torchrun its own")
    ] = 1
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        Meta(description="number format of matrix products; auto: bf16 on GPUs that support it, else fp32"),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "always", "never"],
        Meta(description="torch.compile; auto: if the run is long enough to gain from its half minute"),
    ] = "auto"
