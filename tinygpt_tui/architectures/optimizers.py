"""torch's optimizers without its compiler, for all that train: the lowest package that may import torch is this one.

torch imports its compiler with the first call of an optimizer, so that `torch.compile` leaves the call alone: a second
and 70 megabytes, for nothing where the optimizer's steps are not compiled, as here.
"""

from __future__ import annotations

from inspect import unwrap

import torch
from torch.optim import AdamW, Optimizer


class PlainOptimizer(Optimizer):
    """An Optimizer whose methods are those inside torch's wrappers."""

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)


class PlainAdamW(PlainOptimizer, AdamW):
    """AdamW as a PlainOptimizer."""

    step = torch.no_grad()(unwrap(AdamW.step))
