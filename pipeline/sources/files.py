"""Reads a file or a folder of any kind that is known, batch by batch, and shows beforehand what would be read.

The kind is told by the content: a wrong ending of the name does no harm. Nothing is stored and nothing is masked here.
"""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from pipeline.errors import SourceError
from pipeline.records import IncomingMessage, RejectedRecord
from pipeline.sources.content import Content, inspect
from pipeline.sources.documents import Document, Documents, is_json
from pipeline.sources.rows import Entry, Fault, Mapper, Reader
from pipeline.sources.spec import Batch, FileSpec, shorten
from pipeline.sources.tables import CsvTable, JsonTable, ParquetTable
from pipeline.sources.threads import Threads, turns_key
from pipeline.sources.times import Survey, TimeReader
from pipeline.sources.transcripts import INDEX, Index, Transcript, looks_like_call, read_json, read_vtt

ROWS: Final = 20_000
"""Records in a batch."""
_SURVEYED: Final = 10_000
"""Times that are looked at when none of them leaves the order of day and month open."""
_PREVIEWED: Final = 100_000
_IGNORED: Final = (".part", ".tmp", ".crdownload", ".download", ".swp", ".toml", ".md")


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import of one file would do, without doing it."""

    path: Path
    kind: str
    encoding: str
    columns: list[str]
    mapping: dict[str, str]
    """Field → what the file calls it."""
    time_format: str
    notes: list[str]
    messages: list[IncomingMessage]
    """The first good ones; unmasked."""
    rejected: list[RejectedRecord]
    """The first bad ones; unmasked."""
    records: int
    good: int
    without_customer: int
    problems: dict[str, int]
    """Reason (without the values) → how many records."""
    complete: bool
    """False when the file is longer than what was looked at."""


def read(path: Path, spec: FileSpec, *, now: datetime | None = None) -> Iterator[Batch]:
    """Yield the messages and rejects of a file, or of each file of a folder in the order of names.

    A file is looked at as a whole before its first batch comes, so a file that cannot be read, lacks a mapped column
    or leaves day and month open raises before anything of it was yielded. In a folder such a file is one rejected
    record (line 0), and the others are read. ``now`` is the time beyond which times lie in the future.

    Raises:
        SourceError: nothing could be read at all.
    """
    if path.is_dir():
        yield from _folder(path, spec, now)
    else:
        yield from _file(path, spec, now, path.name)


def preview(path: Path, spec: FileSpec, rows: int = 5, *, now: datetime | None = None) -> Preview:
    """Read up to 100,000 records of a file (of a folder: its first file) and say what an import would make of them.

    Raises:
        SourceError: as ``read``.
    """
    if path.is_dir():
        path = _members(path)[0]
    reader = open_file(path, spec)
    times = survey(reader, spec, now)
    mapper = Mapper(spec, times, reader.name, reader.labels)
    tally = _Tally(rows)
    entries = reader.entries()
    for entry in itertools.islice(entries, _PREVIEWED):
        tally.add(mapper.message(entry))
    return Preview(
        path, reader.kind, reader.encoding, reader.columns, dict(reader.labels), times.described, reader.notes,
        tally.messages, tally.rejected, tally.records, tally.good, tally.without_customer, dict(tally.problems),
        next(entries, None) is None,
    )  # fmt: skip


def digest(path: Path) -> str:
    """Return a hash of a file's bytes (of a folder: of its files' names and bytes), to know it again. BLAKE2b."""
    hasher = hashlib.blake2b(digest_size=16)
    for member in _members(path) if path.is_dir() else [path]:
        if path.is_dir():
            hasher.update(member.name.encode() + b"\0")
        try:
            with member.open("rb") as raw:
                for chunk in iter(lambda: raw.read(1 << 20), b""):
                    hasher.update(chunk)
        except OSError as error:
            raise SourceError(f"{member}: cannot be read ({error.strerror or error})") from error
    return hasher.hexdigest()


def open_file(path: Path, spec: FileSpec) -> Reader:
    """Return a reader for the file, chosen by its content.

    Raises:
        SourceError: the file is nothing that can be read, or lacks what ``spec`` maps.
    """
    content = inspect(path, spec.encoding)
    if content.kind == "parquet":
        return ParquetTable(content, spec)
    if content.kind == "vtt":
        return Transcript(content, spec, "WebVTT", [read_vtt(content)])
    return _open_json(content, spec) if is_json(content.head) else CsvTable(content, spec)


def survey(reader: Reader, spec: FileSpec, now: datetime | None = None) -> TimeReader:
    """Settle the time format: by 10,000 values, or by all of them where day and month could be mistaken.

    Raises:
        SourceError: the file's values leave it open, or the format said is none.
    """
    watch = Survey(time_format=spec.time_format, time_zone=spec.time_zone, now=now)
    for number, value in enumerate(reader.times()):
        if number >= _SURVEYED and watch.settled:
            break
        watch.add(value)
    if constant := spec.constants.get("time"):
        watch.add(constant)
    label = reader.labels.get("time", "time")
    return watch.finish(f"{reader.name}, {label}")


def is_candidate(path: Path) -> bool:
    """Tell whether a folder's entry is meant to be read: no dotfile, no half-written file, no index or settings."""
    name = path.name
    return path.is_file() and not name.startswith((".", "~")) and name != INDEX and not name.endswith(_IGNORED)


class _Tally:
    """Counts what a preview sees and keeps the first few."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.messages: list[IncomingMessage] = []
        self.rejected: list[RejectedRecord] = []
        self.problems: Counter[str] = Counter()
        self.records = self.good = self.without_customer = 0

    def add(self, result: IncomingMessage | RejectedRecord) -> None:
        self.records += 1
        if isinstance(result, RejectedRecord):
            self.problems[_kind_of_problem(result.reason)] += 1
            self.rejected.extend([result] if len(self.rejected) < self._rows else [])
            return
        self.good += 1
        self.without_customer += result.customer is None
        self.messages.extend([result] if len(self.messages) < self._rows else [])


def _kind_of_problem(reason: str) -> str:
    """Return a reason without the value that it quotes, so that equal problems count together."""
    return re.sub(r" (['\"]).*\1(?= |;|$)", " …", reason)


def _open_json(content: Content, spec: FileSpec) -> Reader:
    documents = Documents(content)
    first = next((document.value for document in documents if isinstance(document, Document)), None)
    if spec.turns or (turns_key(first) and not looks_like_call(first)):
        return Threads(documents, spec)
    if documents.form == "array" and isinstance(first, dict) and looks_like_call([first]):
        items = [document.value for document in documents if isinstance(document, Document)]
        return Transcript(content, spec, "transcript (list of turns)", [read_json(items, content.name)])
    if looks_like_call(first):
        calls = [read_json(document.value, content.name) for document in documents if isinstance(document, Document)]
        return Transcript(content, spec, "transcript (JSON)", calls)
    if first is None:
        raise SourceError(f"{content.name} begins like JSON, but no whole JSON value is in it; is it cut off?")
    return JsonTable(documents, spec)


def _file(path: Path, spec: FileSpec, now: datetime | None, origin: str) -> Iterator[Batch]:
    reader = open_file(path, spec)
    mapper = Mapper(spec, survey(reader, spec, now), origin, reader.labels)
    entries = reader.entries()
    while batch := _batch(itertools.islice(entries, ROWS), mapper, reader, origin):
        yield batch


def _batch(entries: Iterator[Entry | Fault], mapper: Mapper, reader: Reader, origin: str) -> Batch | None:
    """Return the next batch, or None at the end of the file."""
    messages: list[IncomingMessage] = []
    rejected: list[RejectedRecord] = []
    line = None
    for entry in entries:
        line = entry.line
        result = mapper.message(entry)
        if isinstance(result, IncomingMessage):
            messages.append(result)
        else:
            rejected.append(result)
    done, total = reader.progress()
    return None if line is None else Batch(messages, rejected, f"{origin}:{line}", done, total)


def _members(folder: Path) -> list[Path]:
    members = sorted(entry for entry in folder.iterdir() if is_candidate(entry))
    if not members:
        raise SourceError(f"{folder}: the folder holds no file to read (hidden and half-written ones do not count)")
    return members


def _folder(folder: Path, spec: FileSpec, now: datetime | None) -> Iterator[Batch]:
    members = _members(folder)
    sizes = [member.stat().st_size for member in members]
    problems: list[str] = []
    for number, member in enumerate(members):
        before = sum(sizes[:number])
        try:
            for batch in _file(member, spec, now, member.name):
                yield replace(batch, bytes_read=before + batch.bytes_read, bytes_total=sum(sizes))
        except SourceError as error:
            problems.append(str(error))
            yield _lost(member, str(error), spec, before + sizes[number], sum(sizes))
    if len(problems) == len(members):
        raise SourceError(f"{folder}: none of {len(members)} files could be read; the first: {problems[0]}")
    yield from _index_faults(folder, spec, sum(sizes))


def _lost(member: Path, reason: str, spec: FileSpec, done: int, total: int) -> Batch:
    rejected = RejectedRecord(spec.source, spec.channel, member.name, 0, shorten(reason, 500), {})
    return Batch([], [rejected], f"{member.name}:0", done, total)


def _index_faults(folder: Path, spec: FileSpec, total: int) -> Iterator[Batch]:
    index = Index.beside(folder / "any")
    faults = [*index.faults, *index.missing()] if index else []
    if faults:
        rejected = [
            RejectedRecord(spec.source, spec.channel, INDEX, fault.line, fault.reason, dict(fault.fields))
            for fault in faults
        ]
        yield Batch([], rejected, f"{INDEX}:{faults[-1].line}", total, total)
