"""Zendesk: tickets by the incremental, cursor-based export, each with its public comments.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/ (10 requests a minute; the
last minute is left out; ``start_time`` is compared with ``generated_timestamp``, which the system's own changes move
too), https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/ and, for the key,
https://developer.zendesk.com/api-reference/introduction/security-and-auth/ (``E-MAIL/token`` and an API token).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pipeline.records import Gone
from pipeline.sources.http import Pace, Request, Service
from pipeline.sources.mapping import joined_by
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import CursorPages, Duration, Moment, ServiceSettings, Since
from pipeline.sources.spec import FileSpec

PACES: Final = {"/incremental/": Pace(10)}
"""How often Zendesk lets an export be asked for."""


_FIELDS: Final = (
    *("id", "customer", "requester", "email", "name", "role", "author", "thread", "time", "title", "text"),
)


class ZendeskSettings(ServiceSettings):
    """``kind = "zendesk"``; ``url`` is ``https://SUBDOMAIN.zendesk.com``."""

    kind: Literal["zendesk"]
    page_size: int = 1000
    first: Moment = datetime(2000, 1, 1, tzinfo=UTC)
    """The export wants a beginning; the first pull takes this one."""
    overlap: Duration = timedelta(minutes=10)


def recipe(settings: ZendeskSettings) -> Recipe:
    """Return how tickets are read; every public comment is a message, the requester is the customer.

    A deleted ticket still comes, with the status ``deleted``: its messages are erased. A redacted comment is an edit.
    """
    url = settings.url.rstrip("/")
    return Recipe(
        FileSpec(settings.name, "transcript", time_format="iso", constants=settings.constants),
        f"{url}/api/v2/incremental/tickets/cursor.json",
        map={name: name for name in _FIELDS},
        records="tickets",
        params={"per_page": str(settings.page_size), "include": "users"},
        paginate=CursorPages(type="cursor", param="cursor", next="after_cursor", more="!end_of_stream"),
        since=Since(param="start_time", field="changed", overlap=settings.overlap, format="unix", first=settings.first),
        arrange=joined_by("tickets", "requester_id", "requester", "users"),
        unfold=lambda ticket, service: _comments(ticket, service, url, settings.name),
        sends_since_with_token=False,
    )


def _comments(ticket: dict[str, Any], service: Service, url: str, source: str) -> Iterator[dict[str, Any] | Gone]:
    ticket_id, requester = ticket.get("id"), ticket.get("requester_id")
    person = ticket.get("requester") or {}
    known = {"requester": requester, "email": person.get("email"), "name": person.get("name")}
    changed = ticket.get("generated_timestamp")
    if ticket.get("status") == "deleted":
        yield Gone(thread=str(ticket_id), changed_at=datetime.fromtimestamp(changed, UTC) if changed else None)
        return
    for position, comment in enumerate(_all_comments(f"{url}/api/v2/tickets/{ticket_id}/comments.json", service)):
        if not comment.get("public", True):
            continue
        mine = comment.get("author_id") == requester
        yield {
            **(known if mine else {}),
            "id": comment.get("id"),
            "customer": person.get("email") or f"{source}:{requester}",
            "role": "customer" if mine else "agent",
            "author": comment.get("author_id"),
            "thread": ticket_id,
            "time": comment.get("created_at"),
            "changed": changed,
            "title": ticket.get("subject") if position == 0 else None,
            "text": comment.get("plain_body") or comment.get("body"),
        }


def _all_comments(url: str, service: Service) -> Iterator[dict[str, Any]]:
    """Yield a ticket's comments, oldest first, by cursor pagination."""
    params = {"page[size]": "100"}
    while True:
        page = service.ask(Request(url, params)).value or {}
        yield from page.get("comments", [])
        meta = page.get("meta") or {}
        if not meta.get("has_more") or not meta.get("after_cursor"):
            return
        params = {**params, "page[after]": meta["after_cursor"]}
