"""The tokenizer of a release: the encoder's own, with whole tokens for placeholders, shouting and emoji."""

import json
import re
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from models.emoji import EMOJI
from models.labels import PLACEHOLDERS

LOUD: Final = "<LOUD>"
"""Stands before words in capitals, whose case the encoder does not see."""

ADDED: Final = (*PLACEHOLDERS, LOUD, *EMOJI)
"""Tokens that the encoder lacks, each in the unused slot of its place; part of the contract with releases."""

_SHOUTED: Final = re.compile(r"(?<![\w<@#&])[A-Z][A-Z']*[A-Z](?![\w>@])(?:[\s,.!?-]+(?:[A-Z]'?)+(?![\w>]))*")
_SKIN_AND_JOINERS: Final = "[\U0001f3fb-\U0001f3ff\u200d\u2640\u2642\ufe0f]"


def marked(text: str) -> str:
    """Put ``<LOUD>`` before each run of words in capitals: two or more, or one of at least four letters."""
    return _SHOUTED.sub(lambda run: f"{LOUD} {run[0]}" if _is_loud(run[0]) else run[0], text)


def _is_loud(run: str) -> bool:
    return len(run) >= 4 and (len(run.split()) > 1 or run.isalpha())


def customer_tokenizer(source: Path) -> Tokenizer:
    """Return the tokenizer of ``source`` (a ``tokenizer.json``) in which each added token takes an unused id.

    Skin tones and joiners of emoji are dropped.
    """
    state = json.loads(source.read_text(encoding="utf-8"))
    vocabulary = state["model"]["vocab"]
    drop = {"type": "Replace", "pattern": {"Regex": _SKIN_AND_JOINERS}, "content": ""}
    state["normalizer"] = {"type": "Sequence", "normalizers": [drop, state["normalizer"]]}
    for slot, placeholder in enumerate(ADDED):
        identity = vocabulary.pop(f"[unused{slot}]")
        vocabulary[placeholder] = identity
        state["added_tokens"].append(
            {
                "id": identity,
                "content": placeholder,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        )
    state["truncation"] = state["padding"] = None
    return Tokenizer.from_str(json.dumps(state))


def clip(ids: list[int], limit: int) -> list[int]:
    """Shorten a sequence to ``limit`` ids by cutting its middle: one third head, two thirds end, markers kept."""
    if len(ids) <= limit:
        return ids
    head = limit // 3
    return ids[:head] + ids[len(ids) - (limit - head) :]
