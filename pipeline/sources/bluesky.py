"""Bluesky: ``app.bsky.feed.searchPosts``.

https://docs.bsky.app/docs/api/app-bsky-feed-search-posts; sessions: https://docs.bsky.app/docs/api/com-atproto-server-
create-session; rates (told in ``RateLimit-*``): https://docs.bsky.app/docs/advanced-guides/rate-limits. Further pages
are given to those who are logged in only: make an app password.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from pipeline.sources.http import Service
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import CursorPages, Duration, ServiceSettings, Since
from pipeline.sources.spec import FileSpec


class BlueskySettings(ServiceSettings):
    """``kind = "bluesky"``."""

    kind: Literal["bluesky"]
    query: str
    url: str = "https://bsky.social"
    page_size: int = 100
    overlap: Duration = timedelta(hours=1)


def recipe(settings: BlueskySettings) -> Recipe:
    """Return how posts are read, the newest first; one of the re-read stretch that comes no more was deleted."""
    return Recipe(
        FileSpec(settings.name, "tweet", time_format="iso", constants=settings.constants),
        f"{settings.url.rstrip('/')}/xrpc/app.bsky.feed.searchPosts",
        map={
            "id": "uri",
            "customer": "author.handle",
            "requester": "author.did",
            "time": "sort_at",
            "thread": "record.reply.root.uri || uri",
            "text": "record.text",
        },
        records="posts",
        params={"q": settings.query, "sort": "latest", "limit": str(settings.page_size)},
        paginate=CursorPages(type="cursor", param="cursor", next="cursor"),
        since=Since(param="since", field="sort_at", overlap=settings.overlap),
        total="hitsTotal",
        unfold=_post,
        absent_is_gone=True,
    )


def _post(post: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    """Yield a post with the time by which Bluesky sorts and ``since`` chooses: the earlier of writing and indexing.

    https://docs.bsky.app/docs/advanced-guides/timestamps
    """
    times = filter(None, (post.get("indexedAt"), (post.get("record") or {}).get("createdAt")))
    yield {**post, "sort_at": min(times, key=datetime.fromisoformat, default=None)}
