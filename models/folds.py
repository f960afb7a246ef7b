"""Which rows are trained on, which calibrate, and which judge: decided by a hash, so that it never changes."""

import hashlib
import re
from typing import Final, Literal

Fold = Literal["train", "calibrate", "judge"]

_PUNCTUATION: Final = re.compile(r"<[A-Z]+>|https?://\S+|@\w+|[^\w]+")


def text_key(text: str) -> str:
    """Return what near-copies of a text share: its letters and digits, without case and links.

    Never change this: releases were trained by the folds that hang on it.
    """
    return " ".join(_PUNCTUATION.sub(" ", text).casefold().split())


def bucket(key: str, buckets: int) -> int:
    """Return a number below ``buckets`` that depends on nothing but ``key`` (64 bits of BLAKE2b)."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") % buckets


def labelled_fold(row_id: str) -> Fold:
    """Return the fold of a labelled row: one fifth judges, one fifteenth calibrates, the rest trains."""
    place = bucket(row_id, 15)
    if place < 3:
        return "judge"
    return "calibrate" if place == 3 else "train"


def tweet_fold(text: str) -> Fold:
    """Return the fold of a sentiment tweet by its text, so that copies across years stay together."""
    place = bucket(text_key(text), 50)
    if place < 2:
        return "judge"
    return "calibrate" if place == 2 else "train"
