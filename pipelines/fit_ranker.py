"""Fits the ranker's weights on gold mentions and prints them: a logistic regression over matching names.

Usage: python -m pipelines.fit_ranker --queries TRAIN.txt --names NAMES.txt.gz [--queries TRAIN2.txt …]

The files have the form of BioSyn. Give training splits only. Of each concept that a query finds, its best name under
the present weights counts, as in ranking; it is right if the concept is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from medlink.evaluation.biosyn import Query, ids_of, read_names, read_queries
from medlink.linking.assemble import link_to
from medlink.linking.linker import Linker
from medlink.linking.ranker import FEATURES, describe_matches
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import default_workspace_root
from medlink.text import normalise

_BLOCK = 256


def training_rows(queries: list[Query], linker: Linker) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Features and labels of every concept that the queries' mentions find, each distinct mention once.

    :returns: *Shape:* (n_rows, n_features) and (n_rows,), labels 0 or 1.
    """
    gold: dict[str, set[str]] = {}
    for query in queries:
        gold.setdefault(normalise(query.mention), set()).update(query.gold)
    mentions = sorted(gold)
    values: list[NDArray[np.float64]] = []
    labels: list[bool] = []
    for start in range(0, len(mentions), _BLOCK):
        found = linker.find(mentions[start : start + _BLOCK], k=linker.settings.top_k)
        for matches in found:
            features = describe_matches(matches, linker.lexicon)
            seen: set[str] = set()
            for pair in np.argsort(-linker.ranker.score(features.values), kind="stable").tolist():
                concept_id = features.concept_ids[pair]
                if concept_id not in seen:
                    seen.add(concept_id)
                    values.append(features.values[pair])
                    labels.append(bool(ids_of(concept_id) & gold[matches.query]))
    return np.array(values), np.array(labels)


def fit(values: NDArray[np.float64], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Bias and weights of the most probable logistic model in which no feature but a loose scope speaks against a name.

    A weak Gaussian prior (variance 10) keeps the weights of separable features finite.

    :returns: *Shape:* (1 + n_features,).
    """
    columns = np.column_stack([np.ones(len(values)), values])
    signs = np.where(labels, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (columns @ weights)
        wrong = 1.0 / (1.0 + np.exp(margins))
        penalty = weights[1:] @ weights[1:] / 20.0
        gradient = -(signs * wrong) @ columns
        gradient[1:] += weights[1:] / 10.0
        return float(np.logaddexp(0.0, -margins).sum() + penalty), gradient

    free, positive = (None, None), (0.0, None)
    bounds = [free, *(free if feature == "loose_scope" else positive for feature in FEATURES)]
    start = np.zeros(columns.shape[1])
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)


def main() -> None:
    """Fits and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=Path, action="append", required=True)
    parser.add_argument("--names", type=Path, required=True)
    arguments = parser.parse_args()
    queries = [query for path in arguments.queries for query in read_queries(path)]
    linker = link_to(Recipe(default_workspace_root()), Lexicon(read_names([arguments.names], name="names")))
    values, labels = training_rows(queries, linker)
    bias, *weights = fit(values, labels)
    sys.stdout.write(f"{len(labels)} rows, {labels.sum()} right\nbias={bias:.2f}\n")
    for column, (feature, weight) in enumerate(zip(FEATURES, weights, strict=True)):
        note = "" if np.ptp(values[:, column]) else "  (never seen in these data)"
        sys.stdout.write(f"{feature}={weight:.2f}{note}\n")


if __name__ == "__main__":
    main()
