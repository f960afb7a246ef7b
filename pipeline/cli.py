"""The command ``moodline``: parse, call a step, print. JSON on standard output, progress and logs on standard error.

Exit codes: 0 done, 1 failed, 2 wrong usage. Heavy imports happen inside the commands that need them.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO, cast, get_args

import typer

from models.errors import ModelError
from pipeline.config import REPOSITORY, Home, home_from, load_settings, source_tables
from pipeline.display import Steps, say, show_customer, show_explanation, show_table, warn
from pipeline.errors import MoodlineError, SettingsError, SourceError
from pipeline.records import Channel

if TYPE_CHECKING:
    from models.classifier import Classifier, Score
    from pipeline.sources.spec import FileSpec
    from pipeline.steps import Landed
    from pipeline.store import Warehouse

_LINES_AT_ONCE: Final = 8192
_LETTERS_AT_ONCE: Final = 2_000_000
"""What `score` reads before it writes: enough for batches of equal lengths, little enough to hold."""

app = typer.Typer(
    name="moodline",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Reads what customers write and shows each customer's mood sliding from delighted to furious, while there is "
    "still time to save them.\n\n`moodline import reviews.csv --as shop --channel review`, then `moodline run`, then "
    "`moodline customers` or `moodline dashboard`.",
)
quarantine_app = typer.Typer(no_args_is_help=True, help="Records that could not become messages, and their way back.")
app.add_typer(quarantine_app, name="quarantine")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="Which column is what: text=…,customer=…,time=…,rating=… (see --fields)."),
]


@app.callback()
def choose_home(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(help="Folder of warehouse, snapshots, inbox and logs. Default: MOODLINE_HOME, else data/."),
    ] = None,
) -> None:
    """Keep the home for the command that follows."""
    context.obj = home_from(home)


def home_of(context: typer.Context) -> Home:
    """Return the home that the command line chose."""
    home: Home = context.obj
    return home


@contextmanager
def open_warehouse(home: Home) -> "Iterator[Warehouse]":
    """Open the home's warehouse for writing, telling the user whom it waits for."""
    from pipeline.store import Warehouse

    with Warehouse.open(home, on_wait=say) as warehouse:
        yield warehouse


@app.command("import")
def import_(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="CSV, JSONL, JSON, Parquet, WebVTT, a transcript, or a folder of them.")],
    source: Annotated[str | None, typer.Option("--as", help="Name of the source. Default: the file's name.")] = None,
    channel: Annotated[str | None, typer.Option(help="review, tweet or transcript.")] = None,
    mapping: MapOption = None,
    time_format: Annotated[
        str | None, typer.Option(help="strptime format, iso, unix or unix_ms; needed where day and month could swap.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Of times without an offset.")] = "UTC",
    rating_scale: Annotated[str, typer.Option(help="Worst and best rating of the source.")] = "1,5",
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="A field that is the same in every row: department=service.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Of the text, where the bytes do not tell.")] = None,
    customer_speaker: Annotated[str | None, typer.Option(help="Transcripts: the speaker who is the customer.")] = None,
    turns: Annotated[str | None, typer.Option(help="Threads: the key of the nested list of turns.")] = None,
    heard_until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="When the export was made (UTC): silence counts until then."
        ),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show what would come in, and store nothing.")] = False,
    customers: Annotated[
        bool,
        typer.Option("--customers", help="The file lists customers: the same as `moodline customers import`."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring messages, or customers, from a file or folder into the warehouse. Importing again changes nothing.

    Examples:

    `moodline import Tweets.csv --as airline --channel tweet --map text=text,customer=name,time=tweet_created`

    `moodline import calls/ --as calls --channel transcript`

    `moodline import crm.csv --customers --map id=customer_id,value=value_gbp`

    `moodline import reviews.csv --channel review --preview`
    """
    home = home_of(context)
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if customers:
        _import_customers(home, path, mapping or [], as_json)
        return
    from pipeline.sources.spec import FileSpec

    spec = FileSpec(
        source or path.stem,
        _channel(channel),
        _mapping(mapping),
        time_format,
        time_zone,
        _scale(rating_scale),
        _mapping(constants),
        encoding,
        customer_speaker,
        turns,
    )
    if preview:
        _preview(path, spec, as_json)
        return
    _import(home, path, spec, heard_until.replace(tzinfo=UTC) if heard_until else None, as_json)


def _mapping(items: list[str] | None) -> dict[str, str]:
    from pipeline.sources.spec import parse_mapping

    try:
        return parse_mapping(items or [])
    except SourceError as error:
        raise typer.BadParameter(str(error)) from error


def _scale(text: str) -> tuple[float, float]:
    try:
        worst, best = (float(part) for part in text.replace(":", ",").split(","))
    except ValueError as error:
        raise typer.BadParameter(f"rating scale {text!r} should be worst and best, such as 1,10") from error
    if worst == best:
        raise typer.BadParameter(f"rating scale {text!r} has no width; say worst and best, such as 1,10")
    return worst, best


def _channel(name: str | None) -> "Channel":
    for channel in get_args(Channel):
        if name == channel:
            return cast("Channel", channel)
    raise typer.BadParameter("say --channel review, --channel tweet or --channel transcript")


def _preview(path: Path, spec: "FileSpec", as_json: bool) -> None:
    from pipeline.redact import Redactor
    from pipeline.sources import files

    seen, mask = files.preview(path, spec), Redactor().mask
    rows = [
        {
            "time": message.sent_at.isoformat(),
            "customer": message.customer,
            "role": message.role,
            "rating": message.rating,
            "text": mask(message.text),
        }
        for message in seen.messages
    ]
    facts = {
        "kind": seen.kind,
        "encoding": seen.encoding,
        "columns": seen.columns,
        "mapping": seen.mapping,
        "time_format": seen.time_format,
        "records": seen.records,
        "good": seen.good,
        "without_customer": seen.without_customer,
        "complete": seen.complete,
        "problems": seen.problems,
        "notes": seen.notes,
    }
    if as_json:
        print_json({**facts, "messages": rows})
        return
    show_table("What would come in", [{"": name, "value": value} for name, value in facts.items() if value])
    show_table("The first messages (masked)", rows)


def _import(home: Home, path: Path, spec: "FileSpec", heard_until: datetime | None, as_json: bool) -> None:
    from pipeline.steps import Lander, import_path

    with open_warehouse(home) as warehouse, Steps() as steps:
        lander = Lander.of(warehouse, load_settings(home))
        landed = import_path(path, spec, lander, steps(f"import {path.name}"), heard_until)
    _tell_landed(landed, spec.source, as_json)
    if landed.read and landed.read == landed.quarantined + landed.requarantined:
        raise SourceError(f"{path}: no record could be read; `moodline quarantine show` gives the reasons")


def _tell_landed(landed: "Landed", source: str, as_json: bool) -> None:
    for problem in landed.problems:
        warn(problem)
    bad = landed.quarantined + landed.requarantined
    if bad:
        warn(f"{bad:,} bad records are in quarantine: moodline quarantine show")
    say(
        f"{source}: {landed.read:,} records read, {landed.landed:,} messages new, {landed.duplicates:,} known already, "
        f"{bad:,} in quarantine"
    )
    if as_json:
        print_json(
            {
                "source": source,
                "read": landed.read,
                "landed": landed.landed,
                "duplicates": landed.duplicates,
                "quarantined": landed.quarantined,
                "requarantined": landed.requarantined,
            }
        )


def _import_customers(home: Home, path: Path, mapping: list[str], as_json: bool) -> None:
    from pipeline.cli_identities import customer_mapping, store_customers
    from pipeline.customer_import import read

    store_customers(home, read(path, customer_mapping(mapping)), path.name, as_json)


@app.command()
def run(
    context: typer.Context,
    as_json: AsJson = False,
    rebuild: Annotated[
        bool, typer.Option(help="Track everybody from all their messages, not only who has news.")
    ] = False,
) -> None:
    """Make one pass: pull live sources, take the inbox, score, track, alert, publish. No server is needed.

    Running again changes nothing. A live source that fails is told and stops nothing.

    Examples:

    `moodline run`

    `MOODLINE_ALERT_URLS="slack://… mailto://…" moodline run --json`

    `moodline run --rebuild`
    """
    from pipeline import steps as line

    home = home_of(context)
    settings = load_settings(home)
    pulled = _pull_all(home)
    with open_warehouse(home) as warehouse, Steps() as steps:
        if rebuild:
            warehouse.doubt_moods()
        report = line.run(home, warehouse, settings, steps, pulled)
        names = warehouse.names([alert.customer_id for alert in report.opened])
    for problem in (*report.pulled.problems, *report.notified.problems):
        warn(problem)
    for alert in report.opened:
        say(f"alert: {alert.headline.replace(alert.customer_id, names.get(alert.customer_id, alert.customer_id))}")
        say(f"  {alert.explanation}")
    counts = report.counts()
    say(
        ", ".join(
            f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in counts.items()
        )
    )
    if as_json:
        print_json({**counts, "snapshot": str(report.snapshot)})


def _pull_all(home: Home) -> "Landed":
    """Pull the home's live sources, if it has any; what is wrong with them is among the problems."""
    from pipeline.steps import NOTHING

    if not source_tables(home):
        return NOTHING
    from pipeline import pull
    from pipeline.cli_sources import secret_block

    with Steps() as steps:
        return pull.joined(pull.pull(home, pull.sources_of(home), block=secret_block, step=steps, on_wait=say))


@app.command()
def score(context: typer.Context) -> None:
    """Score JSONL from standard input: a line `{"id", "text"}` in, a line of probabilities and labels out, in order.

    A text that is empty, no language or not English is not guessed at: `{"id", "version", "unscored": reason}`.

    Example:

    `echo '{"id": 1, "text": "third time I ask, still no refund"}' | moodline score`
    """
    from pipeline.serving import active_classifier

    classifier = active_classifier(home_of(context))
    speak_utf8(sys.stdin, "surrogateescape")
    speak_utf8(sys.stdout, "backslashreplace")
    failed = 0
    for chunk in _chunks(sys.stdin):
        rows = [row for row in (_read_line(number, line) for number, line in chunk if line.strip()) if row]
        failed += sum(1 for _, line in chunk if line.strip()) - len(rows)
        for row in _score_rows(classifier, rows):
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if failed:
        raise SourceError(f"{failed} lines could not be scored; the reasons stand above")


def _chunks(lines: Iterable[str]) -> Iterator[list[tuple[int, str]]]:
    """Yield numbered lines, some thousand at a time, fewer of long ones."""
    chunk: list[tuple[int, str]] = []
    letters = 0
    for number, line in enumerate(lines, 1):
        chunk.append((number, line))
        letters += len(line)
        if len(chunk) == _LINES_AT_ONCE or letters >= _LETTERS_AT_ONCE:
            yield chunk
            chunk, letters = [], 0
    yield chunk


def _score_rows(classifier: "Classifier", rows: list[tuple[object, str]]) -> Iterator[dict[str, object]]:
    from models.screen import unreadable

    reasons = [unreadable(text) for _, text in rows]
    texts = [text for (_, text), reason in zip(rows, reasons, strict=True) if reason is None]
    scores = iter(classifier.score(texts))
    for (name, _), reason in zip(rows, reasons, strict=True):
        if reason is None:
            yield _scored(name, classifier.version, next(scores))
        else:
            yield {"id": name, "version": classifier.version, "unscored": reason}


def _read_line(number: int, line: str) -> tuple[object, str] | None:
    try:
        if any("\udc80" <= letter <= "\udcff" for letter in line):
            raise ValueError("bytes that are not UTF-8")
        row = json.loads(line)
        if not isinstance(row["text"], str):
            raise TypeError("text is not a string")
        return row.get("id", number), row["text"].encode("utf-8", "replace").decode("utf-8")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        warn(f'standard input line {number}: expected {{"id": …, "text": "…"}} ({error!r}); the line is left out')
        return None


def _scored(name: object, version: str, scored: "Score") -> dict[str, object]:
    from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS

    def named(order: tuple[str, ...], values: tuple[float, ...]) -> dict[str, float]:
        return {label: round(value, 6) for label, value in zip(order, values, strict=True)}

    return {
        "id": name,
        "version": version,
        "mood": named(MOODS, scored.mood),
        "sentiment": named(SENTIMENTS, scored.sentiment),
        "intents": named(INTENTS, scored.intents),
        "disservices": named(DISSERVICES, scored.disservices),
        "labels": {
            "mood": scored.mood_label,
            "sentiment": scored.sentiment_label,
            "intents": list(scored.intent_labels),
            "disservices": list(scored.disservice_labels),
        },
    }


@app.command()
def explain(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The message.")],
    as_json: AsJson = False,
) -> None:
    """Say which words moved the mood and each label of a message, by reading it again without each of them.

    `level` is what a word did to the expected mood, from 5 (delighted) to 1 (furious): below zero it soured it. In a
    long message neighbouring words are left out together.

    Example:

    `moodline explain "third time I ask, still no refund" --json`
    """
    from models.explain import explain as explained
    from models.screen import unreadable
    from pipeline.serving import active_classifier

    text = text.encode("utf-8", "replace").decode("utf-8")
    if reason := unreadable(text):
        raise SourceError(f"the message is not read: {reason}")
    classifier = active_classifier(home_of(context))
    found = explained(classifier, text)
    if as_json:
        reading = _scored(None, classifier.version, found.score)
        print_json(
            {
                "version": classifier.version,
                "level": found.level,
                "labels": reading["labels"],
                "parts": [asdict(part) for part in found.parts],
            }
        )
    else:
        show_explanation(found)


@app.command()
def customer(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="Customer id, or a name, handle, e-mail or phone.")],
    as_json: AsJson = False,
) -> None:
    """Show one customer's line: mood over time, messages with their readings, and the ledger of what each cost.

    Examples:

    `moodline customer c_1a2b3c4d5e6f`

    `moodline customer "Maureen Oyelaran" --json`
    """
    from pipeline import readout

    line = readout.customer(home_of(context), name)
    if as_json:
        print_json(line)
    else:
        show_customer(line)


@app.command()
def alerts(
    context: typer.Context,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Those that have cleared, too.")] = False,
) -> None:
    """List open alerts, the most urgent first, each with the messages that did it and what to do.

    Example:

    `moodline alerts --all --json`
    """
    from pipeline import readout

    rows = readout.alerts(home_of(context), every)
    if as_json:
        print_json(rows)
    else:
        show_table("Alerts", [{k: row[k] for k in ("name", "kind", "opened_at", "explanation")} for row in rows])


@quarantine_app.command("show")
def quarantine_show(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Of this source alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List records that could not become messages, with file, line and reason. Texts are masked.

    Example:

    `moodline quarantine show --source shop --json`
    """
    with open_warehouse(home_of(context)) as warehouse:
        found = warehouse.quarantine_rows(source)
    rows = [
        {
            "id": row.quarantine_id,
            "source": row.rejected.source,
            "file": row.rejected.origin,
            "line": row.rejected.line,
            "reason": row.rejected.reason,
            "record": row.rejected.record,
        }
        for row in found
    ]
    if as_json:
        print_json(rows)
    else:
        show_table("Quarantine", rows)


@quarantine_app.command("replay")
def quarantine_replay(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Of this source alone.")] = None,
    time_format: Annotated[str | None, typer.Option(help="As in `moodline import`.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="As in `moodline import`.")] = None,
    fields: Annotated[list[str] | None, typer.Option("--set", help="Overwrite a field: time=2026-05-01.")] = None,
    as_json: AsJson = False,
) -> None:
    """Try quarantined records again, after a fix or under other options; what passes lands.

    Example:

    `moodline quarantine replay --source shop --time-format "%d/%m/%Y"`
    """
    from pipeline.pull import mended
    from pipeline.steps import Lander, replay_quarantine

    options = {"time_format": time_format, "time_zone": time_zone}
    changes = {**_mapping(fields), **{name: value for name, value in options.items() if value}}
    home = home_of(context)
    with open_warehouse(home) as warehouse:
        lander = Lander.of(warehouse, load_settings(home))
        landed = replay_quarantine(warehouse, lander, source, changes, mended(home))
    _tell_landed(landed, source or "quarantine", as_json)


@app.command()
def dashboard(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8501,
    address: Annotated[
        str, typer.Option(help="Address to listen on; anything but 127.0.0.1 opens it to others.")
    ] = "127.0.0.1",
) -> None:
    """Open the dashboard over the newest snapshot.

    Example:

    `moodline --home data/demo dashboard --port 8600`
    """
    command = [
        sys.executable, "-m", "streamlit", "run", str(REPOSITORY / "dashboards" / "app.py"),
        "--server.address", address, "--server.port", str(port), "--server.headless", "true",
        "--browser.gatherUsageStats", "false",
    ]  # fmt: skip
    say(f"dashboard at http://{address}:{port} (Ctrl-C ends it)")
    environment = {**os.environ, "MOODLINE_HOME": str(home_of(context).root), "DO_NOT_TRACK": "1"}
    raise typer.Exit(subprocess.run(command, env=environment, check=False, cwd=REPOSITORY).returncode)


@app.command()
def demo(
    context: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="Pull the company from a local server while time passes.")
    ] = False,
    speed: Annotated[float, typer.Option(min=0.01, max=10_000, help="Days that pass a second with --live.")] = 2.0,
) -> None:
    """Show what Moodline does with a made-up company, in a home of its own (data/demo, data/demo-live, or --home).

    Example:

    `moodline demo --live`
    """
    from pipeline.demo import main as play

    home = context.parent.params.get("home") if context.parent else None
    chosen = ["--home", str(home)] if home else []
    raise typer.Exit(play([*chosen, *["--live", "--speed", str(speed)] * live]))


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what is wrong with this installation and how to mend it; exit code 1 if anything is.

    Example:

    `moodline doctor`
    """
    from pipeline.doctor import examine

    findings = examine(home_of(context))
    rows = [{"check": f.check, "ok": f.ok, "found": f.found, "mend": f.mend} for f in findings]
    if as_json:
        print_json(rows)
    else:
        show_table("Examination", [{**row, "ok": "yes" if row["ok"] else "NO"} for row in rows])
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def speak_utf8(stream: TextIO, errors: str) -> None:
    """Make a standard stream UTF-8, as JSON is, whatever the locale says."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors=errors)


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    speak_utf8(sys.stdout, "backslashreplace")
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


@cache
def add_all_commands() -> None:
    """Add the commands that lie in other modules to the program, once."""
    from pipeline import cli_bench, cli_identities, cli_release, cli_sources, cli_track, cli_track_reports

    for module in (cli_bench, cli_identities, cli_release, cli_sources, cli_track, cli_track_reports):
        module.add_commands(app)


def main() -> None:
    """Run the command line; known errors are one line on standard error and exit code 1."""
    add_all_commands()
    try:
        app()
    except (MoodlineError, ModelError) as error:
        warn(str(error))
        raise SystemExit(2 if isinstance(error, SettingsError) else 1) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        warn(f"{error.filename or 'input or output'}: {error.strerror or error}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        warn("stopped; what was stored stays, and the next run goes on from there")
        raise SystemExit(1) from None
