"""The model card of a release, written from what the evaluation measured and never by hand."""

from typing import Any, Final

from models.evaluate import summary
from models.release import Release

FAILURES_SHOWN: Final = 5
"""Failed cases of a capability that a card tells."""

_ABOUT: Final = """\
# Moodline classifier {version}

Reads one message that a customer wrote: mood (five ordered levels), sentiment, what the writer wants (15 intents) and
what went wrong (14 dis-services), in English; other languages are left unread with the reason. MiniLM-L6
(sentence-transformers/all-MiniLM-L6-v2, Apache-2.0) fine-tuned by this project and narrowed to two thirds of its
feed-forward units (20M parameters); each label has its own attention over the words; weights and activations of the
encoder in int8 (ONNX), with fixed scales.

## What it was trained on

Labelled rows (7 sources, one annotator a row under the project's guide; 18,960 more of the same public sources labelled
by this project, and 480 messages written by it, in `data/labels/`) and public research sets: SemEval-2017 task 4 (A and
CE), SemEval-2018 V-oc, GoEmotions (Apache-2.0), TweetEval emotion, SST-5, VADER's rated tweets (MIT), starred insurer
reviews, complaint tweets (Preotiuc-Pietro 2019), Bitext requests (CDLA-Sharing-1.0), MultiDoGO (CDLA-Permissive-1.0).
The airline tweets (non-commercial) are not used for weights. Texts were masked as stored messages are. Rows that judge
or calibrate, and near-copies of them, were not trained on. The five-level figures rest on a regression over the scores
of tweets that calibrate and 4,500 that trained.
"""

_LIMITS: Final = """\
## What it cannot do

- English only (with Hindi in Latin letters as Indian customers mix it in): a text in another language, or in none, is
  left unscored with the reason; one of under four words is read whatever its language.
- Irony without a marker is often read at its word.
- One message at a time, without the turns before it.
- The labels were made by a language model under the guide; people may agree less with them, and with each other.
- Labels with few rows above (see their numbers) are weakly measured and weakly learned.
- The rows were drawn with more trouble in them than real traffic holds; the mood model corrects with the prior in
  `release.json`, other uses should too.
- It says nothing about who will leave. That is the mood model's figure, and no public set of real churn tests it.

## Weights' licence

Trained on public research sets, each under its own terms (named above). The weights are offered for use with that
statement and no further warranty; the code is Apache-2.0.
"""


def write_card(release: Release) -> None:
    """Write ``card.md`` beside ``metrics.json``."""
    measured = release.metrics()
    parts = [
        _ABOUT.format(version=release.version),
        "## What was measured\n",
        "On labelled rows kept out by the hash of their id:\n",
        _table(measured["judged"]),
        "On tweets of SemEval-2017 A kept out by the hash of their text:\n",
        _table(measured["tweets"]),
        *_topics(measured.get("topics")),
        *_before(measured),
        "### Each label\n",
        _labels(measured["judged"]["release"]),
        "### Each slice\n",
        _slices(measured["judged"]["release"]["slices"]),
        *_behaviour(measured.get("behaviour", {})),
        _LIMITS,
    ]
    (release.folder / "card.md").write_text("\n".join(parts), encoding="utf-8")


def _topics(compared: dict[str, Any] | None) -> list[str]:
    told = "On tweets of SemEval-2017 C towards a topic, five levels, kept out likewise (the median level is named):\n"
    return [told, _table(compared)] if compared else []


def _before(measured: dict[str, Any]) -> list[str]:
    """Return the figures that judge a release beside those of the one it replaces."""
    before = measured.get("before")
    if not before:
        return []
    lines = [_row(["rows", "figure", before["version"], measured["version"]]), _row(["---"] * 4)]
    for name in ("judged", "tweets"):
        for head, figures in before.get(name, {}).items():
            now = measured[name]["release"].get(head, {})
            lines += [
                _row([name, f"{head}: {figure.replace('_', ' ')}", f"{value:.3f}", f"{now[figure]:.3f}"])
                for figure, value in figures.items()
                if figure in now
            ]
    return [f"### Beside release {before['version']}\n", "\n".join(lines) + "\n"]


def _table(compared: dict[str, Any]) -> str:
    rows = summary(compared)
    lines = [_row(list(rows[0])), _row(["---"] * len(rows[0]))]
    return "\n".join([*lines, *(_row([str(cell) for cell in row.values()]) for row in rows)]) + "\n"


def _labels(figures: dict[str, Any]) -> str:
    lines = [_row(["label", "F1", "rows"]), _row(["---"] * 3)]
    for head in ("intents", "disservices"):
        for label, found in figures[head]["labels"].items():
            lines.append(_row([f"{head}: {label}", f"{found['f1']:.2f}", str(found["rows"])]))
    return "\n".join(lines) + "\n"


def _slices(slices: dict[str, dict[str, float]]) -> str:
    names = list(dict.fromkeys(name for figures in slices.values() for name in figures))
    lines = [_row(["slice", *names]), _row(["---"] * (len(names) + 1))]
    for name, figures in slices.items():
        lines.append(_row([name, *(f"{figures[key]:g}" if key in figures else "" for key in names)]))
    return "\n".join(lines) + "\n"


def _behaviour(checked: dict[str, Any]) -> list[str]:
    """Return pass rates and failures of the checklists; nothing for a release that was judged before there were any."""
    if not checked:
        return []
    lines = [_row(["capability", "passed", "cases"]), _row(["---"] * 3)]
    lines += [_row([name, str(found["passed"]), str(found["total"])]) for name, found in checked.items()]
    failed = {name: found["failures"] for name, found in checked.items() if found["failures"]}
    told = [f"- {name}: {failure}" for name, failures in failed.items() for failure in failures[:FAILURES_SHOWN]]
    more = f"At most {FAILURES_SHOWN} failures of each are told here; all are in `metrics.json`.\n"
    return ["### Behaviour\n", "\n".join(lines) + "\n", "\n".join(told) + "\n", more]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
