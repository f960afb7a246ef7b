"""The network as an ONNX graph, written operator by operator: attention and GELU fused, products in int8.

Weights are int8 with one scale a column; activations are quantised with one fixed scale a place, measured beforehand
(:func:`models.quantise.activation_ranges`). Fixed scales, unlike ONNX Runtime's dynamic ones, make what a text is read
as independent of the texts beside it. Weights keep to 7 bits: processors without VNNI add pairs of products in 16 bits,
and 8 would overflow. The operators are ONNX Runtime's (domain ``com.microsoft``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Floats = npt.NDArray[np.float32]
Range = tuple[float, float]

HEADS_OF_ATTENTION: Final = 12
_EPSILON: Final = 1e-12
WEIGHT_LIMIT: Final = 63
"""The greatest whole number of a weight: 7 bits."""
_OPSETS: Final = (helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1))


@dataclass(slots=True)
class _Builder:
    """Collects nodes and constants; every method returns the name of what it made."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: npt.ArrayLike, kind: npt.DTypeLike = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:  # noqa: ANN401
        domain = "com.microsoft" if operator in _FUSED else ""
        self.nodes.append(helper.make_node(operator, inputs, [output], output, domain=domain, **attributes))
        return output

    def quantised(self, place: str, source: str, span: Range) -> tuple[str, str, str]:
        """Return the names of ``source`` in 8 bits, its scale and its zero point."""
        scale, nought = eight_bit_steps(span)
        step = self.constant(f"{place}.scale", scale)
        zero = self.constant(f"{place}.zero", nought, np.uint8)
        return self.node("QuantizeLinear", [source, step, zero], f"{place}.int8"), step, zero

    def matrix(self, name: str, weight: Floats) -> tuple[str, str]:
        """Return the names of ``weight`` (inputs by outputs) in int8 and of its scales, one a column."""
        whole, scale = whole_numbers(weight, axis=0, limit=WEIGHT_LIMIT)
        return self.constant(name, whole, np.int8), self.constant(f"{name}.scale", scale)

    def product(self, name: str, place: str, source: str, span: Range, weight: Floats, bias: str = "") -> str:
        """Return the name of ``source @ weight + bias``, computed in int8."""
        values, scale, zero = self.quantised(place, source, span)
        matrix, scales = self.matrix(f"{name}.weight", weight)
        inputs = [values, matrix, scale, scales, zero, "", bias]
        return self.node("MatMulIntegerToFloat", inputs if bias else inputs[:5], name)


_FUSED: Final = {"QAttention", "MatMulIntegerToFloat", "BiasGelu"}


def eight_bit_steps(span: Range) -> tuple[float, int]:
    """Return the scale that lays 256 steps over a range, and the step that stands for zero."""
    scale = max(span[1] - span[0], 1e-9) / 255
    return scale, int(np.clip(round(-span[0] / scale), 0, 255))


def whole_numbers(weight: Floats, axis: int, limit: int = 127) -> tuple[npt.NDArray[np.int8], Floats]:
    """Return ``weight`` in whole numbers up to ``limit`` and the scales that restore it, taken over ``axis``."""
    scale = np.maximum(np.abs(weight).max(axis=axis), 1e-12).astype(np.float32) / limit
    return np.rint(weight / np.expand_dims(scale, axis)).astype(np.int8), scale


def graph(weights: Mapping[str, Floats], ranges: Mapping[str, Range], layers: int) -> onnx.ModelProto:
    """Return the model: ``input_ids`` of shape (texts, tokens), padded with 0, to ``scores`` of shape (texts, labels).

    Args:
        weights: Parameters under the names of :class:`models.network.MoodNetwork`, linear layers outputs by inputs.
        ranges: Least and greatest activation at each place: ``{layer}.attention``, ``.joined``, ``.wide``, ``.narrow``.
        layers: How many layers the encoder has.
    """
    make = _Builder()
    mask, lengths = _padding(make)
    states = _embedded(make, weights)
    for layer in range(layers):
        states = _layer(make, weights, ranges, layer, states, lengths)
    _pooled(make, weights, states, mask)
    model = helper.make_model(
        helper.make_graph(
            make.nodes,
            "moodline",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["texts", len(weights["bias"])])],
            make.constants,
        ),
        opset_imports=_OPSETS,
        ir_version=10,
    )
    onnx.checker.check_model(model)
    return model


def _padding(make: _Builder) -> tuple[str, str]:
    make.constant("zero", 0, np.int64)
    make.constant("last", [1], np.int64)
    pad = make.node("Equal", ["input_ids", "zero"], "is_padding")
    word = make.node("Not", [pad], "is_word")
    counted = make.node("Cast", [word], "counted", to=TensorProto.INT32)
    return pad, make.node("ReduceSum", [counted, "last"], "lengths", keepdims=0)


def _embedded(make: _Builder, weights: Mapping[str, Floats]) -> str:
    """Words in int8 with a scale each, unfolded for the words at hand only; position and type in one table."""
    table = "encoder.embeddings."
    whole, scale = whole_numbers(weights[f"{table}word_embeddings.weight"], axis=1)
    make.constant("words", whole, np.int8)
    make.constant("words.scale", scale[:, None])
    rows = make.node("Gather", ["words", "input_ids"], "words.rows")
    floats = make.node("Cast", [rows], "words.floats", to=TensorProto.FLOAT)
    scales = make.node("Gather", ["words.scale", "input_ids"], "words.scales")
    words = make.node("Mul", [floats, scales], "words.values")
    places = weights[f"{table}position_embeddings.weight"] + weights[f"{table}token_type_embeddings.weight"][0]
    make.constant("places", places)
    make.constant("start", [0], np.int64)
    length = make.node("Shape", ["input_ids"], "length", start=1)
    places_here = make.node("Slice", ["places", "start", length, "start"], "places.here")
    total = make.node("Add", [words, places_here], "embedded")
    gain, shift = _norm(make, weights, f"{table}LayerNorm")
    return make.node("LayerNormalization", [total, gain, shift], "states", axis=-1, epsilon=_EPSILON)


def _norm(make: _Builder, weights: Mapping[str, Floats], name: str) -> tuple[str, str]:
    return (
        make.constant(f"{name}.weight", weights[f"{name}.weight"]),
        make.constant(f"{name}.bias", weights[f"{name}.bias"]),
    )


def _layer(
    make: _Builder, weights: Mapping[str, Floats], ranges: Mapping[str, Range], layer: int, states: str, lengths: str
) -> str:
    name = f"encoder.encoder.layer.{layer}"
    seen = _attention(make, weights, ranges, layer, states, lengths)
    bias = make.constant(f"{name}.joined.bias", weights[f"{name}.attention.output.dense.bias"])
    weight = weights[f"{name}.attention.output.dense.weight"].T
    joined = make.product(f"{name}.joined", f"{layer}.joined", seen, ranges[f"{layer}.joined"], weight, bias)
    states = _add_and_norm(make, weights, f"{name}.attention.output.LayerNorm", joined, states)
    weight = weights[f"{name}.intermediate.dense.weight"].T
    wide = make.product(f"{name}.wide", f"{layer}.wide", states, ranges[f"{layer}.wide"], weight)
    bias = make.constant(f"{name}.wide.bias", weights[f"{name}.intermediate.dense.bias"])
    wide = make.node("BiasGelu", [wide, bias], f"{name}.gelu")
    bias = make.constant(f"{name}.narrow.bias", weights[f"{name}.output.dense.bias"])
    weight = weights[f"{name}.output.dense.weight"].T
    narrow = make.product(f"{name}.narrow", f"{layer}.narrow", wide, ranges[f"{layer}.narrow"], weight, bias)
    return _add_and_norm(make, weights, f"{name}.output.LayerNorm", narrow, states)


def _attention(
    make: _Builder, weights: Mapping[str, Floats], ranges: Mapping[str, Range], layer: int, states: str, lengths: str
) -> str:
    name = f"encoder.encoder.layer.{layer}.attention.self"
    parts = ("query", "key", "value")
    weight = np.concatenate([weights[f"{name}.{part}.weight"].T for part in parts], axis=1)
    bias = make.constant(f"{name}.bias", np.concatenate([weights[f"{name}.{part}.bias"] for part in parts]))
    values, scale, zero = make.quantised(f"{layer}.attention", states, ranges[f"{layer}.attention"])
    matrix, scales = make.matrix(f"{name}.weight", weight)
    inputs = [values, matrix, bias, scale, scales, lengths, zero]
    return make.node("QAttention", inputs, f"{name}.seen", num_heads=HEADS_OF_ATTENTION)


def _add_and_norm(make: _Builder, weights: Mapping[str, Floats], name: str, new: str, old: str) -> str:
    """Sum and norm apart: ONNX Runtime's fused operator takes longer, as it adds up one number at a time."""
    gain, shift = _norm(make, weights, name)
    total = make.node("Add", [new, old], f"{name}.total")
    return make.node("LayerNormalization", [total, gain, shift], f"{name}.out", axis=-1, epsilon=_EPSILON)


def _pooled(make: _Builder, weights: Mapping[str, Floats], states: str, mask: str) -> str:
    """Each label looks at the tokens in its own way, in float: attention and value of all labels in one product."""
    query = weights["query"] / weights["query"].shape[1] ** 0.5
    make.constant("pools", np.concatenate([query, weights["weight"]]).T)
    make.constant("bias", weights["bias"])
    make.constant("nowhere", -1e4)
    seen = make.node("MatMul", [states, "pools"], "pools.seen")
    across = make.node("Transpose", [seen], "pools.across", perm=[0, 2, 1])
    make.nodes.append(helper.make_node("Split", [across], ["looks", "values"], axis=1, num_outputs=2))
    hidden = make.node("Unsqueeze", [mask, "last"], "is_padding.of_labels")
    looks = make.node("Where", [hidden, "nowhere", "looks"], "looks.masked")
    share = make.node("Softmax", [looks], "shares", axis=-1)
    parts = make.node("Mul", [share, "values"], "parts")
    make.constant("tokens", [-1], np.int64)
    total = make.node("ReduceSum", [parts, "tokens"], "total", keepdims=0)
    return make.node("Add", [total, "bias"], "scores")
