"""JSON files as a stream of documents with line numbers: JSON lines, one big array, or a single object."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.errors import SourceError
from pipeline.sources.content import Content, Line, Text
from pipeline.sources.rows import Fault
from pipeline.sources.spec import shorten

Form = str
"""``lines`` (one document is one line), ``array`` or ``object`` (one document over several lines)."""

_BLANK: Final = " \t\r\n\ufeff"
_LARGEST: Final = 64_000_000
"""Characters of one document; a larger one is not a message or a call."""
_RAW: Final = 1_000


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON value and the line that it starts on."""

    line: int
    value: Any


class Documents:
    """The JSON documents of a file; iterate as often as needed, each time from the start."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.form = form_of(content.head)
        self._text = Text(content)

    def __iter__(self) -> Iterator[Document | Fault]:
        self._text = Text(self.content)
        if self.form == "lines":
            yield from _each_line(self._text.lines(_LARGEST))
        elif self.form == "array":
            yield from _each_item(_Buffer(self._text.chunks()))
        else:
            yield _whole(self._text.chunks(), self.content.name)
        if self._text.damage:
            yield Fault(0, self._text.damage)

    def progress(self) -> tuple[int, int]:
        """Return bytes read in the present pass, and bytes in all."""
        return self._text.bytes_read, self.content.size


def form_of(head: str) -> Form:
    """Tell JSON lines, an array and a single pretty-printed object apart by the first lines."""
    start = head.lstrip(_BLANK)
    if start.startswith("["):
        return "array"
    first, newline, _ = start.partition("\n")
    if not newline or isinstance(_loaded(first), dict):
        return "lines"
    return "object" if first.rstrip().endswith(("{", "[", ",")) else "lines"


def is_json(head: str) -> bool:
    """Tell whether text begins as JSON objects or an array do."""
    start = head.lstrip(_BLANK)
    if start.startswith("{"):
        return True
    return start.startswith("[") and start[1:].lstrip(_BLANK)[:1] in {"{", "[", "]", '"', ""}


def flattened(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the object's leaves as text under dotted names; lists stay JSON, null is the empty text."""
    flat: dict[str, str] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            flat.update(flattened(inner, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = as_text(inner)
    return flat


def as_text(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    """Return a JSON value as text: strings as they are, null as nothing, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _loaded(text: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _each_line(lines: Iterator[Line]) -> Iterator[Document | Fault]:
    for line in lines:
        text = line.text.strip(_BLANK)
        if not text:
            continue
        if line.cut:
            yield Fault(line.number, f"the line has more than {len(line.text):,} characters", {"raw": text[:_RAW]})
            continue
        try:
            yield Document(line.number, json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            yield _broken(line.number, error, text)


def _broken(line: int, error: json.JSONDecodeError | RecursionError, text: str) -> Fault:
    if isinstance(error, RecursionError):
        return Fault(line, "not JSON: nested too deeply", {"raw": shorten(text, _RAW)})
    cut = "; the line seems cut off" if error.pos >= len(text) - 1 or error.msg.startswith("Unterminated") else ""
    return Fault(line, f"not JSON: {error.msg} at character {error.pos + 1}{cut}", {"raw": shorten(text, _RAW)})


def _whole(chunks: Iterator[str], name: str) -> Document:
    text = ""
    for chunk in chunks:
        text += chunk
        if len(text) > _LARGEST:
            raise SourceError(f"{name} is one JSON object of more than {_LARGEST:,} characters; write it as JSON lines")
    try:
        return Document(1, json.loads(text.strip(_BLANK)))
    except json.JSONDecodeError as error:
        raise SourceError(f"{name} is not complete JSON: {error.msg} in line {error.lineno}; is it cut off?") from error
    except RecursionError as error:
        raise SourceError(f"{name} is nested too deeply to be messages") from error


class _Buffer:
    """The part of an array's text that is needed now, where in it reading stands, and on which line that is."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks
        self.text = ""
        self.at = 0
        self.line = 1
        self.ended = False

    def more(self) -> None:
        """Let go of what was read and read about as much again as is left, so that retries stay cheap."""
        self.text = self.text[self.at :]
        self.at = 0
        wanted = max(len(self.text), 1)
        pieces = [self.text]
        while wanted > 0 and not self.ended:
            piece = next(self._chunks, "")
            self.ended = not piece
            pieces.append(piece)
            wanted -= len(piece)
        self.text = "".join(pieces)

    def move(self, to: int) -> None:
        """Go on to position ``to``."""
        self.line += self.text.count("\n", self.at, to)
        self.at = to

    def skip(self, letters: str) -> bool:
        """Go past any of ``letters``, reading on as needed; False at the end of the file."""
        while True:
            at = self.at
            while at < len(self.text) and self.text[at] in letters:
                at += 1
            self.move(at)
            if at < len(self.text):
                return True
            if self.ended:
                return False
            self.more()


def _each_item(buffer: _Buffer) -> Iterator[Document | Fault]:
    """Decode the array's items one by one; the buffer holds little more than the largest item."""
    decoder = json.JSONDecoder()
    buffer.skip(_BLANK)
    buffer.move(buffer.at + 1)  # the opening bracket
    while buffer.skip(_BLANK + ","):
        if buffer.text[buffer.at] == "]":
            return
        try:
            value, end = decoder.raw_decode(buffer.text, buffer.at)
        except (json.JSONDecodeError, RecursionError) as error:
            if buffer.ended or len(buffer.text) - buffer.at > _LARGEST:
                yield _rest_lost(buffer, error)
                return
            buffer.more()
        else:
            yield Document(buffer.line, value)
            buffer.move(end)
    yield Fault(buffer.line, "the array is never closed; the file is cut off after the last whole record")


def _rest_lost(buffer: _Buffer, error: json.JSONDecodeError | RecursionError) -> Fault:
    text = buffer.text[buffer.at :]
    why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
    reason = f"not JSON: {why}; the file could not be read from here on"
    return Fault(buffer.line, reason, {"raw": shorten(text, _RAW)})
