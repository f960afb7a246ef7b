import pytest

from dashboards.advice import Standing, advise
from models.labels import DISSERVICES
from pipeline.alerts import NEXT_STEP


def standing(**changed):
    return Standing(
        **{"stage": "annoyed", "slope_30d": -0.3, "risk_30d": 0.1, "days_left": 60.0, "silent_days": 3, **changed}
    )


@pytest.mark.parametrize("item", DISSERVICES)
def test_every_disservice_can_be_made_good(item):
    said = advise(standing(), [(item, -0.1)])[1]
    assert said == f"{NEXT_STEP[item][:1].upper()}{NEXT_STEP[item][1:]}."


def test_amends_are_for_the_two_dearest_costs_and_never_for_gains():
    lines = advise(standing(), [("ignored", -0.2), ("runaround", -0.9), ("long_wait", -0.4), ("no_human", 0.8)])
    assert [line.removesuffix(".").casefold() for line in lines[1:]] == [
        NEXT_STEP["runaround"].casefold(),
        NEXT_STEP["long_wait"].casefold(),
    ]


@pytest.mark.parametrize(
    ("changed", "begins"),
    [
        ({"stage": "gone"}, "Probably gone"),
        ({"stage": "furious"}, "Call today"),
        ({"days_left": 5.0}, "Call today"),
        ({"risk_30d": 0.6}, "Call today"),
        ({}, "Call this week"),
        ({"stage": "unsure"}, "A short personal note"),
        ({"stage": "delighted", "slope_30d": 0.1}, "Nothing is needed"),
    ],
)
def test_how_soon_follows_where_they_stand(changed, begins):
    assert advise(standing(**changed), [])[0].startswith(begins)


def test_the_gone_get_no_amends():
    assert len(advise(standing(stage="gone"), [("ignored", -2.0)])) == 1


def test_silence_of_the_soured_is_named_and_of_the_happy_is_not():
    assert "stopped telling" in advise(standing(silent_days=40), [])[-1]
    assert len(advise(standing(stage="content", silent_days=40), [])) == 1
