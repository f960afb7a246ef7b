"""Train the network by a recipe: in phases, resumable at any step, the same weights from the same seed.

Writes into a run folder: ``checkpoint.pt`` (weights, optimiser, place), ``network.safetensors`` at the end, and
``log.jsonl`` (a line each ten steps). Needs the ``train`` extra. Takes about an hour on two cores.
"""

import json
import random
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from models import corpora
from models.corpora import Example
from models.errors import CorpusError
from models.folds import tweet_fold
from models.graph import Range
from models.labels import DISSERVICES, INTENTS, MOODS, SENTIMENTS
from models.narrow import narrow
from models.network import HEADS, MoodNetwork, build, encoder_folder, set_width, width_of
from models.own_labels import own_rows, public_texts
from models.quantise import activation_ranges, eight_bits
from models.tokens import clip, customer_tokenizer, marked

RECIPE: Final = Path(__file__).with_name("recipe.toml")
RANGES: Final = "ranges.json"
"""Where a run keeps the ranges of activations."""
_RANGED_BY: Final = 400
_NARROWED_BY: Final = 1500
"""How many labelled rows tell the ranges, and which units can go."""
_TEACHER: Final = "teacher.safetensors"
"""Where a run keeps the weights from before it was narrowed."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training over one choice of rows."""

    name: str
    rows: str
    epochs: int
    encoder_rate: float
    head_rate: float
    warm_up: float
    replay: int = 0
    wide: int = 0
    """How many units of each feed-forward part stay from this phase on; 0 keeps them all."""
    eight_bits: bool = False
    """Whether training feels the rounding of the release's products."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what comes out of training; see ``recipe.toml`` for the meaning of each."""

    version: str
    seed: int
    encoder: str
    start: str
    maximum_tokens: int
    tokens_per_batch: int
    checkpoint_every: int
    labels: tuple[Path, ...]
    unlabelled: int
    limits: dict[str, int]
    phases: tuple[Phase, ...]
    loss: dict[str, float]


def read_recipe(path: Path = RECIPE) -> Recipe:
    """Read a recipe file.

    Raises:
        CorpusError: it is not TOML, or a key is missing or unknown.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        phases = tuple(Phase(**phase) for phase in table.pop("phases"))
        labels = tuple((path.parent / name).resolve() for name in table.pop("labels"))
        return Recipe(phases=phases, labels=labels, **table)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise CorpusError(f"{path}: not a training recipe ({error}); models/recipe.toml shows the form") from error


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as the network takes it: ids, and targets with a weight for every label (0 is unknown)."""

    ids: list[int]
    moods: list[float]
    certain: bool
    sentiment: int
    labels: list[float]
    known: list[float]
    weight: float


def encode(example: Example, tokenizer: Tokenizer, limit: int) -> Encoded:
    """Turn an example into ids and targets; labels are intents then dis-services."""
    ids = clip(tokenizer.encode(marked(example.text)).ids, limit)
    moods = [float(mood in example.moods) if example.moods else 0.0 for mood in MOODS]
    intents, disservices = example.intents, example.disservices
    known = [float(intents is not None and i in example.known_intents) for i in INTENTS]
    known += [float(disservices is not None)] * len(DISSERVICES)
    labels = [float(i in (intents or ())) for i in INTENTS] + [float(d in (disservices or ())) for d in DISSERVICES]
    sentiment = SENTIMENTS.index(example.sentiment) if example.sentiment else -1
    return Encoded(ids, moods, sum(moods) == 1, sentiment, labels, known, example.weight)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded ids and targets of several examples."""

    ids: Tensor
    mask: Tensor
    moods: Tensor
    certain: Tensor
    sentiment: Tensor
    labels: Tensor
    known: Tensor
    weight: Tensor


def collate(rows: Sequence[Encoded]) -> Batch:
    """Pad rows to the longest of them."""
    longest = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)] = torch.tensor(row.ids)
    return Batch(
        ids,
        (ids != 0).long(),
        torch.tensor([row.moods for row in rows]),
        torch.tensor([row.certain for row in rows]),
        torch.tensor([row.sentiment for row in rows]),
        torch.tensor([row.labels for row in rows]),
        torch.tensor([row.known for row in rows]),
        torch.tensor([row.weight for row in rows]),
    )


def batches(rows: Sequence[Encoded], tokens: int, seed: str) -> list[list[Encoded]]:
    """Shuffle, then group rows of like length so that no batch pads to more than ``tokens`` ids."""
    generator = random.Random(seed)
    order = sorted(rows, key=lambda row: len(row.ids) + generator.uniform(-3, 3))
    groups: list[list[Encoded]] = []
    for row in order:
        longest = max(len(row.ids), *(len(other.ids) for group in groups[-1:] for other in group[-1:]), 1)
        if not groups or longest * (len(groups[-1]) + 1) > tokens:
            groups.append([])
        groups[-1].append(row)
    generator.shuffle(groups)
    return groups


class Objective:
    """The loss of the four heads together, each row counting by its weight and by what is known of it."""

    def __init__(self, weights: dict[str, float], rows: Sequence[Encoded]) -> None:
        self.weights = weights
        known = torch.tensor([row.known for row in rows]).sum(0)
        positive = torch.tensor([row.labels for row in rows]).mul(torch.tensor([row.known for row in rows])).sum(0)
        ratio = ((known - positive) / positive.clamp(min=1)).sqrt()
        self.positive = ratio.clamp(1.0, weights["positive_weight_limit"])

    def __call__(self, scores: Tensor, batch: Batch) -> Tensor:
        """Return the mean loss of a batch; ``scores`` has shape (rows, 37)."""
        mood, sentiment, labels = torch.split(scores, [HEADS["mood"], HEADS["sentiment"], batch.labels.shape[1]], dim=1)
        total = self.weights["mood"] * self._mood(mood, batch)
        total = total + self.weights["sentiment"] * self._sentiment(sentiment, batch)
        total = total + self._labels(labels, batch)
        return (total * batch.weight).mean()

    def _mood(self, scores: Tensor, batch: Batch) -> Tensor:
        logs = scores.log_softmax(dim=1)
        share = self.weights["neighbour_smoothing"]
        beside = F.pad(batch.moods[:, 1:], (0, 1)) + F.pad(batch.moods[:, :-1], (1, 0))
        soft = (1 - share) * batch.moods + share * beside / beside.sum(1, keepdim=True).clamp(min=1)
        certain = -(soft * logs).sum(1)
        one_of = -(logs + (batch.moods + 1e-12).log()).logsumexp(dim=1)
        return torch.where(batch.certain, certain, one_of) * (batch.moods.sum(1) > 0)

    def _sentiment(self, scores: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(scores, batch.sentiment, ignore_index=-1, reduction="none")

    def _labels(self, scores: Tensor, batch: Batch) -> Tensor:
        losses = F.binary_cross_entropy_with_logits(scores, batch.labels, pos_weight=self.positive, reduction="none")
        intents, disservices = torch.split(losses * batch.known, [HEADS["intents"], HEADS["disservices"]], dim=1)
        return self.weights["intents"] * intents.mean(1) + self.weights["disservices"] * disservices.mean(1)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The encoded rows of training, by the name that phases use."""

    public: list[Encoded]
    labelled: list[Encoded]
    unlabelled: list[Encoded]

    def epoch(self, phase: Phase, recipe: Recipe, epoch: int) -> list[list[Encoded]]:
        """Return the batches of one epoch of a phase, the same for the same seed."""
        rows = list({"public": self.public, "labelled": self.labelled, "unlabelled": self.unlabelled}[phase.rows])
        seed = f"{recipe.seed} {phase.name} {epoch}"
        rows += random.Random(seed).sample(self.public, min(phase.replay, len(self.public)))
        return batches(rows, recipe.tokens_per_batch, seed)


def gather(recipe: Recipe, shared: Path, mask: corpora.Mask, extra: Sequence[Path] = ()) -> Corpus:
    """Read, mask and encode the rows that train; ``shared`` holds ``data/`` and ``labelling/train.jsonl``.

    ``extra`` are further files of labelled rows; theirs train by the same folds.
    """
    labelled = corpora.all_labelled(shared, extra)
    training = corpora.fold_of(labelled, "train")
    kept_out = [row.text for row in labelled if row not in training]
    training += [row for path in recipe.labels for row in own_rows(path, shared / "data")]
    public = corpora.public(shared / "data", recipe.limits, recipe.seed)
    public = [row for row in public if row.source != "semeval" or tweet_fold(row.text) == "train"]
    tokenizer = customer_tokenizer(Path(encoder_folder(recipe.encoder)) / "tokenizer.json")
    unlabelled = [Example(text, "unlabelled") for text in _unlabelled(recipe, shared / "data")]

    def encoded(rows: Sequence[Example]) -> list[Encoded]:
        chosen = corpora.masked(corpora.without(rows, kept_out), mask)
        return [encode(row, tokenizer, recipe.maximum_tokens) for row in chosen]

    return Corpus(encoded(public), encoded(training), encoded(unlabelled))


def _unlabelled(recipe: Recipe, data: Path) -> list[str]:
    """Return distinct public texts whose labels, if there are any, are left aside; so many of each set at most."""
    chosen: list[str] = []
    for name, texts in public_texts(data).items():
        distinct = sorted({text.strip() for text in texts if text.strip()})
        random.Random(f"{recipe.seed} {name}").shuffle(distinct)
        chosen += distinct[: recipe.unlabelled]
    return chosen


class Trainer:
    """Holds network, moving average, optimiser and place; ``run`` goes on from wherever the run folder stands."""

    def __init__(self, recipe: Recipe, corpus: Corpus, folder: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.corpus, self.folder = recipe, corpus, folder
        self.network = build(recipe.encoder, recipe.loss["dropout"], recipe.start)
        self.objective = Objective(recipe.loss, corpus.labelled)
        self.place = (0, 0)
        self.teacher: MoodNetwork | None = None
        self._begin()
        folder.mkdir(parents=True, exist_ok=True)
        self._resume()

    def run(self, progress: Callable[[str, int, int, float], None]) -> Path:
        """Train to the end, calling ``progress(phase, step, steps, loss)``; return the weights' path."""
        for number, phase in enumerate(self.recipe.phases):
            if number >= self.place[0]:
                self._phase(number, phase, progress)
                self.place = (number + 1, 0)
                self._checkpoint()
        self._ranges()
        return self._save("network.safetensors")

    def _save(self, name: str) -> Path:
        """Write the averaged weights into the run's folder."""
        path = self.folder / name
        save_file({name: value.contiguous() for name, value in self.average.items()}, path)
        return path

    def _begin(self) -> None:
        """Start averaging and optimising from the network as it is."""
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(_groups(self.network, self.recipe.loss["layer_decay"]), weight_decay=0.01)

    def _phase(self, number: int, phase: Phase, progress: Callable[[str, int, int, float], None]) -> None:
        if phase.wide and not self.place[1]:
            self._narrow(phase.wide)
        if phase.rows == "unlabelled":
            self.teacher = build(self.recipe.encoder, 0.0, str(self.folder / _TEACHER)).eval()
        with eight_bits(self.network, self._ranges()) if phase.eight_bits else nullcontext():
            self._steps(number, phase, progress)
        self.teacher = None

    def _narrow(self, wide: int) -> None:
        """Keep the averaged weights as the teacher, and go on from them with fewer units."""
        self._save(_TEACHER)
        self.network.load_state_dict(self.average)
        narrow(self.network, self._sample(_NARROWED_BY), wide)
        self._begin()

    def _sample(self, count: int) -> list[Tensor]:
        """Return the padded ids of some labelled rows."""
        rows = random.Random(self.recipe.seed).sample(self.corpus.labelled, min(count, len(self.corpus.labelled)))
        return [collate(rows).ids for rows in batches(rows, self.recipe.tokens_per_batch, "ranges")]

    def _ranges(self) -> dict[str, Range]:
        """Return where activations lie, measured once a run: the release is made with the same."""
        path = self.folder / RANGES
        if not path.exists():
            self.network.eval()
            ranges = activation_ranges(self.network, self._sample(_RANGED_BY))
            path.write_text(json.dumps(ranges, indent=1), encoding="utf-8")
        return {place: (low, high) for place, (low, high) in json.loads(path.read_text(encoding="utf-8")).items()}

    def _steps(self, number: int, phase: Phase, progress: Callable[[str, int, int, float], None]) -> None:
        epochs = [len(self.corpus.epoch(phase, self.recipe, epoch)) for epoch in range(phase.epochs)]
        steps, began = sum(epochs), time.monotonic()
        for step, batch in enumerate(self._batches(phase)):
            if step < self.place[1]:
                continue
            loss = self._step(phase, step, steps, batch)
            self.place = (number, step + 1)
            if step % 10 == 0:
                self._log(phase.name, step, steps, loss, time.monotonic() - began)
                progress(phase.name, step, steps, loss)
            if (step + 1) % self.recipe.checkpoint_every == 0:
                self._checkpoint()

    def _batches(self, phase: Phase) -> Iterator[list[Encoded]]:
        for epoch in range(phase.epochs):
            yield from self.corpus.epoch(phase, self.recipe, epoch)

    def _step(self, phase: Phase, step: int, steps: int, rows: list[Encoded]) -> float:
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.place[0] * 100_003 + step)
        warm = max(1, int(steps * phase.warm_up))
        scale = min((step + 1) / warm, (steps - step) / max(1, steps - warm))
        for group in self.optimiser.param_groups:
            group["lr"] = scale * group["share"] * (phase.head_rate if group["head"] else phase.encoder_rate)
        self.network.train()
        batch = collate(rows)
        loss = self._loss(batch)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self._follow(step)
        return float(loss.detach())

    def _loss(self, batch: Batch) -> Tensor:
        scores = self.network(batch.ids, batch.mask)
        if self.teacher is None:
            return self.objective(scores, batch)
        with torch.no_grad():
            taught = self.teacher(batch.ids, batch.mask)
        return F.mse_loss(scores, taught)  # scores, not chances, as Ba and Caruana (2014) advise

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        decay = min(self.recipe.loss["average"], (step + 1) / (step + 10))
        for name, value in self.network.state_dict().items():
            kept = self.average[name]
            if value.dtype.is_floating_point and value.data_ptr() != kept.data_ptr():
                kept.lerp_(value, 1 - decay)

    def _log(self, phase: str, step: int, steps: int, loss: float, seconds: float) -> None:
        line = {"phase": phase, "step": step, "steps": steps, "loss": round(loss, 4), "seconds": round(seconds)}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _checkpoint(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "place": self.place,
        }
        unfinished = self.folder / "checkpoint.tmp"
        torch.save(state, unfinished)
        unfinished.replace(self.folder / "checkpoint.pt")

    def _resume(self) -> None:
        path = self.folder / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            set_width(self.network, width_of(state["network"]))
            self._begin()
            self.network.load_state_dict(state["network"])
            self.average = state["average"]
            self.optimiser.load_state_dict(state["optimiser"])
            self.place = tuple(state["place"])


def _groups(network: MoodNetwork, decay: float) -> list[dict[str, Any]]:
    layers = 1 + max(int(name.split(".layer.")[1].split(".")[0]) for name in _layered(network))
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(_rate(name, layers, decay), []).append(parameter)
    return [{"params": group, "share": share, "head": head} for (share, head), group in groups.items()]


def _layered(network: MoodNetwork) -> list[str]:
    return [name for name, _ in network.named_parameters() if ".layer." in name]


def _rate(name: str, layers: int, decay: float) -> tuple[float, bool]:
    if not name.startswith("encoder."):
        return 1.0, True
    if ".layer." in name:
        return decay ** (layers - 1 - int(name.split(".layer.")[1].split(".")[0])), False
    return decay**layers, False
