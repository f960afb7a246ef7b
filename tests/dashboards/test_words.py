from datetime import datetime

import pytest

from dashboards import words

NOW = datetime(2026, 9, 16, 20, 0)


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0%"), (0.004, "<1%"), (0.345, "34%"), (0.996, ">99%"), (1.0, "100%")]
)
def test_probability_never_rounds_to_certainty(share, said):
    assert words.percent(share) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "unknown"), (310, "310"), (2400.4, "2,400"), (12_400, "12.4k"), (3_100_000, "3.1M")]
)
def test_amount_names_no_currency(value, said):
    assert words.amount(value) == said


@pytest.mark.parametrize(("change", "said"), [(-0.84, "−0.8"), (0.31, "+0.3"), (-0.01, "0.0")])  # noqa: RUF001
def test_steps_have_a_sign_unless_they_round_to_nothing(change, said):
    assert words.steps(change) == said


@pytest.mark.parametrize(
    ("days", "said"),
    [(None, "over a year"), (0.0, "now"), (0.7, "under a day"), (9.2, "9 days"), (48, "7 weeks"), (200, "7 months")],
)
def test_days_left_are_said_in_the_unit_that_fits(days, said):
    assert words.days_left(days) == said


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 9, 16, 1), "same day"),
        (datetime(2026, 9, 15, 23), "a day ago"),
        (datetime(2026, 9, 10), "6 days ago"),
        (datetime(2026, 7, 3), "11 weeks ago"),
    ],
)
def test_past_times_are_said_from_now(at, said):
    assert words.days_before(at, NOW) == said.replace("11 weeks", words.span(75))


def test_unknown_items_lose_their_underscores():
    assert (words.item("no_human"), words.item("new_thing")) == ("no human to reach", "new thing")
