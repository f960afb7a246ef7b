"""Pictures of how well a release is calibrated and what it confuses: characters for a terminal, SVG for a page.

Pure: tables of :func:`models.evaluate.evaluate` in, text out. The SVG needs no script, font or network.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

Point = Sequence[float]
"""Mean probability, share of hits, share of rows."""

_INK, _GRID, _BLUE, _GREY = "#1f2933", "#d5dbe1", "#2563a8", "#b8c4d0"
_SIDE: Final = 300
_CELL: Final = 64
_EDGE: Final = 60
_BAR: Final = 40


def reliability_lines(points: Sequence[Point]) -> list[str]:
    """Draw a reliability curve in characters, a line a bin: a bar as long as the share of hits.

    The mark ``│`` stands where the bar would end if probabilities meant what they say.
    """
    lines = ["says  hits  rows"]
    for sure, hits, share in points:
        bar = list("█" * round(hits * _BAR) + "·" * (_BAR - round(hits * _BAR)))
        bar.insert(round(sure * _BAR), "│")
        lines.append(f"{sure:.2f}  {hits:.2f}  {share:4.0%}  {''.join(bar)}")
    return lines


def reliability_svg(title: str, points: Sequence[Point], error: float) -> str:
    """Draw a reliability curve: share of hits over probability, the diagonal, and the share of rows in each bin."""
    left, base = _EDGE, _EDGE + _SIDE
    largest = max((share for *_, share in points), default=1.0)
    rows = [
        f'<rect x="{left + sure * _SIDE - 4:.1f}" y="{base - 60 * share / largest:.1f}" width="8" '
        f'height="{60 * share / largest:.1f}" fill="{_GREY}"><title>{share:.1%} of rows</title></rect>'
        for sure, _, share in points
    ]
    places = [(left + sure * _SIDE, base - hits * _SIDE) for sure, hits, _ in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{_BLUE}">'
        f"<title>says {sure:.2f}, hits {hits:.2f}</title></circle>"
        for (x, y), (sure, hits, _) in zip(places, points, strict=True)
    ]
    return _picture(
        f"{title}: calibration error {error:.3f}",
        (_SIDE + 2 * _EDGE, _SIDE + 2 * _EDGE),
        [
            *_grid(left, base),
            *rows,
            f'<line x1="{left}" y1="{base}" x2="{left + _SIDE}" y2="{_EDGE}" stroke="{_INK}" stroke-dasharray="4 4"/>',
            f'<polyline points="{line}" fill="none" stroke="{_BLUE}" stroke-width="2"/>',
            *dots,
            _text(left + _SIDE / 2, base + 42, "probability"),
            f'<g transform="rotate(-90 18 {_EDGE + _SIDE / 2})">{_text(18, _EDGE + _SIDE / 2, "share of hits")}</g>',
        ],
    )


def _grid(left: float, base: float) -> list[str]:
    drawn: list[str] = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = left + tick * _SIDE, base - tick * _SIDE
        drawn += [
            f'<line x1="{left}" y1="{y}" x2="{left + _SIDE}" y2="{y}" stroke="{_GRID}"/>',
            _text(x, base + 20, f"{tick:g}"),
            _text(left - 8, y + 4, f"{tick:g}", "end"),
        ]
    return drawn


def confusion_svg(title: str, confusion: Mapping[str, Mapping[str, int]]) -> str:
    """Draw a confusion matrix: truth down, reading across, each row shaded by its shares."""
    names = list(confusion)
    left, top = 110, 90
    drawn = [_text(left + _CELL * len(names) / 2, top - 32, "read as"), _text(14, top - 10, "truly", "start")]
    for row, (truth, counts) in enumerate(confusion.items()):
        y, total = top + row * _CELL, max(sum(counts.values()), 1)
        drawn.append(_text(left - 8, y + _CELL / 2 + 4, truth, "end"))
        drawn.append(_text(left + row * _CELL + _CELL / 2, top - 10, truth))
        for column, count in enumerate(counts.values()):
            drawn += _cell(left + column * _CELL, y, count, count / total)
    return _picture(title, (left + _CELL * len(names) + 20, top + _CELL * len(names) + 20), drawn)


def _cell(x: float, y: float, count: int, share: float) -> list[str]:
    return [
        f'<rect x="{x}" y="{y}" width="{_CELL - 2}" height="{_CELL - 2}" fill="{_BLUE}" '
        f'fill-opacity="{0.06 + 0.94 * share:.3f}"><title>{share:.1%} of the row</title></rect>',
        _text(x + _CELL / 2 - 1, y + _CELL / 2 + 4, f"{count:,}", ink="#ffffff" if share > 0.5 else _INK),
    ]


def _text(x: float, y: float, words: str, anchor: str = "middle", ink: str = _INK) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{ink}">{escape(words)}</text>'


def _picture(title: str, size: tuple[float, float], drawn: Sequence[str]) -> str:
    width, height = size
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" role="img" '
            f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="13">',
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
            f'<text x="14" y="26" font-size="15" font-weight="bold" fill="{_INK}">{escape(title)}</text>',
            *drawn,
            "</svg>\n",
        ]
    )


def pictures(table: Mapping[str, Any]) -> dict[str, str]:
    """Return file name → SVG for every head of a table that :func:`models.evaluate.evaluate` made."""
    drawn: dict[str, str] = {}
    for name, head in table.items():
        if isinstance(head, dict) and "reliability" in head:
            drawn[f"{name}-reliability.svg"] = reliability_svg(name, head["reliability"], head["calibration_error"])
            if "confusion" in head:
                drawn[f"{name}-confusion.svg"] = confusion_svg(f"{name}: what is read as what", head["confusion"])
    return drawn
