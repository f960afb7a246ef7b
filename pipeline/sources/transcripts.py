"""Calls as text: WebVTT, Amazon Transcribe, Amazon Connect Contact Lens, and plain ``[{speaker, start, text}]``.

One file is one call. Who called, when, with whom, comes from the document where it says so, from an ``index.csv``
beside the files (columns ``file, customer, started_at, agent, department, thread``), or from ``FileSpec.constants``.
Shapes: W3C WebVTT; docs.aws.amazon.com/transcribe/latest/dg/how-input.html; and
docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files.html.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pipeline.errors import SourceError
from pipeline.records import Role
from pipeline.sources.content import Content, Text, inspect
from pipeline.sources.delimited import Delimited, Split
from pipeline.sources.rows import Entry, Fault, role_of
from pipeline.sources.spec import FileSpec, fold, listed, shorten

INDEX: Final = "index.csv"
"""Lies beside transcripts and says who called and when; it is never read as a table of messages."""

_INDEX_FIELDS: Final = {
    "file": ("file", "filename", "file_name", "name"),
    "customer": ("customer", "customer_id", "caller"),
    "time": ("started_at", "time", "start", "start_time", "date"),
    "author": ("agent", "author", "agent_name"),
    "department": ("department", "team", "queue"),
    "thread": ("thread", "call_id", "contact_id"),
    "product": ("product",),
}
_LONGEST_TURN: Final = 5_000
_LISTS: Final = ("turns", "segments", "utterances", "transcript", "messages")
_START: Final = ("start", "start_time", "begin", "start_seconds", "offset")
_SPEAKER: Final = ("speaker", "speaker_label", "who", "role", "participant")
_PAUSE: Final = 1.5
"""Seconds of silence after which the words of one audio channel are a new utterance."""

_TIMING: Final = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})\s*-->\s*(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})")
_VOICE: Final = re.compile(r"<v(?:\.[^\s>]*)*\s+([^>]+)>")
_TAG: Final = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|</>")
_NAMED: Final = re.compile(r"([^\W\d_][\w.'-]{0,30}(?: [\w.'()-]{1,30}){0,3}|spk_\d+):\s+(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker said at a stretch, ``start`` seconds into the call, or ``at`` a time of its own."""

    line: int
    speaker: str
    text: str
    start: float = 0.0
    role: Role | None = None
    at: str | None = None
    author: str | None = None
    native: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A call's turns, what is wrong in it, and what the document itself says about it."""

    turns: list[Turn]
    faults: list[Fault]
    about: Mapping[str, str]


class Transcript:
    """A file with one call (JSON lines: one a line), ready to be read as entries; it implements ``rows.Reader``."""

    def __init__(self, content: Content, spec: FileSpec, kind: str, calls: Sequence[Call]) -> None:
        self.name = content.name
        self.encoding = content.encoding
        self.kind = kind
        self.notes = [content.note] if content.note else []
        self._size = content.size
        index = Index.beside(content.path)
        said = index.row(content.name) if index else {}
        self._index_times = index.times() if index else []
        self._calls = [
            _Told(
                call,
                {**dict(spec.constants), **call.about, **said},
                self._thread(content.path, number),
                spec,
                self.name,
            )
            for number, call in enumerate(calls, start=1)
        ]
        self.columns = list(dict.fromkeys(turn.speaker for call in self._calls for turn in call.turns))
        self.labels = {"time": "started_at" if said.get("time") else "time"}

    def entries(self) -> Iterator[Entry | Fault]:
        """Yield what was wrong, then the turns in order, call by call."""
        for call in self._calls:
            yield from call.entries()

    def times(self) -> Iterator[str]:
        """Yield the calls' own times, and those of the other calls in the index: together they settle the format."""
        yield from self._index_times
        for call in self._calls:
            yield from call.times()

    def progress(self) -> tuple[int, int]:
        """Return the file's size twice: a call is read at once."""
        return self._size, self._size

    @staticmethod
    def _thread(path: Path, number: int) -> str:
        return path.name.split(".")[0] + (f":{number}" if number > 1 else "")


class _Told:
    """One call with all that is known about it."""

    def __init__(self, call: Call, about: dict[str, str], thread: str, spec: FileSpec, name: str) -> None:
        self._about = {"thread": thread, **{field: value for field, value in about.items() if value}}
        self._faults = call.faults
        self.turns = with_roles(join(call.turns), name, spec.customer_speaker, self._about)
        if not self._about.get("time") and not all(turn.at for turn in self.turns):
            raise SourceError(
                f"{name}: when did this call start? Put an {INDEX} beside it with the columns file, customer, "
                "started_at, agent, department, or say the time for all with --set time=2026-06-20T10:15"
            )

    def entries(self) -> Iterator[Entry | Fault]:
        yield from self._faults
        for number, turn in enumerate(self.turns, start=1):
            fields = {
                **self._about,
                **{"text": turn.text, "role": turn.role or "customer", "author": self._author(turn)},
                **{"id": turn.native or f"{self._about['thread']}#{number}"},
                **({"time": turn.at} if turn.at else {}),
            }
            yield Entry(turn.line, fields, 0.0 if turn.at else turn.start)

    def times(self) -> Iterator[str]:
        yield self._about.get("time", "")
        yield from (turn.at for turn in self.turns if turn.at)

    def _author(self, turn: Turn) -> str:
        """Return the agent's name: the speaker's own if that is a name, else the one known for the call."""
        if turn.author:
            return turn.author
        is_name = role_of(turn.speaker) is None and not re.fullmatch(r"(spk|ch)_\d+", turn.speaker)
        return turn.speaker if is_name else self._about.get("author", "") if turn.role == "agent" else ""


class Index:
    """The ``index.csv`` of a folder of calls."""

    def __init__(self, path: Path) -> None:
        self.path = path
        table = Delimited(inspect(path))
        folded = {fold(column): number for number, column in reversed(list(enumerate(table.columns)))}
        at = {
            name: next((folded[key] for key in map(fold, names) if key in folded), None)
            for name, names in _INDEX_FIELDS.items()
        }
        if at["file"] is None:
            raise SourceError(f"{path}: no column 'file'; the columns found are {listed(table.columns)}")
        self.faults = [record for record in table if isinstance(record, Fault)]
        rows = [record for record in table if isinstance(record, Split)]
        self._rows = {row["file"]: row for row in (_picked(split.fields, at) for split in rows)}
        self._lines = {_picked(split.fields, at)["file"]: split.line for split in rows}

    @classmethod
    def beside(cls, path: Path) -> "Index | None":
        """Return the index in the folder of ``path``, or None. Raises ``SourceError`` if it has no column ``file``."""
        index = path.parent / INDEX
        return cls(index) if index.is_file() and index != path else None

    def row(self, name: str) -> dict[str, str]:
        """Return what the index says of a file: field → value, without the empty ones."""
        row = self._rows.get(name) or self._rows.get(name.split(".")[0]) or {}
        return {field: value for field, value in row.items() if value and field != "file"}

    def times(self) -> list[str]:
        """Return all start times, which settle their format together."""
        return [row.get("time", "") for row in self._rows.values()]

    def missing(self) -> list[Fault]:
        """Return a fault for each file that the index names and the folder lacks."""
        present = {entry.name for entry in self.path.parent.iterdir()} | {
            entry.name.split(".")[0] for entry in self.path.parent.iterdir()
        }
        return [
            Fault(self._lines[name], f"names the file {shorten(name, 60)!r}, which is not in the folder")
            for name in self._rows
            if name not in present
        ]


def _picked(fields: Sequence[str], at: Mapping[str, int | None]) -> dict[str, str]:
    return {name: fields[number].strip() for name, number in at.items() if number is not None}


def looks_like_call(value: Any) -> bool:  # noqa: ANN401 - whatever JSON holds
    """Tell whether a JSON document is a call in one of the shapes read here."""
    if isinstance(value, list):
        return _is_plain(value)
    if not isinstance(value, dict):
        return False
    results = value.get("results")
    if isinstance(results, dict) and "items" in results:
        return True
    aws = any(isinstance(value.get(key), list) and _aws_items(value[key]) for key in ("Transcript", "Segments"))
    return aws or any(_is_plain(value.get(key)) for key in _LISTS)


def read_vtt(content: Content) -> Call:
    """Read WebVTT: voice tags, or ``Name: text``; a cue that names nobody goes on with the last speaker."""
    turns: list[Turn] = []
    faults: list[Fault] = []
    for line, block in _blocks(content):
        parsed = _cue(line, block, turns[-1].speaker if turns else None)
        if isinstance(parsed, Fault):
            faults.append(parsed)
        else:
            turns.extend(parsed)
    return Call(turns, faults, {})


def read_json(value: Any, name: str) -> Call:  # noqa: ANN401
    """Read one call from a document that ``looks_like_call``. Raises ``SourceError`` where nobody says anything."""
    if isinstance(value, list):
        call = _plain(value, {})
    elif "results" in value:
        call = Call(_transcribe(value["results"], name), [], _about(thread=value.get("jobName")))
    elif "Transcript" in value or "Segments" in value:
        call = _contact_lens(value)
    else:
        key = next(key for key in _LISTS if _is_plain(value.get(key)))
        call = _plain(value[key], value)
    if not call.turns and not call.faults:
        raise SourceError(f"{name} is a transcript in which nobody says anything")
    return call


def join(turns: Iterable[Turn]) -> list[Turn]:
    """Join what one speaker says in adjacent cues into one turn, up to 5,000 characters."""
    joined: list[Turn] = []
    for turn in turns:
        last = joined[-1] if joined else None
        same = last is not None and (last.speaker, last.role, last.at) == (turn.speaker, turn.role, turn.at)
        if last is not None and same and last.at is None and len(last.text) + len(turn.text) < _LONGEST_TURN:
            joined[-1] = replace(last, text=f"{last.text} {turn.text}")
        else:
            joined.append(turn)
    return joined


def with_roles(turns: Sequence[Turn], name: str, customer: str | None, about: Mapping[str, str]) -> list[Turn]:
    """Return the turns with roles, by what the speakers are called.

    Raises:
        SourceError: nothing tells which of the speakers is the customer.
    """
    speakers = list(dict.fromkeys(turn.speaker for turn in turns if turn.role is None))
    roles = {speaker: role for speaker in speakers if (role := _role(speaker, customer, about))}
    if customer and not any(turn.role for turn in turns):
        if fold(customer) not in map(fold, speakers):
            raise SourceError(f"{name}: nobody is called {customer!r}; the speakers are {listed(speakers)}")
        roles = {speaker: roles.get(speaker, "agent") for speaker in speakers}
    open_ones = [speaker for speaker in speakers if speaker not in roles]
    if len(open_ones) == 1 and len(speakers) > 1:
        others = {roles[speaker] for speaker in speakers if speaker in roles}
        roles[open_ones[0]] = "agent" if "customer" in others else "customer"
    elif open_ones and "customer" in roles.values():
        roles.update(dict.fromkeys(open_ones, "agent"))
    elif open_ones:
        raise SourceError(
            f"{name}: which speaker is the customer? The speakers are {listed(speakers)}; "
            f"say --customer-speaker {shorten(open_ones[-1], 30)!r}, or name the agent in {INDEX}"
        )
    return [turn if turn.role else replace(turn, role=roles[turn.speaker]) for turn in turns]


def _role(speaker: str, customer: str | None, about: Mapping[str, str]) -> Role | None:
    folded = fold(speaker)
    if customer and folded == fold(customer):
        return "customer"
    if about.get("author") and folded == fold(about["author"]):
        return "agent"
    if about.get("customer") and folded == fold(about["customer"]):
        return "customer"
    if not customer and folded in {"spk0", "spk1"}:  # whoever answers the phone speaks first
        return "agent" if folded == "spk0" else "customer"
    first_word = re.split(r"[\s_-]+", speaker.strip())[0]
    return role_of(speaker) or role_of(first_word)


def _about(**said: object) -> dict[str, str]:
    return {name: str(value) for name, value in said.items() if value not in (None, "")}


def _blocks(content: Content) -> Iterator[tuple[int, list[str]]]:
    """Yield the blocks between blank lines, with the line each begins on; the header block is left out."""
    block: list[str] = []
    first = True
    number = 0
    for line in itertools.chain(Text(content).lines(), [None]):
        text = line.text.rstrip("\r\n") if line else ""
        number = line.number if line else number + 1
        if text.strip():
            block.append(text)
        elif block:
            if not first and not block[0].startswith(("NOTE", "STYLE", "REGION")):
                yield number - len(block), block
            first, block = False, []


def _cue(line: int, block: list[str], speaker: str | None) -> list[Turn] | Fault:
    at = next((n for n, text in enumerate(block[:2]) if "-->" in text), None)
    match = _TIMING.match(block[at].strip()) if at is not None else None
    if at is None or match is None:
        reason = f"{shorten(block[0], 40)!r} is no cue; expected a timing such as 00:01.000 --> 00:04.000"
        return Fault(line, reason, {"raw": shorten(" ".join(block), 1_000)})
    hours, minutes, seconds, millis = (int(part or 0) for part in match.groups()[:4])
    start = hours * 3600 + minutes * 60 + seconds + millis / 1000
    turns = [
        Turn(line + at + 1, who, text, start) for who, text in _voices("\n".join(block[at + 1 :]), speaker) if text
    ]
    if any(not turn.speaker for turn in turns):
        reason = "nobody is named as speaker; expected <v Name>text or Name: text"
        return Fault(line, reason, {"text": turns[0].text[:1_000]})
    return turns


def _voices(payload: str, speaker: str | None) -> Iterator[tuple[str, str]]:
    parts = _VOICE.split(payload)
    if before := _plain_text(parts[0]):
        named = _NAMED.fullmatch(before) if len(parts) == 1 else None
        is_name = named is not None and (
            role_of(named[1].split()[0]) or named[1] == named[1].title() or "_" in named[1]
        )
        yield (named[1].strip(), " ".join(named[2].split())) if named and is_name else (speaker or "", before)
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        yield html.unescape(name).strip(), _plain_text(text)


def _plain_text(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())


def _is_plain(value: object) -> bool:
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    keys = set(value[0])
    return bool(
        keys & set(_SPEAKER) and keys & set(_START) and "text" in keys and not keys & {"time", "at", "customer"}
    )


def _plain(items: Sequence[Any], around: Mapping[str, Any]) -> Call:
    turns: list[Turn] = []
    faults: list[Fault] = []
    for number, item in enumerate(items, start=1):
        parsed = _plain_turn(number, item)
        if isinstance(parsed, Fault):
            faults.append(parsed)
        elif parsed.text:
            turns.append(parsed)
    folded = {fold(key): str(value) for key, value in around.items() if isinstance(value, str | int)}
    about = {
        name: next((folded[key] for key in map(fold, names) if folded.get(key)), "")
        for name, names in _INDEX_FIELDS.items()
        if name != "file"
    }
    return Call(turns, faults, {name: value for name, value in about.items() if value})


def _plain_turn(number: int, item: object) -> Turn | Fault:
    if not isinstance(item, dict):
        return Fault(
            number, f"turn {number} is not an object with speaker, start and text", {"raw": shorten(str(item))}
        )
    speaker = next((str(item[key]) for key in _SPEAKER if item.get(key)), "")
    start = next((item[key] for key in _START if item.get(key) is not None), None)
    seconds = _seconds(start)
    text = str(item.get("text") or "").strip()
    if not speaker or seconds is None:
        wrong = "has no speaker" if not speaker else f"start {shorten(str(start), 30)!r} is not a number of seconds"
        return Fault(
            number, f"turn {number}: {wrong}; expected speaker, start in seconds and text", {"text": text[:1000]}
        )
    who = item.get("name")
    return Turn(number, speaker, text, seconds, author=str(who) if who else None)


def _seconds(value: object) -> float | None:
    """Return seconds of ``12.5``, ``"12.5"`` or ``"00:01:12.5"``; None if it is neither, or negative."""
    try:
        parts = [float(part) for part in str(value).split(":")]
    except ValueError:
        return None
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + part
    return seconds if 0 <= seconds < 7 * 86_400 else None


def _transcribe(results: Mapping[str, Any], name: str) -> list[Turn]:
    """Read Amazon Transcribe: words with a speaker each, or a list of words for each audio channel."""
    if channels := (results.get("channel_labels") or {}).get("channels"):
        spoken = [turn for channel in channels for turn in _channel(channel)]
        return sorted(spoken, key=lambda turn: turn.start)
    whose = {
        item["start_time"]: item.get("speaker_label") or segment.get("speaker_label")
        for segment in (results.get("speaker_labels") or {}).get("segments", [])
        for item in segment.get("items", [])
        if "start_time" in item
    }
    words = [(item, item.get("speaker_label") or whose.get(item.get("start_time"))) for item in results["items"]]
    if not any(speaker for _, speaker in words):
        raise SourceError(f"{name} does not say who speaks; transcribe it with speaker or channel labels")
    return _utterances(words)


def _channel(channel: Mapping[str, Any]) -> list[Turn]:
    label = str(channel.get("channel_label", "ch"))
    return _utterances([(item, label) for item in channel.get("items", [])], _PAUSE)


def _utterances(words: Sequence[tuple[Mapping[str, Any], str | None]], pause: float | None = None) -> list[Turn]:
    """Put words together: a new speaker begins a new turn, and so does a pause; punctuation clings to its word."""
    turns: list[Turn] = []
    ended = 0.0
    for item, speaker in words:
        said = str((item.get("alternatives") or [{}])[0].get("content", ""))
        start = _seconds(item.get("start_time"))
        if start is None:  # punctuation carries no time
            if turns:
                turns[-1] = replace(turns[-1], text=turns[-1].text + said)
            continue
        who = speaker or (turns[-1].speaker if turns else "")
        if turns and turns[-1].speaker == who and (pause is None or start - ended < pause):
            turns[-1] = replace(turns[-1], text=f"{turns[-1].text} {said}")
        else:
            turns.append(Turn(len(turns) + 1, who, said, start))
        ended = _seconds(item.get("end_time")) or start
    return turns


def _aws_items(items: Sequence[Any]) -> bool:
    first = next((item for item in items if isinstance(item, dict)), {})
    return bool({"ParticipantId", "ParticipantRole", "Transcript", "Utterance"} & set(first))


def _contact_lens(value: Mapping[str, Any]) -> Call:
    """Read Contact Lens: after a call or chat (``Transcript``), and in real time (``Segments``)."""
    roles = {
        str(person.get("ParticipantId")): str(person.get("ParticipantRole", ""))
        for person in value.get("Participants") or []
    }
    items = value.get("Transcript") or [segment.get("Transcript") for segment in value.get("Segments") or []]
    turns: list[Turn] = []
    faults: list[Fault] = []
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict) or not _is_speech(item):
            continue  # joins, typing, partial utterances, categories
        turn = _participant_turn(number, item, roles)
        turns.extend([turn] if isinstance(turn, Turn) else [])
        faults.extend([turn] if isinstance(turn, Fault) else [])
    contact = (value.get("CustomerMetadata") or {}).get("ContactId") or value.get("ContactId") or value.get("JobName")
    return Call(turns, faults, _about(thread=contact))


def _is_speech(item: Mapping[str, Any]) -> bool:
    kind = str(item.get("Type", "MESSAGE"))
    return kind == "MESSAGE" and str(item.get("ContentType", "text/plain")).startswith("text/") and "Content" in item


def _participant_turn(number: int, item: Mapping[str, Any], roles: Mapping[str, str]) -> Turn | Fault:
    who = str(item.get("ParticipantId") or item.get("ParticipantRole") or "")
    said_role = str(item.get("ParticipantRole") or roles.get(who) or who)
    role = role_of(said_role)
    text = str(item["Content"]).strip()
    begin = item.get("BeginOffsetMillis")
    at = item.get("AbsoluteTime") or (item.get("Time") or {}).get("AbsoluteTime")
    if role is None or (begin is None and not at):
        wrong = f"{shorten(said_role, 40)!r} is no participant" if role is None else "there is no time or offset"
        return Fault(number, f"turn {number}: {wrong}; expected the Contact Lens form", {"text": text[:1000]})
    name = item.get("DisplayName")
    offset = (begin or 0) / 1000 if isinstance(begin or 0, int | float) else 0.0
    native = str(item["Id"]) if item.get("Id") else None
    return Turn(number, said_role, text, offset, role, str(at) if at else None, str(name) if name else None, native)
