"""The benchmark: how fast and how big Moodline is beside an alternative, measured in the same run.

``moodline bench`` (or ``make bench``). A figure alone says more of the machine than of the program, so every part is a
ratio: scoring and redaction against the usual library, scoring also against the processor's own limit, pulling,
landing and publishing against themselves at four times the size, tracking against a plain loop over customers and at
ten times the size, and the memory of ``moodline score`` against itself at a twentieth of the texts.

Each contestant lives in a process of its own, so that its peak memory is its own. Within a part the contestants take
turns, round by round, so that other work on the machine hurts all of them alike; the best round counts, and the range
over the rounds stands beside each ratio. Texts, customers and times are those of Fernhollow, copied under other names
as often as the size asks; readings are drawn at random with a fixed seed. No network is used.
"""

import itertools
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cache, partial
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from pipeline import bench_score
from pipeline.errors import MoodlineError

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.records import IncomingMessage, Message, Reading
    from pipeline.sources.settings import RestSettings
    from pipeline.store import Landing

Round = Callable[[], float]
"""Does the work once and returns the seconds it took; what it needs beforehand is not counted."""
Open = Callable[[int, Path], Round]
"""Gets a contestant ready for work of a size, with an empty folder to write to."""

_ROWS_AT_ONCE: Final = 2000
_RECORDS_A_PAGE: Final = 1000
_VERSION: Final = "bench"
_OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "critical",  # it logs an error over every network that is not of its own classes
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DO_NOT_TRACK": "1",
}


class BenchError(MoodlineError):
    """A contestant could not be measured."""


# --- What the work is made of ----------------------------------------------------------------------------------------


@cache
def _sample() -> "list[IncomingMessage]":
    """Return what Fernhollow's customers wrote, in the order of time."""
    from pipeline.config import REPOSITORY
    from pipeline.sources import files
    from pipeline.sources.spec import FileSpec, parse_mapping

    mapping = parse_mapping("text=review,customer=customer_email,time=posted_at,rating=stars,id=review_id")
    specs = {
        "reviews.csv": FileSpec("reviews", "review", mapping),
        "tweets.jsonl": FileSpec("tweets", "tweet"),
        "chats.jsonl": FileSpec("chats", "transcript"),
        "emails.jsonl": FileSpec("emails", "transcript"),
        "calls": FileSpec("calls", "transcript"),
    }
    folder = REPOSITORY / "data" / "samples" / "fernhollow"
    batches = itertools.chain.from_iterable(files.read(folder / name, spec) for name, spec in specs.items())
    found = [message for batch in batches for message in batch.messages if message.role == "customer"]
    return sorted(found, key=lambda message: message.sent_at)


def texts(count: int) -> list[str]:
    """Return so many distinct texts of the sample, channels mixed; past its end each has one word of another text."""
    chance = random.Random(0)
    own = list(dict.fromkeys(message.text for message in _sample()))
    words = " ".join(own).split()
    chance.shuffle(own)
    found = dict.fromkeys(own[:count])
    for text in itertools.cycle(own):
        if len(found) >= count:
            return list(found)
        varied = text.split()
        varied[chance.randrange(len(varied))] = chance.choice(words)
        found[" ".join(varied)] = None
    return []


def _sample_people() -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(m.customer or "" for m in _sample()))}


def messages() -> "Iterator[Message]":
    """Yield messages without end: the sample's rows again and again, each time of other customers and threads."""
    from pipeline.records import Message

    people = _sample_people()
    for copy in itertools.count():
        for place, m in enumerate(_sample()):
            yield Message(
                message_id=f"m_{copy:08d}{place:06d}",
                source=m.source,
                channel=m.channel,
                text=m.text,
                sent_at=m.sent_at,
                customer_id=f"c_{copy * len(people) + people[m.customer or '']:012d}",
                thread_id=f"{m.thread}-{copy}" if m.thread else None,
                rating=m.rating,
                product=m.product,
                reach=m.reach,
            )


def readings(batch: "Sequence[Message]") -> "list[Reading]":
    """Return readings of messages, drawn at random; the labels are those above one half."""
    import numpy as np

    from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
    from pipeline.records import Reading

    draw = np.random.default_rng(0)
    moods = draw.dirichlet([0.4] * len(MOODS), len(batch)).tolist()
    sentiments = draw.dirichlet([0.4] * len(SENTIMENTS), len(batch)).tolist()
    labels = draw.beta(0.2, 1.6, (len(batch), len(INTENTS) + len(DISSERVICES))).tolist()
    return [
        Reading(
            message_id=message.message_id,
            version=_VERSION,
            mood=tuple(mood),
            sentiment=tuple(sentiment),
            intents=tuple(chances[: len(INTENTS)]),
            disservices=tuple(chances[len(INTENTS) :]),
            mood_label=MOODS[mood.index(max(mood))],
            sentiment_label=SENTIMENTS[sentiment.index(max(sentiment))],
            intent_labels=_above_half(INTENTS, chances[: len(INTENTS)]),
            disservice_labels=_above_half(DISSERVICES, chances[len(INTENTS) :]),
        )
        for message, mood, sentiment, chances in zip(batch, moods, sentiments, labels, strict=True)
    ]


def _above_half(names: Sequence[str], chances: Sequence[float]) -> tuple[str, ...]:
    return tuple(name for name, chance in zip(names, chances, strict=True) if chance > 0.5)


# --- Contestants -----------------------------------------------------------------------------------------------------


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _shipped() -> Path:
    from models.release import Releases

    return Releases(Path(os.devnull)).active()


def _score_release(count: int, scratch: Path) -> Round:
    work = bench_score.release_work(_shipped(), texts(count))
    return lambda: _seconds(work)


def _release_operations(count: int) -> float:
    return bench_score.release_operations(_shipped(), texts(count))


def _score_pipeline(count: int, scratch: Path, batch_size: int, size: Literal["release", "roberta"]) -> Round:
    from pipeline.bench_rivals import pipeline_work

    work = pipeline_work(_shipped(), texts(count), batch_size, size)
    return lambda: _seconds(work)


def _products(count: int, scratch: Path, kind: Literal["int8", "fp32"]) -> Round:
    return bench_score.products(kind, count)


class ScoreCommand:
    """``moodline score`` as people run it, on a file of texts: a round is the whole command, start included."""

    def __init__(self, count: int, scratch: Path) -> None:
        self.peak_mb = 0.0
        self._scratch, self._rows = scratch, scratch / "texts.jsonl"
        with self._rows.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps({'id': place, 'text': text})}\n" for place, text in enumerate(texts(count)))

    def __call__(self) -> float:
        """Run the command once and return its seconds; what it held at most is then in ``peak_mb``."""
        return _seconds(self._score)

    def _score(self) -> None:
        from pipeline.config import REPOSITORY

        words = [sys.executable, "-m", "pipeline", "--home", str(self._scratch / "home"), "score"]
        said = self._scratch / "said.txt"
        with (
            self._rows.open("rb") as rows,
            said.open("wb") as errors,
            subprocess.Popen(words, stdin=rows, stdout=subprocess.DEVNULL, stderr=errors, cwd=REPOSITORY) as run,
        ):
            while run.poll() is None:
                self.peak_mb = max(self.peak_mb, peak_mb(run.pid))
                time.sleep(0.02)
        if run.returncode:
            raise BenchError(f"`moodline score` ended with {run.returncode}: {said.read_text(errors='replace')[-500:]}")


def _redact(count: int, scratch: Path) -> Round:
    from pipeline.redact import Redactor

    own, redactor = texts(count), Redactor()
    return lambda: _seconds(lambda: redactor.mask_all(own))


_ENTITIES: Final = ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "URL")
"""What both know. The redactor masks handles, order and account numbers beside, and writes the masked text."""


def _analyse(count: int, scratch: Path) -> Round:
    # Presidio imports torch where it finds it, for engines not used here; its memory would not be Presidio's.
    sys.modules.update(dict.fromkeys(("torch", "transformers", "stanza")))  # type: ignore[arg-type]
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    cast(Any, tldextract).extract = tldextract.TLDExtract(
        suffix_list_urls=(), cache_dir=None
    )  # else it downloads the list
    blank: Any = SpacyNlpEngine()
    blank.nlp = {"en": spacy.blank("en")}  # loaded already: else it downloads a model
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=blank)
    engine, own, wanted = AnalyzerEngine(registry, blank), texts(count), list(_ENTITIES)
    return lambda: _seconds(lambda: [engine.analyze(text, "en", wanted) for text in own])


def _land(count: int, scratch: Path) -> Round:
    from pipeline.config import Home
    from pipeline.store import Warehouse

    attempts = itertools.count()

    def land() -> float:
        with Warehouse.open(Home(scratch / str(next(attempts)))) as warehouse:
            spent = sum(_seconds(partial(warehouse.land, batch)) for batch in _landings(count))
            return spent + _seconds(warehouse.publish)

    return land


def _landings(count: int) -> "Iterator[Landing]":
    from pipeline.store import Landing

    source = messages()
    for start in range(0, count, _ROWS_AT_ONCE):
        batch = list(itertools.islice(source, min(_ROWS_AT_ONCE, count - start)))
        yield Landing("bench", "file", "review", {}, batch, position=f"bench:{start + len(batch)}")


def _publish(count: int, scratch: Path) -> Round:
    """Get a whole warehouse ready: messages, readings, moods. Before each round one more message lands."""
    from pipeline.config import Home, Settings
    from pipeline.mood_model import Parameters
    from pipeline.steps import follow
    from pipeline.store import Landing, Warehouse

    warehouse = Warehouse.open(Home(scratch))
    for landing in _landings(count):
        warehouse.land(landing)
        warehouse.add_readings(readings(landing.messages))
    follow(warehouse, Parameters.load(), _VERSION, Settings())
    late = (replace(m, message_id=f"late-{m.message_id}", customer_id=None) for m in messages())

    def publish() -> float:
        warehouse.land(Landing("bench", "file", "review", {}, [next(late)]))
        return _seconds(lambda: warehouse.publish(keep=1))

    return publish


def _pull(count: int, scratch: Path) -> Round:
    """Pull so many records through the generic engine. Processor time counts, waiting for the network does not."""
    from pipeline.sources.auth import authorisation
    from pipeline.sources.http import Service
    from pipeline.sources.rest import RestClient, recipe
    from pipeline.sources.secrets import Secrets
    from pipeline.sources.settings import NoAuth

    desk, secrets = _Desk(count), Secrets("bench", {})

    def pull() -> float:
        start, client, read = time.process_time(), RestClient(recipe(desk.settings())), 0
        with Service(authorisation(NoAuth(), secrets), secrets) as service:
            for page in client.fetch(service, None):
                read += len(page.messages)
        if read != count:
            raise BenchError(f"pull: {count:,} records were served and {read:,} read")
        return time.process_time() - start

    return pull


class _Desk:
    """A server on 127.0.0.1 with so many records; each page is the same text under another cursor."""

    def __init__(self, count: int) -> None:
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

        pages = [_desk_page(min(_RECORDS_A_PAGE, count)), _desk_page(count % _RECORDS_A_PAGE or _RECORDS_A_PAGE)]
        last = (count - 1) // _RECORDS_A_PAGE

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                place = int(self.path.partition("cursor=")[2] or 0)
                cursor = b"null" if place == last else b'"%d"' % (place + 1)
                body = b'{"next": %b, "data": %b}' % (cursor, pages[place == last])
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def settings(self) -> "RestSettings":
        """Return the block that a user would write for it."""
        from pipeline.sources.settings import RestSettings

        return RestSettings.model_validate(
            {
                "name": "bench",
                "kind": "rest",
                "channel": "transcript",
                "url": f"http://127.0.0.1:{self._server.server_port}/messages",
                "paginate": {"type": "cursor", "param": "cursor", "next": "next"},
                "since": {"param": "since", "field": "updated_at"},
                "records": "data",
                "map": {
                    "id": "id",
                    "customer": "author.id",
                    "role": "author.role",
                    "thread": "thread.id",
                    "text": "body",
                    "time": "created_at",
                },
            }
        )


def _desk_page(count: int) -> bytes:
    rows = [
        {
            "id": f"r{place}",
            "author": {"id": f"person{place % 97}@example.com", "role": "customer", "name": "Somebody"},
            "thread": {"id": f"t{place // 5}", "open": True},
            "body": text,
            "created_at": f"2026-05-01T10:{place // 60 % 60:02d}:{place % 60:02d}Z",
            "updated_at": f"2026-05-01T11:{place // 60 % 60:02d}:{place % 60:02d}Z",
            "tags": ["a", "b"],
        }
        for place, text in enumerate(itertools.islice(itertools.cycle(texts(500)), count))
    ]
    return json.dumps(rows).encode()


# --- The parts and what they compare ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One contestant: how much work it gets at scale 1, and how often."""

    name: str
    title: str
    unit: str
    count: int
    open: Open
    rounds: int = 3
    needs: tuple[str, ...] = ()
    """Packages without which it is left out."""
    operations: Callable[[int], float] | None = None
    """Giga-operations of the matrix products in work of a size, where they are counted."""

    def sized(self, scale: float) -> int:
        """Return how much work it gets at a scale, at least one."""
        return max(1, round(self.count * scale))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A ratio to show: the figure of ``case`` over the figure of ``against``."""

    label: str
    wanted: str
    figure: str
    """``rate``, ``operations`` (a second), ``seconds`` or ``peak_mb``."""
    case: str
    against: str


@dataclass(frozen=True, slots=True)
class Part:
    """Contestants that take turns, and what is compared."""

    cases: tuple[Case, ...]
    comparisons: tuple[Comparison, ...]


def _grown(label: str, name: str, unit: str, count: int, open_case: Open) -> tuple[tuple[Case, ...], list[Comparison]]:
    """Return one piece of work at N and 4N, with the ratios of its costs."""
    small = Case(name, label, unit, count, open_case)
    large = Case(f"{name}_4n", f"{label}, 4N", unit, 4 * count, open_case)
    singular = unit.removesuffix("s")
    return (small, large), [
        Comparison(f"{label}: cost of a {singular} at 4N to N", "1 or less", "rate", small.name, large.name),
        Comparison(f"{label}: peak memory at 4N to N", "near 1", "peak_mb", large.name, small.name),
    ]


def _against(label: str, case: str, against: str) -> list[Comparison]:
    return [
        Comparison(f"{label}: speed", "high", "rate", case, against),
        Comparison(f"{label}: peak memory", "low", "peak_mb", case, against),
    ]


_RIVALS: Final[tuple[tuple[str, str, int, Literal["release", "roberta"]], ...]] = (
    ("pipeline_batch_1", "its own weights in the pipeline, fp32, batch 1", 1, "release"),
    ("pipeline_batch_32", "its own weights in the pipeline, fp32, batch 32", 32, "release"),
    ("roberta_batch_32", "RoBERTa-base's size in the pipeline, fp32, batch 32", 32, "roberta"),
)
_LIMITS: Final[tuple[tuple[Literal["int8", "fp32"], int], ...]] = (("int8", 400), ("fp32", 80))


def _score_part() -> Part:
    (small, large), grown = _grown("score, this release", "release", "texts", 480, _score_release)
    release = replace(small, operations=_release_operations)
    needs = ("torch", "transformers", "onnx")
    rivals = [
        Case(name, title, "texts", 480, partial(_score_pipeline, batch_size=batch, size=size), rounds=2, needs=needs)
        for name, title, batch, size in _RIVALS
    ]
    limits = [
        Case(kind, f"matrix product alone, {kind}", "GOP", size, partial(_products, kind=kind), 3, ("onnx",), float)
        for kind, size in _LIMITS
    ]
    shown = itertools.chain.from_iterable(_against(f"release to {r.title}", "release", r.name) for r in rivals)
    shares = [
        Comparison(f"release's share of the {c.name} matrix product's speed", "high", "operations", "release", c.name)
        for c in limits
    ]
    return Part((release, large, *rivals, *limits), (*shown, *shares, *grown))


def _memory_part() -> Part:
    """The command on many texts and on a twentieth of them: what it holds should not depend on how many there are."""
    many = Case("score_command", "moodline score", "texts", 100_000, ScoreCommand, rounds=1)
    few = Case("score_command_20th", "moodline score, a twentieth", "texts", 5_000, ScoreCommand, rounds=1)
    label = "moodline score: peak memory at N to N/20"
    return Part((many, few), (Comparison(label, "near 1", "peak_mb", many.name, few.name),))


def _redact_part() -> Part:
    own = Case("redactor", "redact, this redactor", "texts", 1200, _redact)
    other = Case("presidio", "Presidio's AnalyzerEngine, blank spaCy", "texts", 1200, _analyse)
    return Part((own, other), tuple(_against("redactor to Presidio", "redactor", "presidio")))


def _land_part() -> Part:
    landing, landed = _grown("land and publish", "land", "rows", 4000, _land)
    publishing, published = _grown("publish what is read and tracked", "publish", "rows", 4000, _publish)
    return Part((*landing, *publishing), (*landed, *published))


def _pull_part() -> Part:
    cases, ratios = _grown("pull, any REST source", "pull", "records", 25_000, _pull)
    return Part(cases, tuple(ratios))


PARTS: Final[Mapping[str, Part]] = {
    "score": _score_part(),
    "redact": _redact_part(),
    "pull": _pull_part(),
    "land": _land_part(),
    "memory": _memory_part(),
}
TRACK: Final = "track"
"""Tracking has a benchmark of its own form, in ``pipeline.bench_track``."""
NAMES: Final = (*PARTS, TRACK)
USUAL: Final = tuple(name for name in PARTS if name != "memory")
"""What is measured unless parts are named; memory and tracking take minutes by themselves."""


# --- Measuring -------------------------------------------------------------------------------------------------------


def peak_mb(process: int | None = None) -> float:
    """Return the most memory that this process, or a child of it that still runs, has held so far, in MiB.

    Linux's VmHWM: ``ru_maxrss`` there begins at what the parent held when it started the process.
    """
    status = Path("/proc") / str(process or "self") / "status"
    try:
        held = status.read_text(encoding="ascii", errors="replace")
    except OSError:
        held = ""
    for line in held.splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    if sys.platform == "linux" and process:
        return 0.0  # ended between being asked for and being looked at
    whose = resource.RUSAGE_CHILDREN if process else resource.RUSAGE_SELF
    return resource.getrusage(whose).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _serve(pipe: Connection, part: str, name: str, count: int) -> None:
    """Be a contestant: get ready, do a round for every True, then tell the peak memory. Errors go up as words."""
    os.environ.update(_OFFLINE)
    try:
        case = {case.name: case for case in PARTS[part].cases}[name]
        with TemporaryDirectory(prefix="moodline-bench-") as scratch:
            play = case.open(count, Path(scratch))
            pipe.send(0.0)
            while pipe.recv():
                pipe.send(play())
        pipe.send(play.peak_mb if isinstance(play, ScoreCommand) else peak_mb())
    except EOFError:
        return  # whoever asked is gone
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")


class Contestant:
    """A case in a process of its own. Use it as a context manager; leaving it ends the process."""

    def __init__(self, part: str, case: Case, count: int) -> None:
        self.case, self.count = case, count
        self.seconds: list[float] = []
        self._label = f"{part}/{case.name}"
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, part, case.name, count), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(5)
        self._process.kill()
        self._process.join()
        self._process.close()

    def ready(self) -> None:
        """Wait until it is ready, so that the next one gets ready on a quiet machine."""
        self._answer()

    def play(self) -> None:
        """Do one round, if it has any left."""
        if len(self.seconds) < self.case.rounds:
            self._pipe.send(True)
            self.seconds.append(self._answer())

    def measured(self) -> "Measured":
        """End the contest and return what came of it."""
        self._pipe.send(False)
        case, best, peak = self.case, min(self.seconds), self._answer()
        operations = case.operations(self.count) if case.operations else 0.0
        rate = self.count / best
        return Measured(case.name, case.title, case.unit, self.count, self.seconds, best, rate, peak, operations)

    def _answer(self) -> float:
        try:
            answer: float | str = self._pipe.recv()
        except EOFError:
            answer = "its process ended without an answer; was it short of memory?"
        if isinstance(answer, str):
            raise BenchError(f"{self._label} with {self.count} {self.case.unit}: {answer}")
        return answer


@dataclass(frozen=True, slots=True)
class Measured:
    """What one contestant did: seconds of each round, the best of them, units a second in it, peak memory in MiB.

    ``operations`` are the giga-operations of its matrix products in a round, 0 where they are not counted.
    """

    case: str
    title: str
    unit: str
    count: int
    rounds: list[float]
    seconds: float
    rate: float
    peak_mb: float
    operations: float = 0.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """A comparison's value by the best rounds, and its range over rounds that were played beside each other."""

    label: str
    wanted: str
    figure: str
    case: str
    against: str
    value: float
    low: float
    high: float


def compared(comparison: Comparison, found: Mapping[str, Measured]) -> Ratio:
    """Return the ratio that a comparison asks for."""
    ours, theirs = found[comparison.case], found[comparison.against]
    if comparison.figure == "peak_mb":
        pairs = [ours.peak_mb / theirs.peak_mb]
        value = pairs[0]
    elif comparison.figure == "seconds":
        value = ours.seconds / theirs.seconds
        pairs = [own / other for own, other in zip(ours.rounds, theirs.rounds, strict=False)]
    else:
        size = _done(ours, comparison.figure) / _done(theirs, comparison.figure)
        pairs = [size * other / own for own, other in zip(ours.rounds, theirs.rounds, strict=False)]
        value = size * theirs.seconds / ours.seconds
    return Ratio(**asdict(comparison), value=value, low=min(value, *pairs), high=max(value, *pairs))


def _done(measured: Measured, figure: str) -> float:
    return measured.operations if figure == "operations" else measured.count


def missing(case: Case) -> str | None:
    """Return why a case cannot be measured here; None when it can."""
    absent = [name for name in case.needs if find_spec(name) is None]
    return f"{', '.join(absent)} not installed; `pip install --editable '.[train]'` adds it" if absent else None


def measure(name: str, scale: float) -> dict[str, Any]:
    """Measure one part and return its ``measured``, ``ratios`` and ``skipped``.

    Raises:
        BenchError: a contestant failed.
    """
    if name == TRACK:
        from pipeline import bench_track

        return bench_track.measure(scale)
    part = PARTS[name]
    skipped = [{"case": case.name, "reason": reason} for case in part.cases if (reason := missing(case))]
    playing = [case for case in part.cases if missing(case) is None]
    found = {result.case: result for result in _contest(name, playing, scale)}
    comparisons = [c for c in part.comparisons if {c.case, c.against} <= found.keys()]
    return {
        "measured": [asdict(result) for result in found.values()],
        "ratios": [asdict(compared(comparison, found)) for comparison in comparisons],
        "skipped": skipped,
    }


def _contest(part: str, cases: Sequence[Case], scale: float) -> list[Measured]:
    with ExitStack() as stack:
        contestants = []
        for case in cases:
            contestants.append(stack.enter_context(Contestant(part, case, case.sized(scale))))
            contestants[-1].ready()
        for _ in range(max((case.rounds for case in cases), default=0)):
            for contestant in contestants:
                contestant.play()
        return [contestant.measured() for contestant in contestants]


# --- What is shown ---------------------------------------------------------------------------------------------------


def show(parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Print figures and ratios as two tables on standard error."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True) if sys.stderr.isatty() else Console(stderr=True, width=120)
    figures = Table(title="Measured", title_justify="left", header_style="bold")
    ratios = Table(title="Ratios", title_justify="left", header_style="bold")
    _columns(figures, "contestant", "size", "best round, s", "a second", "peak, MiB")
    _columns(ratios, "comparison", "ratio", "over the rounds", "wanted")
    for part in parts.values():
        for m in part["measured"]:
            cells = (f"{m['count']:,} {m['unit']}", f"{m['seconds']:.2f}", f"{m['rate']:,.0f}", f"{m['peak_mb']:,.0f}")
            figures.add_row(m["title"], *cells)
        for r in part["ratios"]:
            span = f"{r['low']:.2f} to {r['high']:.2f}" if r["figure"] != "peak_mb" else ""
            ratios.add_row(r["label"], f"{r['value']:.2f}", span, r["wanted"])
        figures.add_section()
        ratios.add_section()
    console.print(figures, ratios)


def _columns(table: "Table", first: str, *others: str) -> None:
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")


def machine() -> dict[str, Any]:
    """Return what the figures depend on beside the program: cores, and the work they already had."""
    return {"cores": os.cpu_count() or 1, "load": round(os.getloadavg()[0], 2), "python": sys.version.split()[0]}


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def run(names: Sequence[str], scale: float) -> dict[str, Any]:
    """Measure parts, tell people on standard error, and return the whole report as plain JSON types.

    Raises:
        BenchError: a contestant failed.
    """
    start, conditions, parts = time.monotonic(), machine(), {}
    if conditions["load"] > conditions["cores"] / 2:
        busy = f"load {conditions['load']} on {conditions['cores']} cores"
        _say(f"The machine is busy ({busy}): expect wide ranges, and run it again when it is quiet.")
    for name in names:
        titles = [case.title for case in PARTS[name].cases] if name in PARTS else ["10 million readings and a tenth"]
        _say(f"{name}: {'; '.join(titles)} …")
        parts[name] = measure(name, scale)
        for skipped in parts[name]["skipped"]:
            _say(f"{name}: {skipped['case']} is left out: {skipped['reason']}")
    show(parts)
    took = timedelta(seconds=round(time.monotonic() - start))
    _say(f"took {took}")
    return {"scale": scale, "machine": conditions, "seconds": took.total_seconds(), "parts": parts}
