from datetime import UTC, datetime

import pytest

from pipeline.errors import SourceError
from pipeline.sources.times import Survey, TimeFault

NOW = datetime(2026, 9, 20, tzinfo=UTC)


def reader(*values, **options):
    survey = Survey(now=NOW, **options)
    for value in values:
        survey.add(value)
    return survey.finish("f.csv, when")


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2015-02-24", at(2015, 2, 24)),
        ("2015-02-24 11:15", at(2015, 2, 24, 11, 15)),
        ("2015-02-24T11:15:07.25Z", at(2015, 2, 24, 11, 15, 7, 250_000)),
        ("2015-02-24 11:15:00-08:00", at(2015, 2, 24, 19, 15)),
        ("2015-02-24 11:15:00 UTC", at(2015, 2, 24, 11, 15)),
        ("2015/02/24 11:15", at(2015, 2, 24, 11, 15)),
        ("20150224T111500Z", at(2015, 2, 24, 11, 15)),
        ("1472688000", at(2016, 9, 1)),
        ("1472688000.0", at(2016, 9, 1)),
        ("1627679830425", at(2021, 7, 30, 21, 17, 10, 425_000)),
        ("1627679830425000", at(2021, 7, 30, 21, 17, 10, 425_000)),
        ("16-02-2015 23.36", at(2015, 2, 16, 23, 36)),
        ("02/16/2015 4:05 PM", at(2015, 2, 16, 16, 5)),
        ("02/16/2015 12:05 a.m.", at(2015, 2, 16, 0, 5)),
        ("06 17, 2018", at(2018, 6, 17)),
        ("24.02.2015, 10:15", at(2015, 2, 24, 10, 15)),
        ("Wed, 10 Oct 2018 20:19:24 +0200", at(2018, 10, 10, 18, 19, 24)),
        ("Wed, 10 Oct 2018 20:19:24 +0000 (UTC)", at(2018, 10, 10, 20, 19, 24)),
        ("10 Oct 2018 20:19 EST", at(2018, 10, 11, 1, 19)),
        ("Wed Oct 10 20:19:24 +0000 2018", at(2018, 10, 10, 20, 19, 24)),
        ("Wed Oct 10 20:19:24 2018", at(2018, 10, 10, 20, 19, 24)),
        ("June 17th, 2018 at 4:05 pm", at(2018, 6, 17, 16, 5)),
        ("22-Apr-15", at(2015, 4, 22)),
        ("17 June 2018", at(2018, 6, 17)),
    ],
)
def test_a_time_is_read_as_utc(value, expected):
    assert reader(value).read(value) == expected


def test_one_value_settles_the_order_for_the_whole_column():
    assert reader("03-04-2015", "16-04-2015").read("03-04-2015") == at(2015, 4, 3)
    assert reader("03/04/2015", "04/16/2015").read("03/04/2015") == at(2015, 3, 4)


def test_an_open_order_is_refused_with_both_readings():
    with pytest.raises(SourceError) as caught:
        reader("03-04-2015 10.15", "05-05-2015 10.15")
    said = str(caught.value)
    assert "3 April 2015 (day first) or 4 March 2015 (month first)" in said
    assert "--time-format '%d-%m-%Y %H.%M' or '%m-%d-%Y %H.%M'" in said
    assert "f.csv, when" in said


def test_equal_readings_need_no_order():
    assert reader("05/05/2015").read("05/05/2015") == at(2015, 5, 5)


def test_each_written_form_is_settled_for_itself():
    with pytest.raises(SourceError, match="'4/8/2015' can be"):
        reader("22-04-2015", "4/8/2015")


def test_contradicting_values_are_refused():
    with pytest.raises(SourceError, match="contradict each other"):
        reader("16-02-2015", "02-16-2015")


def test_an_impossible_date_teaches_nothing():
    times = reader("30-02-2015", "16-03-2015")
    with pytest.raises(TimeFault, match="not a time that exists"):
        times.read("30-02-2015")


def test_two_digit_years_can_stand_first():
    with pytest.raises(SourceError, match="year first"):
        reader("11-04-15")
    assert reader("11-04-15", "30-04-15").read("11-04-15") == at(2015, 4, 11)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("2015-02-30", "not a time that exists"),
        ("2015-02-20 25:00", "not a time that exists"),
        ("0203-02-01", "before 1990"),
        ("0000000000", "not a time|before"),
        ("2026-09-23", "future"),
        ("yesterday", "is not a time; expected ISO 8601"),
        ("03/04/2015", "not written like the other times"),
    ],
)
def test_a_time_that_cannot_be_is_said_so(value, says):
    with pytest.raises(TimeFault, match=says):
        reader("2015-02-24").read(value)


def test_tomorrow_in_a_far_zone_is_no_future():
    assert reader("2026-09-21").read("2026-09-21") == at(2026, 9, 21)


def test_naive_times_are_local_to_the_zone_said():
    london = reader("2026-07-01 12:00", time_zone="Europe/London")
    assert london.read("2026-07-01 12:00") == at(2026, 7, 1, 11)
    assert london.read("2026-07-01 12:00Z") == at(2026, 7, 1, 12)
    with pytest.raises(SourceError, match="time zone 'Mars/Base' is not known"):
        reader(time_zone="Mars/Base")


def test_the_format_said_is_used_without_looking():
    times = reader("03-04-2015 10.15", time_format="%d-%m-%Y %H.%M")
    assert times.read("03-04-2015 10.15") == at(2015, 4, 3, 10, 15)
    with pytest.raises(TimeFault, match="format %d-%m-%Y"):
        times.read("03/04/2015 10.15")
    assert reader(time_format="unix_ms").read("1627679830425").year == 2021


@pytest.mark.parametrize(("time_format", "says"), [("%d-%m", "no year"), ("%Y-%Q", "bad directive")])
def test_a_format_that_gives_no_date_is_refused(time_format, says):
    with pytest.raises(SourceError, match=says):
        reader(time_format=time_format)


def test_a_column_that_holds_no_times_is_refused():
    with pytest.raises(SourceError, match="'Q3 2015' is in no time format that is known"):
        reader("Q3 2015", "Q4 2015")


def test_the_format_is_described_for_the_preview():
    assert reader("16-02-2015 23.36").described == "%d-%m-%Y %H.%M"
    assert reader("02/16/2015 4:05 PM").described == "%m/%d/%Y %I:%M %p"
