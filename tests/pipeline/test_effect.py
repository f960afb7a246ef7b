from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipeline.effect import effect, matching, parse_filter
from pipeline.errors import SettingsError

SINCE = datetime(2026, 6, 1, tzinfo=UTC)


def rows(customers=80, lift=0.0, trend=0.0, seed=5, department=("service", "sales"), untouched=None):
    """Customers write every ten days from 60 days before to 60 after; the first half of them is touched."""
    draw, found = np.random.default_rng(seed), []
    many = customers // 2 if untouched is None else customers - untouched
    for number in range(customers):
        touched = number < many
        own = draw.normal(3, 0.6)
        for day in range(-59, 60, 10):
            mood = own + draw.normal(0, 0.4) + touched * (lift * (day >= 0) + trend * day / 30)
            found.append(
                {
                    "customer": f"c{number:04}", "sent_at": (SINCE + timedelta(days=day)).replace(tzinfo=None),
                    "mood": mood, "disservice": float(mood < 2.8), "risk": 0.5 - 0.1 * mood,
                    "department": department[0] if touched else department[1], "segment": None,
                }
            )  # fmt: skip
    return pa.Table.from_pylist(found)


def asked(table, **more):
    return effect(table, SINCE, 60, {"department": "service"}, **more)


def test_a_lift_is_found_with_an_interval_and_said_in_words():
    found = asked(rows(lift=0.5))
    mood, disservice, risk = found.changes
    assert found.verdict == "helped"
    assert mood.low < 0.5 < mood.high
    assert mood.low > 0
    assert disservice.difference < 0
    assert risk.difference == pytest.approx(-0.1 * mood.difference)
    assert (found.touched, found.untouched) == (40, 40)
    assert found.words[-1] == "It helped: mood rose more than among customers it did not touch."


def test_harm_is_called_harm():
    assert asked(rows(lift=-0.5)).verdict == "harmed"


def test_nothing_done_cannot_be_told():
    found = asked(rows())
    assert found.verdict == "cannot tell"
    assert found.changes[0].low < 0 < found.changes[0].high


def test_ninety_percent_of_intervals_cover_the_truth():
    found = [asked(rows(lift=0.3, seed=seed, customers=60), seed=seed).changes[0] for seed in range(60)]
    assert 0.8 <= np.mean([change.low <= 0.3 <= change.high for change in found]) <= 0.98


@pytest.mark.parametrize("side", ["touched", "untouched"])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_from_few_customers_no_interval_is_made_up(side, count):
    found = asked(rows(customers=40 + count, untouched=count if side == "untouched" else 40, lift=1.5))
    assert getattr(found, side) == count
    assert found.verdict == "cannot tell"
    assert all(change.low is change.high is change.trend_low is None for change in found.changes)
    assert found.changes[0].difference == pytest.approx(1.5, abs=0.7)
    assert "(no interval: too few customers)" in found.words[0]
    assert any(line.startswith("Warning: it cannot be told") for line in found.words)
    assert not any("90 % interval" in line for line in found.words)


def test_ten_customers_are_enough_for_an_interval_that_covers():
    found = [asked(rows(customers=50, untouched=10, lift=0.3, seed=seed), seed=seed) for seed in range(60)]
    covered = [change.low <= 0.3 <= change.high for change in (one.changes[0] for one in found)]
    assert np.mean(covered) >= 0.86


def test_groups_that_went_apart_before_are_warned_of():
    found = asked(rows(trend=0.4))
    assert found.verdict == "cannot tell"
    assert found.changes[0].trend > 0.2
    assert any(line.startswith("Warning: mood went apart") for line in found.words)


def test_too_few_customers_cannot_tell():
    found = asked(rows(customers=8, lift=2.0))
    assert found.verdict == "cannot tell"
    assert any("10 are needed on each side" in line for line in found.words)


def test_nobody_untouched_cannot_tell_and_nobody_touched_is_an_error():
    found = asked(rows(department=("service", "service")))
    assert (found.untouched, found.changes, found.verdict) == (0, (), "cannot tell")
    with pytest.raises(SettingsError, match="no message from 60 days before to 60 days after matches department=moon"):
        effect(rows(customers=4), SINCE, 60, {"department": "moon"})


def test_a_control_narrows_whom_to_compare_with():
    table = rows()
    halved = np.where(np.arange(len(table)) % 24 < 12, "gold", "tin")
    table = table.set_column(table.column_names.index("segment"), "segment", pa.array(halved))
    assert asked(table, control={"segment": "gold"}).untouched == 20


def test_same_seed_same_answer():
    assert asked(rows()) == asked(rows())


def test_filters_are_read_and_bad_ones_refused():
    assert parse_filter("department=service, channel = tweet") == {"department": "service", "channel": "tweet"}
    for bad in ("", "department", "department=", "mood=5", "department=a,,"):
        with pytest.raises(SettingsError, match="should be NAME=VALUE with one of source, channel"):
            parse_filter(bad)


def test_matching_takes_all_conditions_and_no_case():
    table = pa.table({"channel": ["Tweet", "tweet", None], "product": ["a", "b", "a"]})
    assert matching(table, {"channel": "tweet", "product": "a"}).tolist() == [True, False, False]
