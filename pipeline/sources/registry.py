"""The kinds of live sources: what each one's settings are, and how it is pulled."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.errors import SettingsError
from pipeline.sources import (
    app_store,
    bluesky,
    freshdesk,
    google_business,
    google_play,
    intercom,
    mastodon,
    rest,
    trustpilot,
    x,
    zendesk,
)
from pipeline.sources.auth import authorisation
from pipeline.sources.client import Client
from pipeline.sources.contact_lens import ContactLensClient, ContactLensSettings
from pipeline.sources.http import Limits, Pace, Service
from pipeline.sources.secrets import Secrets
from pipeline.sources.settings import NoAuth, RestSettings, ServiceSettings, SourceSettings, checked


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of source.

    ``example`` is a block that works once its words in capitals are replaced. ``paces`` are the rates that the
    provider announces, by part of the address.
    """

    settings: type[Any]
    client: Callable[[Any], Client]
    example: Mapping[str, Any] = field(default_factory=dict)
    paces: Mapping[str, Pace] = field(default_factory=dict)


def _by_recipe(recipe: Callable[[Any], rest.Recipe]) -> Callable[[Any], Client]:
    return lambda settings: rest.RestClient(recipe(settings))


KINDS: Final[Mapping[str, Kind]] = {
    "app_store": Kind(
        app_store.AppStoreSettings,
        _by_recipe(app_store.recipe),
        {"app_id": "389801252", "country": "us"},
    ),
    "google_play": Kind(
        google_play.GooglePlaySettings,
        _by_recipe(google_play.recipe),
        {
            "package": "com.example.app",
            "auth": {"type": "google", "key_env": "GOOGLE_PLAY_KEY", "scope": google_play.SCOPE},
        },
        google_play.PACES,
    ),
    "trustpilot": Kind(
        trustpilot.TrustpilotSettings,
        _by_recipe(trustpilot.recipe),
        {
            "business_unit": "BUSINESS_UNIT_ID",
            "auth": {"type": "header", "name": "apikey", "token_env": "TRUSTPILOT_KEY"},
        },
        trustpilot.PACES,
    ),
    "google_business": Kind(
        google_business.GoogleBusinessSettings,
        _by_recipe(google_business.recipe),
        {
            "account": "ACCOUNT_ID",
            "location": "LOCATION_ID",
            "auth": {
                "type": "oauth",
                "token_url": "https://oauth2.googleapis.com/token",
                "client_id_env": "GOOGLE_CLIENT_ID",
                "client_secret_env": "GOOGLE_CLIENT_SECRET",
                "refresh_token_env": "GOOGLE_REFRESH_TOKEN",
            },
        },
        google_business.PACES,
    ),
    "x": Kind(
        x.XSettings,
        _by_recipe(x.recipe),
        {"query": "@fernhollow -is:retweet", "auth": {"type": "bearer", "token_env": "X_TOKEN"}},
    ),
    "bluesky": Kind(
        bluesky.BlueskySettings,
        _by_recipe(bluesky.recipe),
        {
            "query": "fernhollow",
            "auth": {
                "type": "session",
                "url": "https://bsky.social/xrpc/com.atproto.server.createSession",
                "identifier": "you.bsky.social",
                "password_env": "BLUESKY_PASSWORD",
            },
        },
    ),
    "mastodon": Kind(
        mastodon.MastodonSettings,
        _by_recipe(mastodon.recipe),
        {
            "url": "https://mastodon.social",
            "hashtag": "fernhollow",
            "auth": {"type": "bearer", "token_env": "MASTODON_TOKEN"},
        },
    ),
    "zendesk": Kind(
        zendesk.ZendeskSettings,
        _by_recipe(zendesk.recipe),
        {
            "url": "https://SUBDOMAIN.zendesk.com",
            "auth": {
                "type": "basic",
                "user": "you@example.com",
                "user_suffix": "/token",
                "password_env": "ZENDESK_TOKEN",
            },
        },
        zendesk.PACES,
    ),
    "intercom": Kind(
        intercom.IntercomSettings,
        _by_recipe(intercom.recipe),
        {"auth": {"type": "bearer", "token_env": "INTERCOM_TOKEN"}},
    ),
    "freshdesk": Kind(
        freshdesk.FreshdeskSettings,
        _by_recipe(freshdesk.recipe),
        {
            "url": "https://DOMAIN.freshdesk.com",
            "auth": {"type": "basic", "user_env": "FRESHDESK_KEY", "password": "X"},
        },
    ),
    "contact_lens": Kind(
        ContactLensSettings,
        ContactLensClient,
        {"path": "s3://BUCKET/Analysis/Voice"},
    ),
    "rest": Kind(
        RestSettings,
        _by_recipe(rest.recipe),
        {
            "channel": "transcript",
            "url": "https://example.com/v1/messages",
            "auth": {"type": "bearer", "token_env": "DESK_TOKEN"},
            "paginate": {"type": "cursor", "param": "cursor", "next": "meta.next_cursor"},
            "since": {"param": "updated_after", "field": "updated_at", "overlap": "10m"},
            "records": "data",
            "map": {"id": "id", "customer": "author.id", "text": "body", "time": "created_at"},
        },
    ),
}
"""Every kind of live source."""


def read_sources(tables: Sequence[Mapping[str, Any]], file: Path) -> list[SourceSettings]:
    """Return the settings of each ``[[sources]]`` block, in order.

    Raises:
        SettingsError: a block is wrong, or two have one name; the message names file, source and key.
    """
    sources = [read_source(table, file, number) for number, table in enumerate(tables, 1)]
    names = [source.name for source in sources]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError(f'{file}: [[sources]] "{repeated}" is there twice; give each source a name of its own')
    return sources


def read_source(table: Mapping[str, Any], file: Path, number: int = 1) -> SourceSettings:
    """Return the settings of one block; see :func:`read_sources`."""
    if not isinstance(table.get("name"), str):
        raise SettingsError(f"{file}: [[sources]] number {number}: name is missing")
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        said = "is missing" if kind is None else f"= {kind!r} is not known"
        raise SettingsError(f'{file}: [[sources]] "{table["name"]}": kind {said}; known are {", ".join(KINDS)}')
    found: SourceSettings = checked(KINDS[kind].settings, table, file)
    return found


def client_of(source: SourceSettings) -> Client:
    """Return the client of a source."""
    return KINDS[source.kind].client(source)


def service_of(source: SourceSettings, secrets: Secrets, pause: Callable[[float], None] = time.sleep) -> Service:
    """Return the service that a source asks, with its limits and secrets; ``pause`` waits for so many seconds.

    Raises:
        SettingsError: a secret is missing.
    """
    paces = {"": Pace(source.per_minute)} if source.per_minute else KINDS[source.kind].paces
    auth = source.auth if isinstance(source, ServiceSettings) else NoAuth()
    limits = Limits(source.timeout, source.longest_wait, source.budget, paces)
    return Service(authorisation(auth, secrets), secrets, limits, pause)
