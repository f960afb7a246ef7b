"""Who is probably one person: Splink's model of record linkage over names and addresses with typing errors. Pure.

Fellegi and Sunter, *A Theory for Record Linkage* (1969), as Splink computes it on DuckDB in memory: each comparison
adds the log2 of how much likelier its outcome is between records of one person (m) than of two (u).
https://moj-analytical-services.github.io/splink/topic_guides/theory/fellegi_sunter.html

m and u are stated here, not fitted, so that ten customers get the same judgement as a million. Whatever two people of
one household share, a first name that others bear too is nobody's typing error: it keeps them apart.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from pipeline.identity import name_parts, pair_of
from pipeline.identity_decisions import Person, Suggestion

_COLUMNS: Final = (
    "unique_id",
    "full_name",
    "given",
    "surname",
    "initial",
    "email",
    "mailbox",
    "letters",
    "phone",
    "handle",
)
_REAL: Final = 3
"""Other names with which a first name or surname must be seen to count as one, not as a typing error."""
_DIGITS: Final = 9
"""Last digits by which phone numbers are compared: without the prefix of country or trunk."""

_Level = tuple[str, float, float]
"""Condition, m, u; the first level whose condition holds counts. What is left of m and u belongs to "none of them"."""
_OTHER_NAME: Final = (
    "least(len(given_l), len(given_r)) > 1 AND given_l <> given_r"
    " AND ((real_given_l AND real_given_r)"
    " OR (jaro_winkler_similarity(given_l, given_r) < 0.75 AND damerau_levenshtein(given_l, given_r) > 1))"
)
_OTHER_SURNAME: Final = "given_l = given_r AND surname_l <> surname_r AND real_surname_l AND real_surname_r"
_NEAR_NAME: Final = (
    "jaro_winkler_similarity(full_name_l, full_name_r) >= 0.93 OR damerau_levenshtein(full_name_l, full_name_r) <= 1"
)
_NAME: Final[tuple[_Level, ...]] = (
    ("full_name_l = full_name_r", 0.72, 2e-4),
    (_OTHER_NAME, 1e-9, 0.5),
    (_OTHER_SURNAME, 0.005, 0.01),
    (_NEAR_NAME, 0.20, 2e-4),
    ("surname_l = surname_r AND initial_l = initial_r AND least(len(given_l), len(given_r)) = 1", 0.03, 1e-3),
    ("given_l = given_r", 0.02, 0.01),
)
# A mailbox is often made of the name: people of one name have it at several domains.
_EMAIL: Final[tuple[_Level, ...]] = (
    ("email_l = email_r", 0.35, 1e-4),
    ("letters_l = letters_r AND damerau_levenshtein(email_l, email_r) = 1", 0.05, 2e-4),
    ("letters_l = letters_r", 0.03, 1e-3),
    ("mailbox_l = mailbox_r", 0.15, 2e-3),
    ("damerau_levenshtein(email_l, email_r) <= 2", 0.30, 5e-5),
)
_PHONE: Final[tuple[_Level, ...]] = (
    ("phone_l = phone_r", 0.40, 1e-4),
    ("damerau_levenshtein(phone_l, phone_r) = 1", 0.25, 1e-5),
)
_HANDLE: Final[tuple[_Level, ...]] = (
    ("handle_l = handle_r", 0.60, 1e-4),
    ("damerau_levenshtein(handle_l, handle_r) = 1", 0.15, 2e-4),
)
_LEVELS: Final = {"name": _NAME, "email": _EMAIL, "phone": _PHONE, "handle": _HANDLE}
_BLOCKS: Final = (
    ("email",),
    ("mailbox",),
    ("phone",),
    ("handle",),
    ("full_name",),
    ("surname", "initial"),
    ("given", "substr(mailbox, 1, 3)"),
    ("given", "substr(phone, -4)"),
    ("initial", "substr(phone, 1, 5)"),
)
"""Only pairs that are equal in one of these are compared: all others would be millions."""


def suggestions(people: Sequence[Person], least: float = 0.9) -> list[Suggestion]:
    """Return pairs of customers who are one person with at least this probability, the surest first.

    The same people give the same suggestions, whatever their order.
    """
    table = _table(people)
    if table.num_rows < 2:
        return []
    found: dict[tuple[str, str], Suggestion] = {}
    for row in _predicted(table, least):
        first, second = (str(row[f"unique_id_{side}"]).partition("#")[0] for side in "lr")
        pair = pair_of(first, second)
        if first != second and (pair not in found or row["match_weight"] > found[pair].weight):
            agreeing = tuple(kind for kind in _LEVELS if row[f"gamma_{kind}"] > 0)
            found[pair] = Suggestion(*pair, round(row["match_weight"], 3), row["match_probability"], agreeing)
    return sorted(found.values(), key=lambda one: (-one.weight, one.first, one.second))


def _predicted(table: pa.Table, least: float) -> list[dict[str, Any]]:
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        engine = DuckDBAPI(connection)
        linker = Linker(engine.register(table), _settings(table.num_rows), log_level=logging.ERROR)
        found: list[dict[str, Any]] = linker.inference.predict(threshold_match_probability=least).as_record_list()
    return found


def _settings(records: int) -> Any:  # noqa: ANN401 - Splink's own
    from splink import SettingsCreator, block_on

    return SettingsCreator(
        link_type="dedupe_only",
        probability_two_random_records_match=min(0.5, 1 / records),
        comparisons=[_comparison(kind) for kind in _LEVELS],
        blocking_rules_to_generate_predictions=[block_on(*columns) for columns in _BLOCKS],
    )


def _comparison(kind: str) -> Any:  # noqa: ANN401 - Splink's own
    from splink import comparison_level_library as levels
    from splink import comparison_library

    stated = _LEVELS[kind]
    m, u = 1 - sum(m for _, m, _ in stated), 1 - sum(u for *_, u in stated)
    made = [levels.CustomLevel(sql).configure(m_probability=m, u_probability=u) for sql, m, u in stated]
    column = "full_name" if kind == "name" else kind
    null = levels.CustomLevel(f"{column}_l IS NULL OR {column}_r IS NULL").configure(is_null_level=True)
    rest = levels.ElseLevel().configure(m_probability=m, u_probability=u)
    return comparison_library.CustomComparison([null, *made, rest], kind)


# --- Records ---------------------------------------------------------------------------------------------------------


def _table(people: Iterable[Person]) -> pa.Table:
    rows = [row for person in sorted(people, key=lambda one: one.customer_id) for row in _rows(person)]
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in _COLUMNS})
    for part, other in (("given", "surname"), ("surname", "given")):
        real = _real_names(rows, part, other)
        table = table.append_column(f"real_{part}", pa.array([row.get(part) in real for row in rows], pa.bool_()))
    return table


def _rows(person: Person) -> Iterator[dict[str, str]]:
    """Yield a record for each name or address, so that the second e-mail is compared, too."""
    lists = {"name": person.names, "email": person.emails, "phone": person.phones, "handle": person.handles}
    for number in range(max(map(len, lists.values()), default=0)):
        chosen = {kind: values[number % len(values)] for kind, values in lists.items() if values}
        yield {"unique_id": f"{person.customer_id}#{number}", **_fields(chosen)}


def _fields(chosen: dict[str, str]) -> dict[str, str]:
    fields = {"handle": chosen["handle"]} if "handle" in chosen else {}
    if "phone" in chosen:
        fields["phone"] = chosen["phone"].removeprefix("+")[-_DIGITS:]
    if "email" in chosen:
        mailbox, _, domain = chosen["email"].partition("@")
        letters = "".join(letter for letter in mailbox if not letter.isdigit())
        fields |= {"email": chosen["email"], "mailbox": mailbox, "letters": f"{letters}@{domain}"}
    words = [word for word in chosen.get("name", "").split() if name_parts(word)]
    parts = ["".join(sorted(name_parts(word), key=word.casefold().find)) for word in words]
    if len(parts) > 1:
        fields |= {"full_name": f"{parts[0]} {parts[-1]}", "given": parts[0], "surname": parts[-1]}
        fields["initial"] = parts[0][0]
    return fields


def _real_names(rows: Iterable[dict[str, str]], part: str, other: str) -> set[str]:
    borne = {(row[part], row[other]) for row in rows if part in row}
    return {name for name, count in Counter(name for name, _ in borne).items() if count >= _REAL}
