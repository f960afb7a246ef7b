"""The network: a MiniLM encoder whose tokens each label looks at in its own way. Needs the ``train`` extra."""

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModel

from models.emoji import EMOJI
from models.errors import ReleaseError
from models.graph import whole_numbers
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from models.tokens import ADDED, LOUD

HEADS: Final = {
    "mood": len(MOODS),
    "sentiment": len(SENTIMENTS),
    "intents": len(INTENTS),
    "disservices": len(DISSERVICES),
}
LABELS: Final = sum(HEADS.values())

_UNITS: Final = "encoder.encoder.layer.0.intermediate.dense.bias"
_WORD_TABLE: Final = "encoder.embeddings.word_embeddings.weight"
_WORDS_FOR_TOKEN: Final = {
    "<EMAIL>": "email",
    "<PHONE>": "telephone",
    "<CARD>": "card",
    "<IBAN>": "bank",
    "<SSN>": "number",
    "<IP>": "address",
    "<URL>": "link",
    "<USER>": "user",
    "<ORDER>": "order",
    "<ACCOUNT>": "account",
    "<NAME>": "name",
    LOUD: "shouting",
    **EMOJI,
}


class MoodNetwork(nn.Module):
    """Encoder, then one attention pool and one linear score for each of the 37 labels (after CAML, Mullenbach 2018).

    A zero query pools evenly, so training starts from mean pooling.
    """

    def __init__(self, encoder: nn.Module, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.query = nn.Parameter(torch.zeros(LABELS, width))
        self.weight = nn.Parameter(torch.randn(LABELS, width) * 0.02)
        self.bias = nn.Parameter(torch.zeros(LABELS))
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return scores of shape (texts, 37): mood, sentiment, intents, dis-services, before any softmax."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        states = self.dropout(states)
        attention = states @ self.query.T / states.shape[-1] ** 0.5
        attention = attention + (1.0 - attention_mask.unsqueeze(-1).to(states.dtype)) * -1e4
        values = states @ self.weight.T
        return cast(Tensor, (attention.softmax(dim=1) * values).sum(dim=1) + self.bias)


def encoder_folder(name: str) -> str:
    """Return the folder of an encoder named as a folder, as a Python package that carries one, or as a hub name.

    Raises:
        ReleaseError: a package of that name is installed but holds no model.
    """
    if Path(name).is_dir() or "/" in name or importlib.util.find_spec(name) is None:
        return name
    package = Path(cast(str, importlib.import_module(name).__file__)).parent
    folders = [path.parent for path in package.rglob("model.safetensors")]
    if not folders:
        raise ReleaseError(f"package {name} holds no model.safetensors; name another encoder in the recipe")
    return str(folders[0])


def layers_of(network: MoodNetwork) -> Any:  # noqa: ANN401
    """Return the encoder's layers, lowest first."""
    return cast(Any, network.encoder).encoder.layer


def watch(
    network: MoodNetwork, batches: Sequence[Tensor], watchers: Sequence[tuple[nn.Module, Callable[[Tensor], None]]]
) -> None:
    """Read texts, and show each watcher what reaches its module: values of shape (tokens, inputs), no padding.

    Args:
        network: In evaluation mode.
        batches: Padded ids, shape (texts, tokens), 0 where nothing is.
        watchers: A module, and what is called with the values.
    """
    mask = batches[0] != 0

    def shown(look: Callable[[Tensor], None]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, inputs: look(inputs[0][mask])

    hooks = [module.register_forward_pre_hook(shown(look)) for module, look in watchers]
    with torch.no_grad():
        for ids in batches:
            mask = ids != 0
            network(ids, mask.long())
    for hook in hooks:
        hook.remove()


def width_of(weights: Mapping[str, Tensor]) -> int:
    """Return how many units the feed-forward parts have to which these weights belong."""
    return len(weights[_UNITS])


def set_width(network: MoodNetwork, wide: int) -> None:
    """Give every feed-forward part so many units, without a meaning yet, if it has another number."""
    for layer in layers_of(network):
        units, width = layer.intermediate.dense.weight.shape
        if units != wide:
            layer.intermediate.dense, layer.output.dense = nn.Linear(width, wide), nn.Linear(wide, width)


def build(encoder: str, dropout: float, start: str = "") -> MoodNetwork:
    """Load the pretrained encoder, give the added tokens a meaning, freeze the word table, add heads.

    ``start`` names a file of weights to go on from (all but the word table); without it the heads are fresh.
    """
    folder = encoder_folder(encoder)
    model = AutoModel.from_pretrained(
        folder,
        attn_implementation="eager",
        add_pooling_layer=False,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    words = model.embeddings.word_embeddings.weight
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    with torch.no_grad():
        for slot, token in enumerate(ADDED):
            like = tokenizer.encode(_WORDS_FOR_TOKEN[token], add_special_tokens=False).ids
            words[tokenizer.token_to_id(f"[unused{slot}]")] = words[like].mean(0)
    words.requires_grad_(False)
    network = MoodNetwork(model, model.config.hidden_size, dropout)
    if start:
        weights = load_file(start)
        weights.pop(_WORD_TABLE, None)
        set_width(network, width_of(weights))
        network.load_state_dict(weights, strict=False)
    with torch.no_grad():
        whole, scale = whole_numbers(words.numpy(), axis=1)
        words.copy_(torch.from_numpy(whole * scale[:, None]))  # frozen, and rounded from the start as it will ship
    return network
