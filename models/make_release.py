"""The whole way of a release: gather, train, export, calibrate, judge, write. Needs the ``train`` extra."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from models import corpora, metrics
from models.calibrate import calibrate
from models.card import write_card
from models.classifier import Classifier
from models.corpora import Example, Mask
from models.evaluate import compare
from models.export import export
from models.folds import Fold, tweet_fold
from models.labels import MOODS
from models.release import Calibration, Release
from models.train import Recipe, Trainer, gather

Step = Callable[[str], Callable[[int, int], None]]


def make_release(
    recipe: Recipe, shared: Path, extra: Sequence[Path], run: Path, folder: Path, mask: Mask, step: Step
) -> Release:
    """Train by a recipe (or go on where ``run`` stopped) and write the release into ``folder``.

    Args:
        recipe: What to do.
        shared: Holds ``data/`` and ``labelling/train.jsonl``.
        extra: Further files of labelled rows.
        run: Where checkpoints and the log lie.
        folder: Where the release goes.
        mask: Masks texts as stored messages are masked.
        step: Told the name of each step, returns where its progress goes.
    """
    step("gather")
    weights = run / "network.safetensors"
    if not weights.exists():
        _train(recipe, shared, extra, run, mask, step)
    step("export")
    export(recipe, weights, folder)
    release = _calibrated(recipe, shared, extra, folder, mask, step)
    judge_release(release, shared, extra, mask, step)
    return release


def _train(recipe: Recipe, shared: Path, extra: Sequence[Path], run: Path, mask: Mask, step: Step) -> None:
    trainer = Trainer(recipe, gather(recipe, shared, mask, extra), run)
    bars: dict[str, Callable[[int, int], None]] = {}

    def progress(phase: str, done: int, total: int, loss: float) -> None:
        if phase not in bars:
            bars[phase] = step(f"train: {phase}")
        bars[phase](done, total)

    trainer.run(progress)


def _calibrated(recipe: Recipe, shared: Path, extra: Sequence[Path], folder: Path, mask: Mask, step: Step) -> Release:
    prior = _mood_prior(shared, extra)
    plain = Release(recipe.version, folder, recipe.maximum_tokens, prior, Calibration.neutral())
    plain.write()
    advance = step("calibrate")
    classifier = Classifier.load(folder)
    labelled, tweets = rows_of(shared, extra, mask, "calibrate")
    scores = classifier.logits([row.text for row in labelled])
    advance(1, 2)
    tweet_scores = classifier.logits([row.text for row in tweets])
    advance(2, 2)
    release = replace(plain, calibration=calibrate(labelled, scores, tweets, tweet_scores))
    release.write()
    return release


def judge_release(release: Release, shared: Path, extra: Sequence[Path], mask: Mask, step: Step) -> None:
    """Write ``metrics.json`` and ``card.md`` of a release from the rows that judge."""
    classifier = Classifier(release)
    labelled, tweets = rows_of(shared, extra, mask, "judge")
    result = {
        "version": release.version,
        "judged": compare(classifier, labelled, step("judge: labelled rows")),
        "tweets": compare(classifier, tweets, step("judge: tweets")),
        "mood_prior": release.mood_prior,
        "calibration": asdict(release.calibration),
    }
    (release.folder / "metrics.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_card(release)


def rows_of(shared: Path, extra: Sequence[Path], mask: Mask, fold: Fold) -> tuple[list[Example], list[Example]]:
    """Return the labelled rows and the sentiment tweets of one fold, masked."""
    labelled = corpora.fold_of(corpora.all_labelled(shared, extra), fold)
    tweets = [row for row in corpora.tweets(shared / "data") if row.sentiment and tweet_fold(row.text) == fold]
    only_sentiment = [replace(row, moods=None) for row in tweets]
    return corpora.masked(labelled, mask), corpora.masked(only_sentiment, mask)


def _mood_prior(shared: Path, extra: Sequence[Path]) -> list[float]:
    rows = corpora.fold_of(corpora.all_labelled(shared, extra), "train")
    places = metrics.places([row.moods[0] for row in rows if row.moods], MOODS)
    shares = np.bincount(places, minlength=len(MOODS)) + 1.0
    return [round(float(share), 5) for share in shares / shares.sum()]
