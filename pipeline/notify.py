"""Hand alerts to people: a log file, and any service that Apprise knows. The only outbound messages of Moodline.

Apprise neither retries nor remembers; both are the outbox's business (``delivery`` in the warehouse). What this module
adds is the truth about a failure: ``DeliveryError`` when the receiver certainly has nothing, so that it may be tried
again, and ``UnconfirmedDelivery`` when the connection broke after the alert had left, so that trying again might ring
twice. No error, log line or return value holds more of a receiver's URL than ``receiver`` shows: Apprise URLs are
secrets, in the path, the user part, and for many services in what looks like the host.
"""

import hashlib
import json
import logging
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from pipeline.errors import DeliveryError
from pipeline.records import Alert

if TYPE_CHECKING:
    from apprise import NotifyBase

TIMEOUT_SECONDS: Final = 10.0


class UnconfirmedDelivery(DeliveryError):
    """The connection broke after the alert was sent: the receiver may or may not have it. Do not send it again."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """An alert that its receiver has accepted."""

    alert_id: str
    target: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """An alert as people read it."""

    title: str
    body: str


# --- The log ---------------------------------------------------------------------------------------------------------


def append_log(path: Path, alerts: Iterable[Alert]) -> int:
    """Append the alerts that ``path`` does not hold yet, one JSON object a line, and return how many were added.

    Makes the folder and the file. A last line that a crash has torn is cut off first; other lines are never touched. On
    return the lines are on the disk (fsync). One writer at a time, which the warehouse's lock sees to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as log:
        _mend_last_line(log)
        known = _ids(log)
        fresh = list({alert.alert_id: alert for alert in alerts if alert.alert_id not in known}.values())
        log.write(b"".join(map(_line, fresh)))
        log.flush()
        os.fsync(log.fileno())
    return len(fresh)


def follow_erasures(path: Path, alerts: Iterable[Alert]) -> int:
    """Make the log say what the alerts say now, as quotes of erased messages go; return how many lines changed.

    The file is replaced whole: killed anywhere, it is the old one or the new. One writer at a time.
    """
    if not path.exists():
        return 0
    known = {alert.alert_id: alert for alert in alerts}
    lines = path.read_bytes().splitlines(keepends=True)
    fresh = [_as_told_now(line, known) for line in lines]
    if fresh != lines:
        _replace(path, b"".join(fresh))
    return sum(old != new for old, new in zip(lines, fresh, strict=True))


def _as_told_now(line: bytes, known: Mapping[str, Alert]) -> bytes:
    alert = known.get(_id_of(line) or "")
    return line if alert is None or json.loads(line).get("explanation") == alert.explanation else _line(alert)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _mend_last_line(log: BinaryIO) -> None:
    """End the file after its last whole line; a last line that only lacks its line feed gets it."""
    size = log.seek(0, os.SEEK_END)
    tail = _last_line(log, size)
    if not tail:
        return
    if _id_of(tail) is not None:
        log.write(b"\n")
        log.flush()
    else:
        log.truncate(size - len(tail))


def _last_line(log: BinaryIO, size: int) -> bytes:
    """Return what stands after the last line feed."""
    tail = b""
    while size and b"\n" not in tail:
        step = min(size, 65536)
        size -= step
        log.seek(size)
        tail = log.read(step) + tail
    return tail.rpartition(b"\n")[2]


def _ids(log: BinaryIO) -> set[str]:
    log.seek(0)
    return {known for known in map(_id_of, log) if known is not None}


def _id_of(line: bytes) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    known = entry.get("alert_id") if isinstance(entry, dict) else None
    return known if isinstance(known, str) else None


def _line(alert: Alert) -> bytes:
    entry = asdict(alert)
    del entry["cleared_at"]
    entry["opened_at"] = alert.opened_at.isoformat()
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


# --- Rendering -------------------------------------------------------------------------------------------------------

_SPECIAL: Final = re.compile(r"([\\`*_\[\]#~|])")
_ANGLES: Final = str.maketrans("<>", "\u2039\u203a")


def render(alert: Alert, name: str | None = None, form: Literal["text", "markdown"] = "text") -> Rendered:
    """Return title and body; ``name`` stands in for the customer's id in the title.

    Angle brackets become typographic ones, because chat services read ``<USER>`` or a customer's ``<!channel>`` as a
    command; in Markdown all that a customer wrote is escaped.
    """
    said = f"{' '.join(name.split())} ({alert.customer_id})" if name else alert.customer_id
    title = alert.headline.replace(alert.customer_id, said, 1)
    body = f"{alert.explanation}\nAlert {alert.alert_id}, opened {alert.opened_at:%Y-%m-%d %H:%M} UTC."
    title, body = title.translate(_ANGLES), body.translate(_ANGLES)
    if form == "text":
        return Rendered(title, body)
    lines = [_markdown_line(line) for line in body.split("\n")]
    return Rendered(_SPECIAL.sub(r"\\\1", title), "  \n".join(lines))


def _markdown_line(line: str) -> str:
    start, rest = ("- ", line[2:]) if line.startswith("- ") else ("", line)
    escaped = _SPECIAL.sub(r"\\\1", rest)
    return f"**Next:** {escaped[6:]}" if escaped.startswith("Next: ") else start + escaped


# --- Delivery --------------------------------------------------------------------------------------------------------

_HOSTED: Final = re.compile(r"(?:json|xml|form|mailto|gotify|mmost)s?")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:]+\](?::\d{1,5})?")


def receiver(url: str) -> str:
    """Return a name for an Apprise URL that tells receivers apart and gives no secret away.

    The scheme, the host where the scheme has a real one (``slack://…`` holds a token there), and eight hash digits.
    """
    digest = hashlib.blake2b(url.encode(), digest_size=4).hexdigest()
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.isalnum():
        return f"receiver #{digest}"
    host = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    shown = host if _HOSTED.fullmatch(scheme.casefold()) and _HOST.fullmatch(host) else ""
    return f"{scheme.casefold()}://{shown} #{digest}"


def deliver(url: str, alert: Alert, name: str | None = None, *, timeout: float = TIMEOUT_SECONDS) -> Delivered:
    """Send one alert to one Apprise URL and wait until its receiver has answered.

    Sends once, without retries; two calls send twice. Apprise's own log is kept back while it sends, since it quotes
    URLs.

    Raises:
        UnconfirmedDelivery: the alert left, and no answer came.
        DeliveryError: the URL is none that Apprise knows, or the receiver certainly has not accepted the alert.
    """
    target, text = receiver(url), render(alert, name)
    with _overheard() as heard:
        sent = _sent(_service(url, target, timeout), text)
    if sent:
        return Delivered(alert.alert_id, target)
    raise _failure(target, alert.alert_id, heard, timeout)


def _sent(service: "NotifyBase", text: Rendered) -> bool:
    try:
        return bool(service.notify(body=text.body, title=text.title, body_format="text"))
    except Exception as error:  # a plugin's surprise, which may quote the URL: its kind is all that goes on
        logging.getLogger("apprise").warning("Raised %s", type(error).__name__)
        return False


def _service(url: str, target: str, timeout: float) -> "NotifyBase":
    from apprise import Apprise, AppriseAsset

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # loading its plugins, Apprise imports imghdr
            service = Apprise.instantiate(url, asset=AppriseAsset(secure_logging=True), suppress_exceptions=True)
    except Exception:  # a plugin may raise anything over a malformed URL, and quote it
        service = None
    if service is None:
        raise DeliveryError(
            f"{target}: not a receiver that Apprise knows; mend it in MOODLINE_ALERT_URLS (forms: apprise --details)"
        )
    service.socket_connect_timeout = service.socket_read_timeout = timeout
    return service


class _Ear(logging.Handler):
    """Keeps what is logged instead of printing it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """Keep the log lines of Apprise and its HTTP client to ourselves: they tell why a delivery failed, and quote URLs.

    Loggers belong to the process: deliver from one thread at a time.
    """
    ear, loggers = _Ear(), [logging.getLogger(name) for name in ("apprise", "urllib3")]
    before = [(logger.level, logger.propagate, logger.handlers) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [ear], False
        logger.setLevel(logging.DEBUG)
    try:
        yield ear.lines
    finally:
        for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.propagate, logger.handlers = propagate, handlers


_STATUS: Final = re.compile(r"\berror=(\d{3})\b")
_BEFORE_SENDING: Final = (
    ("connection refused", "the connection was refused"),
    ("name or service not known", "its host name is not known"),
    ("name resolution", "its host name is not known"),
    ("no address associated", "its host name is not known"),
    ("connecttimeout", "no connection within {timeout:g} s"),
    ("certificate", "its certificate was not accepted"),
    ("failed to establish", "no connection"),
    ("connection error while submitting email", "no connection to its mail server, or that refused the sender"),
)
_AFTER_SENDING: Final = (
    ("timed out", "no answer within {timeout:g} s"),
    ("aborted", "the connection broke"),
    ("reset", "the connection broke"),
    ("closed", "the connection broke"),
    ("broken pipe", "the connection broke"),
)


def _failure(target: str, alert_id: str, heard: Sequence[str], timeout: float) -> DeliveryError:
    """Say why from what Apprise logged, in our own words only."""
    log = "\n".join(heard).casefold()
    status = _STATUS.search(log)
    why = f"it answered {status[1]}" if status else _first(_BEFORE_SENDING, log)
    broken = None if why else _first(_AFTER_SENDING, log)
    if broken:
        return UnconfirmedDelivery(
            f"{target}: alert {alert_id} may or may not have arrived ({broken.format(timeout=timeout)}); "
            "look there before sending it by hand"
        )
    why = (why or "Apprise could not deliver it").format(timeout=timeout)
    return DeliveryError(f"{target}: alert {alert_id} was not delivered ({why}); see to that receiver")


def _first(signs: Iterable[tuple[str, str]], log: str) -> str | None:
    return next((meaning for sign, meaning in signs if sign in log), None)
