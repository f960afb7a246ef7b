"""Who a source's words for a person mean: normal forms of addresses and handles, stable ids, and exact matching.

A *profile* is the person as one word of a source means them (``customer_id_for``); a *customer* is one or more
profiles that were found, or judged, to be one person (``pipeline/identity_decisions.py``).
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Final, Literal

AliasKind = Literal["id", "requester", "email", "phone", "handle", "order", "name"]
Pair = tuple[str, str]
"""Two profiles, in order."""

EXACT_KINDS: Final[tuple[AliasKind, ...]] = ("requester", "email", "phone", "handle", "order")
"""Kinds of alias that may make two profiles one person. Ids do so by themselves: equal ids are one profile."""

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"\+?[\d\s().-]{7,20}")
_SWITCHBOARD: Final = 50
"""Profiles behind one address from which on it is a company's, and says nothing about who writes."""
_TITLES: Final = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir"})


def normalise(value: str, kind: AliasKind | None = None) -> tuple[AliasKind, str]:
    """Return the kind of alias that ``value`` is and its normal form, in which equal people compare equal.

    E-mails and handles are folded to lower case, phones keep digits and a leading plus (``00`` is one), order numbers
    keep letters and digits, ids and names lose outer and doubled space. Without ``kind`` the form decides: ``a@b.c``
    is an e-mail, ``@name`` a handle, the rest an id.
    """
    text = " ".join(value.split())
    kind = kind or _kind_of(text)
    if kind == "email":
        return kind, text.casefold()
    if kind == "handle":
        return kind, text.removeprefix("@").casefold()
    if kind == "phone":
        digits = re.sub(r"\D", "", text)
        abroad = text.startswith("+") or digits.startswith("00")
        return kind, f"+{digits.removeprefix('00')}" if abroad else digits
    if kind == "order":
        return kind, re.sub(r"[\W_]", "", text).upper()
    return kind, text


def _kind_of(text: str) -> AliasKind:
    if text.startswith("@") and len(text) > 1:
        return "handle"
    if _EMAIL.fullmatch(text):
        return "email"
    if text.startswith("+") and _PHONE.fullmatch(text):
        return "phone"
    return "id"


def customer_id_for(kind: AliasKind, value: str, key: str) -> str:
    """Return a stable pseudonym for a normalised alias; it cannot be turned back without guessing the alias.

    With a secret ``key`` (``MOODLINE_ID_KEY``) it cannot be guessed either. Keyed BLAKE2b, RFC 7693.
    """
    digest = hashlib.blake2b(f"{kind}\0{value}".encode(), key=key.encode()[:64], digest_size=8)
    return f"c_{digest.hexdigest()[:12]}"


def message_id_for(source: str, native: str) -> str:
    """Return the stable id of a message from its source and the source's own id for it (80 bits of BLAKE2b)."""
    digest = hashlib.blake2b(f"{source}\0{native}".encode(errors="replace"), digest_size=10)
    return f"m_{digest.hexdigest()}"


# --- Names -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65_536)
def name_parts(name: str) -> frozenset[str]:
    """Return the parts of a person's name, folded: no case, accents, punctuation or title, in no order."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c)).casefold()
    return frozenset(re.findall(r"\w+", plain.replace("'", ""))) - _TITLES


def names_agree(first: Collection[str], second: Collection[str]) -> bool:
    """Tell whether two people share a full name (two parts or more), whatever its order and spelling."""
    parts = {name_parts(name) for name in first} & {name_parts(name) for name in second}
    return any(len(name) > 1 for name in parts)


def names_contradict(first: Collection[str], second: Collection[str]) -> bool:
    """Tell whether both have names and none of one could be short for one of the other (``J Smith``, ``John``)."""
    if not first or not second:
        return False
    parts = [(name_parts(a), name_parts(b)) for a in first for b in second]
    return not any(_is_short_for(a, b) or _is_short_for(b, a) for a, b in parts)


def _is_short_for(short: frozenset[str], long: frozenset[str]) -> bool:
    rest, other = short - long, long - short
    return all(len(part) == 1 and any(name.startswith(part) for name in other) for part in rest)


# --- Exact matching --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExactLink:
    """Two profiles that are one person because both go by one alias of this kind."""

    pair: Pair
    kind: AliasKind


@dataclass(frozen=True, slots=True)
class Evidence:
    """What exact matching knows of profiles beside their aliases."""

    names: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Profile → the person's names."""
    recorded: Collection[str] = frozenset()
    """Profiles that the company's own records list: two of them are two people unless somebody says otherwise."""
    apart: Collection[Pair] = frozenset()
    """Pairs that somebody judged to be two people."""
    judged: Mapping[str, str] = field(default_factory=dict)
    """Profile → any one profile that stands for all whom somebody judged to be the same person."""

    def contradicts(self, first: str, second: str) -> bool:
        """Tell whether the two cannot be one person, as far as is known."""
        if self.judged.get(first, first) == self.judged.get(second, second):
            return False
        if pair_of(first, second) in self.apart or (first in self.recorded and second in self.recorded):
            return True
        return names_contradict(self.names.get(first, ()), self.names.get(second, ()))

    def agrees(self, first: str, second: str) -> bool:
        """Tell whether the two have one full name, and nothing speaks against them being one person."""
        same = names_agree(self.names.get(first, ()), self.names.get(second, ()))
        return same and not self.contradicts(first, second)


def pair_of(first: str, second: str) -> Pair:
    """Return two profiles as a pair, in order."""
    return (first, second) if first <= second else (second, first)


def exact_links(held: Iterable[tuple[AliasKind, str, str]], evidence: Evidence) -> list[ExactLink]:
    """Return which profiles are one person because they go by the same e-mail, phone, handle, requester or order.

    An alias whose holders contradict each other is shared, by a household say: it joins only those who have one full
    name. So do aliases that together would join profiles that contradict each other. The order of the input is of no
    account.

    Args:
        held: (kind, normal form, profile) of aliases; only kinds of ``EXACT_KINDS`` count.
        evidence: What else is known of the profiles.
    """
    links = {link.pair: link for link in _by_alias(held, evidence)}
    joined, inside = Groups(links), defaultdict[int, list[ExactLink]](list)
    for pair in sorted(links):
        inside[id(joined.group(pair[0]))].append(links[pair])
    kept: list[ExactLink] = []
    for members in joined.members():
        sure, found = _is_consistent(sorted(members), evidence), inside[id(members)]
        kept += found if sure else _only_named(found, evidence)
    return kept


def _by_alias(held: Iterable[tuple[AliasKind, str, str]], evidence: Evidence) -> Iterator[ExactLink]:
    holders: dict[tuple[AliasKind, str], set[str]] = defaultdict(set)
    for kind, value, profile in held:
        if kind in EXACT_KINDS:
            holders[kind, value].add(profile)
    for kind, value in sorted(holders, key=lambda alias: (EXACT_KINDS.index(alias[0]), alias[1]), reverse=True):
        profiles = sorted(holders[kind, value])
        shared = not _is_consistent(profiles, evidence)
        for first, second in combinations(profiles, 2) if shared and len(profiles) <= _SWITCHBOARD else ():
            if evidence.agrees(first, second):
                yield ExactLink((first, second), kind)
        centre = min(profiles, key=lambda profile: (profile not in evidence.recorded, profile))
        for other in () if shared else profiles:
            if other != centre:
                yield ExactLink(pair_of(centre, other), kind)


def _is_consistent(profiles: Sequence[str], evidence: Evidence) -> bool:
    few = len(profiles) <= _SWITCHBOARD
    return few and not any(evidence.contradicts(first, second) for first, second in combinations(profiles, 2))


def _only_named(links: Iterable[ExactLink], evidence: Evidence) -> list[ExactLink]:
    """Return the links between people of one full name; none where these, too, would join who contradicts."""
    named = [link for link in links if evidence.agrees(*link.pair)]
    groups = Groups(link.pair for link in named)
    good = {id(members) for members in groups.members() if _is_consistent(sorted(members), evidence)}
    return [link for link in named if id(groups.group(link.pair[0])) in good]


class Groups:
    """Who belongs together: disjoint sets (union-find), each named by its smallest member."""

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._group: dict[str, set[str]] = {}
        for first, second in pairs:
            self.join(first, second)

    def join(self, first: str, second: str) -> None:
        """Put the groups of both together."""
        small, large = sorted((self.group(first), self.group(second)), key=len)
        if small is large:
            return
        large |= small
        self._group.update(dict.fromkeys(small, large))

    def group(self, member: str) -> set[str]:
        """Return all who belong together with ``member``, itself included."""
        return self._group.setdefault(member, {member})

    def members(self) -> list[set[str]]:
        """Return the groups, each once, in the order of their smallest members."""
        found = {id(group): group for group in self._group.values()}
        return sorted(found.values(), key=min)
