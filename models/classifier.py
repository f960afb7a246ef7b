"""Score texts with a release: tokenizers and ONNX Runtime, no torch.

Texts are scored once however often they occur, cut into sentence windows, sorted by length and run in batches of
about equal numbers of tokens, a thread a core; results come back in the order of the texts.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from models.release import Release
from models.tokens import marked
from models.windows import windows

Array = npt.NDArray[np.float64]
Piece = tuple[int, list[int]]
"""The place of a text, and the ids of one of its windows."""
TOKENS_PER_BATCH: Final = 768
"""Padded tokens scored at once: enough for the matrix products, few enough for caches and memory."""
_TEXTS_AT_ONCE: Final = 4096
_SPLITS: Final = np.cumsum([len(MOODS), len(SENTIMENTS), len(INTENTS)]).tolist()
_SCORES: Final = _SPLITS[-1] + len(DISSERVICES)


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
        threads: How many batches to score side by side; 0 is one for each core.
    """

    def __init__(self, release: Release, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # models/graph.py has fused what is faster fused; more would be slower
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.intra_op_num_threads = 1  # each thread takes batches of its own: no thread waits for another
        self.release = release
        self.threads = threads or len(os.sched_getaffinity(0))
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
        known = dict(zip(distinct, self.named(probabilities), strict=True))
        return [known[text] for text in texts]

    def logits(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Array:
        """Return raw scores of shape (texts, 37), windows of one text already joined.

        While threads score some thousand texts, the next are cut into tokens beside them. A text's scores do not depend
        on the texts beside it.
        """
        chunks = [texts[start : start + _TEXTS_AT_ONCE] for start in range(0, len(texts), _TEXTS_AT_ONCE)]
        limit, scores = self.release.maximum_tokens, np.empty((len(texts), _SCORES))
        with ThreadPoolExecutor(self.threads) as workers, ThreadPoolExecutor(1) as cutter:
            ahead = [cutter.submit(cut, self.tokenizer, chunk, limit) for chunk in chunks[:1]]
            for number, chunk in enumerate(chunks):
                pieces = ahead.pop().result()
                ahead += [cutter.submit(cut, self.tokenizer, ahead, limit) for ahead in chunks[number + 1 : number + 2]]
                start = number * _TEXTS_AT_ONCE
                scores[start : start + len(chunk)] = self._chunk(pieces, len(chunk), workers, progress)
        return scores

    def _chunk(
        self, pieces: Sequence[Piece], texts: int, workers: Executor, progress: Callable[[int], None] | None
    ) -> Array:
        raw = np.empty((len(pieces), _SCORES))
        batches = list(_batches([len(ids) for _, ids in pieces], self.threads))
        found = workers.map(self._run, ([pieces[place][1] for place in places] for places in batches))
        for places, scores in zip(batches, found, strict=True):
            raw[places] = scores
            if progress:
                progress(sum(1 for place in places if place == 0 or pieces[place][0] != pieces[place - 1][0]))
        return _joined(raw, np.array([owner for owner, _ in pieces]), texts)

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

    def levels(self, logits: Array) -> Array:
        """Return probabilities of five levels of sentiment, best first, of shape (texts, 5), each level as common."""
        how = self.release.calibration
        return softmax(logits @ np.array(how.level_weight) + how.level_shift)

    def named(self, probabilities: Array) -> list[Score]:
        """Return the scores of texts, labels named, from calibrated probabilities of shape (texts, 37)."""
        return [self._named(row) for row in probabilities]

    def _run(self, rows: Sequence[list[int]]) -> Array:
        ids = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        return cast(Array, self.session.run(None, {"input_ids": ids})[0])

    def _named(self, row: Array) -> Score:
        mood, sentiment, intents, disservices = (tuple(part.tolist()) for part in np.split(row, _SPLITS))
        given = row[_SPLITS[1] :] >= self.release.calibration.thresholds
        named = tuple(label for label, is_given in zip((*INTENTS, *DISSERVICES), given, strict=True) if is_given)
        return Score(
            mood,
            sentiment,
            intents,
            disservices,
            MOODS[int(np.argmax(np.log(np.maximum(mood, 1e-12)) + self.release.calibration.mood_cut))],
            SENTIMENTS[int(np.argmax(sentiment))],
            _intents(tuple(label for label in named if label in INTENTS), intents),
            tuple(label for label in named if label in DISSERVICES),
        )


def cut(tokenizer: Tokenizer, texts: Sequence[str], limit: int) -> list[Piece]:
    """Return the windows of all texts in order, at most ``limit`` ids each, with the place of their text."""
    shown = [marked(text) for text in texts]
    return [
        (place, window)
        for place, encoding in enumerate(tokenizer.encode_batch(shown))
        for window in windows(encoding.ids, encoding.offsets, shown[place], limit)
    ]


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


def _batches(lengths: Sequence[int], threads: int) -> Iterator[list[int]]:
    room = min(TOKENS_PER_BATCH, -(-sum(lengths) // threads))  # few texts keep every thread busy too
    batch: list[int] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        if batch and lengths[place] * (len(batch) + 1) > room:
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
