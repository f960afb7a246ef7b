"""How numbers, times and labels are said on a page: short, human, the same everywhere. Pure."""

from datetime import datetime
from typing import Final

ITEMS: Final[dict[str, str]] = {
    "no_human": "no human to reach",
    "long_wait": "long wait",
    "runaround": "run-around",
    "ignored": "ignored",
    "canned_reply": "canned reply",
    "broken_promise": "broken promise",
    "rude_staff": "rude staff",
    "billing_error": "billing error",
    "late_or_missing": "late or missing",
    "faulty_product": "faulty product",
    "outage_or_bug": "outage or bug",
    "unwanted_contact": "unwanted contact",
    "policy_friction": "policy in the way",
    "unresolved": "came back unresolved",
    "mood": "tone of their words",
}
"""What a ledger books on, as a reader would say it."""

CHANNELS: Final[dict[str, str]] = {"review": "Review", "tweet": "Tweet", "transcript": "Transcript"}

ALERT_KINDS: Final[dict[str, str]] = {"slide": "Sliding", "furious": "Furious", "leaving": "Leaving"}

MINUS: Final = "\N{MINUS SIGN}"


def item(name: str) -> str:
    """Return a dis-service, intent or praise in plain words; unknown names lose their underscores."""
    return ITEMS.get(name, name.replace("_", " "))


def sentence(words_of_a_rule: str) -> str:
    """Return plain words with a capital and a full stop."""
    words_of_a_rule = words_of_a_rule.strip().removesuffix(".")
    return f"{words_of_a_rule[:1].upper()}{words_of_a_rule[1:]}."


def channel(name: str) -> str:
    """Return a channel's name; an unknown one stays as it is."""
    return CHANNELS.get(name, name)


def alert_kind(name: str) -> str:
    """Return an alert's kind in a word; an unknown one stays as it is."""
    return ALERT_KINDS.get(name, name)


def day(at: datetime) -> str:
    """Return ``16 Sep 2026``."""
    return f"{at.day} {at:%b %Y}"


def moment(at: datetime) -> str:
    """Return ``16 Sep 2026, 14:02`` (UTC)."""
    return f"{day(at)}, {at:%H:%M}"


def days_before(at: datetime, now: datetime) -> str:
    """Return how long before ``now`` something happened, in the coarsest unit that still says something."""
    days = (now.date() - at.date()).days
    if days <= 0:
        return "same day"
    if days == 1:
        return "a day ago"
    if days < 21:
        return f"{days} days ago"
    return f"{span(days)} ago"


def span(days: float) -> str:
    """Return a length of time as days, weeks, months or years."""
    if days < 1:
        return "under a day"
    for size, limit, unit in ((1, 21, "day"), (7, 70, "week"), (30.4, 700, "month")):
        if days < limit:
            return _counted(round(days / size), unit)
    return _counted(round(days / 365.25), "year")


def days_left(days: float | None) -> str:
    """Return the expected time until furious or gone is likelier than not; none within a year is a dash."""
    if days is None:
        return "over a year"
    return "now" if days < 0.5 else span(days)


def percent(share: float) -> str:
    """Return a probability as a whole percentage that never rounds to certainty."""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99 < share < 1:
        return ">99%"
    return f"{share:.0%}"


def amount(value: float | None) -> str:
    """Return money without a currency, which the records do not name: ``840``, ``1,240``, ``12.4k``, ``3.1M``."""
    if value is None:
        return "unknown"
    for size, unit in ((1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):,.1f}{unit}"
    return f"{value:,.0f}"


def steps(change: float, digits: int = 1) -> str:
    """Return a signed change of level with a true minus; what rounds to nothing has no sign."""
    text = f"{abs(change):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{MINUS if change < 0 else '+'}{text}"


def signed(count: int) -> str:
    """Return a signed whole number; no change is ``no change``."""
    return "no change" if count == 0 else f"{'+' if count > 0 else MINUS}{abs(count):,}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """Return ``1 message`` or ``1,240 messages``."""
    return _counted(number, singular, plural)


def _counted(number: int, singular: str, plural: str | None = None) -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
