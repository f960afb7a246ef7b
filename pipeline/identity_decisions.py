"""What was judged about who is who: decisions that are only ever appended, and what they make of the profiles. Pure.

A decision links profiles (they are one person), sets them apart (they are not), or moves messages from one profile to
another (two people behind one address). Undoing one is a decision too. Whatever the customers are follows from the
decisions that stand, in their order; nothing else is remembered.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from pipeline.errors import StoreError
from pipeline.identity import ExactLink, Groups, Pair, pair_of

Verb = Literal["merge", "split", "reject", "undo"]
EXACT: Final = "exact matching"
"""Who decides where aliases are equal; people's names stand in ``decided_by`` otherwise."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a decision did.

    ``link`` and ``apart`` are about the profiles ``first`` and ``second``; ``move`` gives what ``second`` wrote in
    ``moved`` (a message's id, or ``SOURCE`` and a thread's id joined by a tab) to ``first``.
    """

    kind: Literal["link", "apart", "move"]
    first: str
    second: str
    basis: str
    """The kind of alias, ``suggestion`` or ``judgement``; never an address."""
    weight: float | None = None
    """Of a suggestion: log2 of the odds that the evidence gives."""
    moved: str | None = None

    @property
    def pair(self) -> Pair:
        """Both profiles, in order."""
        return pair_of(self.first, self.second)


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry of the log: who judged what, when."""

    decision_id: str
    decided_at: datetime
    decided_by: str
    verb: Verb
    effects: tuple[Effect, ...] = ()
    undoes: str | None = None
    """The decision that an ``undo`` takes back."""


def decision(by: str, verb: Verb, effects: Iterable[Effect] = (), undoes: str | None = None) -> Decision:
    """Return a new decision, made now."""
    return Decision(f"d_{uuid.uuid4().hex[:12]}", datetime.now(UTC), by, verb, tuple(effects), undoes)


def standing(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions that no later one undoes, in their order; an undo can be undone."""
    undone: set[str] = set()
    kept: list[Decision] = []
    for made in reversed(decisions):
        if made.decision_id in undone:
            continue
        if made.undoes is not None:
            undone.add(made.undoes)
        kept.append(made)
    return kept[::-1]


@dataclass(frozen=True, slots=True)
class Identities:
    """What the standing decisions make of the profiles."""

    links: Mapping[Pair, Effect] = field(default_factory=dict)
    """Pairs that are one person."""
    apart: Collection[Pair] = frozenset()
    """Pairs that are two people."""
    moves: Mapping[str, Effect] = field(default_factory=dict)
    """Message or thread → who wrote it instead."""
    groups: Groups = field(default_factory=Groups)

    @classmethod
    def of(cls, decisions: Sequence[Decision]) -> "Identities":
        """Fold decisions, in their order. A link that would join two people set apart is passed over."""
        links: dict[Pair, Effect] = {}
        apart: set[Pair] = set()
        moves: dict[str, Effect] = {}
        for effect in (effect for made in standing(decisions) for effect in made.effects):
            if effect.kind == "move":
                moves[effect.moved or ""] = effect
            elif effect.kind == "link":
                links[effect.pair] = effect
                apart.discard(effect.pair)
            else:
                links.pop(effect.pair, None)
                apart.add(effect.pair)
        groups, kept = Groups(), dict[Pair, Effect]()
        for pair, effect in links.items():
            if not _joins(groups, pair, apart):
                groups.join(*pair)
                kept[pair] = effect
        return cls(kept, apart, moves, groups)

    def customers(self, recorded: Collection[str]) -> dict[str, str]:
        """Return profile → customer for every profile that is another's; the company's own records name customers."""
        found: dict[str, str] = {}
        for members in self.groups.members():
            chosen = min(members, key=lambda profile: (profile not in recorded, profile))
            found |= dict.fromkeys(members - {chosen}, chosen)
        return found

    def judged(self) -> Groups:
        """Return who belongs together by people's judgement alone."""
        return Groups(pair for pair, effect in self.links.items() if effect.basis in _JUDGED)


_JUDGED: Final = ("judgement", "suggestion")


def _joins(groups: Groups, pair: Pair, apart: Collection[Pair]) -> bool:
    """Tell whether a link would join any two that were set apart."""
    first, second = (groups.group(profile) for profile in pair)
    return bool(apart) and first is not second and any(pair_of(a, b) in apart for a in first for b in second)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Two customers who are probably one person; ``weight`` is log2 of the odds that the evidence gives."""

    first: str
    second: str
    weight: float
    probability: float
    agreeing: tuple[str, ...] = ()
    """Kinds of alias that are equal or nearly so."""


@dataclass(frozen=True, slots=True)
class Person:
    """What suggestions compare of a customer. Lives in memory only."""

    customer_id: str
    names: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()


# --- What people decide ----------------------------------------------------------------------------------------------


def merge(identities: Identities, first: str, second: str, by: str, weight: float | None = None) -> Decision:
    """Return the decision that two profiles, with all that were joined to each, are one person.

    Raises:
        StoreError: they are already, or some of them were set apart.
    """
    if second in identities.groups.group(first):
        raise StoreError(f"{first} and {second} are one customer already")
    forbidden = [
        pair_of(a, b)
        for a in sorted(identities.groups.group(first))
        for b in sorted(identities.groups.group(second))
        if pair_of(a, b) in identities.apart and pair_of(a, b) != pair_of(first, second)
    ]
    if forbidden:
        raise StoreError(
            f"{forbidden[0][0]} and {forbidden[0][1]} were set apart; `moodline identities --json` lists the decision, "
            "`moodline identities undo` takes it back"
        )
    basis = "judgement" if weight is None else "suggestion"
    return decision(by, "merge", [Effect("link", *pair_of(first, second), basis, weight)])


def reject(first: str, second: str, by: str, weight: float | None = None) -> Decision:
    """Return the decision that two profiles are two people: no matching joins them again."""
    return decision(by, "reject", [Effect("apart", *pair_of(first, second), "suggestion", weight)])


def split_profile(identities: Identities, profile: str, by: str) -> Decision:
    """Return the decision that a profile is somebody else than those it was joined to; these stay together.

    Raises:
        StoreError: it was joined to nobody.
    """
    others = sorted(identities.groups.group(profile) - {profile})
    if not others:
        raise StoreError(f"{profile} was merged with nobody; give --message or --thread to split what was written")
    bridges = [Effect("link", *pair_of(others[0], other), "judgement") for other in others[1:]]
    apart = [Effect("apart", *pair_of(profile, other), "judgement") for other in others]
    return decision(by, "split", [*apart, *bridges])


def split_messages(moved: Mapping[str, str], to: str, by: str) -> Decision:
    """Return the decision that messages and threads (→ the profile they landed under) are the profile ``to``'s."""
    owners = sorted(set(moved.values()) - {to})
    moves = [Effect("move", to, owner, "judgement", None, what) for what, owner in sorted(moved.items())]
    return decision(by, "split", [*moves, *(Effect("apart", *pair_of(to, owner), "judgement") for owner in owners)])


def undo(decisions: Sequence[Decision], decision_id: str, by: str) -> Decision:
    """Return the decision that takes another one back.

    Who takes back what exact matching joined says that they are two people.

    Raises:
        StoreError: there is no such decision, or it was taken back already.
    """
    known = {made.decision_id: made for made in decisions}
    if decision_id not in known:
        raise StoreError(f"no decision {decision_id!r}; `moodline identities --json` lists them")
    if decision_id not in {made.decision_id for made in standing(decisions)}:
        raise StoreError(f"{decision_id} was taken back already; undo the undo to have it again")
    back = known[decision_id]
    apart = [Effect("apart", *effect.pair, "judgement") for effect in back.effects if by != EXACT]
    return decision(by, "undo", apart if back.decided_by == EXACT else (), decision_id)


def exact_decisions(decisions: Sequence[Decision], wanted: Iterable[ExactLink]) -> list[Decision]:
    """Return the decisions by which exact matching comes to say what follows from the aliases of now.

    What it said before and still holds stays as it is: one run after another, nothing new.
    """
    links = {link.pair: link for link in wanted}
    made = {d.effects[0].pair: d for d in standing(decisions) if d.decided_by == EXACT and d.verb == "merge"}
    gone = [decision(EXACT, "undo", (), made[pair].decision_id) for pair in sorted(made.keys() - links.keys())]
    news = [links[pair] for pair in sorted(links.keys() - made.keys())]
    return gone + [decision(EXACT, "merge", [Effect("link", *link.pair, link.kind)]) for link in news]
