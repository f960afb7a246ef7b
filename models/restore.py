"""A release's network in floats again, from the graph that ships. Needs the ``train`` extra.

The inverse of :func:`models.graph.graph`: weights as they were rounded, activations not rounded at all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from transformers import BertConfig, BertModel

from models.errors import ReleaseError
from models.graph import HEADS_OF_ATTENTION, Floats
from models.network import MoodNetwork

Constants = Mapping[str, npt.NDArray[Any]]

_DENSE: Final = {"joined": "attention.output.dense", "wide": "intermediate.dense", "narrow": "output.dense"}


def restored(path: Path) -> MoodNetwork:
    """Return the network of the graph at ``path``, in evaluation mode.

    Raises:
        ReleaseError: the graph is not one that :func:`models.graph.graph` writes.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(path)).graph.initializer}
    try:
        weights = _weights(constants)
    except KeyError as error:
        raise ReleaseError(
            f"{path}: no constant {error}; only graphs that `moodline train` writes now can be restored"
        ) from error
    network = MoodNetwork(BertModel(_config(constants), add_pooling_layer=False), constants["places"].shape[1])
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return network.eval()


def _config(constants: Constants) -> BertConfig:
    vocabulary, width = constants["words"].shape
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=_layers(constants),
        num_attention_heads=HEADS_OF_ATTENTION,
        intermediate_size=constants["encoder.encoder.layer.0.wide.weight"].shape[1],
        max_position_embeddings=len(constants["places"]),
        type_vocab_size=1,
        pad_token_id=0,
    )


def _layers(constants: Constants) -> int:
    return sum(name.endswith(".wide.weight") for name in constants)


def _weights(constants: Constants) -> dict[str, Floats]:
    """Return parameters under the names of :class:`MoodNetwork`, linear layers outputs by inputs."""
    places, pools = constants["places"], constants["pools"].T
    labels = len(pools) // 2
    weights = {name: value for name, value in constants.items() if ".LayerNorm." in name}
    weights |= {
        "encoder.embeddings.word_embeddings.weight": _floats(constants, "words"),
        "encoder.embeddings.position_embeddings.weight": places,
        "encoder.embeddings.token_type_embeddings.weight": np.zeros_like(places[:1]),  # the places hold it already
        "query": pools[:labels] * np.float32(places.shape[1] ** 0.5),
        "weight": pools[labels:],
        "bias": constants["bias"],
    }
    for layer in range(_layers(constants)):
        weights |= _layer(constants, f"encoder.encoder.layer.{layer}")
    return weights


def _layer(constants: Constants, layer: str) -> dict[str, Floats]:
    weights: dict[str, Floats] = {}
    for name, place in _DENSE.items():
        weights[f"{layer}.{place}.weight"] = _floats(constants, f"{layer}.{name}.weight").T
        weights[f"{layer}.{place}.bias"] = constants[f"{layer}.{name}.bias"]
    own = f"{layer}.attention.self"
    matrices, biases = np.split(_floats(constants, f"{own}.weight"), 3, axis=1), np.split(constants[f"{own}.bias"], 3)
    for part, matrix, bias in zip(("query", "key", "value"), matrices, biases, strict=True):
        weights[f"{own}.{part}.weight"], weights[f"{own}.{part}.bias"] = matrix.T, bias
    return weights


def _floats(constants: Constants, name: str) -> Floats:
    values: Floats = constants[name] * constants[f"{name}.scale"]
    return values
