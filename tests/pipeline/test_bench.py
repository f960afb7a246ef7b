"""The benchmark: that it measures what it says, at a tiny size. How fast anything is, is not tested."""

import itertools
import json
from dataclasses import replace

import psutil
import pytest

from pipeline import bench
from pipeline.bench import BenchError, Case, Comparison, Contestant, Measured

TINY = 0.004


def measured(case="ours", count=100, rounds=(2.0, 1.0), peak=50.0) -> Measured:
    best = min(rounds)
    return Measured(case, case, "texts", count, list(rounds), best, count / best, peak)


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.PARTS)
def test_a_part_measures_every_contestant_and_gives_every_ratio(name):
    part, result = bench.PARTS[name], bench.measure(name, TINY)
    skipped = {entry["case"] for entry in result["skipped"]}
    playing = [case for case in part.cases if case.name not in skipped]
    assert [figures["case"] for figures in result["measured"]] == [case.name for case in playing]
    for case, figures in zip(playing, result["measured"], strict=True):
        assert figures["count"] == case.sized(TINY)
        assert len(figures["rounds"]) == case.rounds
        assert figures["seconds"] == min(figures["rounds"]) > 0
        assert figures["rate"] == pytest.approx(figures["count"] / figures["seconds"])
        assert figures["peak_mb"] > 10
    wanted = [c.label for c in part.comparisons if not skipped & {c.case, c.against}]
    assert [ratio["label"] for ratio in result["ratios"]] == wanted
    assert all(0 < ratio["low"] <= ratio["value"] <= ratio["high"] for ratio in result["ratios"])
    json.dumps(result, allow_nan=False)


@pytest.mark.slow
def test_without_torch_the_release_is_still_measured(monkeypatch):
    there = bench.find_spec
    monkeypatch.setattr(bench, "find_spec", lambda name: None if name == "torch" else there(name))
    result = bench.measure("score", TINY)
    assert [figures["case"] for figures in result["measured"]] == ["release", "release_4n"]
    assert [entry["case"] for entry in result["skipped"]] == ["pipeline_batch_1", "pipeline_batch_32"]
    assert all("torch not installed" in entry["reason"] for entry in result["skipped"])
    assert {ratio["case"] for ratio in result["ratios"]} == {"release", "release_4n"}


def test_every_comparison_names_contestants_of_its_part():
    for part in bench.PARTS.values():
        names = [case.name for case in part.cases]
        assert len(set(names)) == len(names)
        assert all({c.case, c.against} <= set(names) for c in part.comparisons)
        assert all(c.figure in ("rate", "peak_mb") for c in part.comparisons)


def test_a_contestant_that_fails_is_named():
    stranger = replace(bench.PARTS["track"].cases[0], name="nobody")
    with Contestant("track", stranger, 1) as contestant, pytest.raises(BenchError, match="track/nobody"):
        contestant.ready()


# --- figures --------------------------------------------------------------------------------------------------------


def test_speed_is_compared_by_best_rounds_with_the_range_of_rounds_beside_each_other():
    found = {"ours": measured(rounds=(2.0, 1.0)), "theirs": measured("theirs", 50, (4.0, 3.0))}
    ratio = bench.compared(Comparison("speed", "high", "rate", "ours", "theirs"), found)
    assert ratio.value == pytest.approx((100 / 1) / (50 / 3))
    assert ratio.low == pytest.approx((100 / 2) / (50 / 4))
    assert ratio.high == ratio.value


def test_work_that_is_linear_costs_the_same_at_four_times_the_size():
    found = {"n": measured("n", 100, (1.0,)), "n_4n": measured("n_4n", 400, (4.0,))}
    assert bench.compared(Comparison("cost", "1 or less", "rate", "n", "n_4n"), found).value == pytest.approx(1)
    found["n_4n"] = measured("n_4n", 400, (16.0,))
    assert bench.compared(Comparison("cost", "1 or less", "rate", "n", "n_4n"), found).value == pytest.approx(4)


def test_memory_is_compared_by_peaks():
    found = {"ours": measured(peak=50.0), "theirs": measured("theirs", peak=200.0)}
    assert bench.compared(Comparison("memory", "low", "peak_mb", "ours", "theirs"), found).value == 0.25


def test_peak_memory_is_at_least_what_is_held_now():
    assert bench.peak_mb() >= 0.9 * psutil.Process().memory_info().rss / 2**20


def test_a_case_without_its_packages_says_which_and_how_to_get_them():
    case = Case("x", "x", "texts", 1, lambda count, scratch: lambda: 1.0, needs=("json", "no_such_package"))
    assert bench.missing(case) == "no_such_package not installed; `pip install --editable '.[train]'` adds it"
    assert bench.missing(replace(case, needs=("json",))) is None


# --- what the work is made of ---------------------------------------------------------------------------------------


def test_texts_are_distinct_and_the_samples_own_come_first():
    own = {message.text for message in bench._sample()}
    texts = bench.texts(len(own) + 500)
    assert len(set(texts)) == len(texts) == len(own) + 500
    assert set(texts[: len(own)]) == own
    assert bench.texts(30) == texts[:30]


def test_each_copy_of_the_sample_is_of_other_customers():
    size = len(bench._sample())
    messages = list(itertools.islice(bench.messages(), 2 * size))
    assert len({message.message_id for message in messages}) == 2 * size
    first, second = ({m.customer_id for m in part} for part in (messages[:size], messages[size:]))
    assert len(first) == len(second) == len(bench._sample_people())
    assert not first & second


@pytest.mark.parametrize("customers", [1, 124, 130, 700])
def test_customers_come_whole_and_as_many_as_asked(customers, monkeypatch):
    monkeypatch.setattr(bench, "_CUSTOMERS_AT_ONCE", 300)
    batches = list(bench.messages_of(customers))
    ids = [{message.customer_id for message in batch} for batch in batches]
    assert sum(map(len, ids)) == len(set().union(*ids)) == customers
    assert max(map(len, ids)) <= 300


def test_histories_are_what_tracking_takes():
    from pipeline.track import Histories

    table = bench.history_table(next(bench.messages_of(40)))
    assert len(Histories.from_arrow(table).customer_ids) == 40


# --- the command ----------------------------------------------------------------------------------------------------


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit, match="0"):
        bench.main(["--help"])
    shown = capsys.readouterr().out
    assert "examples:" in shown
    assert "--only score,redact" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--only", "score,sing"], "no part 'sing'"), (["--scale", "0"], "above 0"), (["--scale", "big"], "above 0")],
)
def test_wrong_usage(arguments, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        bench.main(arguments)
    assert said in capsys.readouterr().err


def test_json_goes_to_standard_output_and_tables_to_standard_error(monkeypatch, capsys):
    ratio = bench.compared(Comparison("ours to theirs", "high", "rate", "ours", "ours"), {"ours": measured()})
    result = {
        "measured": [bench.asdict(measured())],
        "ratios": [bench.asdict(ratio)],
        "skipped": [{"case": "theirs", "reason": "torch not installed"}],
    }
    monkeypatch.setattr(bench, "measure", lambda name, scale: result)
    assert bench.main(["--only", "redact", "--scale", "0.5", "--json"]) == 0
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["scale"] == 0.5
    assert report["parts"] == {"redact": result}
    assert report["machine"]["cores"] >= 1
    assert "ours to theirs" in captured.err
    assert "theirs is left out: torch not installed" in captured.err


def test_a_failure_is_told_in_words(monkeypatch, capsys):
    def fail(name, scale):
        raise BenchError("track/track: out of memory")

    monkeypatch.setattr(bench, "measure", fail)
    assert bench.main(["--only", "track"]) == 1
    captured = capsys.readouterr()
    assert "bench: track/track: out of memory" in captured.err
    assert not captured.out
