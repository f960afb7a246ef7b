"""X (Twitter) API v2: recent search, or the mentions of an account.

https://docs.x.com/x-api/posts/search-recent-posts (the last seven days, 10 to 100 posts a page) and
https://docs.x.com/x-api/users/get-mentions (the newest 800). Rates: https://docs.x.com/x-api/fundamentals/rate-limits,
told in the headers ``x-rate-limit-*``; what a post costs: https://docs.x.com/x-api/getting-started/pricing.
"""

from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any, Final, Literal

from pydantic import model_validator

from pipeline.sources.http import Service
from pipeline.sources.mapping import joined_by
from pipeline.sources.rest import Recipe
from pipeline.sources.settings import CursorPages, Duration, ServiceSettings, Since, Text
from pipeline.sources.spec import FileSpec

_WEEK: Final = timedelta(days=7) - timedelta(minutes=5)
"""How far recent search reaches back, a little short of it."""
_FIELDS: Final = "author_id,conversation_id,created_at,edit_history_tweet_ids,note_tweet,public_metrics"
_AUTHORS: Final = {"expansions": "author_id", "user.fields": "username,public_metrics"}


class XSettings(ServiceSettings):
    """``kind = "x"``: either ``query`` or ``mentions_of``."""

    kind: Literal["x"]
    query: str | None = None
    """What to search for, such as ``@fernhollow -is:retweet lang:en``."""
    mentions_of: Text | None = None
    """The id (a number) of the account whose mentions are read."""
    url: str = "https://api.x.com"
    page_size: int = 100
    overlap: Duration = timedelta(hours=1)

    @model_validator(mode="after")
    def _one_of_two(self) -> "XSettings":
        if (self.query is None) == (self.mentions_of is None):
            raise ValueError("say either query (a search) or mentions_of (the id of an account)")
        return self


def recipe(settings: XSettings) -> Recipe:
    """Return how posts are read.

    An edited post (possible for half an hour) has a new id and time; its oldest version's id names the message:
    https://docs.x.com/x-api/fundamentals/edit-posts. A post of the re-read stretch that comes no more was deleted.
    """
    searched = settings.mentions_of is None
    path = "tweets/search/recent" if searched else f"users/{settings.mentions_of}/mentions"
    params = {"query": settings.query or ""} if searched else {}
    params |= {"max_results": str(settings.page_size), "tweet.fields": _FIELDS, **_AUTHORS}
    return Recipe(
        FileSpec(settings.name, "tweet", time_format="iso", constants=settings.constants),
        f"{settings.url.rstrip('/')}/2/{path}",
        map={
            "id": "edit_history_tweet_ids[0] || id",
            "customer": "author.username || author_id",
            "requester": "author_id",
            "time": "created_at",
            "thread": "conversation_id",
            "text": "text",
            "reach": "author.public_metrics.followers_count",
        },
        records="data || `[]`",
        params=params,
        paginate=CursorPages(
            type="cursor", param="next_token" if searched else "pagination_token", next="meta.next_token"
        ),
        since=Since(param="start_time", field="created_at", overlap=settings.overlap),
        reaches_back=_WEEK if searched else None,
        arrange=joined_by("data", "author_id", "author", "includes.users"),
        unfold=_post,
        absent_is_gone=True,
    )


def _post(post: dict[str, Any], service: Service) -> Iterator[dict[str, Any]]:
    """Yield a post with its whole text, in which X escapes ``&``, ``<`` and ``>``."""
    said = (post.get("note_tweet") or {}).get("text") or post.get("text")
    yield {**post, "text": unescape(said) if isinstance(said, str) else said}
