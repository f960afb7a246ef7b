"""How a request shows who asks: one class a kind of ``auth``, each of which puts its header on a request.

Tokens that expire are fetched when they are needed and again when the service no longer takes them.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from pipeline.errors import SettingsError, SourceError
from pipeline.sources.secrets import Secrets
from pipeline.sources.settings import (
    Auth,
    BasicAuth,
    BearerAuth,
    GoogleAuth,
    HeaderAuth,
    NoAuth,
    OAuthAuth,
    SessionAuth,
)

Exchange = Callable[[str, Mapping[str, Any], bool], Any]
"""Posts fields to a URL (True: as JSON, False: as a form) and returns the JSON that comes back."""

_LIVES_SECONDS: Final = 3600.0
"""Where the service does not say for how long a token is good."""
_EARLY_SECONDS: Final = 60
"""A token is renewed so long before it expires."""
_GOOGLE_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Authorisation(Protocol):
    """Who asks."""

    def headers(self, exchange: Exchange) -> dict[str, str]:
        """Return the headers that prove it; ``exchange`` fetches a token where one is needed."""
        ...

    def renew(self) -> bool:
        """Forget a token that was refused; False where there is nothing to renew."""
        ...


class _Fixed:
    """A header that never changes."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = headers

    def headers(self, exchange: Exchange) -> dict[str, str]:
        return self._headers

    def renew(self) -> bool:
        return False


class _Token:
    """A bearer token that is fetched by ``request`` and lives for a while."""

    def __init__(self, request: Callable[[], tuple[str, Mapping[str, Any], bool]], secrets: Secrets) -> None:
        self._request, self._secrets = request, secrets
        self._token: str | None = None
        self._until = 0.0

    def headers(self, exchange: Exchange) -> dict[str, str]:
        if self._token is None or time.monotonic() >= self._until:
            self._fetch(exchange)
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        fetched, self._token = self._token is not None, None
        return fetched

    def _fetch(self, exchange: Exchange) -> None:
        url, fields, as_json = self._request()
        answer = exchange(url, fields, as_json)
        token = answer.get("access_token") or answer.get("accessJwt") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise SourceError(f"{url}: gave no access token; check client id, secret and scope")
        self._token = self._secrets.remember(token)
        lives = answer.get("expires_in")
        seconds = float(lives) if isinstance(lives, int | float) or str(lives).isdigit() else _LIVES_SECONDS
        self._until = time.monotonic() + max(seconds - _EARLY_SECONDS, 1.0)


def authorisation(auth: Auth, secrets: Secrets) -> Authorisation:
    """Return how requests are signed, with the secrets that the settings name.

    Raises:
        SettingsError: a secret is missing.
    """
    match auth:
        case NoAuth():
            return _Fixed({})
        case BearerAuth():
            return _Fixed({"Authorization": f"Bearer {secrets.find('token', auth.token_env, auth.token_block)}"})
        case HeaderAuth():
            return _Fixed({auth.name: secrets.find("token", auth.token_env, auth.token_block)})
        case BasicAuth():
            return _Fixed({"Authorization": f"Basic {_basic(auth, secrets)}"})
        case OAuthAuth():
            return _Token(_oauth(auth, secrets), secrets)
        case GoogleAuth():
            return _Token(_google(auth, secrets), secrets)
        case SessionAuth():
            fields = {
                "identifier": auth.identifier,
                "password": secrets.find("password", auth.password_env, auth.password_block),
            }
            return _Token(lambda: (auth.url, fields, True), secrets)


def _basic(auth: BasicAuth, secrets: Secrets) -> str:
    user = auth.user or secrets.find("user", auth.user_env, auth.user_block)
    password = auth.password or secrets.find("password", auth.password_env, auth.password_block)
    return secrets.remember(base64.b64encode(f"{user}{auth.user_suffix}:{password}".encode()).decode())


def _oauth(auth: OAuthAuth, secrets: Secrets) -> Callable[[], tuple[str, Mapping[str, Any], bool]]:
    fields = {
        "grant_type": "client_credentials",
        "client_id": auth.client_id or secrets.find("client_id", auth.client_id_env, auth.client_id_block),
        "client_secret": secrets.find("client_secret", auth.client_secret_env, auth.client_secret_block),
    }
    if auth.refresh_token_env or auth.refresh_token_block:
        refresh = secrets.find("refresh_token", auth.refresh_token_env, auth.refresh_token_block)
        fields |= {"grant_type": "refresh_token", "refresh_token": refresh}
    if auth.scope:
        fields["scope"] = auth.scope
    return lambda: (auth.token_url, fields, False)


def _google(auth: GoogleAuth, secrets: Secrets) -> Callable[[], tuple[str, Mapping[str, Any], bool]]:
    """Return how a service account asks: https://developers.google.com/identity/protocols/oauth2/service-account."""
    text = secrets.find("key", auth.key_env, auth.key_block)
    try:
        key = json.loads(text)
        email, pem = key["client_email"], secrets.remember(key["private_key"])
    except (ValueError, KeyError, TypeError):
        raise SettingsError(
            f"{auth.key_env or auth.key_block}: is not the JSON key of a Google service account; "
            "put the whole content of the downloaded file there"
        ) from None
    url = auth.token_url or key.get("token_uri", "https://oauth2.googleapis.com/token")

    def request() -> tuple[str, Mapping[str, Any], bool]:
        now = int(time.time())
        claims = {"iss": email, "scope": auth.scope, "aud": url, "iat": now, "exp": now + 3600}
        return url, {"grant_type": _GOOGLE_GRANT, "assertion": _signed(claims, pem)}, False

    return request


def _signed(claims: Mapping[str, Any], pem: str) -> str:
    """Return a JSON Web Token signed with RS256 (RFC 7515, RFC 7518)."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except ValueError:
        raise SettingsError("the private key of the Google service account cannot be read; download it anew") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SettingsError("the private key of the Google service account is no RSA key; download it anew")
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    body = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{body}.{_base64url(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
