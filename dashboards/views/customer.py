"""One customer: their line through time, what they wrote, what it cost, and what to do."""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st

from dashboards import advice, charts, pieces, queries, words
from dashboards.queries import Row
from dashboards.views import frame
from dashboards.views.frame import Pages

LEAST_COST = 0.05
"""Levels below which an item is not worth a line in the ledger."""


def view(snapshot: Path, pages: Pages) -> None:
    """Draw the customer that ``?customer=…`` names, or a way to find one."""
    chosen = st.query_params.get("customer")
    wanted = st.text_input(
        "Find a customer",
        type="search",
        placeholder="Find a customer by name, handle or e-mail",
        label_visibility="collapsed",
        width=420,
        key="find",
        live=True,
    )
    if wanted:
        _found(snapshot, wanted, pages)
    if chosen is None:
        if not wanted:
            _nobody_chosen(snapshot, pages)
        return
    person = queries.customer(snapshot, chosen)
    if person is None:
        _unknown(chosen, pages)
    else:
        _person(snapshot, person)


def _found(snapshot: Path, wanted: str, pages: Pages) -> None:
    rows = queries.find_customers(snapshot, wanted)
    if not rows:
        st.info(f"Nobody is called “{frame.plain(wanted)}”. Try a part of the name, the handle or the e-mail.")
        return
    _links(rows, pages)


def _links(rows: Iterable[Row], pages: Pages) -> None:
    with st.container(border=True, gap="xsmall", width=560):
        for row in rows:
            with st.container(horizontal=True, vertical_alignment="center"):
                frame.customer_link(pages, row)
                st.html(pieces.block(pieces.chip(row["stage"])), width="content")


def _nobody_chosen(snapshot: Path, pages: Pages) -> None:
    frame.heading("Customer", "Search above, or open one of those most worth a call.")
    rows = queries.sliding_customers(snapshot, queries.Filters("everyone"), limit=8)
    if rows:
        _links(rows, pages)
    else:
        frame.nobody_yet(snapshot)


def _unknown(customer_id: str, pages: Pages) -> None:
    frame.heading("Customer not found", f"The newest snapshot knows nobody with the id “{customer_id}”.")
    st.markdown(
        "The link may come from another home, or the customer was forgotten. Search by name above, or start here:"
    )
    st.page_link(pages["sliding"], label="Who slides now", icon=":material/trending_down:")


def _person(snapshot: Path, person: Row) -> None:
    with st.container(gap="xxsmall"):
        st.title(frame.plain(person["name"] or person["customer_id"]), anchor=False)
        st.html(
            pieces.block(f'{pieces.chip(person["stage"])} &nbsp;<span class="muted">{pieces.text(_who(person))}</span>')
        )
    messages = queries.customer_messages(snapshot, person["customer_id"])
    if person["stage"] is None:
        st.info("Their messages are stored but not read yet: `moodline run` reads and tracks them.")
    else:
        _standing(snapshot, person)
    talk, beside = st.columns([7, 4], gap="large")
    with talk:
        _thread(snapshot, person, messages)
    if person["stage"] is not None:
        with beside:
            _beside(snapshot, person)


def _who(person: Row) -> str:
    plan = None if person["plan"] in (None, "none") else person["plan"]
    parts = [person["segment"], plan, f"worth {words.amount(person['value'])} over a lifetime"]
    return " · ".join(part for part in parts if part)


def _standing(snapshot: Path, person: Row) -> None:
    lines: list[str] = []
    for alert in queries.open_alerts_of(snapshot, [person["customer_id"]]).get(person["customer_id"], []):
        kind = words.alert_kind(alert["kind"])
        body = f"{pieces.tag(kind, 'alert')} {pieces.text(pieces.headline(alert, person['name']))}"
        lines.append(f'{body} <span class="muted small">since {words.day(alert["opened_at"])}</span>')
    if lines:
        st.html(pieces.block("<br>".join(lines)))
    st.html(pieces.facts(_figures(person)))
    points = queries.customer_line(snapshot, person["customer_id"])
    if points.empty:
        return
    chart = charts.customer_line(points, person)
    st.altair_chart(chart, alt=f"Mood of {person['name']} over time, now {person['stage']}")
    st.html(pieces.block(_legend(), "muted small"))


def _figures(person: Row) -> list[tuple[str, str]]:
    return [
        ("30-day slope", f"{words.steps(person['slope_30d'])} steps"),
        ("Leaves in 30 days", words.percent(person["risk_30d"])),
        ("Leaves in 90 days", words.percent(person["risk_90d"])),
        ("Time left", words.days_left(person["days_left"])),
        ("Value at risk", words.amount(person["value_at_risk"])),
        ("Last heard", words.days_before(person["last_message_at"], person["as_of"])),
    ]


def _legend() -> str:
    return (
        "Line: expected step, with one standard deviation each way. Points: what each message said "
        "(◆ review, ▲ tweet, ● transcript), in the colour of its mood; 4★ is a rating."
    )


def _beside(snapshot: Path, person: Row) -> None:
    costs = queries.customer_costs(snapshot, person["customer_id"])
    frame.section("Why at risk")
    st.html(pieces.bullets(person["reasons"] or ["Nothing points to trouble."]))
    frame.section("What to do")
    st.html(pieces.bullets(_advice(person, costs), ordered=True))
    frame.section("Where they stand", frame.as_of(person["as_of"]))
    st.html(pieces.mix(person["mood"]))
    frame.section("What it cost", "Steps booked on what the messages name, over the whole history.")
    told = [row for row in costs if abs(row["effect"]) >= LEAST_COST]
    if told:
        st.html(pieces.ledger(told))
    else:
        st.caption("Nothing to speak of yet.")


def _advice(person: Row, costs: list[Row]) -> list[str]:
    silent = (person["as_of"] - person["last_message_at"]).total_seconds() / 86400
    standing = advice.Standing(person["stage"], person["slope_30d"], person["risk_30d"], person["days_left"], silent)
    return advice.advise(standing, _recent(costs))


def _recent(costs: list[Row]) -> list[tuple[str, float]]:
    """Return what cost mood in the last 30 days; of all time when nothing did."""
    recent = [(row["item"], row["effect_30d"]) for row in costs if row["effect_30d"] < 0]
    return recent or [(row["item"], row["effect"]) for row in costs]


def _thread(snapshot: Path, person: Row, messages: list[Row]) -> None:
    said = "Newest contact first; each message with what it was read as and what it did to the mood."
    if len(messages) >= queries.CONTACT_LIMIT:
        said = f"The newest {queries.CONTACT_LIMIT} messages. {said}"
    frame.section("What they wrote", said)
    costs = queries.message_costs(snapshot, person["customer_id"])
    st.html("".join(pieces.contact(turns, costs) for turns in reversed(contacts(messages))))


def contacts(messages: list[Row]) -> list[list[Row]]:
    """Group a conversation into contacts, oldest first: a thread, or a lone message."""
    threads: dict[str, list[Row]] = {}
    for message in messages:
        threads.setdefault(message["thread_id"] or message["message_id"], []).append(message)
    return sorted(threads.values(), key=lambda turns: turns[0]["sent_at"])
