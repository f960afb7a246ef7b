"""The checklists are whole, judge as they say, and the shipped release passes most of them."""

import pytest

from models.behaviour import CAPABILITIES, SAME, Case, check, passes
from models.emoji import EMOJI

FLOORS = {
    "negation": 0.85,
    "intensifiers": 0.75,
    "sarcasm markers": 0.7,
    "neutral is not negative": 0.9,
    "names and handles": 0.9,
    "placeholders": 0.95,
    "typos": 0.85,
    "casing": 0.95,
    "repetition": 0.95,
    "very short replies": 0.9,
    "emoji": 0.6,
}
"""Share of each capability that the shipped release has to pass: some cases below what it was seen to."""


@pytest.fixture(scope="module")
def checked(classifier):
    return check(classifier)


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_each_capability_has_cases_enough_and_all_different(capability):
    cases = CAPABILITIES[capability]()
    assert len(cases) >= 25
    assert len(set(cases)) == len(cases)
    assert all(case.text != case.than for case in cases)


def test_the_emoji_of_the_cases_are_known():
    used = {letter for case in CAPABILITIES["emoji"]() for letter in case.text if ord(letter) > 0x2000}
    assert used <= set(EMOJI)


@pytest.mark.parametrize(
    ("case", "level", "holds"),
    [
        (Case("a", "good"), 3.1, True),
        (Case("a", "good"), 2.9, False),
        (Case("a", "bad"), 3.1, False),
        (Case("a", "not bad"), 2.6, True),
        (Case("a", "not good"), 3.6, False),
        (Case("a", "better", "b"), 3.1, True),
        (Case("a", "worse", "b"), 3.1, False),
        (Case("a", "same", "b"), 3 + SAME + 0.01, False),
        (Case("a", "same", "b"), 3 - SAME + 0.01, True),
    ],
)
def test_a_case_holds_as_it_says(case, level, holds):
    assert passes(case, {"a": level, "b": 3.0}) is holds


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_release_reaches_the_floor(checked, capability):
    found = checked[capability]
    assert found["passed"] >= FLOORS[capability] * found["total"], found["failures"]
    assert len(found["failures"]) == found["total"] - found["passed"]
