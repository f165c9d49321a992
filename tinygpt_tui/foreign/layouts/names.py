"""What the programs of a family call their tensors, made into a table of renaming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tinygpt_tui.foreign.rename import Table, To


@dataclass(frozen=True)
class Names:
    """Names without `.weight` and `.bias`: `prefix` is before all but the head, `block` before a block's number.

    `parts` are those of a block: what each is called here, and which piece of it. `ignored` are whole names.
    """

    prefix: str
    embedding: str
    block: str
    parts: Mapping[str, tuple[str, str]]
    final: str
    head: str
    positions: str = ""
    ignored: tuple[str, ...] = ()

    def table(self) -> Table:
        """Return them as a table of renaming, with and without the prefix."""
        table: dict[str, To | None] = {f"{self.head}.{kind}": To(f"lm_head.{kind}") for kind in ("weight", "bias")}
        for prefix in (self.prefix, ""):
            table[f"{prefix}{self.embedding}.weight"] = To("transformer.wte.weight")
            if self.positions:
                table[f"{prefix}{self.positions}.weight"] = To("transformer.wpe.weight")
            table |= {f"{prefix}{name}": None for name in self.ignored}
            for kind in ("weight", "bias"):
                table[f"{prefix}{self.final}.{kind}"] = To(f"transformer.ln_f.{kind}")
                for theirs, (ours, part) in self.parts.items():
                    to = To(f"transformer.h.{{i}}.{ours}.{kind}", part)
                    table[f"{prefix}{self.block}.{{i}}.{theirs}.{kind}"] = to
        return table
