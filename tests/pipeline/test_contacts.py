import numpy as np
import pytest

from pipeline.contacts import ENOUGH, gaps, known, lifts, shrunk
from pipeline.errors import SettingsError


def group(name, compared, lift, variance=0.25, **more):
    return {
        "name": name, "contacts": compared + 1, "customers": compared, "compared": compared, "lift": lift,
        "variance": variance, "during": 0.1, **more,
    }  # fmt: skip


def test_three_calls_make_no_league_table():
    found = lifts([group("ana", 40, 0.2), group("bo", 3, 1.4), group("cy", 60, -0.1)])
    assert [lift.name for lift in found] == ["ana", "cy", "bo"]
    assert [lift.rank for lift in found] == [1, 2, None]
    bo = found[2]
    assert bo.mean == 1.4
    assert bo.lift < 1.4
    assert bo.low < bo.lift < bo.high
    assert bo.high - bo.low > found[0].high - found[0].low


def test_a_group_whose_contacts_have_none_before_is_listed_without_a_lift():
    found = lifts([group("ana", 0, None, None), group("bo", 8, 0.5)])
    assert [lift.name for lift in found] == ["bo", "ana"]
    assert found[1].lift is None
    assert lifts([]) == []
    assert lifts([group("ana", 0, None, None)])[0].rank is None


def test_shrinking_beats_plain_means_and_its_intervals_cover():
    draw, groups = np.random.default_rng(4), 60
    inside, plain, drawn = [], [], []
    for _ in range(40):
        truth = draw.normal(0.1, 0.3, groups)
        count = draw.integers(2, 12, groups).astype(float)
        mean = truth + draw.normal(0, 0.6 / np.sqrt(count))
        estimate, error = shrunk(mean, count, np.full(groups, 0.36))
        inside.append(np.abs(estimate - truth) <= 1.645 * error)
        plain.append((mean - truth) ** 2)
        drawn.append((estimate - truth) ** 2)
    assert 0.85 <= np.mean(inside) <= 0.95
    assert np.mean(drawn) < 0.8 * np.mean(plain)


def test_groups_that_do_not_differ_are_drawn_together():
    estimate, error = shrunk(np.array([0.2, -0.2]), np.array([4.0, 4.0]), np.array([1.0, 1.0]))
    assert np.ptp(estimate) < 0.1
    assert (error > 0).all()


def pair(one, other, customers, gap, variance):
    return {
        "one": one, "other": other, "customers": customers, "level_one": 4.0, "level_other": 4.0 - gap, "gap": gap,
        "variance": variance,
    }  # fmt: skip


def test_a_gap_is_clear_only_with_an_interval_off_zero_and_enough_customers():
    found = gaps([pair("a", "b", 40, 0.1, 1.0), pair("sales", "service", 30, 1.2, 0.5), pair("x", "y", 3, 2.0, 0.01)])
    assert [(gap.one, gap.clear) for gap in found] == [("sales", True), ("x", False), ("a", False)]
    sales = found[0]
    assert sales.low == pytest.approx(1.2 - 1.699127 * (0.5 / 30) ** 0.5, abs=1e-5)
    assert found[1].customers < ENOUGH


def test_one_customer_gives_a_gap_without_an_interval():
    (gap,) = gaps([pair("a", "b", 1, 1.0, None)])
    assert (gap.low, gap.high, gap.clear) == (None, None, False)


def test_a_strange_group_is_refused_with_the_choice():
    with pytest.raises(SettingsError, match="--by moon: not known; it is one of agent, team"):
        known("moon", ("agent", "team"))
