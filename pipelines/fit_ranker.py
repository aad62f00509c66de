"""Fits the ranker's weights on gold mentions and prints them: a logistic regression over matching names.

Usage: python -m pipelines.fit_ranker --queries TRAIN.txt --names NAMES.txt.gz [--queries TRAIN2.txt …]

The files have the form of BioSyn. Give training splits only. Of each concept that a query finds, its best name under
the present weights counts, as in ranking; it is right if the concept is.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import astuple
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from medlink.evaluation.biosyn import Query, ids_of, read_names, read_queries
from medlink.linking.assemble import link_to
from medlink.linking.candidates import find_names
from medlink.linking.linker import Linker
from medlink.linking.ranker import FEATURES, describe_matches
from medlink.linking.recipe import Recipe
from medlink.ontology.lexicon import Lexicon
from medlink.store.workspace import default_workspace_root
from medlink.text import normalise

_BLOCK = 256


def training_rows(queries: list[Query], linker: Linker) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of every concept that the queries' mentions find, each distinct mention once.

    :returns: *Shape:* (n_rows, n_features) and (n_rows,), labels 0 or 1.
    """
    gold: dict[str, set[str]] = {}
    for query in queries:
        for mention in query.mentions:
            gold.setdefault(normalise(mention), set()).update(query.gold)
    mentions = sorted(gold)
    values: list[np.ndarray] = []
    labels: list[bool] = []
    for start in range(0, len(mentions), _BLOCK):
        found = find_names(
            mentions[start : start + _BLOCK],
            linker.lexicon,
            index=linker.index,
            encoder=linker.encoder,
            n_neighbours=linker.settings.n_neighbours,
        )
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


def main() -> None:
    """Fits and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=Path, action="append", required=True)
    parser.add_argument("--names", type=Path, required=True)
    arguments = parser.parse_args()
    queries = [query for path in arguments.queries for query in read_queries(path)]
    linker = link_to(Recipe(default_workspace_root()), Lexicon(read_names([arguments.names], name="names")))
    values, labels = training_rows(queries, linker)
    used = [column for column in range(len(FEATURES)) if np.ptp(values[:, column]) > 0]
    model = LogisticRegression(C=10.0, max_iter=1000).fit(values[:, used], labels)
    weights = dict(zip((FEATURES[column] for column in used), model.coef_[0], strict=True))
    kept = dict(zip(FEATURES, astuple(linker.ranker)[1:], strict=True))
    sys.stdout.write(f"{len(labels)} rows, {labels.sum()} right\nbias={model.intercept_[0]:.3f}\n")
    for feature in FEATURES:
        note = "" if feature in weights else "  (not in these data, as it was)"
        sys.stdout.write(f"{feature}={weights.get(feature, kept[feature]):.3f}{note}\n")


if __name__ == "__main__":
    main()
