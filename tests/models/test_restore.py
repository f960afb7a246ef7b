"""The graph that ships, back in floats: what is restored is what was written, but for its rounding."""

import pytest

torch = pytest.importorskip("torch", reason="torch is in the train extra")
onnx = pytest.importorskip("onnx", reason="onnx is in the train extra")

from transformers import BertConfig, BertModel  # noqa: E402

from models.errors import ReleaseError  # noqa: E402
from models.graph import graph  # noqa: E402
from models.network import MoodNetwork  # noqa: E402
from models.restore import restored  # noqa: E402

PLACES = "encoder.embeddings.position_embeddings.weight"
TYPES = "encoder.embeddings.token_type_embeddings.weight"
WORDS = "encoder.embeddings.word_embeddings.weight"
SHAPE = {
    "vocab_size": 40,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 12,
    "intermediate_size": 48,
    "max_position_embeddings": 16,
    "type_vocab_size": 1,
}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = MoodNetwork(BertModel(BertConfig(**SHAPE), add_pooling_layer=False), 24).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


@pytest.fixture(scope="module")
def path(network, tmp_path_factory):
    ranges = {f"{n}.{place}": (-1.0, 1.0) for n in range(2) for place in ("attention", "joined", "wide", "narrow")}
    file = tmp_path_factory.mktemp("release") / "model.onnx"
    onnx.save(graph({name: value.numpy() for name, value in network.state_dict().items()}, ranges, 2), file)
    return file


def test_every_weight_comes_back_within_half_a_step(network, path):
    written, back = network.state_dict(), restored(path).state_dict()
    assert back.keys() == written.keys()
    for name, value in written.items():
        if name in (PLACES, TYPES):
            continue
        rounded = value.ndim == 2 and name.startswith("encoder.")
        steps = value.abs().amax(-1, keepdim=True) / (127 if name == WORDS else 63)
        bound = steps / 2 if rounded else torch.tensor(0.0)
        assert ((back[name] - value).abs() <= bound * 1.001 + 1e-6).all(), name


def test_places_carry_the_type_that_all_words_have(network, path):
    written, back = network.state_dict(), restored(path).state_dict()
    assert torch.equal(back[PLACES] + back[TYPES][0], written[PLACES] + written[TYPES][0])


def test_a_graph_of_another_hand_is_told(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [])), path)
    with pytest.raises(ReleaseError, match=r"model\.onnx: no constant 'places'"):
        restored(path)
