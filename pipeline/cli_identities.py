"""The commands about people: list and import customers, say who is who, forget somebody."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipeline.cli import AsJson, home_of, open_warehouse, print_json
from pipeline.config import Home, load_settings
from pipeline.display import Steps, say, show_customers, show_table
from pipeline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.customer_import import Row
    from pipeline.identity_decisions import Decision
    from pipeline.store import Warehouse

customers_app = typer.Typer(invoke_without_command=True)
identities_app = typer.Typer(invoke_without_command=True)

_SHOWN: Final = 20
"""Customers in a table, unless told otherwise."""

By = Annotated[str, typer.Option(help="Who decides; it stands in the log.")]
First = Annotated[str, typer.Argument(help="A customer: id, name, handle, e-mail or phone.")]
Second = Annotated[str, typer.Argument(help="The other one.")]


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.add_typer(customers_app, name="customers")
    app.add_typer(identities_app, name="identities")


# --- Customers -------------------------------------------------------------------------------------------------------


@customers_app.callback()
def customers(
    context: typer.Context,
    as_json: AsJson = False,
    limit: Annotated[int | None, typer.Option(min=1, help="How many. Default: 20, and with --json all.")] = None,
) -> None:
    """List customers, the most worth a call first: stage, slope, risk, days left, value at risk and the reasons.

    They are those of the newest snapshot, which `moodline run` publishes; before the first, --json prints `[]`.

    Example:

    `moodline customers --limit 10`
    """
    if context.invoked_subcommand:
        return
    from pipeline import readout
    from pipeline.store import snapshot_path

    home = home_of(context)
    if as_json:
        print_json(readout.customers(home, limit) if snapshot_path(home) else [])
    else:
        show_customers(readout.customers(home, limit or _SHOWN))


@customers_app.command("import")
def customers_import(
    context: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="CSV (UTF-8) or Parquet, a row a customer.")] = None,
    sql: Annotated[
        str | None, typer.Option(help="A SELECT that DuckDB runs, or a file that holds one, instead of a file of rows.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="Which column is what: id=account,email=mail (see `docs/customers.md`)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store what the company's records say of its customers, and match who wrote. Importing again changes nothing.

    Fields: id, name, email, phone, handle, requester, order, segment, plan, value, owner, purchases, left, renewed,
    won_back. A cell may list several, with `;` between them.

    Examples:

    `moodline customers import crm.csv --map id=account,email=mail,value=lifetime_value`

    `moodline customers import --sql "SELECT id, email, churned_on AS left FROM 'crm/*.parquet'"`
    """
    from pipeline import customer_import

    if (path is None) == (sql is None):
        raise typer.BadParameter("give a file of customers, or --sql")
    if path is not None and not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    chosen = customer_mapping(mapping or [])
    rows = customer_import.read(path, chosen) if path else customer_import.query(_statement(sql or ""), chosen)
    store_customers(home_of(context), rows, path.name if path else "--sql", as_json)


def _statement(sql: str) -> str:
    return Path(sql).read_text(encoding="utf-8") if sql.endswith(".sql") and Path(sql).is_file() else sql


def customer_mapping(items: list[str]) -> dict[str, str]:
    """Return field → column from ``id=account,email=mail``."""
    from pipeline.customer_import import FIELDS

    chosen = dict(part.split("=", 1) for item in items for part in item.split(",") if "=" in part)
    if unknown := sorted(set(chosen) - set(FIELDS)):
        raise typer.BadParameter(f"{unknown[0]!r} is no field of a customer; the fields are {', '.join(FIELDS)}")
    return chosen


def store_customers(home: Home, rows: "Iterator[Row]", name: str, as_json: bool) -> None:
    """Store rows of customers, and say how many were new or changed."""
    from pipeline.steps import import_customers

    with open_warehouse(home) as warehouse:
        changed = import_customers(rows, warehouse, load_settings(home).customer_key)
    say(f"{name}: {changed:,} rows of customers and their names are new or changed")
    if as_json:
        print_json({"changed": changed})


@customers_app.command("forget")
def customers_forget(
    context: typer.Context,
    name: First,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; it cannot be undone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase all that a customer goes by and every text of theirs, for good. Figures of a pseudonym remain.

    Example:

    `moodline customers forget ann@example.com --yes`
    """
    from pipeline import identity_matching
    from pipeline.steps import hide_erased

    if not yes:
        typer.confirm(f"Erase the names and texts of {name}? This cannot be undone.", abort=True, err=True)
    home = home_of(context)
    settings = load_settings(home)
    with open_warehouse(home) as warehouse:
        customer, erased = identity_matching.forget(warehouse, name, settings.customer_key)
        _replay(warehouse, home)
        hide_erased(home, warehouse)
        warehouse.rewrite()
    say(f"{customer} is forgotten: {erased:,} messages are erased, and every name of theirs")
    if as_json:
        print_json({"customer": customer, "erased": erased})


# --- Identities ------------------------------------------------------------------------------------------------------


@identities_app.callback()
def identities(
    context: typer.Context,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, help="How many of each kind.")] = 1000,
) -> None:
    """List who was merged from several profiles, what is suggested, and the log of decisions, the newest first.

    Example:

    `moodline identities --json`
    """
    if context.invoked_subcommand:
        return
    from pipeline import identity_matching

    with open_warehouse(home_of(context)) as warehouse:
        suggested = _suggested(warehouse, limit)
        merged = _merged(identity_matching.merged(warehouse, limit))
        log = identity_matching.log(warehouse)[: -limit - 1 : -1]
    if as_json:
        print_json({"merged": merged, "suggestions": suggested, "decisions": [_told(made) for made in log]})
        return
    show_table("Merged", [{**row, "profiles": [p["profile"] for p in row["profiles"]]} for row in merged])
    show_table("Suggestions (moodline identities accept FIRST SECOND, or reject)", suggested)
    show_table("Decisions (moodline identities undo DECISION)", [_told(made) | {"effects": ""} for made in log[:20]])


def _merged(rows: list[tuple[str, str, list[dict[str, str]]]]) -> list[dict[str, list[dict[str, object]]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for customer, profile, aliases in rows:
        found.setdefault(customer, []).append({"profile": profile, "aliases": aliases})
    return [{"customer": customer, "profiles": profiles} for customer, profiles in found.items()]  # type: ignore[dict-item]


def _suggested(warehouse: "Warehouse", limit: int) -> list[dict[str, object]]:
    from pipeline import identity_matching

    found = identity_matching.pending(warehouse)[:limit]
    names = warehouse.names(name for one in found for name in (one.first, one.second))
    return [
        {
            "first": one.first,
            "first_name": names.get(one.first),
            "second": one.second,
            "second_name": names.get(one.second),
            "weight": one.weight,
            "probability": one.probability,
            "agreeing": list(one.agreeing),
        }
        for one in found
    ]


def _told(made: "Decision") -> dict[str, object]:
    return {
        "decision": made.decision_id,
        "at": made.decided_at.isoformat(),
        "by": made.decided_by,
        "verb": made.verb,
        "undoes": made.undoes,
        "effects": [asdict(effect) for effect in made.effects],
    }


@identities_app.command("suggest")
def identities_suggest(
    context: typer.Context,
    least: Annotated[float, typer.Option(min=0.5, max=1, help="Least probability of being one person.")] = 0.95,
    as_json: AsJson = False,
) -> None:
    """Look for customers who are probably one person; `accept` or `reject` each. Nothing is merged by itself.

    Example:

    `moodline identities suggest --least 0.9`
    """
    from pipeline import identity_matching

    home = home_of(context)
    with open_warehouse(home) as warehouse:
        identity_matching.suggest(warehouse, least)
        _replay(warehouse, home)
        rows = _suggested(warehouse, 1000)
    if as_json:
        print_json(rows)
    else:
        show_table("Probably one person", rows)


@identities_app.command("accept")
def identities_accept(
    context: typer.Context, first: First, second: Second, by: By = "command line", as_json: AsJson = False
) -> None:
    """Follow a suggestion: the two are one customer.

    Example:

    `moodline identities accept c_1a2b3c4d5e6f c_6f5e4d3c2b1a --by kim`
    """
    _merge(context, first, second, by, as_json)


@identities_app.command("merge")
def identities_merge(
    context: typer.Context, first: First, second: Second, by: By = "command line", as_json: AsJson = False
) -> None:
    """Make one customer of two, suggested or not. `undo` takes it back.

    Example:

    `moodline identities merge ann@example.com @ann_k --by kim`
    """
    _merge(context, first, second, by, as_json)


def _merge(context: typer.Context, first: str, second: str, by: str, as_json: bool) -> None:
    from pipeline import identity_matching

    _decide(context, lambda warehouse: identity_matching.merge(warehouse, first, second, by), as_json)


@identities_app.command("reject")
def identities_reject(
    context: typer.Context, first: First, second: Second, by: By = "command line", as_json: AsJson = False
) -> None:
    """Say that two customers are two people; nothing suggests or joins them any more.

    Example:

    `moodline identities reject c_1a2b3c4d5e6f c_6f5e4d3c2b1a`
    """
    from pipeline import identity_matching

    _decide(context, lambda warehouse: identity_matching.reject(warehouse, first, second, by), as_json)


@identities_app.command("split")
def identities_split(
    context: typer.Context,
    customer: First,
    profile: Annotated[str | None, typer.Option(help="A profile that is somebody else.")] = None,
    message: Annotated[list[str] | None, typer.Option(help="A message that somebody else wrote.")] = None,
    thread: Annotated[list[str] | None, typer.Option(help="A thread of somebody else, its future too.")] = None,
    by: By = "command line",
    as_json: AsJson = False,
) -> None:
    """Make two customers of one: take a merged profile out, or give messages and threads to somebody new.

    Examples:

    `moodline identities split c_1a2b3c4d5e6f --profile c_6f5e4d3c2b1a`

    `moodline identities split family@example.com --thread T-17 --thread T-23`
    """
    from pipeline import identity_matching

    _decide(
        context,
        lambda warehouse: identity_matching.split(warehouse, customer, by, profile, message or (), thread or ()),
        as_json,
    )


@identities_app.command("undo")
def identities_undo(
    context: typer.Context,
    decision: Annotated[str, typer.Argument(help="Id of the decision: `moodline identities --json`.")],
    by: By = "command line",
    as_json: AsJson = False,
) -> None:
    """Take a decision back; whoever it touched is tracked again. An undo can be undone.

    Example:

    `moodline identities undo d_1a2b3c4d5e6f`
    """
    from pipeline import identity_matching

    _decide(context, lambda warehouse: identity_matching.undo(warehouse, decision, by), as_json)


def _decide(context: typer.Context, decide: "Callable[[Warehouse], Decision]", as_json: bool) -> None:
    home = home_of(context)
    with open_warehouse(home) as warehouse:
        made = decide(warehouse)
        tracked = _replay(warehouse, home)
    pairs = ", ".join(dict.fromkeys(f"{e.first} and {e.second}" for e in made.effects))
    say(f"{made.decision_id}: {made.verb} {pairs or made.undoes}; {tracked:,} customers tracked again")
    if as_json:
        print_json(_told(made) | {"tracked": tracked})


def _replay(warehouse: "Warehouse", home: Home) -> int:
    from pipeline.steps import replay_moods

    with Steps() as steps:
        tracked = replay_moods(warehouse, home, load_settings(home), steps("track"))
    warehouse.publish()
    return tracked
