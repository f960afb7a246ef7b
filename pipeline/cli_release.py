"""The commands that make and judge releases: train, evaluate, label, promote, rollback."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import ReleaseError
from models.release import Release, Releases
from pipeline.cli import AsJson, home_of, open_warehouse, print_json
from pipeline.display import Steps, say, show_lines, show_table

label_app = typer.Typer(no_args_is_help=True, help="Messages out to be labelled, labels back in.")


def add_commands(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (train, evaluate, promote, rollback, releases):
        app.command()(command)
    app.add_typer(label_app, name="label")


def train(
    context: typer.Context,
    shared: Annotated[Path, typer.Option(help="Folder that holds data/ (the public sets) and labelling/train.jsonl.")],
    recipe: Annotated[Path | None, typer.Option(help="Recipe file. Default: models/recipe.toml.")] = None,
    labels: Annotated[
        list[Path] | None, typer.Option(help="Further labelled rows, such as from `label import`.")
    ] = None,
    into: Annotated[Path | None, typer.Option(help="Folder of the release. Default: releases/ in the home.")] = None,
) -> None:
    """Train a release by a recipe, calibrate, judge and write it. Resumes where it was stopped; needs the train extra.

    Takes an hour or two on two cores. The new release does not serve until `moodline promote`.

    Examples:

    `moodline train --shared ../shared`

    `moodline train --shared ../shared --recipe my.toml --labels labels.jsonl`
    """
    try:
        from models.make_release import make_release
        from models.train import RECIPE, read_recipe
    except ImportError as error:
        raise ReleaseError(f"training needs {error.name}; install it: pip install 'moodline[train]'") from error
    from pipeline.redact import Redactor

    chosen = read_recipe(recipe or RECIPE)
    home = home_of(context)
    folder = into or home.releases / chosen.version
    with Steps() as steps:
        make_release(
            chosen, shared, labels or [], home.root / "training" / chosen.version, folder, Redactor().mask, steps
        )
    say(f"release {chosen.version} in {folder}; see {folder / 'card.md'}, then: moodline promote {chosen.version}")


def evaluate(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="JSONL rows with text and mood, intents, disservices or sentiment.")],
    version: Annotated[str | None, typer.Option("--release", help="A version. Default: the one that serves.")] = None,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option(help="Write the JSON here too.")] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Folder for pictures (SVG) of reliability and of what is confused.")
    ] = None,
) -> None:
    """Judge a release on labelled rows, beside VADER and always guessing the commonest label.

    A row is `{"text", "source", "mood", "sentiment", "level", "intents", "disservices"}`; what is missing or null is
    not judged. `level` is SemEval's five-point sentiment, -2 to 2.

    Examples:

    `moodline evaluate --data data/labels/fernhollow.jsonl --json`

    `moodline evaluate --data rows.jsonl --output figures.json --plots pictures`
    """
    from models.classifier import Classifier
    from models.evaluate import compare, read_rows

    known = Releases(home_of(context).releases)
    rows = read_rows(data)
    for folder in filter(None, (output and output.parent, plots)):  # before the minutes that scoring may take
        folder.mkdir(parents=True, exist_ok=True)
    classifier = Classifier.load(known.find(version) if version else known.active())
    with Steps() as steps:
        result = compare(classifier, rows, steps("score"))
    if "vader" not in result:
        say("VADER is left out: it is not installed; pip install vaderSentiment adds it")
    if unread := result["release"]["unread"]:
        told = ", ".join(f"{reason} {count:,}" for reason, count in unread.items())
        say(f"{sum(unread.values()):,} rows would not be read ({told}); they are judged here all the same")
    if output:
        output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if plots:
        _write_pictures(result["release"], plots)
    if as_json:
        print_json(result)
    else:
        _show_evaluation(f"{len(rows):,} rows of {data.name}, release {classifier.version}", result)


def _write_pictures(table: dict[str, Any], folder: Path) -> None:
    from pipeline.plots import pictures

    drawn = pictures(table)
    for name, picture in drawn.items():
        (folder / name).write_text(picture, encoding="utf-8")
    say(f"{len(drawn)} pictures in {folder}")


def _show_evaluation(title: str, result: dict[str, Any]) -> None:
    from models import evaluate as judged
    from pipeline.plots import reliability_lines

    release = result["release"]
    show_table(title, judged.summary(result))
    for name in (head for head in judged.FIGURES if head in release):
        if "confusion" in release[name]:
            show_table(f"{name}: what is read as what", judged.confusion_summary(release[name]))
        show_lines(f"{name}: is it right as often as it says (│)?", reliability_lines(release[name]["reliability"]))
    if labels := judged.label_summary(release):
        show_table("Each label", labels)
    show_table("Each source and length, with 95 % intervals", judged.slice_summary(release))


def promote(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="The release that shall serve.")],
    data: Annotated[Path, typer.Option(help="Labelled rows that neither release was trained on.")],
    force: Annotated[bool, typer.Option("--force", help="Promote even if the gate says no.")] = False,
) -> None:
    """Let another release serve, if it is no worse than the present one on the same held-out rows.

    History is scored again at the next run, so that a new model never fakes a slide.

    Example:

    `moodline promote 2026.12.1 --data held_out.jsonl`
    """
    from models.promote import gate

    known = Releases(home_of(context).releases)
    verdict = gate(known.find(version), known.active(), data)
    show_table(f"{version} against {verdict.present}", verdict.table())
    if not verdict.passed and not force:
        raise verdict.refusal()
    known.promote(version)
    say(f"{version} serves from the next run on; `moodline rollback` undoes it")


def rollback(context: typer.Context) -> None:
    """Let the release before the present one serve again.

    Example:

    `moodline rollback`
    """
    say(f"{Releases(home_of(context).releases).rollback()} serves from the next run on")


def releases(context: typer.Context, as_json: AsJson = False) -> None:
    """List the releases at hand and mark the one that serves.

    Example:

    `moodline releases`
    """
    known = Releases(home_of(context).releases)
    active = known.active()
    rows = [_release_row(folder, folder == active) for folder in known.list()]
    if as_json:
        print_json(rows)
    else:
        show_table("Releases", rows)


def _release_row(folder: Path, serves: bool) -> dict[str, object]:
    judged = Release.read(folder).metrics().get("judged", {}).get("release", {})
    return {
        "version": folder.name,
        "serves": serves,
        "mood kappa": judged.get("mood", {}).get("quadratic_kappa"),
        "intents F1": judged.get("intents", {}).get("macro_f1"),
        "disservices F1": judged.get("disservices", {}).get("macro_f1"),
    }


@label_app.command("export")
def label_export(
    context: typer.Context,
    output: Annotated[Path, typer.Argument(help="JSONL to write; fill in mood, intents and disservices.")],
    limit: Annotated[int, typer.Option(min=1, help="How many messages.")] = 200,
) -> None:
    """Write the messages that the model is least sure of, with its guesses, for people to label.

    Example:

    `moodline label export to_label.jsonl --limit 100`
    """
    from pipeline.labelling import export

    with open_warehouse(home_of(context)) as warehouse:
        count = export(warehouse, output, limit)
    say(f"{count:,} messages in {output}; label them by the guide, then: moodline label import {output}")


@label_app.command("import")
def label_import(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="What `label export` wrote, filled in.")],
    labeller: Annotated[str, typer.Option(help="Whose judgement it is.")],
    training: Annotated[
        Path | None, typer.Option(help="Also write all labels so far as rows for `train --labels`.")
    ] = None,
) -> None:
    """Take labels back in. They are appended, never overwritten; the newest for a message counts.

    Example:

    `moodline label import to_label.jsonl --labeller ana --training labels.jsonl`
    """
    from pipeline.labelling import read_labels, write_training

    with open_warehouse(home_of(context)) as warehouse:
        added = warehouse.add_labels(read_labels(path, labeller))
        total = write_training(warehouse, training) if training else None
    say(f"{added:,} labels are new" + (f"; {total:,} rows in {training}" if training else ""))
