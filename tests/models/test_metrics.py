import numpy as np
import pytest

from models import metrics


def test_kappa_against_the_worked_example():
    # sklearn.metrics.cohen_kappa_score([0,1,2,3,4,4,2], [0,1,1,3,3,4,0], weights="quadratic")
    truth, guess = np.array([0, 1, 2, 3, 4, 4, 2]), np.array([0, 1, 1, 3, 3, 4, 0])
    assert metrics.quadratic_kappa(metrics.confusion(truth, guess, 5)) == pytest.approx(0.8073394, abs=1e-6)


def test_figures_agree_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the train extra")
    generator = np.random.default_rng(1)
    truth, guess = generator.integers(0, 5, 300), generator.integers(0, 5, 300)
    table = metrics.confusion(truth, guess, 5)
    assert metrics.macro_f1(table) == pytest.approx(sklearn.f1_score(truth, guess, average="macro"))
    assert metrics.macro_recall(table) == pytest.approx(sklearn.recall_score(truth, guess, average="macro"))
    assert metrics.quadratic_kappa(table) == pytest.approx(sklearn.cohen_kappa_score(truth, guess, weights="quadratic"))
    many, guessed = generator.random((200, 14)) < 0.2, generator.random((200, 14)) < 0.3
    assert metrics.macro_label_f1(many, guessed) == pytest.approx(sklearn.f1_score(many, guessed, average="macro"))


def test_macro_absolute_error_weighs_classes_alike():
    truth, guess = np.array([0, 0, 0, 0, 4]), np.array([0, 0, 0, 0, 2])
    assert metrics.macro_absolute_error(metrics.confusion(truth, guess, 5)) == pytest.approx(1.0)


def test_calibration_error_is_nought_for_honest_odds_and_large_for_bluster():
    generator = np.random.default_rng(2)
    truth = generator.integers(0, 2, 20_000)
    honest = np.where(generator.random(20_000) < 0.7, truth, 1 - truth)
    seventy = np.where(np.arange(2) == honest[:, None], 0.7, 0.3)
    sure = np.where(np.arange(2) == honest[:, None], 0.99, 0.01)
    assert metrics.calibration_error(seventy, truth) < 0.02
    assert metrics.calibration_error(sure, truth) == pytest.approx(0.29, abs=0.02)


def test_intervals_hold_the_figure_and_narrow_with_rows():
    generator = np.random.default_rng(3)
    hits = generator.random(4000) < 0.8

    def width(rows):
        spans = metrics.intervals(lambda places: {"hits": float(hits[:rows][places].mean())}, rows)
        low, high = spans["hits"]
        assert low < hits[:rows].mean() < high
        return high - low

    assert width(4000) < width(200) / 3


def test_draws_in_which_a_figure_is_not_defined_are_passed_over():
    truth = np.array([True, False])
    spans = metrics.intervals(lambda places: {"mean": 0.5 if truth[places].any() else float("nan")}, 2)
    assert spans == {"mean": (0.5, 0.5)}


def test_the_balanced_decision_weighs_a_rare_class_up():
    # Mean shares 0.7, 0.2, 0.1. Row 2 weighed: 0.4 / 0.7, 0.35 / 0.2, 0.25 / 0.1 = 0.571, 1.75, 2.5; expected errors
    # of the classes: 1.75 + 2 * 2.5, 0.571 + 2.5, 2 * 0.571 + 1.75 = 6.75, 3.071, 2.893.
    probabilities = np.array([[0.85, 0.125, 0.025], [0.4, 0.35, 0.25], [0.85, 0.125, 0.025]])
    assert probabilities.mean(axis=0) == pytest.approx([0.7, 0.2, 0.1])
    assert metrics.balanced_decision(probabilities).tolist() == [0, 2, 0]


def test_the_balanced_decision_passes_over_a_class_that_nothing_speaks_for():
    assert metrics.balanced_decision(np.eye(5)[[0, 0, 4, 1]]).tolist() == [0, 0, 4, 1]


TRUTH = np.array([[True, False], [False, False], [True, False], [False, False], [True, False]])
CHANCES = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.3, 0.4], [0.3, 0.5]])


def test_average_precision_by_hand():
    # Hits stand first and third; the last shares its probability with a miss, so both come in at 3 of 5.
    found = metrics.average_precision(TRUTH, CHANCES)
    assert found[0] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert np.isnan(found[1])


def test_average_precision_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the train extra")
    generator = np.random.default_rng(4)
    truth, chances = generator.random((300, 4)) < 0.2, generator.random((300, 4)).round(1)
    expected = sklearn.average_precision_score(truth, chances, average=None)
    assert metrics.average_precision(truth, chances) == pytest.approx(expected)


def test_labels_by_hand():
    guess = (
        CHANCES >= 0.5
    )  # first label: two of three given are right, two of three found; second: one given, none right
    assert metrics.label_precision(TRUTH, guess) == pytest.approx([2 / 3, 0])
    assert metrics.label_recall(TRUTH, guess) == pytest.approx([2 / 3, np.nan], nan_ok=True)
    assert metrics.label_f1(TRUTH, guess) == pytest.approx([2 / 3, 0])
    assert metrics.over_occurring(metrics.label_precision(TRUTH, guess), TRUTH) == pytest.approx(2 / 3)
    assert metrics.micro_label_f1(TRUTH, guess) == pytest.approx(4 / 7)
    assert metrics.exact_match(TRUTH, guess) == pytest.approx(3 / 5)


def test_label_reliability_puts_every_row_and_label_in_its_bin():
    points = metrics.label_reliability(np.array([[0.9, 0.1], [0.8, 0.3]]), np.array([[True, False], [False, True]]), 2)
    assert points == [pytest.approx((0.2, 0.5, 0.5)), pytest.approx((0.85, 0.5, 0.5))]
    assert metrics.curve_error(points) == pytest.approx(0.5 * 0.3 + 0.5 * 0.35)
