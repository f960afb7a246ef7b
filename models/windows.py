"""Long texts in sentence windows: nothing is cut off, and each window fits the network."""

import re
from collections.abc import Sequence
from typing import Final

_END: Final = re.compile(r"[.!?…]+[\"'”)\]]*(?=\s|$)|[。！？]+")  # noqa: RUF001
"""Stops and what closes after them. spaCy's sentencizer cuts alike, but takes 370 MB where torch is installed."""


def sentence_ends(text: str) -> list[int]:
    """Return the character at which each sentence ends, in order; the last is the length of the text."""
    ends = [end.end() for end in _END.finditer(text)]
    return ends if ends and ends[-1] == len(text) else [*ends, len(text)]


def windows(ids: Sequence[int], offsets: Sequence[tuple[int, int]], text: str, limit: int) -> list[list[int]]:
    """Cut the ids of a text (first and last are markers) into windows of whole sentences, each at most ``limit`` ids.

    A sentence longer than a window is cut where the window is full. Every id but the markers is in just one window.
    """
    if len(ids) <= limit:
        return [list(ids)]
    room, first, last = limit - 2, ids[0], ids[-1]
    cut: list[list[int]] = [[]]
    for sentence in _by_sentence(ids[1:-1], offsets[1:-1], text):
        if len(cut[-1]) + len(sentence) > room and cut[-1]:
            cut.append([])
        for start in range(0, len(sentence), room):
            if start:
                cut.append([])
            cut[-1] += sentence[start : start + room]
    return [[first, *window, last] for window in cut if window]


def _by_sentence(ids: Sequence[int], offsets: Sequence[tuple[int, int]], text: str) -> list[list[int]]:
    sentences: list[list[int]] = [[]]
    ends = iter(sentence_ends(text))
    end = next(ends)
    for identity, (start, _) in zip(ids, offsets, strict=True):
        while start >= end and end < len(text):
            end = next(ends, len(text))
            sentences.append([])
        sentences[-1].append(identity)
    return [sentence for sentence in sentences if sentence]
