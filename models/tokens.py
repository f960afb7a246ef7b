"""The tokenizer of a release: the encoder's own, with redaction's placeholders as whole tokens."""

import json
from pathlib import Path

from tokenizers import Tokenizer

from models.labels import PLACEHOLDERS


def with_placeholders(source: Path) -> Tokenizer:
    """Return the tokenizer of ``source`` (a ``tokenizer.json``) in which each placeholder takes an unused id."""
    state = json.loads(source.read_text(encoding="utf-8"))
    vocabulary = state["model"]["vocab"]
    for slot, placeholder in enumerate(PLACEHOLDERS):
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
