"""Which optimiser for which parameter, rates by depth and step, what is clipped and what does not decay."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.surface_tower import SurfaceTower
from medlink.encoder.transformer_tower import TowerSettings, TransformerTower
from medlink.errors import SettingError
from medlink.training.optimiser import make_optimiser, rate_share
from medlink.training.recipe import TrainSection
from medlink.training.row_adagrad import RowAdagrad


def test_make_optimiser_gives_lower_layers_lower_rates(encoder_folder: Path) -> None:
    encoder = TransformerTower(encoder_folder, TowerSettings())
    head, frozen = nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.zeros(2), requires_grad=False)
    section = TrainSection(learning_rate=1.0, layer_decay=0.5, head_rate=7.0, weight_decay=0.1)
    optimiser = make_optimiser(encoder, [head, frozen], section)
    found = {id(p): group for group in optimiser.groups() for p in group["params"]}
    parameters = dict(encoder.named_parameters())
    rates = {depth: 0.5 ** (2 - depth) for depth in (0, 1, 2)}
    for name, depth in encoder.depths().items():
        if not name.startswith("_model.pooler."):
            assert found[id(parameters[name])]["peak"] == rates[depth], name
            assert found[id(parameters[name])]["weight_decay"] == (0.1 if parameters[name].ndim > 1 else 0.0)
    assert (found[id(head)]["peak"], found[id(head)]["weight_decay"]) == (7.0, 0.0)
    assert id(frozen) not in found
    assert not [name for name in parameters if name.startswith("_model.pooler.") and id(parameters[name]) in found]


def surface_tower() -> SurfaceTower:
    return SurfaceTower.at_random(FeatureSettings(bits=8), ["renal cyst", "seizure"], width=4, seed=0)


def test_make_optimiser_gives_a_sparse_table_row_wise_adagrad_and_heads_adam() -> None:
    tower, head = surface_tower(), nn.Parameter(torch.zeros(2, 2))
    optimiser = make_optimiser(tower, [head], TrainSection(learning_rate=0.6, head_rate=0.01))
    assert [type(part) for part in optimiser.parts] == [torch.optim.AdamW, RowAdagrad]
    optimiser.set_rates(0.5)
    assert [(group["params"], group["lr"]) for group in optimiser.groups()] == [
        ([head], 0.005),
        ([tower.rows.weight], 0.3),
    ]


def test_clip_counts_all_gradients_but_shortens_the_dense_ones() -> None:
    tower, head = surface_tower(), nn.Parameter(torch.zeros(2))
    optimiser = make_optimiser(tower, [head], TrainSection())
    (tower(["renal cyst", "renal cyst"]).sum() + 3 * head.sum()).backward()
    assert tower.rows.weight.grad is not None and head.grad is not None
    before = tower.rows.weight.grad.to_dense()
    expected = (before.square().sum() + 2 * 3**2) ** 0.5
    assert optimiser.clip(0.1) == pytest.approx(float(expected), rel=1e-6)
    assert head.grad.norm() == pytest.approx(0.1, rel=1e-4)
    assert torch.equal(tower.rows.weight.grad.to_dense(), before)


def test_optimiser_goes_on_from_its_state() -> None:
    ends = []
    for resumed in (False, True):
        tower, head = surface_tower(), nn.Parameter(torch.ones(2))
        optimiser = make_optimiser(tower, [head], TrainSection())
        for step in range(4):
            if resumed and step == 2:
                state = optimiser.state()
                optimiser = make_optimiser(tower, [head], TrainSection())
                optimiser.load_state(state)
            optimiser.zero_grad()
            ((tower(["renal cyst", "seizure"]).sum(dim=1) * head).sum() * (step + 1)).backward()
            optimiser.step()
        ends.append(torch.cat((tower.rows.weight.detach().flatten(), head.detach())))
    assert torch.equal(*ends)


def test_row_adagrad_follows_the_formula() -> None:
    table = nn.Parameter(torch.zeros(3, 2))
    optimizer = RowAdagrad([table], rate=0.5)
    for values in ([[3.0, 4.0]], [[0.0, 1.0]]):
        table.grad = torch.sparse_coo_tensor(torch.tensor([[1]]), torch.tensor(values), (3, 2), check_invariants=True)
        optimizer.step()
    first, second = (9 + 16) / 2, (9 + 16) / 2 + 1 / 2
    assert table[1].tolist() == pytest.approx([-0.5 * 3 / first**0.5, -0.5 * 4 / first**0.5 - 0.5 / second**0.5])
    assert not table[[0, 2]].any()


@pytest.mark.parametrize("rate", [-0.1, float("nan")])
def test_row_adagrad_refuses_what_is_no_rate(rate: float) -> None:
    with pytest.raises(SettingError, match="rate"):
        RowAdagrad([torch.zeros(1, 1)], rate=rate)


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.2 * 1.0), (4, 1 - 4 / 30), (29, 1 / 30)], ids=["first", "warm", "last"]
)
def test_rate_share_falls_from_the_start_where_asked(step: int, expected: float) -> None:
    section = TrainSection(steps=30, warmup=1 / 6, decline="from_start")
    assert rate_share(step, section) == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_rate_share_rises_and_falls_within_bounds(warmup: float) -> None:
    section = TrainSection(steps=20, warmup=warmup)
    shares = [rate_share(step, section) for step in range(20)]
    peak = shares.index(max(shares))
    assert max(shares) == pytest.approx(1.0)
    assert min(shares) > 0
    assert shares[: peak + 1] == sorted(shares[: peak + 1])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)
