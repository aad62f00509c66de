"""Fits the ranker, and the weights of a document's context, on gold mentions; writes the first and prints the second.

Usage: python -m pipelines.fit_ranker --set QUERIES.txt NAMES.txt.gz [--set …] --out medlink/linking/rankers/NAME.json

The files have the form of BioSyn. Give training splits only. Every distinct pair of mention and gold ids counts by the
root of how often it occurs. A query whose concept is not among those that it finds teaches NIL.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from medlink.evaluation.biosyn import Query, ids_of, read_names, read_queries
from medlink.linking.assemble import link_to
from medlink.linking.context import Choice, ContextWeights, gather_choices, rest_of
from medlink.linking.features import FEATURES, describe_matches
from medlink.linking.linker import DEPTH, Linker
from medlink.linking.ranker import WIDEST, Ranker, Weights, read_ranker
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.refinement.ranking import choice_loss
from medlink.store.workspace import default_workspace_root
from medlink.text import normalise

_BLOCK = 256
# What varies less is taken to vary by this much, so that a rare value does not decide alone.
_LEAST_SCALE = 0.05
_LOOSE_SCOPE = -0.5
# What being the very name, or the same words, is worth from the outset: on any ontology it must count.
FLOORS = {"exact": 6.0, "same_words": 3.0}


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Features of what queries find.

    :param values: *Shape:* (n_rows, n_features).
    :param right: whether the row's concept is right. *Shape:* (n_rows,).
    :param query: the number of the row's query, ascending. *Shape:* (n_rows,).
    :param concept: a number for each pair of query and concept, ascending with the query. *Shape:* (n_rows,).
    :param weight: of each query. *Shape:* (n_queries,).
    """

    values: Tensor
    right: Tensor
    query: Tensor
    concept: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True)
class Fit:
    """How the ranker is fitted.

    :param n_members: fits from different seeds, whose mean is taken.
    :param n_hidden: units of the hidden layer of each.
    :param decay: AdamW's weight decay.
    :param dropout: of the hidden layer.
    """

    n_members: int = 4
    n_hidden: int = 16
    n_epochs: int = 1500
    rate: float = 0.05
    decay: float = 0.01
    dropout: float = 0.1
    seed: int = 0


class Model(nn.Module):
    """The ranker's formula with its graph."""

    def __init__(self, values: Tensor, fit: Fit) -> None:
        super().__init__()
        self.mean, self.scale = values.mean(dim=0), values.std(dim=0).clamp_min(_LEAST_SCALE)
        self.seen = values.amax(dim=0) > values.amin(dim=0)
        self.linear = nn.Linear(values.shape[1], 1, bias=False)
        self.floor = torch.zeros(values.shape[1])
        for name, logit in FLOORS.items():
            self.floor[FEATURES.index(name)] = logit / WIDEST
        self.hidden = nn.Linear(values.shape[1], fit.n_hidden)
        self.output = nn.Linear(fit.n_hidden, 1, bias=False)
        self.dropout = nn.Dropout(fit.dropout)
        self.nil = nn.Parameter(torch.zeros(()))

    def forward(self, values: Tensor) -> Tensor:
        """The logits of some rows. *Shape:* (n_rows,)."""
        z = ((values - self.mean) / self.scale).clamp(-WIDEST, WIDEST)
        logits: Tensor = self.output(self.dropout(torch.tanh(self.hidden(z))))[:, 0]
        return logits + z @ self.slopes

    @property
    def slopes(self) -> Tensor:
        """The linear part: what is fitted, and what is given. *Shape:* (n_features,)."""
        return self.linear.weight[0] + self.floor

    def weights(self) -> Weights:
        """What the ranker's file holds, to five decimals."""
        # What never varies in these data teaches nothing; loose scopes, which MEDIC lacks, get a guess.
        guess = torch.tensor([_LOOSE_SCOPE if name == "loose_scope" else 0.0 for name in FEATURES])

        def numbers(tensor: Tensor) -> tuple[float, ...]:
            return tuple(round(float(number), 5) for number in tensor.detach().flatten())

        return Weights(
            features=FEATURES,
            mean=numbers(self.mean),
            scale=numbers(torch.where(self.seen, self.scale, 1.0)),
            linear=numbers(torch.where(self.seen, self.slopes, guess)),
            hidden=tuple(map(numbers, self.hidden.weight * self.seen)),
            hidden_bias=numbers(self.hidden.bias),
            output=numbers(self.output.weight),
            nil=round(self.nil.item(), 5),
        )


def gather_rows(sets: Sequence[tuple[Linker, Sequence[Query]]]) -> Rows:
    """The rows of all queries of some sets."""
    values: list[NDArray[np.float64]] = []
    right: list[bool] = []
    query_of: list[int] = []
    concept_of: list[int] = []
    weight: list[float] = []
    n_concepts = 0
    for linker, queries in sets:
        counts = Counter((normalise(query.mention), query.gold) for query in queries)
        mentions = sorted({mention for mention, _ in counts})
        described = {}
        for start in range(0, len(mentions), _BLOCK):
            for matches in linker.find(mentions[start : start + _BLOCK]):
                described[matches.query] = describe_matches(matches, linker.lexicon, linker.rarity)
        for (mention, gold), count in sorted(counts.items(), key=lambda item: (item[0][0], sorted(item[0][1]))):
            features = described[mention]
            places = {key: place for place, key in enumerate(dict.fromkeys(features.concept_ids))}
            values.append(features.values)
            right.extend(bool(ids_of(key) & gold) for key in features.concept_ids)
            concept_of.extend(n_concepts + places[key] for key in features.concept_ids)
            query_of.extend([len(weight)] * len(features.values))
            weight.append(count**0.5)
            n_concepts += len(places)
    return Rows(
        torch.from_numpy(np.concatenate(values)).float(),
        torch.tensor(right),
        torch.tensor(query_of),
        torch.tensor(concept_of),
        torch.tensor(weight),
    )


def fit_ranker(rows: Rows, fit: Fit) -> Weights:
    """The weights of greatest likelihood, with weight decay and dropout against chance: the mean of some fits."""
    members = [_fit_member(rows, fit, seed) for seed in range(fit.seed, fit.seed + fit.n_members)]
    return average(members)


def average(members: Sequence[Weights]) -> Weights:
    """The ranker whose logits are the mean of those of some: all their hidden units side by side.

    :param members: with the same mean and scale.
    """
    share = 1 / len(members)
    linear = np.mean([member.linear for member in members], axis=0)
    return replace(
        members[0],
        linear=tuple(round(float(weight), 5) for weight in linear),
        hidden=tuple(unit for member in members for unit in member.hidden),
        hidden_bias=tuple(bias for member in members for bias in member.hidden_bias),
        output=tuple(round(weight * share, 5) for member in members for weight in member.output),
        nil=round(sum(member.nil for member in members) * share, 5),
    )


def _fit_member(rows: Rows, fit: Fit, seed: int) -> Weights:
    torch.manual_seed(seed)
    model = Model(rows.values, fit)
    optimizer = torch.optim.AdamW(model.parameters(), lr=fit.rate, weight_decay=fit.decay)
    for epoch in range(fit.n_epochs):
        for group in optimizer.param_groups:
            group["lr"] = fit.rate * (1 - epoch / fit.n_epochs)
        loss = choice_loss(model(rows.values), model.nil, rows)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.weights()


def fit_context(sets: Sequence[tuple[Linker, Sequence[Query]]]) -> ContextWeights:
    """The weights, none below zero, by which a document's other mentions make the right concept most probable."""
    cases = [case for linker, queries in sets for case in _context_cases(linker, queries)]

    def loss(weights: NDArray[np.float64]) -> float:
        total = 0.0
        for logs, evidence, right, none in cases:
            masses = np.exp(logs + evidence @ weights)
            wanted = masses[right].sum() if right.any() else none
            total += np.log(masses.sum() + none) - np.log(wanted)
        return total / len(cases) + 1e-5 * float(weights @ weights)

    n_weights = len(ContextWeights.__dataclass_fields__)
    found = minimize(loss, np.ones(n_weights), method="L-BFGS-B", bounds=[(0.0, None)] * n_weights).x
    return ContextWeights(*(round(float(weight), 2) for weight in found))


_Case = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], float]


def _context_cases(linker: Linker, queries: Sequence[Query]) -> list[_Case]:
    """For each mention with evidence: its choices' log scores, evidence, whether they are right; and NIL's share."""
    documents: dict[str, dict[str, frozenset[str]]] = {}
    for query in queries:
        if mention := normalise(query.mention):
            documents.setdefault(query.doc_id, {})[mention] = query.gold
    cases = []
    for golds in documents.values():
        alone = dict(zip(golds, linker.rank(list(golds), k=DEPTH), strict=True))
        for mention, gold in golds.items():
            if choices := gather_choices(mention, alone, linker.lexicon):
                cases.append(_context_case(choices, gold, rest_of(alone[mention])))
    return cases


def _context_case(choices: Sequence[Choice], gold: frozenset[str], none: float) -> _Case:
    logs = np.array([choice.log_score for choice in choices])
    evidence = np.array([astuple(choice.evidence) for choice in choices])
    right = np.array([bool(ids_of(choice.candidate.concept_id) & gold) for choice in choices])
    return logs, evidence, right, none


def main() -> None:
    """Fits, writes and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, nargs=2, action="append", required=True, metavar=("QUERIES", "NAMES"))
    parser.add_argument("--encoder", default=Recipe(Path()).encoder)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = Recipe(default_workspace_root(), encoder=arguments.encoder)
    linkers: dict[Path, Linker] = {}
    sets = []
    for queries, names in arguments.set:
        if names not in linkers:
            linkers[names] = link_to(recipe, Lexicon(read_names([names], name="names")), show_progress=True)
        sets.append((linkers[names], read_queries(queries)))
    rows = gather_rows(sets)
    weights = fit_ranker(rows, Fit())
    arguments.out.write_text(json.dumps(asdict(weights), indent=1) + "\n", encoding="utf-8")
    ranker: Ranker = read_ranker(arguments.out)
    fitted = [(Linker(linker.lexicon, linker.index, linker.encoder, ranker, linker.settings), q) for linker, q in sets]
    sys.stdout.write(f"{len(rows.weight)} queries, {len(rows.values)} rows: {arguments.out}\n{fit_context(fitted)}\n")


if __name__ == "__main__":
    main()
