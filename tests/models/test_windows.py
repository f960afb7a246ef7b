from hypothesis import given, settings
from hypothesis import strategies as st

from models.windows import sentence_ends, windows


def words_of(text):
    """Ids and offsets as a tokenizer of single words would give them, markers at both ends."""
    ids, offsets, place = [101], [(0, 0)], 0
    for number, word in enumerate(text.split()):
        place = text.index(word, place)
        ids.append(1000 + number)
        offsets.append((place, place + len(word)))
        place += len(word)
    return [*ids, 102], [*offsets, (0, 0)]


def test_a_short_text_is_one_window():
    ids, offsets = words_of("still waiting for my refund")
    assert windows(ids, offsets, "still waiting for my refund", 16) == [ids]


def test_windows_end_where_sentences_end():
    text = "First one here. Second one is here. Third."
    ids, offsets = words_of(text)
    assert windows(ids, offsets, text, 6) == [[101, *ids[1:4], 102], [101, *ids[4:8], 102], [101, ids[8], 102]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab.! ", min_size=1, max_size=40), min_size=1, max_size=12), st.integers(4, 30))
def test_nothing_is_cut_off(parts, limit):
    text = " ".join(parts)
    ids, offsets = words_of(text)
    cut = windows(ids, offsets, text, limit)
    assert [identity for window in cut for identity in window[1:-1]] == ids[1:-1]
    assert all(len(window) <= limit for window in cut)


def test_sentence_ends_reach_the_end_of_very_long_texts():
    text = "It broke again. " * 30_000
    assert sentence_ends(text)[-1] == len(text)
