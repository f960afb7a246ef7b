import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.labels import DISSERVICES
from pipeline.alerts import (
    NEXT_STEP,
    NEXT_STEP_UNNAMED,
    AlertRules,
    Evidence,
    alert_id_for,
    chance_of_help,
    find,
    needing_evidence,
)
from pipeline.config import Settings
from pipeline.errors import SettingsError
from pipeline.records import CustomerMood, LedgerEntry, MoodPoint

NOW = datetime(2026, 9, 16, 20, tzinfo=UTC)
RULES = AlertRules()
CALM = (0.5, 0.4, 0.1, 0.0, 0.0, 0.0)
ANNOYED = (0.0, 0.05, 0.15, 0.65, 0.1, 0.05)
FURIOUS = (0.0, 0.0, 0.05, 0.2, 0.7, 0.05)


def mood(**changes):
    usual = CustomerMood(
        customer_id="c_1",
        version="v1",
        as_of=NOW,
        mood=CALM,
        stage="content",
        level=4.2,
        slope_30d=0.0,
        risk_30d=0.02,
        risk_90d=0.05,
        days_left=None,
        value_at_risk=50.0,
        messages=5,
        last_message_at=NOW - timedelta(days=2),
    )
    return replace(usual, **changes)


def sliding(**changes):
    return mood(**{"mood": ANNOYED, "stage": "annoyed", "level": 2.1, "slope_30d": -1.4, "days_left": 21.0} | changes)


def leaving(**changes):
    return mood(**{"mood": (0, 0, 0.1, 0.3, 0.3, 0.3), "stage": "annoyed", "level": 1.9, "risk_90d": 0.62} | changes)


def evidence(name="m_1", days_ago=2.0, cost=0.6, furious=0.1, text="where is my <ORDER>", items=(), **changes):
    usual = Evidence("c_1", name, NOW - timedelta(days=days_ago), text, 3.0 - cost, 3.0, furious, tuple(items))
    return replace(usual, **changes)


def opened(moods, messages=(), alerts=(), rules=RULES, now=NOW):
    return find(moods, messages, alerts, rules, now).opened


def kinds(moods, messages=(), **more):
    return [alert.kind for alert in opened(moods, messages, **more)]


def test_a_calm_customer_is_left_alone():
    assert find([mood()], [evidence(cost=0.01)], [], RULES, NOW) == find([], [], [], RULES, NOW)


def test_a_slide_opens_and_says_why():
    messages = [
        evidence("m_2", 3, 0.2, text="still nothing", items=[("ignored", -0.2)]),
        evidence("m_1", 9, 0.5, text='you said "Friday", <NAME>', items=[("broken_promise", -0.4), ("praise", 0.1)]),
        evidence("m_0", 40, 0.9, text="older than the fall"),
    ]
    [alert] = opened([sliding()], messages)
    assert (alert.kind, alert.customer_id, alert.opened_at) == ("slide", "c_1", messages[0].at)
    assert alert.headline == "c_1 slid 1.4 levels in 30 days and is now annoyed"
    assert alert.message_ids == ("m_1", "m_2")
    assert alert.explanation.splitlines() == [
        "On 16 Sep 2026 at level 2.1 of 5 (annoyed), -1.4 in 30 days, 5% risk of leaving within 90 days, "
        "about 21 days until furious or gone; 50 at risk.",
        "- 7 Sep 2026: cost 0.50 levels (broken promise): \"you said 'Friday', <NAME>\" [m_1]",
        '- 13 Sep 2026: cost 0.20 levels (ignored): "still nothing" [m_2]',
        "Next: send what was promised, then say that it has been sent.",
    ]


@pytest.mark.parametrize(
    "changes", [{"slope_30d": -0.79}, {"stage": "content"}, {"stage": "gone"}, {"as_of": NOW - timedelta(days=31)}]
)
def test_no_slide_without_its_conditions(changes):
    assert kinds([sliding(**changes)], [evidence(days_ago=2), evidence(days_ago=33)]) == []


def test_a_slide_needs_a_recent_message_that_cost_something():
    assert kinds([sliding()], [evidence(days_ago=15)]) == []
    assert kinds([sliding()], [evidence(cost=0.0)]) == []
    assert kinds([sliding()], [evidence(days_ago=-1)]) == []
    assert kinds([sliding()], [evidence(days_ago=13.9)]) == ["slide"]


def test_a_furious_message_opens_even_while_the_stage_lags():
    still = mood(mood=(0, 0, 0.2, 0.45, 0.35, 0), stage="annoyed", level=1.8)
    [alert] = opened([still], [evidence(furious=0.55), evidence("m_2", 1, 0.0, 0.35)])
    assert (alert.kind, alert.headline) == ("furious", "c_1 is close to furious")
    assert kinds([still], [evidence(furious=0.49)]) == []
    assert kinds([mood()], [evidence(furious=0.9)]) == [], "mended since"


def test_the_furious_stage_opens_with_the_newest_message():
    furious = mood(mood=FURIOUS, stage="furious", level=1.1)
    [alert] = opened([furious], [evidence(furious=0.3), evidence("m_2", 1, 0.0, 0.4)])
    assert alert.headline == "c_1 is furious"
    assert alert.opened_at == NOW - timedelta(days=1)
    assert alert.explanation.endswith(f"Next: call today, not by form letter; {NEXT_STEP_UNNAMED}.")
    assert kinds([furious], [evidence(days_ago=20)]) == []


def test_leaving_needs_no_message_but_a_customer_who_is_still_there():
    silent = leaving(last_message_at=NOW - timedelta(days=24))
    [alert] = opened([silent])
    assert (alert.kind, alert.opened_at, alert.message_ids) == ("leaving", NOW, ())
    assert alert.headline == "c_1 may leave: 62% risk within 90 days, silent for 24 days"
    assert "Last heard of on 23 Aug 2026" in alert.explanation
    assert kinds([leaving(mood=(0, 0, 0.1, 0.2, 0.1, 0.6))]) == []
    assert kinds([leaving(risk_90d=0.49)]) == []
    assert kinds([leaving(last_message_at=NOW - timedelta(days=61))]) == []


def test_reach_is_told_when_it_matters():
    [alert] = opened([sliding()], [evidence(reach=40_000)])
    assert "cost 0.60 levels, up to 40,000 readers: " in alert.explanation


def test_long_and_many_messages_are_cut_short():
    messages = [evidence(f"m_{at}", 9 - at, 0.1 * at, text="word " * 200) for at in range(1, 7)]
    [alert] = opened([sliding()], messages)
    assert alert.message_ids == ("m_4", "m_5", "m_6")
    assert max(map(len, alert.explanation.splitlines())) < 250


def test_every_disservice_has_a_next_step():
    assert set(NEXT_STEP) == set(DISSERVICES)


def test_the_id_depends_on_customer_kind_and_opener_only():
    [alert] = opened([sliding()], [evidence()])
    assert alert.alert_id == alert_id_for("c_1", "slide", "m_1") == "a_" + alert.alert_id[2:]
    [again] = opened([sliding(value_at_risk=9.0, level=2.0)], [evidence(text="other words"), evidence("m_0", 8)])
    assert again.alert_id == alert.alert_id
    others = {
        alert_id_for("c_2", "slide", "m_1"),
        alert_id_for("c_1", "furious", "m_1"),
        alert_id_for("c_1", "slide", "x"),
    }
    assert len(others | {alert.alert_id}) == 4


def test_an_open_alert_is_not_opened_again_and_clears_with_hysteresis():
    alerts = opened([sliding()], [evidence()])
    trembling = sliding(slope_30d=-0.7)
    assert find([trembling], [evidence("m_9", 1)], alerts, RULES, NOW) == find([], [], [], RULES, NOW)
    mended = find([sliding(slope_30d=-0.4)], [], alerts, RULES, NOW)
    assert mended.cleared == (replace(alerts[0], cleared_at=NOW),)
    assert find([sliding(level=3.8)], [], alerts, RULES, NOW).cleared


def test_furious_and_leaving_clear_with_hysteresis():
    furious = opened([mood(mood=FURIOUS, stage="furious", level=1.1)], [evidence(furious=0.7)])
    assert not find([mood(mood=(0, 0, 0.2, 0.4, 0.4, 0), stage="annoyed")], [], furious, RULES, NOW).cleared
    assert find([mood()], [], furious, RULES, NOW).cleared
    left = opened([leaving()])
    assert not find([leaving(risk_90d=0.31)], [], left, RULES, NOW).cleared
    assert find([leaving(risk_90d=0.29)], [], left, RULES, NOW).cleared
    assert not find([leaving(mood=(0, 0, 0.1, 0.2, 0.05, 0.65))], [], left, RULES, NOW).cleared
    assert find([leaving(mood=(0, 0, 0.1, 0.1, 0.05, 0.75))], [], left, RULES, NOW).cleared


def test_alerts_of_customers_without_news_stay():
    alerts = opened([sliding()], [evidence()])
    assert find([mood(customer_id="c_2")], [], alerts, RULES, NOW).cleared == ()


def test_a_wandering_customer_has_one_open_episode_a_kind():
    chance, standing, level, seen = random.Random(7), {}, 4.5, []
    for day in range(400):
        level = min(4.9, max(0.4, level + chance.uniform(-0.5, 0.5)))
        at = NOW + timedelta(days=day)
        state = sliding(as_of=at, last_message_at=at, slope_30d=level - 4.0, level=level, risk_90d=1 - level / 5)
        message = evidence(f"m_{day}", -day, cost=chance.random())
        changes = find([state], [message], list(standing.values()), RULES, at)
        for alert in changes.cleared:
            assert standing.pop((alert.customer_id, alert.kind)).alert_id == alert.alert_id
        for alert in changes.opened:
            assert (alert.customer_id, alert.kind) not in standing
            standing[alert.customer_id, alert.kind] = alert
            seen.append(alert.alert_id)
    assert 2 <= len(seen) == len(set(seen)) < 60


def test_old_history_opens_nothing():
    years = [
        leaving(
            customer_id=f"c_{at}", as_of=NOW - timedelta(days=40 + at), last_message_at=NOW - timedelta(days=41 + at)
        )
        for at in range(1000)
    ]
    long_silent = [leaving(customer_id=f"s_{at}", last_message_at=NOW - timedelta(days=100 + at)) for at in range(1000)]
    assert kinds(years + long_silent) == []


def test_the_most_urgent_comes_first_and_rank_is_value_times_chance():
    moods = [
        sliding(customer_id=name, value_at_risk=value) for name, value in (("c_a", 10.0), ("c_b", 900.0), ("c_c", 50.0))
    ]
    found = opened(moods, [evidence(customer_id=one.customer_id) for one in moods])
    assert [alert.customer_id for alert in found] == ["c_b", "c_c", "c_a"]
    assert found[0].rank == pytest.approx(900 * chance_of_help(moods[1]))


def test_a_call_helps_less_the_angrier_and_the_later():
    unsure = mood(mood=(0, 0, 1, 0, 0, 0), last_message_at=NOW)
    furious = replace(unsure, mood=(0, 0, 0, 0, 1, 0))
    assert chance_of_help(unsure) == pytest.approx(0.6)
    assert chance_of_help(furious) == pytest.approx(0.25)
    assert chance_of_help(replace(unsure, last_message_at=NOW - timedelta(days=30))) == pytest.approx(0.3)
    assert chance_of_help(replace(unsure, mood=(0, 0, 0, 0, 0, 1))) == 0


def test_only_customers_over_a_threshold_need_evidence():
    moods = [mood(), sliding(customer_id="c_2"), sliding(customer_id="c_3", as_of=NOW - timedelta(days=90))]
    assert needing_evidence(moods, RULES, NOW) == ["c_2"]


def test_evidence_joins_point_text_and_ledger():
    point = MoodPoint("c_1", "m_1", NOW, FURIOUS, 1.1, 2.4)
    entries = [LedgerEntry("c_1", "m_1", NOW, "no_human", -1.3)]
    made = Evidence.of(point, "no human", entries, 7)
    assert (made.furious, made.items, made.reach) == (0.7, (("no_human", -1.3),), 7)
    assert made.cost == pytest.approx(1.3)


def test_rules_come_from_settings_and_refuse_nonsense():
    assert AlertRules.of(Settings(slide_levels=1.5, leaving_risk=0.4)) == AlertRules(1.5, 0.5, 0.4)
    with pytest.raises(SettingsError, match=r"leaving_risk = 1\.5 should be above 0 and at most 1"):
        AlertRules(leaving_risk=1.5)
