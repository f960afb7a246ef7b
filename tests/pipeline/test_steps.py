"""The line as a whole: run twice, nobody named at rest, the sample's stories, releases come and go, real input."""

import csv
import json
import os
import shutil

import duckdb
import pytest

from models.release import Calibration, Release
from pipeline.config import Home
from pipeline.store import Snapshot, Warehouse, snapshot_path

UNHAPPY = {"furious", "annoyed", "gone", "unsure"}


@pytest.fixture
def copy(fernhollow, tmp_path):
    home = Home(tmp_path / "copy")
    shutil.copytree(fernhollow.home.root, home.root)
    return home


def people(sample):
    with (sample / "customers.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- Twice -----------------------------------------------------------------------------------------------------------


def test_importing_and_running_again_changes_nothing(called, copy, sample, tables):
    before, shown = tables(copy), snapshot_path(copy)
    log = copy.alerts_log.read_bytes()
    words = ("--as", "tweets", "--channel", "tweet", "--heard-until", "2026-09-17")
    done = called("import", sample / "tweets.jsonl", *words, home=copy)
    assert "0 messages new, 122 known already" in done.stderr
    done = called(
        "import", sample / "customers.csv", "--customers", "--map", "id=customer_id,value=value_gbp", home=copy
    )
    assert "0 rows of customers" in done.stderr
    for _ in range(2):
        done = called("run", "--json", home=copy)
        report = json.loads(done.stdout)
        counts = ("landed", "quarantined", "scored", "tracked", "opened", "cleared", "delivered")
        assert {name: report[name] for name in counts} == dict.fromkeys(counts, 0)
        assert report["snapshot"] == str(shown)
    after = tables(copy)
    for name in before:
        mine = [tuple(v for v in row) for row in after[name]]
        assert name == "cursor" or mine == before[name], name
    assert [row[:2] for row in after["cursor"]] == [row[:2] for row in before["cursor"]]
    assert copy.alerts_log.read_bytes() == log
    with Warehouse.open(copy) as warehouse:
        assert warehouse.revision == before["revision"][0][0]


def test_a_message_that_cannot_be_read_stays_unscored_with_its_reason_and_is_not_tried_again(
    called, home, tables, tmp_path
):
    path = tmp_path / "post.csv"
    path.write_text(
        "text,time,customer\nStill no refund,2026-03-01,ann\n"
        "El paquete llegó roto y nadie me contesta,2026-03-02,ann\n<URL>,2026-03-03,ann\n",
        encoding="utf-8",
    )
    called("import", path, "--as", "post", "--channel", "review", home=home)
    first = json.loads(called("run", "--json", home=home).stdout)
    assert (first["scored"], first["unscored"], first["tracked"]) == (1, 2, 1)
    held = tables(home)
    assert sorted(row[2] for row in held["abstention"]) == ["no words", "written in Spanish"]
    assert len(held["mood_point"]) == 3
    again = json.loads(called("run", "--json", home=home).stdout)
    assert (again["scored"], again["unscored"], again["tracked"]) == (0, 0, 0)
    line = json.loads(called("customer", "ann", "--json", home=home).stdout)
    assert [message["unscored"] for message in line["messages"]] == [None, "written in Spanish", "no words"]


def test_every_customer_message_has_one_reading_and_one_point_of_the_one_version(fernhollow, tables, classifier):
    found = tables(fernhollow.home)
    theirs = {row[0] for row in found["message"] if row[6] == "customer" and row[5]}
    assert (
        len(theirs) == len([row for row in found["message"] if row[6] == "customer"]) == 605
    )  # of 608: three turns of calls continue a turn
    read, declined = ({row[0] for row in found[table]} for table in ("reading", "abstention"))
    assert read | declined == {row[0] for row in found["message"] if row[0] in theirs and row[3]}
    assert not read & declined
    assert {row[1] for row in found["reading"]} == {row[1] for row in found["customer_mood"]} == {classifier.version}
    assert sorted(row[1] for row in found["mood_point"]) == sorted(theirs)
    assert {row[1] for row in found["ledger_entry"]} <= theirs


# --- Nobody is named at rest -----------------------------------------------------------------------------------------


def test_only_the_table_of_names_can_name_anybody(fernhollow, sample, tables):
    found = tables(fernhollow.home)
    named = {str(row[1]) for row in found.pop("customer_alias")}
    found["alerts.jsonl"] = fernhollow.home.alerts_log.read_text(encoding="utf-8").splitlines()
    dump = {name: "\n".join(map(str, rows)).casefold() for name, rows in found.items()}
    for person in people(sample):
        handle = person["handle"].removeprefix("@").casefold()
        assert person["name"] in named
        for secret in (person["email"], person["phone"], person["phone"].replace(" ", ""), f"@{handle}", handle):
            where = [name for name, text in dump.items() if secret and secret.casefold() in text]
            assert where == [], secret


def test_card_numbers_of_the_sample_are_masked(fernhollow, tables):
    texts = [row[3] for row in tables(fernhollow.home)["message"]]
    for placeholder in ("<EMAIL>", "<PHONE>", "<ORDER>", "<USER>"):
        assert any(placeholder in text for text in texts), placeholder
    assert not any("@example" in text for text in texts)


# --- The sample's stories --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def standing(fernhollow):
    """Return name → (stage, levels after each message in order, present level)."""
    with Snapshot.open(fernhollow.home) as snapshot:
        rows = snapshot.execute(
            "SELECT a.value, m.stage, m.level, list(p.level ORDER BY p.at, p.message_id) FROM customer_mood AS m"
            " JOIN customer_alias AS a ON a.customer_id = m.customer_id AND a.kind = 'name'"
            " JOIN mood_point AS p ON p.customer_id = m.customer_id GROUP BY ALL"
        ).fetchall()
    return {name: (stage, levels, level) for name, stage, level, levels in rows}


def test_everybody_stands_somewhere(standing, sample):
    assert set(standing) == {person["name"] for person in people(sample)}


@pytest.mark.parametrize("name", ["Alistair Pengelly", "Shanice Boateng", "Rajan Wickramasinghe"])
def test_those_who_slid_are_seen(standing, name):
    stage, levels, level = standing[name]
    assert stage in UNHAPPY
    assert max(levels) - level >= 1


@pytest.mark.parametrize("name", ["Frances Okonjo-Leigh", "Nadia Haddad"])
def test_those_who_are_happy_are_left_alone(standing, name):
    assert standing[name][0] in {"content", "delighted"}


def drop(levels):
    """The largest fall from an earlier level to a later one."""
    return max((high - low for n, high in enumerate(levels) for low in levels[n:]), default=0.0)


def test_at_least_twelve_slid_and_some_came_back(standing):
    slid = {name for name, (_, levels, _) in standing.items() if drop(levels) >= 1}
    back = {name for name in slid if drop([-level for level in standing[name][1]]) >= 1}
    won = {name for name in back if standing[name][0] in {"content", "delighted"}}
    assert len(slid) >= 12
    assert len(back) >= 3
    assert won
    assert {"Kwame Asante-Boyd", "Winifred Aldersley", "Aoife Brennan"} & back


def test_the_happy_and_the_slid_do_not_look_alike(standing):
    """The end of the line of those who complain last is below that of those who praise last."""
    assert standing["Barnaby Scrope"][2] > standing["Rhys Llewellyn"][2] + 1


# --- Releases --------------------------------------------------------------------------------------------------------


def another_release(home, shipped, name, shift):
    """Copy the shipped release under another name, with another calibration of the mood."""
    folder = home.releases / name
    shutil.copytree(shipped, folder)
    old = Release.read(shipped)
    parts = {part: getattr(old.calibration, part) for part in Calibration.__dataclass_fields__}
    Release(name, folder, old.maximum_tokens, old.mood_prior, Calibration(**parts | {"mood_shift": shift})).write()


@pytest.mark.slow
def test_promotion_scores_history_again_and_rollback_undoes_it(called, copy, shipped, classifier, tables, tmp_path):
    shift = classifier.release.calibration.mood_shift
    another_release(copy, shipped, "2099.1.1", [value + 0.5 * place for place, value in enumerate(shift)])
    another_release(copy, shipped, "2099.1.2", list(reversed(range(-20, 5, 5))))
    rows = tmp_path / "held_out.jsonl"
    rows.write_text(  # often enough that the bootstrap of the gate meets every label
        10
        * (
            '{"text": "Thank you, the lamp is lovely", "mood": "delighted", "intents": ["praise"], "disservices": []}\n'
            '{"text": "I am furious", "mood": "furious", "intents": ["complaint"], "disservices": ["no_human"]}\n'
            '{"text": "Where is my parcel?", "mood": "unsure", "intents": ["delivery"], "disservices": []}\n'
        )
    )
    done = called("promote", "2099.1.2", "--data", rows, home=copy)
    assert done.returncode == 1
    assert "2099.1.2 is worse than" in done.stderr
    assert "--force promotes it anyway" in done.stderr
    assert called("run", home=copy).returncode == 0

    before = tables(copy, moments=False)
    done = called("promote", "2099.1.1", "--data", rows, "--force", home=copy)
    assert done.returncode == 0, done.stderr
    listed = json.loads(called("releases", "--json", home=copy).stdout)
    assert [row["version"] for row in listed if row["serves"]] == ["2099.1.1"]
    report = json.loads(called("run", "--json", home=copy).stdout)
    assert (report["version"], report["scored"]) == ("2099.1.1", len(before["reading"]))
    found = tables(copy, moments=False)
    assert len(found["reading"]) == 2 * len(before["reading"])
    assert {row[1] for row in found["customer_mood"]} == {"2099.1.1"}
    assert len(found["mood_point"]) == len(before["mood_point"])
    assert found["mood_point"] != before["mood_point"]
    customers = json.loads(called("customers", "--json", home=copy).stdout)
    assert {row["version"] for row in customers} == {"2099.1.1"}
    shown = json.loads(called("customer", customers[0]["customer"], "--json", home=copy).stdout)
    assert len({message["id"] for message in shown["messages"]}) == len(shown["messages"])

    assert f"{shipped.name} serves" in called("rollback", home=copy).stderr
    report = json.loads(called("run", "--json", home=copy).stdout)
    assert (report["version"], report["scored"]) == (shipped.name, 0)
    after = tables(copy, moments=False)
    for name in ("customer_mood", "mood_point", "ledger_entry", "message"):
        assert after[name] == before[name], name
    assert called("rollback", home=copy).returncode == 1


# --- The inbox -------------------------------------------------------------------------------------------------------


def test_the_inbox_is_taken_once_and_what_is_wrong_with_it_is_told(called, home, tables):
    folder = home.inbox / "shop"
    folder.mkdir(parents=True)
    (home.inbox / "nameless").mkdir()
    (folder / "source.toml").write_text('channel = "review"\n')
    (folder / "a.csv").write_text("text,time,customer\nFine,2026-03-01,ann\nNo,never,ann\n")
    (folder / "b.csv").write_bytes(b"PK\x03\x04xl/")
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    done = called("run", "--json", home=home)
    report = json.loads(done.stdout)
    assert (done.returncode, report["landed"], report["quarantined"], report["scored"]) == (0, 1, 2, 1)
    assert "nameless: there is no source.toml" in done.stderr
    assert "b.csv line 0: b.csv is an Excel workbook" in done.stderr
    before = tables(home)
    assert json.loads(called("run", "--json", home=home).stdout)["landed"] == 0
    assert tables(home) == before


def test_a_receiver_that_is_down_is_tried_again_and_told_of_without_its_secret(called, copy, monkeypatch, tables):
    with duckdb.connect(str(copy.warehouse)) as connection:
        connection.execute("DELETE FROM alert")
    copy.alerts_log.unlink()
    monkeypatch.setenv("MOODLINE_ALERT_URLS", "json://user:s3cret@127.0.0.1:9/s3cret")
    done = called("run", "--json", home=copy)
    assert (done.returncode, json.loads(done.stdout)["delivered"]) == (0, 0)
    assert "was not delivered (the connection was refused)" in done.stderr
    called("run", home=copy)
    owed = tables(copy)["delivery"]
    assert owed
    assert {(row[2], row[3]) for row in owed} == {("due", 2)}
    assert "s3cret" not in done.stderr + done.stdout + str(tables(copy)) + copy.alerts_log.read_text()


# --- Real input ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_files_in_one_warehouse_twice(called, home, shared, tables):
    data = shared / "data"
    amazon = "text=reviewText,customer=reviewerID,time=unixReviewTime,rating=overall"
    files = (
        ("airline/Tweets.csv", "airline", "tweet", "text=text,customer=name,time=tweet_created", 10_950),
        ("ibm_twitter_care/dev.json", "ibm", "tweet", "", 1_211),
        ("amazon_5core/Magazine_Subscriptions_5.json", "amazon", "review", amazon, 1_111),
        ("trustpilot/spot_reviews.csv", "trustpilot", "review", "text=title+text,time=published", None),
    )
    for name, source, channel, mapping, rows in files:
        words = ("--as", source, "--channel", channel, *(("--map", mapping) if mapping else ()), "--json")
        first = json.loads(called("import", data / name, *words, home=home).stdout)
        assert first["quarantined"] == 0
        assert rows is None or (first["read"], first["source"]) == (rows, source)
        again = json.loads(called("import", data / name, *words, home=home).stdout)
        assert (again["landed"], again["read"]) == (0, first["read"])
    report = json.loads(called("run", "--json", home=home).stdout)
    before = tables(home)
    with (data / files[0][0]).open(encoding="utf-8", newline="") as file:
        flyers = {row["name"].strip().casefold() for row in csv.DictReader(file)}
    readers = {json.loads(line)["reviewerID"] for line in (data / files[2][0]).read_text(encoding="utf-8").splitlines()}
    people = {source: {row[5] for row in before["message"] if row[1] == source} - {None} for _, source, *_ in files}
    assert [len(people[source]) for source in ("airline", "amazon", "trustpilot")] == [len(flyers), len(readers), 0]
    wrote = {row[5] for row in before["message"] if row[6] == "customer"} - {None}
    assert {row[0] for row in before["customer_mood"]} == wrote
    assert report["tracked"] == len(wrote)
    sources = {row[0]: row[1] for row in before["message"]}
    assert {sources[row[1]] for row in before["mood_point"]} == {"airline", "ibm", "amazon"}
    read = {sources[row[0]] for row in before["reading"]}
    assert read == {"airline", "ibm", "amazon", "trustpilot"}
    report = json.loads(called("run", "--json", home=home).stdout)
    assert (report["scored"], report["tracked"], report["opened"], report["cleared"]) == (0, 0, 0, 0)
    assert tables(home) == before
    assert len(json.loads(called("customers", "--json", home=home).stdout)) == 20
