"""Reads fields out of JSON records by JMESPath, and sweeps markup out of texts."""

import re
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any, Final

import jmespath

from pipeline.sources.documents import as_text

Getter = Callable[[Any], Any]
"""Reads one value out of a record; None where it has none."""

_PLAIN: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_BREAK: Final = re.compile(r"<br\s*/?>|</(?:p|div|li|tr|h\d|blockquote)>", re.IGNORECASE)
_HIDDEN: Final = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG: Final = re.compile(r"</?[A-Za-z!][^<>]*>")
_BLANKS: Final = re.compile(r"[ \t\r\f\v\xa0]+")


def getter(expression: str) -> Getter:
    """Return what reads a JMESPath expression; a plain path such as ``author.id`` takes a short cut.

    https://jmespath.org/specification.html
    """
    if _PLAIN.fullmatch(expression):
        return _path(expression.split("."))
    compiled = jmespath.compile(expression)

    def search(record: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        try:
            return compiled.search(record)
        except jmespath.exceptions.JMESPathError:
            return None  # a function that met another type: this record has no such value

    return search


def _path(names: list[str]) -> Getter:
    def search(record: Any) -> Any:  # noqa: ANN401
        for name in names:
            if not isinstance(record, dict):
                return None
            record = record.get(name)
        return record

    return search


def fields_of(record: Any, getters: Mapping[str, Getter]) -> dict[str, str]:  # noqa: ANN401
    """Return a record's fields as text; those without a value are left out."""
    found = ((name, get(record)) for name, get in getters.items())
    return {name: as_text(value) for name, value in found if value is not None}


def joined_by(records: str, key: str, name: str, others: str) -> Callable[[Any], Any]:
    """Return what puts into each of ``records``, as ``name``, that one of ``others`` whose ``id`` is its ``key``."""
    find_records, find_others = getter(records), getter(others)

    def join(value: Any) -> Any:  # noqa: ANN401
        known = {other.get("id"): other for other in find_others(value) or [] if isinstance(other, dict)}
        for record in (find_records(value) or []) if known else []:
            if isinstance(record, dict) and record.get(key) in known:
                record[name] = known[record[key]]
        return value

    return join


def plain_text(markup: str) -> str:
    """Return HTML as people read it: paragraphs and breaks are lines, tags are gone, entities are letters."""
    text = _TAG.sub("", _BREAK.sub("\n", _HIDDEN.sub("", markup)))
    lines = (_BLANKS.sub(" ", line).strip() for line in unescape(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
