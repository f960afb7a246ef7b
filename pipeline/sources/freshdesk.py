"""Freshdesk: tickets, each with its conversation.

https://developers.freshdesk.com/api/#list_all_tickets (``updated_since``, 100 a page, at most 300 pages; what was
deleted or is spam comes only with ``filter=deleted`` and ``filter=spam``),
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
"""Freshdesk gives no page of a list beyond this one."""
_ANSWERS: Final = 30
"""Entries of a conversation on a page."""
_TICKETS: Final = 100
"""Tickets on a page, at most."""
_FIELDS: Final = (
    *("id", "customer", "requester", "email", "phone", "name", "role", "author", "thread", "time", "title", "text"),
)


class FreshdeskSettings(ServiceSettings):
    """``kind = "freshdesk"``; ``url`` is ``https://DOMAIN.freshdesk.com``."""

    kind: Literal["freshdesk"]
    page_size: int = _TICKETS
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
        goes_on_by_time=True,
        removed=lambda service, begin: _removed(f"{url}/api/v2/tickets", service, begin),
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
    return _listed(url, {}, _ANSWERS, service)


def _removed(url: str, service: Service, begin: str | None) -> Iterator[Gone]:
    """Yield the tickets that were put into the trash, or among spam, since a walk began."""
    for place in ("deleted", "spam"):
        for ticket in _listed(url, {"filter": place, "updated_since": begin or ""}, _TICKETS, service):
            yield Gone(thread=str(ticket.get("id")))


def _listed(url: str, params: dict[str, str], size: int, service: Service) -> Iterator[dict[str, Any]]:
    """Yield what lies on the numbered pages of a list; one that is not full is the last."""
    for number in range(1, _PAGES + 1):
        asked = Request(url, {**params, "page": str(number), "per_page": str(size)})
        entries = service.ask(asked).value or []
        yield from entries
        if len(entries) < size:
            return
