import numpy as np
import pytest

from models.classifier import Classifier
from models.errors import ReleaseError
from models.labels import DISSERVICES, INTENTS, MOODS, PLACEHOLDERS
from models.release import Release


def test_probabilities_sum_to_one_and_labels_are_known(classifier):
    for score in classifier.score(["Love it!", "", "still no refund, third time I ask", "🙃", "a" * 5000]):
        assert sum(score.mood) == pytest.approx(1)
        assert sum(score.sentiment) == pytest.approx(1)
        assert all(0 <= p <= 1 for p in (*score.intents, *score.disservices))
        assert score.mood_label in MOODS
        assert set(score.intent_labels) <= set(INTENTS)
        assert score.intent_labels
        assert set(score.disservice_labels) <= set(DISSERVICES)
        assert "other" not in score.intent_labels or len(score.intent_labels) == 1


def test_nothing_gives_nothing(classifier):
    assert classifier.score([]) == []
    assert classifier.logits([]).shape == (0, 37)


def test_order_and_copies_and_company_change_nothing(classifier):
    texts = ["great service, thank you so much", "where is my parcel", "worst company ever, total scam", "ok"]
    alone = [classifier.score([text])[0] for text in texts]
    together = classifier.score([*texts, *reversed(texts)])
    for one, many in zip([*alone, *reversed(alone)], together, strict=True):
        assert np.allclose(one.mood, many.mood, atol=1e-5)  # activations have fixed scales
        assert np.allclose(one.disservices, many.disservices, atol=1e-5)


def test_reads_what_a_person_would_read(classifier):
    texts = [
        "Absolutely LOVE this kettle, best purchase I have ever made!! Thank you!!",
        "What time do you open on Sunday?",
        "You people are a JOKE. Worst company ever, absolute scam, you will hear from my lawyer.",
        "I have been on hold for two hours and nobody answers the phone. Very disappointing.",
    ]
    delighted, unsure, furious, waiting = classifier.score(texts)
    assert delighted.mood_label == "delighted"
    assert unsure.mood_label == "unsure"
    assert furious.mood_label == "furious"
    assert waiting.mood_label in ("annoyed", "furious")
    assert "long_wait" in waiting.disservice_labels
    assert "complaint" in waiting.intent_labels
    assert "praise" in delighted.intent_labels


def test_the_ending_of_a_long_letter_counts(classifier):
    good = "The sofa arrived on time and the people were friendly and helpful. " * 30
    bad = "But now it broke and your people are useless crooks, worst company ever, never again! " * 6
    assert len(classifier.tokenizer.encode(good + bad).ids) > 2 * classifier.release.maximum_tokens
    ends_badly, ends_well = classifier.score([good + bad, bad + good])
    assert ends_badly.sentiment_label == "negative"
    assert sum(ends_well.mood[:2]) > sum(ends_badly.mood[:2])


def test_placeholders_are_single_tokens(classifier):
    for placeholder in PLACEHOLDERS:
        assert len(classifier.tokenizer.encode(f"call {placeholder} now").ids) == 5


def test_an_incomplete_release_is_refused(tmp_path):
    with pytest.raises(ReleaseError, match=r"release\.json is missing"):
        Classifier.load(tmp_path)


def test_a_release_for_other_labels_is_refused(tmp_path, shipped):
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).symlink_to(shipped / name)
    text = (shipped / "release.json").read_text()
    (tmp_path / "release.json").write_text(text.replace('"furious"', '"livid"'))
    with pytest.raises(ReleaseError, match="other labels"):
        Release.read(tmp_path)
    (tmp_path / "release.json").write_text("{}")
    with pytest.raises(ReleaseError, match="not a release description"):
        Release.read(tmp_path)
