"""The pages as Streamlit runs them, without a browser."""

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.views import sliding
from pipeline.config import Home
from pipeline.snapshot import snapshot_path

SLIDER = "c_0000000000a1"
START = "from dashboards.app import main\nmain({start!r})"


@pytest.fixture
def open_page(home, monkeypatch):
    """Run one page of the published home, or of another, with a query."""

    def run(page, at_home=None, /, **query):
        monkeypatch.setenv("MOODLINE_HOME", str((at_home or home).root))
        app = AppTest.from_string(START.format(start=page), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return run


def html(app):
    return "\n".join(element.proto.body for element in app.get("html"))


def links(app):
    return [element.proto.label for element in app.get("page_link")]


def test_ladder_counts_every_step_and_its_change(open_page):
    app = open_page("ladder")
    assert app.title[0].value == "The ladder"
    assert "Where 6 customers stand, as of 16 Sep 2026, 20:00 UTC" in html(app)
    assert [metric.label for metric in app.metric] == [
        "Followed",
        "Soured or gone",
        "Sliding",
        "Value at risk",
        "Open alerts",
    ]
    assert app.metric[4].delta == "2"
    assert "trustpilot" in html(app)
    assert len(app.get("vega_lite_chart")) == 3


def test_ladder_period_lives_in_the_address(open_page):
    assert open_page("ladder", period="30 days").segmented_control[0].value == "30 days"


def test_sliding_ranks_and_explains(open_page):
    app = open_page("sliding")
    assert links(app) == ["**Piotr Zieliński**", "**Reginald Thwaite**", "**Maureen Oyelaran**"]
    assert "Promised a rebate five times" in html(app)
    assert "3 customers, as of" in html(app)


def test_sliding_filters_live_in_the_address(open_page):
    app = open_page("sliding", show="Everyone", segment="student")
    assert links(app) == [r"**Asha \<b\>Raman\</b\>**"]


def test_sliding_says_so_when_no_one_matches(open_page):
    app = open_page("sliding", show="With an open alert", step="delighted")
    assert "No customer matches" in app.info[0].value


def test_sliding_shows_everyone_on_a_click(open_page):
    app = open_page("sliding")
    app.segmented_control(key="show").set_value("Everyone").run()
    assert len(links(app)) == 6
    assert not app.exception


def test_sliding_pages_live_in_the_address(open_page, monkeypatch):
    monkeypatch.setattr(sliding, "PAGE_SIZE", 4)
    first, second = (open_page("sliding", show="Everyone", page=number) for number in ("1", "2"))
    assert (len(links(first)), len(links(second))) == (4, 2)
    assert "6 customers, as of" in html(second)


def test_a_new_filter_begins_at_the_first_page(open_page, monkeypatch):
    monkeypatch.setattr(sliding, "PAGE_SIZE", 2)
    app = open_page("sliding", page="2")
    app.segmented_control(key="show").set_value("Everyone").run()
    assert links(app)[0] == "**Piotr Zieliński**"


def test_customer_page_tells_the_whole_story(open_page):
    app = open_page("customer", customer=SLIDER)
    assert app.title[0].value == "Maureen Oyelaran"
    assert [section.value for section in app.subheader] == [
        "What they wrote", "Why at risk", "What to do", "Where they stand", "What it cost",
    ]  # fmt: skip
    page = html(app)
    assert "five emails, five copy-and-paste answers" in page
    assert "Call today" in page
    assert "broken promise" in page
    assert len(app.get("vega_lite_chart")) == 1


def test_customer_text_cannot_become_markup(open_page):
    page = html(open_page("customer", customer=SLIDER))
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;" in page


def test_customer_page_without_a_choice_offers_the_most_urgent(open_page):
    app = open_page("customer")
    assert links(app)[0] == "**Piotr Zieliński**"


def test_customer_search_finds_by_part_of_a_name(open_page):
    app = open_page("customer")
    app.text_input(key="find").set_value("lindq").run()
    assert links(app) == ["**Bea Lindqvist**"]
    app.text_input(key="find").set_value("nobody at all").run()
    assert "Nobody is called" in app.info[0].value


def test_an_unknown_customer_in_a_link_says_what_to_do(open_page):
    app = open_page("customer", customer="c_<b>nobody")
    assert app.title[0].value == "Customer not found"
    assert "c_&lt;b&gt;nobody" in html(app)
    assert "Who slides now" in links(app)


def test_alerts_open_and_cleared(open_page):
    app = open_page("alerts")
    assert "Turned furious in public" in html(app)
    assert "Was unsure after a dull start" not in html(app)
    assert "Was unsure after a dull start" in html(open_page("alerts", state="Cleared"))


def test_causes_show_the_ledger_the_lift_and_the_gap(open_page):
    app = open_page("causes")
    assert app.title[0].value == "Causes"
    ledger = app.dataframe[0].value
    assert ledger["At risk"].is_monotonic_decreasing
    assert "broken promise" in set(ledger["Cause"])
    weeks = open_page("causes", ledger="Week").dataframe[0].value["Cause"]
    assert weeks.is_monotonic_increasing


@pytest.mark.parametrize("page", ["ladder", "sliding", "customer", "alerts", "causes"])
def test_with_nothing_published_every_page_says_how_to_begin(open_page, tmp_path, page):
    app = open_page(page, Home(tmp_path))
    assert app.title[0].value == "Nothing published yet"
    first, second = app.code[0].value.splitlines()
    assert first.startswith(f"moodline --home {tmp_path} import reviews.csv")
    assert second == f"moodline --home {tmp_path} run"


def test_a_home_that_is_not_there_is_named(open_page, tmp_path):
    assert "does not exist" in open_page("ladder", Home(tmp_path / "nowhere")).warning[0].value


@pytest.mark.parametrize("page", ["ladder", "sliding", "customer", "causes"])
def test_without_any_customer_the_page_says_what_is_missing(open_page, publish_to, page):
    app = open_page(page, publish_to(people=False))
    assert "No customer is followed yet" in app.info[0].value


def test_without_any_customer_sources_are_still_counted(open_page, publish_to):
    assert "1,204" in html(open_page("ladder", publish_to(people=False)))


def test_without_any_alert_the_page_says_so(open_page, publish_to):
    assert "No alert is open" in open_page("alerts", publish_to(people=False)).success[0].value


def test_a_snapshot_of_another_moodline_is_told_with_its_remedy(open_page, publish_to):
    home = publish_to()
    path = snapshot_path(home)
    older = path.rename(path.with_name("moodline-7-0ddba11.duckdb"))
    (home.snapshots / "CURRENT").write_text(older.name, encoding="utf-8")
    told = open_page("ladder", home).error[0].value
    assert "another version of Moodline; `moodline run` publishes anew" in told


def test_a_broken_snapshot_is_told_with_its_remedy(open_page, publish_to):
    broken = publish_to()
    path = snapshot_path(broken)
    path.unlink()
    assert "`moodline run` publishes anew" in open_page("ladder", broken).error[0].value
