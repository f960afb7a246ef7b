"""The warehouse's side of who is who: the log of decisions, and the tables that follow from it.

Every call that changes something is one transaction, in which the moods of all whom it touches are deleted: they are
tracked again from the messages that are theirs now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline import warehouse_news
from pipeline import warehouse_rows as rows
from pipeline.errors import StoreError
from pipeline.identity import EXACT_KINDS, AliasKind, Pair, normalise
from pipeline.identity_decisions import Decision, Effect, Identities, Person, Suggestion
from pipeline.warehouse_database import Database, now


class IdentityStore:
    """Reads and writes who is who in an open warehouse."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- what is known -----------------------------------------------------------------------------------------

    def shared_aliases(self) -> list[tuple[AliasKind, str, str]]:
        """Return (kind, value, profile) of every alias of ``EXACT_KINDS`` by which several profiles go."""
        kinds = rows.text_table(("kind",), ((kind,) for kind in EXACT_KINDS))
        with self._database.incoming(incoming_kind=kinds):
            return self._database.rows("find_shared_aliases")

    def names(self, profiles: Iterable[str]) -> dict[str, list[str]]:
        """Return the names of some profiles; those without are left out."""
        found: dict[str, list[str]] = {}
        with self._database.incoming(incoming_chosen=rows.chosen_table(profiles)):
            for profile, name in self._database.rows("find_profile_names"):
                found.setdefault(profile, []).append(name)
        return found

    def recorded(self, profiles: Iterable[str]) -> set[str]:
        """Return those of some profiles that the company's own records list."""
        with self._database.incoming(incoming_chosen=rows.chosen_table(profiles)):
            return {profile for (profile,) in self._database.rows("find_recorded")}

    def people(self) -> list[Person]:
        """Return every customer who goes by a name or address, for suggestions."""
        return [
            Person(name, *(tuple(found or ()) for found in more)) for name, *more in self._database.rows("find_people")
        ]

    def find(self, name: str) -> str:
        """Return the customer who goes by an id (a former one too), name, handle, e-mail or phone.

        Raises:
            StoreError: nobody, or more than one, goes by it.
        """
        kind, value = normalise(name)
        values = {"name": name, "kind": kind, "value": value, "folded": name.strip().removeprefix("@").casefold()}
        found = [customer for (customer,) in self._database.rows("find_known_as", values)]
        if len(found) != 1:
            who = f"{len(found)} customers go ({', '.join(found[:5])})" if found else "no customer goes"
            raise StoreError(f"{who} by {name!r}; `moodline customers` lists ids")
        return str(found[0])

    def profiles(self, customers: Iterable[str]) -> list[str]:
        """Return the profiles that make up some customers."""
        with self._database.incoming(incoming_chosen=rows.chosen_table(customers)):
            return [profile for (profile,) in self._database.rows("find_profiles")]

    def written(self, customer: str, messages: Iterable[str], threads: Iterable[str]) -> dict[str, str]:
        """Return message (by id) or thread (source, tab, id) → the profile it landed under, of what a customer wrote.

        Raises:
            StoreError: a message or thread is not the customer's.
        """
        asked = [(what, "") for what in messages] + [(what, "yes") for what in threads]
        table = pa.table({"what": [what for what, _ in asked], "thread": [bool(is_thread) for _, is_thread in asked]})
        with self._database.incoming(incoming_what=table):
            found = dict(self._database.rows("find_written", {"customer": customer}))
        known = {what.rpartition("\t")[2] for what in found}
        if missing := [what for what, _ in asked if what not in known]:
            raise StoreError(f"{missing[0]} is no message or thread of {customer}; `moodline customer {customer}`")
        return found

    def merged(self, most: int | None = None) -> list[tuple[str, str, list[dict[str, str]]]]:
        """Return (customer, profile, aliases) of customers made of several profiles; at most ``most`` customers."""
        return [
            (c, profile, aliases or []) for c, profile, aliases in self._database.rows("find_merged", {"most": most})
        ]

    # --- decisions ---------------------------------------------------------------------------------------------

    def decisions(self) -> list[Decision]:
        """Return the whole log, in its order."""
        return [_decision_of(row) for row in self._database.rows("find_decisions")]

    def decide(
        self, made: Sequence[Decision], new_profiles: Collection[str] = (), log: Sequence[Decision] | None = None
    ) -> None:
        """Append decisions, and make the customers what the log now says; those who change are tracked again.

        Calling it without a decision brings the tables up to date, which they are unless the company's records grew.
        ``log`` is what :meth:`decisions` has just returned, where the caller has it.
        """
        log = [*(self.decisions() if log is None else log), *made]
        identities = Identities.of(log)
        linked = [profile for pair in identities.links for profile in pair]
        links = identities.customers(self.recorded(linked))
        with self._database.transaction(
            incoming_decision=_decision_table(made),
            incoming_effect=_effect_table(made),
            incoming_profile=rows.chosen_table(new_profiles),
            incoming_link=rows.text_table(("profile", "customer_id"), links.items()),
            incoming_move=_move_table(identities),
        ):
            for name in ("add_decisions", "add_effects", "add_profiles") if made else ():
                self._database.run(name)
            if self._apply(identities, links):
                self._database.run("raise_revision")

    def _apply(self, identities: Identities, links: Mapping[str, str]) -> bool:
        """Bring the tables of links and moves up to date; tell whether anybody's messages changed."""
        old_links, old_moves = dict(self._database.rows("find_links")), dict(self._database.rows("find_moved"))
        moves = {what: effect.first for what, effect in identities.moves.items()}
        changed = {profile for profile, _ in links.items() ^ old_links.items()}
        moved = {what for what, _ in moves.items() ^ old_moves.items()}
        if not changed and not moved:
            return False
        maps: tuple[Mapping[str, str], ...] = (links, old_links, {})
        touched = {known.get(who, who) for who in changed for known in maps} | self._owners(moved)
        for name in ("links", "moved_messages", "moved_threads"):
            self._database.run(f"delete_{name}")
            self._database.run(f"save_{name}")
        self._forget_moods(touched | self._owners(moved))
        return True

    def _owners(self, moved: Collection[str]) -> set[str]:
        """Return whose some messages and threads are as the tables now have it."""
        if not moved:
            return set()
        with self._database.incoming(incoming_moved=rows.text_table(("moved",), ((what,) for what in moved))):
            return {owner for (owner,) in self._database.rows("find_owners")}

    def _forget_moods(self, customers: Iterable[str]) -> None:
        with self._database.incoming(incoming_chosen=rows.chosen_table(customers)):
            self._database.run("stage_touched")
        self._database.run("add_news_of_decisions")
        for name in ("moods", "points", "ledger"):
            self._database.run(f"delete_{name}")

    # --- suggestions -------------------------------------------------------------------------------------------

    def save_suggestions(self, suggestions: Iterable[Suggestion]) -> None:
        """Keep these suggestions in place of the former ones. They show in no snapshot."""
        with self._database.transaction(incoming_suggestion=_suggestion_table(list(suggestions))):
            self._database.run("delete_suggestions")
            self._database.run("save_suggestions")

    def suggestions(self, apart: Collection[Pair] = ()) -> list[Suggestion]:
        """Return what nobody has judged yet, the surest first; pairs set ``apart`` are left out."""
        with self._database.incoming(incoming_apart=rows.text_table(("first", "second"), sorted(apart))):
            found = self._database.rows("find_suggestions")
        return [Suggestion(first, second, weight, p, tuple(kinds)) for first, second, weight, p, kinds in found]

    # --- forgetting --------------------------------------------------------------------------------------------

    def aliases(self, profiles: Iterable[str]) -> list[tuple[AliasKind, str]]:
        """Return all that some profiles go by."""
        with self._database.incoming(incoming_chosen=rows.chosen_table(profiles)):
            return self._database.rows("find_aliases")

    def forget(self, profiles: Iterable[str], pseudonyms: Iterable[str]) -> int:
        """Erase the names of profiles and the texts they wrote; return how many messages were erased.

        ``pseudonyms`` are what else their aliases would make: no alias of any of them is ever stored again.
        """
        profiles = list(profiles)
        tables = {
            "incoming_chosen": rows.chosen_table(profiles),
            "incoming_forgotten": rows.chosen_table([*profiles, *pseudonyms]),
        }
        with self._database.transaction(**tables):
            self._database.run("add_forgotten", {"now": now()})
            changes = self._database.change("delete_aliases") + self._database.change("delete_quarantined")
            self._database.run("stage_forgotten")
            self._database.run("delete_erased_readings")
            self._database.run("delete_erased_abstentions")
            self._database.run("erase_quotes")
            erased = warehouse_news.change(self._database, "erase_messages", "messages", {"why": "forgotten"})
            if changes + erased:
                self._database.run("raise_revision")
                self._database.run("note_erasure")
        return erased


def _decision_of(row: Sequence[Any]) -> Decision:
    decision_id, decided_at, decided_by, verb, undoes, effects = row
    made = tuple(Effect(*effect) for effect in effects or ())
    return Decision(decision_id, rows.aware(decided_at), decided_by, verb, made, undoes)


def _decision_table(made: Sequence[Decision]) -> pa.Table:
    return pa.table(
        {
            "decision_id": pa.array([d.decision_id for d in made], pa.string()),
            "place": pa.array(range(1, len(made) + 1), pa.int64()),
            "decided_at": pa.array([rows.stored(d.decided_at) for d in made], pa.timestamp("us")),
            "decided_by": pa.array([d.decided_by for d in made], pa.string()),
            "verb": pa.array([d.verb for d in made], pa.string()),
            "undoes": pa.array([d.undoes for d in made], pa.string()),
        }
    )


def _effect_table(made: Sequence[Decision]) -> pa.Table:
    names = ("kind", "first", "second", "basis", "weight", "moved")
    effects = [effect for d in made for effect in d.effects]
    columns = {name: pa.array([getattr(effect, name) for effect in effects], _kind(name)) for name in names}
    ids = pa.array([d.decision_id for d in made for _ in d.effects], pa.string())
    return pa.table({"decision_id": ids, **columns})


def _kind(name: str) -> pa.DataType:
    return pa.float64() if name in {"weight", "probability"} else pa.string()


def _move_table(identities: Identities) -> pa.Table:
    moves = [(what, effect.second, effect.first) for what, effect in identities.moves.items()]
    return rows.text_table(("moved", "from_profile", "profile"), moves)


def _suggestion_table(found: Sequence[Suggestion]) -> pa.Table:
    names = ("first", "second", "weight", "probability")
    columns = {name: pa.array([getattr(one, name) for one in found], _kind(name)) for name in names}
    return pa.table({**columns, "agreeing": pa.array([list(one.agreeing) for one in found], pa.list_(pa.string()))})
