"""Labels go out and come back: the least certain first, append-only, and nothing that is not in the guide."""

import json
import shutil

import pytest

from models.evaluate import read_rows
from models.labels import MOODS
from pipeline.config import Home


@pytest.fixture
def copy(fernhollow, tmp_path):
    home = Home(tmp_path / "copy")
    shutil.copytree(fernhollow.home.root, home.root)
    return home


def rows_in(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_round_trip(called, copy, tables, tmp_path):
    out, training = tmp_path / "out.jsonl", tmp_path / "training.jsonl"
    assert "5 messages in" in called("label", "export", out, "--limit", "5", home=copy).stderr
    rows = rows_in(out)
    assert [list(row) for row in rows] == [["id", "text", "mood", "intents", "disservices", "guess"]] * 5
    surest = [max(row["guess"].values()) for row in rows]
    assert max(surest) < 0.6
    assert all(tuple(row["guess"]) == MOODS for row in rows)
    assert "@example" not in out.read_text()

    assert "0 labels are new" in called("label", "import", out, "--labeller", "ana", home=copy).stderr
    for row, mood in zip(rows[:3], ("furious", "content", "unsure"), strict=True):
        row |= {"mood": mood, "intents": ["complaint", "refund"], "disservices": ["long_wait"]}
    write(out, rows)
    done = called("label", "import", out, "--labeller", "ana", "--training", training, home=copy)
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 labels are new; 3 rows in" in done.stderr
    assert "0 labels are new" in called("label", "import", out, "--labeller", "ana", home=copy).stderr

    made = {row["id"]: row for row in rows_in(training)}
    assert {row["id"]: row["text"] for row in rows[:3]} == {name: row["text"] for name, row in made.items()}
    assert made[rows[0]["id"]]["mood"] == "furious"
    assert len(read_rows(training)) == 3

    rows[0]["mood"] = "annoyed"
    write(out, rows)
    done = called("label", "import", out, "--labeller", "ben", "--training", training, home=copy)
    assert "3 labels are new; 3 rows in" in done.stderr
    assert {row["id"]: row["mood"] for row in rows_in(training)}[rows[0]["id"]] == "annoyed"
    assert len(tables(copy)["label"]) == 6

    called("label", "export", out, "--limit", "5", home=copy)
    assert not {row["id"] for row in rows_in(out)} & set(made)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mood": "cross"}, "line 2: 'cross' is no label of the guide"),
        ({"intents": ["refunds"]}, "line 2: 'refunds' is no label of the guide"),
        ({"disservices": ["long_wait", "bad"]}, "line 2: 'bad' is no label of the guide"),
        ({"intents": "refund"}, "line 2: not a row of `moodline label export`"),
        ({"intents": [["refund"]]}, "line 2: not a row of `moodline label export`"),
        ({"mood": None}, "line 2: not a row of `moodline label export`"),
        ({"mood": ["content"]}, "line 2: not a row of `moodline label export`"),
        ({"id": 7}, "line 2: not a row of `moodline label export`"),
        ({"id": "m_nobody"}, "label of m_nobody: no such message is stored"),
    ],
)
def test_what_is_no_label_is_refused_whole(called, copy, tables, tmp_path, change, says):
    path = tmp_path / "labels.jsonl"
    [good, bad] = [
        {"id": row[0], "mood": "content", "intents": ["praise"], "disservices": []}
        for row in tables(copy)["message"][:2]
    ]
    write(path, [good, bad | change])
    done = called("label", "import", path, "--labeller", "ana", home=copy)
    assert done.returncode == 1
    assert says in done.stderr
    assert tables(copy)["label"] == []


def test_files_that_cannot_be_read_or_written(called, copy, tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b"\xff\xfe")
    assert "cannot be read" in called("label", "import", path, "--labeller", "ana", home=copy).stderr
    path.write_text("{cut")
    assert "line 1: not a row" in called("label", "import", path, "--labeller", "ana", home=copy).stderr
    done = called("label", "export", tmp_path / "nowhere" / "out.jsonl", home=copy)
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr
