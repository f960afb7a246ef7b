"""The labels of ours: on public texts, which stay where they are and are found by a key, and on messages we wrote.

``data/labels/public.tsv`` holds ``key, set, mood, intents, disservices`` (commas between labels, ``-`` for none); the
key is 48 bits of BLAKE2b over :func:`models.folds.text_key` of the text. All of these rows train: they were chosen by
what an earlier release found hard, so they neither judge nor calibrate.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
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
    found = {key: text for text in public_texts(public) if (key := key_of(text)) in rows}
    return [_example(found[key], *row) for key, row in rows.items() if key in found]


def key_of(text: str) -> str:
    """Return the key under which a public text's labels lie."""
    return hashlib.blake2b(text_key(text).encode(), digest_size=6).hexdigest()


def public_texts(folder: Path) -> Iterator[str]:
    """Yield the texts of the public sets that hold customers' messages without labels of our kind."""
    yield from (example.text for example in insurers(folder))
    yield from (example.text for example in topic_tweets(folder) if tweet_fold(example.text) == "train")
    for place, column in (("shopzilla_csat", "Customer Remarks"), ("comcast_fcc", "Customer_Complaint")):
        for path in sorted((folder / place).glob("*.csv")):
            yield from (row[column] for row in csv_rows(path))
    for path in sorted((folder / "amazon_5core").glob("*.json")):
        for line in path.open(encoding="utf-8"):
            review = json.loads(line)
            yield f"{review.get('summary', '')}. {review.get('reviewText', '')}"[:1200]
    for path in sorted((folder / "multidogo" / "turn_level").glob("*/train.tsv")):
        yield from (row[3] for row in tsv_rows(path, header=True) if len(row) > 3)
    for path in sorted((folder / "ibm_twitter_care").glob("*.json")):
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
    return Example(text.strip(), source, (mood,), SENTIMENT_OF_MOOD[mood], intents, disservices=disservices)
