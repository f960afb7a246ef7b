"""What a pull does beyond the warehouse: ``run`` begins with one, and an erased text is nowhere left to be read."""

import pytest
from standin.cases import REST, stand_in

from pipeline.notify import append_log
from pipeline.records import Alert
from pipeline.store import Warehouse, snapshot_path


def test_what_a_source_deletes_leaves_snapshots_and_log(pulling):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        pull.set(REST.settings(server.url))
        pull.pull()
        [(name, text, at)] = pull.query("SELECT message_id, text, sent_at FROM message WHERE text LIKE '%(note 5)'")
        alert = Alert("a_1", "c_1", "slide", at, 1.0, "c_1 slides", f'- 1 May: cost 1.00: "{text}" [{name}]', (name,))
        with Warehouse.open(pull.home) as warehouse:
            warehouse.save_alerts([alert])
            append_log(pull.home.alerts_log, warehouse.alerts())
            before = warehouse.publish()
        world.delete(5)
        assert "1 erased" in pull.pull()
    after = snapshot_path(pull.home)
    assert not before.exists()
    for file in (after, pull.home.alerts_log):
        assert b"(note 5)" not in file.read_bytes()
    assert "(erased)" in pull.home.alerts_log.read_text()


@pytest.mark.slow
def test_a_run_pulls_first_and_a_source_that_fails_stops_nothing(pulling, monkeypatch):
    world = REST.world()
    with stand_in(REST, world) as server:
        pull = pulling(REST)
        broken = REST.settings(server.url).replace('"source"', '"broken"').replace("STANDIN_SECRET", "OTHER_SECRET")
        monkeypatch.setenv("OTHER_SECRET", "wr0ng")
        pull.set(REST.settings(server.url), broken)
        done = pull.run("run")
        assert done.returncode == 0, done.stderr
        assert "landed 60" in done.stderr
        assert "broken: " in done.stderr
        assert snapshot_path(pull.home)
        assert "landed 0" in pull.run("run").stderr
    pull.check(world, REST)
