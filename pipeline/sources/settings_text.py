"""Writes a ``[[sources]]`` block as TOML, and takes its keys apart into dotted names and together again."""

import json
from collections.abc import Mapping
from typing import Any


def flattened(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a block's values under dotted names: ``{"auth": {"type": …}}`` is ``{"auth.type": …}``."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`flattened` took apart."""
    table: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, key = name.split(".")
        inner = table
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[key] = value
    return table


def block_text(table: Mapping[str, Any]) -> str:
    """Return a block as it stands in ``moodline.toml`` (https://toml.io/en/v1.0.0); tables in it on one line each."""
    return "\n".join(["[[sources]]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items()), ""])


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else json.dumps(key)
