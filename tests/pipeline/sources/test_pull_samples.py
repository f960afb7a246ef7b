"""Example responses of the providers' documentation, rewritten: they parse, unknown fields and all."""

import copy
import json
import re
from datetime import datetime

import pytest
from standin.cases import CASES, SAMPLES
from standin.providers import PROVIDERS
from standin.server import Answer, StandIn
from standin.world import World

from pipeline.redact import Redactor

SERVED = sorted(set(CASES) & set(PROVIDERS))


def sample_of(kind):
    return json.loads((SAMPLES / f"{kind}.json").read_text(encoding="utf-8"))


def replaying(kind, answers):
    """Return a provider that answers the documented requests with these bodies, once each."""
    provider = CASES[kind].provider()

    def respond(request, world):
        if "filter" in request.query:
            return Answer([])
        for answer in answers:
            if re.fullmatch(answer["path"], request.path) and request.query.get("page", "1") == "1":
                return Answer(answer["body"])
        return Answer(provider.refused(404), 404)

    provider.respond = respond
    return provider


def flat(text):
    return " ".join(text.split())


def found(pull):
    rows = pull.query("SELECT text, sent_at, role, rating FROM message ORDER BY sent_at, text")
    return [
        {"text": flat(text), "time": f"{at.isoformat()}+00:00", "role": role, "rating": rating}
        for text, at, role, rating in rows
    ]


def expected(sample):
    mask = Redactor().mask
    rows = [{"rating": None, **row, "text": flat(mask(row["text"]))} for row in sample["expected"]]
    return sorted(rows, key=lambda row: (datetime.fromisoformat(row["time"]), row["text"]))


def without(sample, steps):
    """Return the answers less one required field."""
    answers = copy.deepcopy(sample["answers"])
    place, *path, last = steps
    node = answers[place]["body"]
    for step in path:
        node = node[step]
    del node[last]
    return answers


@pytest.mark.parametrize("kind", SERVED)
def test_the_documented_example_parses(pulling, kind):
    sample, case = sample_of(kind), CASES[kind]
    with StandIn(replaying(kind, sample["answers"]), World(0)) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url))
        pull.pull("--since", "2026-01-01")
    assert found(pull) == expected(sample)
    assert pull.query("SELECT count(*) FROM quarantine") == [(0,)]


@pytest.mark.parametrize("kind", SERVED)
def test_a_record_without_a_required_field_is_quarantined_and_the_others_land(pulling, kind):
    sample, case = sample_of(kind), CASES[kind]
    with StandIn(replaying(kind, without(sample, sample["required"])), World(0)) as server:
        pull = pulling(case)
        pull.set(case.settings(server.url))
        pull.pull("--since", "2026-01-01")
    assert len(found(pull)) == len(sample["expected"]) - 1
    assert pull.query("SELECT count(*) FROM quarantine") == [(1,)]


def test_every_kind_has_a_sample_and_a_page_to_look_it_up():
    for kind in (*PROVIDERS, "contact_lens"):
        assert sample_of(kind)["page"].startswith("https://")
