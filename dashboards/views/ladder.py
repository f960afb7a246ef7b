"""How many customers stand on each step, how that moved, and what sours them."""

from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import charts, pieces, queries, words
from dashboards.queries import Row
from dashboards.views import frame
from dashboards.views.frame import Pages
from models.labels import DISSERVICES
from pipeline.records import STATES

PERIODS = {"30 days": 30, "90 days": 90, "6 months": 180, "All": 400}
"""Days of the river by how they are called; the name is what the address holds."""


def view(snapshot: Path, pages: Pages) -> None:
    """Draw the ladder page."""
    figures = queries.key_figures(snapshot)
    if figures["as_of"] is None:
        frame.heading("The ladder", "How many customers stand on each step, and how that moves.")
        frame.nobody_yet(snapshot)
    else:
        wide = charts.full_grid(queries.stage_days(snapshot, 400))
        now, before = _counts(wide, 0) or dict.fromkeys(STATES, 0), _counts(wide, 30)
        frame.heading("The ladder", _summary(figures, sum(now.values())))
        st.html(pieces.step_tiles(now, before))
        _key_figures(figures, now, before)
        _movement(snapshot, pages)
        _souring(snapshot)
    _sources(snapshot)


def _summary(figures: Row, standing: int) -> str:
    said = f"Where {words.counted(standing, 'customer')} stand, {frame.as_of(figures['as_of'])}"
    silent = figures["customers"] - standing
    return f"{said}; {silent:,} more belong to sources that ended earlier" if silent > 0 else said


def _movement(snapshot: Path, pages: Pages) -> None:
    st.page_link(
        pages["sliding"], label="Who slides now, those most worth a call first", icon=":material/arrow_forward:"
    )
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.subheader("How they moved", anchor=False)
        period = st.segmented_control(
            "Period",
            list(PERIODS),
            default="90 days",
            required=True,
            key="period",
            bind="query-params",
            label_visibility="collapsed",
        )
    st.altair_chart(
        charts.river(queries.stage_days(snapshot, PERIODS[period or "90 days"])),
        alt="Customers on each step by day, stacked about the middle, delighted on top and gone at the bottom",
    )


def _counts(wide: pd.DataFrame, days_ago: int) -> dict[str, int] | None:
    """Return how many stood on each step so many days before the last day; None before the history begins."""
    if len(wide) <= days_ago:
        return None
    row = wide.iloc[-1 - days_ago]
    return {state: int(row[state]) for state in STATES}


def _key_figures(figures: Row, now: dict[str, int], before: dict[str, int] | None) -> None:
    cells = st.columns(5)
    followed = words.counted(figures["customers"], "customer")
    _figure(cells[0], "Followed", f"{figures['followed']:,}", f"of {followed}", "Customers who have not left.")
    _change(
        cells[1],
        "Soured or gone",
        _soured(now),
        _soured(before) if before else None,
        "Annoyed, furious or gone: whoever sours and leaves does not make this figure look better.",
    )
    said = f"Lost {-queries.SLIDE:g} of a step or more in 30 days."
    _figure(cells[2], "Sliding", f"{figures['sliding']:,}", f"of {figures['followed']:,} followed", said)
    leavers = f"{figures['leavers_30d']:.1f} leave in 30 days"
    said = (
        "Value times the part of the 90-day risk that can still be avoided; below it, how many are expected to leave."
    )
    _figure(cells[3], "Value at risk", words.amount(figures["value_at_risk"]), leavers, said)
    alerts_before = figures["open_alerts_before"] if before else None
    _change(cells[4], "Open alerts", figures["open_alerts"], alerts_before, "Episodes that have not cleared.")


def _soured(counts: dict[str, int]) -> int:
    return counts["annoyed"] + counts["furious"] + counts["gone"]


def _figure(cell: DeltaGenerator, name: str, value: str, note: str, said: str) -> None:
    cell.metric(name, value, delta=note, delta_color="off", delta_arrow="off", border=True, help=said, height="stretch")


def _change(cell: DeltaGenerator, name: str, now: int, before: int | None, said: str) -> None:
    """Draw a figure of which more is worse, with its change over 30 days."""
    if before is None:
        _figure(cell, name, f"{now:,}", "no older data", said)
    else:
        cell.metric(
            name,
            f"{now:,}",
            delta=now - before,
            delta_color="inverse",
            delta_description="in 30 days",
            border=True,
            help=said,
            height="stretch",
        )


def _souring(snapshot: Path) -> None:
    weeks = queries.souring_weeks(snapshot)
    named = weeks[weeks["item"].isin(DISSERVICES)]
    frame.section(
        "What sours them",
        "Steps down the ladder booked on each dis-service over the last 12 weeks: in all, and week by week.",
    )
    if named.empty:
        st.info("No dis-service has cost any mood in the last 12 weeks.", icon=":material/sunny:")
        return
    height = 40 + 30 * named["item"].nunique()
    totals, by_week = st.columns([5, 6], gap="medium")
    totals.altair_chart(charts.souring(named, height), alt="Steps lost by dis-service")
    by_week.altair_chart(charts.souring_by_week(named, height), alt="Steps lost by dis-service and week")
    unnamed = -weeks.loc[~weeks["item"].isin(DISSERVICES), "effect"].sum()
    if unnamed >= 0.05:
        st.html(
            pieces.block(
                f"{unnamed:.1f} more steps went in messages that sound unhappy and name no cause.", "muted small"
            )
        )


def _sources(snapshot: Path) -> None:
    rows = queries.source_counts(snapshot)
    frame.section("What came in", "Sources that name no customer are read and counted, and tracked for nobody.")
    if rows:
        st.html(pieces.sources(rows))
    else:
        st.info("No source has brought anything yet: `moodline import …`, then `moodline run`.")
