"""The commands about people, as they are run: records in, one customer across sources, taken apart, forgotten."""

import json

import pytest

from pipeline.store import snapshot_path

MESSAGES = """time,who,mail,name,ticket,text
2026-05-01T10:00:00Z,17,ann@example.com,Ann Kay,T-1,"Love it, thank you!"
2026-05-09T10:00:00Z,17,ann@example.com,Ann Kay,T-2,"Where is my order? Nobody answers."
2026-05-12T10:00:00Z,@ann_k,,,T-3,"You are a joke. I am leaving."
2026-05-14T10:00:00Z,18,bob@example.com,Bob Lee,T-4,"Third time I ask, still no refund."
"""
CRM = "id,name,email,handle,value\nA-1,Ann Kay,ann@example.com,@ann_k,900\n"


@pytest.fixture
def listed(called, home, tmp_path):
    """Bring everything in, and read any list of the program as JSON."""
    for name, text in (("desk.csv", MESSAGES), ("crm.csv", CRM)):
        (tmp_path / name).write_text(text)
    words = ("--channel", "transcript", "--map", "customer=who,email=mail,name=name,thread=ticket")
    assert called("import", tmp_path / "desk.csv", *words, home=home).returncode == 0
    done = called("customers", "import", tmp_path / "crm.csv", "--json", home=home)
    assert json.loads(done.stdout)["changed"] > 0
    assert called("run", home=home).returncode == 0

    def listed(*words):
        done = called(*words, "--json", home=home)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return listed


def test_one_customer_across_sources_taken_apart_and_forgotten(listed, called, home, tables):
    before = {row["customer"]: row for row in listed("customers")}
    assert sorted(row["messages"] for row in before.values()) == [1, 3]
    assert {row["name"] for row in before.values()} == {"Ann Kay", "Bob Lee"}
    shown = listed("identities")
    [merged] = shown["merged"]
    assert len(merged["profiles"]) >= 2
    assert {made["by"] for made in shown["decisions"]} == {"exact matching"}

    made = listed("identities", "merge", "@ann_k", "bob@example.com", "--by", "kim")
    assert (made["verb"], made["by"], made["tracked"]) == ("merge", "kim", 1)
    assert [row["messages"] for row in listed("customers")] == [4]
    assert len(listed("customer", "Bob Lee")["messages"]) == 4
    listed("identities", "undo", made["decision"])
    assert {row["customer"]: row for row in listed("customers")} == before

    made = listed("identities", "split", "A-1", "--thread", "T-3")
    assert sorted(row["messages"] for row in listed("customers")) == [1, 1, 2]
    listed("identities", "undo", made["decision"])
    assert {row["customer"]: row for row in listed("customers")} == before

    numbers = ("message", "customer", "identity_decision")
    counted = {name: len(rows) for name, rows in tables(home).items() if name in numbers}
    assert listed("customers", "forget", "ann@example.com", "--yes")["erased"] == 3
    assert len(list(home.snapshots.glob("*.duckdb"))) == 1
    data = snapshot_path(home).read_bytes() + home.warehouse.read_bytes()
    assert b"ann@example.com" not in data
    assert b"Nobody answers" not in data
    assert {name: len(rows) for name, rows in tables(home).items() if name in numbers} == counted
    assert called("run", home=home).returncode == 0
    done = called("customer", "ann@example.com", home=home)
    assert (done.returncode, "no customer goes by" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("customers", "import"), 2, "give a file of customers, or --sql"),
        (("customers", "import", "crm.csv", "--sql", "SELECT 1"), 2, "give a file of customers, or --sql"),
        (("customers", "import", "nowhere.csv"), 1, "nowhere.csv: no such file or folder"),
        (("customers", "import", "--sql", "SELECT 1 AS x", "--map", "shoe=x"), 2, "'shoe' is no field of a customer"),
        (("customers", "import", "--sql", "SELEC 1"), 1, "--sql: DuckDB cannot read customers from it"),
        (("identities", "merge", "nobody", "no one"), 1, "no customer goes by 'nobody'"),
        (("identities", "undo", "d_0"), 1, "no decision 'd_0'; `moodline identities --json` lists them"),
        (("customers", "forget", "nobody", "--yes"), 1, "no customer goes by 'nobody'"),
    ],
)
def test_wrong_words_are_told(called, home, words, code, says):
    done = called(*words, home=home)
    assert done.returncode == code
    assert says in " ".join(done.stderr.replace("│", " ").split())
