"""A low-rank adapter in training: the base's matrices stay, and to each one the product of two small ones is added.

The model itself stays a plain one whose matrices hold the sums, so that kernels, evaluations and snapshots need not
know of adapters: after a backward pass the gradient of each sum becomes those of the two factors, and after a step the
sums are computed again. Source: Hu et al. 2021 (LoRA).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tinygpt_tui.architectures.base import LanguageModel, Role
from tinygpt_tui.architectures.widening import GROWING
from tinygpt_tui.checkpoints.adapters import DOWN, ROWS, UP, is_adapted
from tinygpt_tui.errors import UsageError
from tinygpt_tui.settings.architecture import name_of
from tinygpt_tui.settings.training import TrainingSettings


class Adapter:
    """The adapter of one model; it freezes whatever of the model it does not change."""

    def __init__(self, model: LanguageModel, settings: TrainingSettings, old_tokens: int) -> None:
        """`old_tokens` is the base's vocabulary size: the rows of newer tokens are trained as they are.

        Raises UsageError if the model has no such matrices.
        """
        random = torch.Generator().manual_seed(settings.seed)
        roles = model.roles()
        self._old_tokens = old_tokens
        self._matrices: dict[
            str, tuple[nn.Parameter, nn.Parameter, nn.Parameter]
        ] = {}  # the sum, A (r, in), B (out, r)
        self._rows: dict[str, tuple[nn.Parameter, nn.Parameter]] = {}  # the whole table, and its new rows
        self._roles: dict[str, Role] = {}
        self._base: dict[str, Tensor] = {}
        for name, weight in model.named_parameters():
            adapted = roles[name] is Role.MATRIX and is_adapted(name, settings.lora_matrices)
            grows = name.endswith(GROWING) and old_tokens < settings.architecture.vocab_size
            weight.requires_grad_(adapted or grows)
            if adapted:
                rows, columns = weight.shape
                rank = min(settings.lora, rows, columns)
                down = torch.randn(rank, columns, generator=random) * columns**-0.5
                up = torch.zeros(rows, rank, device=weight.device)
                self._matrices[name] = (weight, nn.Parameter(down.to(weight.device)), nn.Parameter(up))
                self._roles |= dict.fromkeys((name + DOWN, name + UP), Role.MATRIX)
            elif grows:
                self._rows[name] = (weight, nn.Parameter(weight.detach()[old_tokens:].clone()))
                self._roles[name + ROWS] = roles[name]
        if not self._matrices:
            raise UsageError(
                f"this {name_of(settings.architecture)} has no matrices for an adapter", setting="lora matrices"
            )
        self.start_from_model()

    def start_from_model(self) -> None:
        """Take the weights that the model has now as the base's."""
        self._base = {name: weight.detach().clone() for name, (weight, _, _) in self._matrices.items()}
        for weight, rows in self._rows.values():
            rows.data.copy_(weight.detach()[self._old_tokens :])

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Yield what is trained, by its name in the adapter's file."""
        for name, (_, down, up) in self._matrices.items():
            yield name + DOWN, down
            yield name + UP, up
        for name, (_, rows) in self._rows.items():
            yield name + ROWS, rows

    def count_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield what is trained."""
        return (parameter for _, parameter in self.named_parameters())

    def roles(self) -> dict[str, Role]:
        """Return the role of what is trained, by its name."""
        return self._roles

    def state_dict(self) -> dict[str, Tensor]:
        """Return what is trained: the content of the adapter's file."""
        return {name: parameter.detach() for name, parameter in self.named_parameters()}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor], base: dict[str, Tensor] | None = None) -> None:
        """Undo `state_dict`, and with `base` also `base_state`; the model's own weights are loaded by others."""
        for name, parameter in self.named_parameters():
            parameter.copy_(state[name])
        if base is not None:
            self._base = {name: tensor.to(self._matrices[name][0].device) for name, tensor in base.items()}

    def base_state(self) -> dict[str, Tensor]:
        """Return the base's matrices, as they are without the adapter."""
        return self._base

    @torch.no_grad()
    def take_gradients(self) -> None:
        """Turn the gradients of the model's weights into those of the adapter's."""
        for weight, down, up in self._matrices.values():
            assert weight.grad is not None
            down.grad, up.grad, weight.grad = up.T @ weight.grad, weight.grad @ down.T, None
        for weight, rows in self._rows.values():
            assert weight.grad is not None
            rows.grad, weight.grad = weight.grad[self._old_tokens :], None

    @torch.no_grad()
    def merge(self) -> None:
        """Give the model's matrices the sums of the base's and the adapter's."""
        for name, (weight, down, up) in self._matrices.items():
            torch.addmm(self._base[name], up, down, out=weight.data)
        for weight, rows in self._rows.values():
            weight.data[self._old_tokens :] = rows
