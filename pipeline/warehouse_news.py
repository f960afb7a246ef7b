"""Of whom there is news: kept with each change, so that a run finds them without looking through everybody.

Every call belongs into the transaction of the change that it notes.
"""

from collections.abc import Mapping

import pyarrow as pa

from pipeline.warehouse_database import Database


def change_messages(database: Database, name: str, values: Mapping[str, object]) -> int:
    """Run a statement that adds or changes messages and returns them; note whose they are, and return how many."""
    changed = database.run(name, values).to_arrow_table()
    with database.incoming(changed_message=changed):
        database.run("add_news_of_messages")
    return len(changed)


def save_events(database: Database, name: str) -> int:
    """Run a statement that saves purchases or outcomes and returns whose they are; note them; return how many."""
    happened = database.run(name).to_arrow_table()
    with database.incoming(happened=happened):
        database.run("add_news_of_events")
    return len(happened)


def find_news(database: Database, version: str, parameters: str) -> pa.ChunkedArray:
    """Return the ids of all of whom there is news, sorted; days of silence become news here, once."""
    with database.transaction():
        database.run("add_news_of_silence")
        database.run("count_silence")
    return database.run("find_news", {"version": version, "parameters": parameters}).to_arrow_table()["customer_id"]
