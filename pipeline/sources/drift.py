"""Notices that a source's records look otherwise than before: a field that is gone, a word that is new."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_ENOUGH: Final = 20
"""Records from which on the fields of a pull tell anything."""
_USUAL: Final = 0.8
"""Share of records from which on a field counts as always filled."""
_RARE: Final = 0.1
"""Share of new records up to which a field that was usual counts as gone; old ones that were edited may have it."""
_WORDS: Final = 30
"""Different words from which on a field is no enumeration."""
_WORD: Final = re.compile(r"[^\W\d]{1,30}(?:[ _.-][^\W\d]{1,30}){0,3}")
"""What a value of an enumeration looks like; anything else could be a person's."""


@dataclass(slots=True)
class Shape:
    """How many records had which field, and which words an enumeration used."""

    records: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    words: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, fields: Mapping[str, str], enumerations: Iterable[str]) -> None:
        """Look at one record's fields; the values of ``enumerations`` (never free text) are counted."""
        self.records += 1
        self.filled.update(name for name, value in fields.items() if value)
        for name in enumerations:
            if (word := fields.get(name)) and _WORD.fullmatch(word):
                self.words.setdefault(name, Counter())[word] += 1

    def text(self) -> str:
        """Return the shape as JSON, as it is stored."""
        return json.dumps({"records": self.records, "filled": dict(self.filled), "words": self.words}, sort_keys=True)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Shape":
        """Return several stored shapes as one."""
        whole = cls()
        for stored in map(json.loads, texts):
            whole._join(stored)
        return whole

    def _join(self, stored: Mapping[str, Any]) -> None:
        self.records += stored.get("records", 0)
        self.filled.update(stored.get("filled", {}))
        for name, counts in stored.get("words", {}).items():
            self.words.setdefault(name, Counter()).update(counts)


def drifts(before: Shape, now: Shape) -> list[str]:
    """Return in words how the records of a pull differ from those of the pulls before it."""
    if before.records < _ENOUGH:
        return []
    usual = [name for name, count in before.filled.items() if count >= _USUAL * before.records]
    gone = [
        f"field {name!r} is gone: it was in {before.filled[name] / before.records:.0%} of the records, and is in "
        f"{now.filled[name]} of the last {now.records}"
        for name in sorted(usual)
        if now.records >= _ENOUGH and now.filled[name] <= _RARE * now.records
    ]
    return gone + [
        f"{name} has a value that is new: {word!r} ({count} records)"
        for name, counts in sorted(now.words.items())
        if 0 < len(before.words.get(name, ())) <= _WORDS
        for word, count in counts.items()
        if word not in before.words[name]
    ]
