"""What to do about a customer at risk: a few plain lines from where they stand and what soured them. Pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

AMENDS: Final[dict[str, str]] = {
    "no_human": "Give a direct name and number; keep the menu and the bot out of the next contact.",
    "long_wait": "Ring instead of letting them queue again, and say how long each next step takes.",
    "runaround": "Name one owner who has read the whole history, so that nothing is told twice.",
    "ignored": "Answer the question that was left open before anything else.",
    "canned_reply": "Write back in your own words, and to the question that was asked.",
    "broken_promise": "Keep the promise that was made today, or make it good with something better.",
    "rude_staff": "Apologise for how they were treated, from someone senior, without a but.",
    "billing_error": "Put the charge right first, then confirm the exact sum and date in writing.",
    "late_or_missing": "Find out where it is, give one date that will hold, and offer to send it again.",
    "faulty_product": "Replace it before the faulty one is back; do not ask them to prove it again.",
    "outage_or_bug": "Say what is broken and when it will work, and tell them yourself when it does.",
    "unwanted_contact": "Take them off the lists now and confirm it once.",
    "policy_friction": "Use your discretion: the rule costs less than the customer.",
    "unresolved": "Reopen the case and stay on it until they, not the ticket, say it is solved.",
}
"""What makes each dis-service good again."""

SILENCE_DAYS: Final = 21


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules look at."""

    stage: str
    slope_30d: float
    risk_30d: float
    days_left: float | None
    silent_days: float


def advise(standing: Standing, costs: Sequence[tuple[str, float]]) -> list[str]:
    """Return what to do, most pressing first: how soon, then amends for the two dearest dis-services.

    ``costs`` are (item, effect in levels); praise and gains are ignored.
    """
    lines = [_how_soon(standing)]
    if standing.stage == "gone":
        return lines
    dearest = sorted((effect, name) for name, effect in costs if effect < 0 and name in AMENDS)
    lines += [AMENDS[name] for _, name in dearest[:2]]
    if standing.silent_days >= SILENCE_DAYS and standing.stage in ("unsure", "annoyed", "furious"):
        lines.append("Do not wait to hear from them: they have stopped telling you.")
    return lines


def _how_soon(standing: Standing) -> str:
    if standing.stage == "gone":
        return "Probably gone: ask why without an offer, and mend the cause for the others."
    pressing = standing.days_left is not None and standing.days_left <= 14
    if pressing or standing.stage == "furious" or standing.risk_30d >= 0.4:
        return "Call today; a mail will not do."
    if standing.stage == "annoyed" or standing.slope_30d <= -0.5:
        return "Call this week, before the next small thing happens."
    if standing.stage == "unsure":
        return "A short personal note is enough for now."
    return "Nothing is needed: leave them in peace, and be quick when they write."
