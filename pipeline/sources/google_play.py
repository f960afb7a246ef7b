"""Google Play: ``reviews.list`` of the Google Play Developer API.

https://developers.google.com/android-publisher/api-ref/rest/v3/reviews/list and, for limits,
https://developers.google.com/android-publisher/reply-to-reviews: only reviews with a text that were written or changed
in the last week, last changed first, 200 GETs an hour and app. Needs a service account with the right "Reply to
reviews" and the scope ``https://www.googleapis.com/auth/androidpublisher``. Nothing tells a deleted review from one
that is older than a week.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, Literal

from pipeline.sources.http import Pace, Service
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import CursorPages, Duration, ServiceSettings, Since
from pipeline.sources.spec import FileSpec

SCOPE: Final = "https://www.googleapis.com/auth/androidpublisher"
PACES: Final = {"/reviews": Pace(200, timedelta(hours=1))}
"""How often Google lets reviews be listed."""


class GooglePlaySettings(ServiceSettings):
    """``kind = "google_play"``."""

    kind: Literal["google_play"]
    package: str
    """The app's package name, such as ``com.example.app``."""
    url: str = "https://androidpublisher.googleapis.com"
    page_size: int = 100
    overlap: Duration = timedelta(days=7)


def recipe(settings: GooglePlaySettings) -> Recipe:
    """Return how reviews are read; the developer's replies come in as agent's messages of the same thread."""
    return Recipe(
        FileSpec(settings.name, "review", time_format="unix", constants=settings.constants),
        f"{settings.url.rstrip('/')}/androidpublisher/v3/applications/{settings.package}/reviews",
        map={name: name for name in ("id", "customer", "role", "thread", "time", "text", "rating")},
        records="reviews || `[]`",
        params={"maxResults": str(settings.page_size)},
        paginate=CursorPages(type="cursor", param="token", next="tokenPagination.nextPageToken"),
        since=Since(field="time", overlap=settings.overlap),
        unfold=_comments,
    )


def _comments(review: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    """Yield what the reviewer wrote (a tab parts title and text, where there is a title) and what was answered."""
    review_id = review.get("reviewId")
    shared = {"customer": review.get("authorName") or review_id, "thread": review_id}
    for comment in review.get("comments", []):
        if said := comment.get("userComment"):
            text = said.get("text", "").strip().replace("\t", "\n")
            yield {**shared, "id": review_id, "role": "customer", "text": text, **_when(said), **_stars(said)}
        if reply := comment.get("developerComment"):
            yield {**shared, "id": f"{review_id}/reply", "role": "agent", "text": reply.get("text"), **_when(reply)}


def _when(comment: dict[str, Any]) -> dict[str, Any]:
    return {"time": comment.get("lastModified", {}).get("seconds")}


def _stars(comment: dict[str, Any]) -> dict[str, Any]:
    return {"rating": comment.get("starRating")}
