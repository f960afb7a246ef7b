import itertools
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from dashboards import charts
from pipeline.records import STATES

NOW = datetime(2026, 9, 16, 20, 0)

# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB
SIGHT = {
    "common": np.eye(3),
    "protanopia": np.reshape(
        [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998], (3, 3)
    ),
    "deuteranopia": np.reshape(
        [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881], (3, 3)
    ),
    "tritanopia": np.reshape(
        [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900], (3, 3)
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour, sight):
    """CIE Lab of a hex colour as seen."""
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(sight @ linear, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_states_differ_to_every_eye(sight):
    seen = {state: lab(colour, SIGHT[sight]) for state, colour in charts.COLOURS.items()}
    distances = [np.linalg.norm(seen[one] - seen[other]) for one, other in itertools.combinations(STATES, 2)]
    assert min(distances) > 20  # 10 is plainly different side by side


def test_the_middle_mood_is_lightest_and_both_ends_are_darkest():
    light = [lab(charts.COLOURS[state], SIGHT["common"])[0] for state in STATES[:5]]
    assert light[0] < light[1] < light[2] > light[3] > light[4]


def days(*rows):
    return pd.DataFrame(
        [(pd.Timestamp(day), stage, count) for day, stage, count in rows], columns=["day", "stage", "customers"]
    )


def test_grid_has_every_day_and_state_and_carries_a_missing_day():
    grid = charts.full_grid(
        days(("2026-09-01", "content", 3), ("2026-09-03", "annoyed", 1), ("2026-09-03", "content", 2))
    )
    assert list(grid.columns) == list(STATES)
    assert grid["content"].tolist() == [3, 3, 2]
    assert grid["annoyed"].tolist() == [0, 0, 1]


def test_a_state_that_nobody_holds_any_more_is_empty_rather_than_carried():
    grid = charts.full_grid(days(("2026-09-01", "furious", 2), ("2026-09-02", "gone", 2)))
    assert grid["furious"].tolist() == [2, 0]


def test_river_is_stacked_about_the_middle_with_delighted_on_top():
    chart = charts.river(days(("2026-09-01", "content", 3), ("2026-09-02", "delighted", 3))).to_dict()
    area = chart["layer"][0]["encoding"]
    assert area["y"]["stack"] == "center"
    assert area["color"]["scale"]["domain"] == list(STATES)
    rows = chart["datasets"][chart["layer"][0]["data"]["name"]]
    heights = {row["stage"]: row["height"] for row in rows}
    assert sorted(heights, key=heights.get, reverse=True) == list(STATES)


def test_band_names_say_the_last_counts_at_their_bands():
    wide = charts.full_grid(days(("2026-09-01", "delighted", 50), ("2026-09-01", "content", 50)))
    ends = charts.band_ends(wide, 100.0).set_index("label")["y"]
    assert ends["delighted 50"] > ends["content 50"] > ends["unsure 0"] > ends["gone 0"]


@pytest.mark.parametrize("places", [[0, 0, 0, 0], [9.9, 10, 10, 10], [1, 4, 4.1, 9], [0, 0, 10, 10]])
def test_spread_keeps_order_gap_and_bounds(places):
    moved = charts.spread(np.array(places, dtype=float), 1.0, 10.0)
    assert np.all(np.diff(moved) >= 1.0 - 1e-9)
    assert moved[0] >= 0
    assert moved[-1] <= 10


def sour_weeks():
    rows = [
        ("2026-08-10", "ignored", 3, -2.0, -2.5),
        ("2026-08-24", "ignored", 1, -0.5, -2.5),
        ("2026-08-24", "no_human", 1, -0.4, -0.4),
    ]
    return pd.DataFrame(rows, columns=["week", "item", "messages", "effect", "total"])


def test_every_week_has_every_item():
    weeks = charts.every_week(sour_weeks()).set_index(["item", "monday"])["lost"]
    assert weeks["ignored"].to_dict() == {"2026-08-10": 2.0, "2026-08-17": 0.0, "2026-08-24": 0.5}
    assert weeks["no_human", "2026-08-17"] == 0


def test_souring_bars_add_up_and_are_in_the_order_of_the_weeks():
    bars, cells = charts.souring(sour_weeks()).to_dict(), charts.souring_by_week(sour_weeks()).to_dict()
    order = bars["layer"][0]["encoding"]["y"]["sort"]
    assert order == cells["encoding"]["y"]["sort"] == ["ignored", "no human to reach"]
    rows = bars["datasets"][bars["data"]["name"]]
    assert {row["name"]: row["label"] for row in rows}["ignored"] == "2.5 in 4 messages"


def points(*levels):
    """A point every 10 days up to NOW, each predicted 0.1 lower than the level before."""
    rows = []
    for number, level in enumerate(levels):
        at = pd.Timestamp(NOW - timedelta(days=10 * (len(levels) - number)))
        mood = np.eye(6)[5 - round(level)]
        rows.append(
            (at, mood, level, (levels[number - 1] if number else 3.0) - 0.1, "review", 4.0, "content", "<b>hi</b>")
        )
    columns = ["at", "mood", "level", "level_before", "channel", "rating", "mood_label", "excerpt"]
    return pd.DataFrame(rows, columns=columns)


def test_trajectory_drifts_between_messages_and_jumps_at_them():
    line = charts.trajectory(points(4.0, 2.0), NOW, 1.8, [0, 0, 0, 0.5, 0.5, 0])
    assert line["level"].tolist() == pytest.approx([4.0, 3.9, 2.0, 1.8])
    assert line["day"].iloc[1] == line["day"].iloc[2]
    assert line["day"].iloc[-1] == pd.Timestamp(NOW, tz=UTC)
    assert line["high"].iloc[-1] - line["low"].iloc[-1] == pytest.approx(1.0)  # an even bet between two steps


def test_band_stays_on_the_ladder():
    line = charts.trajectory(points(4.9), NOW, 0.1, [0.1, 0, 0, 0, 0, 0.9])
    assert line["low"].min() >= 0
    assert line["high"].max() <= 5


def test_silences_count_up_to_now_and_leave_short_pauses_out():
    times = [NOW - timedelta(days=back) for back in (100, 95, 40)]
    found = charts.silences(times, NOW)
    assert found["label"].tolist() == ["55 days silent", "40 days silent"]
    assert charts.silences([NOW], NOW).empty


def now(after_days=0):
    return {"as_of": NOW + timedelta(days=after_days), "level": 1.5, "mood": [0, 0, 0, 0.5, 0.5, 0], "stage": "annoyed"}


@pytest.mark.parametrize(
    ("gaps", "least"), [([], 30), ([40, 50], 30), ([0, 0, 2, 3, 2], 21), ([15, 20, 18], 36), ([60, 70, 80], 45)]
)
def test_what_counts_as_silence_follows_the_customers_own_pace(gaps, least):
    assert charts.silent_from(gaps) == least


def test_customer_line_draws_messages_stars_and_silence():
    chart = charts.customer_line(points(4.0, 3.0, 2.0), now(after_days=60)).to_dict()
    drawn = [row for rows in chart["datasets"].values() for row in rows]
    assert sum("said" in row for row in drawn) == 3
    assert any(row.get("label") == "70 days silent" for row in drawn)
    assert any(row.get("stars") == "4★" for row in drawn)


def test_charts_draw_in_utc_whatever_the_readers_clock():
    chart = charts.customer_line(points(4.0, 3.0), now()).to_dict()
    assert {layer["encoding"]["x"]["scale"]["type"] for layer in chart["layer"]} == {"utc"}


def test_sparkline_begins_at_the_left_edge_and_ends_in_the_colour_of_its_step():
    told = [{"at": NOW - timedelta(days=200), "level": 4.0}, {"at": NOW, "level": 1.1}]
    svg = unquote(charts.sparkline(told, "furious", 90))
    assert svg.startswith("data:image/svg+xml,<svg")
    assert 'points="4.0,' in svg
    assert f'cx="{charts.SPARK_WIDE - 4:.1f}"' in svg
    assert charts.COLOURS["furious"] in svg
