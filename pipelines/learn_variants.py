"""Learns which words stand for one another from the synonyms of ontologies; writes a table that people can read.

Usage: python -m pipelines.learn_variants [--out medlink/detection/word_variants.csv]

Two names of one concept that have the same words but for a single one on either side ("renal agenesis", "kidney
agenesis") say that these two stand for one another. A pair counts once a concept, and stays where enough concepts have
it, where the two words are not met too often without the swap, and seldom side by side. What surrounds the swap counts
as well, as a template that an ontology fills in a hundred times ("phalanx" and "bone" of each finger) is one opinion.
Numbers are left out: "type 1" and "type 2" are swapped by mistakes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from pathlib import Path

from medlink.detection.words import content_words_of, stem
from medlink.ontology.catalogue import Catalogue, default_folder
from medlink.records import Concept
from medlink.store.workspace import Workspace, default_workspace_root
from medlink.training.run import load_lexicons

# Mondo has taken in the Disease Ontology.
SOURCES = {"hpo": "hpo", "mondo": "mondo", "doid": "mondo", "mesh": "mesh"}
OUT = Path("medlink/detection/word_variants.csv")
# Concepts that must have a pair: fewer where the words begin alike. And the share of the concepts with either word
# (geometric mean) that they must be.
LEAST_CONCEPTS, LEAST_ALIKE, LEAST_SHARE = 3, 2, 0.02
# Concepts one name of which has both words, for each concept that swaps them: "bone fracture" makes neither the other.
MOST_TOGETHER = 0.5
_ALIKE = 4  # letters
_ROMAN = frozenset("i ii iii iv v vi vii viii ix x xi xii".split())
_SHORTEST_WORD, _LONGEST_NAME, _MOST_NAMES = 2, 8, 40

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What ontologies say for one pair of stems.

    :param concepts: how many swap them.
    :param contexts: the words, without a digit, that stand beside the swap.
    :param sources: the ontologies that swap them.
    """

    concepts: int
    contexts: frozenset[str]
    sources: frozenset[str]


def swapped_words(concept: Concept) -> dict[Pair, set[str]]:
    """The pairs of stems, each in alphabetical order, by which two names of a concept differ, with what they share."""
    forms = {tuple(sorted(map(stem, content_words_of(name.text).norms))) for name in concept.names}
    kept = [Counter(form) for form in sorted(forms) if 2 <= len(form) <= _LONGEST_NAME][:_MOST_NAMES]
    pairs: dict[Pair, set[str]] = {}
    for one, other in combinations(kept, 2):
        if one.total() == other.total() and (one - other).total() == 1:
            first, second = sorted((*(one - other), *(other - one)))
            if _is_word(first) and _is_word(second):
                pairs.setdefault((first, second), set()).update(filter(_is_word, one & other))
    return pairs


def _is_word(stemmed: str) -> bool:
    return len(stemmed) >= _SHORTEST_WORD and stemmed not in _ROMAN and not any(map(str.isdigit, stemmed))


def learn_variants(ontologies: Mapping[str, Iterable[Concept]]) -> Iterator[tuple[Pair, Evidence]]:
    """The pairs that stay; those of most concepts first.

    :param ontologies: the concepts of each source; ontologies that copy each other are one source.
    """
    pairs: dict[Pair, Evidence] = {}
    words: Counter[str] = Counter()
    together: Counter[Pair] = Counter()
    for source, concepts in ontologies.items():
        for concept in concepts:
            forms = [set(map(stem, content_words_of(name.text).norms)) for name in concept.names]
            together.update(
                pair for form in forms if len(form) <= _LONGEST_NAME for pair in combinations(sorted(form), 2)
            )
            if len(forms) > 1:
                words.update(set().union(*forms))
                for pair, contexts in swapped_words(concept).items():
                    old = pairs.get(pair, Evidence(0, frozenset(), frozenset()))
                    pairs[pair] = Evidence(old.concepts + 1, old.contexts | contexts, old.sources | {source})
    for (one, other), evidence in sorted(pairs.items(), key=lambda item: (-item[1].concepts, item[0])):
        n = evidence.concepts
        least = LEAST_ALIKE if one[:_ALIKE] == other[:_ALIKE] else LEAST_CONCEPTS
        apart = together[one, other] <= MOST_TOGETHER * n
        if evidence.contexts and n >= least and apart and n / sqrt(words[one] * words[other]) >= LEAST_SHARE:
            yield (one, other), evidence


def main() -> None:
    """Learns and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    catalogue = Catalogue([Workspace(default_workspace_root()).ontologies, default_folder()])
    concepts: dict[str, list[Concept]] = {}
    for name, lexicon in zip(SOURCES, load_lexicons(list(SOURCES), catalogue), strict=True):
        concepts.setdefault(SOURCES[name], []).extend(lexicon.concepts.values())
    rows = [
        (*pair, evidence.concepts, len(evidence.contexts), len(evidence.sources))
        for pair, evidence in learn_variants(concepts)
    ]
    with arguments.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("word", "variant", "concepts", "contexts", "sources"))
        writer.writerows(rows)
    sys.stdout.write(f"{len(rows)} pairs of words: {arguments.out}\n")


if __name__ == "__main__":
    main()
