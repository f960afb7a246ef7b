import json
import shutil
from dataclasses import replace

import pytest

from models.errors import CorpusError, ReleaseError
from models.evaluate import evaluate, read_rows
from models.guesses import classifier_guesses
from models.promote import gate
from models.release import Release, Releases
from pipeline.config import REPOSITORY

LABELLED = REPOSITORY / "data" / "labels" / "fernhollow.jsonl"


@pytest.fixture
def own(tmp_path, shipped):
    """A home's releases with one candidate: a copy of the shipped one under another name."""
    folder = tmp_path / "releases" / "candidate"
    shutil.copytree(shipped, folder)
    release = Release.read(folder)
    Release("candidate", folder, release.maximum_tokens, release.mood_prior, release.calibration).write()
    return Releases(tmp_path / "releases")


def test_the_shipped_release_serves_until_another_is_promoted_and_again_after_rollback(own, shipped):
    assert own.active() == shipped
    own.promote("candidate")
    assert own.active().name == "candidate"
    assert own.rollback() == shipped.name
    assert own.active() == shipped
    with pytest.raises(ReleaseError, match="nothing to roll back"):
        own.rollback()


def test_an_unknown_version_is_refused_with_those_there_are(own, shipped):
    with pytest.raises(ReleaseError, match=rf"no release nope; there are: {shipped.name}, candidate"):
        own.promote("nope")


@pytest.mark.slow
def test_the_gate_lets_an_equal_pass_and_stops_a_worse_one(own, shipped):
    assert gate(own.find("candidate"), shipped, LABELLED).passed
    folder = own.find("candidate")
    release = Release.read(folder)
    worse = [0.99] * len(release.calibration.thresholds)
    Release("candidate", folder, release.maximum_tokens, release.mood_prior, _with_thresholds(release, worse)).write()
    verdict = gate(folder, shipped, LABELLED)
    assert not verdict.passed
    assert "intents macro_f1" in verdict.fallen
    assert "worse than" in str(verdict.refusal())


def _with_thresholds(release, thresholds):
    return replace(release.calibration, thresholds=thresholds)


def test_metrics_and_card_were_made_by_the_evaluation(shipped):
    release = Release.read(shipped)
    measured = release.metrics()
    assert measured["version"] == release.version == shipped.name
    kappa = measured["judged"]["release"]["mood"]["quadratic_kappa"]
    assert f"{kappa:.3f}" in (shipped / "card.md").read_text(encoding="utf-8")


def test_the_shipped_release_is_as_good_as_promised(shipped):
    judged = Release.read(shipped).metrics()
    assert judged["judged"]["release"]["mood"]["quadratic_kappa"] >= 0.75
    assert judged["judged"]["release"]["intents"]["macro_f1"] >= 0.55
    assert judged["judged"]["release"]["disservices"]["macro_f1"] >= 0.40
    assert judged["tweets"]["release"]["sentiment"]["macro_recall"] >= 0.69


@pytest.mark.slow
def test_fernhollow_is_read_no_worse_than_by_the_first_release(classifier):
    rows = read_rows(LABELLED)
    table = evaluate(rows, classifier_guesses(classifier, rows), slices=False)
    assert table["mood"]["quadratic_kappa"] > 0.43
    assert table["intents"]["macro_f1"] > 0.35


def test_rows_with_faults_are_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "fine", "mood": "content"}\n{"text": "bad", "mood": "cross"}\n')
    with pytest.raises(CorpusError, match=r"rows\.jsonl line 2: unknown label cross"):
        read_rows(path)
    path.write_text("nonsense\n")
    with pytest.raises(CorpusError, match="line 1"):
        read_rows(path)
    path.write_text("")
    with pytest.raises(CorpusError, match="no rows"):
        read_rows(path)


def test_weights_are_never_pickled(shipped):
    assert {path.name for path in shipped.iterdir()} == {
        "model.onnx",
        "tokenizer.json",
        "release.json",
        "metrics.json",
        "card.md",
    }
    assert json.loads((shipped / "release.json").read_text())["version"] == shipped.name
