"""What a contact leaves behind, and what one department does to another's customers. Pure: takes sums, gives estimates.

**Lift** of a group (an agent, a team …) is the mean of its contacts' lifts, drawn towards the mean of all groups as far
as so few contacts demand: with ``s2`` the variance of contacts within groups, ``t2`` that between groups and ``n``
contacts, the group's own mean counts with ``t2 / (t2 + s2 / n)`` (empirical Bayes; ``t2`` by the moments of
DerSimonian and Laird 1986, "Meta-analysis in clinical trials"). Nobody is ranked on fewer than ``ENOUGH`` contacts.

**Gap** between two departments is the mean, over the customers who met both, of the difference of their own mood, with
Student's interval: the same people on both sides, so that who comes to which does not matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from pipeline.errors import SettingsError

GROUPS: Final = ("agent", "team", "channel", "source")
"""What lifts are told by."""
SIDES: Final = ("team", "channel", "source")
"""What gaps are told by."""
ENOUGH: Final = 5
"""Contacts, or customers, below which a figure is shown but neither ranked nor called a difference."""
CONTACT_GAP: Final = 0.5
"""Days without a word that end a contact outside a thread; as ``contact_gap`` of the mood model."""
_Z: Final = 1.6448536269514722
"""Normal quantile of a 90 % interval."""
_LEAST_SPREAD: Final = 0.05
"""Levels by which groups are taken to differ at least, against intervals too narrow where ``t2`` comes out as 0."""


@dataclass(frozen=True, slots=True)
class Lift:
    """What the contacts of one group do to mood. ``rank`` 1 is the best; None where there are too few contacts."""

    name: str
    contacts: int
    customers: int
    compared: int
    """Contacts with another before, of which a lift can be told."""
    mean: float | None
    """Plain mean of the lifts, in levels."""
    lift: float | None
    """The same, drawn towards all."""
    low: float | None
    high: float | None
    """90 % interval of ``lift``."""
    during: float
    """Mean change from just before a contact's first word to its end, in levels."""
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """How much better (above 0) the same customers feel with ``one`` than with ``other``, in levels."""

    one: str
    other: str
    customers: int
    level_one: float
    level_other: float
    gap: float
    low: float | None
    high: float | None
    """90 % interval; None for a single customer."""
    clear: bool
    """The interval leaves 0 out, and enough customers met both."""


def known(by: str, allowed: Sequence[str]) -> str:
    """Return ``by``.

    Raises:
        SettingsError: it is not one of ``allowed``.
    """
    if by not in allowed:
        raise SettingsError(f"--by {by}: not known; it is one of {', '.join(allowed)}")
    return by


def lifts(rows: Sequence[Mapping[str, Any]]) -> list[Lift]:
    """Return lifts from the rows of ``read_lifts.sql``: those with a rank first, the best before the worst."""
    told = [row for row in rows if row["compared"]]
    untold = [Lift(*_counts(row), None, None, None, None, row["during"]) for row in rows if not row["compared"]]
    if not told:
        return untold
    count = np.array([row["compared"] for row in told], dtype=np.float64)
    mean = np.array([row["lift"] for row in told], dtype=np.float64)
    spread = np.array([row["variance"] or 0.0 for row in told], dtype=np.float64)
    estimate, error = shrunk(mean, count, spread)
    found = [
        Lift(*_counts(row), float(row["lift"]), e, e - _Z * s, e + _Z * s, row["during"])
        for row, e, s in zip(told, estimate.tolist(), error.tolist(), strict=True)
    ]
    return _ranked(found) + untold


def _counts(row: Mapping[str, Any]) -> tuple[str, int, int, int]:
    return row["name"], row["contacts"], row["customers"], row["compared"]


def _ranked(found: Sequence[Lift]) -> list[Lift]:
    ordered = sorted(found, key=lambda lift: (lift.compared < ENOUGH, -(lift.lift or 0.0), lift.name))
    ranks = [place + 1 if lift.compared >= ENOUGH else None for place, lift in enumerate(ordered)]
    return [replace(lift, rank=rank) for lift, rank in zip(ordered, ranks, strict=True)]


_Figures = NDArray[np.float64]


def shrunk(mean: _Figures, count: _Figures, variance: _Figures) -> tuple[_Figures, _Figures]:
    """Return groups' means drawn towards all, and their standard errors; see the module's docstring.

    Args:
        mean: of each group.
        count: of each group, at least 1.
        variance: within each group; that of a single member does not count.
    """
    freedom = (count - 1).sum()
    within = max(float(((count - 1) * variance).sum() / freedom), 1e-6) if freedom > 0 else 1.0
    error = within / count
    between = max(_between(mean, 1 / error), _LEAST_SPREAD**2)
    weight = 1 / (between + error)
    centre, centre_error = (weight * mean).sum() / weight.sum(), 1 / weight.sum()
    own = between / (between + error)
    variance_left = own * error + (1 - own) ** 2 * centre_error
    return np.asarray(centre + own * (mean - centre)), np.sqrt(variance_left)


def _between(mean: _Figures, weight: _Figures) -> float:
    """Return the variance between groups by DerSimonian and Laird's moments; not below 0."""
    total = weight.sum()
    left = total - (weight**2).sum() / total
    if left <= 0:
        return 0.0
    scatter = (weight * (mean - (weight * mean).sum() / total) ** 2).sum()
    return max(float((scatter - (len(mean) - 1)) / left), 0.0)


def gaps(rows: Sequence[Mapping[str, Any]]) -> list[Gap]:
    """Return gaps from the rows of ``read_gaps.sql``, clear ones and then wide ones first."""
    found = [_gap(row) for row in rows]
    return sorted(found, key=lambda gap: (not gap.clear, -abs(gap.gap), gap.one, gap.other))


def _gap(row: Mapping[str, Any]) -> Gap:
    count, gap = row["customers"], row["gap"]
    sides = (row["one"], row["other"], count, row["level_one"], row["level_other"], gap)
    if count < 2:
        return Gap(*sides, None, None, False)
    reach = float(student.ppf(0.95, count - 1)) * float(np.sqrt(row["variance"] / count))
    return Gap(*sides, gap - reach, gap + reach, count >= ENOUGH and abs(gap) > reach)
