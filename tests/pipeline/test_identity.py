"""Exact matching and the log of decisions, without a warehouse: nobody wrong is joined, and all can be taken back."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline.errors import StoreError
from pipeline.identity import Evidence, ExactLink, exact_links, names_agree, names_contradict, normalise
from pipeline.identity_decisions import (
    EXACT,
    Effect,
    Identities,
    decision,
    exact_decisions,
    merge,
    reject,
    split_messages,
    split_profile,
    standing,
    undo,
)


@pytest.mark.parametrize(
    ("word", "kind", "normal"),
    [
        ("Ann.Lee@Example.COM ", "email", "ann.lee@example.com"),
        ("@Ann_Lee", "handle", "ann_lee"),
        ("00 44 7700 900-142", "phone", "+447700900142"),
        ("+44 (7700) 900142", "phone", "+447700900142"),
        ("#FH-20 391", "order", "FH20391"),
        (" desk:17 ", "requester", "desk:17"),
    ],
)
def test_equal_people_have_equal_normal_forms(word, kind, normal):
    assert normalise(word, kind) == (kind, normal)


def test_names():
    assert names_agree(["Dr. Zoë O'Neil"], ["oneil, zoe"])
    assert not names_agree(["Ann"], ["ann"])
    assert not names_contradict(["Ann Lee"], ["A. Lee"])
    assert not names_contradict(["Ann Lee"], ["ann"])
    assert not names_contradict([], ["Ann Lee"])
    assert names_contradict(["Ann Lee"], ["Bob Lee"])
    assert names_contradict(["Ann Lee"], ["Anne Lee"])


# --- Exact matching --------------------------------------------------------------------------------------------------


def pairs(held, **known):
    return {link.pair for link in exact_links(held, Evidence(**known))}


def mail(*profiles, value="a@x.org"):
    return [("email", value, profile) for profile in profiles]


def test_those_who_go_by_one_address_are_one_person():
    assert pairs(mail("p", "q", "r")) == {("p", "q"), ("p", "r")}
    assert exact_links([("phone", "1", "p"), ("phone", "1", "q")], Evidence()) == [ExactLink(("p", "q"), "phone")]


def test_a_name_or_an_id_joins_nobody():
    assert pairs([("name", "Ann Lee", "p"), ("name", "Ann Lee", "q"), ("id", "7", "p"), ("id", "7", "q")]) == set()


def test_a_household_s_address_joins_only_people_of_one_name():
    names = {"john": ["John Smith"], "mary": ["Mary Smith"], "desk": ["Smith, John"]}
    assert pairs(mail("john", "mary", "desk", "nobody"), names=names) == {("desk", "john")}


def test_two_people_of_the_company_s_records_stay_two():
    assert pairs(mail("p", "q"), recorded={"p", "q"}) == set()
    assert pairs(mail("p", "q", "r"), recorded={"p", "q"}) == set()
    assert pairs(mail("p", "q"), recorded={"p"}) == {("p", "q")}
    assert pairs(mail("p", "q", "r"), recorded={"p", "q"}, judged={"p": "p", "q": "p"}) != set()


def test_nobody_between_two_people_joins_them():
    held = [*mail("john", "x"), ("phone", "1", "mary"), ("phone", "1", "x")]
    names = {"john": ["John Smith"], "mary": ["Mary Smith"]}
    assert pairs(held, names=names) == set()
    assert pairs(held, names=names | {"x": ["Mary Smith"]}) == {("mary", "x")}


def test_a_switchboard_joins_nobody():
    assert pairs(mail(*(f"p{number}" for number in range(51)))) == set()


def test_who_was_set_apart_stays_so():
    assert pairs(mail("p", "q"), apart={("p", "q")}) == set()


@given(some.lists(some.tuples(some.sampled_from("abcd"), some.integers(0, 7)), max_size=30), some.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_aliases_is_of_no_account(held, random):
    aliases = [("email", value, f"p{profile}") for value, profile in held]
    names = {f"p{n}": [f"{'Ann' if n % 2 else 'Bob'} Lee"] for n in range(5)}
    shuffled = random.sample(aliases, len(aliases))
    assert exact_links(aliases, Evidence(names)) == exact_links(shuffled, Evidence(names))


# --- Decisions -------------------------------------------------------------------------------------------------------


class Log(list):
    """A log that decisions are made against."""

    def make(self, how, *words, **more):
        self.append(how(Identities.of(self), *words, "kim", **more))
        return self[-1].decision_id

    def undo(self, name, by="kim"):
        self.append(undo(self, name, by))
        return self[-1].decision_id

    def group(self, profile):
        return "".join(sorted(Identities.of(self).groups.group(profile)))


def test_merges_chain_and_are_undone_in_any_order():
    log = Log()
    first, second = log.make(merge, "a", "b"), log.make(merge, "b", "c")
    assert log.group("a") == "abc"
    log.undo(first)
    assert (log.group("a"), log.group("b")) == ("a", "bc")
    back = log.undo(log[-1].decision_id)
    assert log.group("a") == "abc"
    log.undo(second)
    log.undo(back)
    assert [log.group(profile) for profile in "abc"] == ["a", "b", "c"]
    with pytest.raises(StoreError, match="taken back already"):
        log.undo(second)
    with pytest.raises(StoreError, match="no decision 'd_x'"):
        log.undo("d_x")


def test_what_was_rejected_is_not_merged_by_the_way():
    log = Log([reject("a", "c", "kim")])
    log.make(merge, "a", "b")
    with pytest.raises(StoreError, match="a and c were set apart"):
        log.make(merge, "b", "c")
    with pytest.raises(StoreError, match="one customer already"):
        log.make(merge, "b", "a")
    log.make(merge, "a", "c")
    assert log.group("b") == "abc"


def test_a_profile_leaves_and_the_others_stay_together():
    log = Log()
    for pair in ("ab", "bc", "bd"):
        log.make(merge, *pair)
    name = log.make(split_profile, "b")
    assert (log.group("a"), log.group("b")) == ("acd", "b")
    log.undo(name)
    assert log.group("a") == "abcd"
    with pytest.raises(StoreError, match="merged with nobody"):
        log.make(split_profile, "z")


def test_what_a_person_undid_exact_matching_does_not_do_again():
    log = Log(exact_decisions([], [ExactLink(("a", "b"), "email")]))
    assert log.group("a") == "ab"
    assert exact_decisions(log, [ExactLink(("a", "b"), "email")]) == []
    name = log.undo(log[0].decision_id)
    assert ("a", "b") in Identities.of(log).apart
    assert log.group("a") == "a"
    log.undo(name)
    assert log.group("a") == "ab"
    assert ("a", "b") not in Identities.of(log).apart


def test_exact_matching_takes_back_what_no_longer_follows():
    log = Log(exact_decisions([], [ExactLink(("a", "b"), "email")]))
    log += exact_decisions(log, [ExactLink(("b", "c"), "phone")])
    assert (log.group("a"), log.group("b")) == ("a", "bc")
    assert [made.decided_by for made in standing(log)] == [EXACT, EXACT]
    assert Identities.of(log).apart == set()


def test_messages_move_to_somebody_new_who_is_not_the_old_one():
    made = split_messages({"m_1": "a", "desk\tT-1": "a"}, "z", "kim")
    found = Identities.of([made])
    assert {what: effect.first for what, effect in found.moves.items()} == {"m_1": "z", "desk\tT-1": "z"}
    assert found.apart == {("a", "z")}
    assert Identities.of([made, undo([made], made.decision_id, "kim")]).moves == {}


def test_the_company_s_records_name_the_customer():
    found = Identities.of([decision("kim", "merge", [Effect("link", "a", "b", "judgement")])])
    assert found.customers(()) == {"b": "a"}
    assert found.customers({"b"}) == {"a": "b"}


@given(some.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_undoing_everything_leaves_nobody_joined(seed):
    chance, log = random.Random(seed), Log()
    for _ in range(12):
        try:
            log.make(merge, *sorted(chance.sample("abcdef", 2)))
        except StoreError:
            continue
    while left := [made for made in standing(log) if made.verb != "undo"]:
        log.undo(chance.choice(left).decision_id)
    found = Identities.of(log)
    assert (found.links, found.apart, found.customers(())) == ({}, set(), {})
