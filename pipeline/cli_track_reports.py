"""The commands that report on the whole company: ledger, lift, gap, effect."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli import AsJson, home_of, print_json
from pipeline.display import say, show_table

_DAY = "%Y-%m-%d"


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (ledger, lift, gap, effect):
        app.command()(command)


def ledger(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="item (dis-service), product, team, agent, channel or week.")] = "item",
    since: Annotated[
        datetime | None, typer.Option(formats=[_DAY], help="Only what was written from this day on (UTC).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rank what sours customers: levels lost, how sure that is, and the value that stands at risk for it.

    Examples:

    `moodline ledger`

    `moodline ledger --by team --since 2026-09-01 --json`
    """
    from pipeline import reports

    rows = reports.ledger(home_of(context), by, _utc(since))
    if as_json:
        print_json(rows)
    else:
        show_table(f"The ledger by {by}", rows)


def lift(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="agent, team, channel or source.")] = "agent",
    as_json: AsJson = False,
) -> None:
    """Show what contacts leave behind: mood at the end of each against mood at the end of the one before.

    Small numbers are drawn towards all, and nobody is ranked on fewer than five contacts.

    Example:

    `moodline lift --by team`
    """
    from pipeline import reports

    rows = reports.lift(home_of(context), by)
    if as_json:
        print_json(rows)
    else:
        show_table(f"The lift of contacts by {by}", rows)


def gap(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="team, channel or source.")] = "team",
    as_json: AsJson = False,
) -> None:
    """Show how differently the same customers feel with one department and with another.

    Example:

    `moodline gap --by channel --json`
    """
    from pipeline import reports

    rows = reports.gap(home_of(context), by)
    if as_json:
        print_json(rows)
    else:
        show_table(f"The same customers, {by} against {by}", rows)


def effect(
    context: typer.Context,
    since: Annotated[datetime, typer.Option(formats=[_DAY, f"{_DAY}T%H:%M:%S"], help="When the change came (UTC).")],
    where: Annotated[str, typer.Option(help="Whom it touched: department=service,channel=transcript. All must hold.")],
    control: Annotated[
        str | None, typer.Option(help="Whom to compare with. Default: everybody whom it did not touch.")
    ] = None,
    days: Annotated[int, typer.Option(help="Days before and after that are compared.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Say whether a change of service helped: mood, dis-services and risk against customers it did not touch.

    A filter names source, channel, product, department, segment, plan or customer.

    Examples:

    `moodline effect --since 2026-07-01 --where department=service`

    `moodline effect --since 2026-07-01 --where channel=transcript --control channel=tweet --days 90 --json`
    """
    from pipeline import reports

    found = reports.change(home_of(context), since.replace(tzinfo=UTC), days, where, control)
    if as_json:
        print_json(asdict(found))
        return
    show_table(
        f"{where} since {since:%Y-%m-%d}: {found.touched} customers touched, {found.untouched} not",
        [asdict(change) for change in found.changes],
    )
    for line in found.words:
        say(line)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
