"""Every real file with customer or time imports whole. Needs MOODLINE_SHARED."""

from collections import Counter

import pytest

from pipeline.sources.files import read
from pipeline.sources.spec import FileSpec, parse_mapping

AMAZON = "text=reviewText,customer=reviewerID,time=unixReviewTime,rating=overall"
TRUSTPILOT = "text=title+text,time=published"


@pytest.fixture
def taken(shared):
    """Reads a file of the public data whole: name, channel and mapping → messages."""

    def taken(name, channel, mapping=""):
        batches = list(read(shared / "data" / name, FileSpec("real", channel, parse_mapping(mapping))))
        assert [record for batch in batches for record in batch.rejected] == []
        return [message for batch in batches for message in batch.messages]

    return taken


def test_airline_tweets(taken):
    messages = taken("airline/Tweets.csv", "tweet", "text=text,customer=name,time=tweet_created")
    assert len(messages) == 10_950
    assert {message.sent_at.strftime("%Y-%m") for message in messages} == {"2015-02"}
    assert all(message.customer and message.native_id is None for message in messages)


@pytest.mark.parametrize(
    ("name", "rows"), [("All_Beauty", 2_663), ("Gift_Cards", 1_425), ("Magazine_Subscriptions", 1_111)]
)
def test_amazon_reviews(taken, name, rows):
    messages = taken(f"amazon_5core/{name}_5.json", "review", AMAZON)
    assert len(messages) == rows
    assert all(message.customer and message.rating for message in messages)
    words = taken(f"amazon_5core/{name}_5.json", "review", AMAZON.replace("unixReviewTime", "reviewTime"))
    assert [message.sent_at for message in words] == [message.sent_at for message in messages]


def test_amazon_histories(taken):
    messages = taken("amazon2023_user_histories/training.jsonl", "review")
    assert len(messages) == 4 * 598
    assert all(message.customer and message.rating and message.product for message in messages)


def test_support_threads_on_twitter(taken):
    messages = taken("ibm_twitter_care/dev.json", "tweet")
    assert Counter(message.role for message in messages) == {"customer": 625, "agent": 586}
    assert len({message.thread for message in messages}) == 525
    last = {message.thread: message for message in messages}
    assert all(message.role == "agent" for message in last.values())
    assert all(message.sent_at <= last[message.thread].sent_at for message in messages)


@pytest.mark.parametrize("name", ["aspca", "embrace", "fetch", "figo", "healthypaws", "petsbest", "spot"])
def test_reviews_of_insurers_have_no_customer(taken, name):
    messages = taken(f"trustpilot/{name}_reviews.csv", "review", TRUSTPILOT)
    assert len(messages) > 1_800
    assert {message.customer for message in messages} == {None}
    assert len({message.native_id for message in messages}) > 0.99 * len(messages)
