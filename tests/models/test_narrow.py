"""Narrowing: fewer feed-forward units that say what all of them said."""

import pytest

torch = pytest.importorskip("torch", reason="torch is in the train extra")
from transformers import BertConfig, BertModel  # noqa: E402

from models.narrow import narrow  # noqa: E402
from models.network import MoodNetwork, layers_of, set_width, width_of  # noqa: E402

UNITS = 192


@pytest.fixture
def network():
    """Two layers of random weights, in which every unit but the first half's says what one of the first half says."""
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=200, hidden_size=24, num_hidden_layers=2, num_attention_heads=12, intermediate_size=UNITS
    )
    made = MoodNetwork(BertModel(config, add_pooling_layer=False), 24).eval()
    with torch.no_grad():
        for layer in layers_of(made):
            first, half = layer.intermediate.dense, UNITS // 2
            first.weight.normal_(0, 0.5)
            layer.output.dense.weight.normal_(0, 0.5)
            first.weight[half:], first.bias[half:] = first.weight[:half], first.bias[:half]
    return made


@pytest.fixture
def batches():
    torch.manual_seed(4)
    found = [torch.randint(1, 200, (40, 30)) for _ in range(4)]
    found[0][:20, 20:] = 0
    return found


def said(network, batches):
    with torch.no_grad():
        return torch.cat([network(ids, (ids != 0).long()) for ids in batches])


def rms(values):
    return values.square().mean().sqrt()


def test_what_others_say_too_can_go_without_a_loss(network, batches):
    before = said(network, batches)
    narrow(network, batches, UNITS // 2)
    assert width_of(network.state_dict()) == UNITS // 2
    assert rms(said(network, batches) - before) < 0.05 * before.std()


def test_fewer_units_say_nearly_the_same_and_better_than_the_first_of_them(network, batches):
    before = said(network, batches)
    cut = network.state_dict()
    narrow(network, batches, UNITS // 4)
    lost = rms(said(network, batches) - before)
    set_width(network, UNITS // 4)
    for name, values in cut.items():
        if ".intermediate.dense" in name:
            cut[name] = values[: UNITS // 4]
        elif ".output.dense.weight" in name and "attention" not in name:
            cut[name] = values[:, : UNITS // 4] * 4
    network.load_state_dict(cut)
    assert lost < rms(said(network, batches) - before) / 2


def test_nothing_changes_where_nothing_goes(network, batches):
    before = said(network, batches)
    narrow(network, batches, UNITS)
    assert rms(said(network, batches) - before) < 0.001 * before.std()
