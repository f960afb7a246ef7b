"""Small fragments of HTML. Everything that comes from outside goes through ``text`` and can never become markup."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from dashboards import charts, words
from models.labels import PLACEHOLDERS
from pipeline.records import STATES

Row = Mapping[str, Any]

_ON_COLOUR: Final = {"delighted": "#fff", "furious": "#fff", "gone": "#fff"}
_MASK: Final = re.compile("|".join(re.escape(escape(placeholder)) for placeholder in PLACEHOLDERS))


def text(words_of_others: object) -> str:
    """Return any value as text that is safe between tags and in quoted attributes."""
    return escape(str(words_of_others), quote=True)


def message_text(body: str) -> str:
    """Return a stored message as safe HTML with what redaction left shown as small marks."""
    return _MASK.sub(lambda found: f'<span class="ml-mask">{found[0][4:-4].lower()}</span>', text(body))


def block(body: str, css_class: str = "") -> str:
    """Wrap safe HTML so that the stylesheet applies."""
    return f'<div class="ml {css_class}">{body}</div>'


def chip(stage: str | None) -> str:
    """Return a step's name on its colour."""
    if stage not in charts.COLOURS:
        return '<span class="ml-tag">not yet read</span>'
    ink = _ON_COLOUR.get(stage, charts.INK)
    return f'<span class="ml-chip" style="background:{charts.COLOURS[stage]};color:{ink}">{stage}</span>'


def tag(label: str, kind: str = "") -> str:
    """Return a small label; ``kind`` is ``bad``, ``alert`` or nothing."""
    return f'<span class="ml-tag {kind}">{text(label)}</span>'


def effect(change: float | None) -> str:
    """Return a change of level, coloured by whether it cost or gave."""
    if change is None or abs(change) < 0.05:
        return '<span class="muted num">0.0</span>' if change is not None else ""
    return f'<span class="{"cost" if change < 0 else "gain"} num">{words.steps(change)}</span>'


def step_tiles(now: Mapping[str, int], before: Mapping[str, int] | None) -> str:
    """Return six tiles, one a step: how many stand there, which share that is, the change against ``before``."""
    total = max(sum(now.values()), 1)
    tiles = [_tile(state, now[state], now[state] / total, before) for state in STATES]
    return block(f'<div class="ml-steps">{"".join(tiles)}</div>')


def _tile(state: str, count: int, share: float, before: Mapping[str, int] | None) -> str:
    change = "no older data" if before is None else f"{_change(state, count - before[state])} in 30 days"
    return (
        f'<div class="ml-step" style="--stage:{charts.COLOURS[state]}"><span class="name">{state}</span>'
        f'<b>{count:,}</b><span class="small muted">{share:.0%} · </span><span class="small">{change}</span></div>'
    )


def _change(state: str, change: int) -> str:
    """Colour what is plainly better or worse; fewer annoyed people may only mean that they have left."""
    happy = state in ("delighted", "content")
    if change == 0 or state == "unsure" or (change < 0 and not happy):
        return f'<span class="muted">{words.signed(change)}</span>'
    return f'<span class="{"gain" if happy and change > 0 else "cost"}">{words.signed(change)}</span>'


def ranking_head() -> str:
    """Return the column titles of the ranking."""
    titles = (
        "Stands at",
        "90 days",
        '<span title="Steps gained over 30 days">Slope</span>',
        "Risk of leaving",
        '<span title="Until furious or gone is likelier than not">Time left</span>',
        "At risk",
        "Why",
    )
    return block("".join(f"<span>{title}</span>" for title in titles), "ml-grid ml-rank ml-head")


def ranking_row(row: Row, spark: str, alerts: Sequence[Row]) -> str:
    """Return one customer of the ranking, without the name, which is a link of Streamlit's."""
    reasons = " · ".join(text(reason) for reason in row["reasons"][:2])
    bells = "".join(tag(words.alert_kind(alert["kind"]), "alert") for alert in alerts)
    cells = (
        f"<span>{chip(row['stage'])}</span>",
        f'<img class="ml-spark" alt="level over 90 days, now {row["level"]:.1f} of 5" src="{spark}">',
        f'<span class="right">{effect(row["slope_30d"])}</span>',
        f"<span>{risk('30 d', row['risk_30d'])}{risk('90 d', row['risk_90d'])}</span>",
        f'<span class="num">{words.days_left(row["days_left"])}</span>',
        f'<b class="num">{words.amount(row["value_at_risk"])}</b>',
        f'<span class="wide small">{bells}{reasons}</span>',
    )
    return block("".join(cells), "ml-grid ml-rank")


def risk(label: str, share: float) -> str:
    """Return a probability as a bar with its figure."""
    return (
        f'<span class="ml-risk"><span class="muted">{label}</span><span class="ml-track"><i style="width:{share:.0%}">'
        f'</i></span><span class="num right">{words.percent(share)}</span></span>'
    )


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Return figures with their names; the figures are taken as plain text."""
    rows = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs)
    return block(f'<dl class="ml-facts" style="margin:0">{rows}</dl>')


def bullets(lines: Sequence[str], *, ordered: bool = False) -> str:
    """Return plain lines as a list."""
    kind = "ol" if ordered else "ul"
    return block(
        f'<{kind} class="ml-list">{"".join(f"<li>{text(line[:1].upper() + line[1:])}</li>" for line in lines)}</{kind}>'
    )


def mix(mood: Sequence[float]) -> str:
    """Return the distribution over the six states as one bar and its key."""
    pairs = list(zip(STATES, mood, strict=True))
    bar = "".join(f'<i style="width:{share:.2%};background:{charts.COLOURS[state]}"></i>' for state, share in pairs)
    key = "".join(
        f'<span style="--stage:{charts.COLOURS[state]}"><i class="ml-dot"></i>{state}'
        f"<em>{words.percent(share)}</em></span>"
        for state, share in pairs
    )
    return block(f'<div class="ml-mix">{bar}</div><div class="ml-key">{key}</div>')


def ledger(costs: Sequence[Row]) -> str:
    """Return what cost and what lifted the mood, one bar an item either side of a middle line."""
    most = max((abs(row["effect"]) for row in costs), default=1.0) or 1.0
    return block(f'<div class="ml-ledger">{"".join(_balance(row, most) for row in costs)}</div>')


def _balance(row: Row, most: float) -> str:
    width = abs(row["effect"]) / most * 50
    cost = row["effect"] < 0
    side = f"right:50%;background:{charts.COST}" if cost else f"left:50%;background:{charts.GAIN}"
    title = words.counted(row["messages"], "message")
    return (
        f'<span title="{title}">{text(words.item(row["item"]))}</span><span class="ml-balance">'
        f'<i style="width:{width:.1f}%;{side}"></i></span><span class="right">{effect(row["effect"])}</span>'
    )


def contact(turns: Sequence[Row], costs: Mapping[str, Sequence[Row]]) -> str:
    """Return one contact as a thread: its head, then every turn, the customer's left, the company's right."""
    first = turns[0]
    place = " · ".join(text(part) for part in (first["department"], first["product"], first["source"]) if part)
    lift = [turn["effect"] for turn in turns if turn["effect"] is not None]
    outcome = f"{effect(sum(lift))} steps" if lift else ""
    head = (
        f"<header><b>{text(words.channel(first['channel']))}</b><span>{words.day(first['sent_at'])}</span>"
        f'<span class="muted small">{place}</span><span class="small">{outcome}</span></header>'
    )
    body = "".join(_turn(turn, costs.get(turn["message_id"], ())) for turn in turns)
    return block(f'<section class="ml-contact">{head}{body}</section>')


def _turn(turn: Row, costs: Sequence[Row]) -> str:
    if turn["role"] != "customer":
        return _company_turn(turn)
    colour = charts.COLOURS.get(turn["mood_label"] or "", "transparent")
    stars = f"<b>{turn['rating']:g}★</b>" if turn["rating"] is not None else ""
    return (
        f'<article class="ml-turn" style="--stage:{colour}"><p>{message_text(turn["text"])}</p>'
        f"<footer>{stars}{_reading(turn)}{_booked(turn, costs)}{_when(turn)}</footer></article>"
    )


def _company_turn(turn: Row) -> str:
    name = turn["author"] or ("robot" if turn["role"] == "bot" else "agent")
    return (
        f'<article class="ml-turn agent {"bot" if turn["role"] == "bot" else ""}"><p>{message_text(turn["text"])}</p>'
        f'<footer><span class="muted">{text(name)} · {text(turn["role"])}</span>{_when(turn)}</footer></article>'
    )


def _reading(turn: Row) -> str:
    if turn["mood_label"] is None:
        return tag(f"not read: {turn['unscored']}" if turn["unscored"] else "not yet read")
    sure = max(turn["mood"]) if turn["mood"] is not None else 0.0
    intents = "".join(tag(words.item(name)) for name in turn["intent_labels"] or ())
    named = "".join(tag(words.item(name), "bad") for name in turn["disservice_labels"] or ())
    return f'<b title="{sure:.0%} sure">{text(turn["mood_label"])}</b>{intents}{named}'


def _booked(turn: Row, costs: Sequence[Row]) -> str:
    if turn["effect"] is None:
        return ""
    shares = ", ".join(f"{words.item(row['item'])} {words.steps(row['effect'], 2)}" for row in costs)
    return f'<span title="{text(shares)}">{effect(turn["effect"])}</span>'


def _when(turn: Row) -> str:
    reach = f"{turn['reach']:,} followers · " if turn["reach"] else ""
    return f'<span class="when">{reach}{turn["sent_at"]:%H:%M}</span>'


def headline(alert: Row, name: str | None) -> str:
    """Return an alert's headline, unescaped, with the customer's name in place of the pseudonym that left the house."""
    told: str = alert["headline"]
    return told.replace(alert["customer_id"], name) if name else told


def alert(row: Row, quoted: Sequence[Row]) -> str:
    """Return an alert: its headline, its explanation, and in full the messages that the explanation cuts short."""
    lines = [line for line in row["explanation"].splitlines() if not (quoted and line.startswith("- "))]
    told = "\n".join(f"<b>{text(line)}</b>" if line.startswith("Next: ") else text(line) for line in lines)
    quotes = "".join(quote(message) for message in quoted)
    return block(f'<b>{text(headline(row, row["name"]))}</b><p class="ml-told">{told}</p>{quotes}')


def quote(message: Row) -> str:
    """Return a message quoted beside an alert."""
    colour = charts.COLOURS.get(message["mood_label"] or "", charts.MUTED)
    where = words.channel(message["channel"])
    return (
        f'<div class="ml-quote" style="--stage:{colour}">{message_text(message["text"])} '
        f'<span class="muted small">{text(where)}, {words.moment(message["sent_at"])}</span></div>'
    )


def sources(rows: Sequence[Row]) -> str:
    """Return what came in as a table, one source a row."""
    titles = ("Source", "Channel", "Messages", "By customers", "Scored", "In quarantine", "Heard until")
    head = "".join(
        f'<th class="{"right" if 2 <= place <= 5 else ""}">{title}</th>' for place, title in enumerate(titles)
    )
    return block(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(_source(row) for row in rows)}</tbody></table>")


def _source(row: Row) -> str:
    counts = ("messages", "customer_messages", "scored", "quarantined")
    cells = "".join(f'<td class="right num">{row[name] or 0:,}</td>' for name in counts)
    until: datetime | None = row["heard_until"]
    return (
        f"<tr><td>{text(row['source'])}</td><td>{text(words.channel(row['channel']))}</td>{cells}"
        f"<td>{words.day(until) if until else 'never'}</td></tr>"
    )
