"""What a user says of a live source: a ``[[sources]]`` block of ``moodline.toml``, checked.

Secrets never lie in the file: a block names the environment variable (``token_env``) or the Prefect Secret block
(``token_block``) that holds one.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import jmespath
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from pipeline.errors import SettingsError
from pipeline.records import Channel
from pipeline.sources.spec import FIELDS, listed

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LOOPBACK: Final = re.compile(r"https://|http://(127\.\d+\.\d+\.\d+|localhost|\[::1\])(?=[:/?]|$)")


def duration(value: object) -> object:
    """Return ``"10m"`` (s, m, h, d, w; a bare number is seconds) as a ``timedelta``; anything else as it is."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhdw]?)\s*", value)):
        return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])
    if isinstance(value, timedelta):
        return value
    raise ValueError("is no length of time; write it like 30s, 10m, 2h or 1d")


def moment(value: object) -> datetime:
    """Return an ISO 8601 date or time as a ``datetime`` in UTC; one without an offset is in UTC."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is no time; write it like 2025-01-01 or 2025-01-01T00:00:00Z") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _path(expression: str) -> str:
    try:
        jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f"is no JMESPath expression ({' '.join(str(error).split())})") from None
    return expression


def _text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Duration = Annotated[timedelta, BeforeValidator(duration)]
Moment = Annotated[datetime, BeforeValidator(moment)]
Path_ = Annotated[str, AfterValidator(_path)]
"""A JMESPath expression (https://jmespath.org/specification.html)."""
Text = Annotated[str, BeforeValidator(_text)]
"""Text; a bare number, such as an id, is taken as it is written."""


class Block(BaseModel):
    """A table of the settings: unknown keys are refused, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- Who asks --------------------------------------------------------------------------------------------------------


class NoAuth(Block):
    """Nothing is needed."""

    type: Literal["none"] = "none"


class BearerAuth(Block):
    """``Authorization: Bearer TOKEN`` (RFC 6750)."""

    type: Literal["bearer"]
    token_env: str | None = None
    token_block: str | None = None


class HeaderAuth(Block):
    """A header of its own, such as ``X-Api-Key``."""

    type: Literal["header"]
    name: str = Field(validation_alias=AliasChoices("name", "header"))
    token_env: str | None = Field(default=None, validation_alias=AliasChoices("token_env", "value_env"))
    token_block: str | None = Field(default=None, validation_alias=AliasChoices("token_block", "value_block"))


class BasicAuth(Block):
    """User and password (RFC 7617). ``user_suffix`` is put behind the user, such as Zendesk's ``/token``."""

    type: Literal["basic"]
    user: str | None = Field(default=None, validation_alias=AliasChoices("user", "username"))
    user_env: str | None = Field(default=None, validation_alias=AliasChoices("user_env", "username_env"))
    user_block: str | None = Field(default=None, validation_alias=AliasChoices("user_block", "username_block"))
    user_suffix: str = ""
    password: str | None = Field(default=None, max_length=1)
    """Only a dummy of one letter, such as Freshdesk's ``X``: the secret is the user then."""
    password_env: str | None = None
    password_block: str | None = None


class OAuthAuth(Block):
    """OAuth 2.0 client credentials, or a refresh token where one is named (RFC 6749, sections 4.4 and 6)."""

    type: Literal["oauth", "oauth2", "client_credentials"]
    token_url: str
    client_id: str | None = None
    client_id_env: str | None = None
    client_id_block: str | None = None
    client_secret_env: str | None = None
    client_secret_block: str | None = None
    refresh_token_env: str | None = None
    refresh_token_block: str | None = None
    scope: str | None = None


class GoogleAuth(Block):
    """A Google service account: its JSON key signs a request for a token (RFC 7523)."""

    type: Literal["google"]
    key_env: str | None = None
    key_block: str | None = None
    scope: str
    token_url: str | None = None
    """Default: what the key itself names."""


class SessionAuth(Block):
    """A session of the AT Protocol: handle and app password are exchanged for a token."""

    type: Literal["session"]
    url: str
    identifier: str
    password_env: str | None = None
    password_block: str | None = None


Auth = Annotated[
    NoAuth | BearerAuth | HeaderAuth | BasicAuth | OAuthAuth | GoogleAuth | SessionAuth, Field(discriminator="type")
]


# --- Where the next page lies ----------------------------------------------------------------------------------------


class CursorPages(Block):
    """The answer holds a cursor (JMESPath ``next``) that the next request sends as ``param``; ``more`` false ends."""

    type: Literal["cursor"]
    param: str = "cursor"
    next: Path_
    more: Path_ | None = None


class LinkPages(Block):
    """The answer holds the next page's address at ``next`` (JMESPath), or in its ``Link`` header (RFC 8288)."""

    type: Literal["link", "next", "next_link"]
    next: Path_ | None = None


class NumberedPages(Block):
    """Pages are numbered. An empty one is the last; so is number ``last``, where the provider ends there."""

    type: Literal["page"]
    param: str = "page"
    first: int = Field(default=1, validation_alias=AliasChoices("first", "start"))
    last: int | None = None
    size_param: str | None = Field(
        default=None, validation_alias=AliasChoices("size_param", "limit_param", "per_page_param")
    )
    size: int | None = Field(default=None, gt=0, validation_alias=AliasChoices("size", "limit", "per_page"))


class OffsetPages(Block):
    """Records are counted: the next request leaves out those that came."""

    type: Literal["offset"]
    param: str = "offset"
    first: int = Field(default=0, validation_alias=AliasChoices("first", "start"))
    size_param: str | None = Field(default=None, validation_alias=AliasChoices("size_param", "limit_param"))
    size: int | None = Field(default=None, gt=0, validation_alias=AliasChoices("size", "limit"))


class OnePage(Block):
    """Everything comes in one answer."""

    type: Literal["none"] = "none"


Paginate = Annotated[CursorPages | LinkPages | NumberedPages | OffsetPages | OnePage, Field(discriminator="type")]


class Since(Block):
    """How a pull asks only for what is new.

    ``field`` (JMESPath) is when a record was last changed: the newest of a complete pull, less ``overlap``, is where
    the next one begins, so that records which come late or out of order are not missed. Without ``param`` everything
    is asked for again, unless the newest come first: then reading ends where it is all known.
    """

    param: str | None = None
    field: Path_
    overlap: Duration = timedelta(minutes=10)
    format: str = "iso"
    """``iso``, ``unix``, ``unix_ms`` or a ``strftime`` format."""
    first: Moment | None = None
    """Where the very first pull begins; default: at the beginning."""
    newest_first: bool = False


# --- The sources -----------------------------------------------------------------------------------------------------


class SourceSettings(Block):
    """What every kind of live source has."""

    name: str = Field(pattern=r"^[\w][\w .-]{0,62}$")
    kind: str
    budget: int = Field(10_000, gt=0)
    """Requests that one pull may make; the next one goes on from there."""
    per_minute: int | None = Field(default=None, gt=0)
    """Requests a minute, in place of what the provider announces."""
    timeout: Duration = timedelta(seconds=30)
    longest_wait: Duration = timedelta(minutes=5)
    """A provider who wants longer is left alone until the next pull."""
    stale_after: Duration = timedelta(days=1)
    """Without a complete pull for so long, the source counts as stale."""
    product: str | None = None
    department: str | None = None

    @property
    def constants(self) -> dict[str, str]:
        """Fields that are the same in every message."""
        return {name: value for name in ("product", "department") if (value := getattr(self, name))}


class ServiceSettings(SourceSettings):
    """A source that is asked over HTTP."""

    url: str = Field(pattern=r"^https?://[^\s/]+")
    auth: Auth = NoAuth()
    allow_http: bool = False
    """Send secrets to another machine without TLS."""

    @model_validator(mode="after")
    def _secrets_go_over_tls(self) -> "ServiceSettings":
        addresses = [self.url, *(str(value) for name, value in self.auth if name.endswith("url") and value)]
        clear = next((address for address in addresses if not _LOOPBACK.match(address)), None)
        if clear and self.auth.type != "none" and not self.allow_http:
            raise ValueError(f"{clear} would carry the secret in the clear; use https://, or set allow_http = true")
        return self


class RestSettings(ServiceSettings):
    """A source of the user's own, without code: ``kind = "rest"``."""

    kind: Literal["rest"]
    channel: Channel
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, Text] = {}
    headers: dict[str, Text] = {}
    paginate: Paginate = OnePage()
    since: Since | None = None
    records: Path_ = "@"
    map: dict[str, Path_]
    set: dict[str, str] = {}
    """Fields that are the same in every message."""
    roles: dict[str, Literal["customer", "agent", "bot"]] = {}
    """What the source's own words for a role mean."""
    deleted: Path_ | None = None
    """True of a record that was deleted at the source: what is stored of it is erased."""
    absent: Literal["ignore", "erase"] = "ignore"
    """``erase``: what lies in the re-read stretch of time and no longer comes was deleted at the source."""
    time_format: str | None = None
    time_zone: str = "UTC"
    rating_scale: tuple[float, float] = (1.0, 5.0)

    @model_validator(mode="after")
    def _fields_are_known(self) -> "RestSettings":
        for name in (*self.map, *self.set):
            if name not in FIELDS:
                raise ValueError(f"map: {name!r} is not a field; the fields are {', '.join(FIELDS)}")
        if not {"time", *self.map} <= {*self.map, *self.set} or not {"text", "rating"} & {*self.map, *self.set}:
            raise ValueError("map: which field is the time, and which the text (or rating)? Say time = … and text = …")
        if self.rating_scale[0] == self.rating_scale[1]:
            raise ValueError("rating_scale has no width; say worst and best, for example [1, 10]")
        return self

    @property
    def constants(self) -> dict[str, str]:
        """Fields that are the same in every message."""
        return {**super().constants, **self.set}


Settings = TypeVar("Settings", bound=SourceSettings)


def checked(model: type[Settings], table: Mapping[str, Any], file: Path) -> Settings:
    """Return a ``[[sources]]`` block as settings of its kind.

    Raises:
        SettingsError: a key is unknown, missing or wrong; the message names file, source and key.
    """
    try:
        return model.model_validate(dict(table))
    except ValidationError as error:
        where = f'{file}: [[sources]] "{table.get("name", "?")}"'
        faults = [_fault(detail, table, model) for detail in error.errors(include_url=False)]
        raise SettingsError(f"{where}: {'; '.join(dict.fromkeys(faults))}") from None


def _fault(detail: ErrorDetails, table: Mapping[str, Any], model: type[BaseModel]) -> str:
    """Return one of pydantic's findings in our words; a value is shown unless it could be a secret."""
    kind, context = detail["type"], detail.get("ctx", {})
    keys = [str(key) for key in detail["loc"]]
    tags = {tag for tag in keys if isinstance(table.get(keys[0]), Mapping) and table[keys[0]].get("type") == tag}
    key = ".".join(name for name in keys if name not in tags) or "settings"
    if kind == "extra_forbidden" or (kind == "string_too_long" and keys[-1] == "password"):
        return _unknown(key, keys, model)
    if kind == "missing":
        return f"{key} is missing"
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return f"{key}: type should be one of {context.get('expected_tags', 'the known ones')}"
    said = str(context["error"]) if "error" in context else detail["msg"].removeprefix("Input ")
    shown = "" if not keys or keys[0] == "auth" else f" = {detail['input']!r}"
    return said if key == "settings" else f"{key}{shown if len(shown) < 80 else ''}: {said}"


def _unknown(key: str, keys: list[str], model: type[BaseModel]) -> str:
    if keys[0] == "auth" and keys[-1] in {"token", "password", "client_secret", "refresh_token", "key", "value"}:
        secret = keys[-1]
        return f"{key}: secrets do not lie in this file; name where it is with {secret}_env or {secret}_block"
    known = f"; known are {listed(list(model.model_fields))}" if len(keys) == 1 else ""
    return f"{key} is not a setting{known}"
