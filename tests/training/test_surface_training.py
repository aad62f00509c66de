"""Training of the surface tower: it learns, goes on where it stopped, and takes nothing related for a negative."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.contrastive.exclusion import RelatedConcepts
from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.surface import SurfaceEncoder
from medlink.encoder.surface_tower import SurfaceTower
from medlink.errors import ArtifactError, EncoderError, SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name
from medlink.training.held_out import HeldOut, hold_out, share_found
from medlink.training.row_adagrad import RowAdagrad
from medlink.training.surface_batches import PairBatch, PairSampler, mine_neighbours
from medlink.training.surface_recipe import OntologySource, SurfaceRecipe, read_surface_recipe
from medlink.training.surface_run import make_surface_tower
from medlink.training.surface_training import StepResult, SurfaceTrainer, SurfaceTraining, pair_loss
from medlink.training.synonyms import Synonyms, tabulate_synonyms

FEATURES = FeatureSettings(bits=12)
QUICK = SurfaceTraining(n_steps=30, batch_size=16, width=32, rate=0.3, n_warm_up=5, mine_at=(10,), n_group=4)
ORGANS = {"renal": "kidney", "hepatic": "liver", "cardiac": "heart", "pulmonary": "lung", "gastric": "stomach"}
FINDINGS = ("cyst", "tumour", "failure", "abscess", "haematoma", "infarction", "fibrosis", "hypoplasia")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """So small tensors are done sooner by one thread than by several."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def lexicon_of(*concepts: Concept) -> Lexicon:
    ontology = Ontology(name="t", title="t", version="1", licence="", sha256="", concepts=concepts)
    return Lexicon(replace(ontology, concepts=tuple(sorted(concepts, key=lambda c: c.id))))


def concept(concept_id: str, name: str, *synonyms: str, xrefs: tuple[str, ...] = ()) -> Concept:
    return Concept(concept_id, name, tuple(Name(synonym) for synonym in synonyms), xrefs=xrefs)


@pytest.fixture(scope="module")
def tiny(tiny_lexicon: Lexicon) -> Synonyms:
    return tabulate_synonyms([tiny_lexicon])


@pytest.fixture(scope="module")
def organs() -> tuple[Synonyms, HeldOut]:
    """Findings in organs by their Latin and their English name; of every third only the Latin one is given."""
    cells = [(latin, finding) for latin in ORGANS for finding in FINDINGS]
    kept_back = {place: f"{ORGANS[latin]} {finding}" for place, (latin, finding) in enumerate(cells) if place % 3 == 0}
    concepts = [
        concept(f"T:{place:03}", f"{latin} {finding}", *([] if place in kept_back else [f"{ORGANS[latin]} {finding}"]))
        for place, (latin, finding) in enumerate(cells)
    ]
    held_out = HeldOut(tuple(kept_back.values()), np.array(list(kept_back)))
    return tabulate_synonyms([lexicon_of(*concepts)]), held_out


def trained(synonyms: Synonyms, training: SurfaceTraining = QUICK) -> SurfaceTower:
    return SurfaceTrainer(synonyms, FEATURES, training=training).run()


# ---- what is trained on ----


def test_tabulate_synonyms_keeps_each_name_of_a_concept_once() -> None:
    synonyms = tabulate_synonyms(
        [lexicon_of(concept("T:1", "Renal cyst", "renal  CYST", "Kidney cyst"), concept("T:2", "Ménière's 🫀", "…"))]
    )
    assert [synonyms.names_of(c) for c in range(synonyms.n_concepts)] == [("renal cyst", "kidney cyst"), ("meniere",)]
    assert synonyms.weight == pytest.approx([2**0.5, 0.4])


def test_tabulate_synonyms_relates_homonyms_and_shared_references() -> None:
    first = lexicon_of(
        concept("A:1", "one", "mr"), concept("A:2", "two", "MR"), concept("A:3", "three", xrefs=("UMLS:1",))
    )
    second = lexicon_of(concept("B:1", "drei", xrefs=("umls:1",)), concept("B:2", "zwei", xrefs=("a:2",)))
    assert tabulate_synonyms([first, second]).related.tolist() == [[0, 1], [1, 4], [2, 3]]


def test_tabulate_synonyms_relates_nobody_by_a_code_that_many_share() -> None:
    crowd = lexicon_of(*(concept(f"A:{i}", f"name {i}", xrefs=("ICD9:780",)) for i in range(9)))
    assert tabulate_synonyms([crowd]).related.shape == (0, 2)


def test_tabulate_synonyms_leaves_obsolete_concepts_out(tiny: Synonyms) -> None:
    assert "convulsions" not in tiny.names
    assert not any("obsolete" in name for name in tiny.names)


@pytest.mark.parametrize("weights", [[], [1.0, 1.0], [0.0], [float("nan")]])
def test_tabulate_synonyms_refuses_weights_that_do_not_fit(tiny_lexicon: Lexicon, weights: list[float]) -> None:
    with pytest.raises(SettingError, match="weight"):
        tabulate_synonyms([tiny_lexicon], weights)


def test_tabulate_synonyms_refuses_a_single_concept() -> None:
    with pytest.raises(SettingError, match="too few"):
        tabulate_synonyms([lexicon_of(concept("T:1", "alone"))])


# ---- held-out names ----


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_hold_out_loses_nothing_and_leaks_nothing(tiny: Synonyms, seed: int, share: float) -> None:
    left, held_out = hold_out(tiny, share, seed=seed)
    assert not set(held_out.names) & set(left.names)
    again = {c: set(left.names_of(c)) for c in range(left.n_concepts)}
    for name, number in zip(held_out.names, held_out.concepts.tolist(), strict=True):
        assert len(again[number]) >= 2
        again[number].add(name)
    assert again == {c: set(tiny.names_of(c)) for c in range(tiny.n_concepts)}


def test_hold_out_refuses_where_no_name_can_be_spared() -> None:
    pair = lexicon_of(concept("T:1", "one", "eins"), concept("T:2", "two"))
    with pytest.raises(SettingError, match="spare"):
        hold_out(tabulate_synonyms([pair]), 0.5, seed=0)


def test_share_found_counts_nearest_names(tiny: Synonyms) -> None:
    tower = SurfaceTower.at_random(FEATURES, tiny.names, width=64, seed=0)
    cyst = tiny.names.index("kidney cyst")
    of_cyst = int(np.searchsorted(tiny.first, cyst, side="right") - 1)
    assert share_found(tower.encode, HeldOut(("kidney cyst",), np.array([of_cyst])), tiny) == 1.0
    assert share_found(tower.encode, HeldOut(("kidney cyst",) * 2, np.array([of_cyst, 0])), tiny) == 0.5


# ---- batches ----


def test_draw_gives_the_same_batch_for_the_same_step(tiny: Synonyms) -> None:
    def draw(step: int, *, seed: int = 0) -> tuple[tuple[str, ...], ...]:
        batch = PairSampler(tiny, seed, batch_size=8, augmented=0.5).draw(step)
        return batch.left, batch.right

    assert draw(3) == draw(3)
    assert len({draw(3), draw(4), draw(3, seed=1)}) == 3


@settings(max_examples=30, deadline=None)
@given(step=st.integers(0, 10**6), near=st.booleans())
def test_draw_gives_two_names_of_different_concepts(tiny: Synonyms, step: int, near: bool) -> None:
    sampler = PairSampler(tiny, 0, batch_size=8, augmented=0.0, near_share=0.5)
    if near:
        sampler.neighbours = np.stack((np.arange(22), np.arange(22)[::-1]), axis=1)
    batch = sampler.draw(step)
    assert len(set(batch.concepts.tolist())) == len(batch.left) == len(batch.right) == 8
    for left, right, number in zip(batch.left, batch.right, batch.concepts.tolist(), strict=True):
        names = tiny.names_of(number)
        assert right in names
        assert (left in names and left != right) or len(names) == 1


def test_draw_fills_the_share_with_neighbourhoods(tiny: Synonyms) -> None:
    sampler = PairSampler(tiny, 0, batch_size=8, augmented=0.0, near_share=1.0)
    sampler.neighbours = np.stack((np.arange(22), (np.arange(22) + 1) % 22), axis=1)
    first, second = sampler.draw(0).concepts[:2].tolist()
    assert second == (first + 1) % 22


def test_draw_never_changes_a_name_into_another_concepts() -> None:
    pair = lexicon_of(concept("T:1", "renal cysts"), concept("T:2", "renal cyst"))
    sampler = PairSampler(tabulate_synonyms([pair]), 0, batch_size=2, augmented=1.0)
    drawn = {
        (number, left)
        for step in range(200)
        for batch in [sampler.draw(step)]
        for number, left in zip(batch.concepts.tolist(), batch.left, strict=True)
    }
    assert len(drawn) > 10
    assert not drawn & {(0, "renal cyst"), (1, "renal cysts")}


def test_mine_neighbours_agrees_with_sorting(tiny: Synonyms) -> None:
    encode = SurfaceTower.at_random(FEATURES, tiny.names, width=64, seed=0).encode
    found = mine_neighbours(tiny, encode, n_group=5)
    vectors = encode([tiny.names_of(c)[0] for c in range(tiny.n_concepts)])
    for number, group in enumerate(found.tolist()):
        cosines = vectors @ vectors[number]
        cosines[number] = 2
        assert group == np.argsort(-cosines)[:5].tolist()


# ---- one step ----


def test_row_adagrad_follows_the_formula() -> None:
    table = torch.nn.Parameter(torch.zeros(3, 2))
    optimizer = RowAdagrad([table], rate=0.5)
    for values in ([[3.0, 4.0]], [[0.0, 1.0]]):
        table.grad = torch.sparse_coo_tensor(torch.tensor([[1]]), torch.tensor(values), (3, 2), check_invariants=True)
        optimizer.step()
    first, second = (9 + 16) / 2, (9 + 16) / 2 + 1 / 2
    assert table[1].tolist() == pytest.approx([-0.5 * 3 / first**0.5, -0.5 * 4 / first**0.5 - 0.5 / second**0.5])
    assert not table[[0, 2]].any()


def test_row_adagrad_refuses_a_rate_of_zero() -> None:
    with pytest.raises(SettingError, match="rate"):
        RowAdagrad([torch.zeros(1, 1)], rate=0.0)


def test_pair_loss_leaves_related_concepts_out(tiny: Synonyms) -> None:
    tower = SurfaceTower.at_random(FEATURES, tiny.names, width=32, seed=0)
    batch = PairBatch(("renal cyst", "kidney cyst"), ("renal cysts", "kidney cysts"), np.array([0, 1]))
    apart = pair_loss(tower, batch, RelatedConcepts(torch.tensor([[2, 3]])), temperature=0.05)
    related = pair_loss(tower, batch, RelatedConcepts(torch.tensor([[0, 1]])), temperature=0.05)
    assert apart.item() > 0
    assert related.item() == 0
    related.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.06 * 1.0), (4, 0.3 * (1 - 4 / 30)), (29, 0.3 / 30)], ids=["first", "warm", "last"]
)
def test_rate_rises_then_falls(step: int, expected: float) -> None:
    assert QUICK.rate_at(step) == pytest.approx(expected)


@pytest.mark.parametrize("change", [{"n_steps": 0}, {"augmented": 1.5}, {"near_share": -1}, {"temperature": 0}])
def test_training_refuses_numbers_out_of_range(change: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(change))):
        replace(QUICK, **change)  # type: ignore[arg-type]


# ---- the loop ----


def test_training_carries_synonyms_over_to_names_not_seen(organs: tuple[Synonyms, HeldOut]) -> None:
    synonyms, held_out = organs
    training = replace(QUICK, n_steps=40, batch_size=32, augmented=0.0)
    before = SurfaceTower.at_random(FEATURES, synonyms.names, width=training.width, seed=0)
    after = trained(synonyms, training)
    assert share_found(after.encode, held_out, synonyms) > share_found(before.encode, held_out, synonyms) + 0.5


def test_training_on_the_tiny_ontology_draws_synonyms_together(tiny: Synonyms) -> None:
    losses: list[float] = []
    trainer = SurfaceTrainer(tiny, FEATURES, training=QUICK, on_step=lambda result: losses.append(result.loss))
    before = trainer.tower.encode(["heart attack", "myocardial infarction"])
    trainer.run()
    after = trainer.tower.encode(["heart attack", "myocardial infarction"])
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2
    assert after[0] @ after[1] > before[0] @ before[1] + 0.3


def test_training_with_the_same_seed_gives_the_same_bits(tiny: Synonyms) -> None:
    first, second, other = trained(tiny), trained(tiny), trained(tiny, replace(QUICK, seed=1))
    assert first.table.tobytes() == second.table.tobytes()
    assert first.table.tobytes() != other.table.tobytes()


@pytest.mark.parametrize("stop", [5, 17], ids=["before mining", "after mining"])
def test_resumed_training_equals_an_uninterrupted_one(tiny: Synonyms, tmp_path: Path, stop: int) -> None:
    checkpoint = tmp_path / "state.safetensors"
    SurfaceTrainer(tiny, FEATURES, training=QUICK).run(until=stop, checkpoint=checkpoint)
    steps: list[StepResult] = []
    resumed = SurfaceTrainer(tiny, FEATURES, training=QUICK, on_step=steps.append).run(checkpoint=checkpoint)
    assert [result.step for result in steps] == list(range(stop, 30))
    assert resumed.table.tobytes() == trained(tiny).table.tobytes()


def test_finished_training_is_not_repeated(tiny: Synonyms, tmp_path: Path) -> None:
    checkpoint, steps = tmp_path / "state.safetensors", list[StepResult]()
    done = SurfaceTrainer(tiny, FEATURES, training=QUICK).run(checkpoint=checkpoint)
    again = SurfaceTrainer(tiny, FEATURES, training=QUICK, on_step=steps.append).run(checkpoint=checkpoint)
    assert not steps
    assert again.table.tobytes() == done.table.tobytes()


def test_checkpoint_of_another_run_is_refused(tiny: Synonyms, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.safetensors"
    SurfaceTrainer(tiny, FEATURES, training=QUICK).run(until=2, checkpoint=checkpoint)
    with pytest.raises(SettingError, match="other settings or data"):
        SurfaceTrainer(tiny, FEATURES, training=replace(QUICK, rate=0.2)).run(checkpoint=checkpoint)


def test_damaged_checkpoint_is_refused(tiny: Synonyms, tmp_path: Path) -> None:
    checkpoint = tmp_path / "state.safetensors"
    checkpoint.write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="cannot be read"):
        SurfaceTrainer(tiny, FEATURES, training=QUICK).run(checkpoint=checkpoint)


def test_training_stops_where_the_loss_is_not_finite(tiny: Synonyms) -> None:
    trainer = SurfaceTrainer(tiny, FEATURES, training=QUICK)
    with torch.no_grad():
        trainer.tower.rows.weight.fill_(torch.nan)
    with pytest.raises(EncoderError, match="step 0: the loss is not finite"):
        trainer.run()


# ---- recipes ----


def test_make_surface_tower_writes_encoder_and_report(tiny_lexicon: Lexicon, tmp_path: Path) -> None:
    recipe = SurfaceRecipe(ontologies=(OntologySource(name="tiny"),), held_out=0.5, features=FEATURES, train=QUICK)
    report = make_surface_tower(recipe, [tiny_lexicon], tmp_path / "tower")
    encoder = SurfaceEncoder(tmp_path / "tower")
    assert encoder.encode(["seizure"]).shape == (1, 32)
    assert json.loads((tmp_path / "tower/report.json").read_text(encoding="utf-8"))["data_hash"] == report.data_hash
    assert len((tmp_path / "tower/steps.jsonl").read_text(encoding="utf-8").splitlines()) == 30
    assert SurfaceRecipe.model_validate_json((tmp_path / "tower/recipe.json").read_text(encoding="utf-8")) == recipe
    assert report.trained is not None
    assert report.stored == pytest.approx(report.trained, abs=0.15)


def test_shipped_recipe_is_valid() -> None:
    recipe = read_surface_recipe(Path(__file__).parents[2] / "pipelines/surface.toml")
    assert recipe.features.n_buckets == 1 << 17


@pytest.mark.parametrize(
    "text",
    ["", "x = ", '[[ontologies]]\nname = "hpo"\n[train]\nsteps = 3', '[[ontologies]]\nname = "hpo"\nweight = 0'],
    ids=["empty", "no TOML", "unknown key", "weight of zero"],
)
def test_read_surface_recipe_refuses_what_is_no_recipe(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match="cannot be read"):
        read_surface_recipe(path)


def test_read_surface_recipe_names_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no such recipe"):
        read_surface_recipe(tmp_path / "recipe.toml")
