"""What a file holds, told by its bytes and not by its name, and its text line by line with bounded memory."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, cast

from pipeline.errors import SourceError

Kind = Literal["text", "vtt", "parquet"]

LONGEST_LINE: Final = 4_000_000
"""Characters of one physical line that are kept; what is beyond is skipped and the line marked as cut."""
_HEAD: Final = 1 << 16
_CHUNK: Final = 1 << 20
_BROKEN: Final = re.compile("[\udc80-\udcff]")
_CONTROLS: Final = frozenset(range(32)) - {9, 10, 12, 13, 27}

_FOREIGN: Final = (  # first bytes, what it is, what to do
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save the sheet as CSV (UTF-8)"),
    (b"%PDF", "a PDF", "export the messages as CSV or JSON"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "unpack it first, or use gzip"),
    (b"BZh", "bzip2-compressed", "unpack it first, or use gzip"),
    (b"\xfd7zXZ\0", "xz-compressed", "unpack it first, or use gzip"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    (b"ARROW1", "an Arrow file", "write it as Parquet"),
    (b"Obj\x01", "an Avro file", "write it as Parquet or JSON lines"),
    (b"ORC", "an ORC file", "write it as Parquet"),
    (b"\x89PNG", "a picture", "it holds no text"),
    (b"\xff\xd8\xff", "a picture", "it holds no text"),
    (b"GIF8", "a picture", "it holds no text"),
    (b"RIFF", "sound or video", "transcribe it first"),
    (b"ID3", "sound", "transcribe it first"),
    (b"OggS", "sound", "transcribe it first"),
    (b"fLaC", "sound", "transcribe it first"),
)


@dataclass(frozen=True, slots=True)
class Content:
    """A file that can be read: what it is, how its text is encoded, and its first 64 KiB of text."""

    path: Path
    kind: Kind
    encoding: str
    compressed: bool
    head: str
    size: int
    note: str = ""

    @property
    def name(self) -> str:
        """The file's name, as messages and quarantine call it."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Line:
    """One physical line with its ending; ``cut`` when it was longer than ``LONGEST_LINE``."""

    number: int
    text: str
    cut: bool = False


class Text:
    """A pass over a file's text that knows how many bytes it has taken."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._raw: IO[bytes] | None = None
        self.damage: str | None = None
        """Why reading stopped before the end, or None; set once the lines run out."""

    @property
    def bytes_read(self) -> int:
        """Bytes of the file (compressed ones, if it is) taken so far in this pass."""
        return self._raw.tell() if self._raw is not None and not self._raw.closed else self._content.size

    def lines(self, longest: int = LONGEST_LINE) -> Iterator[Line]:
        """Yield the physical lines, numbered from 1."""
        with self._content.path.open("rb") as self._raw, _decoded(self._raw, self._content) as stream:
            number = 0
            while piece := self._safely(lambda: stream.readline(longest)):
                number += 1
                cut = len(piece) >= longest and not piece.endswith(("\n", "\r"))
                yield Line(number, piece, cut)
                while cut and (rest := self._safely(lambda: stream.readline(longest))):
                    cut = not rest.endswith(("\n", "\r"))

    def chunks(self, size: int = 1 << 16) -> Iterator[str]:
        """Yield the text in pieces of about ``size`` characters."""
        with self._content.path.open("rb") as self._raw, _decoded(self._raw, self._content) as stream:
            while piece := self._safely(lambda: stream.read(size)):
                yield piece

    def _safely(self, read: Callable[[], str]) -> str:
        try:
            return read()
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.damage = "the compressed file ends early or is damaged here; the rest could not be unpacked"
            return ""


def inspect(path: Path, encoding: str | None = None) -> Content:
    """Look at a file's bytes and return what it holds. Reads it once when the encoding has to be found.

    Raises:
        SourceError: it cannot be opened, is empty, is nothing that holds messages, or not in the encoding said.
    """
    try:
        size = path.stat().st_size
        head, compressed = _head(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not head:
        raise SourceError(f"{path.name} is empty; nothing to read")
    if head.startswith(b"PAR1"):
        if compressed:
            raise SourceError(f"{path.name} is a gzip-compressed Parquet file; unpack it first")
        return Content(path, "parquet", "binary", compressed, "", size)
    _refuse_foreign(path, head)
    found, note = _encoding(path, head, compressed, encoding)
    text = head.decode(found, errors="ignore").removeprefix("\ufeff")
    _refuse_wrong_text(path, text)
    kind: Kind = "vtt" if text.startswith("WEBVTT") else "text"
    return Content(path, kind, found, compressed, text, size, note)


def is_damage(text: str) -> bool:
    """Tell whether decoded text holds bytes that were not in the file's encoding (as lone surrogates)."""
    return not text.isascii() and _BROKEN.search(text) is not None


def cleaned(text: str) -> str:
    """Return ``text`` fit to be stored and shown: undecodable bytes and NUL become visible replacement characters."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\u2400")


def _head(path: Path) -> tuple[bytes, bool]:
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not compressed:
            return raw.read(_HEAD), False
        unpacker = zlib.decompressobj(wbits=31)
        try:
            return unpacker.decompress(raw.read(_HEAD), _HEAD), True
        except zlib.error as error:
            raise SourceError(f"{path.name} looks gzip-compressed but cannot be unpacked ({error})") from error


def _refuse_foreign(path: Path, head: bytes) -> None:
    if head.startswith(b"PK\x03\x04"):
        excel = b"xl/" in head or b"[Content_Types].xml" in head
        what, do = ("an Excel workbook", "save the sheet as CSV (UTF-8)") if excel else ("a zip", "unpack it first")
        raise SourceError(f"{path.name} is {what}, not a table or transcript; {do}")
    for magic, what, do in _FOREIGN:
        if head.startswith(magic):
            raise SourceError(f"{path.name} is {what}, not a table or transcript; {do}")
    if head[8:12] == b"DUCK":
        raise SourceError(f"{path.name} is a DuckDB database, not a table or transcript; export the table as Parquet")


def _refuse_wrong_text(path: Path, text: str) -> None:
    start = text.lstrip()[:200].casefold()
    if not start:
        if len(text) < _HEAD // 4:
            raise SourceError(f"{path.name} is empty; nothing to read")
        raise SourceError(f"{path.name} begins with {len(text):,} blanks; it holds no table or transcript")
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        raise SourceError(
            f"{path.name} is a web page (HTML), not a table or transcript; was it saved from a log-in page?"
        )
    if start.startswith(("<?xml", "<rss", "<feed")):
        raise SourceError(f"{path.name} is XML, which is not read; export CSV, JSON or Parquet")
    controls = sum(ord(letter) in _CONTROLS for letter in text)
    if controls > len(text) // 20:
        raise SourceError(f"{path.name} is a binary file, not a table or transcript; export CSV, JSON or Parquet")


def _encoding(path: Path, head: bytes, compressed: bool, said: str | None) -> tuple[str, str]:
    """Return the Python codec and a note for the user if it is not the usual one."""
    if said is not None:
        return _checked_codec(path, said), ""
    for mark, codec in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32")):
        if head.startswith(mark):
            return codec, ""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", ""
    if wide := _utf16_without_mark(head):
        return wide, "read as UTF-16"
    return _eight_bit(path, compressed)


def _checked_codec(path: Path, said: str) -> str:
    try:
        codec = codecs.lookup(said)
    except LookupError as error:
        raise SourceError(
            f"{path.name}: encoding {said!r} is not known; say utf-8, utf-16, cp1252 or latin-1"
        ) from error
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _utf16_without_mark(head: bytes) -> str | None:
    sample = head[:4096]
    half = len(sample) // 2
    if half and sample[1::2].count(0) > 0.4 * half and sample[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if half and sample[0::2].count(0) > 0.4 * half and sample[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def _eight_bit(path: Path, compressed: bool) -> tuple[str, str]:
    """Choose between UTF-8 and Windows-1252 by the whole file: a few broken bytes in good UTF-8 stay UTF-8."""
    good = bad = undefined = 0
    for text in _chunks(path, compressed):
        if text.isascii():
            continue
        broken = _BROKEN.findall(text)
        bad += len(broken)
        undefined += sum(letter in "\udc81\udc8d\udc8f\udc90\udc9d" for letter in broken)
        good += len(text) - len(broken) - len(text.encode("ascii", "ignore"))
    if bad <= max(good // 10, 0) or (bad <= 3 and good == 0 and _cut_at_end(path, compressed)):
        return "utf-8", "some bytes are not UTF-8; their rows go to quarantine" if bad else ""
    if undefined:
        raise SourceError(
            f"{path.name} is in an encoding that is neither UTF-8, UTF-16 nor Windows-1252; "
            "save it as UTF-8, or say which with --encoding"
        )
    return "cp1252", "not UTF-8; read as Windows-1252 (say --encoding if that is wrong)"


def _cut_at_end(path: Path, compressed: bool) -> bool:
    """Tell whether the only bytes that are not UTF-8 are a character cut off at the very end."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _bytes(path, compressed):
            decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _chunks(path: Path, compressed: bool) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for chunk in _bytes(path, compressed):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _bytes(path: Path, compressed: bool) -> Iterator[bytes]:
    with path.open("rb") as raw:
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if compressed else raw
        try:
            while chunk := stream.read(_CHUNK):
                yield chunk
        except (EOFError, zlib.error, gzip.BadGzipFile):
            return  # the pass that reads the rows says so


def _decoded(raw: IO[bytes], content: Content) -> io.TextIOWrapper:
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if content.compressed else raw
    wide = content.encoding.startswith(("utf-16", "utf-32"))
    return io.TextIOWrapper(
        stream, encoding=content.encoding, errors="replace" if wide else "surrogateescape", newline=""
    )
