"""The objectives on a toy set: each learns, resumes exactly, and computes the loss that it names."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medlink.contrastive.diagnostics import CollapseGuard
from medlink.contrastive.grad_cache import GradCache
from medlink.contrastive.losses.registry import PAIR_LOSSES
from medlink.contrastive.losses.sigmoid import multi_similarity
from medlink.contrastive.losses.softmax import info_nce, nt_xent, supervised_contrastive, symmetric_info_nce
from medlink.contrastive.mining import hard_pairs
from medlink.contrastive.objectives.in_batch import SimClr
from medlink.contrastive.objectives.protocol import Batch, Objective, Towers
from medlink.contrastive.objectives.registry import OBJECTIVES, build_objective
from medlink.contrastive.objectives.regularised import Regularised, Spread
from medlink.contrastive.objectives.retroactive import Retroactive
from medlink.contrastive.similarity import Pairs, cosine_similarity, euclidean_distance, inner_products
from medlink.errors import ArtifactError, SettingError, UnknownNameError
from tests.contrastive.cases import random_vectors

WIDTH, N_CONCEPTS = 8, 24
# What each objective needs beside its defaults, on so small a set.
OPTIONS: Mapping[str, Mapping[str, object]] = {
    "byol": {"n_steps": 60, "momentum": 0.9, "hidden": 32},
    "clip": {},
    "in_batch": {"loss": "triplet", "options": {"margin": 0.5}},
    "moco": {"capacity": 40, "momentum": 0.9},
    "retroactive": {"capacity": 40, "k": 4, "drift_every": 2, "momentum": 0.5, "max_drift": 0.0},
    "sapbert": {},
    "simclr": {"projected": 4, "hidden": 16},
    "supcon": {},
}
every_objective = pytest.mark.parametrize("name", sorted(OBJECTIVES))


class Names(nn.Module):
    """An encoder of strings: the mean of its letters' vectors, through a layer with dropout."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.letters = nn.EmbeddingBag(128, 16)
        self.layer = nn.Sequential(nn.Dropout(0.1), nn.Linear(16, WIDTH))

    def forward(self, names: list[str]) -> Tensor:
        """*Shape:* (n_names, WIDTH)."""
        codes = [torch.tensor([ord(letter) for letter in name]) for name in names]
        offsets = torch.tensor([0, *(len(code) for code in codes)]).cumsum(0)[:-1]
        embeddings: Tensor = self.layer(self.letters(torch.cat(codes), offsets))
        return embeddings


def name_of(concept: int, letters: str) -> str:
    """A name of the concept: its own two letters, in that column's way to write them."""
    return chr(97 + concept % 6) * 3 + letters + chr(97 + 6 + concept // 6) * 3


def batch(step: int, n_pairs: int = 12) -> Batch[list[str]]:
    """Pairs of names of random concepts, some of them the same."""
    generator = torch.Generator().manual_seed(step)
    concepts = torch.randint(0, N_CONCEPTS, (n_pairs,), generator=generator)
    first = [name_of(concept, "yy") for concept in concepts.tolist()]
    second = [name_of(concept, "zzzz") for concept in concepts.tolist()]
    return Batch(first, second, concepts, items=concepts)


def encoded_items(encoder: Names, items: Tensor) -> Tensor:
    """The embeddings of the seconds that these items name."""
    return encoder.forward([name_of(concept, "zzzz") for concept in items.tolist()])


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """An encoder in training under an objective."""

    encoder: Names
    objective: Objective[list[str]]
    optimiser: torch.optim.Optimizer

    def step(self, number: int) -> float:
        """One step on one batch; its loss."""
        step = self.objective.loss(batch(number))
        self.optimiser.zero_grad()
        torch.autograd.backward(step.loss)
        self.optimiser.step()
        self.objective.after_step()
        return step.loss.item()


def towers_of(encoder: Names) -> Towers[list[str]]:
    """One tower."""
    return Towers(encoder, encoder, WIDTH, encoder, lambda items: encoded_items(encoder, items))


def start(name: str) -> Run:
    """A fresh run."""
    encoder = Names()
    objective = build_objective(name, towers_of(encoder), OPTIONS[name])
    trained = [p for p in (*encoder.parameters(), *objective.parameters()) if p.requires_grad]
    return Run(encoder, objective, torch.optim.Adam(trained, lr=0.02))


def accuracy(encoder: Names) -> float:
    """The share of concepts whose second name is nearest to their first."""
    encoder.eval()
    with torch.no_grad():
        first = encoder([name_of(concept, "yy") for concept in range(N_CONCEPTS)])
        nearest = cosine_similarity(first, encoded_items(encoder, torch.arange(N_CONCEPTS))).argmax(dim=1)
    encoder.train()
    return float((nearest == torch.arange(N_CONCEPTS)).float().mean())


def test_registry_is_what_recipes_may_name() -> None:
    assert sorted(OBJECTIVES) == ["byol", "clip", "in_batch", "moco", "retroactive", "sapbert", "simclr", "supcon"]
    assert sorted(OPTIONS) == sorted(OBJECTIVES)


@every_objective
def test_objective_teaches_names_of_one_concept_to_meet(name: str) -> None:
    run = start(name)
    before = accuracy(run.encoder)
    for number in range(60):
        run.step(number)
    assert accuracy(run.encoder) > before + 0.2
    step = run.objective.loss(batch(99))
    assert not CollapseGuard().inspect(step.first, step.second).collapsed


@every_objective
def test_objective_resumes_bit_for_bit(name: str) -> None:
    run, resumed = start(name), start(name)
    for number in range(5):
        run.step(number)
    resumed.encoder.load_state_dict(run.encoder.state_dict())
    resumed.optimiser.load_state_dict(copy.deepcopy(run.optimiser.state_dict()))
    resumed.objective.load_state(run.objective.state())
    losses = []
    for again in (run, resumed):
        torch.manual_seed(0)
        losses.append([again.step(number) for number in range(5, 10)])
    assert losses[0] == losses[1]
    states = [again.objective.state() for again in (run, resumed)]
    assert all(torch.equal(tensor, states[1][key]) for key, tensor in states[0].items())


@every_objective
def test_objective_state_is_a_copy_of_tensors(name: str) -> None:
    run = start(name)
    run.step(0)
    state = run.objective.state()
    before = {key: tensor.clone() for key, tensor in state.items()}
    run.step(1)
    assert all(torch.equal(tensor, before[key]) for key, tensor in state.items())


@every_objective
def test_objective_reports_parts_and_embeddings(name: str) -> None:
    step = start(name).objective.loss(batch(0))
    assert step.parts["loss"] == step.loss
    assert not any(part.requires_grad for part in step.parts.values())
    assert step.first.shape == step.second.shape == (12, WIDTH)
    assert step.first.requires_grad


@every_objective
def test_objective_gives_the_same_gradients_from_a_cache(name: str) -> None:
    gradients = []
    for is_cached in (False, True):
        encoder = Names().eval()
        cache = GradCache[list[str]](encoder, chunk_size=5)
        encode = cache if is_cached else encoder
        objective = build_objective(name, replace(towers_of(encoder), query=encode, key=encode), OPTIONS[name])
        torch.autograd.backward(objective.loss(batch(0)).loss)
        if is_cached:
            cache.backward()
        gradients.append([p.grad for p in (*encoder.parameters(), *objective.parameters()) if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) >= 3
    for plain, cached in zip(*gradients, strict=True):
        torch.testing.assert_close(cached, plain, rtol=0, atol=1e-5)


# A table of embeddings as the encoder, to compare with the losses themselves.
FIRST, SECOND = random_vectors(6, WIDTH, 1), random_vectors(6, WIDTH, 2)
CONCEPTS = torch.tensor([0, 1, 1, 2, 3, 4])
TABLE = Towers[Tensor](lambda x: x, lambda x: x, WIDTH, nn.Identity())
ALL, ALL_PAIRS = torch.cat((FIRST, SECOND)), Pairs.from_concepts(CONCEPTS.repeat(2))
PLAIN = Batch(FIRST, SECOND, CONCEPTS)
ACROSS = Pairs.from_concepts(CONCEPTS, CONCEPTS)


def of_table(name: str, batch: Batch[Tensor] = PLAIN, **options: object) -> Tensor:
    """The objective's loss on a table's embeddings."""
    return build_objective(name, TABLE, options).loss(batch).loss.detach()


def test_supcon_is_the_supervised_contrastive_loss_of_all_names() -> None:
    expected = supervised_contrastive(cosine_similarity(ALL, ALL), ALL_PAIRS, temperature=0.2)
    torch.testing.assert_close(of_table("supcon", temperature=0.2), expected)


def test_sapbert_is_the_multi_similarity_loss_of_hard_pairs() -> None:
    similarity = cosine_similarity(ALL, ALL)
    hard = hard_pairs(-euclidean_distance(similarity), ALL_PAIRS, margin=0.2)
    torch.testing.assert_close(of_table("sapbert"), multi_similarity(similarity, hard))


def test_clip_is_symmetric_info_nce_between_the_towers() -> None:
    expected = symmetric_info_nce(cosine_similarity(FIRST, SECOND), ACROSS, temperature=0.5)
    torch.testing.assert_close(of_table("clip", temperature=0.5), expected)


def test_clip_leaves_the_temperature_where_it_is_not_learned() -> None:
    objective = build_objective("clip", TABLE, {"learned": False})
    assert [parameter.requires_grad for parameter in objective.parameters()] == [False]


def test_moco_starts_as_info_nce_and_then_adds_the_queue() -> None:
    moco = build_objective("moco", TABLE, {"temperature": 0.5, "capacity": 6})
    expected = info_nce(cosine_similarity(FIRST, SECOND), ACROSS, temperature=0.5)
    torch.testing.assert_close(moco.loss(PLAIN).loss, expected)
    moco.after_step()
    pairs = ACROSS.beside(ACROSS.only_negatives())
    similarity = cosine_similarity(FIRST, torch.cat((SECOND, SECOND)))
    torch.testing.assert_close(moco.loss(PLAIN).loss, info_nce(similarity, pairs, temperature=0.5))


def test_simclr_is_nt_xent_of_projections_and_views_of_one_concept_do_not_repel() -> None:
    simclr = SimClr(TABLE, OBJECTIVES["simclr"].settings(temperature=0.5))
    same = CONCEPTS[:, None] == CONCEPTS[None, :]
    expected = nt_xent(simclr.head(FIRST), simclr.head(SECOND), temperature=0.5, ignored=same)
    torch.testing.assert_close(simclr.loss(PLAIN).loss, expected)


def test_retroactive_without_alpha_is_info_nce() -> None:
    expected = info_nce(cosine_similarity(FIRST, SECOND), ACROSS, temperature=0.5)
    torch.testing.assert_close(of_table("retroactive", alpha=0.0, temperature=0.5), expected)


def test_retroactive_stores_keys_with_evidence_items_and_version_and_refreshes_them() -> None:
    towers = replace(TABLE, encode_items=lambda items: -SECOND[items])
    settings = OBJECTIVES["retroactive"].settings(drift_every=2, max_drift=0.5)
    objective = Retroactive(towers, settings)
    objective.loss(replace(PLAIN, weight=torch.arange(6.0), items=torch.arange(6)))
    objective.after_step()
    entries = objective.bank.entries()
    torch.testing.assert_close(entries.vectors, F.normalize(SECOND, dim=1))
    assert entries.concepts.tolist() == CONCEPTS.tolist()
    assert entries.weights.tolist() == [0, 1, 2, 3, 4, 5]
    assert entries.items.tolist() == [0, 1, 2, 3, 4, 5]
    assert entries.versions.tolist() == [1] * 6
    objective.after_step()
    torch.testing.assert_close(objective.bank.vectors, F.normalize(-SECOND, dim=1))
    assert objective.bank.entries().versions.tolist() == [2] * 6


def test_batch_ignored_pairs_do_not_repel() -> None:
    everything = ~torch.eye(6, dtype=torch.bool)
    for name in ("supcon", "clip", "simclr", "moco"):
        assert of_table(name, replace(PLAIN, ignored=everything)) < of_table(name)


def test_batch_weights_count_pairs() -> None:
    first = torch.tensor([1.0, 0, 0, 0, 0, 0])
    expected = info_nce(cosine_similarity(FIRST[:1], SECOND), Pairs.from_concepts(CONCEPTS[:1], CONCEPTS))
    weighted = replace(PLAIN, weight=first)
    torch.testing.assert_close(of_table("retroactive", weighted, temperature=0.05), expected)
    torch.testing.assert_close(of_table("moco", weighted, temperature=0.05), expected)


def test_batch_weights_do_not_touch_negatives() -> None:
    weight = torch.tensor([2.0, 1, 1, 3, 1, 1])
    weighted = replace(PLAIN, weight=weight)
    similarity = cosine_similarity(FIRST, SECOND)
    total, count = 0.0, 0.0
    for i in range(6):
        row = Pairs(ACROSS.positive[i : i + 1], ACROSS.negative[i : i + 1])
        n_positives = int(row.positive.sum())
        total += float(weight[i]) * n_positives * float(info_nce(similarity[i : i + 1], row, temperature=0.5))
        count += float(weight[i]) * n_positives
    assert of_table("moco", weighted, temperature=0.5).item() == pytest.approx(total / count)


def test_byol_s_target_stands_still_at_the_end() -> None:
    run = start("byol")
    targets = []
    for number in range(62):
        run.step(number)
        targets.append(run.objective.state()["slow.layer.1.weight"])
    assert not torch.equal(targets[0], targets[1])
    assert torch.equal(targets[60], targets[61])


@pytest.mark.parametrize("name", sorted(OBJECTIVES.keys() - {"byol"}))  # its batch norm needs two rows
@pytest.mark.parametrize("n_pairs", [0, 1])
def test_objective_takes_batches_without_negatives(name: str, n_pairs: int) -> None:
    leaf = FIRST[:n_pairs].clone().requires_grad_()
    tiny = Batch(leaf, SECOND[:n_pairs], CONCEPTS[:n_pairs])
    objective = build_objective(name, TABLE, {k: v for k, v in OPTIONS[name].items() if k != "drift_every"})
    loss = objective.loss(tiny).loss
    torch.autograd.backward(loss)
    objective.after_step()
    assert loss.isfinite()
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()


def test_regularised_adds_the_penalty_and_passes_on_the_rest() -> None:
    plain = build_objective("moco", TABLE, {"capacity": 6})
    regularised = Regularised(build_objective("moco", TABLE, {"capacity": 6}), Spread(variance=1.0, covariance=0.5))
    step = regularised.loss(PLAIN)
    torch.testing.assert_close(step.parts["loss"], plain.loss(PLAIN).loss + step.parts["spread"])
    assert step.parts["spread"] > 0
    for objective in (plain, regularised):
        objective.after_step()
    assert regularised.state().keys() == plain.state().keys()
    assert all(torch.equal(tensor, regularised.state()[key]) for key, tensor in plain.state().items())
    fresh = Regularised(build_objective("moco", TABLE, {"capacity": 6}), Spread())
    fresh.load_state(regularised.state())
    assert fresh.loss(PLAIN).parts["loss"] != step.parts["loss"]
    assert list(fresh.parameters()) == []


def test_regularised_is_zero_for_evenly_spread_embeddings() -> None:
    corners = F.normalize(torch.cat((torch.eye(WIDTH), -torch.eye(WIDTH))), dim=1)
    spread = Batch(corners, corners, torch.arange(2 * WIDTH))
    step = Regularised(build_objective("clip", TABLE, {}), Spread()).loss(spread)
    assert step.parts["spread"].item() == pytest.approx(0, abs=1e-6)


def test_build_objective_refuses_unknown_names_and_options() -> None:
    with pytest.raises(UnknownNameError, match=r"no such objective; expected byol, clip, .*; got simsiam"):
        build_objective("simsiam", TABLE, {})
    with pytest.raises(SettingError, match="supcon has no such option; expected temperature; got temprature"):
        build_objective("supcon", TABLE, {"temprature": 0.1})
    with pytest.raises(UnknownNameError, match=r"no such loss; expected contrastive, .*; got hinge"):
        build_objective("in_batch", TABLE, {"loss": "hinge"})
    with pytest.raises(SettingError, match="the loss triplet has no such option; expected margin; got temperature"):
        build_objective("in_batch", TABLE, {"loss": "triplet", "options": {"temperature": 0.1}})


@pytest.mark.parametrize("loss", sorted(PAIR_LOSSES))
def test_in_batch_takes_every_pair_loss(loss: str) -> None:
    expected = PAIR_LOSSES[loss](cosine_similarity(ALL, ALL), ALL_PAIRS)
    torch.testing.assert_close(of_table("in_batch", loss=loss), expected)
    products = PAIR_LOSSES[loss](inner_products(ALL, ALL) / 9, ALL_PAIRS)
    scaled = replace(PLAIN, first=FIRST / 3, second=SECOND / 3)
    torch.testing.assert_close(of_table("in_batch", scaled, loss=loss, cosine=False), products)


@pytest.mark.parametrize("name", ["moco", "retroactive"])
def test_objective_stores_the_keys_of_all_batches_of_a_step_but_of_none_without_gradients(name: str) -> None:
    run = start(name)
    with torch.no_grad():
        run.objective.loss(batch(0))
    for number in (1, 2):
        run.objective.loss(batch(number))
    run.objective.after_step()
    expected = torch.cat([batch(number).concepts for number in (1, 2)])
    assert torch.equal(run.objective.state()["bank.concepts"][:24], expected)
    assert run.objective.state()["bank.size"] == 24


def test_objective_refuses_the_state_of_another() -> None:
    moco = build_objective("moco", TABLE, {"capacity": 6})
    with pytest.raises(ArtifactError, match=r"the state of another objective; got differences in bank\.born, "):
        moco.load_state(build_objective("moco", TABLE, {"capacity": 7}).state())
    with pytest.raises(ArtifactError, match=r"differences in temperature\.log_scale"):
        build_objective("clip", TABLE, {}).load_state({})


@pytest.mark.parametrize(
    ("name", "options"), [("byol", {"n_steps": 0}), ("retroactive", {"drift_every": 0}), ("moco", {"capacity": 0})]
)
def test_build_objective_refuses_settings_out_of_range(name: str, options: dict[str, object]) -> None:
    with pytest.raises(SettingError, match="expected a number > 0"):
        build_objective(name, TABLE, options)


@pytest.mark.parametrize("name", ["moco", "byol"])
def test_objective_with_a_momentum_copy_needs_a_module(name: str) -> None:
    with pytest.raises(SettingError, match=r"momentum copy of the encoder; expected `Towers.module`"):
        build_objective(name, replace(TABLE, module=None), OPTIONS[name])
