"""The company's own records: CSV, Parquet and SQL, cells that list several, and errors that name the line."""

from datetime import UTC, datetime

import duckdb
import pytest

from pipeline.customer_import import query, read, records
from pipeline.errors import SourceError
from pipeline.identity import customer_id_for
from pipeline.records import Customer, CustomerAlias, Outcome
from pipeline.steps import import_customers
from pipeline.store import Warehouse

CSV = (
    "account,name,email,phone,segment,plan,value,owner,purchases,left,won_back\n"
    'A-1,Ann Kay,Ann@Example.com; ann@work.example,+44 7700 900142,b2c,plus,"1,200.50",Kim,2026-01-02; 2026-02-03,'
    "2026-03-01,2026-04-01\n"
    'A-2,Bob,,,,,,,"[{""time"": ""2026-05-01T10:00:00+02:00"", ""order"": ""FH-7"", ""amount"": 12, ""product"": '
    '""lamp""}]",,\n'
)
ID = customer_id_for("id", "A-1", "k")


def at(*day):
    return datetime(*day, tzinfo=UTC)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "crm.csv"
    path.write_text(CSV, encoding="utf-8-sig")
    return path


def test_a_row_says_all_of_a_customer(path):
    found = records(read(path, {"id": "account"}), "k")
    assert found.customers[0] == Customer(ID, "b2c", "plus", 1200.5, "Kim")
    assert [alias for alias in found.aliases if alias.customer_id == ID] == [
        CustomerAlias(ID, "id", "A-1"),
        CustomerAlias(ID, "email", "ann@example.com"),
        CustomerAlias(ID, "email", "ann@work.example"),
        CustomerAlias(ID, "phone", "+447700900142"),
        CustomerAlias(ID, "name", "Ann Kay"),
    ]
    assert [bought.bought_at for bought in found.purchases] == [
        at(2026, 1, 2), at(2026, 2, 3), at(2026, 5, 1, 8),
    ]  # fmt: skip
    assert (found.purchases[2].amount, found.purchases[2].product) == (12.0, "lamp")
    assert found.aliases[-1] == CustomerAlias(customer_id_for("id", "A-2", "k"), "order", "FH7")
    assert found.outcomes == [Outcome(ID, "left", at(2026, 3, 1)), Outcome(ID, "won_back", at(2026, 4, 1))]


def test_parquet_and_sql_give_the_same(path, tmp_path):
    sql = f"SELECT account AS id, * EXCLUDE (account, email), str_split(email, ';') AS emails FROM '{path}'"
    table = tmp_path / "crm.parquet"
    duckdb.sql(sql).write_parquet(str(table))
    wanted = records(read(path, {"id": "account"}), "k")
    assert records(query(sql, {}), "k").customers == wanted.customers
    found = records(read(table, {}), "k")
    assert (found.customers, found.aliases) == (wanted.customers, wanted.aliases)


def test_importing_again_changes_nothing(path):
    with Warehouse.in_memory() as warehouse:
        assert import_customers(read(path, {"id": "account"}), warehouse, "k") > 0
        revision = warehouse.revision
        assert import_customers(read(path, {"id": "account"}), warehouse, "k") == 0
        assert warehouse.revision == revision


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"id": "1"}, {"id": "2", "left": "03/04/2026"}], "customers line 3: left '03/04/2026' is no ISO date"),
        ([{"id": "1", "purchases": [{"amount": "2"}]}], "customers line 2: purchases 'None' is no ISO date"),
        ([{"id": "1", "purchases": [{"time": "2026-01-01", "amount": "x"}]}], "line 2: amount 'x' is not a number"),
        ([{"name": "Ann"}], "customers line 2: no id, e-mail, phone or handle"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(rows, says):
    with pytest.raises(SourceError, match=says.replace("(", r"\(")):
        records(rows, "k")


def test_errors_of_sql_hold_no_secret(tmp_path):
    with pytest.raises(SourceError, match="DuckDB cannot read customers") as caught:
        list(query("SELECT * FROM postgres_scan('postgres://kim:hunter2@db/crm password=hunter2', 'x', 'y')", {}))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(SourceError, match="holds no customers"):
        list(query("SELECT 1 AS id WHERE false", {}))
    with pytest.raises(SourceError, match="no column 'mail'; the columns found are id"):
        list(query("SELECT 1 AS id", {"email": "mail"}))
