"""Freshdesk: tickets, each with its conversation.

https://developers.freshdesk.com/api/#list_all_tickets (``updated_since``, 100 a page, at most 300 pages),
https://developers.freshdesk.com/api/#list_all_ticket_notes; rates told in ``X-RateLimit-*`` and ``Retry-After``:
https://developers.freshdesk.com/api/#ratelimit. The key is the user of basic authentication, the password ``X``.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pipeline.records import Gone
from pipeline.sources.http import Request, Service
from pipeline.sources.mapping import plain_text
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import Duration, LinkPages, Moment, ServiceSettings, Since
from pipeline.sources.spec import FileSpec

_PAGES: Final = 300
"""Freshdesk gives no page beyond this one."""
_ANSWERS: Final = 30
"""Entries of a conversation on a page."""
_FIELDS: Final = (
    *("id", "customer", "requester", "email", "phone", "name", "role", "author", "thread", "time", "title", "text"),
)


class FreshdeskSettings(ServiceSettings):
    """``kind = "freshdesk"``; ``url`` is ``https://DOMAIN.freshdesk.com``."""

    kind: Literal["freshdesk"]
    page_size: int = 100
    first: Moment = datetime(2000, 1, 1, tzinfo=UTC)
    """Without a beginning Freshdesk lists the last 30 days only; the first pull takes this one."""
    overlap: Duration = timedelta(minutes=10)


def recipe(settings: FreshdeskSettings) -> Recipe:
    """Return how tickets are read, the longest unchanged first. Private notes stay out; deleted tickets are erased."""
    url = settings.url.rstrip("/")
    return Recipe(
        FileSpec(settings.name, "transcript", time_format="iso", constants=settings.constants),
        f"{url}/api/v2/tickets",
        map={name: name for name in _FIELDS},
        params={
            "include": "requester,description",
            "order_by": "updated_at",
            "order_type": "asc",
            "per_page": str(settings.page_size),
        },
        paginate=LinkPages(type="link"),
        since=Since(param="updated_since", field="changed", overlap=settings.overlap, first=settings.first),
        most_pages=_PAGES,
        unfold=lambda ticket, service: _messages(ticket, service, url, settings.name),
    )


def _messages(ticket: dict[str, Any], service: Service, url: str, source: str) -> Iterator[dict[str, Any] | Gone]:
    ticket_id, requester = ticket.get("id"), ticket.get("requester") or {}
    if ticket.get("deleted") or ticket.get("spam"):
        yield Gone(thread=str(ticket_id))
        return
    known = {
        "requester": ticket.get("requester_id"),
        "email": requester.get("email"),
        "phone": requester.get("phone") or requester.get("mobile"),
        "name": requester.get("name"),
    }
    shared = {
        "customer": requester.get("email") or f"{source}:{ticket.get('requester_id')}",
        "thread": ticket_id,
        "changed": ticket.get("updated_at"),
    }
    yield {
        **shared,
        **known,
        "id": f"{ticket_id}/description",
        "role": "customer",
        "time": ticket.get("created_at"),
        "title": ticket.get("subject"),
        "text": ticket.get("description_text") or plain_text(ticket.get("description") or ""),
    }
    for entry in _conversation(f"{url}/api/v2/tickets/{ticket_id}/conversations", service):
        if not entry.get("private"):
            yield {
                **shared,
                **(known if entry.get("incoming") else {}),
                "id": entry.get("id"),
                "role": "customer" if entry.get("incoming") else "agent",
                "author": entry.get("user_id"),
                "time": entry.get("created_at"),
                "text": entry.get("body_text") or plain_text(entry.get("body") or ""),
            }


def _conversation(url: str, service: Service) -> Iterator[dict[str, Any]]:
    number = 1
    while entries := service.ask(Request(url, {"page": str(number), "per_page": str(_ANSWERS)})).value or []:
        yield from entries
        if len(entries) < _ANSWERS:
            return
        number += 1
