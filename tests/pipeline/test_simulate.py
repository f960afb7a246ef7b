from dataclasses import replace

import numpy as np
import pytest

from pipeline.fit import prior_parameters
from pipeline.mood_model import GONE, MoodFilter, risk, states_of
from pipeline.simulate import at_end, recovery, simulate, truths


def world():
    """The prior, with contacts told apart by minutes, so that the simulation and the filter mean the same by them."""
    return replace(prior_parameters(), contact_gap=0.01, turn_weight=1 - 1e-9)


@pytest.fixture(scope="module")
def simulated():
    return simulate(world(), 4000, 240.0, seed=2)


def test_the_truth_lies_where_the_filter_says_it_does(simulated):
    report = truths(world(), simulated)
    assert 0.85 <= report["coverage"] <= 0.95
    for churn in report["churn"].values():
        assert abs(churn["claimed"] - churn["left"]) <= 0.03
        assert churn["calibration_error"] <= 0.03


def test_a_wrong_model_is_found_out(simulated):
    """The checks above can fail: hazards three times too high."""
    wrong = world()
    generator = wrong.generator.copy()
    generator[:GONE, GONE] *= 3
    generator[np.diag_indices(6)] = 0
    generator[np.diag_indices(6)] = -generator.sum(1)
    assert truths(replace(wrong, generator=generator).check(), simulated)["churn"]["90"]["calibration_error"] > 0.03


def test_the_same_seed_gives_the_same_world_and_time_ends_where_it_should(simulated):
    again = simulate(world(), 4000, 240.0, seed=2)
    np.testing.assert_array_equal(again.sequences.outcomes, simulated.sequences.outcomes)
    np.testing.assert_array_equal(again.left_at, simulated.left_at)
    assert simulated.sequences.days.max() <= 240
    assert np.all(simulated.state[simulated.left_at < 240] == GONE)


def test_silence_after_harm_raises_the_risk_of_leaving_and_after_delight_does_not():
    """In the simulated world itself: of those last heard happy or angry, who had left?"""
    made = simulate(world(), 4000, 150.0, seed=5)
    last = np.append(np.flatnonzero(~made.sequences.later)[1:] - 1, len(made.sequences.codes) - 1)
    quiet = made.end - made.sequences.days[last]
    mood = made.sequences.outcomes[last]
    gone = made.state == GONE
    left = {
        name: gone[here & (quiet > 30) & (quiet < 60)].mean()
        for name, here in {"harm": mood >= 3, "delight": mood == 0}.items()
    }
    believed = at_end(world(), made)[:, GONE]
    claims = {
        name: believed[here & (quiet > 30) & (quiet < 60)].mean()
        for name, here in {"harm": mood >= 3, "delight": mood == 0}.items()
    }
    assert left["harm"] > 0.25 > 0.05 > left["delight"]
    assert claims["harm"] == pytest.approx(left["harm"], abs=0.08)
    assert claims["delight"] == pytest.approx(left["delight"], abs=0.03)


def test_gone_customers_run_no_further_risk():
    machine = MoodFilter(world())
    states = states_of(machine.silence(machine.start(1), np.array([5000.0])))
    assert risk(world(), states, 90)[0] == pytest.approx(states[0, GONE], abs=0.02)


@pytest.mark.slow
def test_a_fit_finds_figures_drawn_from_its_prior_as_often_as_it_claims():
    found = [recovery(world(), 250, 150.0, seed) for seed in range(2)]
    figures, inside = (sum(one[name] for one in found) for name in ("figures", "inside"))
    assert figures > 40
    assert 0.82 <= inside / figures <= 0.97
    assert np.mean([one["shrunk"] for one in found]) < 0.85
