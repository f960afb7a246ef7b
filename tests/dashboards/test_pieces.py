from datetime import datetime

import pytest

from dashboards import pieces
from pipeline.records import STATES

EVIL = """<img src=x onerror="alert(1)"> & 'quoted'"""


def turn(**changed):
    row = dict.fromkeys(
        ("thread_id", "author", "rating", "product", "department", "reach", "effect", "mood", "unscored")
    )
    row |= {"message_id": "m_1", "source": "care", "channel": "transcript", "role": "customer", "text": "hello"}
    row |= {"sent_at": datetime(2026, 9, 1, 9), "mood_label": "annoyed", "intent_labels": [], "disservice_labels": []}
    return row | changed


@pytest.mark.parametrize("field", ["text", "author", "department", "product", "source", "mood_label", "channel"])
@pytest.mark.parametrize("role", ["customer", "agent"])
def test_nothing_that_others_wrote_becomes_markup(field, role):
    drawn = pieces.contact([turn(**{"role": role, field: EVIL})], {})
    assert "<img" not in drawn
    assert 'onerror="' not in drawn


def test_reasons_names_and_alerts_are_escaped_too():
    row = {"stage": "annoyed", "level": 2.0, "slope_30d": -1.0, "risk_30d": 0.1, "risk_90d": 0.2, "days_left": 3.0}
    drawn = pieces.ranking_row(row | {"value_at_risk": 1.0, "reasons": [EVIL]}, "data:,", [{"kind": EVIL}])
    drawn += pieces.bullets([EVIL]) + pieces.facts([(EVIL, EVIL)]) + pieces.tag(EVIL)
    assert drawn.count("<img") == 1  # the sparkline
    assert 'onerror="' not in drawn


def test_what_redaction_left_is_marked():
    assert pieces.message_text("ring <PHONE>") == 'ring <span class="ml-mask">phone</span>'
    assert pieces.message_text("a <SCRIPT>") == "a &lt;SCRIPT&gt;"


def test_agents_stand_apart_from_customers():
    customer, agent = pieces.contact([turn()], {}), pieces.contact([turn(role="agent", author="Carys")], {})
    assert 'class="ml-turn agent' in agent
    assert "Carys · agent" in agent
    assert 'class="ml-turn agent' not in customer


def test_a_contact_says_what_it_did_to_the_mood():
    drawn = pieces.contact([turn(effect=-0.5), turn(role="agent"), turn(effect=-0.4)], {})
    assert "−0.9</span> steps" in drawn  # noqa: RUF001


def test_an_unread_message_says_so():
    assert "not yet read" in pieces.contact([turn(mood_label=None)], {})
    assert "not read: written in French" in pieces.contact([turn(mood_label=None, unscored="written in French")], {})


def alert(**changed):
    row = {"customer_id": "c_1", "name": "Bea", "headline": "c_1 turned furious", "explanation": "Why.\nNext: ring."}
    return row | changed


def test_an_alert_is_about_a_name_and_ends_in_what_to_do():
    drawn = pieces.alert(alert(), [])
    assert "Bea turned furious" in drawn
    assert "<b>Next: ring.</b>" in drawn


def test_an_alert_quotes_in_full_what_its_explanation_cuts_short():
    told = 'Why.\n- 1 Sep: cost 0.2: "hel …" [m_1]\nNext: ring.'
    assert "hel …" in pieces.alert(alert(explanation=told), [])
    drawn = pieces.alert(alert(explanation=told), [turn()])
    assert "hel …" not in drawn
    assert "hello" in drawn


def test_an_alert_is_escaped():
    drawn = pieces.alert(alert(name=EVIL, headline=f"c_1 {EVIL}", explanation=EVIL), [turn(text=EVIL)])
    assert "<img" not in drawn


def test_tiles_call_nothing_better_that_may_only_be_a_loss():
    now = dict.fromkeys(STATES, 2)
    drawn = pieces.step_tiles(now, now | {"annoyed": 8, "gone": 0, "delighted": 1})
    assert '<span class="muted">−6</span>' in drawn  # noqa: RUF001
    assert '<span class="cost">+2</span>' in drawn
    assert '<span class="gain">+1</span>' in drawn


def test_tiles_without_older_data_say_so():
    assert pieces.step_tiles(dict.fromkeys(STATES, 0), None).count("no older data") == 6
