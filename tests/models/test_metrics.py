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


def test_interval_holds_the_figure_and_narrows_with_rows():
    generator = np.random.default_rng(3)
    hits = generator.random(4000) < 0.8

    def width(rows):
        low, high = metrics.interval(lambda places: float(hits[:rows][places].mean()), rows)
        assert low < hits[:rows].mean() < high
        return high - low

    assert width(4000) < width(200) / 3
