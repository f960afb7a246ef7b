"""The documented shapes of reviews, posts, transcripts, and of a source of your own (``rest``)."""

import base64
import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from standin.server import Answer, Request, Window
from standin.world import Record, Thread, World

WORDS = {1: "ONE", 2: "TWO", 3: "THREE", 4: "FOUR", 5: "FIVE"}
SECRET = "planted-s3cr3t-0123456789"
"""The password, key or client secret that every provider here expects."""


def iso(moment: datetime, fraction: str = "") -> str:
    """Return ``2026-05-01T10:00:00Z``, with a fraction where the provider writes one."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def unix(moment: datetime) -> int:
    return int(moment.timestamp())


def moment_of(text: str) -> datetime:
    """Read a time that a client sent: ISO 8601, or Unix seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def sealed(value: object) -> str:
    """Return a cursor that a client cannot make sense of."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def opened(cursor: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def as_html(text: str) -> str:
    """Return the text as providers hand out rich text."""
    return f"<p>{html.escape(text, quote=False).replace(chr(10), '<br>')}</p>"


class Open:
    """What providers have in common; each overrides what its documentation says."""

    kind = ""
    page = 20
    cap = 10_000
    """Records a page at most, where a test wants many pages; providers with cursors may always return fewer."""
    expired_status = 400

    def token(self, request: Request, issue: Callable[[], str]) -> Answer | None:
        return None

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        return True

    def refused(self, status: int) -> Any:
        return {"error": {"code": status, "message": "refused"}}

    def rate(self, window: Window) -> dict[str, str]:
        return {}

    def answer(self, request: Request, world: World) -> Answer:
        with world.lock:
            return self.respond(request, world)

    def respond(self, request: Request, world: World) -> Answer:
        raise NotImplementedError


class Bearer(Open):
    """Providers that want ``Authorization: Bearer``."""

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        return request.headers.get("authorization") == f"Bearer {SECRET}"


class OAuth(Open):
    """Providers that hand out tokens at ``/token`` for client credentials, a refresh token or a signed assertion."""

    token_path = "/token"

    def token(self, request: Request, issue: Callable[[], str]) -> Answer | None:
        if request.path != self.token_path:
            return None
        form = request.form
        basic = request.headers.get("authorization", "")
        named = basic == "Basic " + base64.b64encode(f"client:{SECRET}".encode()).decode()
        granted = {
            "client_credentials": named or form.get("client_secret") == SECRET,
            "refresh_token": form.get("refresh_token") == SECRET,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": form.get("assertion", "").count(".") == 2,
        }
        if not granted.get(form.get("grant_type", "")):
            return Answer({"error": "invalid_client", "error_description": "unknown client"}, 401)
        return Answer({"access_token": issue(), "token_type": "Bearer", "expires_in": 3599})

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        return valid(request.headers.get("authorization", "").removeprefix("Bearer "))


class Basic(Open):
    """Providers that want ``Authorization: Basic`` with these words."""

    words = ""

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        return request.headers.get("authorization") == "Basic " + base64.b64encode(self.words.encode()).decode()


# --- Reviews ---------------------------------------------------------------------------------------------------------


class AppStore(Open):
    """Customer-reviews feed: fifty a page, ten pages at most, one review is no list, no credentials."""

    kind = "app_store"
    page = 50

    def respond(self, request: Request, world: World) -> Answer:
        found = re.fullmatch(r"/(\w\w)/rss/customerreviews/page=(\d+)/id=(\d+)/sortby=mostrecent/json", request.path)
        if not found or int(found[2]) > 10:
            return Answer({"error": "CustomerReviews RSS page depth is limited to 10"}, 400)
        number, records = int(found[2]), world.changed()
        entries = [self._entry(record) for record in records[(number - 1) * self.page : number * self.page]]
        feed: dict[str, Any] = {
            "author": {"name": {"label": "iTunes Store"}, "uri": {"label": "http://www.apple.com/itunes/"}},
            "updated": {"label": iso(world.now)},
            "title": {"label": "iTunes Store: Customer Reviews"},
            "link": [{"attributes": {"rel": "self", "href": request.base + request.path}}],
        }
        if entries:
            feed["entry"] = entries if len(entries) > 1 else entries[0]
        return Answer({"feed": feed}, rows=entries if len(entries) > 1 else None)

    def _entry(self, record: Record) -> dict[str, Any]:
        return {
            "author": {
                "uri": {"label": f"https://itunes.apple.com/gb/reviews/id{record.person.number}"},
                "name": {"label": record.person.name},
                "label": "",
            },
            "updated": {"label": record.updated.strftime("%Y-%m-%dT%H:%M:%S") + "-00:00"},
            "im:rating": {"label": str(record.rating)},
            "im:version": {"label": "4.2.1"},
            "id": {"label": str(11_000_000_000 + record.number)},
            "title": {"label": record.title},
            "content": {"label": record.text, "attributes": {"type": "text"}},
            "link": {"attributes": {"rel": "related", "href": "https://itunes.apple.com/gb/review?id=1&type=Purple"}},
            "im:voteSum": {"label": "0"},
            "im:contentType": {"attributes": {"term": "Application", "label": "Application"}},
            "im:voteCount": {"label": "0"},
        }


class GooglePlay(OAuth):
    """``reviews.list``: newest change first, the last week only, ``tokenPagination.nextPageToken``."""

    kind = "google_play"

    def respond(self, request: Request, world: World) -> Answer:
        if not re.fullmatch(r"/androidpublisher/v3/applications/[\w.]+/reviews", request.path):
            return Answer({"error": {"code": 404, "status": "NOT_FOUND", "message": "not found"}}, 404)
        records, size = world.changed(), request.number("maxResults", 10, min(100, self.cap))
        start = opened(request.query["token"]) if "token" in request.query else 0
        rows = [self._review(record) for record in records[start : start + size]]
        body: dict[str, Any] = {"reviews": rows} if rows else {}
        if start + size < len(records):
            body["tokenPagination"] = {"nextPageToken": sealed(start + size)}
        return Answer(body, rows=rows, cursor="token" in request.query)

    def _review(self, record: Record) -> dict[str, Any]:
        comment = {
            "text": f"{record.title}\t{record.text}" if record.title else record.text,
            "lastModified": {"seconds": str(unix(record.updated)), "nanos": 713_000_000},
            "starRating": record.rating,
            "reviewerLanguage": "en",
            "device": "oriole",
            "androidOsVersion": 34,
            "appVersionCode": 421,
            "appVersionName": "4.2.1",
            "thumbsUpCount": 1,
            "deviceMetadata": {"productName": "oriole", "manufacturer": "Example", "deviceClass": "FORM_FACTOR_PHONE"},
        }
        name = f"gp:{record.number:08x}"
        return {"reviewId": name, "authorName": record.person.name, "comments": [{"userComment": comment}]}


class Trustpilot(OAuth):
    """Business unit reviews: an ``apikey``, or OAuth for the private ones with e-mail and order; pages by number."""

    kind = "trustpilot"
    token_path = "/v1/oauth/oauth-business-users-for-applications/accesstoken"

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        if "/private/" in request.path:
            return super().allows(request, valid)
        return SECRET in (request.headers.get("apikey"), request.query.get("apikey"))

    def respond(self, request: Request, world: World) -> Answer:
        if not re.fullmatch(r"/v1/(private/)?business-units/\w+/reviews", request.path):
            return Answer({"message": "Not found"}, 404)
        private, size = "/private/" in request.path, request.number("perPage", 20, 100)
        page = request.number("page", 1, 2**31)
        records = world.newest()
        if request.query.get("orderBy") == "createdat.asc":
            records.reverse()
        if since := request.query.get("startDateTime"):
            records = [record for record in records if record.at >= moment_of(since)]
        rows = [self._review(record, private) for record in records[(page - 1) * size : page * size]]
        links = [{"href": request.base + request.path, "method": "GET", "rel": "self"}]
        if page * size < len(records):
            links.append({"href": f"{request.base}{request.path}?page={page + 1}", "method": "GET", "rel": "next-page"})
        return Answer({"links": links, "reviews": rows}, rows=rows)

    def _review(self, record: Record, private: bool) -> dict[str, Any]:
        edited = record.updated > record.at
        review = {
            "id": f"{record.number:024x}",
            "stars": record.rating,
            "title": record.title,
            "text": record.text,
            "language": "en",
            "createdAt": iso(record.at),
            "updatedAt": iso(record.updated) if edited else None,
            "consumer": {
                "id": f"{record.person.number:024x}",
                "displayName": record.person.name,
                "displayLocation": None,
                "numberOfReviews": 2,
                "links": [],
            },
            "companyReply": None,
            "isVerified": True,
            "source": "Organic",
            "status": "active",
            "numberOfLikes": 0,
            "businessUnit": {"id": "b" * 24, "identifyingName": "example.com", "displayName": "Example", "links": []},
            "reportData": None,
            "complianceLabels": [],
            "links": [],
        }
        return review | ({"referralEmail": record.person.email, "referenceId": "A-1"} if private else {})


class GoogleBusiness(OAuth):
    """Business Profile ``accounts.locations.reviews.list``: ``pageToken``, last changed first, fifty a page."""

    kind = "google_business"

    def respond(self, request: Request, world: World) -> Answer:
        if not re.fullmatch(r"/v4/accounts/\w+/locations/\w+/reviews", request.path):
            return Answer({"error": {"code": 404, "status": "NOT_FOUND"}}, 404)
        records, size = world.changed(), request.number("pageSize", 20, min(50, self.cap))
        start = opened(request.query["pageToken"]) if "pageToken" in request.query else 0
        rows = [self._review(request.path, record) for record in records[start : start + size]]
        body: dict[str, Any] = {"averageRating": 3.1, "totalReviewCount": len(records)}
        if rows:
            body["reviews"] = rows
        if start + size < len(records):
            body["nextPageToken"] = sealed(start + size)
        return Answer(body, rows=rows, cursor="pageToken" in request.query)

    def _review(self, path: str, record: Record) -> dict[str, Any]:
        name = f"AbFvOq{record.number:06d}"
        return {
            "name": f"{path.removeprefix('/v4/')}/{name}",
            "reviewId": name,
            "reviewer": {"profilePhotoUrl": "https://example.com/p.png", "displayName": record.person.name},
            "starRating": WORDS[record.rating or 3],
            "comment": record.text,
            "createTime": iso(record.at, ".000000000"),
            "updateTime": iso(record.updated, ".045123"),
        }


# --- Posts -----------------------------------------------------------------------------------------------------------


class X(Bearer):
    """API v2: recent search and mentions, newest first, ``meta.next_token``, look-up of posts by id."""

    kind = "x"
    base_id = 1_800_000_000_000_000_000

    def refused(self, status: int) -> Any:
        return {"title": "Refused", "detail": "Refused", "type": "about:blank", "status": status}

    def rate(self, window: Window) -> dict[str, str]:
        return {
            "x-rate-limit-limit": str(window.total),
            "x-rate-limit-remaining": str(max(window.left, 0)),
            "x-rate-limit-reset": str(unix(window.ends) + 1),
        }

    def respond(self, request: Request, world: World) -> Answer:
        if request.path == "/2/tweets":
            return self._look_up(request, world)
        search = request.path == "/2/tweets/search/recent"
        if not search and not re.fullmatch(r"/2/users/\d+/mentions", request.path):
            return Answer(self.refused(404), 404)
        if search and not request.query.get("query"):
            return Answer(self.refused(400), 400)
        token = request.query.get("next_token" if search else "pagination_token")
        if search and not token:
            token = request.query.get("pagination_token")
        records = [record for record in world.changed() if self._wanted(record, request.query)]
        if token:
            records = [record for record in records if [unix(record.updated), record.number] < opened(token)]
        return self._page(request, records, bool(token))

    def _wanted(self, record: Record, query: dict[str, str]) -> bool:
        if "since_id" in query and int(self._versions(record)[-1]) <= int(query["since_id"]):
            return False
        return "start_time" not in query or record.updated >= moment_of(query["start_time"])

    def _versions(self, record: Record) -> list[str]:
        """Return a post's ids, the oldest first: each edit makes a new one."""
        first, edits = self.base_id + record.number, unix(record.updated) - unix(record.at)
        return [str(first), *([str(first + 1_000_000 + edits)] if edits else [])]

    def _page(self, request: Request, records: list[Record], cursor: bool) -> Answer:
        size = request.number("max_results", 10, min(100, self.cap))
        page = records[:size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if not page:
            return Answer({"meta": meta}, cursor=cursor)
        rows = [self._post(record) for record in page]
        meta |= {"newest_id": rows[0]["id"], "oldest_id": rows[-1]["id"]}
        if len(records) > size:
            meta["next_token"] = sealed([unix(page[-1].updated), page[-1].number])
        return Answer({"data": rows, "includes": {"users": self._users(page)}, "meta": meta}, rows=rows, cursor=cursor)

    def _post(self, record: Record) -> dict[str, Any]:
        versions = self._versions(record)
        return {
            "id": versions[-1],
            "text": html.escape(record.text, quote=False),
            "author_id": str(record.person.number),
            "created_at": iso(record.updated, ".000"),
            "conversation_id": versions[0],
            "edit_history_tweet_ids": versions,
            "lang": "en",
            "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 1, "quote_count": 0},
        }

    def _users(self, records: list[Record]) -> list[dict[str, Any]]:
        people = {record.person for record in records}
        return [
            {
                "id": str(person.number),
                "name": person.name,
                "username": person.handle,
                "public_metrics": {"followers_count": 10 * person.number, "following_count": 3, "tweet_count": 7},
            }
            for person in sorted(people, key=lambda person: person.number)
        ]

    def _look_up(self, request: Request, world: World) -> Answer:
        ids = request.query.get("ids", "").split(",")
        if not 1 <= len(ids) <= 100:
            return Answer(self.refused(400), 400)
        there = {str(self.base_id + record.number): record for record in world}
        found = [there[name] for name in ids if name in there]
        missing = [
            {
                "value": name,
                "detail": f"Could not find tweet with ids: [{name}].",
                "title": "Not Found Error",
                "resource_type": "tweet",
                "parameter": "ids",
                "resource_id": name,
                "type": "https://api.twitter.com/2/problems/resource-not-found",
            }
            for name in ids
            if name not in there
        ]
        body: dict[str, Any] = {"data": [self._post(r) for r in found], "includes": {"users": self._users(found)}}
        return Answer((body if found else {}) | ({"errors": missing} if missing else {}))


class Bluesky(Open):
    """``searchPosts``: a session from an app password, ``cursor``, newest first; ``getPosts`` tells what is left."""

    kind = "bluesky"

    def token(self, request: Request, issue: Callable[[], str]) -> Answer | None:
        if request.path != "/xrpc/com.atproto.server.createSession":
            return None
        if request.data.get("password") != SECRET:
            return Answer({"error": "AuthenticationRequired", "message": "Invalid identifier or password"}, 401)
        session = {"accessJwt": issue(), "refreshJwt": issue(), "handle": "shop.example.com", "did": "did:plc:shop"}
        return Answer(session)

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        return valid(request.headers.get("authorization", "").removeprefix("Bearer "))

    def refused(self, status: int) -> Any:
        return {"error": "ExpiredToken" if status == 401 else "InvalidRequest", "message": "refused"}

    def rate(self, window: Window) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(window.total),
            "RateLimit-Remaining": str(max(window.left, 0)),
            "RateLimit-Reset": str(unix(window.ends) + 1),
            "RateLimit-Policy": f"{window.total};w=1",
        }

    def respond(self, request: Request, world: World) -> Answer:
        if request.path == "/xrpc/app.bsky.feed.getPosts":
            wanted = request.query.get("uris", "")
            return Answer({"posts": [self._post(record) for record in world if self._uri(record) in wanted]})
        if request.path != "/xrpc/app.bsky.feed.searchPosts" or not request.query.get("q"):
            return Answer(self.refused(400), 400)
        size, cursor = request.number("limit", 25, min(100, self.cap)), request.query.get("cursor")
        records = world.newest()
        if since := request.query.get("since"):
            records = [record for record in records if record.at >= moment_of(since)]
        if cursor:
            records = [record for record in records if record.number < opened(cursor)]
        rows = [self._post(record) for record in records[:size]]
        body: dict[str, Any] = {"posts": rows, "hitsTotal": len(records)}
        if len(records) > size:
            body["cursor"] = sealed(records[size - 1].number)
        return Answer(body, rows=rows, cursor=bool(cursor))

    def _uri(self, record: Record) -> str:
        return f"at://did:plc:person{record.person.number}/app.bsky.feed.post/3k{record.number:011d}"

    def _post(self, record: Record) -> dict[str, Any]:
        return {
            "uri": self._uri(record),
            "cid": f"bafyrei{record.number:08d}",
            "author": {
                "did": f"did:plc:person{record.person.number}",
                "handle": f"{record.person.handle}.bsky.social",
                "displayName": record.person.name,
                "labels": [],
            },
            "record": {
                "$type": "app.bsky.feed.post",
                "createdAt": iso(record.at, ".000"),
                "langs": ["en"],
                "text": record.text,
            },
            "replyCount": 0,
            "repostCount": 0,
            "likeCount": 0,
            "quoteCount": 0,
            "indexedAt": iso(record.at + timedelta(seconds=90), ".000"),
            "labels": [],
        }


class Mastodon(Bearer):
    """Hashtag timeline and mentions: HTML, ``Link`` headers, ``max_id``, ``since_id`` and ``min_id``."""

    kind = "mastodon"
    base_id = 112_000_000_000_000_000

    def refused(self, status: int) -> Any:
        return {"error": "The access token is invalid" if status == 401 else "Record not found"}

    def rate(self, window: Window) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(window.total),
            "X-RateLimit-Remaining": str(max(window.left, 0)),
            "X-RateLimit-Reset": window.ends.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }

    def respond(self, request: Request, world: World) -> Answer:
        if found := re.fullmatch(r"/api/v1/statuses/(\d+)", request.path):
            record = next((r for r in world if str(self.base_id + r.number) == found[1]), None)
            return Answer(self._status(record)) if record else Answer(self.refused(404), 404)
        mentions = request.path == "/api/v1/notifications"
        if not mentions and not re.fullmatch(r"/api/v1/timelines/tag/\w+", request.path):
            return Answer(self.refused(404), 404)
        page = self._page(request, world)
        rows = [self._mention(record) if mentions else self._status(record) for record in page]
        headers = self._links(request, page)
        return Answer(rows, headers=headers, rows=rows, cursor="max_id" in request.query)

    def _page(self, request: Request, world: World) -> list[Record]:
        query, size = request.query, request.number("limit", 20, min(80, self.cap))
        records = world.newest()
        if "max_id" in query:
            records = [record for record in records if self.base_id + record.number < int(query["max_id"])]
        if "since_id" in query:
            records = [record for record in records if self.base_id + record.number > int(query["since_id"])]
        if "min_id" in query:
            above = [record for record in records if self.base_id + record.number > int(query["min_id"])]
            return above[-size:]
        return records[:size]

    def _links(self, request: Request, page: list[Record]) -> dict[str, str]:
        if not page:
            return {}
        ids = [self.base_id + record.number for record in page]
        limit = request.query.get("limit", "20")
        address = f"{request.base}{request.path}?limit={limit}"
        return {"Link": f'<{address}&max_id={min(ids)}>; rel="next", <{address}&min_id={max(ids)}>; rel="prev"'}

    def _status(self, record: Record) -> dict[str, Any]:
        edited = record.updated > record.at
        return {
            "id": str(self.base_id + record.number),
            "created_at": iso(record.at, ".000"),
            "edited_at": iso(record.updated, ".000") if edited else None,
            "in_reply_to_id": None,
            "visibility": "public",
            "language": "en",
            "uri": f"https://social.example/users/{record.person.handle}/statuses/{record.number}",
            "url": f"https://social.example/@{record.person.handle}/{record.number}",
            "content": as_html(record.text),
            "account": {
                "id": str(record.person.number),
                "username": record.person.handle,
                "acct": record.person.handle,
                "display_name": record.person.name,
                "followers_count": 10 * record.person.number,
                "bot": False,
            },
            "tags": [],
            "mentions": [],
        }

    def _mention(self, record: Record) -> dict[str, Any]:
        status = self._status(record)
        moment = {"created_at": status["created_at"], "account": status["account"]}
        return {"id": str(self.base_id + record.number), "type": "mention", "status": status} | moment


# --- Transcripts -----------------------------------------------------------------------------------------------------


def page_of(records: list[Any], request: Request, size: int) -> tuple[list[Any], bool]:
    """Return the page by number, and whether there is another."""
    page = request.number("page", 1, 2**31)
    return records[(page - 1) * size : page * size], page * size < len(records)


class Zendesk(Basic):
    """Incremental ticket export by cursor, and the comments of a ticket; an API token as the password."""

    kind = "zendesk"
    words = f"agent@example.com/token:{SECRET}"
    expired_status = 422

    def refused(self, status: int) -> Any:
        if status == 410:
            return {"error": "InvalidCursor", "description": "The cursor has expired"}
        return {"error": "RateLimited" if status == 429 else "Couldn't authenticate you"}

    def rate(self, window: Window) -> dict[str, str]:
        return {
            "X-Rate-Limit": str(window.total),
            "X-Rate-Limit-Remaining": str(max(window.left, 0)),
            "ratelimit-limit": str(window.total),
            "ratelimit-remaining": str(max(window.left, 0)),
            "ratelimit-reset": str(int(window.seconds) + 1),
        }

    def respond(self, request: Request, world: World) -> Answer:
        if request.path in ("/api/v2/incremental/tickets/cursor.json", "/api/v2/incremental/tickets/cursor"):
            return self._export(request, world)
        if found := re.fullmatch(r"/api/v2/tickets/(\d+)/comments(\.json)?", request.path):
            return self._comments(request, world.thread(int(found[1]) - 5000))
        return Answer({"error": "RecordNotFound", "description": "Not found"}, 404)

    def _export(self, request: Request, world: World) -> Answer:
        cursor = request.query.get("cursor")
        if not cursor and "start_time" not in request.query:
            return Answer({"error": "StartTimeMissing", "description": "start_time is required"}, 400)
        after = tuple(opened(cursor)) if cursor else (float(request.query["start_time"]), -1)
        waiting = [t for t in world.threads() if (unix(t.updated), t.number) > after]
        size = request.number("per_page", 1000, min(1000, self.cap))
        page = waiting[:size]
        last = [unix(page[-1].updated), page[-1].number] if page else list(after)
        rows = [self._ticket(thread) for thread in page]
        people = {record.person for thread in page for record in thread.records}
        address = f"{request.base}{request.path}?cursor={sealed(last)}"
        body: dict[str, Any] = {
            "tickets": rows,
            "after_url": address,
            "after_cursor": sealed(last),
            "before_url": None,
            "before_cursor": None,
            "end_of_stream": len(waiting) <= size,
        }
        if "users" in request.query.get("include", ""):
            body["users"] = [self._user(person) for person in people]
        return Answer(body, rows=rows, cursor=bool(cursor))

    def _ticket(self, thread: Thread) -> dict[str, Any]:
        return {
            "url": f"https://shop.zendesk.com/api/v2/tickets/{5000 + thread.number}.json",
            "id": 5000 + thread.number,
            "external_id": None,
            "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": iso(thread.created),
            "updated_at": iso(max(record.updated for record in thread.records)),
            "generated_timestamp": unix(thread.updated),
            "type": None,
            "subject": f"Question {thread.number}",
            "raw_subject": f"Question {thread.number}",
            "description": thread.records[0].text,
            "priority": None,
            "status": "deleted" if thread.deleted else "open",
            "requester_id": thread.requester.number,
            "submitter_id": thread.requester.number,
            "assignee_id": None,
            "group_id": None,
            "tags": [],
            "custom_fields": [],
        }

    def _user(self, person: Any) -> dict[str, Any]:
        role = "agent" if person.number >= 900_000 else "end-user"
        return {"id": person.number, "name": person.name, "email": person.email, "role": role, "active": True}

    def _comments(self, request: Request, thread: Thread | None) -> Answer:
        if thread is None or thread.deleted:
            return Answer({"error": "RecordNotFound", "description": "Not found"}, 404)
        size = request.number("page[size]", 100, min(100, self.cap))
        start = opened(request.query["page[after]"]) if request.query.get("page[after]") else 0
        page = thread.records[start : start + size]
        rows = [self._comment(record) for record in page]
        more = start + size < len(thread.records)
        cursor = sealed(start + size) if more else None
        following = f"{request.base}{request.path}?page[size]={size}&page[after]={cursor}" if more else None
        body: dict[str, Any] = {
            "comments": rows,
            "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": None},
            "links": {"next": following, "prev": None},
        }
        if "users" in request.query.get("include", ""):
            body["users"] = [self._user(person) for person in {record.person for record in page}]
        return Answer(body)

    def _comment(self, record: Record) -> dict[str, Any]:
        text = "\u2587" * 12 if record.deleted else record.text
        return {
            "id": 7_000_000 + record.number,
            "type": "Comment",
            "author_id": record.person.number,
            "body": text,
            "html_body": as_html(text),
            "plain_body": text,
            "public": True,
            "attachments": [],
            "audit_id": 8_000_000 + record.number,
            "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": iso(record.at),
            "metadata": {"system": {}, "custom": {}},
        }


class Intercom(Bearer):
    """Conversations search (``updated_at``, ``starting_after``) and each conversation's parts."""

    kind = "intercom"

    def refused(self, status: int) -> Any:
        code = {401: "unauthorized", 429: "rate_limit_exceeded"}.get(status, "server_error")
        return {"type": "error.list", "request_id": "r1", "errors": [{"code": code, "message": "refused"}]}

    def rate(self, window: Window) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(window.total),
            "X-RateLimit-Remaining": str(max(window.left, 0)),
            "X-RateLimit-Reset": str(unix(window.ends) + 1),
        }

    def respond(self, request: Request, world: World) -> Answer:
        if request.path == "/conversations/search" and request.method == "POST":
            return self._search(request, world)
        if found := re.fullmatch(r"/conversations/(\d+)", request.path):
            thread = world.thread(int(found[1]) - 3000)
            if thread and not thread.deleted:
                return Answer(self._conversation(thread, parts=True))
        return Answer(self.refused(404), 404)

    def _search(self, request: Request, world: World) -> Answer:
        asked = request.data
        paging = asked.get("pagination") or {}
        size, cursor = min(int(paging.get("per_page", 20)), 150, self.cap), paging.get("starting_after")
        found = [t for t in world.threads() if not t.deleted and self._matches(t, asked["query"])]
        ascending = (asked.get("sort") or {}).get("order") == "ascending"
        keys = {t.number: (unix(t.updated), t.number) for t in found}
        if not ascending:
            found.reverse()
        if cursor:
            key = tuple(opened(cursor))
            found = [t for t in found if (keys[t.number] > key if ascending else keys[t.number] < key)]
        page = found[:size]
        rows = [self._conversation(thread) for thread in page]
        pages: dict[str, Any] = {"type": "pages", "page": 1, "per_page": size, "total_pages": -(-len(keys) // size)}
        if len(found) > size:
            pages["next"] = {"page": 2, "starting_after": sealed(keys[page[-1].number])}
        body = {"type": "conversation.list", "pages": pages, "total_count": len(keys), "conversations": rows}
        return Answer(body, rows=rows, cursor=bool(cursor))

    def _matches(self, thread: Thread, query: dict[str, Any]) -> bool:
        if query.get("operator") in ("AND", "OR"):
            verdicts = [self._matches(thread, part) for part in query["value"]]
            return all(verdicts) if query["operator"] == "AND" else any(verdicts)
        values = {"updated_at": unix(thread.updated), "created_at": unix(thread.created)}
        have, wanted = values[query["field"]], int(query["value"])
        return {">": have > wanted, "<": have < wanted, "=": have == wanted}[query["operator"]]

    def _author(self, record: Record) -> dict[str, Any]:
        kind = "admin" if record.role == "agent" else "user"
        return {"type": kind, "id": str(record.person.number), "name": record.person.name, "email": record.person.email}

    def _conversation(self, thread: Thread, parts: bool = False) -> dict[str, Any]:
        first = thread.records[0]
        body: dict[str, Any] = {
            "type": "conversation",
            "id": str(3000 + thread.number),
            "created_at": unix(thread.created),
            "updated_at": unix(thread.updated),
            "title": None,
            "state": "open",
            "open": True,
            "source": {
                "type": "conversation",
                "id": str(600_000 + first.number),
                "delivered_as": "customer_initiated",
                "subject": "",
                "body": None if first.deleted else as_html(first.text),
                "author": self._author(first),
                "attachments": [],
                "url": None,
                "redacted": first.deleted,
            },
            "contacts": {
                "type": "contact.list",
                "contacts": [{"type": "contact", "id": str(thread.requester.number), "external_id": None}],
            },
        }
        if parts:
            rows = [self._part(record) for record in thread.records[1:]]
            body["conversation_parts"] = {
                "type": "conversation_part.list",
                "conversation_parts": rows,
                "total_count": len(rows),
            }
        return body

    def _part(self, record: Record) -> dict[str, Any]:
        return {
            "type": "conversation_part",
            "id": str(600_000 + record.number),
            "part_type": "comment",
            "body": None if record.deleted else as_html(record.text),
            "created_at": unix(record.at),
            "updated_at": unix(record.updated),
            "notified_at": unix(record.at),
            "assigned_to": None,
            "author": self._author(record),
            "attachments": [],
            "external_id": None,
            "redacted": record.deleted,
        }


class Freshdesk(Basic):
    """Tickets by ``updated_since``, pages by number with a ``Link``, and each ticket's conversations."""

    kind = "freshdesk"
    words = f"{SECRET}:X"

    def refused(self, status: int) -> Any:
        return {"code": "invalid_credentials" if status == 401 else "access_denied", "message": "refused"}

    def rate(self, window: Window) -> dict[str, str]:
        return {
            "X-RateLimit-Total": str(window.total),
            "X-RateLimit-Remaining": str(max(window.left, 0)),
            "X-RateLimit-Used-CurrentRequest": "1",
        }

    def respond(self, request: Request, world: World) -> Answer:
        if request.path == "/api/v2/tickets":
            return self._tickets(request, world)
        if found := re.fullmatch(r"/api/v2/tickets/(\d+)/conversations", request.path):
            thread = world.thread(int(found[1]) - 40)
            if thread and not thread.deleted:
                said = [record for record in thread.records[1:] if not record.deleted]
                page, more = page_of(said, request, request.number("per_page", 30, 100))
                rows = [self._conversation(record) for record in page]
                return Answer(rows, headers=self._link(request, more))
        return Answer({"code": "not_found", "message": "not found"}, 404)

    def _tickets(self, request: Request, world: World) -> Answer:
        place = request.query.get("filter")
        found = [thread for thread in world.threads() if thread.deleted == (place == "deleted") and place != "spam"]
        if since := request.query.get("updated_since"):
            found = [thread for thread in found if thread.updated >= moment_of(since)]
        if request.query.get("order_by") != "updated_at":
            found.sort(key=lambda thread: thread.created)
        if request.query.get("order_type", "desc") == "desc":
            found.reverse()
        page, more = page_of(found, request, request.number("per_page", 30, min(100, self.cap)))
        included = request.query.get("include", "")
        rows = [self._ticket(thread, included) for thread in page]
        return Answer(rows, headers=self._link(request, more), rows=rows)

    def _link(self, request: Request, more: bool) -> dict[str, str]:
        if not more:
            return {}
        query = request.query | {"page": str(request.number("page", 1, 2**31) + 1)}
        address = f"{request.base}{request.path}?" + "&".join(f"{name}={value}" for name, value in query.items())
        return {"Link": f'<{address}>; rel="next"'}

    def _ticket(self, thread: Thread, included: str) -> dict[str, Any]:
        first = thread.records[0]
        text = "" if first.deleted else first.text
        ticket: dict[str, Any] = {
            "id": 40 + thread.number,
            "subject": f"Question {thread.number}",
            "requester_id": thread.requester.number,
            "responder_id": None,
            "group_id": None,
            "source": 1,
            "status": 2,
            "priority": 1,
            "spam": False,
            "created_at": iso(thread.created),
            "updated_at": iso(thread.updated),
            "tags": [],
            "custom_fields": {},
        }
        if thread.deleted:
            ticket["deleted"] = True
        if "description" in included:
            ticket |= {"description": as_html(text), "description_text": text}
        if "requester" in included:
            person = thread.requester
            ticket["requester"] = {"id": person.number, "name": person.name, "email": person.email, "mobile": None}
        return ticket

    def _conversation(self, record: Record) -> dict[str, Any]:
        return {
            "id": 60_000 + record.number,
            "body": as_html(record.text),
            "body_text": record.text,
            "incoming": record.role == "customer",
            "private": False,
            "user_id": record.person.number,
            "support_email": None,
            "source": 0,
            "ticket_id": 40 + record.thread,
            "created_at": iso(record.at),
            "updated_at": iso(record.updated),
            "attachments": [],
        }


def contact_lens(thread: Thread) -> tuple[str, dict[str, Any]]:
    """Return where Contact Lens puts the analysis of a chat below the bucket, and what it holds."""
    name = f"{thread.number:08x}-0000-4000-8000-{thread.number:012x}"
    begin = thread.created
    path = f"Analysis/Chat/{begin:%Y/%m/%d}/{name}_analysis_{begin:%Y-%m-%dT%H_%M_%SZ}.json"
    people = {record.person.number: record.role.upper() for record in thread.records}
    body = {
        "Version": "1.1.0",
        "AccountId": "123456789012",
        "Channel": "CHAT",
        "ContentMetadata": {"Output": "Raw"},
        "JobStatus": "COMPLETED",
        "LanguageCode": "en-US",
        "Participants": [{"ParticipantId": str(n), "ParticipantRole": role} for n, role in people.items()],
        "Categories": {"MatchedCategories": [], "MatchedDetails": {}},
        "CustomerMetadata": {
            "ContactId": name,
            "InputS3Uri": "s3://example/chat.json",
            "InstanceId": "00000000-0000-4000-8000-000000000001",
        },
        "Transcript": [
            {
                "AbsoluteTime": iso(record.at, ".000"),
                "Content": record.text,
                "ContentType": "text/plain",
                "DisplayName": record.person.name,
                "Id": f"{record.number:08x}-0000-4000-8000-00000000abcd",
                "ParticipantId": str(record.person.number),
                "Sentiment": "NEUTRAL",
                "Type": "MESSAGE",
            }
            for record in thread.records
            if not record.deleted
        ],
    }
    return path, body


# --- A source of your own --------------------------------------------------------------------------------------------


class Desk(Open):
    """A company's own API for ``kind = "rest"``: any authentication and any pagination, ``updated_after``.

    Args:
        auth: ``bearer``, ``basic``, ``header``, ``oauth`` or ``none``.
        paginate: ``cursor``, ``next`` (a link in the body), ``link`` (in the header), ``page`` or ``offset``.
    """

    kind = "rest"
    page = 10

    def __init__(self, auth: str = "bearer", paginate: str = "cursor", page: int = 10) -> None:
        self.auth, self.paginate, self.page = auth, paginate, page

    def token(self, request: Request, issue: Callable[[], str]) -> Answer | None:
        return OAuth.token(self, request, issue) if self.auth == "oauth" else None  # type: ignore[arg-type]

    token_path = "/token"

    def allows(self, request: Request, valid: Callable[[str], bool]) -> bool:
        given = request.headers.get("authorization", "")
        return {
            "bearer": given == f"Bearer {SECRET}",
            "basic": given == "Basic " + base64.b64encode(f"client:{SECRET}".encode()).decode(),
            "header": request.headers.get("x-api-key") == SECRET,
            "oauth": valid(given.removeprefix("Bearer ")),
            "none": True,
        }[self.auth]

    def rate(self, window: Window) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(window.total),
            "X-RateLimit-Remaining": str(max(window.left, 0)),
            "X-RateLimit-Reset": str(unix(window.ends) + 1),
        }

    def respond(self, request: Request, world: World) -> Answer:
        if request.path != "/v1/messages":
            return Answer({"error": "not found"}, 404)
        records = sorted(world.records, key=lambda record: (record.updated, record.number))
        if since := request.query.get("updated_after"):
            records = [record for record in records if record.updated >= moment_of(since)]
        start = self._start(request)
        if isinstance(start, list):
            records, start = [r for r in records if [unix(r.updated), r.number] > start], 0
        page = records[start : start + self.page]
        more = start + self.page < len(records)
        rows = [self._row(record) for record in page]
        meta, headers = self._meta(request, page, start, more)
        return Answer({"data": rows, "meta": meta}, headers=headers, rows=rows, cursor="cursor" in request.query)

    def _start(self, request: Request) -> Any:
        if "cursor" in request.query and self.paginate in ("cursor", "next", "link"):
            return opened(request.query["cursor"])
        if self.paginate == "page":
            return (request.number("page", 1, 2**31) - 1) * self.page
        return int(request.query.get("offset", 0)) if self.paginate == "offset" else 0

    def _meta(
        self, request: Request, page: list[Record], start: int, more: bool
    ) -> tuple[dict[str, Any], dict[str, str]]:
        if not more or not page:
            return {"next_cursor": None, "next": None}, {}
        cursor = sealed([unix(page[-1].updated), page[-1].number])
        query = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "cursor")
        address = f"{request.base}{request.path}?{query}&cursor={cursor}"
        if self.paginate == "link":
            return {}, {"Link": f'<{address}>; rel="next"'}
        return {"next_cursor": cursor, "next": address if self.paginate == "next" else None}, {}

    def _row(self, record: Record) -> dict[str, Any]:
        return {
            "id": f"msg-{record.number}",
            "conversation_id": f"conv-{record.thread}",
            "author": {"id": record.person.email, "role": record.role, "name": record.person.name},
            "body": None if record.deleted else record.text,
            "deleted": record.deleted,
            "created_at": iso(record.at),
            "updated_at": iso(record.updated),
            "internal": {"shard": 3},
        }


PROVIDERS: dict[str, type[Open]] = {
    provider.kind: provider
    for provider in (
        *(AppStore, GooglePlay, Trustpilot, GoogleBusiness, X, Bluesky, Mastodon, Zendesk, Intercom, Freshdesk),
    )
}
"""Kind → what speaks its shapes over HTTP."""
