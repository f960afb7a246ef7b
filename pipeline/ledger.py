"""What sours our customers: the ledger's totals, ranked by the money that stands at risk for it. Pure.

A total's interval is over customers: another such crowd of as many would have given another total, and its standard
error is that of a sum of so many independent customers' sums, of which most are 0.

What stands of a message is the difference it made, carried on as any mood is. It fades: mood drifts back, and each
contact since says anew how things are. But it is not always less than the message cost at once, because not every harm
is forgotten: a customer who was soured and then left alone drifts on down and leaves, and who has left is at level 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

GROUPS: Final = ("item", "product", "team", "agent", "channel", "week")
"""What the totals are told by; ``item`` is the dis-service, ``praise``, or ``mood`` where a message names nothing."""
_Z: Final = 1.6448536269514722
"""Normal quantile of a 90 % interval."""


@dataclass(frozen=True, slots=True)
class Total:
    """What one dis-service (or product, team …) did in all."""

    name: str
    messages: int
    customers: int
    effect: float
    """Levels at once, over all messages; negative is a cost."""
    low: float
    high: float
    """90 % interval of ``effect`` over customers."""
    standing: float
    """Levels that stand today: less than ``effect`` where it faded, more where a harm left alone went on to cost."""
    at_risk: float
    """The customers' value at risk that falls on it, in the company's currency."""
    at_risk_low: float
    at_risk_high: float


def totals(rows: Sequence[Mapping[str, Any]], by: str) -> list[Total]:
    """Return totals from the rows of ``read_ledger_totals.sql``: weeks in time, else the most at risk first."""
    found = [_total(row) for row in rows]
    if by == "week":
        return sorted(found, key=lambda total: total.name)
    return sorted(found, key=lambda total: (-total.at_risk, total.effect, total.name))


def _total(row: Mapping[str, Any]) -> Total:
    reach = _Z * _error(row["effect"], row["effect_squares"], row["everybody"])
    risk_reach = _Z * _error(row["at_risk"], row["at_risk_squares"], row["everybody"])
    return Total(
        name=row["name"],
        messages=row["messages"],
        customers=row["customers"],
        effect=row["effect"],
        low=row["effect"] - reach,
        high=row["effect"] + reach,
        standing=row["standing"],
        at_risk=row["at_risk"],
        at_risk_low=max(row["at_risk"] - risk_reach, 0.0),
        at_risk_high=row["at_risk"] + risk_reach,
    )


def _error(total: float, squares: float, count: int) -> float:
    """Return the standard error of a sum over ``count`` customers; that of a single one cannot be told and is 0."""
    if count < 2:
        return 0.0
    return sqrt(max(squares - total**2 / count, 0.0) * count / (count - 1))
