"""From trained weights to what ships: an ONNX graph, attention fused, weights in int8. Needs the ``train`` extra."""

import logging
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

from models.network import MoodNetwork, build, encoder_folder
from models.tokens import with_placeholders
from models.train import Recipe


def trained(recipe: Recipe, weights: Path) -> MoodNetwork:
    """Return the network of a recipe with trained weights, ready to run."""
    network = build(recipe.encoder, 0.0)
    network.load_state_dict(load_file(weights))
    return network.eval()


def export(recipe: Recipe, weights: Path, folder: Path) -> None:
    """Write ``model.onnx`` and ``tokenizer.json`` into ``folder``.

    Weights are int8, one scale a column, seven bits used: without VNNI the eighth overflows in the processor's
    16-bit sums, and a release must read the same on every machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        _trace(trained(recipe, weights), plain)
        fused = Path(scratch) / "fused.onnx"
        _fuse(plain, fused)
        _quantise(fused, Path(scratch) / "model.onnx")
        shutil.move(Path(scratch) / "model.onnx", folder / "model.onnx")
    tokenizer = with_placeholders(Path(encoder_folder(recipe.encoder)) / "tokenizer.json")
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
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(fused), str(path), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
