"""Mastodon: the public timeline of a hashtag, or the mentions of the account.

https://docs.joinmastodon.org/methods/timelines/#tag, https://docs.joinmastodon.org/methods/notifications/#get
(``types[]=mention``, scope ``read:notifications``), pages by the ``Link`` header
(https://docs.joinmastodon.org/api/guidelines/#pagination), 300 requests in 5 minutes, told in ``X-RateLimit-*``
(https://docs.joinmastodon.org/api/rate-limits/).
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from pydantic import model_validator

from pipeline.sources.http import Service
from pipeline.sources.mapping import plain_text
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import Duration, LinkPages, ServiceSettings, Since
from pipeline.sources.spec import FileSpec


class MastodonSettings(ServiceSettings):
    """``kind = "mastodon"``: a ``hashtag``, or ``mentions = true``."""

    kind: Literal["mastodon"]
    hashtag: str | None = None
    mentions: bool = False
    page_size: int = 40
    overlap: Duration = timedelta(days=1)

    @model_validator(mode="after")
    def _one_of_two(self) -> "MastodonSettings":
        if (self.hashtag is None) != self.mentions:
            raise ValueError("say either hashtag or mentions = true")
        return self


def recipe(settings: MastodonSettings) -> Recipe:
    """Return how posts are read, the newest first; one of the re-read stretch that comes no more was deleted."""
    path = "notifications" if settings.mentions else f"timelines/tag/{(settings.hashtag or '').lstrip('#')}"
    more = {"types[]": "mention"} if settings.mentions else {}
    return Recipe(
        FileSpec(settings.name, "tweet", time_format="iso", constants=settings.constants),
        f"{settings.url.rstrip('/')}/api/v1/{path}",
        map={
            "id": "id",
            "customer": "account.acct",
            "time": "created_at",
            "text": "text",
            "reply_to": "in_reply_to_id",
            "reach": "account.followers_count",
        },
        params={"limit": str(settings.page_size), **more},
        paginate=LinkPages(type="link"),
        since=Since(field="created_at", overlap=settings.overlap, newest_first=True),
        changed="edited_at || created_at",
        unfold=_status,
        absent_is_gone=not settings.mentions,
    )


def _status(item: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    """Yield the post of a timeline's entry or of a notification, its HTML as people read it."""
    status = item.get("status", item)
    if isinstance(status, dict):
        said = "\n".join(filter(None, (status.get("spoiler_text"), plain_text(status.get("content") or ""))))
        yield {**status, "text": said}
