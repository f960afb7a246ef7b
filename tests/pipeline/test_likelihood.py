from dataclasses import replace

import numpy as np
import pytest

from pipeline.baselines import log_losses
from pipeline.fit import _Problem, prior_parameters
from pipeline.likelihood import Walk, foresee
from pipeline.mood_model import ECHO_FEATURES
from pipeline.sequences import Sequences


def random_sequences(scale, customers=25, seed=0, texts=True):
    """Customers who write one to seven times, days or minutes apart, whatever comes."""
    draw = np.random.default_rng(seed)
    kinds = 3 if scale == "sentiment" else 5
    rows = [
        (f"c{number}", float(day), int(draw.integers(kinds)))
        for number in range(customers)
        for day in np.cumsum(10 ** draw.uniform(-3, 2, draw.integers(1, 8)))
    ]
    readings = np.hstack([draw.dirichlet(np.ones(5), len(rows)), draw.random((len(rows), 16))])
    readings[::5] = np.nan
    return Sequences.of(scale, scale, rows, readings if texts else None)


def lively(seed=1):
    """A model whose echo and habit say something."""
    draw = np.random.default_rng(seed)
    return replace(
        prior_parameters(),
        echo_words=draw.normal(0, 0.2, (2, ECHO_FEATURES)),
        echo_stars=draw.normal(0, 0.2, (2, ECHO_FEATURES)),
        habit_words=np.array([0.3, 0.2]),
        habit_stars=np.array([0.4, -0.1]),
    )


@pytest.mark.parametrize("scale", ["mood", "sentiment", "rating"])
def test_the_loss_of_the_walk_is_that_of_the_filter(scale):
    """Two codes, one model: the walk rounds gaps to a grid, the filter does not."""
    sequences, parameters = random_sequences(scale), lively()
    walk = Walk(sequences, parameters)
    loss, _ = walk.walk(walk.pieces(parameters))
    assert loss == pytest.approx(log_losses(sequences, foresee(sequences, parameters)).sum(), rel=2e-3)


def objective(problem, point):
    losses = (walk.walk(walk.pieces(problem.vector.parameters(point, i)))[0] for i, walk in enumerate(problem._walks))
    return 0.5 * point @ point + sum(losses)


def test_the_slope_is_that_of_the_objective():
    words = random_sequences("sentiment")
    stars = random_sequences("rating", seed=2)
    last = np.array([stars.days[stars.codes == c].max() for c in range(len(stars.customers))])
    draw = np.random.default_rng(3)
    stars = replace(stars, heard=last + draw.exponential(20, len(last)), left=draw.random(len(last)) < 0.3)
    problem = _Problem([words, stars], lively())
    point = draw.normal(0, 0.1, len(problem.vector.names))
    value, slope = problem.value_and_slope(point)
    assert value == pytest.approx(objective(problem, point))
    firsts = [problem.vector.names.index(name) for name in dict.fromkeys(problem.vector.names)]
    for j in firsts:
        step = np.zeros(len(point))
        step[j] = 1e-5
        up, down = (objective(problem, point + sign * step) for sign in (1, -1))
        assert slope[j] == pytest.approx((up - down) / 2e-5, rel=2e-3, abs=2e-3), problem.vector.names[j]


def test_foreseen_shares_use_only_the_past_also_where_texts_were_read():
    sequences, parameters = random_sequences("sentiment"), lively()
    shares = foresee(sequences, parameters)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
    last = np.flatnonzero(np.diff(sequences.codes, append=-1))
    outcomes, readings = sequences.outcomes.copy(), sequences.readings.copy()
    outcomes[last] = 2 - outcomes[last]
    readings[last] = 0.5
    changed = replace(sequences, outcomes=outcomes, readings=readings)
    np.testing.assert_allclose(foresee(changed, parameters), shares, atol=1e-12)


def test_what_is_foreseen_of_one_does_not_depend_on_the_others():
    sequences, parameters = random_sequences("rating"), lively()
    alone = np.vstack(
        [foresee(sequences.chosen(lambda key, one=one: key == one), parameters) for one in sequences.customers]
    )
    np.testing.assert_allclose(foresee(sequences, parameters), alone, atol=1e-12)
