import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.errors import SourceError
from pipeline.sources.files import digest, preview, read
from pipeline.sources.inbox import Dropped, Unreadable, load_source, waiting
from pipeline.sources.rows import replay
from pipeline.sources.spec import FileSpec

SPEC = FileSpec("shop", "review")
HEAD = "text,time,customer,rating\n"


def test_a_folder_is_read_file_by_file_in_order(tmp_path):
    for name, text in (("b.csv", "two"), ("a.csv", "one"), (".hidden.csv", "no"), ("c.csv.part", "no")):
        (tmp_path / name).write_text(f"{HEAD}{text},2026-03-01,ann,4\n")
    (tmp_path / "d.csv").write_text("")
    batches = list(read(tmp_path, SPEC))
    assert [m.text for batch in batches for m in batch.messages] == ["one", "two"]
    assert [(r.origin, r.line, r.reason) for batch in batches for r in batch.rejected] == [
        ("d.csv", 0, "d.csv is empty; nothing to read")
    ]


def test_a_folder_of_which_nothing_can_be_read_raises(tmp_path):
    with pytest.raises(SourceError, match="the folder holds no file to read"):
        list(read(tmp_path, SPEC))
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(SourceError, match=r"none of 1 files could be read; the first: a\.csv is empty"):
        list(read(tmp_path, SPEC))


def test_a_path_that_is_not_there(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere\.csv: cannot be read"):
        list(read(tmp_path / "nowhere.csv", SPEC))


def test_an_open_date_order_stops_before_anything_comes_out(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("text,time\n" + "x,2026-03-01\n" * 3 + "y,03/04/2015 10.15\n" * 3)
    with pytest.raises(SourceError, match="no value in the file settles it"):
        next(read(path, SPEC))
    (batch,) = read(path, replace(SPEC, time_format="%d/%m/%Y %H.%M"))
    assert (len(batch.messages), len(batch.rejected)) == (3, 3)


def test_the_value_that_settles_may_come_last(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text("text,time\n" + "x,03-04-2015\n" * 10_500 + "y,25-04-2015\n")
    assert next(read(path, SPEC)).messages[0].sent_at == datetime(2015, 4, 3, tzinfo=UTC)


def test_preview_and_read_store_nothing_and_agree(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"{HEAD}x,2026-03-01,ann,4\ny,2026-03-02,ann,44\n")
    before = sorted(tmp_path.iterdir())
    shown = preview(path, SPEC)
    (batch,) = read(path, SPEC)
    assert (shown.messages, shown.rejected) == (batch.messages, batch.rejected)
    assert sorted(tmp_path.iterdir()) == before


def test_a_digest_knows_content_and_not_the_name(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    (tmp_path / "c").write_text("y")
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")
    before = digest(tmp_path)
    (tmp_path / "c").write_text("z")
    assert digest(tmp_path) != before


def test_a_rejected_record_can_be_replayed_under_other_options(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"{HEAD}fine,03-04-2015,ann,8\nfine,16-04-2015,ann,3\n")
    (batch,) = read(path, SPEC)
    again = replay(batch.rejected[0], replace(SPEC, rating_scale=(0, 10)))
    assert (again.text, again.customer, again.line) == ("fine", "ann", 2)
    assert again.rating == pytest.approx(4.2)
    assert again.sent_at == datetime(2015, 4, 3, tzinfo=UTC)
    assert replay(batch.rejected[0], SPEC).reason == "rating '8' is not a number from 1 to 5"


def test_a_time_alone_is_replayed_with_the_format_said(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(f"{HEAD}fine,2026-04-03,ann,4\nfine,03.04.2015,ann,3\n" + "x,16/04/2015,a,4\n")
    (batch,) = read(path, replace(SPEC, time_format="iso"))
    assert "can be" in replay(batch.rejected[0], SPEC).reason
    assert replay(batch.rejected[0], replace(SPEC, time_format="%d.%m.%Y")).sent_at.month == 4


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox" / "reviews"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(
        'channel = "review"\nrating_scale = [0, 10]\ntime_zone = "Europe/London"\n[map]\ntext = "body"\n'
        '[constants]\ndepartment = "service"\n'
    )
    return tmp_path / "inbox"


def dropped(path, seconds_ago=60.0, text="body,time\nx,2026-03-01\n"):
    path.write_text(text)
    moment = path.stat().st_mtime - seconds_ago
    os.utime(path, (moment, moment))
    return path


def test_the_inbox_gives_settled_files_that_were_not_taken(inbox):
    folder = inbox / "reviews"
    first = dropped(folder / "a.csv")
    dropped(folder / "b.csv", text="other,time\n")
    dropped(folder / "fresh.csv", seconds_ago=0.0)
    dropped(folder / "half.csv.part")
    dropped(folder / "half.tmp")
    dropped(folder / ".hidden")
    (folder / "sub").mkdir()
    taken = {("reviews", digest(folder / "b.csv"))}
    (found,) = waiting(inbox, lambda source, known: (source, known) in taken)
    assert found == Dropped(first, load_source(folder), digest(first))
    assert (found.spec.source, found.spec.rating_scale, found.spec.constants) == (
        "reviews", (0.0, 10.0), {"department": "service"},
    )  # fmt: skip
    assert next(read(found.path, found.spec)).messages[0].department == "service"


def test_an_inbox_that_is_not_there_holds_nothing(tmp_path):
    assert list(waiting(tmp_path / "none", lambda source, known: False)) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "there is no source.toml"),
        ("channel = review", "cannot be read as TOML"),
        ('channel = "carrier pigeon"', "should be one of review, tweet, transcript"),
        ('channel = "review"\ncolour = "red"', "'colour' is not known"),
        ('channel = "review"\n[map]\nwords = "x"', "'words' is not a field"),
        ('channel = "review"\n[map]\ntext = 3', r"\[map\] should hold lines"),
        ('channel = "review"\nrating_scale = [1]', "rating_scale"),
        ('channel = "review"\ntime_zone = 3', "time_zone = 3 should be text"),
    ],
)
def test_a_wrong_source_file_stops_its_folder_only(inbox, text, says):
    bad = inbox / "a-bad-one"
    bad.mkdir()
    if text is not None:
        (bad / "source.toml").write_text(text)
    good = dropped(inbox / "reviews" / "a.csv")
    problem, found = waiting(inbox, lambda source, known: False)
    assert isinstance(problem, Unreadable)
    assert found.path == good
    with pytest.raises(SourceError, match=says):
        load_source(bad)
