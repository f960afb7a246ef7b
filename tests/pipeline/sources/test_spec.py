import pytest

from pipeline.errors import SourceError
from pipeline.sources.spec import FileSpec, parse_mapping, resolve


def spec(**mapping):
    return FileSpec("s", "review", mapping)


def test_mapping_is_parsed_from_one_string_or_several():
    assert parse_mapping("text=title+body, customer=name") == {"text": "title+body", "customer": "name"}
    assert parse_mapping(["text=body", "time=when"]) == {"text": "body", "time": "when"}
    assert parse_mapping('"text=what, in words",rating=') == {"text": "what, in words", "rating": ""}


@pytest.mark.parametrize(("text", "says"), [("text", "no '='"), ("words=body", "'words' is not a field")])
def test_mapping_that_says_nothing_is_refused(text, says):
    with pytest.raises(SourceError, match=says):
        parse_mapping(text)


def test_fields_are_found_by_name_and_by_synonym():
    columns = ["reviewerID", "Review Text", "unixReviewTime", "overall", "asin"]
    assert resolve(spec(), columns, "f.csv") == {
        "text": ("Review Text",),
        "customer": ("reviewerID",),
        "time": ("unixReviewTime",),
        "rating": ("overall",),
        "product": ("asin",),
    }


def test_an_own_name_wins_over_a_synonym():
    assert resolve(spec(), ["message", "text", "date", "time"], "f.csv")["time"] == ("time",)


def test_text_may_join_columns_and_a_field_may_be_left_out():
    found = resolve(spec(text="title+body", rating=""), ["title", "body", "time", "rating"], "f.csv")
    assert found["text"] == ("title", "body")
    assert "rating" not in found


def test_a_column_that_the_user_gave_away_is_not_taken_by_name():
    assert "customer" not in resolve(spec(author="user"), ["text", "time", "user"], "f.csv")


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(SourceError, match=r"f\.csv: no column 'body' for text; the columns found are words, time"):
        resolve(spec(text="body"), ["words", "time"], "f.csv")


def test_time_is_needed_and_a_constant_will_do():
    with pytest.raises(SourceError, match="which column is the time"):
        resolve(spec(), ["text", "customer"], "f.csv")
    assert resolve(FileSpec("s", "review", constants={"time": "2026-01-01"}), ["text"], "f.csv") == {"text": ("text",)}


def test_a_rating_scale_needs_width():
    with pytest.raises(SourceError, match="no width"):
        FileSpec("s", "review", rating_scale=(1, 1))
