"""What other people would serve: networks in Hugging Face's ``pipeline()``, in fp32. Needs the ``train`` extra."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

from tokenizers import Tokenizer
from torch import Tensor
from transformers import (
    BertConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    pipeline,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from models.network import LABELS, MoodNetwork
from models.restore import restored
from models.tokens import marked

Size = Literal["release", "roberta"]
_LONGEST: Final = 512


class ServedNetwork(PreTrainedModel):  # type: ignore[no-untyped-call]
    """The network of a release, as ``pipeline()`` takes networks."""

    config_class = BertConfig
    _supports_sdpa = True

    def __init__(self, network: MoodNetwork) -> None:
        config: Any = network.encoder.config
        config.num_labels = LABELS
        super().__init__(config)
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: object) -> SequenceClassifierOutput:
        """Return scores of shape (texts, 37) as logits."""
        return SequenceClassifierOutput(logits=self.network(input_ids, attention_mask))


def reader(folder: Path, size: Size) -> Callable[..., Any]:
    """Return a text-classification ``pipeline()`` with the tokenizer of the release in ``folder``.

    ``release`` is that release's own network; ``roberta`` one of RoBERTa-base's size, weights drawn at random, which
    cost as much to multiply by as trained ones.

    Raises:
        ReleaseError: the release's graph was written by an older program.
    """
    tokenizer = cast(Any, PreTrainedTokenizerFast)(
        tokenizer_object=Tokenizer.from_file(str(folder / "tokenizer.json")),
        pad_token="[PAD]",
        model_max_length=_LONGEST,
    )
    model = ServedNetwork(restored(folder / "model.onnx")) if size == "release" else _roberta()
    read: Callable[..., Any] = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    return read


def _roberta() -> PreTrainedModel:
    config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, pad_token_id=0)
    network: Any = RobertaForSequenceClassification(config)  # the rest is as in RoBERTa-base; padding is the release's
    return cast(PreTrainedModel, network.eval())  # without dropout


def pipeline_work(folder: Path, texts: Sequence[str], batch_size: int, size: Size) -> Callable[[], object]:
    """Load a rival, warm it up, and return what reads the texts once; all but 512 tokens of a text are cut off."""
    read, shown = reader(folder, size), [marked(text) for text in texts]
    read(shown[:8], truncation=True)
    return lambda: read(shown, batch_size=batch_size, truncation=True)
