"""Splits CSV text into records, and recovers: a bad record costs that record, never the rest of the file.

DuckDB's CSV reader was tried first (1.5.5) and is not used here, because what it says of bad files is not enough: a
quote that is never closed at the end of the file loses the record without a word, its line numbers count records and
not lines, mixed line endings stop it, and Windows-1252 needs an extension. Python's ``csv`` splits single records here.
"""

import csv
import io
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.errors import SourceError
from pipeline.sources.content import Content, Line, Text
from pipeline.sources.rows import Fault
from pipeline.sources.spec import shorten

_DELIMITERS: Final = (",", ";", "\t", "|")
_LONGEST_RECORD: Final = 4_000_000
"""Characters after which an open quote counts as never closed."""
_MOST_QUOTED: Final = 2_000
"""Lines with quotes after which it counts so, too: each of them is a try to close."""
_RAW: Final = 1_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the fields are parted and how a quote inside quotes is written."""

    delimiter: str
    backslash: bool = False

    def split(self, lines: Iterable[str]) -> list[str]:
        """Return the fields of one record given as its physical lines. Raises ``csv.Error``."""
        reader = csv.reader(
            lines, delimiter=self.delimiter, strict=True, escapechar="\\" if self.backslash else None
        )  # fmt: skip
        return next(reader, [])


@dataclass(frozen=True, slots=True)
class Split:
    """The fields of one record, and the line that it starts on."""

    line: int
    fields: list[str]


class _Open(Exception):
    """The record goes on in the next line."""


class Records:
    """The records of CSV text: ``Split`` where all is well, ``Fault`` where not. Blank lines are passed over."""

    def __init__(self, lines: Iterator[Line], dialect: Dialect, width: int | None = None) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self._dialect = dialect
        self._width = width

    def __iter__(self) -> Iterator[Split | Fault]:
        while (line := self._next()) is not None:
            if line.text.strip(" \r\n\ufeff"):
                record = self._record(line)
                if not isinstance(record, Split) or any(record.fields):
                    yield record

    def _next(self) -> Line | None:
        return self._again.popleft() if self._again else next(self._lines, None)

    def _record(self, line: Line) -> Split | Fault:
        held = [line]
        while not held[-1].cut:
            try:
                return self._checked(Split(line.number, self._parsed(held)))
            except csv.Error as error:
                return self._give_up(held, _in_words(str(error)), resume="limit" not in str(error))
            except _Open:
                if not self._hold_on(held):
                    return self._give_up(held, "a quoted field that begins here is never closed", resume=True)
        return self._give_up(held, f"the line has more than {len(held[-1].text):,} characters", resume=False)

    def _hold_on(self, held: list[Line]) -> bool:
        """Add lines up to the next one with a quote, which may close the field; False when there is none to come."""
        size = sum(len(line.text) for line in held)
        if sum('"' in line.text for line in held) > _MOST_QUOTED:
            return False
        while size <= _LONGEST_RECORD and (line := self._next()) is not None:
            held.append(line)
            size += len(line.text)
            if '"' in line.text or line.cut:
                return True
        return False

    def _parsed(self, held: Sequence[Line]) -> list[str]:
        try:
            return self._dialect.split(line.text for line in held)
        except csv.Error as error:
            unfinished = "unexpected end of data" in str(error)
            if unfinished or ("limit" in str(error) and sum(line.text.count('"') for line in held) % 2):
                raise _Open from None
            raise

    def _checked(self, split: Split) -> Split | Fault:
        found = len(split.fields)
        if self._width is None or found == self._width or not any(split.fields):
            return split
        cut = "; the file seems cut off here" if found < self._width and self._at_end() else ""
        reason = f"expected {self._width} columns, found {found}{cut}"
        return Fault(split.line, reason, _raw(self._dialect.delimiter.join(split.fields)))

    def _at_end(self) -> bool:
        if not self._again and (ahead := next(self._lines, None)) is not None:
            self._again.append(ahead)
        return not self._again

    def _give_up(self, held: Sequence[Line], reason: str, *, resume: bool) -> Fault:
        """Reject the record; go on at the first held line that is a whole record again, else after all of them."""
        if resume:
            start = next((n for n, line in enumerate(held) if n and self._is_whole(line)), len(held))
            self._again.extendleft(reversed(held[start:]))
            held = held[:start]
        return Fault(held[0].number, reason, _raw("".join(line.text for line in held[:20])))

    def _is_whole(self, line: Line) -> bool:
        try:
            fields = self._dialect.split([line.text])
        except csv.Error:
            return False
        return len(fields) == self._width if self._width else bool(fields)


class Delimited:
    """A CSV file: its header and its records. The file must have a header line."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.dialect = sniff(content.head)
        self._text = Text(content)
        self.columns = self._header()

    def __iter__(self) -> Iterator[Split | Fault]:
        self._text = Text(self.content)
        records = iter(Records(self._text.lines(), self.dialect, len(self.columns)))
        last = 0
        for number, record in enumerate(records):
            last = record.line
            if number:  # the first is the header
                yield record
        if self._text.damage:
            yield Fault(last + 1, self._text.damage)

    def progress(self) -> tuple[int, int]:
        """Return bytes read in the present pass, and bytes in all."""
        return self._text.bytes_read, self.content.size

    def _header(self) -> list[str]:
        first = next(iter(Records(Text(self.content).lines(), self.dialect)), None)
        if not isinstance(first, Split):
            why = first.reason if first else "there is no line with text"
            raise SourceError(f"{self.content.name} has no header line that can be read: {why}")
        names = [name.strip().removeprefix("\ufeff") or f"column {n}" for n, name in enumerate(first.fields, start=1)]
        return [name if name not in names[:n] else f"{name} {n + 1}" for n, name in enumerate(names)]


def sniff(head: str) -> Dialect:
    """Return the dialect under which most of the first records have as many fields as the header."""
    sample = list(itertools.islice(io.StringIO(head, newline=""), 200))
    choices = [Dialect(delimiter) for delimiter in _DELIMITERS]
    if '\\"' in head:
        choices += [Dialect(delimiter, backslash=True) for delimiter in _DELIMITERS]
    return max(choices, key=lambda dialect: _fit(dialect, sample))


def _fit(dialect: Dialect, lines: Sequence[str]) -> tuple[int, int]:
    numbered = (Line(n, text) for n, text in enumerate(lines, start=1))
    records = iter(Records(numbered, dialect))
    header = next(records, None)
    if not isinstance(header, Split) or len(header.fields) < 2:
        return 0, 0
    width = len(header.fields)
    good = sum(isinstance(record, Split) and len(record.fields) == width for record in records)
    return good + 1, width


def _in_words(error: str) -> str:
    if "limit" in error:
        return "a field has more than 100,000 characters"
    if "expected after" in error:
        return "a quote inside a quoted field is not doubled, or one is never closed"
    return f"not CSV: {error}"


def _raw(text: str) -> dict[str, str]:
    return {"raw": shorten(text, _RAW)}
