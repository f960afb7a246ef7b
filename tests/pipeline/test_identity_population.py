"""5,000 made-up people with typing errors and shared addresses: exact matching errs with nobody, Splink finds the rest.

Records of one person: the company's (CRM), a support desk's, reviews by e-mail, posts by handle. Couples share e-mail
or phone, fathers and sons a surname and a phone; some people are in the records twice.
"""

import random
import re
from collections import defaultdict
from itertools import combinations, product

import pytest

from pipeline import identity_matching as matching
from pipeline.identity import customer_id_for, normalise
from pipeline.records import CustomerAlias
from pipeline.steps import import_customers
from pipeline.store import Landing, Warehouse

PEOPLE = 5_000
GIVEN = re.findall(
    r"\w+",
    """
    Ann Amelia Ava Beatrice Bella Bridget Carla Carmen Chloe Clara Daisy Daphne Diana Edith Eleanor Elsa Emma Esther
    Fatima Fiona Flora Freya Gemma Grace Greta Hannah Harriet Heidi Ida Ines Irene Ivy Jasmine Joan June Karen Kira
    Laura Leila Lucy Mabel Maria Mona Nadia Nina Nora Olga Olive Paula Pearl Petra Rachel Rita Rosa Ruth Sara Selma
    Sofia Stella Tamara Tara Tess Una Vera Viola Wendy Yasmin Zara Zoe Aaron Abdul Adam Alan Albert Amir Andrew
    Anton Ben Boris Brian Bruno Carl Cedric Colin Dan David Dmitri Edgar Edwin Eric Ewan Felix Frank Fred Gareth
    George Gordon Hans Harry Hugo Ian Ismail Ivan Jack James Jamal John Jon Karl Kevin Lars Leo Liam Luke Marc Mark
    Martin Nils Noah Oscar Otto Owen Paul Peter Ralph Ravi Robert Roy Samuel Sean Simon Stefan Tariq Theo Thomas
    Umar Victor Walter Yusuf
    """,
)
STARTS = re.findall(
    "[A-Z][a-z]+", "AckAldBarBexCarColdDarDunElmFairGilHamHolIngJarKirkLangMarNorOldPemQuinRamSandThorn"
)
ENDS = re.findall(
    r"\w+", "ley ton ford worth well by field man son wick ham stone dale shaw ridge brook hurst gate mere"
)
DOMAINS = ("example.com", "example.org", "mail.example", "post.example")


class Population:
    """People with their records: the company's rows, and (word, profile aliases) that sources heard."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        surnames = ["".join(parts) for parts in product(STARTS, ENDS)]
        self.people, self.truth, self.mails = [], {}, set()
        for number in range(PEOPLE):
            self.people.append(self.person(number, self.chance.choice(surnames)))
        for number in range(0, PEOPLE // 5, 2):
            self.share(*self.people[number : number + 2])
        self.rows = [row for person in self.people for row in self.recorded(person)]
        self.heard = [record for person in self.people for record in self.sources(person)]

    def person(self, number, surname):
        given = self.chance.choice(GIVEN)
        mailbox = self.chance.choice([f"{given}.{surname}", f"{given[0]}{surname}", f"{surname}.{given}"]).lower()
        domain = self.chance.choice(DOMAINS)
        mails = [f"{mailbox}{ending}@{domain}" for ending in (self.chance.choice(["", number % 97]), number)]
        mail = next(free for free in mails if free not in self.mails)
        self.mails.add(mail)
        phone = f"+44{self.chance.randrange(10**9, 10**10)}"
        handle = f"{given}{self.chance.choice('_.x')}{surname}{number % 89}".lower()
        return {"number": number, "given": given, "surname": surname, "mail": mail, "phone": phone, "handle": handle}

    def share(self, one, other):
        """Make a household: one surname, two first names, an address or a number or both in common."""
        while other["given"] == one["given"]:
            other["given"] = self.chance.choice(GIVEN)
        other["surname"] = one["surname"]
        for kind in self.chance.choice((("mail",), ("phone",), ("mail", "phone"))):
            other[kind] = one[kind]

    def typo(self, word):
        place = self.chance.randrange(1, len(word) - 1)
        kind = self.chance.choice("drs")
        if kind == "d":
            return word[:place] + word[place + 1 :]
        if kind == "r":
            return word[:place] + word[place] + word[place:]
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]

    def wrong_digit(self, phone):
        place = self.chance.randrange(4, len(phone))
        return phone[:place] + str((int(phone[place]) + 1 + self.chance.randrange(8)) % 10) + phone[place + 1 :]

    def maybe(self, chance, change, value):
        return change(value) if self.chance.random() < chance else value

    def name(self, person, wrong):
        return f"{self.maybe(wrong, self.typo, person['given'])} {self.maybe(wrong, self.typo, person['surname'])}"

    def recorded(self, person):
        full = f"{person['given']} {person['surname']}"
        known = {"name": full, "email": person["mail"], "phone": person["phone"]}
        handle = {"handle": f"@{person['handle']}"} if self.chance.random() < 0.4 else {}
        yield {"id": f"C-{person['number']}", **known, **handle}
        self.truth[customer_id_for("id", f"C-{person['number']}", "k")] = person["number"]
        if self.chance.random() < 0.05:
            known["email"], known["phone"] = (
                self.typo(person["mail"]),
                self.maybe(0.3, self.wrong_digit, person["phone"]),
            )
            yield {"id": f"D-{person['number']}", **known}
            self.truth[customer_id_for("id", f"D-{person['number']}", "k")] = person["number"]

    def sources(self, person):
        number = person["number"]
        if self.chance.random() < 0.6:
            mail = self.maybe(0.15, self.typo, person["mail"].split("@")[0]) + "@" + person["mail"].split("@")[1]
            known = {"requester": f"desk:{number}", "email": mail, "name": self.name(person, 0.06)}
            if self.chance.random() < 0.6:
                known["phone"] = self.maybe(0.1, self.wrong_digit, person["phone"])
            yield self.record(number, f"U-{number}", known)
        if self.chance.random() < 0.3:
            known = {"handle": person["handle"], "name": self.name(person, 0.04), "email": person["mail"]}
            yield self.record(number, f"X-{number}", known)

    def record(self, number, word, known):
        profile = customer_id_for("id", word, "k")
        self.truth[profile] = number
        named = [CustomerAlias(profile, kind, normalise(value, kind)[1]) for kind, value in known.items()]
        return [CustomerAlias(profile, "id", word), *named]

    def load(self, warehouse):
        aliases = [alias for record in self.heard for alias in record]
        warehouse.land(Landing("desk", "rest", "transcript", {}, aliases=aliases))
        import_customers(self.rows, warehouse, "k")


@pytest.fixture(scope="module")
def matched():
    population = Population(2026)
    with Warehouse.in_memory() as warehouse:
        population.load(warehouse)
        links = dict(warehouse._database.rows("find_links"))
        yield population, warehouse, {profile: links.get(profile, profile) for profile in population.truth}


def test_exact_matching_makes_no_wrong_merge(matched):
    population, _, customers = matched
    people = defaultdict(set)
    for profile, customer in customers.items():
        people[customer].add(population.truth[profile])
    joined = len(customers) - len(people)
    assert joined > 2_000
    assert [found for found in people.values() if len(found) > 1] == []


def test_suggestions_find_nine_in_ten_and_are_nearly_always_right(matched):
    population, warehouse, customers = matched
    owner = {customers[profile]: person for profile, person in population.truth.items()}
    same = defaultdict(set)
    for customer, person in owner.items():
        same[person].add(customer)
    wanted = {pair for found in same.values() for pair in combinations(sorted(found), 2)}
    suggested = {(one.first, one.second) for one in matching.suggest(warehouse, 0.95)}
    right = suggested & wanted
    recall, precision = len(right) / len(wanted), len(right) / len(suggested)
    print(f"\n{len(wanted)} pairs to find, {len(suggested)} suggested: recall {recall:.4f}, precision {precision:.4f}")
    assert len(wanted) > 300
    assert recall >= 0.9
    assert precision >= 0.98
