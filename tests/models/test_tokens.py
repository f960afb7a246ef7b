"""What a text becomes before the encoder sees it."""

import pytest

from models.emoji import EMOJI
from models.tokens import LOUD, marked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("THIS IS A JOKE! WORST EVER", "<LOUD> THIS IS A JOKE! WORST EVER"),
        ("please AVOID them", "please <LOUD> AVOID them"),
        ("never. AGAIN AND AGAIN, ok", "never. <LOUD> AGAIN AND AGAIN, ok"),
        ("OK, on my iPhone XR", "OK, on my iPhone XR"),
        ("<USER> mail <EMAIL> or @DELTA #FAIL", "<USER> mail <EMAIL> or @DELTA #FAIL"),
        ("plain words", "plain words"),
        ("", ""),
    ],
)
def test_words_in_capitals_are_marked(text, shown):
    assert marked(text) == shown


def test_emoji_and_shouting_are_tokens_of_their_own(classifier):
    tokens = classifier.tokenizer.encode("<LOUD> WORST 😡👍🏽 I ❤️ it").tokens
    assert tokens == ["[CLS]", LOUD, "worst", "😡", "👍", "i", "❤", "it", "[SEP]"]
    assert all(len(classifier.tokenizer.encode(emoji).ids) == 3 for emoji in EMOJI)


def test_emoji_carry_the_mood(classifier):
    angry, happy = classifier.score(["my parcel 😡😡", "my parcel 😍😍"])
    assert sum(angry.mood[3:]) > sum(happy.mood[3:])
    assert sum(happy.mood[:2]) > sum(angry.mood[:2])
