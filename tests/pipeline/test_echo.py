import numpy as np

from models.labels import MOODS
from pipeline.echo import FEATURES, KINDNESS, READING, Echo
from pipeline.fit import prior_parameters
from pipeline.mood_model import ECHO_FEATURES, Course


def course_of(days):
    return Course.of(
        np.zeros(len(days), dtype=np.int64), np.asarray(days, float), np.full(len(days), -1), prior_parameters()
    )


def column(echo, name):
    return echo.features[:, FEATURES.index(name)]


def test_every_feature_has_a_name():
    assert len(FEATURES) == ECHO_FEATURES
    assert len(set(FEATURES)) == ECHO_FEATURES


def test_a_first_message_has_no_echo_and_later_ones_that_of_what_came_before():
    outcomes = np.eye(5)[[0, 4, 4, 1]]
    echo = Echo.of(course_of([0, 0.01, 20, 50]), outcomes, KINDNESS, None)
    assert not echo.features[0].any()
    assert not echo.mostly[0].any()
    assert column(echo, "a later turn of a contact").tolist() == [0, 1, 0, 0]
    assert column(echo, "kindness of the message before").tolist() == [0, 1, -1, -1]
    assert column(echo, "messages so far (log)").tolist() == [0, 0, np.log(2), np.log(3)]
    assert echo.mostly[3, 4] > echo.mostly[3, 0] > echo.mostly[3, 2]
    assert echo.lately[2, 4] > echo.lately[2, 0]


def test_looking_ahead_is_looking_back_from_the_next_row():
    draw = np.random.default_rng(0)
    outcomes, readings = np.eye(5)[draw.integers(0, 5, 4)], draw.random((4, READING))
    course = course_of([0, 0.01, 20, 50])
    back = Echo.of(course, outcomes, KINDNESS, readings)
    turn, gaps = np.array([True, False, False, False]), np.array([0.01, 19.99, 30.0, 0.0])
    ahead = Echo.ahead(course, outcomes, KINDNESS, readings, turn, gaps)
    np.testing.assert_allclose(ahead.features[:-1], back.features[1:])
    np.testing.assert_allclose(ahead.lately[:-1], back.lately[1:])


def test_a_text_that_was_not_read_leaves_no_words_behind():
    readings = np.full((2, READING), np.nan)
    echo = Echo.of(course_of([0, 5]), np.eye(5)[[2, 2]], KINDNESS, readings)
    assert not column(echo, "the message before was read").any()
    assert not echo.features[1, FEATURES.index(f"the message before reads {MOODS[0]}") :].any()


def test_a_model_without_echo_tilts_nothing():
    moods = np.random.default_rng(1).dirichlet(np.ones(5), 3)
    echo = Echo.of(course_of([0, 1, 2]), moods, KINDNESS, np.hstack([moods, np.zeros((3, 16))]))
    silent = prior_parameters()
    np.testing.assert_array_equal(echo.tilt(silent.echo_words, silent.habit_words, KINDNESS), 0)
    assert echo.tilt(silent.echo_words + 0.1, silent.habit_words, KINDNESS)[1:].any()
