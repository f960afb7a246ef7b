"""Alerts: what is open, the most urgent first, and what has cleared."""

from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from dashboards import pieces, queries, words
from dashboards.queries import Row
from dashboards.views import frame
from dashboards.views.frame import Pages

LIMIT = 50


def view(snapshot: Path, pages: Pages) -> None:
    """Draw open or cleared alerts; which of them lives in the address."""
    counts = queries.alert_counts(snapshot)
    frame.heading("Alerts", "One episode a customer and kind; it stays open until it clears.")
    with st.container(horizontal=True, vertical_alignment="center"):
        state = st.segmented_control(
            "State",
            ["Open", "Cleared"],
            default="Open",
            required=True,
            key="state",
            bind="query-params",
            label_visibility="collapsed",
        )
        st.html(pieces.block(f"{counts['open']:,} open, {counts['cleared']:,} cleared", "muted small"))
    rows = queries.alerts(snapshot, open_ones=state != "Cleared", limit=LIMIT)
    if not rows:
        _none(state or "Open")
        return
    quotes = queries.quoted_messages(snapshot, rows)
    for row in rows:
        _alert(row, quotes, pages)
    if len(rows) == LIMIT:
        st.caption(f"The first {LIMIT}; `moodline alerts` lists them all.")


def _none(state: str) -> None:
    if state == "Cleared":
        st.info("No alert has cleared yet.")
    else:
        st.success("No alert is open. New ones appear here after the next `moodline run`.", icon=":material/sunny:")


def _alert(row: Row, quotes: Mapping[str, Row], pages: Pages) -> None:
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            kind = words.alert_kind(row["kind"])
            st.html(pieces.block(pieces.tag(kind, "alert" if row["cleared_at"] is None else "")), width="content")
            frame.customer_link(pages, row)
            st.html(pieces.block(f"{pieces.chip(row['stage'])} {_stakes(row)}"), width="content")
        told = [message for name in row["message_ids"][-3:] if (message := quotes.get(name))]
        st.html(pieces.alert(row, told))


def _stakes(row: Row) -> str:
    opened = f"opened {words.day(row['opened_at'])}"
    cleared = f", cleared {words.day(row['cleared_at'])}" if row["cleared_at"] else ""
    stake = f" · {words.amount(row['value_at_risk'])} at risk" if row["value_at_risk"] is not None else ""
    return f'<span class="muted small">{opened}{cleared}{stake}</span>'
