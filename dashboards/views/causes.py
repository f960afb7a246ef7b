"""What sours customers and what lifts them: the ledger's totals, the lift of contacts, the gap between departments."""

from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboards import queries, words
from dashboards.views import frame
from dashboards.views.frame import Pages

LEDGER: Final = {
    "Dis-service": "item",
    "Product": "product",
    "Department": "team",
    "Agent": "agent",
    "Channel": "channel",
    "Week": "week",
}
"""What the ledger is told by; the name is what the address holds."""
CONTACTS: Final = {"Department": "team", "Agent": "agent", "Channel": "channel", "Source": "source"}
SIDES: Final = {"Department": "team", "Channel": "channel", "Source": "source"}


def view(snapshot: Path, pages: Pages) -> None:
    """Draw the three reports, each with its own choice of groups, which lives in the address."""
    figures = queries.key_figures(snapshot)
    frame.heading("Causes", "What sours customers, which contacts lift them, and where one department undoes another.")
    if figures["as_of"] is None:
        frame.nobody_yet(snapshot)
        return
    _ledger(snapshot)
    _lift(snapshot)
    _gap(snapshot)


def _ledger(snapshot: Path) -> None:
    frame.section(
        "The ledger",
        "Levels lost and given, with 90 % intervals over customers; what stands of them today, which fades, unless a "
        "harm left alone goes on to cost; and the value at risk that falls on each cause.",
    )
    by = _choice("By", LEDGER, "ledger")
    rows = [
        {
            "Cause": words.item(total.name) if by == "item" else total.name,
            "Messages": total.messages,
            "Customers": total.customers,
            "Levels": total.effect,
            "from": total.low,
            "to": total.high,
            "Stands today": total.standing,
            "At risk": total.at_risk,
        }
        for total in queries.ledger_totals(snapshot, by)
    ]
    _table(rows, "Nothing is booked by this.")


def _lift(snapshot: Path) -> None:
    frame.section(
        "The lift of contacts",
        "Mood at the end of a contact against the end of the one before; few contacts are drawn towards all, and fewer "
        "than five are not ranked.",
    )
    rows = [
        {
            "Rank": lift.rank,
            "Who": lift.name,
            "Contacts": lift.contacts,
            "Compared": lift.compared,
            "Lift": lift.lift,
            "from": lift.low,
            "to": lift.high,
            "Within the contact": lift.during,
        }
        for lift in queries.lifts(snapshot, _choice("By", CONTACTS, "lift"))
    ]
    _table(rows, "No conversation names who answered: map the columns of agent and department, then run again.")


def _gap(snapshot: Path) -> None:
    frame.section(
        "The hand-over gap", "The same customers with one side and with the other; above 0 the first is better."
    )
    rows = [
        {
            "With": gap.one,
            "and with": gap.other,
            "Customers": gap.customers,
            "Gap": gap.gap,
            "from": gap.low,
            "to": gap.high,
            "Clear": gap.clear,
        }
        for gap in queries.gaps(snapshot, _choice("Between", SIDES, "gap"))
    ]
    _table(rows, "No customer met two of them.")


def _choice(label: str, choices: dict[str, str], key: str) -> str:
    first = next(iter(choices))
    chosen = st.segmented_control(
        label, list(choices), default=first, required=True, key=key, bind="query-params", label_visibility="collapsed"
    )
    return choices[chosen or first]


def _table(rows: list[dict[str, Any]], nothing: str) -> None:
    if not rows:
        st.info(nothing)
        return
    table = pd.DataFrame(rows)
    figures = {
        name: st.column_config.NumberColumn(format="%.0f" if name == "At risk" else "%.2f")
        for name in table.select_dtypes("float").columns.drop("Rank", errors="ignore")
    }
    st.dataframe(table, hide_index=True, column_config=figures)
