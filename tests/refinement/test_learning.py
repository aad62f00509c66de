from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from medlink.contrastive.memory_bank import MemoryBank, Weighting
from medlink.contrastive.retroactive import Retrieval, retroactive_contrastive_loss
from medlink.errors import ArtifactError, SettingError
from medlink.linking.linker import Linker
from medlink.refinement.batches import draw_batch
from medlink.refinement.checkpoint import Checkpoint, Saving
from medlink.refinement.learning import Step, learn
from medlink.refinement.memory import fill_bank
from medlink.refinement.settings import Mode, RefineSettings
from medlink.refinement.views import AdapterViews, FullViews, SurfaceViews, Views
from medlink.training.guard import CollapseError
from tests.refinement.tiny_teaching import QUICK, Prepared, prepare

FULL = QUICK.model_copy(update={"mode": Mode.FULL, "learning_rate": 1e-3, "chunk_size": 8})


def bank_of(prepared: Prepared, settings: RefineSettings = QUICK) -> MemoryBank:
    return fill_bank(prepared.material, prepared.ground, prepared.signals, settings, None)


def train(prepared: Prepared, settings: RefineSettings, bank: MemoryBank | None = None) -> SurfaceViews:
    views = SurfaceViews(prepared.parent, settings)
    learn(views, prepared.material, bank_of(prepared, settings) if bank is None else bank, settings)
    return views


def with_(settings: RefineSettings, **changes: object) -> RefineSettings:
    return settings.model_copy(update=changes)


class Recording(SurfaceViews):
    """Notes the losses that are sent backward."""

    losses: tuple[float, ...] = ()

    def backward(self, loss: Tensor) -> None:
        self.losses = (*self.losses, loss.item())
        super().backward(loss)


def test_loss_is_the_retroactive_one_and_how_far_the_names_have_moved(prepared: Prepared) -> None:
    settings = with_(QUICK, steps=2, alpha=0.7, stay=5.0)
    bank, twin = bank_of(prepared, settings), SurfaceViews(prepared.parent, settings)
    batch = draw_batch(prepared.material, settings, np.random.default_rng(settings.seed))
    keys = twin.key(batch.names)
    expected = (
        retroactive_contrastive_loss(
            torch.cat([twin.query(batch.mentions), twin.query(batch.replayed)]),
            keys,
            bank,
            query_concepts=batch.concepts,
            alpha=0.7,
            temperature=settings.temperature,
            k=settings.n_memory,
            retrieval=Retrieval(Weighting(settings.hardness), prepared.material.related, settings.margin),
            pairs=batch.pairs,
        )
        + 5.0 * (keys - batch.names.vectors).square().sum(dim=1).mean()
    )
    views = Recording(prepared.parent, settings)
    steps = learn(views, prepared.material, bank, settings)
    assert views.losses[0] == pytest.approx(expected.item(), rel=1e-6)
    assert steps[0].memory > 0
    assert steps[0].moved < 1e-5 < steps[1].moved
    for loss, step in zip(views.losses, steps, strict=True):
        assert loss == pytest.approx(step.batch + 0.7 * step.memory + 5.0 * step.moved, rel=1e-5)


def test_memory_is_left_out_without_alpha(prepared: Prepared) -> None:
    empty = MemoryBank(4, prepared.parent.encoder.width)
    without = train(prepared, with_(QUICK, alpha=0.0), empty).tower.table.copy()
    np.testing.assert_array_equal(train(prepared, with_(QUICK, alpha=0.0)).tower.table.copy(), without)
    assert not np.array_equal(train(prepared, QUICK).tower.table.copy(), without)


def test_wordings_come_nearer_to_what_they_mean_and_leave_what_was_refuted(prepared: Prepared) -> None:
    views = train(prepared, with_(QUICK, steps=30))
    before = prepared.material.wordings.vectors
    with torch.no_grad():
        after = views.query(prepared.material.wordings)
    for one in prepared.material.lessons:
        if not one.refuted:
            continue
        moves = []
        for rows in (list(one.positives), sorted(one.refuted)):
            names = prepared.material.names(rows)
            with torch.no_grad():
                cosine = (views.key(names) @ after[one.text]).mean() - (names.vectors @ before[one.text]).mean()
            moves.append(cosine.item())
        wording = prepared.material.wordings.texts[one.text]
        # What is said of kidneys pulls their cysts along: one document calls such a cyst an enlarged kidney.
        assert moves[0] > 0 > moves[1] or "kidney" in wording or wording == "renal cyst", wording


def test_names_move_less_where_they_are_to_stay(prepared: Prepared) -> None:
    names = prepared.material.names(sorted({one.text for one in prepared.material.replay}))

    def moved(stay: float) -> float:
        views = train(prepared, with_(QUICK, steps=20, stay=stay))
        with torch.no_grad():
            vectors = views.key(names)
        return float((vectors - names.vectors).square().sum(dim=1).mean())

    assert moved(50.0) < 0.7 * moved(0.0)


@pytest.mark.parametrize("kind", [SurfaceViews, AdapterViews, FullViews])
def test_same_seed_gives_the_same_weights_bit_for_bit(
    prepared: Prepared, kind: type[SurfaceViews | AdapterViews | FullViews]
) -> None:
    mode = {SurfaceViews: Mode.SURFACE, AdapterViews: Mode.ADAPTER, FullViews: Mode.FULL}[kind]

    def weights(seed: int) -> list[Tensor]:
        settings = with_(QUICK, mode=mode, steps=3, seed=seed, n_hidden=8)
        views: Views = kind(prepared.parent, settings)
        learn(views, prepared.material, bank_of(prepared), settings)
        return [parameter.detach().clone() for parameter in (*views.dense, *views.sparse)]

    first, again, other = weights(0), weights(0), weights(1)
    assert all(one.equal(two) for one, two in zip(first, again, strict=True))
    assert not all(one.equal(two) for one, two in zip(first, other, strict=True))


def test_memory_follows_the_views(prepared: Prepared) -> None:
    bank = bank_of(prepared)
    views = train(prepared, with_(QUICK, steps=12), bank)
    entries = bank.entries()
    with torch.no_grad():
        fresh = views.query(prepared.material.wordings.take(entries.items.tolist()))
    torch.testing.assert_close(entries.vectors, fresh, atol=1e-6, rtol=0)


def test_nothing_to_learn_is_no_step(parent: Linker, prepared: Prepared) -> None:
    empty = prepare(parent, ())
    settings = with_(QUICK, steps=None)
    assert learn(SurfaceViews(parent, settings), empty.material, bank_of(prepared), settings) == ()
    still = with_(QUICK, steps=0)
    assert learn(SurfaceViews(parent, still), prepared.material, bank_of(prepared), still) == ()


@pytest.mark.parametrize(
    ("n_new", "n_old", "steps"),
    [(96, 0, 4), (96, 500, 8), (960, 500, 60), (1, 500, 4), (0, 960, 40), (0, 0, 4)],
)
def test_count_steps_goes_by_the_new_wordings(n_new: int, n_old: int, steps: int) -> None:
    assert RefineSettings(n_lessons=192, new_share=0.5, epochs=8, min_steps=4).count_steps(n_new, n_old) == steps
    assert RefineSettings(steps=7).count_steps(n_new, n_old) == 7


def test_a_loss_that_is_no_number_ends_the_training(prepared: Prepared) -> None:
    with pytest.raises(CollapseError, match="not finite"):
        train(prepared, with_(QUICK, stay=float("nan")))


def test_batch_keeps_kin_and_the_name_itself_out(prepared: Prepared) -> None:
    material = prepared.material
    batch = draw_batch(material, QUICK, np.random.default_rng(0))
    names = [prepared.parent.lexicon.row_of(text) for text in batch.names.texts]
    lexicon, ids = prepared.parent.lexicon, prepared.ground.ids
    queries = [*batch.mentions.texts, *batch.replayed.texts]
    assert batch.pairs.positive.sum(dim=1).tolist() == [1] * len(queries)
    assert batch.pairs.weight is not None
    for i, (query, code) in enumerate(zip(queries, batch.concepts.tolist(), strict=True)):
        own = lexicon.row_of(query)
        close = {ids[code]} | lexicon.ancestors(ids[code]) | lexicon.descendants(ids[code])
        for j, row in enumerate(names):
            assert row is not None
            bearers = {posting.concept_id for posting in lexicon.postings(row)}
            if row == own or bearers & close:
                assert not batch.pairs.negative[i, j]
            if batch.pairs.positive[i, j]:
                assert ids[code] in bearers
                assert batch.pairs.weight[i, j] == 1
    assert set(batch.pairs.weight.unique().tolist()) == {1.0, QUICK.human_weight}  # type: ignore[no-untyped-call]


class CutOff(FullViews):
    """A training that somebody kills after some steps."""

    n_left = 5

    def backward(self, loss: Tensor) -> None:
        if not self.n_left:
            raise KeyboardInterrupt
        self.n_left -= 1
        super().backward(loss)


def run_full(
    prepared: Prepared, views: FullViews, checkpoint: Checkpoint | None = None
) -> tuple[list[Tensor], tuple[Step, ...], dict[str, Tensor]]:
    settings = with_(FULL, steps=14)
    bank = bank_of(prepared, settings)
    steps = learn(views, prepared.material, bank, settings, checkpoint=checkpoint)
    return [parameter.detach().clone() for parameter in views.dense], steps, bank.state()


@pytest.mark.slow
def test_full_training_that_was_cut_off_goes_on_bit_for_bit(prepared: Prepared, tmp_path: Path) -> None:
    parent = prepared.parent
    weights, steps, state = run_full(prepared, FullViews(parent, FULL))
    begun = Checkpoint(Saving(tmp_path / "here" / "refining", every=2), "ab")
    with pytest.raises(KeyboardInterrupt):
        run_full(prepared, CutOff(parent, FULL), begun)
    resumed = Checkpoint(Saving(tmp_path / "here" / "refining", resume=True, every=2), "ab")
    kept = resumed.begin()
    assert kept is not None
    assert len(kept.progress["steps"]) == 4
    again, steps_again, state_again = run_full(prepared, FullViews(parent, FULL), resumed)
    assert steps_again == steps
    assert all(one.equal(two) for one, two in zip(weights, again, strict=True))
    assert all(state[name].equal(state_again[name]) for name in state)


def test_checkpoint_of_another_training_is_refused_and_an_unwanted_one_removed(
    prepared: Prepared, tmp_path: Path
) -> None:
    folder = tmp_path / "refining"
    with pytest.raises(KeyboardInterrupt):
        run_full(prepared, CutOff(prepared.parent, FULL), Checkpoint(Saving(folder, every=2), "ab"))
    with pytest.raises(SettingError, match="begun otherwise"):
        Checkpoint(Saving(folder, resume=True), "cd").begin()
    (folder / "state.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactError):
        Checkpoint(Saving(folder, resume=True), "ab").begin()
    assert Checkpoint(Saving(folder), "ab").begin() is None
    assert not folder.exists()
    assert Checkpoint(Saving(folder, resume=True), "ab").begin() is None


def test_checkpoints_are_some_steps_apart(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="some steps apart"):
        Saving(tmp_path, every=0)
