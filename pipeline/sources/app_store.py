"""Apple App Store: the feed of customer reviews, most recent first.

``https://itunes.apple.com/{country}/rss/customerreviews/page={n}/id={app}/sortby=mostrecent/json``, described at
https://developer.apple.com/documentation/appstoreconnectapi/customer-reviews (the API) and, for the public feed, at
https://rss.marketingtools.apple.com. It holds the newest 500 reviews of a country, 50 a page, and needs no key.
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
    """Return how the feed is read. Reviews carry no account, only a nickname, which is what the person goes by."""
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
    )


def _reviews(entry: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    """Leave out the app itself, which older feeds list before its reviews."""
    if "im:name" not in entry:
        yield entry
