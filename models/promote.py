"""The gate before a release serves: on the same held-out rows it must be no worse than the present one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.classifier import Classifier
from models.errors import ReleaseError
from models.evaluate import Table, evaluate, read_rows
from models.guesses import classifier_guesses

GATED: Final = {
    "mood": "quadratic_kappa",
    "sentiment": "macro_recall",
    "intents": "macro_f1",
    "disservices": "macro_f1",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found: each figure of the candidate beside the present release's."""

    candidate: str
    present: str
    figures: dict[str, tuple[float, float, float]]
    """The candidate's, the present release's, and the lower end of the latter's 95 % interval."""

    @property
    def fallen(self) -> list[str]:
        """The figures that lie below the present release's interval: chance alone would seldom put them there."""
        return [name for name, (new, _, least) in self.figures.items() if new < least]

    @property
    def passed(self) -> bool:
        """Whether the candidate may serve."""
        return not self.fallen

    def table(self) -> list[dict[str, object]]:
        """Return a row a figure."""
        return [
            {
                "figure": name,
                self.candidate: f"{new:.4f}",
                self.present: f"{old:.4f}",
                "change": f"{new - old:+.4f}",
                "at least": f"{least:.4f}",
            }
            for name, (new, old, least) in self.figures.items()
        ]

    def refusal(self) -> ReleaseError:
        """Return the error that says why the candidate may not serve."""
        worse = ", ".join(self.fallen)
        return ReleaseError(f"{self.candidate} is worse than {self.present} in {worse}; --force promotes it anyway")


def gate(candidate: Path, present: Path, data: Path) -> Verdict:
    """Judge two releases on the same rows.

    Raises:
        CorpusError: ``data`` cannot be read.
        ReleaseError: a release is incomplete.
    """
    rows = read_rows(data)
    new, old = (_figures(evaluate(rows, classifier_guesses(Classifier.load(folder), rows), slices=False))
                for folder in (candidate, present))  # fmt: skip
    return Verdict(candidate.name, present.name, {name: (new[name][0], *old[name]) for name in new})


def _figures(table: Table) -> dict[str, tuple[float, float]]:
    """Return each gated figure and the lower end of its interval."""
    return {
        f"{head} {figure}": (float(table[head][figure]), float(table[head][f"{figure}_interval"][0]))
        for head, figure in GATED.items()
        if head in table
    }
