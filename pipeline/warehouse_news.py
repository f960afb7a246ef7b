"""Of whom there is news: kept with each change, so that a run finds them without looking through everybody.

Every call belongs into the transaction of the change that it notes.
"""

from collections.abc import Mapping

import pyarrow as pa

from pipeline.warehouse_database import Database


def change(database: Database, name: str, news_of: str, values: Mapping[str, object] | None = None) -> int:
    """Run a statement that returns the rows it changed; note of whom they are news, and return how many there are.

    ``news_of`` is ``messages`` or ``events``.
    """
    changed = database.run(name, values).to_arrow_table()
    with database.incoming(changed=changed):
        database.run(f"add_news_of_{news_of}")
    return len(changed)


def find_news(database: Database, version: str, parameters: str) -> pa.ChunkedArray:
    """Return the ids of all of whom there is news, sorted; days of silence become news here, once."""
    with database.transaction():
        database.run("add_news_of_silence")
        database.run("count_silence")
    return database.run("find_news", {"version": version, "parameters": parameters}).to_arrow_table()["customer_id"]
