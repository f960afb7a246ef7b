"""The parts of the engine of live sources: fields, markup, walks, drift, secrets, waiting."""

import base64
import json
import tomllib
from datetime import UTC, datetime, timedelta

import httpx
import jmespath
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pipeline.errors import SettingsError, SourceError
from pipeline.sources.auth import authorisation
from pipeline.sources.client import Sweep
from pipeline.sources.drift import Shape, drifts
from pipeline.sources.http import _seconds_until
from pipeline.sources.mapping import fields_of, getter, joined_by, plain_text
from pipeline.sources.secrets import MASK, Secrets
from pipeline.sources.settings import GoogleAuth
from pipeline.sources.settings_text import block_text, flattened, nested

RECORD = {"id": 7, "author": {"id": "a", "tags": ["x", "y"]}, "body": None, "im:rating": {"label": "5"}}


@pytest.mark.parametrize("path", ["id", "author.id", "author.none.deeper", "body", "id.deeper", "author.tags[1]"])
def test_the_short_cut_reads_what_jmespath_reads(path):
    assert getter(path)(RECORD) == jmespath.search(path, RECORD)


def test_fields_are_text_and_what_has_no_value_is_left_out():
    getters = {name: getter(path) for name, path in {"id": "id", "text": "body", "rating": '"im:rating".label'}.items()}
    assert fields_of(RECORD, getters) == {"id": "7", "rating": "5"}
    assert getter("join(', ', author.none)")(RECORD) is None


def test_markup_is_read_as_people_read_it():
    shown = plain_text("<p>Hi&nbsp;there &amp; you<br>2 &lt; 3</p><script>x()</script><p>Bye &#x1F600;</p>")
    assert shown == "Hi there & you\n2 < 3\nBye 😀"


def test_what_an_answer_holds_apart_is_joined():
    join = joined_by("data", "author_id", "author", "includes.users")
    found = join({"data": [{"author_id": "1"}, {"author_id": "2"}], "includes": {"users": [{"id": "1", "name": "A"}]}})
    assert found["data"] == [{"author_id": "1", "author": {"id": "1", "name": "A"}}, {"author_id": "2"}]


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TEN_MINUTES = timedelta(minutes=10)


def test_a_walk_goes_on_where_it_broke_off_and_moves_its_beginning_only_at_its_end():
    first = Sweep.start(None, None, TEN_MINUTES).seen(NOON)
    assert first.begins is None
    broken = Sweep(first.since, first.begin, "page2", first.high)
    again = Sweep.start(broken.text(), None, TEN_MINUTES)
    assert (again.token, again.high, again.resumed) == ("page2", first.high, True)
    later = Sweep.start(again.ended(NOON + TEN_MINUTES).text(), None, TEN_MINUTES)
    assert later.begins == NOON - TEN_MINUTES
    assert later.token is None


def test_a_walk_is_never_believed_beyond_the_clock():
    ended = Sweep.start(None, None, TEN_MINUTES).seen(NOON + timedelta(days=1)).ended(NOON)
    assert Sweep.start(ended.text(), None, TEN_MINUTES).begins == NOON - TEN_MINUTES


def test_a_backfill_begins_where_it_is_told_and_resumes_only_itself():
    stored = Sweep("2026-05-01T12:00:00.000000Z", "2026-05-01T11:50:00.000000Z", "page2").text()
    january = datetime(2025, 1, 1, tzinfo=UTC)
    begun = Sweep.start(stored, january, TEN_MINUTES)
    assert (begun.begins, begun.token) == (january, None)
    broken = Sweep(begun.since, begun.begin, "page9").text()
    assert Sweep.start(broken, january, TEN_MINUTES).token == "page9"


def test_a_damaged_cursor_says_what_to_do():
    with pytest.raises(SourceError, match="--since"):
        Sweep.parsed("chats.jsonl:12")


def shape(records):
    seen = Shape()
    for record in records:
        seen.add(record, ("role",))
    return seen


def test_a_field_that_is_gone_and_a_word_that_is_new_are_told():
    before = shape([{"text": "hi", "rating": "5", "role": "user"}] * 30)
    now = shape([{"text": "hi", "rating": "", "role": "user"}] * 30 + [{"text": "hi", "role": "overlord"}])
    stored = Shape.of([before.text()])
    assert [note.split(":")[0] for note in drifts(stored, now)] == [
        "field 'rating' is gone",
        "role has a value that is new",
    ]
    assert drifts(stored, before) == []
    assert drifts(shape([{"rating": "5"}] * 5), now) == []


def test_a_secret_is_found_asked_for_and_masked():
    secrets = Secrets("desk", {"DESK_TOKEN": " s3cret-value "}, {"desk-block": "block-value"}.get)
    assert secrets.find("token", "DESK_TOKEN", None) == "s3cret-value"
    assert secrets.find("token", "NOT_SET", "desk-block") == "block-value"
    assert secrets.mask("a s3cret-value and a block-value") == f"a {MASK} and a {MASK}"
    with pytest.raises(SettingsError, match="NOT_SET in the environment"):
        secrets.find("token", "NOT_SET", None)


def test_a_google_service_account_signs_for_its_token():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    account = {
        "client_email": "m@example.com",
        "private_key": key.private_bytes(*form).decode(),
        "token_uri": "https://t",
    }
    secrets = Secrets("play", {"KEY": json.dumps(account)})
    signed = []

    def exchange(url, fields, as_json):
        signed.append((url, fields["assertion"], as_json))
        return {"access_token": "t0ken", "expires_in": 3600}

    google = authorisation(GoogleAuth(type="google", key_env="KEY", scope="s"), secrets)
    assert google.headers(exchange) == google.headers(exchange) == {"Authorization": "Bearer t0ken"}
    [(url, assertion, as_json)] = signed
    assert (url, as_json) == ("https://t", False)
    head, _, signature = assertion.rpartition(".")
    proof = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    key.public_key().verify(proof, head.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert google.renew()
    google.headers(exchange)
    assert len(signed) == 2


@pytest.mark.parametrize("value", ["90", "1767225690", "2026-01-01T00:01:30Z", "Thu, 01 Jan 2026 00:01:30 GMT", "90.0"])
def test_when_to_come_back_is_read_by_the_services_own_clock(value):
    headers = httpx.Headers({"date": "Thu, 01 Jan 2026 00:00:00 GMT"})
    assert _seconds_until(value, headers) == 90.0


def test_a_block_is_written_and_taken_apart():
    table = {"name": 'a "b"', "auth": {"type": "bearer", "token_env": "X"}, "scale": [1, 5], "mentions": True}
    assert nested(flattened(table)) == table
    assert tomllib.loads(block_text(table))["sources"] == [table]
