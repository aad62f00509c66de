"""The ontology that the bench writes has each name once, and is read like any other."""

from __future__ import annotations

from pathlib import Path

from medlink.ontology.lexicon import Lexicon
from medlink.ontology.table import read_table
from pipelines.bench.large_ontology import NAMES_OF_A_CONCEPT, write_table


def test_the_table_holds_every_name_once(tmp_path: Path) -> None:
    names = sorted(f"name {number}" for number in range(100))
    n_concepts = write_table(names, tmp_path / "large.tsv")
    lexicon = Lexicon(read_table(tmp_path / "large.tsv", name="large"))
    assert list(lexicon.names) == names
    assert len(lexicon.concepts) == n_concepts
    sizes = [len(concept.names) for concept in lexicon.concepts.values()]
    assert sizes[:-1] == [NAMES_OF_A_CONCEPT[i % len(NAMES_OF_A_CONCEPT)] for i in range(n_concepts - 1)]
