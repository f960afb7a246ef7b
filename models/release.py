"""Releases: folders of weights that can serve, and which of them does.

A release folder holds ``model.onnx`` (int8), ``tokenizer.json``, ``release.json`` (labels, thresholds, calibration),
``metrics.json`` (made by the evaluation) and ``card.md`` (made from both). Weights are never pickled.
Shipped releases lie in ``models/releases/``; a company's own in the ``releases`` folder of its home.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from models.errors import ReleaseError
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS

SHIPPED: Final = Path(__file__).with_name("releases")
LABELS: Final = {
    "mood": list(MOODS),
    "sentiment": list(SENTIMENTS),
    "intents": list(INTENTS),
    "disservices": list(DISSERVICES),
}


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores become probabilities that mean what they say; fitted on rows that neither trained nor judge.

    Mood and sentiment: ``softmax(scores * scale + shift)``; the mood named is the greatest ``log(p) + cut``. Labels:
    ``sigmoid(scores * scale + shift)``, one pair a label, intents before dis-services; a label is given where its
    probability reaches its threshold. Five levels of sentiment, as if all were equally common:
    ``softmax(scores @ weight + shift)`` over all 37 scores.
    """

    mood_scale: float
    mood_shift: list[float]
    sentiment_scale: float
    sentiment_shift: list[float]
    label_scale: list[float]
    label_shift: list[float]
    thresholds: list[float]
    mood_cut: list[float]
    level_weight: list[list[float]]
    level_shift: list[float]

    @classmethod
    def neutral(cls) -> "Calibration":
        """Return the calibration that changes nothing, with thresholds at one half."""
        labels = len(INTENTS) + len(DISSERVICES)
        flat = [[0.0] * 5] * (5 + 3 + labels)
        return cls(
            1.0, [0.0] * 5, 1.0, [0.0] * 3, [1.0] * labels, [0.0] * labels, [0.5] * labels, [0.0] * 5, flat, [0.0] * 5
        )


@dataclass(frozen=True, slots=True)
class Release:
    """What ``release.json`` says, and where it lies."""

    version: str
    folder: Path
    maximum_tokens: int
    mood_prior: list[float]
    """Share of each mood among the rows that trained the mood head: what the mood model divides out."""
    calibration: Calibration

    @classmethod
    def read(cls, folder: Path) -> "Release":
        """Read a release folder.

        Raises:
            ReleaseError: a file is missing, is not JSON, or was made for other labels.
        """
        for name in ("release.json", "model.onnx", "tokenizer.json"):
            if not (folder / name).exists():
                raise ReleaseError(f"{folder}: {name} is missing; the release is incomplete")
        try:
            state = json.loads((folder / "release.json").read_text(encoding="utf-8"))
            labels = state["labels"]
            release = cls(
                state["version"],
                folder,
                state["maximum_tokens"],
                state["mood_prior"],
                Calibration(**state["calibration"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ReleaseError(f"{folder / 'release.json'}: not a release description ({error!r})") from error
        if labels != LABELS:
            raise ReleaseError(f"{folder}: made for other labels than this Moodline knows; train a new release")
        return release

    def write(self) -> None:
        """Write ``release.json`` into the folder, whole or not at all."""
        state: dict[str, Any] = {
            "version": self.version,
            "labels": LABELS,
            "maximum_tokens": self.maximum_tokens,
            "mood_prior": self.mood_prior,
            "calibration": asdict(self.calibration),
        }
        _replace(self.folder / "release.json", json.dumps(state, indent=1) + "\n")

    def metrics(self) -> dict[str, Any]:
        """Return what the evaluation measured, empty if it has not run."""
        path = self.folder / "metrics.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


class Releases:
    """The releases that a home can serve from, and the one it does.

    ``own`` holds the home's own releases and ``ACTIVE``, a line a decision, the last of which counts. Without it the
    newest shipped release serves.
    """

    def __init__(self, own: Path, shipped: Path = SHIPPED) -> None:
        self.own, self.shipped = own, shipped

    def list(self) -> list[Path]:
        """Return the folders of all releases, shipped first, oldest first."""
        found = [*self.shipped.glob("*/release.json"), *self.own.glob("*/release.json")]
        return [path.parent for path in sorted(found, key=lambda path: (path.is_relative_to(self.own), path))]

    def find(self, version: str) -> Path:
        """Return the folder of a version.

        Raises:
            ReleaseError: there is none; the message lists those there are.
        """
        for folder in reversed(self.list()):
            if folder.name == version:
                return folder
        known = ", ".join(folder.name for folder in self.list()) or "none"
        raise ReleaseError(f"no release {version}; there are: {known}")

    def active(self) -> Path:
        """Return the folder of the release that serves.

        Raises:
            ReleaseError: nothing is shipped and nothing was promoted.
        """
        history = self.history()
        if history:
            return self.find(history[-1])
        shipped = [folder for folder in self.list() if not folder.is_relative_to(self.own)]
        if not shipped:
            raise ReleaseError(f"no release under {self.shipped}; `moodline train` makes one")
        return shipped[-1]

    def history(self) -> Sequence[str]:
        """Return the versions promoted and not rolled back, oldest first."""
        path = self.own / "ACTIVE"
        return [line.split("\t")[0] for line in path.read_text().splitlines()] if path.exists() else []

    def promote(self, version: str) -> None:
        """Make a version serve from the next run on."""
        self.find(version)
        past = self.history() or [self.active().name]
        self._write([*past, version])

    def rollback(self) -> str:
        """Return to the version that served before the newest promotion, and return its name.

        Raises:
            ReleaseError: nothing was promoted.
        """
        past = self.history()
        if len(past) < 2:
            raise ReleaseError("nothing to roll back: no release was promoted in this home")
        self._write(past[:-1])
        return past[-2]

    def _write(self, versions: Sequence[str]) -> None:
        self.own.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        _replace(self.own / "ACTIVE", "".join(f"{version}\t{now}\n" for version in versions))


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
