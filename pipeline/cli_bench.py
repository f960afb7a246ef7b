"""The command that measures speed and memory: bench."""

from typing import Annotated

import typer

from pipeline.cli import AsJson, print_json


def add_commands(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(bench)


def bench(
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PART]…", help="score, redact, pull, land, memory or track. Default: all but the last two."
        ),
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Times the usual amount of work, above 0 and up to 1000. Default: 1.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A twentieth of the work, to see that it runs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure speed and peak memory as ratios against an alternative in the same run. A quiet machine is needed.

    `score` sets this release beside its own weights in fp32 and a network of RoBERTa-base's size, both in the Hugging
    Face pipeline, and beside the processor's limit; `memory` is `moodline score` on 100,000 texts; `track` rebuilds ten
    million readings of a million customers (3 GB of disk, some minutes).

    Examples:

    `moodline bench score`

    `moodline bench score memory --quick --json`
    """
    from pipeline.bench import NAMES, USUAL, run

    chosen = list(dict.fromkeys(parts or USUAL))
    strange = [name for name in chosen if name not in NAMES]
    if strange:
        raise typer.BadParameter(f"no part {strange[0]!r}; the parts are {', '.join(NAMES)}")
    report = run(chosen, _scale(scale, quick))
    if as_json:
        print_json(report)


def _scale(scale: float | None, quick: bool) -> float:
    if quick and scale is not None:
        raise typer.BadParameter("--quick is --scale 0.05; say one of them")
    if scale is not None and not 0 < scale <= 1000:  # written so that nan is refused, too
        raise typer.BadParameter(f"--scale {scale:g} is not above 0 and up to 1000; 1 is the usual size")
    return 0.05 if quick else 1.0 if scale is None else scale
