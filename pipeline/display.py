"""What the command line shows people: progress and messages on standard error, tables on standard output."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from models.explain import Explanation, Part

STAGE_STYLE = {
    "delighted": "bold green",
    "content": "green",
    "unsure": "yellow",
    "annoyed": "dark_orange",
    "furious": "bold red",
    "gone": "grey50",
}


def say(text: str) -> None:
    """Print a message for people on standard error."""
    sys.stderr.write(f"{text}\n")


def warn(text: str) -> None:
    """Print a problem on standard error."""
    sys.stderr.write(f"moodline: {text}\n")


class Steps:
    """Progress bars on standard error, one a step; a context manager, and callable with a step's name."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )

    def __enter__(self) -> "Steps":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, name: str) -> Callable[[int, int], None]:
        """Begin a step and return where its progress goes."""
        task: TaskID = self._bars.add_task(name, total=None)

        def advance(done: int, total: int) -> None:
            self._bars.update(task, completed=done, total=total or None)

        return advance


def show_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table, or say that there are none."""
    console = _console()
    if not rows:
        console.print(f"{title}: none")
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row.values()))
    console.print(table)


def show_lines(title: str, lines: Sequence[str]) -> None:
    """Print lines under a title, as they are."""
    console = _console()
    console.print(f"\n{title}", style="bold", highlight=False)
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return str(value)


def _console() -> Console:
    """Return the console of tables; piped into a file they keep the width of a usual screen."""
    return Console() if sys.stdout.isatty() else Console(width=140)


def show_customers(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print the customers most worth a call as one table."""
    console = _console()
    if not rows:
        console.print("No customers yet: `moodline import` brings messages in, `moodline run` reads them.")
        return
    table = Table(title=f"The {len(rows)} customers most worth a call", title_justify="left", header_style="bold")
    for name, side in _COLUMNS:
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*_customer_cells(row))
    console.print(table)


_COLUMNS = (
    ("customer", "left"),
    ("stage", "left"),
    ("slope 30 d", "right"),
    ("risk 30/90 d", "right"),
    ("days left", "right"),
    ("at risk", "right"),
    ("why", "left"),
)


def _customer_cells(row: Mapping[str, Any]) -> list[str]:
    style = STAGE_STYLE[row["stage"]]
    left = row["days_left"]
    return [
        escape(str(row["name"] or row["customer"])),
        f"[{style}]{row['stage']}[/]",
        f"{row['slope_30d']:+.1f}",
        f"{row['risk_30d']:.0%} / {row['risk_90d']:.0%}",
        "over 365" if left is None else f"{left:.0f}",
        f"{row['value_at_risk']:,.0f}",
        escape("; ".join(row["reasons"][:2])),
    ]


def show_customer(line: Mapping[str, Any]) -> None:
    """Print one customer's line: where they stand, then message by message."""
    console = _console()
    style = STAGE_STYLE[line["stage"]]
    console.print(f"[bold]{escape(str(line['name'] or line['customer']))}[/]  {line['customer']}")
    console.print(
        f"[{style}]{line['stage']}[/], level {line['level']:.1f} of 5, {line['slope_30d']:+.1f} in 30 days; "
        f"risk of leaving {line['risk_30d']:.0%} in 30 days, {line['risk_90d']:.0%} in 90"
    )
    if line["lower_30d"] is not None:
        hope = "can still be saved" if line["saveable"] else "is past saving: has probably left already"
        console.print(f"stands lower than 30 days ago with {line['lower_30d']:.0%}; {hope}")
    for reason in line["reasons"]:
        console.print(f"  • {escape(reason)}")
    for words in _without(line):
        console.print(f"  • {words}")
    table = Table(header_style="bold")
    for name in ("when", "who", "message", "read as", "level", "effect"):
        table.add_column(name, overflow="fold")
    cells = [_message_cells(message) for message in line["messages"]]
    cells += [[event["at"][:16], "", event["kind"].replace("_", " "), "", "", ""] for event in line["events"]]
    for row in sorted(cells, key=itemgetter(0)):
        table.add_row(*map(escape, row))
    console.print(table)


def _without(line: Mapping[str, Any]) -> Iterator[str]:
    """Say what the figures would be without each message, and without the silence, that moved them most."""
    sent = {message["id"]: str(message["at"])[:16] for message in line["messages"]}
    for driver in line["drivers"] or ():
        what = "the silence" if driver["kind"] == "silence" else f"the message of {sent[driver['message_id']]}"
        yield f"without {what}: level {driver['level_without']:.1f}, risk {driver['risk_90d_without']:.0%} in 90 days"


def _message_cells(message: Mapping[str, Any]) -> list[str]:
    unread = f"not read: {message['unscored']}" if message["unscored"] else ""
    labels = [message["mood"] or unread, *message["disservices"]]
    return [
        str(message["at"])[:16],
        message["author"] or message["role"],
        message["text"],
        ", ".join(label for label in labels if label),
        "" if message["level"] is None else f"{message['level']:.1f}",
        "" if message["effect"] is None else f"{message['effect']:+.2f}",
    ]


def show_explanation(found: "Explanation") -> None:
    """Print a message with each part in the colour of what it did to the mood, then what moved each label most."""
    console = _console()
    score = found.score
    style = STAGE_STYLE[score.mood_label]
    console.print(f"[{style}]{score.mood_label}[/], expected level {found.level:.1f} of 5")
    console.print(" ".join(f"[{_moved_style(part.level)}]{escape(part.text)}[/]" for part in found.parts))
    rows: list[dict[str, object]] = [{"reading": "mood", **_strongest([(part, part.level) for part in found.parts])}]
    for label in (*score.intent_labels, *score.disservice_labels):
        rows.append({"reading": label, **_strongest([(part, part.labels[label]) for part in found.parts])})
    show_table("What moved it", rows)


def _moved_style(level: float) -> str:
    if abs(level) < _LEAST_MOVE:
        return "default"
    return f"{'bold ' if abs(level) >= _STRONG_MOVE else ''}{'green' if level > 0 else 'red'}"


def _strongest(moves: "Sequence[tuple[Part, float]]") -> dict[str, str]:
    """Return the parts that raised a figure most, and those that lowered it most."""
    ranked = sorted(moves, key=lambda move: move[1])
    told = [(f"{part.text[:40]} {moved:+.2f}", moved) for part, moved in ranked if abs(moved) >= _LEAST_MOVE]
    return {
        "raised by": ", ".join(text for text, moved in reversed(told[-3:]) if moved > 0),
        "lowered by": ", ".join(text for text, moved in told[:3] if moved < 0),
    }


_LEAST_MOVE = 0.05
_STRONG_MOVE = 0.3
