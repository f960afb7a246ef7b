"""What a company's own records say of its customers: a CSV, a Parquet file or any SQL that DuckDB reads.

A row is a customer; a customer may come in several rows, a purchase each say. Cells of names, addresses and numbers may
hold several, as a list or with ``;`` between them.
"""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import duckdb

from pipeline.errors import SourceError
from pipeline.identity import AliasKind, customer_id_for, normalise
from pipeline.records import Customer, CustomerAlias, Outcome, Purchase

FIELDS: Final = {
    "id": "the company's own id of the customer",
    "name": "the person's name",
    "email": "e-mail addresses",
    "phone": "phone numbers",
    "handle": "names on social media, such as @ann",
    "requester": "ids in a support desk, as SOURCE:ID, such as desk:4711",
    "order": "order numbers",
    "segment": "what kind of customer",
    "plan": "what they subscribe to",
    "value": "what they are worth over a lifetime",
    "owner": "who in the company looks after them",
    "purchases": "when they bought, or a list of {time, product, amount, order}; a negative amount is a refund",
    "left": "when they left",
    "renewed": "when they renewed",
    "won_back": "when they came back",
}
"""Every field that a column can be mapped to, with what it means."""

_ALIASES: Final[tuple[AliasKind, ...]] = ("id", "email", "phone", "handle", "requester", "order", "name")
_NAMING: Final = _ALIASES[:4]
"""What a customer can be known by where the records give no id."""
_OUTCOMES: Final[tuple[Literal["left", "renewed", "won_back"], ...]] = ("left", "renewed", "won_back")
_SECRET: Final = re.compile(r"(?i)(password|secret|token|key)\s*[=:]\s*\S+|(?<=://)[^@\s/]+@")

Row = Mapping[str, Any]


def read(path: Path, mapping: Mapping[str, str]) -> Iterator[Row]:
    """Yield field → value of the rows of a CSV (UTF-8, one line of column names) or Parquet file.

    Raises:
        SourceError: it cannot be read, is empty, or lacks a column that ``mapping`` (field → column) names.
    """
    is_parquet = path.suffix.casefold() in {".parquet", ".pq"}
    found = _query("FROM read_parquet($path)", {"path": str(path)}, str(path)) if is_parquet else _csv(path)
    return _mapped(found, mapping, str(path))


def query(sql: str, mapping: Mapping[str, str]) -> Iterator[Row]:
    """Yield field → value of the rows of one SELECT that DuckDB runs, over files or attached databases.

    Raises:
        SourceError: DuckDB refuses it, it gives no rows, or lacks a column that ``mapping`` names. Secrets that the
            statement holds are not repeated.
    """
    return _mapped(_query(sql, {}, "--sql"), mapping, "--sql")


def _csv(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [{name: value for name, value in row.items() if name is not None} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read as a CSV of customers ({error})") from error


def _query(sql: str, values: Mapping[str, object], name: str) -> Iterator[dict[str, Any]]:
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        try:
            result = connection.execute(sql, dict(values) or None)
            columns = [column[0] for column in result.description or ()]
            while rows := result.fetchmany(10_000):
                yield from (dict(zip(columns, row, strict=True)) for row in rows)
        except duckdb.Error as error:
            reason = _SECRET.sub("<SECRET>", str(error).split("\n")[0])
            raise SourceError(f"{name}: DuckDB cannot read customers from it ({reason})") from None


def _mapped(rows: Iterable[dict[str, Any]], mapping: Mapping[str, str], name: str) -> Iterator[Row]:
    columns: dict[str, str] = {}
    for row in rows:
        columns = columns or _columns(list(row), mapping, name)
        yield {field_name: row[column] for field_name, column in columns.items()}
    if not columns:
        raise SourceError(f"{name}: holds no customers; a line of column names and a line a customer are expected")


def _columns(found: Sequence[str], mapping: Mapping[str, str], name: str) -> dict[str, str]:
    if missing := sorted(column for column in mapping.values() if column not in found):
        listed = ", ".join(filter(None, found))
        raise SourceError(f"{name}: no column {missing[0]!r}; the columns found are {listed}")
    usual = {word: word if word in found else f"{word}s" for word in FIELDS}
    return {word: column for word, column in {**usual, **mapping}.items() if column in found}


# --- Rows to records -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CustomerRecords:
    """What rows say, ready to be stored."""

    customers: list[Customer] = field(default_factory=list)
    aliases: list[CustomerAlias] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def records(rows: Iterable[Row], key: str) -> CustomerRecords:
    """Return what rows say of customers, each known by a pseudonym made with ``key``.

    Raises:
        SourceError: a row has nothing to know the customer by, or a number or time that is none; names its line.
    """
    found = CustomerRecords()
    for number, row in enumerate(rows, 2):
        customer_id = _customer_id(number, row, key)
        worth = _number(number, "value", row.get("value"))
        segment, plan, owner = (_text(row.get(name)) for name in ("segment", "plan", "owner"))
        found.customers.append(Customer(customer_id, segment, plan, worth, owner))
        purchases = list(_purchases(number, customer_id, row.get("purchases")))
        found.purchases.extend(purchase for purchase, _ in purchases)
        orders = [CustomerAlias(customer_id, *normalise(order, "order")) for _, order in purchases if order]
        found.aliases.extend([*_aliases(customer_id, row), *orders])
        found.outcomes.extend(_outcomes(number, customer_id, row))
    return found


def _customer_id(number: int, row: Row, key: str) -> str:
    for kind in _NAMING:
        for word in _words(row.get(kind))[:1]:
            return customer_id_for(*normalise(word, kind), key)
    raise SourceError(f"customers line {number}: no id, e-mail, phone or handle; say --map id=COLUMN or email=COLUMN")


def _aliases(customer_id: str, row: Row) -> Iterator[CustomerAlias]:
    for kind in _ALIASES:
        for word in _words(row.get(kind)) if kind != "id" else [_text(row.get(kind)) or ""]:
            if normal := normalise(word, kind)[1]:
                yield CustomerAlias(customer_id, kind, normal)


def _purchases(number: int, customer_id: str, cell: object) -> Iterator[tuple[Purchase, str | None]]:
    """Yield the purchases in a cell, each with its order number."""
    for item in _items(cell):
        known = item if isinstance(item, Mapping) else {"time": item}
        bought_at = _moment(number, "purchases", known.get("time"))
        amount, product = _number(number, "amount", known.get("amount")), _text(known.get("product"))
        order = _text(known.get("order"))
        known_by = order or f"{bought_at.isoformat()} {product} {amount}"
        if order and amount is not None and amount < 0:  # a refund is no other state of the purchase that it undoes
            known_by = f"refund {order} {bought_at.isoformat()}"
        parts = (customer_id, known_by)
        digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
        yield Purchase(f"b_{digest}", customer_id, bought_at, product, amount), order


def _outcomes(number: int, customer_id: str, row: Row) -> Iterator[Outcome]:
    for kind in _OUTCOMES:
        for item in _items(row.get(kind)):
            yield Outcome(customer_id, kind, _moment(number, kind, item))


def _text(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def _words(cell: object) -> list[str]:
    return [word for item in _items(cell, json_too=False) if (word := _text(item))]


def _items(cell: object, json_too: bool = True) -> Sequence[Any]:
    """Return what a cell lists: a list as it is, text split at ``;`` or ``|``, JSON where it looks like that."""
    if cell is None or isinstance(cell, list | tuple):
        return cell or ()
    if not isinstance(cell, str):
        return (cell,)
    if json_too and cell.lstrip().startswith(("[", "{")):
        found = _json(cell)
        return found if isinstance(found, list) else (found,)
    return [part.strip() for part in re.split(r"[;|\n]", cell) if part.strip()]


def _json(cell: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _number(number: int, name: str, value: object) -> float | None:
    text = _text(value)
    try:
        return float(text.replace(",", "")) if text else None
    except ValueError as error:
        raise SourceError(f"customers line {number}: {name} {text!r} is not a number") from error


def _moment(number: int, name: str, value: object) -> datetime:
    parse: Callable[[str], datetime] = datetime.fromisoformat
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    try:
        found = value if isinstance(value, datetime) else parse(str(value))
    except ValueError as error:
        raise SourceError(
            f"customers line {number}: {name} {str(value)[:40]!r} is no ISO date or time; write it like 2026-05-01"
        ) from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
