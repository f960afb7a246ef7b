import pytest

from pipeline import bench, bench_track
from pipeline.bench import BenchError


@pytest.mark.slow
def test_the_bench_measures_and_finds_what_the_plain_loop_finds():
    result = bench.measure("track", 3000 / bench_track.READINGS)
    counts = {row["case"]: row["count"] for row in result["measured"]}
    assert (counts["tenth"], counts["rebuild"], counts["update"]) == (300, 3000, 50)
    assert all(row["peak_mb"] > 50 for row in result["measured"])
    ratios = {row["case"]: row["value"] for row in result["ratios"] if row["figure"] != "peak_mb"}
    assert ratios["rebuild"] > 1
    assert 0 < ratios["update"] < 1


def test_a_plain_loop_that_finds_something_else_is_an_error(monkeypatch):
    monkeypatch.setattr(bench_track, "plainly", lambda sample, *_: [((0.0, 0.0, 0.0), {})] * len(sample.as_of))
    with pytest.raises(BenchError, match="the plain loop finds"):
        bench_track._plain_seconds(made_up(20), bench_track.Parameters.load())


def made_up(customers):
    with bench_track.Warehouse.in_memory() as warehouse:
        bench_track._fill(warehouse, customers)
        names = dict.fromkeys(f"c_{code:012d}" for code in range(customers))
        return bench_track.Histories.from_arrow(warehouse.histories(names, bench_track.VERSION))


def test_what_fails_in_the_process_is_told(tmp_path):
    (tmp_path / "small").write_text("in the way")
    with pytest.raises(BenchError, match="100 readings: "):
        bench_track._apart(100, 5, tmp_path / "small")
