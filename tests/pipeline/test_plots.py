import xml.etree.ElementTree as ET

import pytest

from pipeline import plots

POINTS = [(0.3, 0.25, 0.25), (0.9, 0.5, 0.75)]
SVG = "{http://www.w3.org/2000/svg}"


def test_a_bar_is_as_long_as_the_share_of_hits_and_the_mark_stands_at_what_is_said():
    _, first, second = plots.reliability_lines(POINTS)
    assert first.startswith("0.30  0.25   25%  ")
    bar = second.rpartition("  ")[2]
    assert (bar.count("█"), bar.count("·"), bar.index("│")) == (20, 20, 36)


def test_the_curve_goes_through_its_points():
    picture = ET.fromstring(plots.reliability_svg("mood", POINTS, 0.3125))
    circles = picture.findall(f"{SVG}circle")
    assert [(float(c.get("cx")), float(c.get("cy"))) for c in circles] == [(150, 285), (330, 210)]
    assert "mood: calibration error 0.312" in "".join(picture.itertext())


def test_a_cell_is_as_dark_as_its_share_of_the_row():
    confusion = {"yes & no": {"yes & no": 3, "<b>": 1}, "<b>": {"yes & no": 0, "<b>": 0}}
    picture = ET.fromstring(plots.confusion_svg("what", confusion))
    shades = [float(r.get("fill-opacity")) for r in picture.findall(f"{SVG}rect") if r.get("fill-opacity")]
    assert shades == pytest.approx([0.06 + 0.94 * 0.75, 0.06 + 0.94 * 0.25, 0.06, 0.06], abs=1e-3)


def test_each_head_gets_the_pictures_it_has_figures_for():
    table = {
        "rows": 4,
        "mood": {"reliability": POINTS, "calibration_error": 0.3, "confusion": {"a": {"a": 1}}},
        "intents": {"reliability": POINTS, "calibration_error": 0.1},
        "slices": {"source x": {"rows": 4}},
    }
    drawn = plots.pictures(table)
    assert set(drawn) == {"mood-reliability.svg", "mood-confusion.svg", "intents-reliability.svg"}
    assert all("http" not in text.replace("http://www.w3.org/2000/svg", "") for text in drawn.values())
