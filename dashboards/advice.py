"""What to do about a customer at risk: a few plain lines from where they stand and what soured them. Pure rules.

What makes a dis-service good again is said by ``pipeline.alerts``, so that a page and an alert agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dashboards import words
from pipeline.alerts import NEXT_STEP

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
    dearest = sorted((effect, name) for name, effect in costs if effect < 0 and name in NEXT_STEP)
    lines += [words.sentence(NEXT_STEP[name]) for _, name in dearest[:2]]
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
