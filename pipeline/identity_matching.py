"""Matching profiles to people: joins ``pipeline/identity.py`` and the log of decisions to the store.

Nothing here tracks moods: whoever a decision touches is tracked again by ``steps.replay_moods`` or the next run.
"""

from collections.abc import Sequence

from pipeline import identity_decisions
from pipeline.errors import StoreError
from pipeline.identity import Evidence, customer_id_for, exact_links, pair_of
from pipeline.identity_decisions import Decision, Identities, Suggestion, exact_decisions
from pipeline.store import Warehouse


def match_exactly(warehouse: Warehouse) -> int:
    """Make one customer of profiles that go by the same e-mail, phone, handle, requester or order number.

    See ``pipeline/identity.py`` for what keeps two people behind one address apart. What was joined before and no
    longer follows is taken back; what people decided stays. Returns how many decisions were made.
    """
    store = warehouse.identities
    held, log = store.shared_aliases(), store.decisions()
    if not held and not log:
        return 0
    identities, profiles = Identities.of(log), {profile for _, _, profile in held}
    judged = identities.judged()
    stands_for = {profile: min(judged.group(profile)) for profile in profiles}
    evidence = Evidence(store.names(profiles), store.recorded(profiles), identities.apart, stands_for)
    wanted = [link for link in exact_links(held, evidence) if stands_for[link.pair[0]] != stands_for[link.pair[1]]]
    made = exact_decisions(log, wanted)
    store.decide(made, log=log)
    return len(made)


def suggest(warehouse: Warehouse, least: float) -> list[Suggestion]:
    """Look for customers who are probably one person, keep what is at least so probable, and return what is open.

    What matches exactly is joined before, and is no suggestion.
    """
    from pipeline.identity_suggest import suggestions

    match_exactly(warehouse)
    store = warehouse.identities
    store.save_suggestions(suggestions(store.people(), least))
    return pending(warehouse)


def pending(warehouse: Warehouse) -> list[Suggestion]:
    """Return the suggestions that nobody has judged, the surest first."""
    store = warehouse.identities
    identities = Identities.of(store.decisions())
    linked = {profile for pair in identities.links for profile in pair}
    customers = identities.customers(store.recorded(linked))
    apart = {pair_of(*(customers.get(profile, profile) for profile in pair)) for pair in identities.apart}
    return store.suggestions(apart)


def merge(warehouse: Warehouse, first: str, second: str, by: str) -> Decision:
    """Make one customer of two; each may be named by an id or any alias. Returns the decision.

    Raises:
        StoreError: a name is nobody's or several people's, they are one already, or were set apart.
    """
    store, pair = warehouse.identities, _two(warehouse, first, second)
    weights = {pair_of(s.first, s.second): s.weight for s in store.suggestions()}
    made = identity_decisions.merge(Identities.of(store.decisions()), *pair, by, weights.get(pair))
    return _decide(warehouse, made)


def reject(warehouse: Warehouse, first: str, second: str, by: str) -> Decision:
    """Say that two customers are two people: they are neither suggested nor joined any more.

    Raises:
        StoreError: a name is nobody's or several people's, or they are one customer (split them).
    """
    pair = _two(warehouse, first, second)
    weights = {pair_of(s.first, s.second): s.weight for s in warehouse.identities.suggestions()}
    return _decide(warehouse, identity_decisions.reject(*pair, by, weights.get(pair)))


def split(
    warehouse: Warehouse,
    name: str,
    by: str,
    profile: str | None = None,
    messages: Sequence[str] = (),
    threads: Sequence[str] = (),
) -> Decision:
    """Take a profile out of a customer, or give some messages and threads to somebody new. Returns the decision.

    Raises:
        StoreError: nobody goes by the name, or what is to be split off is not theirs.
    """
    store = warehouse.identities
    customer = store.find(name)
    if profile is not None:
        if profile not in store.profiles([customer]):
            raise StoreError(f"{profile} is no profile of {customer}; `moodline identities --json` lists them")
        return _decide(warehouse, identity_decisions.split_profile(Identities.of(store.decisions()), profile, by))
    if not messages and not threads:
        raise StoreError("say what to split off: --profile, --message or --thread")
    moved = store.written(customer, messages, threads)
    fresh = customer_id_for("id", f"split\0{customer}\0{len(store.decisions())}", "")
    return _decide(warehouse, identity_decisions.split_messages(moved, fresh, by), [fresh])


def undo(warehouse: Warehouse, decision_id: str, by: str) -> Decision:
    """Take a decision back, an undo too. Returns the decision that does so.

    Raises:
        StoreError: there is no such decision, or it was taken back already.
    """
    return _decide(warehouse, identity_decisions.undo(warehouse.identities.decisions(), decision_id, by))


def _decide(warehouse: Warehouse, made: Decision, new_profiles: Sequence[str] = ()) -> Decision:
    warehouse.identities.decide([made], new_profiles)
    match_exactly(warehouse)
    return made


def _two(warehouse: Warehouse, first: str, second: str) -> tuple[str, str]:
    found = [warehouse.identities.find(name) for name in (first, second)]
    if found[0] == found[1]:
        raise StoreError(f"{first} and {second} are one customer already ({found[0]})")
    return pair_of(*found)


def forget(warehouse: Warehouse, name: str, customer_key: str) -> tuple[str, int]:
    """Erase all that a customer goes by and every text they wrote or were sent; return who it was and how many texts.

    What Moodline made of it stays as figures of a pseudonym. It cannot be undone. Snapshots and the log of alerts still
    show them until ``steps.hide_erased``.

    Raises:
        StoreError: nobody, or more than one, goes by the name.
    """
    store = warehouse.identities
    customer = store.find(name)
    profiles = store.profiles([customer])
    pseudonyms = [customer_id_for(kind, value, customer_key) for kind, value in store.aliases(profiles)]
    return customer, store.forget(profiles, pseudonyms)


def merged(warehouse: Warehouse, most: int | None = None) -> list[tuple[str, str, list[dict[str, str]]]]:
    """Return (customer, profile, aliases) of customers made of several profiles."""
    return warehouse.identities.merged(most)


def log(warehouse: Warehouse) -> list[Decision]:
    """Return every decision ever made, in order."""
    return warehouse.identities.decisions()
