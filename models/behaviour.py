"""How a release behaves where the answer is not in doubt: checklists of capabilities (Ribeiro 2020), from templates.

The cases judge; nothing is tuned on them. Three kinds: a text has to be read on one side of the scale, one text has to
be read better or worse than another, or a change that means nothing has to leave the mood where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, Literal

import numpy as np

from models.classifier import Classifier
from models.labels import MOOD_LEVELS

SAME: Final = 0.75
"""Levels (of 5) by which the expected mood may move under a change that means nothing."""
LEAST: Final = 0.02
"""Levels by which it has to move under one that means something."""

Side = Literal["good", "bad", "not bad", "not good"]


@dataclass(frozen=True, slots=True)
class Case:
    """A text, and either the side it has to be read on, or another text and how it has to stand to that.

    ``than`` is compared as: ``better``, ``worse`` or ``same`` as the expected level of ``text``.
    """

    text: str
    expected: Side | Literal["better", "worse", "same"]
    than: str | None = None


def check(classifier: Classifier) -> dict[str, dict[str, Any]]:
    """Return passed, total and the failures, in words, of each capability, as plain JSON types."""
    cases = {name: make() for name, make in CAPABILITIES.items()}
    texts = [text for each in cases.values() for case in each for text in (case.text, case.than) if text is not None]
    level = dict(zip(texts, _expected_levels(classifier, texts), strict=True))
    return {name: _judged(each, level) for name, each in cases.items()}


def _expected_levels(classifier: Classifier, texts: Sequence[str]) -> list[float]:
    return [float(np.dot(score.mood, MOOD_LEVELS)) for score in classifier.score(texts)]


def _judged(cases: Sequence[Case], level: dict[str, float]) -> dict[str, Any]:
    failures = [_told(case, level) for case in cases if not passes(case, level)]
    return {"passed": len(cases) - len(failures), "total": len(cases), "failures": failures}


def passes(case: Case, level: dict[str, float]) -> bool:
    """Tell whether a case holds, given the expected level (5 delighted to 1 furious) of each text."""
    own = level[case.text]
    if case.than is None:
        return {"good": own > 3, "bad": own < 3, "not bad": own > 2.5, "not good": own < 3.5}[case.expected]
    rise = own - level[case.than]
    return {"better": rise > LEAST, "worse": rise < -LEAST, "same": abs(rise) <= SAME}[case.expected]


def _told(case: Case, level: dict[str, float]) -> str:
    if case.than is None:
        return f"“{case.text}” should be {case.expected}, is {level[case.text]:.2f} of 5"
    return (
        f"“{case.text}” ({level[case.text]:.2f}) should be {case.expected} "
        f"{'as' if case.expected == 'same' else 'than'} “{case.than}” ({level[case.than]:.2f})"
    )


# --- Capabilities ----------------------------------------------------------------------------------------------------

_THINGS: Final = ("service", "delivery", "app", "support team", "new router")
_GOOD: Final = ("great", "helpful", "excellent", "reliable", "wonderful")
_BAD: Final = ("terrible", "useless", "awful", "unreliable", "disappointing")
_GRIEVANCES: Final = (
    "My order still has not arrived and nobody answers me.",
    "You charged me twice and will not give the money back.",
    "The app keeps crashing and your support ignores me.",
    "I have been on hold for an hour, this is ridiculous.",
    "The replacement you sent is broken as well.",
)
_PRAISES: Final = (
    "Your support solved my problem in five minutes, thank you so much.",
    "Delivery was a day early and everything works perfectly.",
    "I love the new app, it is so easy to use.",
    "The technician was friendly and very quick, great job.",
    "Best customer service I have ever had.",
)
_QUESTIONS: Final = (
    "What are your opening hours on Sunday?",
    "Can I change the delivery address of my order?",
    "How do I add a second user to my account?",
    "Do you ship to Ireland?",
    "Which size of battery does this model take?",
)
_FACTS: Final = (
    "My order number is <ORDER>.",
    "I bought the router on Monday.",
    "The parcel weighs about two kilos.",
    "I use the app on an Android phone.",
    "My e-mail address is <EMAIL>.",
    "The invoice is dated the third of May.",
    "I have sent you the form.",
    "The meter reading is on the photo.",
)
_TOLD: Final = (*_GRIEVANCES, *_PRAISES)


def _negation() -> list[Case]:
    denied = [Case(f"The {thing} is not {word}.", "bad") for thing, word in product(_THINGS[:3], _GOOD[:3])]
    compared = [
        Case(f"The {thing} is not {word} at all.", "worse", f"The {thing} is {word}.")
        for thing, word in product(_THINGS, _GOOD)
    ]
    spared = [
        Case("Nothing to complain about, thank you.", "good"),
        Case("I can't fault the delivery.", "good"),
        Case("No problems at all with the new app.", "good"),
        Case("The wait was not long at all.", "not bad"),
        Case("I am not angry, I just want to know where it is.", "worse", "I am happy, it is here."),
    ]
    return [*denied, *compared, *spared]


def _intensifiers() -> list[Case]:
    up = ("extremely", "absolutely", "incredibly")
    worse = [
        Case(f"The {thing} is {very} {word}.", "worse", f"The {thing} is a bit {word}.")
        for thing, very, word in product(_THINGS[:3], up, ("slow", "annoying", "disappointing"))
    ]
    better = [
        Case(f"The {thing} is {very} {word}.", "better", f"The {thing} is fairly {word}.")
        for thing, very, word in product(_THINGS[:3], up, ("good", "helpful"))
    ]
    return [*worse, *better]


def _sarcasm() -> list[Case]:
    openings = ("Great,", "Oh wonderful,", "Brilliant,", "Thanks for nothing,", "Well done,")
    troubles = (
        "another outage.",
        "my parcel is lost again.",
        "you charged me twice.",
        "three hours on hold and then you hang up.",
        "now the app does not start either.",
    )
    return [Case(f"{opening} {trouble}", "bad") for opening, trouble in product(openings, troubles)]


def _neutral() -> list[Case]:
    polite = [Case(f"Hello, {question[0].lower()}{question[1:]}", "not bad") for question in _QUESTIONS]
    thanked = [Case(f"{question} Thanks.", "not bad") for question in _QUESTIONS]
    plain = [Case(text, "not bad") for text in (*_QUESTIONS, *_FACTS)]
    level = [Case(text, "not good") for text in _FACTS]
    return [*plain, *polite, *thanked, *level]


def _names() -> list[Case]:
    marks = ("<NAME>", "<USER>", "Mohammed", "Siobhan", "@BrandHelp", "Ms Okafor")
    return [Case(f"{mark} {text}", "same", text) for mark, text in product(marks, _TOLD)]


def _placeholders() -> list[Case]:
    tails = ("<URL>", "<ORDER>", "<EMAIL> <PHONE>")
    return [Case(f"{text} {tail}", "same", text) for tail, text in product(tails, _TOLD)]


def _typos() -> list[Case]:
    return [Case(swapped, "same", text) for text in _TOLD for swapped in _swapped(text)[:4]]


def _swapped(text: str) -> list[str]:
    """Return the text once for each word of five letters or more whose second and third letters differ, swapped."""
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) > 4 and word[1] != word[2]]
    return [" ".join((*words[:at], _typo(words[at]), *words[at + 1 :])) for at in long]


def _typo(word: str) -> str:
    return f"{word[0]}{word[2]}{word[1]}{word[3:]}"


def _casing() -> list[Case]:
    lower = [Case(text.lower(), "same", text) for text in (*_TOLD, *_QUESTIONS)]
    titled = [Case(text.title(), "same", text) for text in _TOLD]
    louder = [Case(text.upper(), "bad") for text in _GRIEVANCES]
    return [*lower, *titled, *louder]


def _repetition() -> list[Case]:
    twice = [Case(f"{text} {text}", "same", text) for text in (*_TOLD, *_QUESTIONS)]
    marks = [Case(f"{text[:-1]}{mark}", "same", text) for text in _TOLD for mark in ("..", "!")]
    return [*twice, *marks]


def _short() -> list[Case]:
    sides: dict[Side, tuple[str, ...]] = {
        "good": (
            "Thanks!",
            "Perfect",
            "great, thank you",
            "Awesome",
            "love it",
            "Brilliant!",
            "works now, thanks",
            "Yay!",
        ),
        "bad": (
            "Useless",
            "terrible",
            "worst ever",
            "still broken",
            "never again",
            "Unacceptable",
            "Ridiculous!",
            "awful",
        ),
        "not bad": ("ok", "Yes", "Done", "Sure", "Hello", "yes please", "Monday", "I see"),
        "not good": ("no", "ok", "Yes", "Hello", "why?", "Monday", "which one?", "no thanks"),
    }
    return [Case(text, side) for side, texts in sides.items() for text in texts]


def _emoji() -> list[Case]:
    glad, sour = ("😊", "😍", "👍", "❤"), ("😡", "👎", "😠", "🤬")
    alone = [Case(mark, "good") for mark in glad] + [Case(mark, "bad") for mark in sour]
    texts = ("The parcel is here", "So that is the new app", "Your reply came today")
    moved = [
        Case(f"{text} {up}", "better", f"{text} {down}")
        for text, (up, down) in product(texts, zip(glad, sour, strict=True))
    ]
    plain = [Case(f"{text} {mark}", "worse", text) for text, mark in product(texts, sour[:2])]
    return [*alone, *moved, *plain]


CAPABILITIES: Final = {
    "negation": _negation,
    "intensifiers": _intensifiers,
    "sarcasm markers": _sarcasm,
    "neutral is not negative": _neutral,
    "names and handles": _names,
    "placeholders": _placeholders,
    "typos": _typos,
    "casing": _casing,
    "repetition": _repetition,
    "very short replies": _short,
    "emoji": _emoji,
}
