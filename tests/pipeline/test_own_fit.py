import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import SettingsError
from pipeline.fit import fit_for_tracking, prior_parameters
from pipeline.mood_model import Parameters
from pipeline.own_fit import fit_own, own_sequences
from pipeline.simulate import simulate

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def history(customers, seed=3, rated=0):
    """What a warehouse tells of simulated customers whose words are read well, the first ``rated`` by stars too."""
    truth = replace(
        prior_parameters(),
        contact_shock=0.01,
        contact_days=1.0,
        turn_chance=np.full(6, 0.1),
        initial=np.array([0.35, 0.15, 0.05, 0.15, 0.3, 0.0]),
        arrivals=prior_parameters().arrivals * np.append(np.full(5, 3.0), 1.0),
    )
    made = simulate(truth, customers, 120.0, seed=seed).sequences
    sharp = 0.8 * np.eye(5)[made.outcomes] + 0.04
    count = len(made.codes)
    return pa.table(
        {
            "customer_id": [made.customers[code] for code in made.codes],
            "sent_at": pa.array([BEGAN + timedelta(days=day) for day in made.days], pa.timestamp("us", "UTC")),
            "as_of": pa.array([BEGAN + timedelta(days=120)] * count, pa.timestamp("us", "UTC")),
            "rating": pa.array(
                [5.0 - mood if code < rated else None for code, mood in zip(made.codes, made.outcomes, strict=True)],
                pa.float64(),
            ),
            "mood": pa.array(sharp.tolist(), pa.list_(pa.float64())),
            "intents": pa.array([[0.1] * 15] * count, pa.list_(pa.float64())),
            "disservices": pa.array([[0.1] * 14] * count, pa.list_(pa.float64())),
        }
    )


def test_a_customer_is_in_one_set_only():
    sets = {one.scale: one for one in own_sequences(history(30, rated=12))}
    assert set(sets) == {"rating", "reading"}
    assert not set(sets["rating"].customers) & set(sets["reading"].customers)
    assert sets["rating"].heard is None
    np.testing.assert_allclose(sets["reading"].heard, sets["reading"].heard[0])
    assert np.all(sets["reading"].heard[sets["reading"].codes] >= sets["reading"].days)


def test_who_left_is_known_by_then_and_who_came_back_is_not():
    table = history(30)
    names = table["customer_id"].unique().to_pylist()[:4]
    told = [
        (names[0], "left", 119.5),
        (names[0], "refund", 119.6),
        (names[1], "left", 119.5),
        (names[1], "won_back", 119.6),
        (names[2], "left", 130.0),
        (names[3], "left", -1.0),
    ]
    events = pa.table(
        {
            "customer_id": [name for name, *_ in told],
            "kind": [kind for _, kind, _ in told],
            "happened_at": pa.array([BEGAN + timedelta(days=day) for *_, day in told], pa.timestamp("us", "UTC")),
        }
    )
    (alone,) = own_sequences(table)
    (known,) = own_sequences(table, events)
    first = known.customers.index(names[0])
    assert np.flatnonzero(known.left).tolist() == [first]
    assert alone.heard[first] - known.heard[first] == pytest.approx(0.5)


def test_too_little_is_refused_with_the_numbers():
    with pytest.raises(SettingsError, match=r"too little history to fit: \d+ customers .* it takes 50 and 200"):
        fit_own(history(10), prior_parameters())


def test_what_cannot_be_judged_on_others_neither_decides_nor_shows(monkeypatch):
    """The only customer who rates is in one half: of ratings nothing is known on the other."""
    table = history(70, rated=1)
    assert {one.scale for one in own_sequences(table)} == {"rating", "reading"}
    monkeypatch.setattr("pipeline.own_fit.fit_for_tracking", partial(fit_for_tracking, iterations=1))
    _, scores = fit_own(table, prior_parameters())
    assert set(scores) == {"reading"}
    assert np.isfinite(scores["reading"]["log_loss"])


@pytest.mark.slow
def test_a_company_unlike_the_default_gets_its_own_model_with_scores_beside_it(tmp_path):
    found, scores = fit_own(history(160), prior_parameters())
    assert found is not None
    found.save(tmp_path / "own.json")
    about = json.loads((tmp_path / "own.json").read_text())["about"]
    assert about["scores"] == scores
    assert scores["reading"]["log_loss"] < scores["reading"]["default_log_loss"]
    assert set(scores["reading"]["baselines"]) == {"prior", "last_value", "dirichlet_mean", "exponential_mean"}
    assert Parameters.load(tmp_path / "own.json").arrivals[:5].mean() > 1.3 * prior_parameters().arrivals[:5].mean()
