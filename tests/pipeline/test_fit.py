import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from pipeline.echo import READING
from pipeline.errors import SourceError
from pipeline.fit import (
    Sequences,
    evaluate,
    fit,
    foresee,
    main,
    outcome_shares,
    prior_parameters,
    read_airline,
    read_amazon,
)
from pipeline.mood_model import GONE, LIVE, Parameters, generator_of, ladder_emission


def truth():
    """A lively model that differs from the prior where a fit should find it."""
    down, up = 1 / np.array([30.0, 40.0, 40.0, 60.0]), 1 / np.array([60.0, 60.0, 60.0, 60.0])
    start = prior_parameters()
    return replace(
        start,
        generator=generator_of(down, up, start.generator[:LIVE, GONE]),
        contact_days=3.0,
        contact_shock=0.02,
        initial=np.array([0.3, 0.3, 0.2, 0.1, 0.1, 0.0]),
        emission=ladder_emission(np.arange(LIVE) * 1.6, np.arange(LIVE) * 1.6, np.array([1.5, 1.0, 0.8, 1.0, 1.5])),
    ).check()


def simulate(parameters, customers, contacts, seed=1):
    """Walk people through contacts eleven days apart on average; nobody leaves; messages' moods are seen."""
    draw = np.random.default_rng(seed)
    moves = generator_of(
        np.diag(parameters.generator, 1)[: LIVE - 1], np.diag(parameters.generator, -1)[: LIVE - 1], np.zeros(LIVE)
    )
    rows = []
    for number in range(customers):
        state, day = draw.choice(6, p=parameters.initial), 0.0
        for _ in range(contacts):
            rows.append((f"p{number:05}", day, int(draw.choice(5, p=parameters.emission[state]))))
            gap = draw.exponential(10.0) + 1.0
            day += gap
            state = draw.choice(6, p=expm(moves * (gap + parameters.contact_days))[state])
            if draw.random() < parameters.contact_shock:
                state = draw.choice(6, p=parameters.initial)
    return Sequences.of("simulated", "mood", rows)


@pytest.fixture(scope="module")
def simulated():
    return simulate(truth(), 400, 12)


@pytest.fixture(scope="module")
def found(simulated):
    return fit([simulated.halves()[0]], prior_parameters())


@pytest.mark.slow
def test_a_fit_recovers_what_the_simulation_used(found):
    prior, got, true = (
        (one.emission, expm(one.generator * 30)[:LIVE, :LIVE], one.initial)
        for one in (prior_parameters(), found.local[0], truth())
    )
    for name, before, fitted, sought in zip(("emission", "moves", "initial"), prior, got, true, strict=True):
        assert np.abs(fitted - sought).mean() < 0.75 * np.abs(before - sought).mean(), name


@pytest.mark.slow
def test_a_fit_foresees_strangers_nearly_as_well_as_the_truth_and_better_than_averages(found, simulated):
    seen, held_out = simulated.halves()
    fitted, true = (evaluate(held_out, one, seen, draws=200) for one in (found.local[0], truth()))
    assert fitted["log_loss"] < true["log_loss"] + 0.01
    assert fitted["log_loss"] < min(fitted["baselines"].values())


def test_foreseen_shares_sum_to_one_and_use_only_the_past():
    sequences, parameters = simulate(truth(), 20, 6), prior_parameters()
    shares = foresee(sequences, parameters)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
    last = np.flatnonzero(np.diff(sequences.codes, append=-1))
    changed = sequences.outcomes.copy()
    changed[last] = 4 - changed[last]
    np.testing.assert_array_equal(foresee(replace(sequences, outcomes=changed), parameters), shares)


def test_sentiment_is_a_coarser_view_of_mood():
    shares = outcome_shares(prior_parameters(), "sentiment")
    emission = prior_parameters().emission
    np.testing.assert_allclose(shares, np.stack([emission[:, 3:].sum(1), emission[:, 2], emission[:, :2].sum(1)], 1))


def test_halves_are_disjoint_and_whole():
    sequences = simulate(truth(), 30, 3)
    seen, held_out = sequences.halves()
    assert not set(seen.customers) & set(held_out.customers)
    assert len(seen.codes) + len(held_out.codes) == len(sequences.codes)
    assert len(seen.customers) > 5 < len(held_out.customers)


def test_ties_in_time_keep_their_order():
    sequences = Sequences.of("ties", "sentiment", [("b", 1.0, 2), ("a", 1.0, 0), ("a", 1.0, 2), ("a", 0.5, 1)])
    assert sequences.outcomes.tolist() == [1, 0, 2, 2]
    assert sequences.customers == ("a", "b")


def test_amazon_copies_of_a_text_count_once(tmp_path):
    review = {"reviewerID": "A", "reviewText": "good", "unixReviewTime": 86_400, "overall": 5.0}
    rows = [review, review | {"asin": "other"}, review | {"reviewText": "bad", "overall": 1.0}]
    (tmp_path / "All_5.json").write_text("\n".join(json.dumps(row) for row in rows))
    assert read_amazon(tmp_path).outcomes.tolist() == [4, 0]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"Tweets\.csv is not there"):
        read_airline(tmp_path / "Tweets.csv")


def test_the_shipped_scores_are_those_of_the_shipped_file(shared):
    """The shared figures alone, in the climate of the default, still beat the plain prior on tweets of strangers."""
    shipped = Parameters.load()
    seen, held_out = read_airline(shared / "data" / "airline" / "Tweets.csv").halves()
    score = evaluate(held_out, shipped, seen, draws=50)
    recorded = shipped.about["scores"]["airline"]
    assert score["baselines"] == recorded["baselines"]
    assert score["steps"] == recorded["steps"]
    assert recorded["log_loss"] < score["log_loss"] < score["baselines"]["prior"]


@pytest.mark.slow
def test_the_command_writes_a_model_that_beats_the_averages(shared, tmp_path, capsys):
    unread = ["--shared", str(shared / "data"), "--out", str(tmp_path / "model.json"), "--iterations", "8"]
    assert main(unread, lambda texts: np.full((len(texts), READING), np.nan)) == 0
    scores = json.loads(capsys.readouterr().out)
    assert set(scores) == {"airline", "amazon", "amazon2023"}
    assert json.loads((tmp_path / "model.json").read_text())["about"]["scores"] == scores
    assert scores["airline"]["log_loss"] < min(scores["airline"]["baselines"].values())
