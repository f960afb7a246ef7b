"""The commands about live sources: pull, sources add, test and list, messages."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import AsJson, home_of, open_warehouse, print_json, speak_utf8
from pipeline.config import Home, source_tables
from pipeline.display import Steps, say, show_table, warn
from pipeline.errors import SettingsError, SourceError

if TYPE_CHECKING:
    from pipeline.pull import PullReport
    from pipeline.sources.settings import SourceSettings

sources_app = typer.Typer(no_args_is_help=True, help="Services and stores that are pulled by themselves.")


_STANDING = ("name", "kind", "last_pull", "newest_record", "lag", "landed", "quarantined", "state", "error")
"""What ``moodline sources list --json`` tells of a source."""


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(pull)
    app.command()(messages)
    app.add_typer(sources_app, name="sources")


def pull(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Sources. Default: all.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Read all changed since then again (UTC): 2025-01-01.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring in what is new at the live sources of moodline.toml; stopped anywhere, the next pull goes on from there.

    One source that fails stops no other; the exit code is 1 then.

    Examples:

    `moodline pull`

    `moodline pull desk --since 2025-01-01`
    """
    from pipeline import pull as puller

    home = home_of(context)
    chosen = puller.sources_of(home, names or [])
    if not chosen:
        raise SettingsError(f"{home.settings_file}: names no [[sources]]; moodline sources add makes one")
    with Steps() as steps:
        reports = puller.pull(home, chosen, _moment(since), secret_block, steps, say)
    for report in reports:
        _tell(report)
    if as_json:
        print_json([report.row() for report in reports])
    if failed := [report.name for report in reports if report.state == "failed"]:
        raise SourceError(f"not pulled to the end: {', '.join(failed)}; the reasons stand above")


def _tell(report: "PullReport") -> None:
    row = report.row()
    words = ("landed", "duplicates", "edited", "erased", "quarantined", "requests")
    say(f"{report.name}: {row['read']:,} records read, " + ", ".join(f"{row[word]:,} {word}" for word in words))
    for problem in report.problems:
        warn(problem)


def _moment(text: str | None) -> datetime | None:
    from pipeline.sources.settings import moment

    try:
        return moment(text) if text else None
    except ValueError as error:
        raise typer.BadParameter(f"--since {text!r} {error}") from error


def secret_block(name: str) -> str | None:
    """Read a Prefect Secret block; Prefect is imported only where a source names one."""
    from pipeline.flows import secret_block

    return secret_block(name)


def messages(
    context: typer.Context,
    source: Annotated[str | None, typer.Option(help="Of this source alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the stored messages, masked, by source and time.

    Example:

    `moodline messages --source desk --json`
    """
    with open_warehouse(home_of(context)) as warehouse:
        found = (_message(row) for row in warehouse.stored_messages(source))
        if as_json:
            _print_rows(found)
        else:
            columns = ("at", "source", "customer", "role", "rating", "text")
            show_table("Messages", [{name: row[name] for name in columns} for row in found])


def _message(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "at": f"{row['at'].isoformat()}Z"}


def _print_rows(rows: "Any") -> None:  # noqa: ANN401
    """Print rows as a JSON array, one at a time: there can be millions."""
    speak_utf8(sys.stdout, "backslashreplace")
    begun = False
    for row in rows:
        sys.stdout.write((",\n " if begun else "[\n ") + json.dumps(row, ensure_ascii=False, default=str))
        begun = True
    sys.stdout.write("\n]\n" if begun else "[]\n")


@sources_app.command("list")
def sources_list(context: typer.Context, as_json: AsJson = False) -> None:
    """Show how each live source stands: last pull, newest record, lag, messages, errors, volume against its usual.

    Example:

    `moodline sources list --json`
    """
    from pipeline.pull import list_sources

    rows = list_sources(home_of(context))
    if as_json:
        print_json([{name: row[name] for name in _STANDING} for row in rows])
        return
    shown = ("name", "kind", "state", "last_pull", "newest_record", "landed", "quarantined", "today", "usual", "error")
    show_table("Sources", [{name: row[name] for name in shown} for row in rows])
    for row in rows:
        for note in row["notes"]:
            warn(f"{row['name']}: {note}")


@sources_app.command("test")
def sources_test(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The source.")],
    as_json: AsJson = False,
) -> None:
    """Ask a source for its first page and show three messages as they would land. Stores nothing.

    Example:

    `moodline sources test desk`
    """
    from pipeline.pull import sources_of

    (source,) = sources_of(home_of(context), [name])
    _show_trial(source, as_json)


def _show_trial(source: "SourceSettings", as_json: bool = False) -> None:
    from pipeline.pull import try_source

    rows = try_source(source, secret_block)
    if as_json:
        print_json({"name": source.name, "kind": source.kind, "messages": rows})
    else:
        show_table(f"{source.name}: the first messages (masked)", rows)


@sources_app.command("add")
def sources_add(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="app_store, google_play, trustpilot, x, zendesk … or rest.")],
    name: Annotated[str, typer.Argument(help="What to call it.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Answer beforehand: query=fernhollow, auth.token_env=X_TOKEN.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing, and save if the test passes.")] = False,
) -> None:
    """Add a live source: asks what it needs, tests it, shows three messages, and saves it to moodline.toml.

    Secrets are not asked for: say which environment variable (auth.token_env) or Prefect Secret block holds them.

    Examples:

    `moodline sources add app_store reviews --set app_id=389801252`

    `moodline sources add zendesk desk`
    """
    from pipeline.sources.registry import KINDS, read_source
    from pipeline.sources.settings_text import block_text, flattened, nested

    home = home_of(context)
    if kind not in KINDS:
        raise typer.BadParameter(f"kind {kind!r} is not known; known are {', '.join(KINDS)}")
    if any(table.get("name") == name for table in source_tables(home)):
        raise SettingsError(f'{home.settings_file}: [[sources]] "{name}" is there already; edit it there')
    given = _given(settings or [])
    asked = _not_given(flattened(KINDS[kind].example), given)
    answers = asked if yes else {key: _answer(key, value) for key, value in asked.items()}
    table = {"name": name, "kind": kind, **nested({**answers, **given})}
    source = read_source(table, home.settings_file)
    _show_trial(source)
    if yes or typer.confirm(f"Save it to {home.settings_file}?", err=True):
        _save(home, block_text(table))
        say(f"{name} is in {home.settings_file}; bring it in: moodline pull {name}")


def _given(settings: list[str]) -> dict[str, Any]:
    pairs = [item.partition("=") for item in settings]
    if wrong := next((key for key, equals, _ in pairs if not equals), None):
        raise typer.BadParameter(f"--set {wrong!r} has no '='; write key=value, for example auth.token_env=X_TOKEN")
    return {key.strip(): value for key, _, value in pairs}


def _not_given(example: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the example is still to be asked; ``paginate.type=page`` has other keys than ``cursor`` has."""
    other = tuple(key.removesuffix("type") for key in given if key.endswith(".type") and given[key] != example.get(key))
    return {key: value for key, value in example.items() if key not in given and not key.startswith(other)}


def _answer(key: str, default: object) -> object:
    answer: str = typer.prompt(key, default=str(default), err=True)
    return default if answer == str(default) else answer


def _save(home: Home, text: str) -> None:
    """Append a block to the settings; the file is replaced whole, so that no crash leaves half of it."""
    file = home.settings_file
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    draft = Path(f"{file}.new")
    draft.write_text(f"{before.rstrip()}\n\n{text}".lstrip(), encoding="utf-8")
    draft.replace(file)
