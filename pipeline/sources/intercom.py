"""Intercom: conversations by search, each with its parts.

https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations/searchconversations and
.../retrieveconversation (``display_as=plaintext``; at most the last 500 parts), rates told in ``X-RateLimit-*``:
https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, Literal

from pipeline.records import Gone
from pipeline.sources.http import Request, Service
from pipeline.sources.mapping import plain_text
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import CursorPages, Duration, ServiceSettings, Since
from pipeline.sources.spec import FileSpec

_VERSION: Final = {"Intercom-Version": "2.14"}
_ROLES: Final = {
    **dict.fromkeys(("user", "lead", "contact"), "customer"),
    **dict.fromkeys(("admin", "team"), "agent"),
    "bot": "bot",
}
_SPOKEN: Final = ("comment", "open", "close", "quick_reply", "assignment")
"""Parts that can carry words to or from the customer; notes are the agents' own."""

_FIELDS: Final = ("id", "customer", "requester", "email", "name", "role", "author", "thread", "time", "text")


class IntercomSettings(ServiceSettings):
    """``kind = "intercom"``; for European workspaces ``url`` is ``https://api.eu.intercom.io``."""

    kind: Literal["intercom"]
    url: str = "https://api.intercom.io"
    page_size: int = 150
    overlap: Duration = timedelta(minutes=10)


def recipe(settings: IntercomSettings) -> Recipe:
    """Return how conversations are read: the message that began one, then its parts. A redacted part is erased."""
    url = settings.url.rstrip("/")
    return Recipe(
        FileSpec(settings.name, "transcript", time_format="unix", constants=settings.constants),
        f"{url}/conversations/search",
        map={name: name for name in _FIELDS},
        records="conversations",
        headers=_VERSION,
        paginate=CursorPages(type="cursor", param="starting_after", next="pages.next.starting_after"),
        since=Since(param="updated_at", field="changed", overlap=settings.overlap, format="unix"),
        body=lambda begin, token: _search(begin, token, settings.page_size),
        unfold=lambda found, service: _parts(found, service, url, settings.name),
        total="total_count",
    )


def _search(begin: str | None, token: str | None, size: int) -> dict[str, Any]:
    pages = {"per_page": size, **({"starting_after": token} if token else {})}
    query = {"field": "updated_at", "operator": ">", "value": int(begin or 0)}
    return {"query": query, "sort": {"field": "updated_at", "order": "ascending"}, "pagination": pages}


def _parts(found: dict[str, Any], service: Service, url: str, source: str) -> Iterator[dict[str, Any] | Gone]:
    conversation_id = found.get("id")
    asked = Request(f"{url}/conversations/{conversation_id}", {"display_as": "plaintext"}, _VERSION)
    conversation = service.ask(asked).value or {}
    parts = [
        part
        for part in (conversation.get("conversation_parts") or {}).get("conversation_parts", [])
        if part.get("part_type") in _SPOKEN and (part.get("body") or part.get("redacted"))
    ]
    began = conversation.get("source") or {}
    person = _person(conversation, began, parts)
    known = {"requester": person.get("id"), "email": person.get("email"), "name": person.get("name")}
    first = {**began, "created_at": conversation.get("created_at"), "id": f"{conversation_id}/source"}
    for part in ([first] if began.get("body") or began.get("redacted") else []) + parts:
        if part.get("redacted"):
            yield Gone(str(part.get("id")))
            continue
        author = part.get("author") or {}
        role = _ROLES.get(author.get("type", ""), author.get("type"))
        yield {
            **(known if role == "customer" else {}),
            "id": part.get("id"),
            "customer": person.get("email") or (f"{source}:{person['id']}" if person.get("id") else None),
            "role": role,
            "author": author.get("id"),
            "thread": conversation_id,
            "time": part.get("created_at"),
            "changed": found.get("updated_at"),
            "text": plain_text(part.get("body") or ""),
        }


def _person(conversation: dict[str, Any], began: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return whose conversation it is: the first customer who wrote in it, else its contact."""
    people = [began.get("author") or {}, *(part.get("author") or {} for part in parts)]
    contacts = (conversation.get("contacts") or {}).get("contacts") or [{}]
    found: dict[str, Any] = contacts[0]
    return next((who for who in people if _ROLES.get(who.get("type", "")) == "customer"), found)
