"""Who slides now, those most worth a call first."""

from pathlib import Path

import streamlit as st

from dashboards import charts, pieces, queries, words
from dashboards.queries import Filters, Row
from dashboards.views import frame
from dashboards.views.frame import Pages
from pipeline.records import STATES

SHOW = {"Sliding": "sliding", "With an open alert": "alerted", "Everyone": "everyone"}
"""Choices by how they are called; the name is what the address holds."""
PAGE_SIZE = 20
SPARK_DAYS = 90
_COLUMNS = (2.4, 11)


def view(snapshot: Path, pages: Pages) -> None:
    """Draw the ranking; its filters live in the address."""
    figures = queries.key_figures(snapshot)
    frame.heading("Sliding now", "Most worth a call first: the value that can still be kept decides the order.")
    if figures["as_of"] is None:
        frame.nobody_yet(snapshot)
        return
    filters = _filters(snapshot)
    first = queries.sliding_customers(snapshot, filters, PAGE_SIZE)
    if not first:
        _nobody(filters)
        return
    st.html(
        pieces.block(f"{words.counted(first[0]['total'], 'customer')}, {frame.as_of(figures['as_of'])}", "muted small")
    )
    ranking = st.container()
    page = _page(first[0]["total"])
    rows = queries.sliding_customers(snapshot, filters, PAGE_SIZE, PAGE_SIZE * (page - 1)) if page > 1 else first
    with ranking:
        _ranking(snapshot, rows, pages)


def _filters(snapshot: Path) -> Filters:
    known = queries.segments(snapshot)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        show = st.segmented_control(
            "Show",
            list(SHOW),
            default="Sliding",
            required=True,
            key="show",
            bind="query-params",
            on_change=_first_page,
        )
        stages = st.pills(
            "Standing at", list(STATES), selection_mode="multi", key="step", bind="query-params", on_change=_first_page
        )
        segment = None
        if known:
            segment = st.selectbox(
                "Segment",
                known,
                index=None,
                placeholder="All segments",
                key="segment",
                bind="query-params",
                on_change=_first_page,
                width=220,
            )
    return Filters(SHOW[show or "Sliding"], tuple(stages or ()), segment)


def _first_page() -> None:
    st.session_state["page"] = 1


def _nobody(filters: Filters) -> None:
    if filters == Filters():
        st.success("Nobody is sliding. Choose **Everyone** to see all customers.", icon=":material/sunny:")
    else:
        st.info("No customer matches these filters. Choose **Everyone**, or clear the steps and the segment.")


def _page(total: int) -> int:
    """Draw the page numbers under the ranking when there is more than one, and return the chosen one."""
    number = -(-total // PAGE_SIZE)
    return st.pagination(number, key="page", bind="query-params") if number > 1 else 1


def _ranking(snapshot: Path, rows: list[Row], pages: Pages) -> None:
    ids = [row["customer_id"] for row in rows]
    levels = queries.recent_levels(snapshot, ids, SPARK_DAYS)
    alerts = queries.open_alerts_of(snapshot, ids)
    with st.container(gap="xxsmall"):
        who, head = st.columns(_COLUMNS, vertical_alignment="center")
        who.html(pieces.block("Customer", "ml-head ml-under"))
        head.html(pieces.ranking_head())
        for place, row in enumerate(rows):
            spark = _spark(row, levels.get(row["customer_id"], []))
            _row(place, row, pieces.ranking_row(row, spark, alerts.get(row["customer_id"], [])), pages)


def _row(place: int, row: Row, figures: str, pages: Pages) -> None:
    with st.container(key=f"ml-row-{place}"):
        who, rest = st.columns(_COLUMNS, vertical_alignment="center")
        with who.container(gap=None):
            frame.customer_link(pages, row, wide=True)
            if row["segment"]:
                st.html(pieces.block(f'<span class="small">{pieces.text(row["segment"])}</span>', "muted ml-under"))
        rest.html(figures)


def _spark(row: Row, levels: list[Row]) -> str:
    now = {"at": row["as_of"], "level": row["level"]}
    return charts.sparkline([*levels, now], row["stage"], SPARK_DAYS)
