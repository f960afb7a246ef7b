"""The public sets and the labelled rows, read as training examples on our four heads.

Each reader says how it maps a set's own labels onto ours. A set that knows less than our labels gives a partial
target: a five-point tweet says *negative*, not whether *annoyed* or *furious*, and is trained as "one of these".
Sets marked non-commercial (the airline tweets) are not read here: nothing of them enters the weights.
"""

import csv
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from models.errors import CorpusError
from models.folds import Fold, labelled_fold, text_key, tweet_fold
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS

Mask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Example:
    """One text with what is known of it; what is None is not trained on.

    ``moods`` holds the moods it may be (one when it is certain). ``known_intents`` limits which intents count as
    judged, for sets that only tell the topic.
    """

    text: str
    source: str
    moods: tuple[str, ...] | None = None
    sentiment: str | None = None
    intents: tuple[str, ...] | None = None
    known_intents: tuple[str, ...] = INTENTS
    disservices: tuple[str, ...] | None = None
    weight: float = 1.0
    row_id: str = ""
    level: int | None = None
    """Five-point sentiment from -2 to 2, of rows that judge (SemEval-2017 task 4 C)."""


SENTIMENT_OF_MOOD: Final = {
    "delighted": "positive",
    "content": "positive",
    "unsure": "neutral",
    "annoyed": "negative",
    "furious": "negative",
}
_MOODS_OF_SENTIMENT: Final = {
    sentiment: tuple(mood for mood in MOODS if SENTIMENT_OF_MOOD[mood] == sentiment) for sentiment in SENTIMENTS
}
_MOODS_OF_STARS: Final = {
    1: ("annoyed", "furious"),
    2: ("annoyed", "furious"),
    3: ("content", "unsure", "annoyed"),
    4: ("delighted", "content"),
    5: ("delighted", "content"),
}
_TOPICS: Final = tuple(i for i in INTENTS if i not in {"complaint", "praise", "follow_up", "escalate", "suggestion"})


def labelled(path: Path) -> list[Example]:
    """Read rows labelled by the guide (``{"id", "source", "text", "mood", "intents", "disservices"}``, JSONL).

    Raises:
        CorpusError: a line is not such a row; the message names file and line.
    """
    return [_labelled_row(path, number, line) for number, line in enumerate(_lines(path), 1) if line.strip()]


def all_labelled(shared: Path, extra: Sequence[Path] = ()) -> list[Example]:
    """Read the labelled rows that ``shared`` holds (``labelling/train.jsonl``), then those of further files."""
    return [row for path in (shared / "labelling" / "train.jsonl", *extra) for row in labelled(path)]


def _labelled_row(path: Path, number: int, line: str) -> Example:
    try:
        row = json.loads(line)
        moods, intents, disservices = (row["mood"],), tuple(row["intents"]), tuple(row["disservices"])
        text, row_id = str(row["text"]), str(row.get("id", number))
    except (ValueError, KeyError, TypeError) as error:
        raise CorpusError(f"{path} line {number}: not a labelled row ({error!r}); see the labelling guide") from error
    unknown = {*moods} - {*MOODS} | {*intents} - {*INTENTS} | {*disservices} - {*DISSERVICES}
    if unknown:
        raise CorpusError(f"{path} line {number}: unknown labels {', '.join(sorted(unknown))}")
    return Example(
        text,
        str(row.get("source", path.stem)),
        moods,
        SENTIMENT_OF_MOOD[row["mood"]],
        intents,
        disservices=disservices,
        row_id=row_id,
    )


def tweets(folder: Path) -> list[Example]:
    """Read SemEval-2017 task 4 A (three-point) and CE (five-point towards a topic), one example a distinct text."""
    found: dict[str, Example] = {}
    for path in sorted((folder / "semeval2017" / "A").glob("*.tsv")):
        for row in tsv_rows(path):
            text = _unescape(row[2])
            found.setdefault(
                text_key(text), Example(text, "semeval", _MOODS_OF_SENTIMENT[row[1]], row[1], weight=_TWEET)
            )
    for text, level in _levelled(folder):
        key, mood = text_key(text), MOODS[2 - level]
        known = found.get(key)
        if known is None:
            found[key] = Example(text, "semevalce", (mood,), SENTIMENT_OF_MOOD[mood], weight=_TOPIC_TWEET)
        elif mood in (known.moods or ()):
            found[key] = replace(known, moods=(mood,), weight=_SCARCE.get(mood, _TWEET))
    return list(found.values())


_TWEET: Final = 1.0
_TOPIC_TWEET: Final = 0.6
"""A mood towards a topic is only roughly one towards a company."""
_SCARCE: Final = {"delighted": 2.0, "annoyed": 1.5, "furious": 3.0}
"""The ends of the scale are scarce among tweets, and count for more."""


def topic_tweets(folder: Path) -> Iterator[Example]:
    """Read SemEval-2017 task 4 CE with its own five levels, one example a distinct text."""
    seen: set[str] = set()
    for text, level in _levelled(folder):
        if (key := text_key(text)) not in seen:
            seen.add(key)
            yield Example(text, "semevalce", level=level)


def _levelled(folder: Path) -> Iterator[tuple[str, int]]:
    for path in sorted((folder / "semeval2017" / "CE").glob("*.tsv")):
        yield from ((_unescape(row[3]), int(row[2])) for row in tsv_rows(path))


def valence(folder: Path) -> Iterator[Example]:
    """Read SemEval-2018 V-oc: valence from -3 to 3."""
    for path in sorted((folder / "semeval2018_affect" / "V-oc").glob("*.txt")):
        for row in tsv_rows(path, header=True):
            score = int(row[3].split(":")[0])
            sentiment = SENTIMENTS[(score > 0) - (score < 0) + 1]
            yield Example(row[1], "valence", _MOODS_OF_SENTIMENT[sentiment], sentiment, weight=0.5)


_FEELINGS: Final = {
    "positive": "admiration amusement approval caring desire excitement gratitude joy love optimism pride relief",
    "neutral": "neutral",
    "negative": "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness remorse "
    "sadness",
}
_SENTIMENT_OF_FEELING: Final = {feeling: s for s, feelings in _FEELINGS.items() for feeling in feelings.split()}


def comments(folder: Path) -> Iterator[Example]:
    """Read GoEmotions: comments whose feelings all point one way; confusion, surprise and the like point nowhere."""
    names = folder / "goemotions" / "labels.txt"
    feelings = names.read_text(encoding="utf-8").split() if names.exists() else []
    for path in sorted((folder / "goemotions").glob("*.tsv")):
        for row in tsv_rows(path):
            told = {_SENTIMENT_OF_FEELING.get(feelings[int(place)]) for place in row[1].split(",")}
            if len(told) == 1 and (sentiment := told.pop()):
                yield Example(row[0], "goemotions", sentiment=sentiment, weight=0.4)


def rated_tweets(folder: Path) -> Iterator[Example]:
    """Read VADER's tweets, whose mean of twenty ratings runs from -4 to 4."""
    for path in sorted((folder / "vader").glob("tweets_*.txt")):
        for row in tsv_rows(path):
            rating = float(row[1])
            sentiment = SENTIMENTS[(rating > 0.5) - (rating < -0.5) + 1]
            yield Example(row[2], "vader", sentiment=sentiment, weight=0.4)


def film_reviews(folder: Path) -> Iterator[Example]:
    """Read SST-5: sentences on films, from 0 (very negative) to 4; a film is a product like another."""
    for path in sorted((folder / "sst5").glob("*.csv")):
        for row in csv_rows(path):
            mood = MOODS[4 - int(row["truth"])]
            yield Example(row["text"], "sst5", (mood,), SENTIMENT_OF_MOOD[mood], weight=0.3)


_SENTIMENT_OF_EMOTION: Final = ("negative", "positive", "positive", "negative")


def emotional_tweets(folder: Path) -> Iterator[Example]:
    """Read TweetEval's emotions: anger, joy, optimism, sadness."""
    for path in sorted((folder / "tweeteval" / "emotion").glob("*_text.txt")):
        labels = path.with_name(path.name.replace("_text", "_labels")).read_text(encoding="utf-8").split()
        texts = path.read_text(encoding="utf-8").split("\n")
        for text, label in zip(texts, labels, strict=False):
            yield Example(text, "emotion", sentiment=_SENTIMENT_OF_EMOTION[int(label)], weight=0.4)


def insurers(folder: Path) -> Iterator[Example]:
    """Read the starred reviews of insurers: stars allow a range of moods."""
    for path in sorted((folder / "trustpilot").glob("*.csv")):
        for row in csv_rows(path):
            if row["text"].strip() and row["rating"] in {"1", "2", "3", "4", "5"}:
                stars = int(row["rating"])
                text = row["text"] if row["text"].startswith(row["title"][:20]) else f"{row['title']}. {row['text']}"
                yield Example(text, "trustpilot", _MOODS_OF_STARS[stars], weight=0.5)


def complaint_tweets(folder: Path) -> Iterator[Example]:
    """Read tweets to brands marked as complaint or not."""
    for path in sorted((folder / "complaints_acl19").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                intents = ("complaint",) if row[2] == "1" else ()
                yield Example(row[1], "complaints", intents=intents, known_intents=("complaint",), weight=0.5)


_BITEXT: Final = {
    "cancel_order": "change_order",
    "change_order": "change_order",
    "place_order": "change_order",
    "change_shipping_address": "change_order",
    "set_up_shipping_address": "account",
    "check_cancellation_fee": "billing",
    "check_invoice": "billing",
    "check_invoices": "billing",
    "get_invoice": "billing",
    "payment_issue": "billing",
    "check_payment_methods": "billing",
    "complaint": "complaint",
    "contact_customer_service": "question",
    "contact_human_agent": "escalate",
    "create_account": "account",
    "delete_account": "cancel",
    "edit_account": "account",
    "recover_password": "account",
    "registration_problems": "account",
    "switch_account": "account",
    "delivery_options": "delivery",
    "delivery_period": "delivery",
    "track_order": "delivery",
    "check_refund_policy": "refund",
    "get_refund": "refund",
    "track_refund": "refund",
    "newsletter_subscription": "account",
    "review": "other",
}


def requests(folder: Path) -> Iterator[Example]:
    """Read Bitext's support requests, whose 27 intents map onto our topics."""
    for path in sorted((folder / "bitext").glob("*.csv")):
        for row in csv_rows(path):
            intent = _BITEXT.get(row["intent"], "other")
            if intent != "other":
                yield _topic(row["utterance"], "bitext", intent)


_MULTIDOGO: Final = {
    "bookflight": "change_order",
    "changeseatassignment": "change_order",
    "changeorder": "change_order",
    "stoporder": "change_order",
    "orderchecks": "change_order",
    "getboardingpass": "question",
    "getseatinfo": "question",
    "getproofofinsurance": "question",
    "getinformation": "question",
    "getroutingnumber": "question",
    "checkoffereligibility": "question",
    "checkbalance": "account",
    "reportlostcard": "account",
    "replacecard": "account",
    "updateaddress": "account",
    "transfermoney": "billing",
    "disputecharge": "billing",
    "checkclaimstatus": "billing",
    "viewbills": "billing",
    "expensereport": "billing",
    "closeaccount": "cancel",
    "cancelservice": "cancel",
    "reportbrokenphone": "technical",
    "reportbrokensoftware": "technical",
    "softwareupdate": "technical",
    "checkserverstatus": "technical",
}


def chats(folder: Path) -> Iterator[Example]:
    """Read the distinct customer turns of MultiDoGO whose intents map onto our topics."""
    seen: set[str] = set()
    for path in sorted((folder / "multidogo" / "turn_level").glob("*/train.tsv")):
        for row in tsv_rows(path, header=True):
            intent = _MULTIDOGO.get(row[5].strip().lower().removesuffix("intent")) if len(row) > 5 else None
            if intent and row[3] not in seen:
                seen.add(row[3])
                yield _topic(row[3], "multidogo", intent)


def _topic(text: str, source: str, intent: str) -> Example:
    known = _TOPICS if intent in _TOPICS else (intent,)
    return Example(text, source, intents=(intent,), known_intents=known, weight=0.3)


def public(folder: Path, limits: dict[str, int], seed: int) -> list[Example]:
    """Read the public sets that train, each cut to ``limits[name]`` rows (all where it is not named).

    The cut is random, but even over the sentiments: the scarce class is kept whole. A set that is not there is none.

    Raises:
        CorpusError: there is no such folder.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; --shared names the one that holds data/ and labelling/")
    readers: dict[str, Iterable[Example]] = {
        "semeval": [e for e in tweets(folder) if tweet_fold(e.text) == "train"],
        "valence": valence(folder),
        "comments": comments(folder),
        "rated": rated_tweets(folder),
        "films": film_reviews(folder),
        "emotions": emotional_tweets(folder),
        "insurers": insurers(folder),
        "complaints": complaint_tweets(folder),
        "bitext": requests(folder),
        "multidogo": chats(folder),
    }
    chosen: list[Example] = []
    for name, examples in readers.items():
        rows = list(examples)
        random.Random(f"{seed} {name}").shuffle(rows)
        chosen += _evenly(rows, limits.get(name, len(rows)))
    return chosen


def _evenly(rows: Sequence[Example], limit: int) -> list[Example]:
    groups: dict[str | None, list[Example]] = {}
    for row in rows:
        groups.setdefault(row.sentiment, []).append(row)
    chosen: list[Example] = []
    for left, group in zip(range(len(groups), 0, -1), sorted(groups.values(), key=len), strict=True):
        chosen += group[: (limit - len(chosen)) // left]
    return chosen


def without(examples: Sequence[Example], kept_out: Iterable[str]) -> list[Example]:
    """Drop examples whose text, or a near-copy of it, is among the texts that calibrate or judge."""
    keys = {text_key(text) for text in kept_out}
    return [example for example in examples if text_key(example.text) not in keys]


def fold_of(examples: Sequence[Example], fold: Fold) -> list[Example]:
    """Return the labelled examples of one fold."""
    return [example for example in examples if labelled_fold(example.row_id) == fold]


def masked(examples: Sequence[Example], mask: Mask) -> list[Example]:
    """Return the examples with their texts masked as stored messages are."""
    return [replace(example, text=mask(example.text)) for example in examples]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        raise CorpusError(f"{path}: no such file; name the labelled rows with --labels or in the recipe")
    return path.read_text(encoding="utf-8").splitlines()


def tsv_rows(path: Path, *, header: bool = False) -> Iterator[list[str]]:
    """Yield the cells of each line of a tab-separated file without quotes, its ``header`` left out."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            if line.strip() and not (header and number == 0):
                yield line.rstrip("\n").split("\t")


def csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file by column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _unescape(text: str) -> str:
    r"""Undo the escapes that SemEval's files carry: ``\u002c``, ``\"``."""
    if "\\" not in text:
        return text
    try:
        return json.loads(f'"{text.replace(chr(34), "")}"')  # type: ignore[no-any-return]
    except ValueError:
        return text.replace("\\u002c", ",").replace("\\u2019", "'").replace('\\"', '"')
