"""Find the customers who need somebody now, and say why. Pure: no clock, no store, no network.

An alert is one episode of one kind with one customer. It opens when a threshold is crossed and a message of these days
did it, and stays open until the customer is well clear of the threshold, so that a value trembling on the line does not
open it again and again. Its id is a hash of the customer, the kind and the message that opened it: the same episode
found twice, by a second run or after a crash, is the same alert.

========  =======================================================================  ============================
kind      opens when                                                               clears when
========  =======================================================================  ============================
slide     the level fell by ``slide_levels`` in 30 days, to unsure or worse, and   the fall is below the clear
          a message of the last ``trigger_days`` days cost something               mark, or content again
furious   ``furious`` is likelier than ``furious_probability`` right after a       ``furious`` is below the
          message of the last ``trigger_days`` days, or is the stage               clear mark and not the stage
leaving   the 90-day risk is ``leaving_risk`` or more, the customer is not gone    the risk is below the clear
          yet, and wrote within ``silence_days`` (silence needs no new message)    mark, or it is too late
========  =======================================================================  ============================

The clear mark is ``hysteresis`` times the threshold that opens. Importing years of history opens nothing but what is
still live: a customer counts only if the clock of their sources (``as_of``) lies within ``clock_days`` of ``now``, the
newest clock in the warehouse.

**Rank** is the value at risk (``CustomerMood.value_at_risk``: value times the avoidable part of the 90-day risk) times
the chance that a call helps, ``0.5 ** (d / 30) * sum(mood[s] * HELP[s])`` with ``d`` days since the last message: a
word reaches an unsure customer more easily than a furious one, and better today than next month. ``HELP`` is an
assumption until outcomes have been measured.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, get_args

from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.records import STATES, TOO_LATE, Alert, AlertKind, CustomerMood, LedgerEntry, MoodPoint

KINDS: Final[tuple[AlertKind, ...]] = get_args(AlertKind)

HELP: Final = (0.7, 0.7, 0.6, 0.45, 0.25, 0.0)
"""Chance that a call today keeps the customer, by state; assumed, see the module's docstring."""

FURIOUS: Final = STATES.index("furious")
GONE: Final = STATES.index("gone")
SOURED: Final = ("unsure", "annoyed", "furious")

NEXT_STEP: Final[Mapping[str, str]] = {
    "no_human": "have a named person call, and give a number that reaches that person",
    "long_wait": "call back now instead of asking for more patience, and give a time that holds",
    "runaround": "let one person own the case to its end, and say who it is",
    "ignored": "answer today, to every question asked, from a person with a name",
    "canned_reply": "answer the question that was asked, by hand",
    "broken_promise": "send what was promised, then say that it has been sent",
    "rude_staff": "have a manager call to apologise, without a form",
    "billing_error": "correct the bill and confirm the amount and the day in writing",
    "late_or_missing": "find the parcel or send another today, and give one date",
    "faulty_product": "send a replacement first and collect the faulty one later",
    "outage_or_bug": "say what is broken and when it is mended, and make good the days lost",
    "unwanted_contact": "stop the messages now and confirm it once",
    "policy_friction": "have someone with the authority make the exception",
    "unresolved": "reopen the case under a named person, and close it only when the customer says so",
}
"""What to do about each dis-service of ``models.labels.DISSERVICES``."""

NEXT_STEP_UNNAMED: Final = "read the messages and have a named person call"

_DAYS_OF_FALL: Final = 30
_QUOTED: Final = 3
_QUOTE_LENGTH: Final = 100
_MEANINGFUL_COST: Final = 0.02
_TOO_LATE_MARGIN: Final = 0.1


@dataclass(frozen=True, slots=True)
class AlertRules:
    """When an alert opens and clears.

    Raises:
        SettingsError: a threshold lies where it could never or always be met.
    """

    slide_levels: float = 0.8
    """A fall of the expected level by this much within 30 days."""
    furious_probability: float = 0.5
    leaving_risk: float = 0.5
    """90-day risk of leaving."""
    hysteresis: float = 0.6
    """An alert clears below this share of the threshold that opened it."""
    recovered_level: float = 3.75
    """A slide clears from this level on, however deep the fall was."""
    too_late: float = TOO_LATE
    """Probability of having left already, from which nobody is asked to call."""
    trigger_days: float = 14.0
    silence_days: float = 60.0
    clock_days: float = 30.0

    def __post_init__(self) -> None:
        for name, most in (("slide_levels", 5), ("furious_probability", 1), ("leaving_risk", 1), ("hysteresis", 1)):
            value = getattr(self, name)
            if not 0 < value <= most:
                raise SettingsError(
                    f"{name} = {value:g} should be above 0 and at most {most}; mend it in moodline.toml"
                )

    @classmethod
    def of(cls, settings: Settings) -> "AlertRules":
        """Return the rules with the thresholds that the user has set."""
        return cls(settings.slide_levels, settings.furious_probability, settings.leaving_risk)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One customer message with what it did: all that an alert says about it. ``text`` is masked."""

    customer_id: str
    message_id: str
    at: datetime
    text: str
    level: float
    level_before: float
    furious: float
    """Probability that the customer was furious right after the message."""
    items: tuple[tuple[str, float], ...] = ()
    """What the ledger books the effect on, with its share in levels."""
    reach: int | None = None
    """How many people may have read it."""

    @classmethod
    def of(
        cls, point: MoodPoint, text: str, entries: Iterable[LedgerEntry] = (), reach: int | None = None
    ) -> "Evidence":
        """Join a mood point, its message's masked text and its ledger entries."""
        items = tuple((entry.item, entry.effect) for entry in entries)
        furious = point.mood[FURIOUS]
        return cls(
            point.customer_id, point.message_id, point.at, text, point.level, point.level_before, furious, items, reach
        )

    @property
    def cost(self) -> float:
        """Levels lost by this message; 0 if it did no harm."""
        return max(0.0, self.level_before - self.level)


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """What a run has to store: alerts to open, the most urgent first, and alerts that have cleared."""

    opened: tuple[Alert, ...] = ()
    cleared: tuple[Alert, ...] = ()


def needing_evidence(moods: Iterable[CustomerMood], rules: AlertRules, now: datetime) -> list[str]:
    """Return the customers whose messages of the month before their silence ``find`` would look at; few among many."""
    return [mood.customer_id for mood in moods if _is_live(mood, rules, now) and _kinds_possible(mood, rules)]


def find(
    moods: Iterable[CustomerMood],
    evidence: Iterable[Evidence],
    open_alerts: Iterable[Alert],
    rules: AlertRules,
    now: datetime,
) -> AlertChanges:
    """Compare where customers stand with the alerts that are open.

    Args:
        moods: customers whose state may have changed; open alerts of other customers stay as they are.
        evidence: messages of (at least) the customers in ``needing_evidence``, in any order.
        open_alerts: all open alerts.
        rules: thresholds.
        now: the newest clock in the warehouse (UTC), not the wall clock, so that re-running changes nothing.
    """
    messages, standing = _by_customer(evidence), {(alert.customer_id, alert.kind): alert for alert in open_alerts}
    opened, cleared = [], []
    for mood in moods:
        for kind in KINDS:
            alert = standing.get((mood.customer_id, kind))
            if alert is None:
                opened += _opened(mood, kind, messages.get(mood.customer_id, []), rules, now)
            elif _is_clear(mood, kind, rules):
                cleared.append(replace(alert, cleared_at=mood.as_of))
    opened.sort(key=lambda alert: (-alert.rank, alert.alert_id))
    return AlertChanges(tuple(opened), tuple(cleared))


def chance_of_help(mood: CustomerMood) -> float:
    """Return the chance (0 to 1) that a call today keeps the customer; the formula stands in the module's docstring."""
    days = max(0.0, (mood.as_of - mood.last_message_at) / timedelta(days=1))
    helped = sum(share * chance for share, chance in zip(mood.mood, HELP, strict=True))
    return float(0.5 ** (days / 30) * helped)


def alert_id_for(customer_id: str, kind: AlertKind, opener: str) -> str:
    """Return the id of the episode that ``opener`` (a message id, or a time) opened: ``a_`` and 16 hex digits."""
    digest = hashlib.blake2b("\x1f".join((customer_id, kind, opener)).encode(), digest_size=8)
    return f"a_{digest.hexdigest()}"


def _by_customer(evidence: Iterable[Evidence]) -> dict[str, list[Evidence]]:
    messages: dict[str, list[Evidence]] = defaultdict(list)
    for message in sorted(evidence, key=lambda message: (message.at, message.message_id)):
        messages[message.customer_id].append(message)
    return messages


# --- Opening and clearing --------------------------------------------------------------------------------------------


def _is_live(mood: CustomerMood, rules: AlertRules, now: datetime) -> bool:
    return now - mood.as_of <= timedelta(days=rules.clock_days)


def _kinds_possible(mood: CustomerMood, rules: AlertRules) -> list[AlertKind]:
    """Return the kinds whose threshold is crossed now, whatever the messages say."""
    crossed = {
        "slide": -mood.slope_30d >= rules.slide_levels and mood.stage in SOURED,
        "furious": mood.stage == "furious" or mood.mood[FURIOUS] >= rules.furious_probability * rules.hysteresis,
        "leaving": mood.risk_90d >= rules.leaving_risk and mood.mood[GONE] < rules.too_late,
    }
    return [kind for kind in KINDS if crossed[kind]]


def _opened(
    mood: CustomerMood, kind: AlertKind, messages: Sequence[Evidence], rules: AlertRules, now: datetime
) -> list[Alert]:
    """Return the alert of this kind, or nothing."""
    if not _is_live(mood, rules, now) or kind not in _kinds_possible(mood, rules):
        return []
    if kind == "leaving":
        silent = mood.as_of - mood.last_message_at
        opener = mood.last_message_at.isoformat() if silent <= timedelta(days=rules.silence_days) else None
        return [_alert(mood, kind, opener, mood.as_of, messages)] if opener else []
    trigger = _trigger(mood, kind, messages, rules)
    return [_alert(mood, kind, trigger.message_id, trigger.at, messages)] if trigger else []


def _trigger(mood: CustomerMood, kind: AlertKind, messages: Sequence[Evidence], rules: AlertRules) -> Evidence | None:
    """Return the newest message of the last days that carried the customer over the threshold."""
    recent = [message for message in messages if _is_within(message, mood, rules.trigger_days)]
    if kind == "slide":
        guilty = [message for message in recent if message.cost >= _MEANINGFUL_COST]
    else:
        guilty = [message for message in recent if message.furious >= rules.furious_probability]
        guilty = guilty or (recent if mood.stage == "furious" else [])
    return guilty[-1] if guilty else None


def _is_within(message: Evidence, mood: CustomerMood, days: float) -> bool:
    return timedelta() <= mood.as_of - message.at <= timedelta(days=days)


def _is_clear(mood: CustomerMood, kind: AlertKind, rules: AlertRules) -> bool:
    if kind == "slide":
        return -mood.slope_30d < rules.slide_levels * rules.hysteresis or mood.level >= rules.recovered_level
    if kind == "furious":
        return mood.stage != "furious" and mood.mood[FURIOUS] < rules.furious_probability * rules.hysteresis
    lost = mood.mood[GONE] >= rules.too_late + _TOO_LATE_MARGIN
    return lost or mood.risk_90d < rules.leaving_risk * rules.hysteresis


# --- Words -----------------------------------------------------------------------------------------------------------


def _alert(
    mood: CustomerMood, kind: AlertKind, opener: str, opened_at: datetime, messages: Sequence[Evidence]
) -> Alert:
    silence = (mood.as_of - mood.last_message_at) / timedelta(days=1) if kind == "leaving" else 0.0
    month = [message for message in messages if _is_within(message, mood, silence + _DAYS_OF_FALL)]
    blamed = _blamed(month)
    return Alert(
        alert_id=alert_id_for(mood.customer_id, kind, opener),
        customer_id=mood.customer_id,
        kind=kind,
        opened_at=opened_at,
        rank=mood.value_at_risk * chance_of_help(mood),
        headline=_headline(mood, kind),
        explanation=_explanation(mood, kind, blamed, month),
        message_ids=tuple(message.message_id for message in blamed),
    )


def _blamed(messages: Sequence[Evidence]) -> list[Evidence]:
    """Return the messages that cost the most, in time order; the newest alone if none cost anything."""
    costly = [message for message in messages if message.cost >= _MEANINGFUL_COST]
    heaviest = sorted(costly, key=lambda message: (-message.cost, message.at, message.message_id))[:_QUOTED]
    return sorted(heaviest, key=lambda message: (message.at, message.message_id)) or list(messages[-1:])


def _headline(mood: CustomerMood, kind: AlertKind) -> str:
    """Return one line that names nobody but by ``customer_id``."""
    if kind == "slide":
        return f"{mood.customer_id} slid {-mood.slope_30d:.1f} levels in 30 days and is now {_stage(mood.stage)}"
    if kind == "furious":
        return f"{mood.customer_id} is {'furious' if mood.stage == 'furious' else 'close to furious'}"
    return f"{mood.customer_id} may leave: {mood.risk_90d:.0%} risk within 90 days{_silence(mood)}"


def _stage(stage: str) -> str:
    return "not sure what is going on" if stage == "unsure" else stage


def _silence(mood: CustomerMood) -> str:
    days = (mood.as_of - mood.last_message_at).days
    return f", silent for {days} days" if days >= 7 else ""


def _explanation(mood: CustomerMood, kind: AlertKind, blamed: Sequence[Evidence], month: Sequence[Evidence]) -> str:
    lines = [_where_it_stands(mood), *(_told(message) + _without(mood, message.message_id) for message in blamed)]
    if kind == "leaving" and _silence(mood):
        lines.append(
            f"Last heard of on {_day(mood.last_message_at)}{_silence(mood)}; silence of a soured customer counts"
            f"{_without(mood, None)}."
        )
    return "\n".join([*lines, f"Next: {_next_step(kind, month)}."])


def _where_it_stands(mood: CustomerMood) -> str:
    left = "" if mood.days_left is None else f", about {mood.days_left:.0f} days until furious or gone"
    return (
        f"On {_day(mood.as_of)} at level {mood.level:.1f} of 5 ({_stage(mood.stage)}), "
        f"{mood.slope_30d:+.1f} in 30 days, {mood.risk_90d:.0%} risk of leaving within 90 days{left}; "
        f"{mood.value_at_risk:,.0f} at risk."
    )


def _told(message: Evidence) -> str:
    """Return one message in one line: when, what it cost, on what, its words, its id."""
    effect = f"cost {message.cost:.2f} levels" if message.cost >= _MEANINGFUL_COST else "cost nothing by itself"
    named = [item.replace("_", " ") for item, share in sorted(message.items, key=lambda item: item[1]) if share < 0]
    why = f" ({', '.join(named)})" if named else ""
    reach = f", up to {message.reach:,} readers" if message.reach and message.reach >= 1000 else ""
    return f'- {_day(message.at)}: {effect}{why}{reach}: "{_quote(message.text)}" [{message.message_id}]'


def _without(mood: CustomerMood, message_id: str | None) -> str:
    """Return what the figures would be without a message, or (None) without the silence, where that was computed."""
    for driver in mood.drivers:
        if driver.message_id == message_id:
            return f" (without it level {driver.level_without:.1f}, risk {driver.risk_90d_without:.0%})"
    return ""


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


def _quote(text: str) -> str:
    words = " ".join(text.split()).replace('"', "'")
    if len(words) <= _QUOTE_LENGTH:
        return words
    return words[:_QUOTE_LENGTH].rpartition(" ")[0] + " …"


def _next_step(kind: AlertKind, messages: Iterable[Evidence]) -> str:
    """Return what to do about the dis-service that cost the most this month."""
    costs: dict[str, float] = defaultdict(float)
    for message in messages:
        for item, effect in message.items:
            if item in NEXT_STEP and effect < 0:
                costs[item] -= effect
    heaviest = min(costs, key=lambda item: (-costs[item], item), default=None)
    step = NEXT_STEP[heaviest] if heaviest else NEXT_STEP_UNNAMED
    return f"call today, not by form letter; {step}" if kind == "furious" else step
