"""The ranker that learns from lessons."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log

import numpy as np
import pytest
import torch

from medlink.linking.features import FEATURES
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.refinement.material import Ground
from medlink.refinement.ranking import Rows, choice_loss, gather_rows, refit_ranker, refit_threshold, standardise
from medlink.refinement.settings import RefineSettings
from medlink.refinement.signals import Signal
from tests.refinement.tiny_teaching import (
    LARGE_KIDNEY,
    MITRAL,
    SEIZURE,
    TAUGHT,
    Prepared,
    Said,
    lessons_of,
    prepare,
    taught_linker,
)


def column(rows: Rows, name: str) -> list[float]:
    found: list[float] = rows.values[:, FEATURES.index(name)].tolist()
    return found


def signal_of(prepared: Prepared, query: str) -> Signal:
    (found,) = [signal for signal in prepared.signals if signal.query == query]
    return found


def rows_of(prepared: Prepared, *queries: str) -> Rows:
    rows = gather_rows(prepared.parent, prepared.ground, [signal_of(prepared, query) for query in queries])
    assert rows is not None
    return rows


def test_choice_loss_is_the_logarithm_of_a_softmax_with_nil() -> None:
    rows = Rows(
        values=torch.zeros(5, 0),
        right=torch.tensor([True, True, False, False, False]),
        query=torch.tensor([0, 0, 0, 1, 1]),
        concept=torch.tensor([0, 0, 1, 2, 3]),
        raised=torch.zeros(5),
        weight=torch.tensor([2.0, 1.0]),
    )
    # The first query's right concept has names of logits 1 and 2, a wrong one of 0; the second finds two wrong ones.
    loss = choice_loss(torch.tensor([1.0, 2.0, 0.0, 3.0, -1.0]), torch.tensor(0.5), rows)
    first = log(exp(2) + exp(0) + exp(0.5)) - 2
    second = log(exp(3) + exp(-1) + exp(0.5)) - 0.5
    assert loss.item() == pytest.approx((2 * first + second) / 3, rel=1e-6)


def test_choice_loss_sends_gradients_to_the_best_names_and_nil(prepared: Prepared) -> None:
    rows = rows_of(prepared, "big kidneys")
    logits = torch.randn(len(rows.right), generator=torch.Generator().manual_seed(0)).requires_grad_()
    nil = torch.zeros((), requires_grad=True)
    choice_loss(logits, nil, rows).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert nil.grad is not None
    assert int((logits.grad != 0).sum()) == len(rows.concept.unique())  # type: ignore[no-untyped-call]
    assert float(logits.grad.sum() + nil.grad) == pytest.approx(0, abs=1e-6)


def test_standardise_is_what_the_ranker_sees(prepared: Prepared) -> None:
    rows, ranker = rows_of(prepared, "fits", "big kidneys"), prepared.parent.ranker
    weights = ranker.weights
    z = standardise(rows.values, weights).numpy()
    hidden = np.tanh(z @ np.array(weights.hidden).T + weights.hidden_bias)
    logits = z @ np.array(weights.linear) + hidden @ np.array(weights.output)
    np.testing.assert_allclose(logits, ranker.logits(rows.values.numpy().astype(np.float64)), atol=1e-4)


def test_a_strong_prior_leaves_the_parent(prepared: Prepared) -> None:
    rows = gather_rows(prepared.parent, prepared.ground, prepared.signals)
    assert rows is not None
    old = prepared.parent.ranker.weights
    new = refit_ranker(prepared.parent.ranker, rows, RefineSettings(prior=1e9)).weights
    free = refit_ranker(prepared.parent.ranker, rows, RefineSettings(prior=1e-6)).weights
    np.testing.assert_allclose(new.linear, old.linear, atol=0.02)
    np.testing.assert_allclose(new.output, old.output, atol=0.05)
    assert new.nil == pytest.approx(old.nil, abs=0.05)
    assert np.abs(np.subtract(free.linear, old.linear)).max() > 0.1
    assert (new.mean, new.scale, new.hidden, new.hidden_bias) == (old.mean, old.scale, old.hidden, old.hidden_bias)


def graded(*answers: tuple[float, bool | None]) -> Rows:
    """Wordings with one concept each, of a logit; ``None`` where the wording names no concept at all."""
    values = torch.zeros(len(answers), len(FEATURES))
    numbers = torch.arange(len(answers))
    right = torch.tensor([bool(is_right) for _, is_right in answers])
    raised = torch.tensor([logit for logit, _ in answers])
    return Rows(values, right, numbers, numbers, raised, torch.ones(len(answers)))


def test_threshold_is_refitted_for_the_best_f1(prepared: Prepared) -> None:
    ranker = prepared.parent.ranker
    zero = float(ranker.logits(np.zeros((1, len(FEATURES))))[0])

    def logit(score: float) -> float:  # beside NIL alone
        return log(score / (1 - score)) + ranker.weights.nil - zero

    # Right from 0.3 on, wrong below: 0.25 or 0.3 part them, and 0.3 is nearer to 0.4.
    parted = [(logit(score), score > 0.28) for score in (0.1, 0.2, 0.24, 0.32, 0.36, 0.9)]
    assert refit_threshold(ranker, graded(*parted), 0.4) == 0.3
    assert refit_threshold(ranker, graded(*parted), 0.25) == 0.25
    # All are right: any threshold up to the least score is the best; the nearest is taken.
    assert refit_threshold(ranker, graded(*((logit(0.33), True),) * 9), 0.4) == 0.3
    # Nothing to gain.
    assert refit_threshold(ranker, graded((logit(0.5), True), (logit(0.1), False)), 0.4) == 0.4


def test_wordings_of_concepts_that_nobody_else_names_may_count_more(prepared: Prepared) -> None:
    rows = gather_rows(prepared.parent, prepared.ground, prepared.signals)
    assert rows is not None
    known = rows.values[:, FEATURES.index("known")] > 0
    fresh = {
        int(query)
        for query, right, is_known in zip(rows.query, rows.right, known, strict=True)
        if right and not is_known
    }
    assert 0 < len(fresh) < len(rows.weight)
    by_hand = replace(
        rows, weight=torch.tensor([5.0 if i in fresh else 1.0 for i in range(len(rows.weight))]) * rows.weight
    )
    ranker = prepared.parent.ranker
    ours = refit_ranker(ranker, rows, RefineSettings(prior=1.0, fresh_weight=5.0)).weights
    assert ours == refit_ranker(ranker, by_hand, RefineSettings(prior=1.0)).weights
    assert ours != refit_ranker(ranker, rows, RefineSettings(prior=1.0)).weights


WORDINGS = (
    "leaking mitral valve",
    "mitral leak",
    "regurgitation at the mitral valve",
    "mitral valve leaks",
    "mitral regurg",
)
OFTEN = tuple(Said(f"d{place}", wording, MITRAL, "HP:0001249") for place, wording in enumerate(WORDINGS))


def test_a_concept_that_annotators_confirm_often_is_preferred_afterwards(pair_recipe: Recipe) -> None:
    said = (*OFTEN, *(replace(one, doc_id=f"e{one.doc_id}", surface=f"{one.surface} seen") for one in OFTEN))
    prepared = prepare(taught_linker(pair_recipe, said), said)
    rows = gather_rows(prepared.parent, prepared.ground, prepared.signals)
    assert rows is not None
    child = replace(prepared.parent, ranker=refit_ranker(prepared.parent.ranker, rows, RefineSettings(prior=1.0)))

    def score(linker: Linker) -> float:
        (ranked,) = linker.rank(["mr"])
        return {one.concept_id: one.score for one in ranked}[MITRAL]

    assert score(child) > score(prepared.parent)


def test_names_that_only_the_own_documents_taught_are_not_found(pair_recipe: Recipe) -> None:
    # Document d1 taught "fits" and "fits again", d9 taught "fit": that may help d1, what it taught itself may not.
    said = (*TAUGHT[2:], Said("d1", "fits", SEIZURE), Said("d1", "fits again", SEIZURE), Said("d9", "fit", SEIZURE))
    prepared = prepare(taught_linker(pair_recipe, said), said)
    linker, ground = prepared.parent, prepared.ground
    (found,) = linker.find(["fits again"], own_names=False)
    near = {linker.lexicon.names[row]: row for row in found.rows.tolist()}
    assert {"fits", "fit"} <= near.keys()
    assert "fits again" not in near
    rows = rows_of(prepared, "fits again")
    n_hidden = sum(ground.only_taught_by(row, frozenset({"d1"})) for row in near.values())
    assert n_hidden == 1 + ("leaky mitral valve" in near)
    assert len(rows.right) == sum(len(linker.lexicon.postings(row)) for row in near.values()) - n_hidden
    assert any(alias and right for alias, right in zip(column(rows, "alias"), rows.right.tolist(), strict=True))


def test_an_own_correction_of_a_name_of_the_ontology_does_not_leak(prepared: Prepared) -> None:
    # "Renal cyst" is a name of the ontology; document d3 alone calls an enlarged kidney so.
    query = "renal cyst"
    (found,) = prepared.parent.find([query])
    assert LARGE_KIDNEY in {
        posting.concept_id
        for row in found.rows.tolist()
        if prepared.parent.lexicon.names[row] == query
        for posting in prepared.parent.lexicon.postings(row)
    }, "the linker itself knows it"
    rows = rows_of(prepared, query)
    exact = [right for right, is_exact in zip(rows.right.tolist(), column(rows, "exact"), strict=True) if is_exact]
    assert exact == [False], "the ontology's own bearer is all that the wording itself names"
    meant = [n for n, right in zip(column(rows, "confirmed"), rows.right.tolist(), strict=True) if right]
    assert set(meant) <= {0.0}, "nor does the document say that the concept is meant at all"


def test_what_another_document_taught_counts(pair_recipe: Recipe) -> None:
    said = (*TAUGHT, Said("d9", "large cyst of the kidney", LARGE_KIDNEY))
    prepared = prepare(taught_linker(pair_recipe, said), said)
    rows = rows_of(prepared, "large cyst of the kidney")
    meant = {n for n, right in zip(column(rows, "confirmed"), rows.right.tolist(), strict=True) if right}
    assert list(meant) == [pytest.approx(log(3))], "two mentions of another document"
    bearers = zip(column(rows, "alias"), rows.right.tolist(), strict=True)
    assert any(alias and right for alias, right in bearers)


def test_a_wording_that_means_nothing_teaches_nil(prepared: Prepared) -> None:
    assert not rows_of(prepared, "the left one").right.any()


def test_no_signals_give_no_rows(parent: Linker) -> None:
    ground = Ground.of(parent, lessons_of(), spare_lineage=True)
    assert gather_rows(parent, ground, ()) is None


def test_rows_are_numbered_by_wording_and_concept(prepared: Prepared) -> None:
    rows = gather_rows(prepared.parent, prepared.ground, prepared.signals)
    assert rows is not None
    assert rows.query.tolist() == sorted(rows.query.tolist())
    assert int(rows.query.max()) + 1 == len(rows.weight) == len(prepared.signals)
    assert rows.concept.unique().tolist() == list(range(int(rows.concept.max()) + 1))  # type: ignore[no-untyped-call]
    for concept in range(int(rows.concept.max()) + 1):
        own = rows.concept == concept
        assert len(rows.query[own].unique()) == 1  # type: ignore[no-untyped-call]
        assert len(rows.right[own].unique()) == 1  # type: ignore[no-untyped-call]
