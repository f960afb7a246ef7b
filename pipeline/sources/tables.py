"""Tables of messages: CSV, JSON lines, a JSON array, Parquet. One row is one message; memory stays bounded."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import duckdb

from pipeline.errors import SourceError
from pipeline.sources.content import Content
from pipeline.sources.delimited import Delimited, Split
from pipeline.sources.documents import Document, Documents, flattened
from pipeline.sources.rows import Entry, Fault, joined
from pipeline.sources.spec import FileSpec, resolve, shorten

_SAMPLE: Final = 1_000
"""Rows that are looked at for columns (JSON) and for what ids look like."""
_ROWS: Final = 2_000
_ROUNDED: Final = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")


class _Table:
    """What the tables share: columns mapped to fields, and ids that deserve the name."""

    kind = "table"

    def __init__(self, content: Content, spec: FileSpec, columns: list[str]) -> None:
        self.name = content.name
        self.encoding = content.encoding
        self.columns = columns
        self.notes = [content.note] if content.note else []
        self._mapping = resolve(spec, columns, content.name)
        self._judge_ids(spec)

    @property
    def labels(self) -> dict[str, str]:
        """Field → column or columns of the file."""
        return {name: "+".join(columns) for name, columns in self._mapping.items()}

    def entries(self) -> Iterator[Entry | Fault]:
        """Yield the rows with their columns renamed to fields."""
        for row in self._rows():
            yield row if isinstance(row, Fault) else self._entry(*row)

    def times(self) -> Iterator[str]:
        """Yield the values of the time column."""
        column = self._mapping.get("time", ("",))[0]
        return (row[1].get(column, "") for row in self._rows() if not isinstance(row, Fault))

    def _entry(self, line: int, row: Mapping[str, str]) -> Entry:
        fields = {name: _value(row, columns) for name, columns in self._mapping.items()}
        return Entry(line, fields)

    def _rows(self) -> Iterator[tuple[int, Mapping[str, str]] | Fault]:
        raise NotImplementedError

    def _judge_ids(self, spec: FileSpec) -> None:
        """Leave out ids that would make different messages the same: rounded numbers, and mere row counters."""
        column = self._mapping.get("id", (None,))[0]
        if column is None:
            return
        sample = itertools.islice((row[1] for row in self._rows() if not isinstance(row, Fault)), _SAMPLE)
        fault = _what_is_wrong([row.get(column, "") for row in sample])
        if fault and spec.mapping.get("id"):
            if "rounded" in fault:
                raise SourceError(f"{self.name}: the ids in column {column!r} {fault}; leave them out with id=")
        elif fault:
            del self._mapping["id"]
            self.notes.append(f"column {column!r} is not used as id: the values {fault}")


def _what_is_wrong(ids: Sequence[str]) -> str | None:
    given = [value.strip() for value in ids if value.strip()]
    if any(_ROUNDED.fullmatch(value) for value in given):
        return "are rounded numbers, so different messages share one"
    if given and all(value.isdigit() and int(value) <= 10 * len(ids) + 10 for value in given):
        return "only count the rows, so another file would have the same ones"
    if len(set(given)) < 0.9 * len(given):
        return "repeat"
    return None


def _value(row: Mapping[str, str], columns: Sequence[str]) -> str:
    value = row.get(columns[0], "")
    for column in columns[1:]:
        value = joined(value, row.get(column, ""))
    return value


class CsvTable(_Table):
    """A CSV file, or one parted by semicolons, tabs or bars."""

    kind = "CSV"

    def __init__(self, content: Content, spec: FileSpec) -> None:
        self._records = Delimited(content)
        super().__init__(content, spec, self._records.columns)

    def progress(self) -> tuple[int, int]:
        """Return bytes read in the present pass, and bytes in all."""
        return self._records.progress()

    def _rows(self) -> Iterator[tuple[int, Mapping[str, str]] | Fault]:
        for record in self._records:
            if isinstance(record, Split):
                yield record.line, dict(zip(self._records.columns, record.fields, strict=True))
            else:
                yield record


class JsonTable(_Table):
    """JSON objects, one a message: a line each, or the items of one array."""

    def __init__(self, documents: Documents, spec: FileSpec) -> None:
        self._documents = documents
        self.kind = "JSON lines" if documents.form == "lines" else "JSON array"
        super().__init__(documents.content, spec, _keys(documents))

    def progress(self) -> tuple[int, int]:
        """Return bytes read in the present pass, and bytes in all."""
        return self._documents.progress()

    def _rows(self) -> Iterator[tuple[int, Mapping[str, str]] | Fault]:
        for document in self._documents:
            if isinstance(document, Fault):
                yield document
            elif isinstance(document.value, dict):
                yield document.line, flattened(document.value)
            else:
                shown = shorten(str(document.value), 40)
                yield Fault(document.line, f"expected a JSON object with columns, found {shown!r}", {"raw": shown})


def _keys(documents: Iterable[Document | Fault]) -> list[str]:
    objects = (document.value for document in documents if isinstance(document, Document))
    sample = itertools.islice((value for value in objects if isinstance(value, dict)), _SAMPLE)
    return list(dict.fromkeys(key for value in sample for key in flattened(value)))


class ParquetTable(_Table):
    """A Parquet file, read through DuckDB in small batches."""

    kind = "Parquet"

    def __init__(self, content: Content, spec: FileSpec) -> None:
        self._path = str(content.path)
        self._size = content.size
        self._done = 0
        self._total = 1
        super().__init__(content, spec, self._names(content.name))

    def progress(self) -> tuple[int, int]:
        """Return bytes read in the present pass (in proportion to the rows), and bytes in all."""
        return self._size * self._done // max(self._total, 1), self._size

    def _names(self, name: str) -> list[str]:
        try:
            with _duckdb() as connection:
                described = connection.execute("SELECT * FROM read_parquet($path) LIMIT 0", {"path": self._path})
                names = [str(column[0]) for column in described.description or []]
                counted = connection.execute("SELECT count(*) FROM read_parquet($path)", {"path": self._path})
                self._total = int((counted.fetchone() or (0,))[0])
        except duckdb.Error as error:
            raise SourceError(
                f"{name} begins as a Parquet file but cannot be read ({shorten(str(error), 160)})"
            ) from error
        return names

    def _rows(self) -> Iterator[tuple[int, Mapping[str, str]] | Fault]:
        self._done = 0
        mapped = getattr(self, "_mapping", {})
        columns = sorted({column for columns in mapped.values() for column in columns})
        quoted = ", ".join(_as_text(column) for column in columns)
        try:
            with _duckdb() as connection:
                connection.execute(f"SELECT {quoted} FROM read_parquet($path)", {"path": self._path})
                for batch in connection.to_arrow_reader(_ROWS):
                    for row in batch.to_pylist():
                        self._done += 1
                        yield self._done, {name: value or "" for name, value in row.items()}
        except duckdb.Error as error:
            yield Fault(self._done + 1, f"the Parquet file is damaged here: {shorten(str(error), 160)}")


def _as_text(column: str) -> str:
    """Return SQL that casts a column to text under its own name; identifiers cannot be bound as parameters."""
    identifier = '"' + column.replace('"', '""') + '"'
    return f"CAST({identifier} AS VARCHAR) AS {identifier}"


def _duckdb() -> duckdb.DuckDBPyConnection:
    settings: dict[str, Any] = {"threads": 2, "memory_limit": "512MB", "autoinstall_known_extensions": False}
    return duckdb.connect(":memory:", config=settings)
