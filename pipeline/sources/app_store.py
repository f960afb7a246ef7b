"""Apple App Store: the feed of customer reviews, most recent first.

``https://itunes.apple.com/{country}/rss/customerreviews/page={n}/id={app}/sortby=mostrecent/json`` holds the newest 500
reviews of a country, 50 a page, and needs no key. Apple documents no fields of it: these are as it answers, and behind
its end it says "page depth is limited to 10". What Apple documents is the API for owners of an app:
https://developer.apple.com/documentation/appstoreconnectapi/customer-reviews.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import Field

from pipeline.sources.http import Service
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import Duration, NumberedPages, ServiceSettings, Since, Text
from pipeline.sources.spec import FileSpec

_PAGES: Final = 10
"""The feed ends there; a higher number is refused."""


class AppStoreSettings(ServiceSettings):
    """``kind = "app_store"``."""

    kind: Literal["app_store"]
    app_id: Text
    """The number in the app's address: apps.apple.com/…/id**389801252**."""
    country: str = Field("us", pattern="^[a-z]{2}$")
    url: str = "https://itunes.apple.com"
    overlap: Duration = timedelta(days=7)


def recipe(settings: AppStoreSettings) -> Recipe:
    """Return how the feed is read. Reviews carry no account, only a nickname, which is what the person goes by.

    Now and then Apple answers with an empty page between full ones, so that only the last page ends the feed, and a
    review that stays away says nothing of a deletion.
    """
    return Recipe(
        FileSpec(settings.name, "review", time_format="iso", constants=settings.constants),
        f"{settings.url.rstrip('/')}/{settings.country}/rss/customerreviews/page={{page}}/id={settings.app_id}"
        "/sortby=mostrecent/json",
        map={
            "id": "id.label",
            "customer": "author.name.label",
            "time": "updated.label",
            "title": "title.label",
            "text": "content.label",
            "rating": '"im:rating".label',
        },
        records="feed.entry[] || feed.[entry][?@] || `[]`",
        paginate=NumberedPages(type="page", last=_PAGES),
        since=Since(field="updated.label", overlap=settings.overlap, newest_first=True),
        unfold=_reviews,
        has_empty_pages=True,
    )


def _reviews(entry: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    """Leave out the app itself, which older feeds list before its reviews."""
    if "im:name" not in entry:
        yield entry
