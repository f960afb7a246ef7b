"""Google Business Profile: the reviews of a location.

https://developers.google.com/my-business/reference/rest/v4/accounts.locations.reviews/list, scope
``https://www.googleapis.com/auth/business.manage``. https://developers.google.com/my-business/content/limits gives the
Business Profile APIs 300 requests a minute each, though this one is not in its table. Access must be asked for once.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, Literal

from pipeline.sources.http import Pace, Service
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import CursorPages, Duration, ServiceSettings, Since, Text
from pipeline.sources.spec import FileSpec

PACES: Final = {"/reviews": Pace(300)}
"""How often Google lets its Business Profile APIs be asked."""
_STARS: Final = {"ONE": 1, "TWO": 2, "THREE": 3, "FOUR": 4, "FIVE": 5}


class GoogleBusinessSettings(ServiceSettings):
    """``kind = "google_business"``."""

    kind: Literal["google_business"]
    account: Text
    location: Text
    url: str = "https://mybusiness.googleapis.com"
    page_size: int = 50
    overlap: Duration = timedelta(days=7)


def recipe(settings: GoogleBusinessSettings) -> Recipe:
    """Return how reviews are read, the last changed first; the owner's reply is an agent's message of the thread.

    The list holds what is shown now: a review of the re-read stretch that comes no more was taken down.
    """
    return Recipe(
        FileSpec(settings.name, "review", time_format="iso", constants=settings.constants),
        f"{settings.url.rstrip('/')}/v4/accounts/{settings.account}/locations/{settings.location}/reviews",
        map={name: name for name in ("id", "customer", "role", "thread", "time", "text", "rating")},
        records="reviews || `[]`",
        params={"pageSize": str(settings.page_size), "orderBy": "updateTime desc"},
        paginate=CursorPages(type="cursor", param="pageToken", next="nextPageToken"),
        since=Since(field="time", overlap=settings.overlap, newest_first=True),
        changed="changed",
        unfold=_review_and_reply,
        absent_is_gone=True,
        absent_role="customer",
    )


def _review_and_reply(review: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    """Yield a review and its reply. Anonymous reviewers are nobody; a word that is no star stays, to be quarantined."""
    review_id, reviewer = review.get("reviewId"), review.get("reviewer") or {}
    shared = {"customer": None if reviewer.get("isAnonymous") else reviewer.get("displayName"), "thread": review_id}
    stars = review.get("starRating")
    yield {
        **shared,
        "id": review_id,
        "role": "customer",
        "time": review.get("createTime"),
        "changed": review.get("updateTime"),
        "text": review.get("comment"),
        "rating": None if stars == "STAR_RATING_UNSPECIFIED" else _STARS.get(stars or "", stars),
    }
    if reply := review.get("reviewReply"):
        when = reply.get("updateTime")
        identity = {"id": f"{review_id}/reply", "role": "agent"}
        yield {**shared, **identity, "time": when, "changed": when, "text": reply.get("comment")}
