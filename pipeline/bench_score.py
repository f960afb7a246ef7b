"""Contestants of the benchmark's scoring: the release, and the processor's own limit.

The limit is a bare matrix product in ONNX Runtime, the best of shapes that fit the caches. What share of it a release
reaches is told by the operations in its graph's matrix products over real tokens: padding earns nothing.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from onnx import NodeProto

Work = Callable[[], object]


def release_work(folder: Path, texts: Sequence[str]) -> Work:
    """Load a release, warm it up, and return what scores the texts once."""
    from models.classifier import Classifier

    classifier = Classifier.load(folder)
    classifier.score(texts[:8])
    return lambda: classifier.score(texts)


# --- The limit -------------------------------------------------------------------------------------------------------

SHAPES: Final = ((256, 384, 1536), (256, 1024, 1024), (512, 512, 512), (1024, 1024, 1024))
"""Rows, inner length, columns of the products that are tried; the fastest counts."""


def products(kind: Literal["int8", "fp32"], giga_operations: float) -> Callable[[], float]:
    """Return what multiplies matrices for so many giga-operations at each shape and returns the least seconds."""
    runs = [(_product(kind, *shape), 2e-9 * math.prod(shape)) for shape in SHAPES]

    def fastest() -> float:
        return giga_operations * min(_seconds(run, giga_operations / each) / each for run, each in runs)

    return fastest


def _seconds(run: Work, times: float) -> float:
    """Return the mean seconds of a run."""
    rounds = max(1, math.ceil(times))
    start = time.perf_counter()
    for _ in range(rounds):
        run()
    return (time.perf_counter() - start) / rounds


def _product(kind: Literal["int8", "fp32"], rows: int, inner: int, columns: int) -> Work:
    """Return what multiplies once: 8-bit activations by 8-bit weights into 32 bits, or floats by floats."""
    import onnxruntime
    from onnx import helper, numpy_helper

    draw = np.random.default_rng(0)
    left: npt.NDArray[Any]
    right: npt.NDArray[Any]
    if kind == "int8":
        left, right = draw.integers(0, 256, (rows, inner), np.uint8), draw.integers(-63, 64, (inner, columns), np.int8)
    else:
        left, right = (draw.standard_normal(shape, np.float32) for shape in ((rows, inner), (inner, columns)))
    operator, into = ("MatMulInteger", "int32") if kind == "int8" else ("MatMul", "float32")
    taken, given = (helper.np_dtype_to_tensor_dtype(dtype) for dtype in (left.dtype, np.dtype(into)))
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", taken, left.shape)],
        [helper.make_tensor_value_info("product", given, (rows, columns))],
        [numpy_helper.from_array(right, "right")],  # a constant, laid out beforehand as weights are
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("left", onnxruntime.OrtValue.ortvalue_from_numpy(left))
    room = onnxruntime.OrtValue.ortvalue_from_shape_and_type((rows, columns), np.dtype(into).type)
    binding.bind_ortvalue_output("product", room)
    session.run_with_iobinding(binding)
    return lambda: session.run_with_iobinding(binding)


# --- Operations ------------------------------------------------------------------------------------------------------

_ATTENTION: Final = {"Attention", "QAttention"}
_PRODUCTS: Final = {"MatMul", "Gemm", "FusedMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"}


def release_operations(folder: Path, texts: Sequence[str]) -> float:
    """Return the giga-operations of a release's matrix products over the tokens of the texts; 0 without onnx.

    One multiplication and one addition are two operations. Long texts count by their windows, as they are read.
    """
    if find_spec("onnx") is None:
        return 0.0
    each, squared = operations(folder / "model.onnx")
    lengths = np.array(_lengths(folder, texts), dtype=float)
    return float((each * lengths + squared * lengths**2).sum() / 1e9)


def _lengths(folder: Path, texts: Sequence[str]) -> list[int]:
    from tokenizers import Tokenizer

    from models.classifier import cut
    from models.release import Release

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [len(window) for _, window in cut(tokenizer, texts, Release.read(folder).maximum_tokens)]


@cache
def operations(path: Path) -> tuple[int, int]:
    """Return (a, b) such that the matrix products of an ONNX encoder over n tokens take a·n + b·n² operations.

    A product by a constant (inner by columns) takes 2·inner·columns a token. Attention is counted by its two products,
    queries by keys and shares by values, each 2·width a pair of tokens: inside a fused operator, or where a graph
    multiplies two values that both come from the text.
    """
    import onnx

    graph = onnx.load(str(path)).graph
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    shapes |= {
        node.output[0]: shapes[node.input[0]]
        for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in shapes
    }
    products = [node for node in graph.node if node.op_type in _PRODUCTS | _ATTENTION]
    weighed = [(node, shapes[node.input[1]]) for node in products if node.input[1] in shapes]
    each = sum(2 * math.prod(shape) for _, shape in weighed)
    width = weighed[0][1][0] if weighed else 0
    fused = sum(4 * width for node, _ in weighed if node.op_type in _ATTENTION)
    plain = sum(2 * width for node in products if _of_two_values(node, shapes))
    return each, fused + plain


def _of_two_values(node: "NodeProto", shapes: Mapping[str, tuple[int, ...]]) -> bool:
    return not shapes.keys() & set(node.input[:2])
