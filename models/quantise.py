"""Where activations lie, so that eight bits can hold them, and training that feels the rounding to come.

Ranges are measured on texts and clipped where that costs least. In the last phase of training every product of the
encoder is computed as the release will compute it; gradients pass the rounding as if it were not there (Jacob 2018).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.graph import WEIGHT_LIMIT, Range, eight_bit_steps
from models.network import MoodNetwork, layers_of, watch

Floats = npt.NDArray[np.float32]

_KEPT: Final = 4096
"""Activations kept of each place and batch."""
_CLIPS: Final = np.linspace(0.3, 1.0, 36)


def activation_ranges(network: MoodNetwork, batches: Sequence[Tensor], seed: int = 0) -> dict[str, Range]:
    """Return least and greatest value for each place that :func:`models.graph.graph` quantises.

    Args:
        network: In evaluation mode.
        batches: Padded ids, shape (texts, tokens), 0 where nothing is.
        seed: Chooses which activations are kept.
    """
    kept: dict[str, list[Floats]] = {}
    generator = torch.Generator().manual_seed(seed)

    def keep(place: str, values: Tensor) -> None:
        chosen = torch.randint(values.numel(), (_KEPT,), generator=generator)
        extremes = torch.stack([values.min(), values.max()])
        kept.setdefault(place, []).append(torch.cat([values.flatten()[chosen], extremes]).numpy())

    watch(network, batches, [(modules[0], partial(keep, place)) for place, modules in _places(network)])
    return {place: _best_range(np.concatenate(parts)) for place, parts in kept.items()}


@contextmanager
def eight_bits(network: MoodNetwork, ranges: Mapping[str, Range]) -> Iterator[None]:
    """Let every product of the encoder feel the rounding of weights and activations while the context lasts."""
    changed = [(place, module) for place, modules in _places(network) for module in modules]
    for place, module in changed:
        module.forward = partial(_rounded_product, module, *eight_bit_steps(ranges[place]))  # type: ignore[method-assign]
    try:
        yield
    finally:
        for _, module in changed:
            del module.forward


def _rounded_product(module: nn.Linear, scale: float, zero: int, states: Tensor) -> Tensor:
    steps = module.weight.detach().abs().amax(1).clamp(min=1e-12) / WEIGHT_LIMIT
    none = torch.zeros_like(steps, dtype=torch.int32)
    weight = torch.fake_quantize_per_channel_affine(module.weight, steps, none, 0, -WEIGHT_LIMIT, WEIGHT_LIMIT)
    return F.linear(torch.fake_quantize_per_tensor_affine(states, scale, zero, 0, 255), weight, module.bias)


def _places(network: MoodNetwork) -> list[tuple[str, list[nn.Linear]]]:
    found: list[tuple[str, list[nn.Linear]]] = []
    for number, layer in enumerate(layers_of(network)):
        own = layer.attention.self
        found += [
            (f"{number}.attention", [own.query, own.key, own.value]),
            (f"{number}.joined", [layer.attention.output.dense]),
            (f"{number}.wide", [layer.intermediate.dense]),
            (f"{number}.narrow", [layer.output.dense]),
        ]
    return found


def _best_range(values: Floats) -> Range:
    """Return the range whose rounding and clipping to 8 bits loses least, in squares."""
    low, high = float(values.min()), float(values.max())
    losses = [(_loss(values, low * a, high * b), low * a, high * b) for a in _CLIPS[::5] for b in _CLIPS]
    _, low, high = min(losses)
    return float(min(low, 0.0)), float(max(high, 1e-6))


def _loss(values: Floats, low: float, high: float) -> float:
    scale, zero = eight_bit_steps((low, high))
    rounded = (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale
    return float(((values - rounded) ** 2).sum())
