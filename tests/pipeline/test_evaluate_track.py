import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline import cli_track
from pipeline.cli import app
from pipeline.errors import SourceError
from pipeline.evaluate_track import _cross_fitted, judge, read_rows, sequences_of
from pipeline.fit import prior_parameters
from pipeline.ranking import roc_auc
from pipeline.sequences import Sequences
from pipeline.simulate import simulate
from pipeline.slide import KNOWN, SlideModel

if "evaluate-track" not in {command.name for command in app.registered_commands}:
    cli_track.add_commands(app)


def write(path, rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def row(customer="a", time="2026-01-01T10:00:00", **label):
    return {"customer": customer, "time": time} | (label or {"sentiment": "negative"})


def test_rows_are_read_in_utc_with_their_scale(tmp_path):
    path = write(
        tmp_path / "rows.jsonl",
        [row(), "", row(time="2026-01-01T12:00:00+02:00", sentiment="Positive"), row("b", sentiment="neutral")],
    )
    scale, rows, copies = read_rows(path)
    assert (scale, copies) == ("sentiment", 0)
    assert [one.outcome for one in rows] == [0, 2, 1]
    assert rows[0].day == rows[1].day


def test_times_may_be_unix_times(tmp_path):
    told = ["2014-05-13T16:53:20Z", 1_400_000_000, 1_400_000_000_000]
    _, rows, _ = read_rows(write(tmp_path / "rows.jsonl", [row(str(n), time=time) for n, time in enumerate(told)]))
    assert [one.day for one in rows] == pytest.approx([1_400_000_000 / 86_400] * 3, abs=1e-9)


def test_a_line_ends_where_json_lines_do(tmp_path):
    said = "one\u2028two\x85three"
    path = tmp_path / "rows.jsonl"
    path.write_text(
        json.dumps(row(sentiment="neutral", text=said), ensure_ascii=False) + "\r\n" + json.dumps(row("b")),
        encoding="utf-8",
    )
    _, rows, _ = read_rows(path)
    assert [one.text for one in rows] == [said, ""]


def test_copies_count_once(tmp_path):
    said = "the very same words under two products"
    pasted = [row(rating=5, text=said), row(rating=5, text=said, time="2026-02-01"), row("b", rating=5, text=said)]
    thanks = [
        row(rating=4, text="thanks"),
        row(rating=4, text="thanks", time="2026-02-01"),
        row(rating=4, text="thanks"),
    ]
    _, rows, copies = read_rows(write(tmp_path / "rows.jsonl", [*pasted, *thanks]))
    assert (len(rows), copies) == (4, 2)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ("{", r"line 2: "),
        ("[1]", "line 2: expected an object"),
        (row(sentiment="angry"), "line 2: sentiment 'angry' is none of negative, neutral, positive"),
        (row(sentiment="negative", rating=3), "line 2: expected one label"),
        ({"customer": "a", "sentiment": "negative"}, "line 2: 'time' is missing"),
        (row(time="yesterday"), "line 2: .*yesterday"),
        (row(time=7), "line 2: time 7 is not"),
        (row(time=True), "line 2: time True is not"),
        (row("", sentiment="negative"), "line 2: customer is empty"),
        (row(rating=6), "line 2: rating 6 is not from 1 to 5"),
        (row(rating="NaN"), "line 2: rating 'NaN' is not from 1 to 5"),
        (row(sentiment="negative", text=5), "line 2: text 5 is not a text"),
        (row(mood="content"), "expected rows labelled by one of"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path, bad, fault):
    with pytest.raises(SourceError, match=fault):
        read_rows(write(tmp_path / "rows.jsonl", [row(), bad]))


def test_a_file_that_is_not_there_or_empty_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.jsonl"):
        read_rows(tmp_path / "none.jsonl")
    with pytest.raises(SourceError, match="found none"):
        read_rows(write(tmp_path / "rows.jsonl", [""]))


@pytest.fixture(scope="module")
def lively():
    """People whose moods differ and last."""
    truth = replace(prior_parameters(), contact_shock=0.02, contact_days=2.0, turn_chance=np.full(6, 0.4))
    return simulate(replace(truth, initial=np.array([0.3, 0.2, 0.1, 0.2, 0.2, 0.0])), 120, 200.0, seed=4).sequences


@pytest.fixture(scope="module")
def report(lively):
    return judge(replace(lively, heard=None), prior_parameters(), folds=2, iterations=3)


def test_the_report_holds_what_was_promised(report):
    assert report["log_loss"] < report["baselines"]["prior"]
    assert set(report["baselines"]) == {"prior", "last_value", "dirichlet_mean", "exponential_mean"}
    assert report["interval"][0] <= report["difference"] <= report["interval"][1]
    assert report["relative"] == pytest.approx(
        report["difference"] / report["baselines"][report["best_baseline"]], abs=1e-3
    )
    slide = report["slide_warning"]
    assert 0 < slide["came"] < slide["rows"]
    assert slide["average_precision"]["value"] > slide["came"] / slide["rows"]
    assert set(slide["false_positive_rate_at_recall"]) == {"0.25", "0.5", "0.75"}
    assert slide["among_those_who_wrote"]["came"] == slide["came"]
    assert slide["among_those_followed"]["rows"] < slide["rows"]
    assert len(report["calibration"]["bins"]) == 10
    json.dumps(report, allow_nan=False)


def test_nobody_is_judged_by_a_model_that_saw_them(lively):
    """Turning round the last words of one fold changes what is foreseen of the other fold only."""
    plain = replace(lively, heard=None)
    here = (plain.folds(2) == 0)[plain.codes]
    outcomes, last = plain.outcomes.copy(), here & np.append(~plain.later[1:], True)
    outcomes[last] = 4 - outcomes[last]
    before, after = (
        _cross_fitted(one, prior_parameters(), 2, 30.0, 1, str) for one in (plain, replace(plain, outcomes=outcomes))
    )
    inner = here & ~last
    for name, same in (("foreseen", here), ("slide", inner), ("soured", inner)):
        was, became = getattr(before, name), getattr(after, name)
        np.testing.assert_array_equal(became[same], was[same])
        assert np.abs(became[~here] - was[~here]).max() > 1e-4


def test_a_warning_is_the_chance_of_a_negative_message_in_time(lively):
    near, ever = SlideModel(prior_parameters(), 2.0, np.zeros(len(KNOWN))).warnings(lively)
    far, ever_too = SlideModel(prior_parameters(), 60.0, np.zeros(len(KNOWN))).warnings(lively)
    assert np.all(near <= far + 1e-3)
    assert np.all((far >= 0) & (far <= 1))
    np.testing.assert_allclose(ever.mean(), ever_too.mean(), rtol=0.1)
    soured = lively.outcomes >= 3
    assert far[soured].mean() > 1.2 * far[~soured].mean()


def hasty(customers, seed):
    """People whose moods say nothing: who wrote within minutes writes again within the hour, the others a month on."""
    draw, rows = np.random.default_rng(seed), []
    for number in range(customers):
        day, haste = draw.uniform(0, 60), draw.random() < 0.5
        for _ in range(6):
            rows.append((f"c{number:03}", day, int(draw.integers(0, 3))))
            day += draw.uniform(0.002, 0.03) if haste else draw.uniform(25, 35)
    return Sequences.of("hasty", "sentiment", rows)


def test_who_writes_again_in_time_is_learned():
    seen, others = hasty(150, seed=1), hasty(100, seed=2)
    learned = SlideModel.fit(seen, prior_parameters(), 1.0)
    plain = SlideModel(learned.parameters, 1.0, np.zeros(len(KNOWN)))
    wait = np.append(np.diff(others.days), np.inf)
    told = others.later & np.append(others.later[1:], False)
    again = told & (wait < 1)
    before, after = (model.warnings(others)[0] / model.warnings(others)[1] for model in (plain, learned))
    assert roc_auc(before[told], again[told]) < 0.9 < 0.99 < roc_auc(after[told], again[told])
    assert after[again].mean() > 0.6
    assert after[told & ~again].mean() < 0.1


def test_of_a_history_shorter_than_the_horizon_nothing_is_learned():
    learned = SlideModel.fit(hasty(20, seed=1), prior_parameters(), 500.0)
    np.testing.assert_array_equal(learned.weights, np.zeros(len(KNOWN)))


def test_texts_are_evidence_for_later_steps(tmp_path):
    rows = [row(f"c{i}", f"2026-01-{day:02}", sentiment="neutral", text="words") for i in range(3) for day in (1, 2)]
    scale, read, _ = read_rows(write(tmp_path / "rows.jsonl", rows))
    asked = []

    def reader(texts):
        asked.extend(texts)
        return np.full((len(texts), 21), 0.1)

    sequences = sequences_of("rows", scale, read, reader)
    assert asked == ["words"] * 6
    assert sequences.readings.shape == (6, 21)
    assert sequences_of("rows", scale, [replace(one, text="") for one in read], reader).readings is None


def test_nothing_to_foresee_is_said(tmp_path):
    with pytest.raises(SourceError, match="should have written twice"):
        judge(Sequences.of("one", "sentiment", [("a", 1.0, 0), ("a", 2.0, 1), ("b", 1.0, 0)]), prior_parameters())


def test_the_command_prints_json(tmp_path, lively):
    names = ("delighted", "content", "unsure", "annoyed", "furious")
    rows = [
        {
            "customer": lively.customers[code],
            "time": f"2026-{int(day) // 28 + 1:02}-{int(day) % 28 + 1:02}T{hour % 24:02}:00",
            "mood": names[mood],
        }
        for hour, (code, day, mood) in enumerate(zip(lively.codes, lively.days, lively.outcomes, strict=True))
        if code < 20
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    arguments = ["--home", str(tmp_path), "evaluate-track", "--data", str(path), "--json", "--folds", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["scale"] == "mood"
    assert report["log_loss"] > 0
    assert report["baselines"]
