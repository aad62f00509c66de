"""Ranker and threshold learn from lessons: they move from the parent's as far as annotated mentions ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medlink.linking.candidates import NameMatches
from medlink.linking.features import FEATURES, Features, describe_matches
from medlink.linking.linker import Linker
from medlink.linking.ranker import WIDEST, Ranker, Weights, raise_own_names
from medlink.refinement.material import Ground
from medlink.refinement.settings import RefineSettings
from medlink.refinement.signals import Signal

_BLOCK = 256
_N_STEPS = 100
_RATE = 0.03
_THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
_LEAST_GAIN = 1e-3
_KNOWN = FEATURES.index("known")


class Choices(Protocol):
    """Rows of a table, each a name of a concept that a query may mean."""

    @property
    def right(self) -> Tensor:
        """Whether the row's concept is right. *Shape:* (n_rows,)."""

    @property
    def query(self) -> Tensor:
        """The number of the row's query, ascending. *Shape:* (n_rows,)."""

    @property
    def concept(self) -> Tensor:
        """A number for each pair of query and concept, ascending with the query. *Shape:* (n_rows,)."""

    @property
    def weight(self) -> Tensor:
        """Of each query. *Shape:* (n_queries,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What is known of the names that wordings find, as if the documents they stand in had taught nothing.

    :param values: *Shape:* (n_rows, n_features).
    :param right: whether the row's concept is right. *Shape:* (n_rows,).
    :param query: the number of the row's wording, ascending. *Shape:* (n_rows,).
    :param concept: a number for each pair of wording and concept, ascending with the wording. *Shape:* (n_rows,).
    :param raised: what the rule of own names adds to the row's logit. *Shape:* (n_rows,).
    :param weight: of each wording. *Shape:* (n_queries,).
    """

    values: Tensor
    right: Tensor
    query: Tensor
    concept: Tensor
    raised: Tensor
    weight: Tensor


def gather_rows(linker: Linker, ground: Ground, signals: Sequence[Signal]) -> Rows | None:
    """The rows of some signals; ``None`` where they find nothing.

    A wording that the ontology does not have is looked up as if nobody had taught it. What only its own documents
    taught is left out: names, concepts as bearers of a name, and what they say of how often a concept is meant. So the
    ranker learns what it will need for wordings of new documents.
    """
    values, right, query_of, concept_of, raised = [], [], [], [], []
    weight: list[float] = []
    n_concepts = 0
    for signal, features in _describe(linker, ground, signals):
        if not len(features.rows):
            continue
        places = {key: n_concepts + place for place, key in enumerate(dict.fromkeys(features.concept_ids))}
        values.append(features.values)
        right += [key == signal.concept_id for key in features.concept_ids]
        concept_of += [places[key] for key in features.concept_ids]
        query_of += [len(weight)] * len(features.rows)
        logits = linker.ranker.logits(features.values)
        raised.append(raise_own_names(signal.query, features, logits, nil=linker.ranker.weights.nil))
        weight.append(signal.trust)
        n_concepts += len(places)
    if not weight:
        return None
    return Rows(
        torch.from_numpy(np.concatenate(values)).float(),
        torch.tensor(right),
        torch.tensor(query_of),
        torch.tensor(concept_of),
        torch.from_numpy(np.concatenate(raised)).float(),
        torch.tensor(weight, dtype=torch.float32),
    )


def refit_ranker(ranker: Ranker, rows: Rows, settings: RefineSettings) -> Ranker:
    """The ranker of greatest likelihood, with a Gaussian prior around the weights of the one given.

    Each feature's linear weight, the logit of NIL and the scale of all that the one given says are free; with n
    wordings the prior counts as ``settings.prior`` / n times the sum of their squared changes. Wordings whose concept
    no other document names count ``settings.fresh_weight`` times.

    :param ranker: the one that the rows were gathered with.
    """
    weights = ranker.weights
    rows = _with_fresh_ones(rows, settings.fresh_weight)
    z = standardise(rows.values, weights)
    given = torch.from_numpy(ranker.logits(rows.values.numpy().astype(np.float64))).float()
    change = torch.zeros(z.shape[1], requires_grad=True)
    others = torch.zeros(2, requires_grad=True)  # of NIL's logit, and the logarithm of the scale
    optimiser = torch.optim.Adam([change, others], lr=_RATE)
    strength = settings.prior / float(rows.weight.sum().clamp_min(1e-6))
    for step in range(_N_STEPS):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * (1 - step / _N_STEPS)
        scale = others[1].exp()
        logits = scale * given + z @ change + rows.raised
        loss = choice_loss(logits, scale * weights.nil + others[0], rows)
        loss = loss + strength * (change.square().sum() + others.square().sum())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return Ranker(_moved(weights, change.detach().numpy(), *others.detach().tolist()))


def refit_threshold(ranker: Ranker, rows: Rows, given: float) -> float:
    """The threshold of the best F1 of links, in steps of 0.05; the given one where none is better by a thousandth.

    A link counts as found where its score reaches the threshold and its concept is right; what ought to be found are
    the wordings that name a concept. Each counts as it is weighted.

    :param ranker: the refitted one.
    :param rows: that it was fitted to.
    :param given: the threshold so far, in [0, 1].
    """
    score, right = _answers(ranker, rows)
    named = torch.zeros(len(rows.weight)).index_add(0, rows.query, rows.right.float()) > 0
    wanted = float(rows.weight[named].sum())

    def f1(threshold: float) -> float:
        linked = score >= threshold
        found, made = float(rows.weight[linked & right].sum()), float(rows.weight[linked].sum())
        return 2 * found / max(made + wanted, 1e-6)

    best = max(_THRESHOLDS, key=lambda one: (round(f1(one), 6), -abs(one - given)))
    return best if f1(best) >= f1(given) + _LEAST_GAIN else given


def _answers(ranker: Ranker, rows: Rows) -> tuple[Tensor, Tensor]:
    """The score of the best concept of each wording, and whether it is right. *Shape:* (n_queries,) each."""
    logits = torch.from_numpy(ranker.logits(rows.values.numpy().astype(np.float64))).float() + rows.raised
    best, query, right = _choices(logits, rows)
    top = best.new_full((len(rows.weight),), -torch.inf).scatter_reduce(0, query, best, "amax")
    masses = torch.exp(ranker.weights.nil - top).index_add(0, query, torch.exp(best - top[query]))
    is_right = torch.zeros(len(rows.weight)).index_add(0, query, ((best == top[query]) & right).float()) > 0
    return 1 / masses, is_right


def _with_fresh_ones(rows: Rows, weight: float) -> Rows:
    """The rows with another weight of wordings that mean a concept which nobody has confirmed."""
    is_fresh = rows.right & (rows.values[:, _KNOWN] == 0)
    fresh = torch.zeros(len(rows.weight)).index_add(0, rows.query, is_fresh.float()) > 0
    return replace(rows, weight=torch.where(fresh, weight * rows.weight, rows.weight))


def standardise(values: Tensor, weights: Weights) -> Tensor:
    """The features as the ranker sees them. *Shape:* (n_rows, n_features)."""
    mean, scale = torch.tensor(weights.mean), torch.tensor(weights.scale)
    return ((values - mean) / scale).clamp(-WIDEST, WIDEST)


def choice_loss(logits: Tensor, nil: Tensor, rows: Choices) -> Tensor:
    """The weighted mean of -log p(a right concept), or of -log p(NIL) where none is among those found.

    A concept's logit is that of its best name (McFadden 1974, the conditional logit).

    :param logits: of each row. *Shape:* (n_rows,).
    :param nil: the logit of NIL, a scalar.
    """
    n_queries = len(rows.weight)
    best, query, right = _choices(logits, rows)
    none = torch.zeros(n_queries).index_add(0, query, right.float()) == 0
    top = best.detach().new_full((n_queries,), float(nil.detach())).scatter_reduce(0, query, best.detach(), "amax")
    masses, nil_mass = torch.exp(best - top[query]), torch.exp(nil - top)
    total = nil_mass.index_add(0, query, masses)
    wanted = (nil_mass * none).index_add(0, query, masses * right)
    losses = total.log() - wanted.clamp_min(1e-30).log()
    return (losses * rows.weight).sum() / rows.weight.sum()


class _Choices(NamedTuple):
    """The concepts among which each query chooses.

    :ivar best: the logit of its best name. *Shape:* (n_concepts,).
    :ivar query: *Shape:* (n_concepts,).
    :ivar right: *Shape:* (n_concepts,).
    """

    best: Tensor
    query: Tensor
    right: Tensor


def _choices(logits: Tensor, rows: Choices) -> _Choices:
    n_concepts = int(rows.concept.max()) + 1
    return _Choices(
        logits.new_full((n_concepts,), -torch.inf).scatter_reduce(0, rows.concept, logits, "amax"),
        torch.zeros(n_concepts, dtype=torch.int64).scatter(0, rows.concept, rows.query),
        torch.zeros(n_concepts, dtype=torch.bool).scatter(0, rows.concept, rows.right),
    )


def _moved(weights: Weights, change: NDArray[np.float32], nil: float, log_scale: float) -> Weights:
    scale = float(np.exp(log_scale))
    linear = tuple(round(scale * old + float(new), 5) for old, new in zip(weights.linear, change, strict=True))
    output = tuple(round(scale * old, 5) for old in weights.output)
    return replace(weights, linear=linear, output=output, nil=round(scale * weights.nil + nil, 5))


def _describe(linker: Linker, ground: Ground, signals: Sequence[Signal]) -> list[tuple[Signal, Features]]:
    """The features of what each signal finds without the help of its documents."""
    own = ground.ontology
    known = sorted({signal.query for signal in signals if own.row_of(signal.query) is not None})
    unknown = sorted({signal.query for signal in signals if own.row_of(signal.query) is None})
    found = _find(linker, known, own_names=True) | _find(linker, unknown, own_names=False)
    described = []
    for signal in signals:
        matches = _unlearn(found[signal.query], ground, signal)
        experience = linker.experience.without(signal.documents)
        features = describe_matches(matches, linker.lexicon, linker.rarity, experience)
        described.append((signal, _unlearn_bearers(features, matches, ground, signal)))
    return described


def _find(linker: Linker, queries: Sequence[str], *, own_names: bool) -> dict[str, NameMatches]:
    blocks = [queries[start : start + _BLOCK] for start in range(0, len(queries), _BLOCK)]
    return {one.query: one for block in blocks for one in linker.find(block, own_names=own_names)}


def _unlearn(matches: NameMatches, ground: Ground, signal: Signal) -> NameMatches:
    """The matches without names that only the signal's documents taught."""
    kept = np.array([not ground.only_taught_by(row, signal.documents) for row in matches.rows.tolist()], np.bool_)
    return NameMatches(
        matches.query, matches.rows[kept], matches.lexical[kept], matches.dense[kept], matches.towers[kept]
    )


def _unlearn_bearers(features: Features, matches: NameMatches, ground: Ground, signal: Signal) -> Features:
    """The features without concepts that a match is a name of by the signal's documents alone."""
    names = matches.rows[features.rows].tolist()
    pairs = zip(names, features.concept_ids, strict=True)
    kept = [not ground.known_from(row, ground.code_of[key], signal.documents) for row, key in pairs]
    if all(kept):
        return features
    concept_ids = tuple(key for key, stays in zip(features.concept_ids, kept, strict=True) if stays)
    return Features(features.rows[kept], concept_ids, features.values[kept])
