"""Scoring and a whole run must not load torch, transformers or Prefect, and must start fast."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "prefect", "streamlit", "spacy")


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(','.join(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name for name in done.stdout.strip().split(",") if name}


def test_classifier_loads_and_scores_a_tweet_without_torch_or_spacy(shipped):
    code = f"import pathlib, models.classifier as c; c.Classifier.load(pathlib.Path({str(shipped)!r})).score(['hi'])"
    assert loaded_by(code) == set()


def test_importing_the_command_line_loads_nothing_heavy():
    assert loaded_by("import pipeline.cli, pipeline.cli_release, pipeline.steps") == set()
