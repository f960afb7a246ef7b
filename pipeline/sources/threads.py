"""Conversations with their turns nested in them: support chats, e-mails, tweets with replies, histories of reviews.

One JSON object is one thread, on a line of its own or as an item of an array. Our own shape::

    {"thread": "T-17", "customer": "c-204", "channel": "transcript", "department": "service",
     "turns": [{"who": "customer", "at": "2026-06-12T14:02:10Z", "text": "…"},
               {"who": "agent", "name": "Carys", "at": "…", "text": "…"}]}

Other names are understood as in tables, and ``FileSpec.mapping`` overrides them; a field is looked for in the turn
first and in the thread then. ``FileSpec.turns`` names the nested list. A turn without a time follows a second after
the turn before. Also read: the IBM Twitter care shape (github.com/IBM/twitter-customer-care-document-prediction),
with ``dialogContent`` and the agent's closing ``agentURL``.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pipeline.errors import SourceError
from pipeline.sources.documents import Document, Documents, flattened
from pipeline.sources.rows import Entry, Fault, joined
from pipeline.sources.spec import FIELDS, FileSpec, automatic, fold, listed, shorten

_LISTS: Final = ("turns", "messages", "history", "conversation", "comments", "utterances", "posts", "events")
_PEOPLE: Final = re.compile(r"(client|agent)\d*")
_OF_THREAD: Final = frozenset({"customer", "thread", "department"})
"""Fields that belong to the whole thread unless the mapping says otherwise: a turn's ``user`` may be the agent."""
_CHANNELS: Final = {
    **{"review": "review", "tweet": "tweet", "twitter": "tweet", "x": "tweet", "transcript": "transcript"},
    **dict.fromkeys(("chat", "email", "e-mail", "mail", "call", "phone", "voice", "sms"), "transcript"),
}
_SAMPLE: Final = 200


class Threads:
    """A file of threads, ready to be read turn by turn; it implements ``rows.Reader``."""

    def __init__(self, documents: Documents, spec: FileSpec) -> None:
        self.name = documents.content.name
        self.encoding = documents.content.encoding
        self.kind = "threads"
        self.notes = [documents.content.note] if documents.content.note else []
        self._documents = documents
        self._spec = spec
        self._turns_key = spec.turns or self._list_key()
        self.labels: dict[str, str] = {}
        self.columns = self._names()
        if self._turns_key != "dialogContent":
            self._check()

    def entries(self) -> Iterator[Entry | Fault]:
        """Yield the turns of each thread in order."""
        for document in self._documents:
            if isinstance(document, Fault):
                yield document
            else:
                yield from self._thread(document)

    def times(self) -> Iterator[str]:
        """Yield the turns' times."""
        return (entry.fields.get("time", "") for entry in self.entries() if isinstance(entry, Entry))

    def progress(self) -> tuple[int, int]:
        """Return bytes read in the present pass, and bytes in all."""
        return self._documents.progress()

    def _thread(self, document: Document) -> Iterator[Entry | Fault]:
        thread = document.value
        if not isinstance(thread, dict) or not isinstance(thread.get(self._turns_key), list):
            wrong = f"expected a thread with a list {self._turns_key!r}"
            yield Fault(document.line, wrong, {"raw": shorten(str(thread), 1_000)})
        elif self._turns_key == "dialogContent":
            yield from _ibm(document.line, thread)
        else:
            yield from self._nested(document.line, thread)

    def _nested(self, line: int, thread: Mapping[str, Any]) -> Iterator[Entry | Fault]:
        around = _around(thread, self._turns_key)
        index = {fold(name): name for name in reversed(around)}
        last = _value("time", around, {}, index, self._spec)
        offset = 0.0
        for number, turn in enumerate(thread[self._turns_key], start=1):
            if not isinstance(turn, dict):
                reason = f"turn {number} is not an object with who, at and text"
                yield Fault(line, reason, {"raw": shorten(str(turn), 1_000)})
                continue
            fields = self._fields(flattened(turn), around, index, number)
            last, offset = (fields["time"], 0.0) if fields.get("time") else (last, offset + 1.0)
            yield Entry(line, {**fields, "time": last}, offset)

    def _fields(
        self, turn: Mapping[str, str], around: Mapping[str, str], outer: Mapping[str, str], number: int
    ) -> dict[str, str]:
        inner = {fold(name): name for name in reversed(list(turn))}
        fields = {name: _field(name, turn, around, inner, outer, self._spec) for name in FIELDS}
        if not fields["role"] and not self._spec.mapping.get("role"):
            fields["role"] = next((turn[inner[key]] for key in ("speaker", "sender", "from") if key in inner), "")
        if not fields["author"] and fields["role"]:
            fields["author"] = turn.get(inner.get("name", ""), "")
        if not fields["thread"] and "thread" not in self._spec.mapping:
            fields["thread"] = around.get(outer.get("id", ""), "")
        if fields["thread"] and not fields["id"]:
            fields["id"] = f"{fields['thread']}#{number}"
        channel = _CHANNELS.get(around.get(outer.get("channel", ""), "").casefold())
        return {**fields, **({"channel": channel} if channel else {})}

    def _list_key(self) -> str:
        first = next((d.value for d in self._documents if isinstance(d, Document) and isinstance(d.value, dict)), {})
        key = turns_key(first)
        if key is None:
            raise SourceError(f"{self.name} has no nested list of turns; the keys found are {listed(list(first))}")
        return key

    def _names(self) -> list[str]:
        documents = (d for d in self._documents if isinstance(d, Document) and isinstance(d.value, dict))
        names: dict[str, None] = {}
        for document in itertools.islice(documents, _SAMPLE):
            turns = document.value.get(self._turns_key)
            inner = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
            names |= dict.fromkeys(key for turn in inner for key in flattened(turn))
            names |= dict.fromkeys(_around(document.value, self._turns_key))
        return list(names)

    def _check(self) -> None:
        """Refuse a mapping to a key that no thread has, and threads in which no text or time can be found."""
        folded = {fold(name): name for name in reversed(self.columns)}
        for name, chosen in self._spec.mapping.items():
            for part in _parts(name, chosen, self.columns):
                if part and part not in self.columns and fold(part) not in folded:
                    raise SourceError(f"{self.name}: no key {part!r} for {name}; the keys are {listed(self.columns)}")
        for name in FIELDS:
            if found := self._spec.mapping.get(name) or automatic(name, folded):
                self.labels[name] = found
        for name in ("text", "time"):
            if name not in self.labels and not self._spec.constants.get(name):
                raise SourceError(
                    f"{self.name}: which key is the {name}? Say --map {name}=KEY; the keys are {listed(self.columns)}"
                )


def turns_key(thread: object) -> str | None:
    """Return the key of a thread's nested list of turns, or None if this is no thread."""
    if not isinstance(thread, dict):
        return None
    keys = ("dialogContent", *_LISTS)
    return next((key for key in keys if _is_turns(thread.get(key))), None)


def _is_turns(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _around(thread: Mapping[str, Any], turns: str) -> dict[str, str]:
    return flattened({key: value for key, value in thread.items() if key != turns})


def _parts(name: str, chosen: str, names: Sequence[str]) -> list[str]:
    return [chosen] if name != "text" or chosen in names else [part.strip() for part in chosen.split("+")]


def _field(
    name: str,
    turn: Mapping[str, str],
    around: Mapping[str, str],
    inner: Mapping[str, str],
    outer: Mapping[str, str],
    spec: FileSpec,
) -> str:
    """Return a field from the turn, else from the thread; the thread's own time and id are not those of its turns."""
    if name in _OF_THREAD and name not in spec.mapping and (value := _value(name, around, {}, outer, spec)):
        return value
    value = _value(name, turn, {} if name in {"time", "id"} else around, inner, spec)
    return value or ("" if name in {"time", "id", "author"} else _value(name, around, {}, outer, spec))


def _value(
    name: str, first: Mapping[str, str], second: Mapping[str, str], index: Mapping[str, str], spec: FileSpec
) -> str:
    chosen = spec.mapping.get(name)
    if chosen is None:
        found = automatic(name, index)
        return first.get(found, "") if found else ""
    value = ""
    for part in _parts(name, chosen, [*first, *second]):
        column = part if part in first or part in second else index.get(fold(part), part)
        found = first.get(column) or second.get(column, "")
        value = joined(value, found) if value else found
    return value


def _ibm(line: int, thread: Mapping[str, Any]) -> Iterator[Entry | Fault]:
    header = thread.get("dialogHeader") or {}
    session = str(header.get("sessionID", ""))
    clients = [str(turn["client"]) for turn in thread["dialogContent"] if isinstance(turn, dict) and "client" in turn]
    customer = _handle(clients[0]) if clients else ""
    company = str(header.get("company", ""))
    for number, turn in enumerate(thread["dialogContent"], start=1):
        person = next((key for key in turn if _PEOPLE.fullmatch(key)), None) if isinstance(turn, dict) else None
        if person is None:
            reason = f"turn {number} is of neither client nor agent"
            yield Fault(line, reason, {"raw": shorten(str(turn), 1_000)})
            continue
        by_agent = person.startswith("agent")
        who = _handle(str(turn[person]))
        yield Entry(line, {
            "text": str(turn.get("message", "")), "time": str(turn.get("datetime", "")),
            "id": str(turn.get("tweet_ID", "")), "thread": session, "role": "agent" if by_agent else "customer",
            "customer": customer if by_agent else who, "author": who if by_agent else "",
        })  # fmt: skip
    yield from _ibm_closing(line, thread, customer, _handle(company))


def _ibm_closing(line: int, thread: Mapping[str, Any], customer: str, company: str) -> Iterator[Entry]:
    """Yield the agent's last turn. It has no time of its own: the thread's start and duration give it."""
    closing, header = thread.get("agentURL") or {}, thread.get("dialogHeader") or {}
    if closing.get("url_utterance"):
        yield Entry(line, {
            "text": str(closing["url_utterance"]), "time": _closing_time(thread), "customer": customer,
            "id": str(closing.get("tweet_ID", "")), "thread": str(header.get("sessionID", "")), "role": "agent",
            "author": company,
        })  # fmt: skip


def _closing_time(thread: Mapping[str, Any]) -> str:
    """Return when the thread ended, but a second after the last dated turn if the duration says less."""
    header = thread.get("dialogHeader") or {}
    moments = [
        moment
        for turn in thread["dialogContent"]
        if isinstance(turn, dict) and (moment := _moment(turn.get("datetime")))
    ]
    start, length = _moment(header.get("conversationDateTime")), _duration(header.get("duration"))
    ends = [max(moments) + timedelta(seconds=1)] if moments else []
    ends += [start + length] if start and length is not None else []
    return max(ends).isoformat() if ends else ""


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _duration(value: object) -> timedelta | None:
    match = re.fullmatch(r"(\d+):(\d{2}):(\d{2}(?:\.\d+)?)", str(value))
    return timedelta(hours=int(match[1]), minutes=int(match[2]), seconds=float(match[3])) if match else None


def _handle(name: str) -> str:
    return name if name.startswith("@") or not name else f"@{name}"
