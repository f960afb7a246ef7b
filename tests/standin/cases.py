"""One case a kind of source: what stands in for the provider, the settings that a user would write, what must land."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from standin.providers import PROVIDERS, SECRET, Desk, Open, contact_lens
from standin.server import StandIn
from standin.world import Record, World

from pipeline.redact import Redactor

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Case:
    """How one kind is tested.

    ``block`` is what stands in ``moodline.toml``, with ``{url}`` for the stand-in's address; ``cap`` keeps pages
    short, so that a small dataset has several; ``turns`` is the records of a thread.
    """

    kind: str
    channel: str
    block: str
    turns: int = 1
    cap: int = 10_000
    count: int = 60
    make: Callable[[], Open] | None = None
    text_of: Callable[[Record], str] = lambda record: f"{record.title}\n{record.text}" if record.title else record.text
    rated: bool = False
    signs: frozenset[str] = frozenset()
    """What this kind shows of changes at the source: ``edit``, ``delete``."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the secrets that the block names."""
        google = {"STANDIN_KEY": google_key()} if "STANDIN_KEY" in self.block else {}
        return {"STANDIN_SECRET": SECRET, **google}

    def provider(self) -> Open:
        provider = self.make() if self.make else PROVIDERS[self.kind]()
        provider.cap = self.cap
        return provider

    def world(self, count: int | None = None) -> World:
        return World(count or self.count, self.turns)

    def settings(self, url: str, **more: object) -> str:
        """Return the block with the address filled in and further keys behind it."""
        keys = "".join(f"{name} = {json.dumps(value)}\n" for name, value in more.items() if name != "name")
        named = self.block.replace('"source"', f'"{more.get("name", "source")}"', 1)
        head, *tables = named.replace("{url}", url).split("\n[sources.")
        return "\n[sources.".join([f"{head.rstrip()}\n{keys}", *tables])


def bare(record: Record) -> str:
    """Return the text alone, for providers that know no titles."""
    return record.text


_MASK = Redactor().mask


def held(world: World, case: Case) -> Counter[tuple[object, ...]]:
    """Return what the warehouse must hold of a world: time, role, masked text and rating of each record."""
    return Counter(
        (
            record.at.replace(tzinfo=None),
            record.role,
            " ".join(_MASK(case.text_of(record)).split()),
            float(record.rating) if case.rated and record.rating else None,
        )
        for record in world
    )


def landed(rows: list[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    """Return the same of rows ``(sent_at, role, text, rating)`` of the warehouse."""
    return Counter((at, role, " ".join(str(text).split()), rating) for at, role, text, rating in rows)


DESK = """
[[sources]]
name = "source"
kind = "rest"
channel = "transcript"
url = "{url}/v1/messages"
auth = { type = "bearer", token_env = "STANDIN_SECRET" }
paginate = { type = "cursor", param = "cursor", next = "meta.next_cursor" }
since = { param = "updated_after", field = "updated_at", overlap = "10m" }
records = "data"
deleted = "deleted"
map = { id = "id", customer = "author.id", role = "author.role", thread = "conversation_id", text = "body", \
time = "created_at" }
"""

REST = Case("rest", "transcript", DESK, 4, make=Desk, text_of=bare, signs=frozenset({"edit", "delete"}))


def block(kind: str, *lines: str) -> str:
    """Return a block of settings with the stand-in's address."""
    return "\n".join(("[[sources]]", 'name = "source"', f'kind = "{kind}"', 'url = "{url}"', *lines, ""))


def asked(record: Record) -> str:
    """Return the text below the subject of its ticket, which the first message carries."""
    return f"Question {record.thread}\n{record.text}" if record.number % 4 == 1 else record.text


@cache
def google_key() -> str:
    """Return the JSON key of a service account that nobody has."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps({"type": "service_account", "client_email": "moodline@example.com", "private_key": pem})


_GOOGLE = (
    'auth = {{ type = "google", key_env = "STANDIN_KEY", scope = "https://www.googleapis.com/auth/{}", '
    'token_url = "{{url}}/token" }}'
)
_REFRESH = (
    'auth = { type = "oauth", token_url = "{url}/token", client_id = "client", client_secret_env = "STANDIN_SECRET", '
    'refresh_token_env = "STANDIN_SECRET" }'
)
_BEARER = 'auth = { type = "bearer", token_env = "STANDIN_SECRET" }'
_SESSION = (
    'auth = { type = "session", url = "{url}/xrpc/com.atproto.server.createSession", identifier = "shop.example.com", '
    'password_env = "STANDIN_SECRET" }'
)
_EDIT, _DELETE = frozenset({"edit"}), frozenset({"delete"})

CASES: dict[str, Case] = {
    case.kind: case
    for case in (
        Case(
            "app_store",
            "review",
            block("app_store", "app_id = 1", 'country = "gb"'),
            count=120,
            rated=True,
            signs=_EDIT,
        ),
        Case(
            "google_play",
            "review",
            block("google_play", 'package = "com.example.shop"', _GOOGLE.format("androidpublisher")),
            cap=15,
            rated=True,
            signs=_EDIT,
        ),
        Case(
            "trustpilot",
            "review",
            block(
                "trustpilot",
                'business_unit = "46d6a890ffa235a75b00021d"',
                "page_size = 15",
                'auth = { type = "header", name = "apikey", token_env = "STANDIN_SECRET" }',
            ),
            rated=True,
            signs=_EDIT | _DELETE,
        ),
        Case(
            "google_business",
            "review",
            block("google_business", "account = 1", "location = 2", _REFRESH),
            cap=15,
            text_of=bare,
            rated=True,
            signs=_EDIT | _DELETE,
        ),
        Case("x", "tweet", block("x", 'query = "@shop"', _BEARER), cap=15, text_of=bare, signs=_EDIT | _DELETE),
        Case("bluesky", "tweet", block("bluesky", 'query = "shop"', _SESSION), cap=15, text_of=bare, signs=_DELETE),
        Case(
            "mastodon",
            "tweet",
            block("mastodon", 'hashtag = "shop"', _BEARER),
            cap=15,
            text_of=bare,
            signs=_EDIT | _DELETE,
        ),
        Case(
            "zendesk",
            "transcript",
            block(
                "zendesk",
                'auth = { type = "basic", user = "agent@example.com", user_suffix = "/token", '
                'password_env = "STANDIN_SECRET" }',
            ),
            turns=4,
            cap=5,
            text_of=asked,
            signs=_DELETE,
        ),
        Case("intercom", "transcript", block("intercom", _BEARER), turns=4, cap=5, text_of=bare, signs=_DELETE),
        Case(
            "freshdesk",
            "transcript",
            block("freshdesk", 'auth = { type = "basic", user_env = "STANDIN_SECRET", password = "X" }'),
            turns=4,
            cap=5,
            text_of=asked,
            signs=_EDIT,
        ),
    )
}
"""Kind → case, of every provider that is asked over HTTP."""


CALLS = Case("contact_lens", "transcript", block("contact_lens").replace("url =", "path ="), turns=4, text_of=bare)
"""Contact Lens, which is read from a folder."""


def write_calls(world: World, folder: Path) -> None:
    """Write a world as Contact Lens leaves it in a bucket."""
    for thread in world.threads():
        name, body = contact_lens(thread)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body), encoding="utf-8")


def stand_in(case: Case, world: World, limit: tuple[int, float] | None = None) -> StandIn:
    return StandIn(case.provider(), world, limit)
