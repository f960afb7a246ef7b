"""The commands that fit and judge the mood model: fit, evaluate-track."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import AsJson, home_of, open_warehouse, print_json
from pipeline.config import Home
from pipeline.display import say, show_table


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command()(fit)
    app.command("evaluate-track")(evaluate_track)


def fit(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option(help="Where to write. Default: mood_model.json in the home.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the mood model to this home's own history; it serves from the next run on, if it foresees strangers better.

    Starts from the shipped model and strays from it as far as the history bears out. Refuses where there is too little.
    Delete the file to return to the shipped model.

    Example:

    `moodline fit`
    """
    from pipeline.mood_model import Parameters
    from pipeline.own_fit import fit_own
    from pipeline.serving import active_classifier

    home = home_of(context)
    path = output or home.mood_model
    path.parent.mkdir(parents=True, exist_ok=True)  # before the minutes that fitting may take
    classifier = active_classifier(home)
    with open_warehouse(home) as warehouse:
        everybody = warehouse.customers_to_track(classifier.version, "")
        table, events = warehouse.histories(everybody, classifier.version), warehouse.events(everybody)
    start = Parameters.load().with_prior(tuple(classifier.release.mood_prior))
    found, scores = fit_own(table, start, say, events)
    if found is not None:
        found.save(path)
    if as_json:
        print_json({"written": str(path) if found else None, "scores": scores})
    else:
        show_table("One step ahead, on customers not fitted to", [_line(name, one) for name, one in scores.items()])
    if found is None:
        say("no better than the shipped model on customers it has not seen; nothing was written")
    elif path.resolve() == home.mood_model.resolve():
        say(f"wrote {path}; it serves from the next run on")
    else:
        say(f"wrote {path}; it serves once it lies at {home.mood_model}")


def evaluate_track(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="JSONL rows with customer, time, mood or rating or sentiment, and text.")],
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option(help="Write the JSON here too.")] = None,
    horizon: Annotated[
        float | None,
        typer.Option(min=0.01, help="Days within which a warning must come true. Default: 30 or a quarter of all."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Parts the customers are split into.")] = 5,
) -> None:
    """Judge the mood model on labelled sequences of customers: next message, slides, calibration, beside averages.

    A row is `{"customer": …, "time": ISO 8601, "sentiment": "negative"}`, or with `"mood"` or `"rating"` for the label;
    a time may be a unix time, too. `"text"`, if there is one, is read by the classifier as evidence for later steps.
    Each customer is judged by a model and by averages that were fitted to other customers.

    Example:

    `moodline evaluate-track --data sequences.jsonl --json`
    """
    from pipeline.evaluate_track import judge, read_rows, sequences_of

    if output:
        output.parent.mkdir(parents=True, exist_ok=True)  # before the minutes that fitting may take
    scale, rows, copies = read_rows(data)
    start, read = _model_and_reader(home_of(context), any(row.text.strip() for row in rows))
    sequences = sequences_of(data.name, scale, rows, read)
    report = judge(sequences, start, folds=folds, horizon=horizon, say=say) | {"copies_dropped": copies}
    if output:
        output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print_json(report)
    else:
        _show(report)


def _model_and_reader(home: Home, texts: bool) -> tuple[Any, Any]:
    from pipeline.mood_model import Parameters

    start = Parameters.serving(home.mood_model)
    if not texts:
        return start, None
    from pipeline.fit import reader
    from pipeline.redact import Redactor
    from pipeline.serving import active_classifier

    classifier = active_classifier(home)
    return start.with_prior(tuple(classifier.release.mood_prior)), reader(classifier, Redactor().mask)


def _line(name: str, score: Mapping[str, Any]) -> dict[str, Any]:
    row = {"outcome": name, "customers": score["customers"], "steps": score["steps"], "fitted": score["log_loss"]}
    return row | {"shipped": score["default_log_loss"], **score["baselines"]}


def _show(report: Mapping[str, Any]) -> None:
    losses = {"mood model": report["log_loss"], **report["baselines"]}
    show_table(
        f"Next message of {report['customers']:,} customers, {report['steps']:,} steps: log loss (lower is better)",
        [{"forecast": name, "log loss": f"{loss:.4f}"} for name, loss in losses.items()],
    )
    low, high = report["interval"]
    say(f"{report['relative']:+.1%} against {report['best_baseline']}; difference {low:+.4f} to {high:+.4f} (95 %)")
    slide = report["slide_warning"]
    if "average_precision" not in slide:
        say("nobody slid, or everybody did: nothing to warn of")
        return
    precisions = {"mood model": slide["average_precision"]["value"], **slide["average_precision_baselines"]}
    show_table(
        f"Who writes in anger next, of {slide['rows']:,} at or above unsure: average precision (higher is better)",
        [{"forecast": name, "average precision": f"{value:.4f}"} for name, value in precisions.items()],
    )
    say(f"at recall 0.5, {slide['false_positive_rate_at_recall']['0.5']:.1%} of those who did not were warned of too")
