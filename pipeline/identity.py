"""Who a source's words for a person mean: normal forms of addresses and handles, and stable customer ids."""

import hashlib
import re
from typing import Final, Literal

AliasKind = Literal["id", "email", "phone", "handle", "name"]

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE: Final = re.compile(r"\+?[\d\s().-]{7,20}")


def normalise(value: str, kind: AliasKind | None = None) -> tuple[AliasKind, str]:
    """Return the kind of alias that ``value`` is and its normal form, in which equal people compare equal.

    E-mails and handles are folded to lower case, phones keep digits and a leading plus, ids and names lose outer
    and doubled space. Without ``kind`` the form decides: ``a@b.c`` is an e-mail, ``@name`` a handle, the rest an id.
    """
    text = " ".join(value.split())
    kind = kind or _kind_of(text)
    if kind == "email":
        return kind, text.casefold()
    if kind == "handle":
        return kind, text.removeprefix("@").casefold()
    if kind == "phone":
        return kind, ("+" if text.startswith("+") else "") + re.sub(r"\D", "", text)
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
    digest = hashlib.blake2b(f"{source}\0{native}".encode(), digest_size=10)
    return f"m_{digest.hexdigest()}"
