"""The README's own commands, run as they stand there on a small CSV."""

import re
import shlex
import subprocess
import sys

import pytest

from pipeline.config import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
REVIEWS = """title,body,email,created,stars
Lovely,"Love this kettle, best shop ever!",ana@example.com,2026-05-01T10:00:00Z,5
Hm,"Where is my order? Third time I ask, nobody answers.",ana@example.com,2026-05-20T10:00:00Z,2
Never again,"You are a joke. Still no refund. I am leaving.",ana@example.com,2026-06-02T10:00:00Z,1
"""


def commands() -> list[str]:
    """Every command line of the README that calls the program."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)).replace("\\\n", " ")
    return [line.split("#")[0].strip() for line in blocks.splitlines() if line.startswith(".venv/bin/moodline")]


def test_the_commands_of_the_readme_work(tmp_path):
    (tmp_path / "reviews.csv").write_text(REVIEWS)
    (tmp_path / "crm.csv").write_text("account,mail,lifetime_value\nA-1,ana@example.com,900\n")
    ran = []
    for line in commands():
        words = shlex.split(line)[1:]
        if words[0] == "dashboard":
            continue
        program = [sys.executable, "-m", "pipeline", "--home", str(tmp_path / "home")]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run([*program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        ran.append(words[0])
    assert ran == ["import", "import", "import", "run", "customers"]
    assert "ana@example.com" in done.stdout or "annoyed" in done.stdout or "furious" in done.stdout


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_what_the_readme_points_to_is_there(path):
    assert (REPOSITORY / path).exists()


def test_the_figures_of_the_readme_are_those_of_the_card(shipped):
    import json

    measured = json.loads((shipped / "metrics.json").read_text())
    judged, tweets = measured["judged"]["release"], measured["tweets"]["release"]
    for figure in (
        judged["mood"]["quadratic_kappa"],
        judged["intents"]["macro_f1"],
        judged["disservices"]["macro_f1"],
        tweets["sentiment"]["macro_recall"],
    ):
        assert f"| {figure:.2f} |" in README
