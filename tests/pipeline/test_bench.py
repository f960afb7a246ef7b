"""The benchmark: that it measures what it says, at a tiny size. How fast anything is, is not tested."""

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import psutil
import pytest

from pipeline import bench, bench_score
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
def test_without_torch_the_release_and_the_limit_are_still_measured(monkeypatch):
    there = bench.find_spec
    monkeypatch.setattr(bench, "find_spec", lambda name: None if name == "torch" else there(name))
    result = bench.measure("score", TINY)
    assert [figures["case"] for figures in result["measured"]] == ["release", "release_4n", "int8", "fp32"]
    rivals = ["pipeline_batch_1", "pipeline_batch_32", "roberta_batch_32"]
    assert [entry["case"] for entry in result["skipped"]] == rivals
    assert all("torch not installed" in entry["reason"] for entry in result["skipped"])
    shares = {ratio["against"]: ratio["value"] for ratio in result["ratios"] if ratio["figure"] == "operations"}
    assert 0 < shares["int8"] < 1  # nothing is faster than the bare product


def test_every_comparison_names_contestants_of_its_part():
    for part in bench.PARTS.values():
        names = [case.name for case in part.cases]
        assert len(set(names)) == len(names)
        assert all({c.case, c.against} <= set(names) for c in part.comparisons)
        assert all(c.figure in ("rate", "operations", "peak_mb") for c in part.comparisons)


def test_a_contestant_that_fails_is_named():
    stranger = replace(bench.PARTS["land"].cases[0], name="nobody")
    with Contestant("land", stranger, 1) as contestant, pytest.raises(BenchError, match="land/nobody"):
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


def test_operations_are_compared_as_done_a_second():
    ours = replace(measured(rounds=(2.0, 1.0)), operations=30.0)
    limit = replace(measured("int8", rounds=(0.5, 0.25)), operations=25.0)
    ratio = bench.compared(Comparison("share", "high", "operations", "ours", "int8"), {"ours": ours, "int8": limit})
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.3, 0.3, 0.3))


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


# --- the rivals -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_the_rival_reads_with_the_releases_own_weights(shipped, classifier):
    for name in ("torch", "transformers", "onnx"):
        pytest.importorskip(name, reason=f"{name} is in the train extra")
    from models.tokens import marked
    from pipeline.bench_rivals import reader

    texts = [text for text in bench.texts(200) if len(text.split()) < 60][:24]  # each in one window
    shown = [marked(text) for text in texts]
    read = reader(shipped, "release")
    assert read.tokenizer(shown)["input_ids"] == [e.ids for e in classifier.tokenizer.encode_batch(shown)]
    said = read(shown, batch_size=8, top_k=None, function_to_apply="none", truncation=True)
    theirs = [[one["score"] for one in sorted(each, key=lambda one: int(one["label"][6:]))] for each in said]
    ours = classifier.logits(texts)
    assert np.corrcoef(ours.ravel(), np.ravel(theirs))[0, 1] > 0.99  # the rest is the rounding of activations


# --- the matrix products --------------------------------------------------------------------------------------------


@pytest.fixture
def graph(tmp_path):
    """Write a graph of some nodes over constants of some shapes, and return its path."""
    onnx = pytest.importorskip("onnx", reason="onnx is in the train extra")

    def graph(nodes, **constants):
        tensors = [onnx.numpy_helper.from_array(np.zeros(shape, np.int8), name) for name, shape in constants.items()]
        made = [onnx.helper.make_node(kind, given, [into]) for kind, given, into in nodes]
        path = tmp_path / "model.onnx"
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph(made, "g", [], [], tensors)), path)
        return path

    return graph


def test_operations_of_a_graph_by_hand(graph):
    fused = [
        ("Gather", ["words", "ids"], "states"),
        ("QAttention", ["states", "qkv", "bias"], "seen"),
        ("MatMulIntegerToFloat", ["seen", "wide"], "out"),
    ]
    path = graph(fused, words=(100, 4), qkv=(4, 12), wide=(4, 16), bias=(12,))
    assert bench_score.operations(path) == (2 * 4 * 12 + 2 * 4 * 16, 4 * 4)


def test_weights_that_are_unfolded_first_and_attention_that_is_not_fused_count_alike(graph):
    plain = [
        ("DequantizeLinear", ["q_int8", "scale"], "q"),
        ("MatMul", ["states", "q"], "queries"),
        ("MatMul", ["queries", "keys"], "scores"),
        ("MatMul", ["shares", "values"], "seen"),
    ]
    assert bench_score.operations(graph(plain, q_int8=(4, 4), scale=(4,))) == (2 * 4 * 4, 2 * 2 * 4)


def test_the_shipped_release_does_the_operations_of_its_network(shipped):
    pytest.importorskip("onnx", reason="onnx is in the train extra")
    layer, heads = 2 * (4 * 384**2 + 2 * 384 * 1024), 2 * 2 * 384 * 37
    assert bench_score.operations(shipped / "model.onnx") == (6 * layer + heads, 6 * 4 * 384)
    each = bench_score.release_operations(shipped, ["ok"])  # three tokens: a start, the word, an end
    assert each == pytest.approx((3 * (6 * layer + heads) + 9 * 6 * 4 * 384) / 1e9)
    assert bench_score.release_operations(shipped, ["ok", "ok ok"]) > 2 * each


@pytest.mark.parametrize("kind", ["int8", "fp32"])
def test_more_products_take_longer(kind):
    pytest.importorskip("onnx", reason="onnx is in the train extra")
    seconds = bench_score.products(kind, 0.1)()
    assert 0 < seconds < 5
    assert bench_score.products(kind, 4)() > 4 * seconds


# --- moodline score -------------------------------------------------------------------------------------------------


def test_the_commands_memory_is_its_own(tmp_path):
    command = bench.ScoreCommand(3, tmp_path)
    assert [json.loads(line)["id"] for line in (tmp_path / "texts.jsonl").read_text().splitlines()] == [0, 1, 2]
    assert command() > 0
    assert 80 < command.peak_mb < 1000
    assert not (tmp_path / "home").exists()


def test_a_command_that_fails_is_told_with_what_it_said(tmp_path):
    command = bench.ScoreCommand(1, tmp_path)
    (tmp_path / "texts.jsonl").write_text("nonsense\n")
    with pytest.raises(BenchError, match=r"(?s)ended with 1: .*1 lines could not be scored"):
        command()


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("score", "sing"), "no part 'sing'; the parts are score, redact, pull, land, memory, track"),
        (("--scale", "0"), "not above 0"),
        (("--scale", "nan"), "not above 0"),
        (("--scale", "big"), "Invalid value for '--scale'"),
        (("--quick", "--scale", "2"), "say one of them"),
    ],
)
def test_wrong_usage(called, home, words, said):
    done = called("bench", *words, home=home)
    assert done.returncode == 2
    assert said in re.sub(r"[\s│]+", " ", done.stderr)


def test_json_goes_to_standard_output_and_tables_to_standard_error(monkeypatch, called, home):
    ratio = bench.compared(Comparison("ours to theirs", "high", "rate", "ours", "ours"), {"ours": measured()})
    result = {
        "measured": [bench.asdict(measured())],
        "ratios": [bench.asdict(ratio)],
        "skipped": [{"case": "theirs", "reason": "torch not installed"}],
    }
    asked = []
    monkeypatch.setattr(bench, "measure", lambda name, scale: asked.append((name, scale)) or result)
    done = called("bench", "redact", "redact", "--quick", "--json", home=home)
    assert (done.returncode, asked) == (0, [("redact", 0.05)])
    report = json.loads(done.stdout)
    assert report["scale"] == 0.05
    assert report["parts"] == {"redact": result}
    assert report["machine"]["cores"] >= 1
    assert "ours to theirs" in done.stderr
    assert "theirs is left out: torch not installed" in done.stderr


def test_what_takes_long_is_measured_only_by_name(monkeypatch, called, home):
    asked = []
    nothing = {"measured": [], "ratios": [], "skipped": []}
    monkeypatch.setattr(bench, "measure", lambda name, scale: asked.append(name) or nothing)
    called("bench", home=home)
    assert asked == ["score", "redact", "pull", "land"]


def test_a_failure_is_told_in_words(monkeypatch, called, home):
    def fail(name, scale):
        raise BenchError("track/track: out of memory")

    monkeypatch.setattr(bench, "measure", fail)
    done = called("bench", "track", "--json", home=home)
    assert (done.returncode, done.stdout) == (1, "")
    assert "track/track: out of memory" in done.stderr
