"""The contract of the commands, on the program as it is run: streams, exit codes, JSON, homes, help."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import typer

from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from pipeline import cli, demo
from pipeline.config import REPOSITORY, Home
from pipeline.records import STATES

FIGURES = ("stage", "level", "slope_30d", "risk_30d", "risk_90d", "days_left", "value_at_risk", "reasons")
COMMANDS = {
    *("import", "run", "score", "customers", "customer", "alerts", "train", "evaluate", "promote", "rollback"),
    *("releases", "dashboard", "doctor", "quarantine show", "quarantine replay", "label export", "label import"),
    *("customers import", "customers forget", "identities"),
    *("pull", "messages", "sources add", "sources test", "sources list", "demo"),
    *(f"identities {verb}" for verb in ("suggest", "accept", "reject", "merge", "split", "undo")),
    *("bench", "explain", "fit", "evaluate-track", "ledger", "lift", "gap", "effect"),
}


@pytest.fixture(scope="module")
def program():
    """The program's commands as the parser knows them: name → command."""
    cli.add_all_commands()
    root = typer.main.get_command(cli.app)
    leaves = {}
    for name, command in root.commands.items():
        inner = getattr(command, "commands", None)
        leaves |= {f"{name} {one}": leaf for one, leaf in (inner or {}).items()}
        leaves |= {name: command} if not inner or command.invoke_without_command else {}
    return root, leaves


@pytest.fixture
def copy(fernhollow, tmp_path):
    """A copy of the sample's home that may be changed."""
    home = Home(tmp_path / "copy")
    shutil.copytree(fernhollow.home.root, home.root)
    return home


# --- Help ------------------------------------------------------------------------------------------------------------


def examples(command):
    """The example lines in a command's help, from the program's name on."""
    shown = command.help.partition("Example")[2]
    return [line[line.index("moodline") :] for line in re.findall(r"`([^`]*\bmoodline [^`]*)`", shown)]


def test_every_command_of_the_contract_is_there(program):
    assert set(program[1]) == COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_examples_that_the_parser_accepts(program, name):
    root, leaves = program
    lines = examples(leaves[name])
    assert lines
    for line in lines:
        rest = shlex.split(line)[1:]
        context = root.make_context("moodline", rest)
        command, words = root, [*context._protected_args, *context.args]
        path = []
        while words and words[0] in getattr(command, "commands", {}):
            path.append(words[0])
            command, words = command.commands[words[0]], words[1:]
        assert " ".join(path) == name
        command.make_context(name, words, parent=context)


def test_every_option_is_explained(program):
    silent = [
        f"{name} {parameter.name}"
        for name, command in program[1].items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert silent == []


def test_without_a_command_it_shows_what_there_is_and_that_is_wrong_usage(moodline):
    done = moodline()
    assert done.returncode == 2
    assert "quarantine" in done.stdout + done.stderr


def test_help_is_printed_on_standard_output(moodline):
    done = moodline("quarantine", "replay", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "moodline quarantine replay --source shop" in done.stdout


# --- Streams and exit codes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("customers", "--json", "--limit", "3"),
        ("customer", "Maureen Oyelaran", "--json"),
        ("alerts", "--all", "--json"),
        ("quarantine", "show", "--json"),
        ("releases", "--json"),
        ("doctor", "--json"),
    ],
    ids=" ".join,
)
def test_json_and_nothing_else_is_on_standard_output(moodline, fernhollow, words):
    done = moodline(*words, home=fernhollow.home)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    assert done.stderr == ""


def test_json_lists_every_customer_and_nobody_before_the_first_run(called, fernhollow, home):
    everybody = json.loads(called("customers", "--json", home=fernhollow.home).stdout)
    assert len(everybody) == len(
        json.loads(called("customers", "--json", "--limit", "999", home=fernhollow.home).stdout)
    )
    assert len(everybody) > 20
    assert json.loads(called("customers", "--json", home=home).stdout) == []


def test_commands_that_change_things_print_json_and_tell_people_on_standard_error(moodline, copy, tmp_path):
    path = tmp_path / "new.csv"
    who = "m.oyelaran@example.com"
    path.write_text(
        f"text,time,customer,rating\nStill waiting,2026-09-18,{who},9\nNothing came,2026-09-19,{who},1\n"
        f"Nothing,never,{who},1\nStill nothing,2026-09-20,{who},six\n"
    )
    done = moodline("import", path, "--channel", "review", "--json", home=copy)
    assert done.returncode == 0
    counts = {"read": 4, "landed": 1, "duplicates": 0, "quarantined": 3, "requarantined": 0}
    assert json.loads(done.stdout) == {"source": "new", **counts}
    assert "new.csv line 2: rating '9' is not a number from 1 to 5" in done.stderr
    assert "3 bad records are in quarantine: moodline quarantine show" in done.stderr

    done = moodline("run", "--json", home=copy)
    report = json.loads(done.stdout)
    assert (done.returncode, report["scored"], report["tracked"]) == (0, 1, 1)
    assert "publish" in done.stderr

    done = moodline("quarantine", "replay", "--set", "rating=1", "--json", home=copy)
    counts = {"read": 3, "landed": 2, "duplicates": 0, "quarantined": 0, "requarantined": 1}
    assert json.loads(done.stdout) == {"source": "quarantine", **counts}
    assert done.returncode == 0

    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        '{"text": "thank you, lovely", "mood": "delighted", "intents": ["praise"], "disservices": []}\n'
        '{"text": "I am furious", "mood": "furious", "intents": ["complaint"], "disservices": ["rude_staff"]}\n'
    )
    done = moodline("evaluate", "--data", rows, "--json", "--output", tmp_path / "out.json", home=copy)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "out.json").read_text())


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("bogus",), 2, "No such command"),
        (("customers", "--limit", "0"), 2, "greater than or equal to 1"),
        (("customers", "--colour"), 2, "No such option"),
        (("import",), 2, "Missing argument"),
        (("import", "README.md"), 2, "say --channel review"),
        (("import", "README.md", "--channel", "review", "--map", "words=x"), 2, "'words' is not a field"),
        (("import", "README.md", "--channel", "review", "--rating-scale", "5"), 2, "worst and best"),
        (("import", "README.md", "--channel", "review", "--rating-scale", "5,5"), 2, "no width"),
        (("import", "nowhere.csv", "--channel", "review"), 1, "nowhere.csv: no such file or folder"),
        (("import", "nowhere.csv", "--customers"), 1, "nowhere.csv: no such file or folder"),
        (("customers",), 1, "nothing is published yet; bring messages in with `moodline import`"),
        (("customer", "nobody", "--json"), 1, "nothing is published yet"),
        (("promote", "2099.1.1", "--data", "rows.jsonl"), 1, "no release 2099.1.1; there are: "),
        (("rollback",), 1, "nothing to roll back"),
        (("label", "export", "out.jsonl"), 1, "nothing has been scored yet"),
        (("label", "import", "nowhere.jsonl", "--labeller", "ana"), 1, "nowhere.jsonl"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_exit_codes_and_what_they_come_with(called, home, words, code, says):
    done = called(*words, home=home)
    assert done.returncode == code
    assert says in re.sub(r"\s+│?\s*", " ", done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_wrong_settings_are_wrong_usage(called, home):
    home.root.mkdir()
    home.settings_file.write_text("[moodline]\nslide_level = 1\n")
    done = called("run", home=home)
    assert done.returncode == 2
    assert "slide_level is not a setting; known are slide_levels" in done.stderr


def test_a_home_that_cannot_be_is_one_line(called, tmp_path):
    (tmp_path / "file").write_text("")
    done = called("run", home=Home(tmp_path / "file"))
    assert done.returncode == 1
    assert str(tmp_path / "file") in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_hangs_up_gets_no_traceback(fernhollow):
    line = f"{sys.executable} -m pipeline --home {fernhollow.home.root} customers --json --limit 60 | head -c 10"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=REPOSITORY)
    assert "Traceback" not in done.stderr


# --- score -----------------------------------------------------------------------------------------------------------

SCORED = """{"id": "b", "text": "third time I ask, still no refund"}
{"id": 7, "text": "lovely, thank you"}

{"text": "where is my parcel"}
{"id": {"any": ["json"]}, "text": "hello?"}
{"id": "b", "text": "third time I ask, still no refund"}
{"id": "half an emoji", "text": "great \\ud83d"}
"""


def test_score_writes_a_line_for_a_line_in_order_in_the_form_of_the_contract(moodline, home, classifier):
    done = moodline("score", home=home, input=SCORED)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in rows] == ["b", 7, 4, {"any": ["json"]}, "b", "half an emoji"]
    assert rows[0] == rows[4]
    for row in rows:
        assert list(row) == ["id", "version", "mood", "sentiment", "intents", "disservices", "labels"]
        assert row["version"] == classifier.version
        for head, labels in (("mood", MOODS), ("sentiment", SENTIMENTS)):
            assert tuple(row[head]) == labels
            assert sum(row[head].values()) == pytest.approx(1, abs=1e-4)
            assert row["labels"][head] == max(row[head], key=row[head].get)
        for head, labels in (("intents", INTENTS), ("disservices", DISSERVICES)):
            assert tuple(row[head]) == labels
            assert all(0 <= value <= 1 for value in row[head].values())
            assert set(row["labels"][head]) <= set(labels)
    assert rows[0]["labels"]["mood"] in ("annoyed", "furious")
    assert rows[1]["labels"]["mood"] in ("delighted", "content")
    assert not home.root.exists()


def test_score_leaves_bad_lines_out_reports_them_and_fails_at_the_end(moodline, home):
    lines = [
        b'{"id": 1, "text": "fine"}', b"nonsense", b'{"id": 3, "text": 4}', b"[1]", b'{"id": 5}',
        b'{"id": 6, "text": "caf\xe9"}', '{"id": 7, "text": "café"}'.encode(),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "--home", str(home.root), "score"],
        input=b"\n".join(lines), capture_output=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 1
    assert [json.loads(line)["id"] for line in done.stdout.decode().splitlines()] == [1, 7]
    told = done.stderr.decode()
    assert [int(n) for n in re.findall(r"standard input line (\d)", told)] == [2, 3, 4, 5, 6]
    assert "5 lines could not be scored" in told
    assert "caf" not in told


def test_score_reads_as_many_lines_as_it_can_hold(monkeypatch):
    monkeypatch.setattr(cli, "_LINES_AT_ONCE", 3)
    monkeypatch.setattr(cli, "_LETTERS_AT_ONCE", 10)
    lines = ["a", "b", "c", "long enough alone", "d", "and more letters", "e"]
    chunks = list(cli._chunks(lines))
    assert [[number for number, _ in chunk] for chunk in chunks] == [[1, 2, 3], [4], [5, 6], [7]]
    assert [line for chunk in chunks for _, line in chunk] == lines


def test_score_does_not_guess_at_what_it_cannot_read(moodline, home, classifier):
    texts = ["", "<USER> <URL>", "my parcel is lost", "Ich warte seit drei Wochen auf meine Bestellung"]
    lines = "".join(json.dumps({"id": place, "text": text}) + "\n" for place, text in enumerate(texts))
    done = moodline("score", home=home, input=lines)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["id"] for row in rows] == [0, 1, 2, 3]
    assert [row.get("unscored") for row in rows] == ["empty", "no words", None, "written in German"]
    assert "mood" in rows[2]
    assert all(list(row) == ["id", "version", "unscored"] for row in rows if "mood" not in row)


def test_explain_says_which_words_moved_the_mood_or_why_there_is_none(called, home):
    done = called("explain", "The service was terrible", "--json", home=home)
    found = json.loads(done.stdout)
    assert [part["text"] for part in found["parts"]] == ["The", "service", "was", "terrible"]
    assert min(found["parts"], key=lambda part: part["level"])["text"] == "terrible"
    assert set(found["parts"][0]["labels"]) == {*found["labels"]["intents"], *found["labels"]["disservices"]}
    shown = called("explain", "The service was terrible", home=home)
    assert (shown.returncode, "terrible" in shown.stdout, "lowered by" in shown.stdout) == (0, True, True)
    refused = called("explain", "Mon colis n'est toujours pas arrivé chez moi", home=home)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "not read: written in French" in refused.stderr


def test_score_of_nothing_that_can_be_read(moodline, home):
    done = moodline("score", home=home, input="nonsense\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "1 lines could not be scored" in done.stderr
    assert "Traceback" not in done.stderr


# --- evaluate --------------------------------------------------------------------------------------------------------

JUDGED = """{"text": "thank you, lovely", "mood": "delighted", "intents": ["praise"], "disservices": [], "source": "a"}
{"text": "I am furious, third time", "mood": "furious", "intents": ["complaint"], "disservices": ["rude_staff"]}
{"text": "the parcel", "sentiment": "neutral", "mood": null}
{"text": "not what I hoped for", "level": -1}
"""


def test_evaluate_shows_tables_and_leaves_figures_and_pictures(called, home, tmp_path):
    rows, figures, pictures = tmp_path / "rows.jsonl", tmp_path / "new" / "figures.json", tmp_path / "pictures"
    rows.write_text(JUDGED)
    done = called("evaluate", "--data", rows, "--output", figures, "--plots", pictures, home=home)
    assert done.returncode == 0, done.stderr
    for shown in ("mood: quadratic kappa", "vader", "majority", "mood: what is read as what", "Each label", "source a"):
        assert shown in done.stdout
    assert "is it right as often as it says" in done.stdout
    release = json.loads(figures.read_text())["release"]
    assert [release[head]["rows"] for head in ("mood", "sentiment", "level", "intents")] == [2, 3, 1, 2]
    ordered = ("mood", "sentiment", "level")
    names = {f"{head}-{kind}.svg" for head in ordered for kind in ("reliability", "confusion")}
    assert {path.name for path in pictures.iterdir()} == names | {
        "intents-reliability.svg",
        "disservices-reliability.svg",
    }


def test_evaluate_names_the_row_that_is_wrong(called, home, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text(JUDGED + '{"text": "x", "level": 7}\n')
    done = called("evaluate", "--data", rows, home=home)
    assert (done.returncode, done.stdout) == (1, "")
    assert "rows.jsonl line 5: unknown label 7 as level; known are 2, 1, 0, -1, -2" in done.stderr


# --- customers, customer, alerts -------------------------------------------------------------------------------------


def test_customers_as_json(called, fernhollow):
    rows = json.loads(called("customers", "--json", "--limit", "100", home=fernhollow.home).stdout)
    assert len(rows) == 60
    for row in rows:
        assert {"customer", *FIGURES} <= set(row)
        assert row["stage"] in STATES
        assert 0 <= row["level"] <= 5
        assert 0 <= row["risk_30d"] <= row["risk_90d"] <= 1
        assert row["days_left"] is None or 0 <= row["days_left"] <= 365
        moved = any(driver["kind"] == "message" for driver in row["drivers"])
        assert row["reasons"] or not moved  # who was never moved by anything worth telling has none
        assert all(isinstance(reason, str) for reason in row["reasons"])
        assert re.fullmatch("c_[0-9a-f]{12}", row["customer"])
    worth = [row["value_at_risk"] for row in rows]
    assert worth == sorted(worth, reverse=True)
    first = json.loads(called("customers", "--json", "--limit", "3", home=fernhollow.home).stdout)
    assert first == rows[:3]


def test_one_customer_as_json_by_any_name(called, fernhollow):
    line = json.loads(called("customer", "maureen oyelaran", "--json", home=fernhollow.home).stdout)
    assert line["name"] == "Maureen Oyelaran"
    assert tuple(line["mood"]) == STATES
    for name in (line["customer"], "@Mo_Oyel", "M.Oyelaran@example.com", "FH-C0101"):
        assert json.loads(called("customer", name, "--json", home=fernhollow.home).stdout) == line
    customers = [message for message in line["messages"] if message["role"] == "customer"]
    assert len(line["points"]) == len(customers)
    for point in line["points"]:
        assert tuple(point["mood"]) == STATES
        assert sum(point["mood"].values()) == pytest.approx(1)
    assert {message["channel"] for message in line["messages"]} <= {"review", "tweet", "transcript"}
    assert {"agent", "customer"} <= {message["role"] for message in line["messages"]}
    known = {message["id"] for message in customers}
    assert line["ledger"]
    assert {entry["message"] for entry in line["ledger"]} <= known
    moments = [message["at"] for message in line["messages"]]
    assert moments == sorted(moments)


def test_nobody_goes_by_that_name(called, fernhollow):
    done = called("customer", "Nobody Atall", home=fernhollow.home)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no customer goes by 'Nobody Atall'; `moodline customers` lists ids" in done.stderr


def test_alerts_point_at_messages(called, fernhollow):
    rows = json.loads(called("alerts", "--json", "--all", home=fernhollow.home).stdout)
    assert rows
    for row in rows:
        assert row["kind"] in ("slide", "furious", "leaving")
        assert row["message_ids"]
        assert "Next: " in row["explanation"]
        assert row["opened_at"].endswith("Z")
    logged = [json.loads(line) for line in fernhollow.home.alerts_log.read_text().splitlines()]
    assert {row["alert_id"] for row in logged} == {row["alert_id"] for row in rows}


def test_tables_for_people(called, fernhollow, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    assert "Maureen Oyelaran" in called("customers", "--limit", "60", home=fernhollow.home).stdout
    shown = called("customer", "Rajan Wickramasinghe", home=fernhollow.home).stdout
    assert "level" in shown
    assert "risk of leaving" in shown
    assert re.search(r"without the message of 2026-\d\d-\d\dT\d\d:\d\d: level \d\.\d, risk \d+% in 90 days", shown)
    assert "explanation" in called("alerts", home=fernhollow.home).stdout
    assert "Quarantine: none" in called("quarantine", "show", home=fernhollow.home).stdout


# --- Homes -----------------------------------------------------------------------------------------------------------


def test_two_homes_never_touch_and_the_environment_names_one(moodline, called, tmp_path):
    one, two = Home(tmp_path / "one"), Home(tmp_path / "two")
    path = tmp_path / "r.csv"
    path.write_text("text,time,customer\nA pleasure as ever,2026-03-01,ann\n")
    default = {entry.name for entry in (REPOSITORY / "data").iterdir()}
    words = ("import", path, "--channel", "review")
    assert called(*words, home=one).returncode == 0
    before = {entry: entry.stat().st_mtime_ns for entry in one.root.iterdir()}
    assert moodline(*words, env={"MOODLINE_HOME": str(two.root)}).returncode == 0
    assert two.warehouse.exists()
    assert {entry: entry.stat().st_mtime_ns for entry in one.root.iterdir()} == before
    done = moodline("run", "--json", home=two, env={"MOODLINE_HOME": str(one.root)})
    assert json.loads(done.stdout)["snapshot"].startswith(str(two.root))
    assert {entry: entry.stat().st_mtime_ns for entry in one.root.iterdir()} == before
    assert {entry.name for entry in (REPOSITORY / "data").iterdir()} == default


# --- run: what it loads ----------------------------------------------------------------------------------------------

LOADS = """
import sys
sys.argv = ["moodline", "--home", sys.argv[1], "run"]
from pipeline.cli import main
try:
    main()
except SystemExit as end:
    print("code", end.code or 0)
print("loaded", *(name for name in ("torch", "prefect", "transformers", "streamlit", "onnx") if name in sys.modules))
"""


def test_a_run_with_news_imports_neither_torch_nor_prefect(tmp_path):
    home = Home(tmp_path / "home")
    folder = home.inbox / "shop"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text('channel = "review"\n')
    (folder / "r.csv").write_text(
        "text,time,customer\nMail me at ann@example.com or ring 020 7946 0958,2026-03-01,ann\n"
    )
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    done = subprocess.run(
        [sys.executable, "-c", LOADS, str(home.root)], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout.split() == ["code", "0", "loaded"], done.stderr
    assert "landed 1" in done.stderr


# --- The demo --------------------------------------------------------------------------------------------------------


def test_the_demo_ends_with_ten_named_customers(fernhollow, sample):
    shown = fernhollow.printed["customers --limit"].stdout
    assert "The 10 customers most worth a call" in shown
    names = {line.split(",")[1] for line in (sample / "customers.csv").read_text().splitlines()[1:]}
    assert len([name for name in names if f"│ {name} " in shown]) == 10
    assert "cost" in shown


def test_the_demo_stops_at_the_first_command_that_fails(tmp_path, capfd):
    (tmp_path / "file").write_text("")
    assert demo.main(["--home", str(tmp_path / "file")]) == 1
    assert capfd.readouterr().out.count("$ moodline") == 1
