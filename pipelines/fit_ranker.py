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
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor, nn

from medlink.evaluation.biosyn import Query, ids_of, read_names, read_queries
from medlink.linking.assemble import link_to
from medlink.linking.context import ContextWeights, Evidence, gather_evidence
from medlink.linking.features import FEATURES, describe_matches
from medlink.linking.linker import Linker
from medlink.linking.ranker import Ranker, Weights, read_ranker
from medlink.linking.recipe import Recipe
from medlink.linking.wording import read_wording
from medlink.ontology.lexicon import Lexicon
from medlink.records import Candidate
from medlink.store.workspace import default_workspace_root
from medlink.text import normalise

_BLOCK = 256
_LEAST_SPREAD = 1e-3
_LOOSE_SCOPE = -0.5


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

    :param n_hidden: units of the hidden layer.
    :param decay: AdamW's weight decay.
    :param dropout: of the hidden layer.
    """

    n_hidden: int = 8
    n_epochs: int = 300
    rate: float = 0.02
    decay: float = 0.1
    dropout: float = 0.1
    seed: int = 0


class Model(nn.Module):
    """The ranker's formula with its graph."""

    def __init__(self, mean: Tensor, scale: Tensor, fit: Fit) -> None:
        super().__init__()
        self.mean, self.scale = mean, scale
        self.linear = nn.Linear(len(mean), 1, bias=False)
        self.hidden = nn.Linear(len(mean), fit.n_hidden)
        self.output = nn.Linear(fit.n_hidden, 1, bias=False)
        self.dropout = nn.Dropout(fit.dropout)
        self.nil = nn.Parameter(torch.zeros(()))

    def forward(self, values: Tensor) -> Tensor:
        """The logits of some rows. *Shape:* (n_rows,)."""
        z = (values - self.mean) / self.scale
        logits: Tensor = self.linear(z) + self.output(self.dropout(torch.tanh(self.hidden(z))))
        return logits[:, 0]

    def weights(self) -> Weights:
        """What the ranker's file holds, to five decimals."""

        # What never varies in these data teaches nothing; loose scopes, which MEDIC lacks, get a guess.
        seen = self.scale > _LEAST_SPREAD
        guess = torch.tensor([_LOOSE_SCOPE if name == "loose_scope" else 0.0 for name in FEATURES])

        def numbers(tensor: Tensor) -> tuple[float, ...]:
            return tuple(round(float(number), 5) for number in tensor.detach().flatten())

        return Weights(
            features=FEATURES,
            mean=numbers(self.mean),
            scale=numbers(torch.where(seen, self.scale, 1.0)),
            linear=numbers(torch.where(seen, self.linear.weight[0], guess)),
            hidden=tuple(map(numbers, self.hidden.weight * seen)),
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
    """The weights of greatest likelihood, with weight decay and dropout against chance."""
    torch.manual_seed(fit.seed)
    model = Model(rows.values.mean(dim=0), rows.values.std(dim=0) + 1e-4, fit)
    optimizer = torch.optim.AdamW(model.parameters(), lr=fit.rate, weight_decay=fit.decay)
    for epoch in range(fit.n_epochs):
        for group in optimizer.param_groups:
            group["lr"] = fit.rate * (1 - epoch / fit.n_epochs)
        loss = _loss(model(rows.values), model.nil, rows)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.weights()


def _loss(logits: Tensor, nil: Tensor, rows: Rows) -> Tensor:
    """The weighted mean of -log p(a right concept), or of -log p(NIL) where none is found."""
    n_concepts, n_queries = int(rows.concept.max()) + 1, len(rows.weight)
    best = logits.new_full((n_concepts,), -torch.inf).scatter_reduce(0, rows.concept, logits, "amax")
    query = torch.zeros(n_concepts, dtype=torch.int64).scatter(0, rows.concept, rows.query)
    right = torch.zeros(n_concepts, dtype=torch.bool).scatter(0, rows.concept, rows.right)
    none = torch.zeros(n_queries).index_add(0, query, right.float()) == 0
    top = best.detach().new_full((n_queries,), float(nil.detach())).scatter_reduce(0, query, best.detach(), "amax")
    masses = torch.exp(best - top[query])
    nil_mass = torch.exp(nil - top)
    total = nil_mass.index_add(0, query, masses)
    wanted = (nil_mass * none).index_add(0, query, masses * right)
    losses = total.log() - wanted.clamp_min(1e-30).log()
    return (losses * rows.weight).sum() / rows.weight.sum()


def fit_context(sets: Sequence[tuple[Linker, Sequence[Query]]]) -> ContextWeights:
    """The weights, none below zero, by which a document's other mentions make the right concept most probable."""
    cases = [case for linker, queries in sets for case in _context_cases(linker, queries)]

    def loss(weights: NDArray[np.float64]) -> float:
        total = 0.0
        for logs, evidence, right, none in cases:
            masses = np.exp(logs + evidence @ weights)
            wanted = masses[right].sum() if right.any() else none
            total += np.log(masses.sum() + none) - np.log(wanted)
        return total / len(cases) + 1e-4 * float(weights @ weights)

    n_weights = len(ContextWeights.__dataclass_fields__)
    found = minimize(loss, np.ones(n_weights), method="L-BFGS-B", bounds=[(0.0, None)] * n_weights).x
    return ContextWeights(*(round(float(weight), 2) for weight in found))


_Case = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], float]


def _context_cases(linker: Linker, queries: Sequence[Query]) -> list[_Case]:
    """For each mention with evidence: its candidates' log scores, evidence, whether they are right; and NIL's share."""
    documents: dict[str, dict[str, frozenset[str]]] = {}
    for query in queries:
        if mention := normalise(query.mention):
            documents.setdefault(query.doc_id, {})[mention] = query.gold
    cases = []
    for golds in documents.values():
        ranked = dict(zip(golds, linker.rank(list(golds), k=20), strict=True))
        wordings = {mention: read_wording(mention) for mention in golds}
        for mention, gold in golds.items():
            evidence = gather_evidence(mention, ranked, wordings)
            if any(candidate.concept_id in evidence for candidate in ranked[mention]):
                cases.append(_context_case(ranked[mention], evidence, gold))
    return cases


def _context_case(ranked: Sequence[Candidate], evidence: dict[str, Evidence], gold: frozenset[str]) -> _Case:
    scores = np.array([max(candidate.score, 1e-4) for candidate in ranked])
    rows = [list(asdict(evidence.get(candidate.concept_id, Evidence())).values()) for candidate in ranked]
    right = np.array([bool(ids_of(candidate.concept_id) & gold) for candidate in ranked])
    return np.log(scores), np.array(rows), right, max(1.0 - float(scores.sum()), 1e-4)


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
