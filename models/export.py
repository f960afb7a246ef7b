"""From trained weights to what ships: an ONNX graph, attention fused, weights in int8. Needs the ``train`` extra."""

import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from safetensors.torch import load_file

from models.network import MoodNetwork, build, encoder_folder
from models.tokens import customer_tokenizer
from models.train import Recipe

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_SMALLEST: Final = 10_000
"""Numbers in a matrix from which it is worth int8."""


def trained(recipe: Recipe, weights: Path) -> MoodNetwork:
    """Return the network of a recipe with trained weights, ready to run."""
    network = build(recipe.encoder, 0.0)
    network.load_state_dict(load_file(weights))
    return network.eval()


def export(recipe: Recipe, weights: Path, folder: Path) -> None:
    """Write ``model.onnx`` and ``tokenizer.json`` into ``folder``.

    Attention and layer norms are fused; weights are int8 (see ``_quantise``), a quarter of the size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        _trace(trained(recipe, weights), plain)
        fused = Path(scratch) / "fused.onnx"
        _fuse(plain, fused)
        _quantise(fused, Path(scratch) / "model.onnx")
        shutil.move(Path(scratch) / "model.onnx", folder / "model.onnx")
    tokenizer = customer_tokenizer(Path(encoder_folder(recipe.encoder)) / "tokenizer.json")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)


def _trace(network: MoodNetwork, path: Path) -> None:
    ids = torch.tensor([[101, 2023, 2003, 102], [101, 2748, 102, 0]])
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens", min=2, max=512)
    torch.onnx.export(
        network,
        (ids, (ids != 0).long()),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["scores"],
        dynamic_shapes=({0: rows, 1: tokens}, {0: rows, 1: tokens}),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _fuse(plain: Path, fused: Path) -> None:
    from onnxruntime.transformers import optimizer

    logging.getLogger("onnxruntime.transformers").setLevel(logging.WARNING)
    optimizer.optimize_model(
        str(plain), model_type="bert", num_heads=12, hidden_size=384, opt_level=0
    ).save_model_to_file(str(fused))


def _quantise(fused: Path, path: Path) -> None:
    """Store every large matrix as int8 with one scale a column (a row of the word table), unfolded when it is loaded.

    Activations stay in float: ONNX Runtime's dynamic int8 gives all texts of a batch one scale, so that what a message
    is read as would depend on its neighbours.
    """
    import onnx

    model = onnx.load(str(fused))
    readers = {name: node for node in model.graph.node for name in node.input}
    large = [tensor for tensor in model.graph.initializer if _is_large(tensor, readers)]
    for tensor in large:
        model.graph.initializer.remove(tensor)
        axis = 0 if readers[tensor.name].op_type == "Gather" else 1
        parts, node = _unfolded(tensor, axis)
        model.graph.initializer.extend(parts)
        model.graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _is_large(tensor: "TensorProto", readers: dict[str, "NodeProto"]) -> bool:
    wanted = tensor.name in readers and readers[tensor.name].op_type in ("MatMul", "Gather")
    return wanted and len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= _SMALLEST


def _unfolded(tensor: "TensorProto", axis: int) -> tuple[list["TensorProto"], "NodeProto"]:
    from onnx import helper, numpy_helper

    weights = numpy_helper.to_array(tensor)
    scale = np.maximum(np.abs(weights).max(axis=1 - axis), 1e-12) / 127
    whole = np.rint(weights / np.expand_dims(scale, 1 - axis)).astype(np.int8)
    name = tensor.name
    parts = [
        numpy_helper.from_array(whole, f"{name}_int8"),
        numpy_helper.from_array(scale.astype(np.float32), f"{name}_scale"),
    ]
    return parts, helper.make_node("DequantizeLinear", [part.name for part in parts], [name], axis=axis)
