"""The labels of ours: on public texts, which stay where they are and are found by a key, and on messages we wrote.

``data/labels/public.tsv`` holds ``key, set, mood, intents, disservices`` (commas between labels, ``-`` for none); the
key is 48 bits of BLAKE2b over :func:`models.folds.text_key` of the text. All of these rows train: they were chosen by
what an earlier release found hard, so they neither judge nor calibrate.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from models.corpora import SENTIMENT_OF_MOOD, Example, csv_rows, insurers, labelled, topic_tweets, tsv_rows
from models.errors import CorpusError
from models.folds import text_key, tweet_fold
from models.labels import DISSERVICES, INTENTS, MOODS


def own_rows(path: Path, public: Path) -> list[Example]:
    """Read a file of ours: ``.jsonl`` holds texts and labels, ``.tsv`` labels for texts found in ``public``.

    Raises:
        CorpusError: the file is missing, or a row is not one; names file and line.
    """
    if path.suffix == ".jsonl":
        return labelled(path)
    rows = dict(_labels(path))
    texts = chain.from_iterable(public_texts(public).values())
    found = {key: text for text in texts if (key := key_of(text)) in rows}
    return [_example(found[key], *row) for key, row in rows.items() if key in found]


def key_of(text: str) -> str:
    """Return the key under which a public text's labels lie."""
    return hashlib.blake2b(text_key(text).encode(), digest_size=6).hexdigest()


def public_texts(folder: Path) -> dict[str, Iterator[str]]:
    """Return the texts of the public sets that hold customers' messages without labels of our kind, set by set."""
    return {
        "trustpilot": (example.text for example in insurers(folder)),
        "semevalce": (example.text for example in topic_tweets(folder) if tweet_fold(example.text) == "train"),
        "shopzilla": _column(folder / "shopzilla_csat", "Customer Remarks"),
        "comcast": _column(folder / "comcast_fcc", "Customer_Complaint"),
        "amazon": _products(folder / "amazon_5core"),
        "multidogo": _turns(folder / "multidogo" / "turn_level"),
        "ibm": _threads(folder / "ibm_twitter_care"),
    }


def _column(folder: Path, column: str) -> Iterator[str]:
    return (row[column] for path in sorted(folder.glob("*.csv")) for row in csv_rows(path))


def _products(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.json")):
        for line in path.open(encoding="utf-8"):
            review = json.loads(line)
            yield f"{review.get('summary', '')}. {review.get('reviewText', '')}"[:1200]


def _turns(folder: Path) -> Iterator[str]:
    paths = sorted(folder.glob("*/train.tsv"))
    return (row[3] for path in paths for row in tsv_rows(path, header=True) if len(row) > 3)


def _threads(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.json")):
        for thread in json.loads(path.read_text(encoding="utf-8")):
            yield from (turn["message"] for turn in thread["dialogContent"] if "client" in turn)


def _labels(path: Path) -> Iterator[tuple[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]]]:
    if not path.exists():
        raise CorpusError(f"{path}: no such file; the recipe's `labels` names files beside it")
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t"), 2):
            try:
                intents, disservices = _split(row["intents"]), _split(row["disservices"])
                known = row["mood"] in MOODS and {*intents} <= {*INTENTS} and {*disservices} <= {*DISSERVICES}
            except (KeyError, AttributeError):
                known = False
            if not known:
                raise CorpusError(f"{path} line {number}: not a row of key, set, mood, intents, disservices")
            yield row["key"], (row["set"], row["mood"], intents, disservices)


def _split(labels: str) -> tuple[str, ...]:
    return () if labels == "-" else tuple(labels.split(","))


def _example(text: str, source: str, mood: str, intents: tuple[str, ...], disservices: tuple[str, ...]) -> Example:
    """Return a row; the guide's mood is felt towards a company, so it is no sentiment of a tweet about a film."""
    sentiment = None if source == "semevalce" else SENTIMENT_OF_MOOD[mood]
    return Example(text.strip(), source, (mood,), sentiment, intents, disservices=disservices)
