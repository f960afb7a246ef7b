"""The evaluation: rows and their faults, figures worked out by hand, baselines, and what people are shown."""

import json

import numpy as np
import pytest

from models import evaluate as judged
from models.corpora import Example
from models.errors import CorpusError
from models.evaluate import evaluate, read_rows
from models.guesses import ClassGuesses, Guesses, LabelGuesses, classifier_guesses, majority_guesses, vader_guesses
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS


def written(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def labels(order, *given):
    """Guesses of one head: each row's labels, with a probability of 0.9 against 0.1."""
    chosen = np.array([[label in some for label in order] for some in given])
    return LabelGuesses(chosen, np.where(chosen, 0.9, 0.1))


# --- Rows ------------------------------------------------------------------------------------------------------------


def test_a_row_counts_for_what_it_is_labelled_with(tmp_path):
    path = written(
        tmp_path,
        {"text": "a", "mood": "annoyed", "intents": ["refund"], "disservices": [], "id": 7, "source": "shop"},
        {"text": "b", "mood": None, "intents": None, "sentiment": "neutral"},
        "",
        {"text": "c", "level": -2},
        {"text": "half \ud83d an emoji", "level": 0},
    )
    first, second, third, fourth = read_rows(path)
    assert (first.moods, first.intents, first.disservices, first.row_id, first.source) == (
        *(("annoyed",), ("refund",), (), "7", "shop"),
    )
    assert (second.moods, second.intents, second.sentiment, second.source) == (None, None, "neutral", "rows")
    assert (third.level, third.sentiment, third.moods, third.row_id) == (-2, None, None, "4")
    assert fourth.level == 0
    fourth.text.encode("utf-8")


def test_a_separator_of_lines_inside_a_text_does_not_end_the_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"text": "one\u2028two", "mood": "content"}\r\n', encoding="utf-8")
    assert read_rows(path)[0].text == "one\u2028two"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("nonsense", "line 2: not a row with a text"),
        ("[1]", "line 2: not a row with a text"),
        ({"mood": "annoyed"}, "line 2: not a row with a text"),
        ({"text": None}, "line 2: text should be words, not None"),
        ({"text": "x", "mood": "cross"}, "line 2: unknown label cross as mood; known are delighted"),
        ({"text": "x", "mood": ["annoyed"]}, r"line 2: unknown label \['annoyed'\] as mood"),
        ({"text": "x", "sentiment": "bad"}, "line 2: unknown label bad as sentiment; known are negative"),
        ({"text": "x", "level": 3}, "line 2: unknown label 3 as level; known are 2, 1, 0, -1, -2"),
        ({"text": "x", "level": True}, "line 2: unknown label True as level"),
        ({"text": "x", "level": "1"}, "line 2: unknown label 1 as level"),
        ({"text": "x", "intents": "refund"}, "line 2: intents should be a list of labels, not 'refund'"),
        ({"text": "x", "disservices": ["rude"]}, "line 2: unknown label rude as disservices"),
    ],
)
def test_a_fault_is_told_with_file_and_line(tmp_path, row, says):
    with pytest.raises(CorpusError, match=f"rows.jsonl {says}"):
        read_rows(written(tmp_path, {"text": "fine", "mood": "content"}, row))


def test_files_that_cannot_judge(tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere\.jsonl: no such file"):
        read_rows(tmp_path / "nowhere.jsonl")
    with pytest.raises(CorpusError, match="is a directory"):
        read_rows(tmp_path)
    with pytest.raises(CorpusError, match="no rows"):
        read_rows(written(tmp_path, "", " "))
    with pytest.raises(CorpusError, match="no row has a mood, sentiment, level, intents or disservices"):
        read_rows(written(tmp_path, {"text": "x", "mood": None}))
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"text": "fine", "mood": "content"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(CorpusError, match=r"latin\.jsonl line 2: bytes that are not UTF-8"):
        read_rows(path)


# --- Figures by hand -------------------------------------------------------------------------------------------------

MOOD_ROWS = [Example("w " * words, source, (mood,)) for mood, source, words in [
    ("delighted", "shop", 3), ("unsure", "shop", 20), ("unsure", "tweets", 3), ("furious", "tweets", 3),
]]  # fmt: skip
MOOD_GUESS = np.array(
    [[0.8, 0.2, 0, 0, 0], [0, 0.1, 0.7, 0.2, 0], [0, 0.6, 0.4, 0, 0], [0, 0, 0.1, 0.6, 0.3]], dtype=float
)
SENTIMENT_GUESS = np.array([[0, 0.1, 0.9], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.8, 0.1, 0.1]])
LEVEL_GUESS = np.array(
    [[0.7, 0.2, 0.1, 0, 0], [0, 0.1, 0.7, 0.2, 0], [0.1, 0.5, 0.3, 0.1, 0], [0, 0.05, 0.1, 0.6, 0.25]], dtype=float
)


def guesses(copies=1, **more):
    heads = (MOOD_GUESS, SENTIMENT_GUESS, LEVEL_GUESS)
    return Guesses(*(ClassGuesses.likeliest(np.tile(chances, (copies, 1))) for chances in heads), **more)


def test_moods_by_hand():
    mood = evaluate(MOOD_ROWS, guesses())["mood"]
    # Read as delighted, unsure, content, annoyed: two of four; classes that occur: 1, 1/2 and 0 recalled.
    assert (mood["rows"], mood["accuracy"], mood["macro_recall"]) == (4, 0.5, 0.5)
    assert mood["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3, abs=1e-4)
    assert mood["macro_absolute_error"] == pytest.approx((0 + 1 / 2 + 1) / 3, abs=1e-4)
    assert mood["confusion"]["unsure"] == {"delighted": 0, "content": 1, "unsure": 1, "annoyed": 0, "furious": 0}
    # Sure by 0.8 and right, 0.7 and right, 0.6 twice and wrong.
    assert mood["calibration_error"] == pytest.approx((0.2 + 0.3 + 0.6 + 0.6) / 4, abs=1e-4)
    assert len(mood["reliability"]) == 3
    assert sum(share for *_, share in mood["reliability"]) == 1


def test_a_mood_is_a_sentiment_too():
    sentiment = evaluate(MOOD_ROWS, guesses())["sentiment"]
    assert (sentiment["rows"], sentiment["accuracy"]) == (4, 0.75)
    assert sentiment["macro_recall"] == pytest.approx((1 + 1 / 2 + 1) / 3, abs=1e-4)


def test_the_balanced_error_is_that_of_the_balanced_decision():
    # Mean shares 0.2, 0.225, 0.3, 0.2, 0.075. The last row weighed: 0, 0, 1/3, 3, 4, its median furious: 0 steps off
    # where the likeliest was 1. The third: 0, 8/3, 4/3, 0, 0, and the second 0, 4/9, 7/3, 1, 0 stay content and unsure.
    mood = evaluate(MOOD_ROWS, guesses())["mood"]
    assert mood["macro_absolute_error_balanced"] == pytest.approx((0 + 1 / 2 + 0) / 3, abs=1e-4)


def test_the_class_named_counts_and_not_the_likeliest():
    named = guesses()
    other = Guesses(ClassGuesses(np.array([0, 2, 2, 4]), MOOD_GUESS), named.sentiment, named.level)
    mood = evaluate(MOOD_ROWS, other)["mood"]
    assert mood["accuracy"] == 1.0
    assert mood["calibration_error"] == evaluate(MOOD_ROWS, named)["mood"]["calibration_error"]


@pytest.mark.slow
def test_levels_of_the_release_rise_with_the_words(classifier):
    texts = ["worst thing ever, I hate it", "it is so-so today", "I love it so much, best ever!!"]
    rows = [Example(text, "x", level=level) for text, level in zip(texts, (-2, 0, 2), strict=True)]
    guess = classifier_guesses(classifier, [*rows, Example("no level", "x")]).level
    assert guess.chances.sum(axis=1) == pytest.approx(np.ones(4))
    assert guess.named[0] > guess.named[1] > guess.named[2]


def test_levels_are_judged_in_five_points():
    rows = [Example("x", "semeval", level=level) for level in (2, 0, 1, -2)]
    level = evaluate(rows, guesses())["level"]
    assert set(evaluate(rows, guesses())) == {"rows", "level", "slices", "slice_intervals"}
    assert (level["rows"], level["accuracy"]) == (4, 0.75)
    assert level["macro_absolute_error"] == pytest.approx(1 / 4, abs=1e-4)
    assert level["confusion"]["-2"] == {"2": 0, "1": 0, "0": 0, "-1": 1, "-2": 0}


def test_labels_by_hand():
    rows = [Example("x", "shop", intents=some) for some in (("refund",), ("refund", "complaint"), ("praise",), None)]
    guess = labels(INTENTS, ("refund",), ("refund",), ("praise", "refund"), ("other",))
    empty = labels(DISSERVICES, *[()] * 4)
    table = evaluate(rows, guesses(intents=guess, disservices=empty))
    found = table["intents"]
    assert "disservices" not in table
    assert (found["rows"], found["accuracy"]) == (3, pytest.approx(1 / 3, abs=1e-4))
    assert found["labels"]["refund"] == {
        "precision": 0.6667, "recall": 1.0, "f1": 0.8, "average_precision": 0.6667, "rows": 2, "guessed": 3,
    }  # fmt: skip
    assert found["labels"]["complaint"]["recall"] == 0
    assert found["macro_f1"] == pytest.approx((0.8 + 0 + 1) / 3, abs=1e-4)
    assert found["macro_recall"] == pytest.approx((1 + 0 + 1) / 3, abs=1e-4)
    assert found["micro_f1"] == pytest.approx(2 * 3 / (4 + 4), abs=1e-4)
    assert found["macro_average_precision"] == pytest.approx((2 / 3 + 1 / 3 + 1) / 3, abs=1e-4)
    # 45 chances: four of 0.9, of which three hit, and 41 of 0.1, of which one hits.
    assert found["calibration_error"] == pytest.approx((4 * 0.15 + 41 * (0.1 - 1 / 41)) / 45, abs=1e-4)


def test_every_figure_has_an_interval_that_holds_it():
    rows = [*MOOD_ROWS] * 12
    mood = evaluate(rows, guesses(copies=12))["mood"]
    figures = [name for name in mood if f"{name}_interval" in mood]
    assert len(figures) == 7
    for name in figures:
        low, high = mood[f"{name}_interval"]
        assert low <= high
        assert low - 1e-3 <= mood[name] <= high + 1e-3 or name == "calibration_error"  # it leans up in small draws
    assert mood["accuracy_interval"][1] - mood["accuracy_interval"][0] == pytest.approx(0.28, abs=0.08)


def test_slices_are_by_source_and_length_and_judged_alone():
    table = evaluate(MOOD_ROWS, guesses())
    rows = {name: figures["rows"] for name, figures in table["slices"].items()}
    assert rows == {"source shop": 2, "source tweets": 2, "short (to 10 words)": 3, "middle (11 to 40)": 1}
    assert table["slices"]["source shop"]["mood accuracy"] == 1
    assert table["slices"]["source tweets"]["mood accuracy"] == 0
    assert table["slice_intervals"]["source shop"]["mood accuracy"] == [1, 1]
    json.dumps(table, allow_nan=False)


# --- Baselines -------------------------------------------------------------------------------------------------------


def test_the_majority_guesses_what_is_commonest_of_each_head():
    rows = [
        Example("a", "x", ("unsure",), intents=("refund",), disservices=("ignored",)),
        Example("b", "x", ("unsure",), intents=("refund", "praise"), disservices=()),
        Example("c", "x", level=-1),
    ]
    guess = majority_guesses(rows)
    assert MOODS[guess.mood.named[2]] == "unsure"
    assert guess.level.chances[0].tolist() == [0, 0, 0, 1, 0]
    assert [INTENTS[place] for place in np.flatnonzero(guess.intents.given[2])] == ["refund"]
    assert guess.intents.chances[0, INTENTS.index("praise")] == 0.5
    assert not guess.disservices.given.any()
    assert evaluate(rows, guess)["intents"]["labels"]["praise"]["average_precision"] == 0.5  # its share of the rows


def test_vader_is_cut_at_its_own_thresholds():
    pytest.importorskip("vaderSentiment", reason="VADER is in the train extra")
    rows = [Example(text, "x", ("unsure",)) for text in ("I love this, fantastic!", "the parcel", "awful, I hate it!")]
    guess = vader_guesses(rows)
    assert [MOODS[place] for place in guess.mood.named] == ["delighted", "unsure", "furious"]
    assert [SENTIMENTS[place] for place in guess.sentiment.named] == ["positive", "neutral", "negative"]
    assert "intents" not in evaluate(rows, guess)


# --- What people are shown -------------------------------------------------------------------------------------------


def test_the_summary_sets_systems_side_by_side():
    rows = [Example(row.text, row.source, row.moods, intents=("refund",), level=0) for row in MOOD_ROWS]
    own = evaluate(rows, guesses(intents=labels(INTENTS, *[("refund",)] * 4)))
    result = {"release": own, "vader": evaluate(rows, guesses(), slices=False)}
    shown = {row["figure"]: row for row in judged.summary(result)}
    assert shown["mood: accuracy"]["release"] == shown["mood: accuracy"]["vader"] == "0.500"
    assert shown["intents: macro f1"]["release"] == "1.000"
    assert shown["intents: macro f1"]["vader"] == ""
    assert "level: macro absolute error balanced" in shown
    assert shown["intents: macro f1"]["95 % interval"] == "1.000 to 1.000"
    confusion = judged.confusion_summary(own["mood"])
    assert [(row["truly"], row["recall"]) for row in confusion][2] == ("unsure", "0.50")
    assert judged.slice_summary(own)[0]["slice"] == "source shop"
    assert {row["label"] for row in judged.label_summary(own)} == {f"intents: {label}" for label in INTENTS}
    assert all(list(row) == list(judged.slice_summary(own)[0]) for row in judged.slice_summary(own))


@pytest.mark.slow
def test_a_release_beats_the_baselines_on_its_own_rows(classifier, sample):
    from pipeline.config import REPOSITORY

    rows = read_rows(REPOSITORY / "data" / "labels" / "fernhollow.jsonl")[:60]
    heard = []
    result = judged.compare(classifier, rows, lambda done, total: heard.append((done, total)))
    kappa = {system: table["mood"]["quadratic_kappa"] for system, table in result.items()}
    assert kappa["release"] > kappa["vader"] > kappa["majority"] == 0
    assert heard[-1] == (len({row.text for row in rows}), 60)
