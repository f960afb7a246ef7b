import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from pipeline.errors import SettingsError
from pipeline.fit import prior_parameters
from pipeline.mood_model import (
    CHANNELS,
    EVENTS,
    GONE,
    LIVE,
    Course,
    MoodFilter,
    Parameters,
    days_left,
    ladder_emission,
    level_interval,
    level_of,
    message_evidence,
    rating_evidence,
    risk,
    run_filter,
    smooth,
    stage_of,
    states_of,
    text_evidence,
)

BOTH = [prior_parameters(), Parameters.load()]
EVERY = pytest.mark.parametrize("parameters", BOTH, ids=["prior", "shipped"])


def readings(moods, sharpness=1.6):
    """Mood probabilities that peak at the given moods (0 delighted to 4 furious)."""
    shares = np.exp(-sharpness * np.abs(np.subtract.outer(np.asarray(moods), np.arange(5))))
    return shares / shares.sum(1, keepdims=True)


def walk(parameters, days, moods, *, threads=None, stars=None, said=0.0):
    """Run one customer through messages; return the filter's result."""
    n = len(days)
    stars = np.full(n, np.nan) if stars is None else np.asarray(stars, float)
    said = np.broadcast_to(said, n).astype(float)
    threads = np.full(n, -1) if threads is None else np.asarray(threads)
    course = Course.of(np.zeros(n, dtype=np.int64), np.asarray(days, float), threads, parameters)
    voiced = np.where(said > 0, said, parameters.leave_usual)
    likelihood = message_evidence(parameters, np.asarray(moods, float), stars, voiced)
    return run_filter(MoodFilter(parameters), course, likelihood, said, course.counts)


def stand(parameters, found, silent):
    return states_of(MoodFilter(parameters).silence(found.last, np.array([float(silent)])))


def every(days, count):
    return np.arange(count) * float(days)


@EVERY
@pytest.mark.parametrize("days", [1 / 86_400, 0.01, 1.0, 9.5, 40.0, 365.0, 3650.0])
def test_silence_is_the_matrix_exponential(parameters, days):
    belief = MoodFilter(parameters).start(1)
    for k, pace in enumerate(parameters.paces):
        arrivals = parameters.arrivals * np.append(np.full(LIVE, pace), 1.0)
        exact = belief[k, 0] @ expm((parameters.generator - np.diag(arrivals)) * days)
        one = replace(parameters, paces=parameters.paces[k : k + 1], pace_weights=np.ones(1))
        got = MoodFilter(one).silence(belief[k : k + 1] / belief[k].sum(), np.array([days]))
        np.testing.assert_allclose(got[0, 0], exact / exact.sum(), atol=1e-10)


@EVERY
def test_transitions_keep_probability_and_gone_absorbs(parameters):
    moved = expm(parameters.generator * 30)
    np.testing.assert_allclose(moved.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(moved[GONE], np.eye(6)[GONE], atol=1e-15)
    assert (moved >= 0).all()


@EVERY
def test_whoever_writes_is_not_gone_but_may_have_returned(parameters):
    machine = MoodFilter(parameters)
    away = machine.silence(machine.start(1), np.array([2000.0]))
    assert states_of(away)[0, GONE] > 0.9
    back = states_of(machine.contact(away, np.array([1.0])))
    assert back[0, GONE] == 0
    assert back.sum() == pytest.approx(1)


@EVERY
@pytest.mark.parametrize("history", [[], [0, 0, 0], [1, 2, 3], [4, 4], [3, 0, 3, 0]])
def test_angrier_words_never_raise_the_level(parameters, history):
    days = every(10, len(history) + 1)
    levels = [walk(parameters, days, readings([*history, mood])).after[-1] for mood in range(5)]
    assert np.all(np.diff(level_of(np.array(levels))) < 0)


@EVERY
def test_more_stars_never_lower_the_level(parameters):
    stars = np.linspace(1, 5, 17)
    likelihood = rating_evidence(parameters, stars) * parameters.initial
    levels = level_of(likelihood / likelihood.sum(1, keepdims=True))
    assert np.all(np.diff(levels) > 0)
    assert levels[0] < 3 < levels[-1]


@EVERY
def test_emissions_are_totally_positive(parameters):
    for emission in (parameters.emission, parameters.rating_emission[:, ::-1]):
        rows, columns = emission[:LIVE], range(5)
        for low in columns:
            for high in range(low + 1, 5):
                ratio = rows[:, high] / rows[:, low]
                assert np.all(np.diff(ratio) >= -1e-12), (low, high)


def test_ladder_emission_falls_off_with_distance():
    places = np.arange(5.0)
    emission = ladder_emission(places, places, np.ones(5))
    assert np.all(emission.argmax(1)[:LIVE] == np.arange(5))
    np.testing.assert_array_equal(emission[GONE], emission[LIVE - 1])


@EVERY
def test_an_uninformative_message_moves_nothing(parameters):
    likelihood = text_evidence(parameters, np.vstack([parameters.message_prior, np.full(5, np.nan)]))
    np.testing.assert_allclose(likelihood, 1.0)
    np.testing.assert_allclose(rating_evidence(parameters, np.array([np.nan])), 1.0)


@EVERY
def test_silence_after_harm_raises_the_risk_more_than_after_delight(parameters):
    rise = {}
    for name, moods in {"delight": [0] * 5, "content": [1] * 5, "harm": [1, 1, 1, 3, 3]}.items():
        found = walk(parameters, every(14, 5), readings(moods))
        soon, late = (risk(parameters, stand(parameters, found, silent), 90)[0] for silent in (1, 45))
        rise[name] = late - soon
    assert rise["harm"] > 0.1 > 0.08 > rise["content"]
    assert rise["harm"] > 2 * max(rise["delight"], rise["content"])
    assert late > 0.4


@EVERY
def test_a_support_company_sees_what_it_should(parameters):
    happy, soured = readings([1] * 6), readings([1, 1, 1, 1, 3, 4])
    content = stand(parameters, walk(parameters, every(14, 6), happy), 40)
    silent = stand(parameters, walk(parameters, [0, 14, 28, 42, 56, 63], soured), 42)
    assert risk(parameters, content, 90)[0] < 0.15
    assert risk(parameters, silent, 90)[0] > 0.5
    assert silent[0, GONE] > 0.35


@EVERY
def test_one_angry_message_costs_a_delighted_customer_a_step_or_so(parameters):
    levels = level_of(walk(parameters, every(14, 7), readings([0, 0, 0, 0, 0, 0, 4])).after)
    assert 0.5 < levels[-2] - levels[-1] < 2.2


@EVERY
def test_recovery_is_possible(parameters):
    found = walk(parameters, every(14, 7), readings([1, 1, 4, 4, 1, 1, 0]))
    levels = level_of(found.after)
    assert levels[3] < 3 < 3.5 < levels[-1]


@EVERY
def test_a_chat_of_many_turns_is_one_contact(parameters):
    turns = every(1 / 500, 40)
    content = walk(parameters, turns, readings([1] * 40), threads=np.zeros(40, dtype=int))
    furious = walk(parameters, turns, readings([4] * 40), threads=np.zeros(40, dtype=int))
    once = walk(parameters, [0.0], readings([1]))
    pace = [found.last.sum(2)[:, 0] for found in (content, once)]
    assert states_of(content.last)[0].max() < 0.98
    assert states_of(furious.last)[0, LIVE - 1] < 0.97
    np.testing.assert_allclose(content.after[-1], content.after[20], atol=1e-3)
    assert abs(pace[0] - pace[1]).max() < 0.05
    gained = [risk(parameters, stand(parameters, found, 60), 90)[0] for found in (content, once)]
    assert abs(gained[0] - gained[1]) < 0.08


@EVERY
def test_a_neutral_chat_does_not_unsettle_a_delighted_customer(parameters):
    days = np.concatenate([every(14, 6), 90 + every(1 / 500, 10)])
    found = walk(parameters, days, readings([0] * 6 + [2] * 10), threads=[-1] * 6 + [1] * 10)
    levels = level_of(found.after)
    assert levels[5] - levels[-1] < 0.8


@EVERY
def test_the_ending_of_a_chat_counts_most(parameters):
    turns = every(1 / 500, 8)
    mended = walk(parameters, turns, readings([4, 4, 3, 3, 2, 1, 1, 1]), threads=np.zeros(8, dtype=int))
    soured = walk(parameters, turns, readings([1, 1, 1, 2, 3, 3, 4, 4]), threads=np.zeros(8, dtype=int))
    assert level_of(mended.after[-1]) > level_of(soured.after[-1]) + 0.8


@EVERY
def test_turns_of_one_thread_are_one_contact(parameters):
    course = Course.of(
        np.zeros(5, dtype=np.int64), np.array([0, 2.0, 2.1, 30.0, 31.0]), np.array([7, 7, -1, 7, 8]), parameters
    )
    assert course.opens.tolist() == [True, False, False, True, True]
    assert course.threaded.tolist() == [False, True, False, False, False]


@EVERY
def test_a_statement_of_leaving_sends_some_away_and_words_alone_none(parameters):
    said = walk(parameters, every(14, 4), readings([1, 1, 1, 3]), said=np.array([0, 0, 0, 0.9]))
    silent = walk(parameters, every(14, 4), readings([0, 0, 0, 4]))
    assert 0.03 < said.after[-1, GONE] < 0.4
    assert silent.after[-1, GONE] == 0
    assert level_of(said.after[-1]) < level_of(walk(parameters, every(14, 4), readings([1, 1, 1, 3])).after[-1])


@EVERY
def test_the_pace_is_learned_so_a_slow_writer_is_not_missed_early(parameters):
    slow = walk(parameters, every(120, 6), readings([1] * 6))
    quick = walk(parameters, every(7, 6), readings([1] * 6))
    assert stand(parameters, slow, 60)[0, GONE] < 0.1 < stand(parameters, quick, 60)[0, GONE]


@EVERY
def test_what_is_found_of_one_does_not_depend_on_the_others(parameters):
    generator = np.random.default_rng(3)
    counts = generator.integers(1, 30, 60)
    codes = np.repeat(np.arange(60), counts)
    days = np.concatenate([np.sort(generator.uniform(0, 200, count)) for count in counts])
    moods = generator.dirichlet(np.full(5, 0.5), len(codes))

    def run(rows):
        course = Course.of(codes[rows], days[rows], np.full(len(rows), -1), parameters)
        likelihood = message_evidence(parameters, moods[rows], np.full(len(rows), np.nan), np.full(len(rows), 0.01))
        return run_filter(MoodFilter(parameters), course, likelihood, np.zeros(len(rows)), course.counts).after

    together = run(np.arange(len(codes)))
    for customer in range(60):
        rows = np.flatnonzero(codes == customer)
        np.testing.assert_allclose(run(rows), together[rows], rtol=0, atol=1e-12)


@EVERY
def test_a_shift_in_time_changes_nothing(parameters):
    days, moods = np.array([0.0, 3.0, 3.1, 40.0]), readings([0, 3, 4, 2])
    early, late = walk(parameters, days, moods), walk(parameters, days + 4096.0, moods)
    np.testing.assert_allclose(early.after, late.after, atol=1e-9)


@EVERY
def test_ten_thousand_messages_and_gaps_from_seconds_to_decades_stay_finite(parameters):
    generator = np.random.default_rng(5)
    days = np.cumsum(10.0 ** generator.uniform(-5, 3.6, 10_000))
    found = walk(parameters, days, np.eye(5)[generator.integers(0, 5, 10_000)])
    for states in (found.before, found.after):
        assert np.isfinite(states).all()
        assert (states >= 0).all()
        np.testing.assert_allclose(states.sum(1), 1, atol=1e-12)


@EVERY
def test_days_left_agrees_with_the_matrix_exponential(parameters):
    states = np.array([[0, 0, 0, 0, 0.6, 0.4], [0, 0, 0.1, 0.6, 0.25, 0.05], [0.9, 0.1, 0, 0, 0, 0]])
    left = days_left(parameters, states)
    assert left[0] == 0
    assert np.isnan(left[2])
    lost = states[1] @ expm(parameters.generator * left[1])
    assert lost[LIVE - 1 :].sum() == pytest.approx(0.5, abs=1e-3)


@EVERY
def test_risk_grows_with_the_horizon_and_down_the_ladder(parameters):
    near, far = (risk(parameters, np.eye(6), days) for days in (30, 90))
    assert np.all(near <= far)
    assert np.all(np.diff(far) > 0)


def test_stage_is_the_median_state():
    states = np.array([[0.5, 0.5, 0, 0, 0, 0], [0.2, 0.2, 0.2, 0.2, 0.2, 0], [0, 0, 0, 0, 0.4, 0.6]])
    assert stage_of(states).tolist() == [0, 2, 5]


def test_a_saved_model_comes_back_whole(tmp_path):
    parameters = replace(prior_parameters(), about={"data": "a test"})
    parameters.save(tmp_path / "model.json")
    loaded = Parameters.load(tmp_path / "model.json")
    assert loaded.digest() == parameters.digest()
    assert loaded.about == {"data": "a test"}
    assert replace(loaded, contact_days=3.0).digest() != loaded.digest()
    assert replace(loaded, about={}).digest() == loaded.digest()


def test_the_shipped_model_tells_its_data_its_scores_and_what_is_a_prior():
    about = Parameters.load().about
    assert set(about["scores"]) == set(about["data"]) == {"airline", "amazon", "amazon2023"}
    assert "no public set" in about["chosen"]
    for name in ("airline", "amazon"):
        score = about["scores"][name]
        assert score["log_loss"] < min(score["baselines"].values())
        assert score["interval"][1] < 0


def test_a_broken_file_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match=r"python -m pipeline\.fit"):
        Parameters.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(SettingsError, match=r"bad\.json: not a mood model"):
        Parameters.load(tmp_path / "bad.json")
    prior_parameters().save(tmp_path / "short.json")
    content = json.loads((tmp_path / "short.json").read_text())
    del content["figures"]["emission"]
    (tmp_path / "short.json").write_text(json.dumps(content))
    with pytest.raises(SettingsError, match="emission"):
        Parameters.load(tmp_path / "short.json")


@pytest.mark.parametrize(
    ("name", "figure", "fault"),
    [
        ("initial", np.array([0.5, 0.4, 0.0, 0.0, 0.0, 0.0]), "sum to 1"),
        ("initial", np.array([0.5, 0.4, 0.0, 0.0, 0.0, 0.1]), "nothing in gone"),
        ("emission", np.full((6, 4), 0.25), "shape"),
        ("generator", np.zeros((6, 6)), "neighbours"),
        ("arrivals", np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.0]), "above 0"),
        ("contact_days", float("nan"), "not finite"),
    ],
)
def test_impossible_figures_are_refused(name, figure, fault):
    with pytest.raises(SettingsError, match=fault):
        replace(prior_parameters(), **{name: figure}).check()


def test_a_release_brings_its_own_prior():
    parameters = prior_parameters().with_prior((1, 3, 8, 6, 2))
    np.testing.assert_allclose(parameters.message_prior, np.array([1, 3, 8, 6, 2]) / 20)
    with pytest.raises(SettingsError, match="message_prior"):
        prior_parameters().with_prior((0, 1, 1, 1, 1))


def eventful(parameters, days, moods, events):
    """Run one customer through messages and events (a name, or None for a message)."""
    codes = np.array([EVENTS.index(event) if event else -1 for event in events])
    n = len(days)
    course = Course.of(np.zeros(n, dtype=np.int64), np.asarray(days, float), np.full(n, -1), parameters, codes)
    read = np.where(codes[:, None] >= 0, np.nan, readings(moods))
    likelihood = message_evidence(parameters, read, np.full(n, np.nan), np.full(n, parameters.leave_usual))
    return course, run_filter(MoodFilter(parameters), course, likelihood, np.zeros(n), course.counts), likelihood


@EVERY
def test_whom_the_records_say_has_left_is_gone_until_won_back(parameters):
    _, left, _ = eventful(parameters, [0, 10, 20], [1, 1, 0], [None, None, "left"])
    assert left.after[-1, GONE] == pytest.approx(1)
    for event in ("won_back", "renewed", "purchase"):
        _, back, _ = eventful(parameters, [0, 10, 20, 50], [1, 1, 0, 0], [None, None, "left", event])
        assert back.after[-1, GONE] < 1e-9
    _, refunded, _ = eventful(parameters, [0, 10, 20, 50], [1, 1, 0, 0], [None, None, "left", "refund"])
    assert refunded.after[-1, GONE] > 0.9


@EVERY
def test_a_refund_lowers_and_a_renewal_raises(parameters):
    levels = {
        event: level_of(eventful(parameters, [0, 10, 20], [1, 2, 0], [None, None, event])[1].after[-1])
        for event in ("refund", "renewed", "purchase")
    }
    _, before, _ = eventful(parameters, [0, 10], [1, 2], [None, None])
    waited = level_of(stand(parameters, before, 10)[0])
    assert levels["refund"] < waited < levels["purchase"]
    assert waited < levels["renewed"]


@EVERY
def test_after_a_sale_a_customer_is_on_probation_for_a_while(parameters):
    _, sold, _ = eventful(parameters, [0, 10], [1, 0], [None, "purchase"])
    course, _, _ = eventful(parameters, [0, 10, 15, 100], [1, 0, 1, 1], [None, "purchase", None, None])
    assert course.probation.tolist() == [0, 0, 5, 25]
    assert course.probation_left.tolist() == [0]
    machine = MoodFilter(parameters)
    days = np.array([40.0])
    calm, tried = (states_of(machine.silence(sold.last, days, np.array([left]))) for left in (0.0, 30.0))
    assert level_of(tried)[0] < level_of(calm)[0]
    assert risk(parameters, calm, 90, np.array([30.0]))[0] > risk(parameters, calm, 90)[0]
    short = risk(parameters, calm, 10, np.array([30.0]))[0]
    assert short == pytest.approx((calm @ expm(parameters.on_probation() * 10))[0, GONE])


@EVERY
def test_an_event_between_two_messages_splits_the_silence_and_nothing_else(parameters):
    neutral = replace(parameters, event_evidence=np.ones((len(EVENTS), 6)))
    _, split, _ = eventful(neutral, [0, 4, 10], [1, 0, 3], [None, "refund", None])
    _, whole, _ = eventful(neutral, [0, 10], [1, 3], [None, None])
    np.testing.assert_allclose(split.after[-1], whole.after[-1], atol=1e-12)


@EVERY
def test_the_smoother_agrees_with_summing_over_every_path(parameters):
    one = replace(parameters, paces=np.array([1.0, 0.2]), pace_weights=np.array([0.6, 0.4]), turn_weight=0.8)
    course, _, likelihood = eventful(one, [0, 6, 6.1, 30, 44], [1, 3, 4, 0, 1], [None, None, None, "purchase", None])
    said = np.array([0.0, 0.3, 0.0, 0.0, 0.1])
    got = smooth(MoodFilter(one), course, likelihood, said)
    filtered = run_filter(MoodFilter(one), course, likelihood, said, course.counts)
    np.testing.assert_allclose(got[-1], filtered.after[-1], atol=1e-12)
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(got[2], by_hand(one, course, likelihood, said, row=2), atol=1e-9)


def by_hand(parameters, course, likelihood, said, row):
    """Condition on each state at ``row`` in turn: walk on from it for sure and weigh by how well the rest fits."""
    weights = []
    for state in range(6):
        certain = likelihood.copy()
        certain[row] *= np.where(np.arange(6) == state, 1.0, 1e-30)
        weights.append(total_likelihood(parameters, course, certain, said))
    return np.array(weights) / np.sum(weights)


def total_likelihood(parameters, course, likelihood, said):
    """The chance of everything, by matrices alone."""
    machine, belief, total = MoodFilter(parameters), None, 0.0
    weight = np.where(course.opens, 1.0, parameters.turn_weight)[:, None]
    evidence = np.exp(np.log(likelihood) * weight)
    for k, share in enumerate(parameters.pace_weights):
        belief = share * parameters.initial
        for i in range(len(likelihood)):
            gap, trial, kind = course.gaps[i : i + 1], course.probation[i : i + 1], course.events[i : i + 1]
            if i and kind[0] >= 0:
                belief = belief @ machine.happenings(gap, trial, kind)[k, 0]
            elif i and course.opens[i]:
                belief = belief @ machine.propagators(gap, trial)[k, 0]
            elif i:
                belief = belief @ machine.again(np.eye(6))
            belief = belief * evidence[i]
            going = belief * said[i] * parameters.leave_at_once
            belief = belief - going
            belief[GONE] += going.sum()
        total += belief.sum()
    return total


@EVERY
def test_a_smoothed_story_forgives_a_lone_outburst(parameters):
    course, found, likelihood = eventful(parameters, every(14, 7), [1, 1, 1, 4, 1, 1, 0], [None] * 7)
    smoothed = smooth(MoodFilter(parameters), course, likelihood, np.zeros(7))
    assert level_of(smoothed[3]) > level_of(found.after[3])


@EVERY
def test_the_smoother_of_a_thread_ends_where_the_filter_does(parameters):
    n = 6
    course = Course.of(np.zeros(n, dtype=np.int64), every(1 / 500, n), np.zeros(n, dtype=np.int64), parameters)
    likelihood = message_evidence(
        parameters, readings([1, 3, 4, 3, 1, 0]), np.full(n, np.nan), np.full(n, parameters.leave_usual)
    )
    found = run_filter(MoodFilter(parameters), course, likelihood, np.zeros(n), course.counts)
    smoothed = smooth(MoodFilter(parameters), course, likelihood, np.zeros(n))
    np.testing.assert_allclose(smoothed[-1], found.after[-1], atol=1e-12)


@EVERY
@pytest.mark.parametrize("mood", range(5))
def test_no_message_makes_a_delighted_customer_gone_without_silence_or_a_statement(parameters, mood):
    found = walk(parameters, [0.0, 5.0, 10.0, 10.01], readings([0, 0, 0, mood], 6.0))
    assert found.after[-1, GONE] == 0
    assert stand(parameters, found, 1)[0, GONE] < 0.05


def test_a_loud_channel_says_less_of_the_mood():
    tweet, review = CHANNELS.index("tweet"), CHANNELS.index("review")
    clarity, tilt = np.ones(len(CHANNELS)), np.zeros((len(CHANNELS), 5))
    clarity[tweet], tilt[tweet] = 0.6, [0.5, -0.5, -0.5, 0.0, 1.0]
    loud = replace(prior_parameters(), channel_clarity=clarity, channel_tilt=tilt).check()
    furious = np.repeat(readings([4]), 3, axis=0)
    evidence = text_evidence(loud, furious, np.array([tweet, review, -1]))
    np.testing.assert_allclose(evidence[1], evidence[2])
    ratio = evidence[:, 4] / evidence[:, 0]
    assert 1 < ratio[0] < ratio[1]
    np.testing.assert_allclose(text_evidence(loud, np.full((1, 5), 0.2), np.array([tweet])), 1.0)


@EVERY
def test_a_tilt_takes_the_blame_for_what_it_explains_and_keeps_the_order(parameters):
    tilt = np.array([[0, 0, 0, 0, 0], [-1.0, -0.5, 0, 0.5, 1.0]])
    plain, expected = text_evidence(parameters, np.repeat(readings([4]), 2, axis=0), tilt=tilt)
    assert expected[4] / expected[0] < plain[4] / plain[0]
    levels = [
        level_of(text_evidence(parameters, readings([mood]), tilt=tilt[1:])[0] * np.append(np.full(5, 0.2), 0) / 1)
        / text_evidence(parameters, readings([mood]), tilt=tilt[1:])[0][:5].sum()
        for mood in range(5)
    ]
    assert np.all(np.diff(levels) < 0)
    np.testing.assert_allclose(text_evidence(parameters, parameters.message_prior[None], tilt=tilt[1:]), 1.0)


def test_an_interval_of_levels_holds_what_it_says():
    states = np.array([[0.02, 0.9, 0.04, 0.02, 0.01, 0.01], [0, 0, 0, 0, 0.0, 1.0], [0.5, 0, 0, 0, 0, 0.5]])
    assert level_interval(states, 0.9).tolist() == [[3, 4], [0, 0], [0, 5]]


def test_a_file_of_the_format_before_still_serves(tmp_path):
    path = tmp_path / "old.json"
    prior_parameters().save(path)
    content = json.loads(path.read_text())
    content["format"] = 1
    for name in ("echo_words", "echo_stars", "habit_words", "habit_stars", "event_evidence", "turn_chance"):
        del content["figures"][name]
    path.write_text(json.dumps(content))
    assert Parameters.load(path).digest() == prior_parameters().digest()
    content["format"] = 3
    path.write_text(json.dumps(content))
    with pytest.raises(SettingsError, match="format 3"):
        Parameters.load(path)


def test_a_company_model_serves_where_there_is_one(tmp_path):
    own = tmp_path / "mood_model.json"
    assert Parameters.serving(own).digest() == Parameters.load().digest()
    replace(prior_parameters(), contact_days=3.0).save(own)
    assert Parameters.serving(own).contact_days == 3.0
