"""From trained weights to what ships: the graph in int8 and its tokenizer. Needs the ``train`` extra."""

import json
from pathlib import Path

import onnx
from safetensors.numpy import load_file

from models.graph import graph
from models.network import encoder_folder
from models.tokens import customer_tokenizer
from models.train import RANGES, Recipe


def export(recipe: Recipe, run: Path, folder: Path) -> None:
    """Write ``model.onnx`` and ``tokenizer.json`` into ``folder`` from the weights and ranges of a finished run."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = load_file(run / "network.safetensors")
    ranges = json.loads((run / RANGES).read_text(encoding="utf-8"))
    model = graph(weights, ranges, layers=len({place.split(".")[0] for place in ranges}))
    onnx.save(model, str(folder / "model.onnx"))
    tokenizer = customer_tokenizer(Path(encoder_folder(recipe.encoder)) / "tokenizer.json")
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
