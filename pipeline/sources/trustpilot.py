"""Trustpilot: the reviews of a business unit.

https://developers.trustpilot.com/business-units-api:
``GET /v1/private/business-units/{id}/reviews`` with a business user's OAuth token gives e-mail and order number; the
public ``/v1/business-units/{id}/reviews`` takes an API key in the header ``apikey`` and gives a display name only.
Rates: https://developers.trustpilot.com/rate-limiting (at most 833 calls in five minutes and 10,000 an hour).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, Literal

from pipeline.sources.http import Pace, Service
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import Duration, HeaderAuth, NumberedPages, ServiceSettings, Since
from pipeline.sources.spec import FileSpec

_FIELDS: Final = (
    *("id", "customer", "requester", "email", "order", "role", "thread", "time", "title", "text", "rating"),
)


PACES: Final = {"": Pace(833, timedelta(minutes=5))}
"""How often Trustpilot wants to be asked at most."""


class TrustpilotSettings(ServiceSettings):
    """``kind = "trustpilot"``."""

    kind: Literal["trustpilot"]
    business_unit: str
    """The id that ``/v1/business-units/find?name=…`` gives."""
    url: str = "https://api.trustpilot.com"
    page_size: int = 100
    overlap: Duration = timedelta(days=14)


def recipe(settings: TrustpilotSettings) -> Recipe:
    """Return how reviews are read, the newest first; the company's reply is an agent's message of the same thread.

    The list holds what is shown now: a review of the re-read stretch that comes no more was taken down.
    """
    private = "" if isinstance(settings.auth, HeaderAuth) else "private/"
    return Recipe(
        FileSpec(settings.name, "review", time_format="iso", constants=settings.constants),
        f"{settings.url.rstrip('/')}/v1/{private}business-units/{settings.business_unit}/reviews",
        map={name: name for name in _FIELDS},
        records="reviews",
        params={"orderBy": "createdat.desc"},
        paginate=NumberedPages(type="page", param="page", size_param="perPage", size=settings.page_size),
        since=Since(field="time", overlap=settings.overlap, newest_first=True),
        changed="changed",
        unfold=_review_and_reply,
        absent_is_gone=True,
        absent_role="customer",
    )


def _review_and_reply(review: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    consumer = review.get("consumer") or {}
    customer = review.get("referralEmail") or consumer.get("id")
    shared = {"customer": customer, "thread": review.get("id")}
    yield {
        **shared,
        "requester": consumer.get("id"),
        "email": review.get("referralEmail"),
        "order": review.get("referenceId"),
        "id": review.get("id"),
        "role": "customer",
        "time": review.get("createdAt"),
        "changed": review.get("updatedAt") or review.get("createdAt"),
        "title": review.get("title"),
        "text": review.get("text"),
        "rating": review.get("stars"),
    }
    if reply := review.get("companyReply"):
        when, edited = reply.get("createdAt"), reply.get("updatedAt") or reply.get("createdAt")
        identity = {"id": f"{review.get('id')}/reply", "role": "agent"}
        yield {**shared, **identity, "time": when, "changed": edited, "text": reply.get("text")}
