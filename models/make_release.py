"""The whole way of a release: gather, train, export, calibrate, judge, write. Needs the ``train`` extra."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from models import behaviour, corpora, metrics
from models.calibrate import calibrate
from models.card import write_card
from models.classifier import Classifier
from models.corpora import Example, Mask
from models.evaluate import FIGURES, compare
from models.export import export
from models.folds import Fold, tweet_fold
from models.labels import MOODS
from models.release import SHIPPED, Calibration, Release
from models.train import Recipe, Trainer, gather

Step = Callable[[str], Callable[[int, int], None]]
_TRAINED_TOPICS = 4500


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
    export(recipe, run, folder)
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
    advance(1, 3)
    tweet_scores = classifier.logits([row.text for row in tweets])
    advance(2, 3)
    topics = _calibrating_topics(shared, mask, recipe.seed)
    topic_scores = classifier.logits([row.text for row in topics])
    advance(3, 3)
    release = replace(plain, calibration=calibrate(labelled, scores, tweets, tweet_scores, topics, topic_scores))
    release.write()
    return release


def _calibrating_topics(shared: Path, mask: Mask, seed: int) -> list[Example]:
    """Return tweets with a level: those that calibrate, and a share of those that train, as the ends are rare."""
    trained = _topics_of(shared, "train")
    chosen = random.Random(seed).sample(trained, min(_TRAINED_TOPICS, len(trained)))
    return corpora.masked(_topics_of(shared, "calibrate") + chosen, mask)


def _topics_of(shared: Path, fold: Fold) -> list[Example]:
    return [row for row in corpora.topic_tweets(shared / "data") if tweet_fold(row.text) == fold]


def judge_release(release: Release, shared: Path, extra: Sequence[Path], mask: Mask, step: Step) -> None:
    """Write ``metrics.json`` and ``card.md`` of a release from the rows that judge."""
    classifier = Classifier(release)
    labelled, tweets = rows_of(shared, extra, mask, "judge")
    topics = corpora.masked(_topics_of(shared, "judge"), mask)
    result = {
        "version": release.version,
        "judged": compare(classifier, labelled, step("judge: labelled rows")),
        "tweets": compare(classifier, tweets, step("judge: tweets")),
        **_judged_topics(classifier, topics, step),
        "behaviour": behaviour.check(classifier),
        "before": _before(release.folder),
        "mood_prior": release.mood_prior,
        "calibration": asdict(release.calibration),
    }
    (release.folder / "metrics.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    write_card(release)


def _judged_topics(classifier: Classifier, topics: Sequence[Example], step: Step) -> dict[str, Any]:
    return {"topics": compare(classifier, topics, step("judge: tweets towards a topic"))} if topics else {}


def _before(folder: Path) -> dict[str, Any]:
    """Return what the newest other release shipped was measured at, on the same rows."""
    others = sorted(path for path in SHIPPED.glob("*/metrics.json") if path.parent.name != folder.name)
    if not others:
        return {}
    measured = json.loads(others[-1].read_text(encoding="utf-8"))
    heads = {name: measured[name]["release"] for name in ("judged", "tweets", "topics") if name in measured}
    short = {name: {head: table.get(head, {}) for head in FIGURES} for name, table in heads.items()}
    return {"version": measured["version"], **_figures_only(short)}


def _figures_only(heads: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of each head, without confusion, reliability and labels."""
    return {
        name: {head: {k: v for k, v in figures.items() if isinstance(v, float)} for head, figures in table.items()}
        for name, table in heads.items()
    }


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
