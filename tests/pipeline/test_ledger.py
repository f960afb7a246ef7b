from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline.ledger import totals
from pipeline.mood_model import Parameters
from pipeline.track import Histories, track

FIRST = datetime(2026, 3, 2, 9)


def row(name, effects, at_risk=0.0, everybody=50):
    own = np.zeros(everybody)
    own[: len(effects)] = effects
    return {
        "name": name, "messages": len(effects), "customers": len(effects), "effect": own.sum(),
        "effect_squares": (own**2).sum(), "standing": own.sum() / 2, "at_risk": at_risk,
        "at_risk_squares": at_risk**2, "everybody": everybody,
    }  # fmt: skip


def test_the_most_at_risk_comes_first_and_weeks_come_in_time():
    rows = [row("ignored", [-0.2], 10), row("no_human", [-0.1], 90), row("praise", [0.5])]
    assert [total.name for total in totals(rows, "item")] == ["no_human", "ignored", "praise"]
    rows = [row("2026-03-09", [-0.1], 5), row("2026-03-02", [-0.1])]
    assert [total.name for total in totals(rows, "week")] == ["2026-03-02", "2026-03-09"]


def test_the_interval_is_that_of_a_sum_over_customers():
    effects = [-0.5, -0.1, -0.9, -0.2]
    (total,) = totals([row("ignored", effects)], "item")
    own = np.array([*effects, *([0.0] * 46)])
    assert total.effect == pytest.approx(-1.7)
    assert total.high - total.effect == pytest.approx(1.6448536 * np.sqrt(50 * own.var(ddof=1)))


def test_ninety_percent_of_such_intervals_cover():
    draw, covered = np.random.default_rng(3), []
    for _ in range(400):
        own = np.where(draw.random(300) < 0.4, -draw.exponential(0.5, 300), 0.0)
        (total,) = totals([row("ignored", own, everybody=300)], "item")
        covered.append(total.low <= -0.4 * 0.5 * 300 <= total.high)
    assert 0.85 <= np.mean(covered) <= 0.95


def test_a_single_customer_has_no_width_and_value_at_risk_is_never_below_zero():
    (total,) = totals([row("ignored", [-0.4], 7, everybody=1)], "item")
    assert total.low == total.high == -0.4
    (total,) = totals([row("ignored", [-0.4], 7)], "item")
    assert total.at_risk_low == 0


def booked(days, until):
    """Return the ledger entry of a contented customer's last message, a furious one, ``until`` days after the first."""
    rows = [
        {
            "customer_id": "c", "message_id": f"m{day}", "thread_id": None, "sent_at": FIRST + timedelta(days=day),
            "rating": None, "mood": [0.02, 0.9, 0.06, 0.01, 0.01] if day != 30 else [0.01, 0.01, 0.02, 0.06, 0.9],
            "leaving": 0.01, "intent_labels": [], "disservice_labels": [], "disservice_chances": [],
            "as_of": FIRST + timedelta(days=until), "value": None,
        }
        for day in days
    ]  # fmt: skip
    told = track(Histories.from_arrow(pa.Table.from_pylist(rows)), Parameters.load(), "v1")
    return next(entry for entry in told.ledger if entry.message_id == "m30")


def test_what_stands_of_a_harm_fades_with_contacts_and_grows_when_it_is_left_alone():
    """The harm itself is the same; what is told of it later follows from what came of it, as the docs say."""
    at_once = booked((0, 10, 20, 30), 30)
    assert at_once.effect < -0.3
    assert at_once.standing == pytest.approx(at_once.effect, abs=1e-8)
    alone = booked((0, 10, 20, 30), 60)
    assert alone.effect == at_once.effect
    assert alone.standing < 1.05 * at_once.effect, "left alone, it went on to cost"
    tended = [booked((0, 10, 20, 30, *range(32, 32 + 2 * contacts, 2)), 60).standing for contacts in range(10)]
    assert tended[0] == alone.standing
    assert tended == sorted(tended)
    assert -tended[9] < 0.9 * -at_once.effect, "faded"
    assert booked((0, 10, 20, 30), 3000).standing == pytest.approx(0, abs=0.25)
