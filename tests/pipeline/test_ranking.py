import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.ranking import at_recall, average_precision, roc_auc, threshold_at


@pytest.mark.parametrize("decimals", [1, 6], ids=["ties", "none"])
def test_the_areas_are_those_of_scikit_learn(decimals):
    draw = np.random.default_rng(0)
    came = draw.random(300) < 0.2
    scores = np.round(draw.random(300) + 0.4 * came, decimals)
    assert roc_auc(scores, came) == pytest.approx(roc_auc_score(came, scores))
    assert average_precision(scores, came) == pytest.approx(average_precision_score(came, scores))


def test_rates_at_a_recall():
    scores, came = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]), np.array([True, False, True, False, False, False])
    precision, false = at_recall(scores, came, 1.0)
    assert precision == pytest.approx(2 / 3)
    assert false == pytest.approx(1 / 4)
    assert at_recall(scores, came, 0.5)[1] == 0
    assert threshold_at(scores, came, 0.5) == 0.9
    assert threshold_at(scores, came, 1.0) == 0.7


def test_scores_that_are_all_equal_find_nothing_by_chance_alone():
    came = np.arange(100) % 10 == 0
    assert roc_auc(np.zeros(100), came) == pytest.approx(0.5)
    assert at_recall(np.zeros(100), came, 0.5) == pytest.approx((0.1, 0.5))


def test_nothing_to_find_is_not_a_number():
    assert np.isnan(average_precision(np.zeros(3), np.zeros(3, dtype=bool)))
    assert np.isnan(roc_auc(np.zeros(3), np.ones(3, dtype=bool)))
    assert np.isnan(at_recall(np.zeros(3), np.zeros(3, dtype=bool), 0.5)[1])
