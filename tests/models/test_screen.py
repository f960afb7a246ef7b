"""What the classifier declines to read, and above all what it must not decline."""

import json
from pathlib import Path

import pytest

from models.screen import unreadable

SENTENCES = Path(__file__).with_name("other_languages.tsv")
"""A language and a sentence a line, ten each, written for this test."""
OTHERS = [line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()]

READABLE = (
    "ok", "Merci!", "refund", "super", "no no no no no no", "<NAME> is useless", "👍", "😡😡😡", ":(", "10/10", "<3",
    "#neveragain", "HELLO??? ANYBODY THERE", "where is my order <ORDER>", "thx 4 nothing", "gr8 service m8",
    "Mujhe refund kab milega, koi reply nahi karta", "bhut accha baat kiya aapne thank you",
    "Very bad serivce i am nt happy",
    "pls hlp me my acount lockd", "Café près de chez moi was closed, very disappointed",
    "\U0001d413\U0001d421\U0001d422\U0001d42c is so bad",
    "Oh man, I love 'em!", "im on xbox one", "I gift voucher 500 rupees",
    "José María de la Cruz, order <ORDER>", "iPhone battery dead after update smh",
)  # fmt: skip


@pytest.mark.parametrize("language", sorted({language for language, _ in OTHERS}))
def test_other_languages_are_refused_by_name(language):
    sentences = [sentence for name, sentence in OTHERS if name == language]
    reasons = [unreadable(sentence) for sentence in sentences]
    assert len(sentences) == 10
    assert sum(reason is not None for reason in reasons) >= 9, reasons
    assert reasons.count(f"written in {language}") >= 9, reasons


@pytest.mark.parametrize("text", READABLE)
def test_what_a_customer_may_well_write_is_read(text):
    assert unreadable(text) is None


@pytest.mark.parametrize("text", ["", " \n\t", "\u00a0"])
def test_empty(text):
    assert unreadable(text) == "empty"


@pytest.mark.parametrize(
    "text", ["<USER> <URL>", "...", "???", "@shop", "12 345", "https://example.org/help", "🏠", "- - -"]
)
def test_no_words(text):
    assert unreadable(text) == "no words"


def test_placeholders_handles_and_capitals_hide_no_language():
    assert unreadable("<USER> ICH WARTE SEIT DREI WOCHEN AUF MEINE BESTELLUNG @shop <URL>") == "written in German"


def test_no_word_reaches_the_network(monkeypatch):
    import socket

    def refuse(*words, **more):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert unreadable("Questo negozio non risponde mai alle mie domande") == "written in Italian"


def test_labelled_rows_are_hardly_ever_refused(shared):
    lines = (shared / "labelling" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    refused = [(reason, row) for row in map(json.loads, lines) if (reason := unreadable(row["text"]))]
    wordless = [row["text"] for reason, row in refused if reason == "no words" and row["mood"] != "unsure"]
    foreign = [(reason, row["text"]) for reason, row in refused if reason != "no words"]
    assert wordless == []
    assert len(foreign) <= 0.001 * len(lines), foreign
    assert len(refused) <= 0.004 * len(lines)
