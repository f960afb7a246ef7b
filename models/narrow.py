"""A network made faster: fewer units in each layer's feed-forward part, the work of the others shared out to the rest.

In rounds, the units go whose loss the others can best make up for (as in optimal brain surgeon, Hassibi 1993); the
layer's second matrix is then fitted anew by least squares, so that the layer says as nearly as can be what it said
before. Training heals the rest.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from models.network import MoodNetwork, layers_of, watch

_ROUND: Final = 64
"""Units that go at once."""
_RIDGE: Final = 1e-3
"""Of the mean variance of a unit: keeps the fit from leaning on differences that chance made."""


def narrow(network: MoodNetwork, batches: Sequence[Tensor], wide: int) -> None:
    """Keep ``wide`` units of each feed-forward part.

    Args:
        network: Changed in place; what optimises its parameters must be made anew.
        batches: Padded ids, shape (texts, tokens), 0 where nothing is, by which units are judged:
            some 20 tokens a unit.
        wide: How many units stay.
    """
    network.eval()
    seen = [(layer, _Moments()) for layer in layers_of(network)]
    watch(network, batches, [(layer.output.dense, moments.add) for layer, moments in seen])
    with torch.no_grad():
        for layer, moments in seen:
            first, second = layer.intermediate.dense, layer.output.dense
            kept, weight, bias = _fitted(moments, second.weight, second.bias, wide)
            layer.intermediate.dense, layer.output.dense = (
                _linear(first.weight[kept], first.bias[kept]),
                _linear(weight, bias),
            )


class _Moments:
    """Count, sum and products of what reached a place, in double precision."""

    def __init__(self) -> None:
        self.count, self.total, self.products = 0, torch.zeros(()), torch.zeros(())

    def add(self, values: Tensor) -> None:
        """Take in values of shape (tokens, units)."""
        values = values.double()
        self.count += len(values)
        self.total, self.products = self.total + values.sum(0), self.products + values.T @ values

    def mean_and_covariance(self) -> tuple[Tensor, Tensor]:
        """Return the mean (units) and the covariance (units by units) of all that came."""
        mean = self.total / self.count
        return mean, self.products / self.count - mean[:, None] * mean


def _fitted(moments: _Moments, weight: Tensor, bias: Tensor, wide: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the units that stay, the matrix (width by ``wide``) that makes the best of them, and its bias."""
    mean, covariance = moments.mean_and_covariance()
    whole, kept = weight.double(), torch.arange(len(mean))
    covariance = covariance + _RIDGE * covariance.diagonal().mean() * torch.eye(len(mean), dtype=torch.double)
    while True:
        inverse = torch.linalg.inv(covariance[kept][:, kept])
        fitted = whole @ covariance[:, kept] @ inverse
        if len(kept) <= wide:
            return kept, fitted.float(), (bias + whole @ mean - fitted @ mean[kept]).float()
        missed = fitted.square().sum(0) / inverse.diagonal()
        going = min(_ROUND, len(kept) - wide)
        kept = kept[missed.argsort()[going:].sort().values]


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.weight.copy_(weight)
    made.bias.copy_(bias)
    return made
