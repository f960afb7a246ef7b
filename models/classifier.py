"""Score texts with a release: tokenizers and ONNX Runtime, no torch.

Texts are scored once however often they occur, cut into sentence windows, sorted by length and run in batches of
about equal numbers of tokens; results come back in the order of the texts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from models.release import Release
from models.windows import windows

Array = npt.NDArray[np.float64]
TOKENS_PER_BATCH: Final = 4096
_SPLITS: Final = np.cumsum([len(MOODS), len(SENTIMENTS), len(INTENTS)]).tolist()


@dataclass(frozen=True, slots=True)
class Score:
    """What the classifier makes of one text. Mood and sentiment each sum to one; the labels are independent."""

    mood: tuple[float, ...]
    sentiment: tuple[float, ...]
    intents: tuple[float, ...]
    disservices: tuple[float, ...]
    mood_label: str
    sentiment_label: str
    intent_labels: tuple[str, ...]
    disservice_labels: tuple[str, ...]


class Classifier:
    """A release, ready to score.

    Args:
        release: The release to serve.
        threads: Cores to use; 0 is all of them.
    """

    def __init__(self, release: Release, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.disable_quant_qdq", "1")  # unfold int8 weights once, when loading
        self.release = release
        self.tokenizer = Tokenizer.from_file(str(release.folder / "tokenizer.json"))
        self.session = onnxruntime.InferenceSession(
            str(release.folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    @classmethod
    def load(cls, folder: Path, threads: int = 0) -> "Classifier":
        """Load the release in ``folder``.

        Raises:
            ReleaseError: the folder is not a complete release.
        """
        return cls(Release.read(folder), threads)

    @property
    def version(self) -> str:
        """The version that readings carry."""
        return self.release.version

    def score(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> list[Score]:
        """Score texts, in their order; ``progress`` hears of each batch how many distinct texts it finished."""
        distinct = list(dict.fromkeys(texts))
        probabilities = self.probabilities(self.logits(distinct, progress))
        known = {text: self._labelled(row) for text, row in zip(distinct, probabilities, strict=True)}
        return [known[text] for text in texts]

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Array:
        """Return raw scores of shape (texts, 37), windows of one text already joined."""
        pieces = list(self._windows(texts))
        raw = np.empty((len(pieces), _SPLITS[-1] + len(DISSERVICES)))
        for places in _batches([len(ids) for _, ids in pieces]):
            raw[places] = self._run([pieces[place][1] for place in places])
            if progress:
                progress(sum(1 for place in places if place == 0 or pieces[place][0] != pieces[place - 1][0]))
        return _joined(raw, np.array([owner for owner, _ in pieces]), len(texts))

    def probabilities(self, logits: Array) -> Array:
        """Return calibrated probabilities of shape (texts, 37) from raw scores of that shape."""
        how = self.release.calibration
        mood, sentiment, labels = np.split(logits, _SPLITS[:2], axis=1)
        calibrated = 1 / (1 + np.exp(-(labels * how.label_scale + how.label_shift)))
        return np.hstack(
            [
                softmax(mood * how.mood_scale + how.mood_shift),
                softmax(sentiment * how.sentiment_scale + how.sentiment_shift),
                calibrated,
            ]
        )

    def _windows(self, texts: Sequence[str]) -> Iterator[tuple[int, list[int]]]:
        for start in range(0, len(texts), 1000):
            part = texts[start : start + 1000]
            for place, encoding in enumerate(self.tokenizer.encode_batch(part), start):
                for window in windows(encoding.ids, encoding.offsets, texts[place], self.release.maximum_tokens):
                    yield place, window

    def _run(self, rows: Sequence[list[int]]) -> Array:
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)}
        return cast(Array, self.session.run(None, inputs)[0])

    def _labelled(self, row: Array) -> Score:
        mood, sentiment, intents, disservices = (tuple(part.tolist()) for part in np.split(row, _SPLITS))
        given = row[_SPLITS[1] :] >= self.release.calibration.thresholds
        named = tuple(label for label, is_given in zip((*INTENTS, *DISSERVICES), given, strict=True) if is_given)
        return Score(
            mood,
            sentiment,
            intents,
            disservices,
            MOODS[int(np.argmax(mood))],
            SENTIMENTS[int(np.argmax(sentiment))],
            _intents(tuple(label for label in named if label in INTENTS), intents),
            tuple(label for label in named if label in DISSERVICES),
        )


def softmax(scores: Array) -> Array:
    """Return the softmax of each row."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return cast(Array, exponents / exponents.sum(axis=1, keepdims=True))


def _intents(named: tuple[str, ...], probabilities: Sequence[float]) -> tuple[str, ...]:
    """Every message has an intent, and ``other`` stands alone (the labelling guide's rule)."""
    topics = tuple(label for label in named if label != "other")
    if topics and "other" in named:
        best = max(topics, key=lambda label: probabilities[INTENTS.index(label)])
        other = probabilities[INTENTS.index("other")]
        return topics if probabilities[INTENTS.index(best)] >= other else ("other",)
    return named or (INTENTS[int(np.argmax(probabilities))],)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        if batch and lengths[place] * (len(batch) + 1) > TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _joined(raw: Array, owner: npt.NDArray[np.int64], texts: int) -> Array:
    """Join windows: mood and sentiment lean on the ending (each window weighs as much as all before it), labels add up.

    A dis-service told anywhere in a letter was told, so its highest score counts.
    """
    joined = np.empty((texts, raw.shape[1]))
    starts = np.searchsorted(owner, np.arange(texts))
    joined[:, _SPLITS[1] :] = np.maximum.reduceat(raw[:, _SPLITS[1] :], starts, axis=0) if len(raw) else 0
    feelings = raw[:, : _SPLITS[1]]
    for text, (start, end) in enumerate(zip(starts, [*starts[1:], len(raw)], strict=True)):
        joined[text, : _SPLITS[1]] = feelings[start]
        for window in feelings[start + 1 : end]:
            joined[text, : _SPLITS[1]] = (joined[text, : _SPLITS[1]] + window) / 2
    return joined
