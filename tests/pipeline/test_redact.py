import csv
import json
import random
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

from models.labels import PLACEHOLDERS
from pipeline.errors import SettingsError
from pipeline.redact import NAMES_MODEL, Redactor, _iban_length

REDACTOR = Redactor()

MASKED = {
    # e-mail
    "mail jo.b+shop@ex-ample.co.uk, or a@b.com.": "mail <EMAIL>, or <EMAIL>.",
    "MAILTO:JO@EXAMPLE.COM": "MAILTO:<EMAIL>",
    "jo [at] example dot com please": "<EMAIL> please",
    "josé@exämple.de": "<EMAIL>",
    # phone
    "call 020 7946 0958 now": "call <PHONE> now",
    "my number is 07700 900123": "my number is <PHONE>",
    "01632 960 142 any time": "<PHONE> any time",
    "+44 7700 900 123 thanks": "<PHONE> thanks",
    "+1 (415) 555-2671": "<PHONE>",
    "1-800-433-7300!": "<PHONE>!",
    "(631)891-5722": "<PHONE>",
    "415.555.2671 pls": "<PHONE> pls",
    "+91 98765 43210 / 98765 43210": "<PHONE> / <PHONE>",
    "+49 30 901820": "<PHONE>",
    "01 42 68 53 00": "<PHONE>",
    "call me 555-0142 tomorrow": "call me <PHONE> tomorrow",
    # card
    "card 4111 1111 1111 1111 exp 12/25": "card <CARD> exp 12/25",
    "5555-5555-5555-4444 and 5555555555554444": "<CARD> and <CARD>",
    "amex 3782 822463 10005": "amex <CARD>",
    "2223003122003222": "<CARD>",
    "my visa is 4111 1111 1111 1112, mistyped": "my visa is <CARD>, mistyped",
    # IBAN
    "GB82 WEST 1234 5698 7654 32 with thanks": "<IBAN> with thanks",
    "de89370400440532013000": "<IBAN>",
    "BE68 5390 0754 7034 WITH LOVE": "<IBAN> WITH LOVE",
    # US social security number
    "my ssn is 219-09-9999 ok": "my ssn is <SSN> ok",
    "social security number 219099999": "social security number <SSN>",
    # IP
    "from 192.168.1.17:8080 and 2001:db8:85a3::8a2e:370:7334.": "from <IP>:8080 and <IP>.",
    # links
    "https://x.com/a?token=1 www.foo.com/bar, t.co/AbC12 (see http://a.b/c)": "<URL> <URL>, <URL> (see <URL>)",
    "shop.example/pay?mail=jo@example.com&order=4821907.": "<URL>.",
    "https: //www.example.com/channel/UC97": "<URL>",
    # handles
    ".@united RT @bob: hi @user@mastodon.social \uff20wide /u/some_guy": ".<USER> RT <USER>: hi <USER> <USER> <USER>",
    # order numbers
    "order FH-4821907 and 123-4567890-1234567": "order <ORDER> and <ORDER>",
    "FH-4821907, where is it": "<ORDER>, where is it",
    "order number 48219, Booking ref ABC123": "order number <ORDER>, Booking ref <ORDER>",
    "PNR: XKQWTZ, confirmation code HZKPQL": "PNR: <ORDER>, confirmation code <ORDER>",
    "1Z999AA10123456784 RR123456785GB TBA123456789000": "<ORDER> <ORDER> <ORDER>",
    "case #5500123 claim 7781234 order: 4412": "case <ORDER> claim <ORDER> order: <ORDER>",
    "Claim numbers 310878-3-18, 310878-3-19, and 310878-3-20": "Claim numbers <ORDER>, <ORDER>, and <ORDER>",
    "ticket 0162389030167": "ticket <ORDER>",
    "conf code: F6DK04 / XZMSCW": "conf code: <ORDER> / <ORDER>",
    "it is 261633561838 ok": "it is <ORDER> ok",
    # account numbers
    "account 12345678, a/c no. 99887, acct# 4432": "account <ACCOUNT>, a/c no. <ACCOUNT>, acct# <ACCOUNT>",
    "my policy number was 104020585.": "my policy number was <ACCOUNT>.",
    "sort code 20-00-00": "sort code <ACCOUNT>",
}

KEPT = [
    "paid £1,240.50, or $1200 - 1500, then 1240.50 and $123456789",
    "16-02-2015 23.36 and 2015-02-16 23:36:10 and 2023-02-13T05:00:00.000Z",
    "1/2/2015, 1.2.2015, 02-03-15, 20150216, 13-06-15 13-Jun-15",
    "flight 2955, UA1234, DL 2955, flt #123, gate B12, seat 23A, 747-400",
    "iPhone 12 Pro Max, #iPhone12, 1080p 4K 64GB WH-1000XM4 RTX-3080 COVID-19",
    "100% or 95.5% of 10,000,000 customers, 50000 people",
    "in 2014 2015 2016, 2014-2015, 2019/20, since 1999",
    "10:30am 23:36 10.30-11.30 9-5 24/7 @5pm @ 10 @10",
    "order 2 pizzas, order 20 units, ordered in 2015, #1 and #2015",
    "order was 12/03/2015, booking is 16-02-2015, account for 20 years",
    "claim 25000 miles",
    "my booking FAILED, reservation SYSTEM down, BOOKING REF FAILED",
    "and/or w/o his/her c/o p.m./a.m. km/h",
    "version 10.0.19041.1, v1.2.3, beta (1.16.0.53)",
    "12::30 std::cout :: lol :)",
    "amazon.com and Hotels.com",
    "I get error WS-37368-7 and a CE-43477-5 error",
    "1-2 days, 3-4 weeks, scored 100-99-98, 3.14159265, 45.2345678, -93.1234567",
    "card ending 4444, waited 2 hrs 45 min on 12 Feb 2015 at 5:45",
]

PIECES = [
    *MASKED,
    *KEPT,
    *PLACEHOLDERS,
    "<",
    ">",
    "@",
    "#",
    "order",
    "4111",
    "+44",
    "www.",
    "://",
    "\n",
    "é",
    "  ",
    "a" * 70,
]


@pytest.mark.parametrize(("text", "masked"), MASKED.items())
def test_what_identifies_is_masked(text, masked):
    assert REDACTOR.mask(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_identifies_nobody_stays(text):
    assert REDACTOR.mask(text) == text


@pytest.mark.parametrize("seed", range(8))
def test_masking_twice_changes_nothing_more(seed):
    chance = random.Random(seed)
    for _ in range(40):
        glue = chance.choice(["", " ", ", ", "<", "-"])
        text = glue.join(chance.choices(PIECES, k=chance.randint(1, 5)))
        cut = text[chance.randint(0, 5) : len(text) - chance.randint(0, 5)]
        known = chance.choices(["Ada Lovelace", "@ada", "order", "USER", "4111", "a@b.com"], k=chance.randint(0, 2))
        once = REDACTOR.mask(cut, known)
        assert REDACTOR.mask(once, known) == once
        assert REDACTOR.mask(once) == once


@pytest.mark.parametrize("seed", range(8))
def test_a_secret_is_masked_in_any_sentence(seed):
    chance = random.Random(seed)
    for _ in range(40):
        secret, placeholder = chance.choice(
            [
                (f"u{chance.randint(0, 9**9)}@mail{chance.randint(0, 99)}.example.org", "<EMAIL>"),
                (f"FH-{chance.randint(1_000_000, 9_999_999)}", "<ORDER>"),
                (_card(chance), "<CARD>"),
                (f"https://shop.example/t/{chance.getrandbits(64):x}?q={chance.random()}", "<URL>"),
                (f"@user_{chance.randint(0, 9**6)}", "<USER>"),
                (f"+44 7{chance.randint(100, 999)} {chance.randint(100000, 999999)}", "<PHONE>"),
            ]
        )
        before, after = (
            chance.choice(["", "hi ", "(", "so: ", "£20! "]),
            chance.choice(["", " now", ", ok", "\nbye", "!"]),
        )
        masked = REDACTOR.mask(f"{before}{secret}{after}")
        assert masked == f"{before}{placeholder}{after}", secret


def _card(chance):
    digits = [4, *(chance.randint(0, 9) for _ in range(14))]
    doubled = sum(sum(divmod(digit * 2, 10)) for digit in digits[::2]) + sum(digits[1::2])
    number = "".join(map(str, [*digits, -doubled % 10]))
    return chance.choice(["", " ", "-"]).join(number[at : at + 4] for at in range(0, 16, 4))


def test_the_longest_of_overlapping_finds_names_the_whole():
    assert REDACTOR.mask("order https://x.example/4821907?mail=jo@example.com ok") == "order <URL> ok"
    assert REDACTOR.mask("account 4111111111111111") == "account <CARD>"


def test_known_values_are_masked():
    known = ["Maureen Oyelaran", "@mo_oyel", "m.oyelaran@example.com", "FH-C0101", "07700 900142"]
    text = "Mo_Oyel here, maureen  oyelaran (Maureen) FH-C0101, not Maureens"
    assert REDACTOR.mask(text, known) == "<USER> here, <NAME> (<NAME>) <USER>, not Maureens"


def test_a_known_name_that_is_a_word_is_masked_only_whole():
    assert REDACTOR.mask("Will Price asks: Will you lower the Price?", ["Will Price"]) == (
        "<NAME> asks: Will you lower the Price?"
    )


def test_too_short_or_empty_known_values_mask_nothing():
    assert REDACTOR.mask("a b c <USER>", ["a", "", " ", "<USER>", "@b"]) == "a b c <USER>"


def test_mask_all_keeps_the_order():
    assert REDACTOR.mask_all(["@a1", "x", "@b1"]) == ["<USER>", "x", "<USER>"]


def test_a_wrong_checksum_is_no_iban():
    assert _iban_length("GB82WEST12345698765432") == 22
    assert _iban_length("GB83WEST12345698765432") == 0


@pytest.mark.parametrize(
    "unit", ["1 ", "AA11", "a.", "@", "a:", "order #", "http://a", "-1", "x (at) ", "+1 ", "FB-1", "hello ", "(1", "<"]
)
def test_a_long_field_is_masked_in_linear_time(unit):
    small, large = _seconds(unit * (20_000 // len(unit))), _seconds(unit * (100_000 // len(unit)))
    assert large < 20 * small + 0.5


def _seconds(text):
    started = time.process_time()
    REDACTOR.mask(text)
    return time.process_time() - started


def test_nothing_is_fetched(monkeypatch):
    def refuse(*_):
        raise AssertionError("redaction must not use the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert REDACTOR.mask("jo@example.com https://x.example/y") == "<EMAIL> <URL>"


def test_importing_is_light_and_torch_stays_out():
    code = (
        "import sys; from pipeline.redact import Redactor; redactor = Redactor();"
        "assert not {'spacy', 'presidio_analyzer', 'torch'} & set(sys.modules);"
        "print(redactor.mask('jo@example.com')); assert 'torch' not in sys.modules; import importlib.util as u;"
        "assert sys.modules.get('torch', 0) is not None"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "<EMAIL>\n"


@pytest.mark.skipif(find_spec(NAMES_MODEL) is not None, reason="the names model is installed")
def test_names_without_the_model_say_what_to_install():
    with pytest.raises(SettingsError, match=r"pip install moodline\[names\]"):
        Redactor(names=True)


@pytest.mark.skipif(find_spec(NAMES_MODEL) is None, reason="the names model is not installed")
def test_names_are_masked_with_the_model():
    redactor = Redactor(names=True)
    masked = redactor.mask("I spoke to Barbara Johnson yesterday, she was rude. Mail jo@example.com")
    assert masked == "I spoke to <NAME> yesterday, she was rude. Mail <EMAIL>"
    assert redactor.mask(masked) == masked


# --- On real messages, where they are at hand -------------------------------------------------------------------------


def test_support_threads_keep_no_address(shared):
    dialogs = json.loads((shared / "data/ibm_twitter_care/dev.json").read_text(encoding="utf-8"))
    texts = [turn["message"] for dialog in dialogs for turn in dialog["dialogContent"]]
    masked = REDACTOR.mask_all(texts)
    assert not [text for text in masked if "@gmail" in text or "@yahoo" in text or "http" in text.casefold()]
    assert REDACTOR.mask_all(masked) == masked


@pytest.mark.slow
def test_tweets_are_masked_at_speed(shared):
    with (shared / "data/airline/Tweets.csv").open(encoding="utf-8", errors="replace", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    started = time.process_time()
    masked = REDACTOR.mask_all(texts)
    assert len(texts) / (time.process_time() - started) > 1500
    flights = [(text, done) for text, done in zip(texts, masked, strict=True) if "flight 2955" in text]
    assert all("flight 2955" in done for _, done in flights)
