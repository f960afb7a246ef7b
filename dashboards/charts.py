"""Frames in, charts out: nothing here queries, caches or knows Streamlit.

Colours run from blue (delighted) over sand to red (furious) with grey for gone. Blue against orange and red stays apart
in the three common kinds of colour blindness, and lightness falls towards both ends; a test measures both.
Times without zone are UTC and are drawn as UTC whatever the reader's clock says.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import altair as alt
import numpy as np
import pandas as pd

from dashboards import words
from pipeline.records import LEVELS, STATES

COLOURS: Final[dict[str, str]] = {
    "delighted": "#0B6396",
    "content": "#79BBDF",
    "unsure": "#EBDDB2",
    "annoyed": "#F0963A",
    "furious": "#A81E26",
    "gone": "#858A90",
}
"""One colour a state, delighted first."""

INK: Final = "#1E2730"
MUTED: Final = "#66707A"
COST: Final = "#B4451F"
GAIN: Final = "#0B6396"
SPARK_WIDE: Final = 150
SPARK_HIGH: Final = 40

Places = np.ndarray[tuple[int], np.dtype[np.float64]]
"""Places along an axis."""

_STATE_SCALE: Final = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
_LABEL_EXPRESSION: Final = "['gone','furious','annoyed','unsure','content','delighted'][datum.value]"
_CHANNEL_SHAPES: Final = {"review": "diamond", "tweet": "triangle-up", "transcript": "circle"}


def full_grid(stage_days: pd.DataFrame) -> pd.DataFrame:
    """Return one column a state and one row a day (UTC), with 0 where nobody stood; a missing day is the day before."""
    days = pd.to_datetime(stage_days["day"]).dt.tz_localize("UTC")
    wide = stage_days.assign(day=days).pivot_table(index="day", columns="stage", values="customers", aggfunc="sum")
    every_day = pd.date_range(wide.index.min(), wide.index.max(), freq="D", name="day")
    return wide.reindex(columns=list(STATES)).fillna(0).reindex(every_day).ffill().astype(int)


def river(stage_days: pd.DataFrame, height: int = 330) -> alt.LayerChart:
    """Draw how many customers stood on each step, day by day, stacked about the middle, delighted on top.

    ``stage_days`` has ``day, stage, customers``; each band is named at its right end instead of in a legend.
    """
    wide = full_grid(stage_days)
    top = max(float(wide.sum(axis=1).max()), 1.0)
    scale = alt.Scale(domain=[0, top], nice=False, zero=True)
    layers = alt.layer(
        _bands(wide, scale), _ruler(wide), _band_names(wide, top, scale), data=_with_day(wide)
    ).properties(height=height, padding={"left": 4, "top": 4, "right": 4, "bottom": 4})
    chart: alt.LayerChart = layers.configure_view(strokeWidth=0)
    return chart


def _with_day(wide: pd.DataFrame) -> pd.DataFrame:
    frame = wide.reset_index()
    return frame.assign(when=[words.day(at) for at in frame["day"]])


def _time() -> alt.X:
    axis = alt.Axis(title=None, grid=False, ticks=False, labelPadding=8, format="%-d %b", tickCount=8, labelFlush=True)
    x: alt.X = alt.X("day:T", axis=axis, scale=alt.Scale(type="utc", nice=False))
    return x


def _bands(wide: pd.DataFrame, scale: alt.Scale) -> alt.Chart:
    long = wide.reset_index().melt("day", var_name="stage", value_name="customers")
    long["height"] = long["stage"].map(dict(zip(STATES, LEVELS, strict=True)))
    area: alt.Chart = (
        alt.Chart(long)
        .mark_area(interpolate="monotone", stroke="white", strokeWidth=0.8)
        .encode(
            x=_time(),
            y=alt.Y("customers:Q", stack="center", axis=None, scale=scale),
            color=_state_colour("stage:N"),
            order=alt.Order("height:Q"),
        )
    )
    return area


def _ruler(wide: pd.DataFrame) -> alt.Chart:
    nearest = alt.selection_point(nearest=True, on="pointerover", clear="pointerout", fields=["day"], empty=False)
    tips = [alt.Tooltip("when:N", title="day"), *(alt.Tooltip(f"{state}:Q") for state in wide.columns)]
    rule: alt.Chart = (
        alt.Chart(_with_day(wide))
        .mark_rule(color=INK, strokeWidth=1)
        .encode(x=_time(), opacity=alt.condition(nearest, alt.value(0.7), alt.value(0)), tooltip=tips)
        .add_params(nearest)
    )
    return rule


def _band_names(wide: pd.DataFrame, top: float, scale: alt.Scale) -> alt.Chart:
    names = band_ends(wide, top)
    text: alt.Chart = (
        alt.Chart(names)
        .mark_text(align="left", baseline="middle", dx=10, fontSize=13, color=INK)
        .encode(x=_time(), y=alt.Y("y:Q", axis=None, scale=scale), text="label:N")
    )
    return text


def band_ends(wide: pd.DataFrame, top: float, gap: float = 0.062) -> pd.DataFrame:
    """Return ``day, y, label`` for the right end of each band, pushed apart to ``gap`` of the height where crowded."""
    last = wide.iloc[-1]
    counts = last[list(reversed(STATES))].to_numpy(dtype=float)
    floor = (top - counts.sum()) / 2
    middles = floor + np.cumsum(counts) - counts / 2
    labels = [f"{state} {int(last[state]):,}" for state in reversed(STATES)]
    return pd.DataFrame({"day": wide.index[-1], "y": spread(middles, gap * top, top), "label": labels})


def spread(places: Places, gap: float, top: float) -> Places:
    """Return ascending ``places`` moved as little as needed to lie ``gap`` apart within 0 to ``top``."""
    moved: Places = np.clip(places.astype(float), gap / 2, top - gap / 2)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + gap)
    moved[-1] = min(moved[-1], top - gap / 2)
    for index in range(len(moved) - 2, -1, -1):
        moved[index] = min(moved[index], moved[index + 1] - gap)
    return moved


def souring(weeks: pd.DataFrame, height: int = 340) -> alt.LayerChart:
    """Draw what cost mood in all, one bar an item, from ``week, item, messages, effect, total``."""
    frame = weeks.groupby("item", as_index=False).agg(lost=("effect", "sum"), messages=("messages", "sum"))
    frame = frame.assign(lost=-frame["lost"], name=frame["item"].map(words.item))
    said = [words.counted(int(count), "message") for count in frame["messages"]]
    frame["label"] = [f"{lost:.1f} in {count}" for lost, count in zip(frame["lost"], said, strict=True)]
    base = alt.Chart(frame).encode(y=_items(weeks), tooltip=_souring_tips())
    # an axis that cannot be seen keeps the rows level with those of souring_by_week
    axis = alt.Axis(title=None, labelOpacity=0, grid=False, ticks=False, domain=False)
    length = alt.X("lost:Q", axis=axis, scale=alt.Scale(domain=[0, float(frame["lost"].max()) * 1.5], nice=False))
    bars = base.mark_bar(color=COST, cornerRadiusEnd=3, height={"band": 0.6}).encode(x=length)
    labels = base.mark_text(align="left", dx=6, color=MUTED, fontSize=12).encode(x=length, text="label:N")
    chart: alt.LayerChart = (bars + labels).properties(height=height).configure_view(strokeWidth=0)
    return chart


def _souring_tips() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("name:N", title="what"),
        alt.Tooltip("lost:Q", title="steps lost", format=".1f"),
        alt.Tooltip("messages:Q", title="messages"),
    ]


def _items(weeks: pd.DataFrame) -> alt.Y:
    order = [words.item(name) for name in weeks.sort_values(["total", "item"])["item"].unique()]
    axis = alt.Axis(
        title=None, ticks=False, domain=False, labelLimit=180, labelPadding=8, labelFontSize=13, labelColor=INK
    )
    y: alt.Y = alt.Y("name:N", sort=order, axis=axis)
    return y


def souring_by_week(weeks: pd.DataFrame, height: int = 340) -> alt.Chart:
    """Draw when it happened: a row an item in the order of ``souring``, a cell a week, darker for more steps lost."""
    frame = every_week(weeks)
    names = dict(zip(frame["monday"], frame["short"], strict=True))
    axis = alt.Axis(
        title=None,
        ticks=False,
        domain=False,
        labelAngle=0,
        labelOverlap=True,
        labelFlush=False,
        labelExpr=f"({names!r})[datum.value]",
    )
    tips = [*_souring_tips()[:1], alt.Tooltip("when:N", title="week of"), *_souring_tips()[1:]]
    shades = alt.Scale(domain=[0, float(frame["lost"].max()) or 1.0], range=["#F6F4F1", "#EBA077", "#8E2A10"])
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_rect(cornerRadius=3, stroke="white", strokeWidth=3)
        .encode(
            x=alt.X("monday:O", axis=axis),
            y=_items(weeks).axis(None),
            color=alt.Color("lost:Q", legend=None, scale=shades),
            tooltip=tips,
        )
        .properties(height=height)
        .configure_view(strokeWidth=0)
    )
    return chart


def every_week(weeks: pd.DataFrame) -> pd.DataFrame:
    """Return ``monday, item, messages, lost, name, when, short`` with a row for every item and week, 0 where none."""
    found = weeks.assign(week=pd.to_datetime(weeks["week"]))[["item", "week", "messages", "effect"]]
    mondays = pd.DataFrame({"week": pd.date_range(found["week"].min(), found["week"].max(), freq="7D")})
    grid = found[["item"]].drop_duplicates().merge(mondays, how="cross")
    frame = grid.merge(found, how="left", on=["item", "week"]).fillna({"messages": 0, "effect": 0.0})
    return frame.assign(
        monday=frame["week"].dt.strftime("%Y-%m-%d"),
        lost=-frame["effect"].clip(upper=0),
        name=frame["item"].map(words.item),
        when=[words.day(at) for at in frame["week"]],
        short=[f"{at.day} {at:%b}" for at in frame["week"]],
    ).drop(columns=["week", "effect"])


def trajectory(points: pd.DataFrame, as_of: datetime, level: float, mood: Sequence[float]) -> pd.DataFrame:
    """Return ``day, level, low, high`` along a customer's line, in order.

    Each message gives two rows at its time, the level predicted just before and the level after; the last row is
    ``as_of``. The band is one standard deviation of the mood distribution each way, kept on the ladder.
    """
    spreads = [_spread_of(row) for row in points["mood"]]
    before = [spreads[0], *spreads[:-1]]
    rows = [
        row
        for at, fell_to, stands, wide_before, wide in zip(
            points["at"], points["level_before"], points["level"], before, spreads, strict=True
        )
        for row in ((at, fell_to, wide_before), (at, stands, wide))
    ]
    rows = [*rows[1:], (pd.Timestamp(as_of), level, _spread_of(mood))]
    frame = pd.DataFrame(rows, columns=["day", "level", "spread"])
    frame["low"] = (frame["level"] - frame["spread"]).clip(0, 5)
    frame["high"] = (frame["level"] + frame["spread"]).clip(0, 5)
    frame["day"] = pd.to_datetime(frame["day"]).dt.tz_localize("UTC")
    return frame.drop(columns="spread").reset_index(names="turn")


def _spread_of(mood: Sequence[float]) -> float:
    chances, heights = np.asarray(mood, dtype=float), np.asarray(LEVELS)
    mean = float(chances @ heights)
    return math.sqrt(max(float(chances @ (heights - mean) ** 2), 0.0))


def silences(times: Sequence[datetime], as_of: datetime) -> pd.DataFrame:
    """Return ``day, until, days, label, middle`` of each stretch without a word that is long for this customer."""
    ends = [*times[1:], as_of]
    gaps = [(start, end, (end - start).days) for start, end in zip(times, ends, strict=True)]
    least = silent_from([days for _, _, days in gaps[:-1]])
    rows = [(start, end, days, f"{days} days silent") for start, end, days in gaps if days >= least]
    frame = pd.DataFrame(rows, columns=["day", "until", "days", "label"])
    frame = frame.assign(day=pd.to_datetime(frame["day"], utc=True), until=pd.to_datetime(frame["until"], utc=True))
    return frame.assign(middle=frame["day"] + (frame["until"] - frame["day"]) / 2)


def silent_from(gaps: Sequence[int]) -> float:
    """Return from how many days on a pause is a silence: twice the usual pause, kept within 3 weeks to 45 days.

    ``gaps`` are days between messages; those within a day belong to one contact and do not count. With fewer than
    three pauses nothing is usual yet, and 30 days it is.
    """
    pauses = [days for days in gaps if days >= 1]
    return 30.0 if len(pauses) < 3 else float(np.clip(2 * np.median(pauses), 21, 45))


def customer_line(points: pd.DataFrame, now: Mapping[str, Any], height: int = 360) -> alt.LayerChart:
    """Draw one customer on the ladder through time.

    ``points`` has ``at, mood, level, level_before, channel, rating, mood_label, excerpt``, oldest first; ``now`` has
    ``as_of, level, mood, stage``. The line is the expected level, the band its standard deviation, a point each
    message in the colour of what it said, a star its rating, the ring at the end now; silences are shaded.
    """
    as_of, times = now["as_of"], [at.to_pydatetime() for at in points["at"]]
    layers = [
        _steps(*_span(times, as_of)),
        *_silence_layers(silences(times, as_of)),
        *_line_layers(trajectory(points, as_of, now["level"], now["mood"]), now["stage"]),
        *_point_layers(points),
    ]
    chart: alt.LayerChart = alt.layer(*layers).properties(height=height).configure_view(strokeWidth=0)
    return chart


def _span(times: Sequence[datetime], as_of: datetime) -> tuple[datetime, datetime]:
    length = max(as_of - times[0], timedelta(days=14))
    return times[0] - 0.02 * length, times[0] + 1.03 * length


def _ladder(field: str) -> alt.Y:
    axis = alt.Axis(
        title=None,
        values=[0, 1, 2, 3, 4, 5],
        labelExpr=_LABEL_EXPRESSION,
        ticks=False,
        domain=False,
        grid=False,
        labelPadding=8,
        labelFontSize=13,
        labelColor=INK,
    )
    y: alt.Y = alt.Y(field, axis=axis, scale=alt.Scale(domain=[-0.5, 5.5], nice=False))
    return y


def _steps(start: datetime, end: datetime) -> alt.Chart:
    frame = pd.DataFrame({"stage": STATES, "low": LEVELS})
    frame = frame.assign(low=frame["low"] - 0.5, high=frame["low"] + 0.5, day=_utc([start] * 6), until=_utc([end] * 6))
    rect: alt.Chart = (
        alt.Chart(frame)
        .mark_rect(opacity=0.14, stroke="white", strokeWidth=1)
        .encode(x=_time(), x2="until:T", y=_ladder("low:Q"), y2="high:Q", color=_state_colour("stage:N"))
    )
    return rect


def _utc(times: Sequence[datetime]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(list(times)).tz_localize("UTC")


def _state_colour(field: str) -> alt.Color:
    colour: alt.Color = alt.Color(field, legend=None, scale=_STATE_SCALE)
    return colour


def _silence_layers(quiet: pd.DataFrame) -> list[alt.Chart]:
    if quiet.empty:
        return []
    shade = alt.Chart(quiet).mark_rect(color=MUTED, opacity=0.13).encode(x=_time(), x2="until:T")
    name = (
        alt.Chart(quiet.assign(day=quiet["middle"], level=-0.25))
        .mark_text(color=INK, opacity=0.75, fontSize=12, fontStyle="italic")
        .encode(x=_time(), y=_ladder("level:Q"), text="label:N")
    )
    return [shade, name]


def _line_layers(line: pd.DataFrame, stage: str) -> list[alt.Chart]:
    base = alt.Chart(line).encode(x=_time())
    band = base.mark_area(color=INK, opacity=0.13).encode(y=_ladder("low:Q"), y2="high:Q")
    stroke = base.mark_line(color=INK, strokeWidth=2.4, strokeJoin="round").encode(y=_ladder("level:Q"), order="turn:Q")
    now = line.tail(1).assign(stage=stage, label="now")
    end = alt.Chart(now).encode(x=_time(), y=_ladder("level:Q"))
    ring = end.mark_point(size=150, strokeWidth=3, filled=True, fill="white", opacity=1).encode(
        stroke=alt.Stroke("stage:N", legend=None, scale=_STATE_SCALE)
    )
    word = end.mark_text(dy=-17, fontSize=12, fontWeight=600, color=INK).encode(text="label:N")
    return [band, stroke, ring, word]


def _point_layers(points: pd.DataFrame) -> list[alt.Chart]:
    frame = _points(points)
    tips = [
        alt.Tooltip("when:N", title="when"),
        alt.Tooltip("said:N", title="read as"),
        alt.Tooltip("effect:N", title="effect in steps"),
        alt.Tooltip("excerpt:N", title="message"),
    ]
    shapes = alt.Scale(domain=list(_CHANNEL_SHAPES), range=list(_CHANNEL_SHAPES.values()))
    base = alt.Chart(frame).encode(x=_time(), y=_ladder("level:Q"))
    marks = base.mark_point(filled=True, size=95, opacity=1, stroke=INK, strokeWidth=1).encode(
        color=_state_colour("said:N"),
        shape=alt.Shape("channel:N", legend=None, scale=shapes),
        tooltip=tips,
    )
    return [marks, *_stars(frame[frame["rises"]], -16), *_stars(frame[~frame["rises"]], 17)]


def _stars(frame: pd.DataFrame, shift: int) -> list[alt.Chart]:
    """Write ratings off the line: above where it rose, below where it fell."""
    rated = frame.loc[frame["stars"] != "", ["day", "level", "stars"]]
    if rated.empty:
        return []
    text = alt.Chart(rated).mark_text(dy=shift, fontSize=12, fontWeight=600, color=INK)
    return [text.encode(x=_time(), y=_ladder("level:Q"), text="stars:N")]


def _points(points: pd.DataFrame) -> pd.DataFrame:
    effect = points["level"] - points["level_before"]
    return pd.DataFrame(
        {
            "day": pd.to_datetime(points["at"]).dt.tz_localize("UTC"),
            "when": [words.moment(at) for at in points["at"]],
            "level": points["level"],
            "effect": [words.steps(value, 2) for value in effect],
            "rises": effect >= 0,
            "channel": points["channel"].fillna("transcript"),
            "said": points["mood_label"].fillna("unsure"),
            "stars": ["" if pd.isna(rating) else f"{rating:g}★" for rating in points["rating"]],
            "excerpt": points["excerpt"].fillna(""),
        }
    )


def sparkline(points: Sequence[Mapping[str, Any]], stage: str, days: int) -> str:
    """Return a small line of the level over the ``days`` before the last point as an SVG data address for an image.

    ``points`` have ``at`` and ``level``, oldest first; what lies before the days enters at the left edge. The last
    point wears the colour of ``stage``, and the dashed line is the step ``annoyed``.
    """
    now = points[-1]["at"]
    start = now - timedelta(days=days)
    across = [max(0.0, (point["at"] - start) / (now - start)) * (SPARK_WIDE - 8) + 4 for point in points]
    down = [_spark_height(point["level"]) for point in points]
    dots = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    guide = _spark_height(2.0)
    size = f'width="{SPARK_WIDE}" height="{SPARK_HIGH}" viewBox="0 0 {SPARK_WIDE} {SPARK_HIGH}"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
        f'<line x1="0" x2="{SPARK_WIDE}" y1="{guide:.1f}" y2="{guide:.1f}" stroke="#C9CFD4" stroke-dasharray="2 3"/>'
        f'<polyline points="{dots}" fill="none" stroke="{INK}" stroke-width="1.6" stroke-linejoin="round"/>'
        f'<circle cx="{across[-1]:.1f}" cy="{down[-1]:.1f}" r="3.4" fill="{COLOURS[stage]}" stroke="{INK}"/></svg>'
    )
    return f"data:image/svg+xml,{quote(svg)}"


def _spark_height(level: float) -> float:
    return (5 - level) / 5 * (SPARK_HIGH - 8) + 4
