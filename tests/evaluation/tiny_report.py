"""A report of ranks that were written by hand; run as a program it prints the golden report.md.

``python -m tests.evaluation.tiny_report > tests/data/report.md`` and ``git diff`` show what has changed.
"""

from __future__ import annotations

import sys

from medlink.evaluation.comparison import compare_systems
from medlink.evaluation.report import EncoderFacts, FileFacts, OntologyFacts, Report, Setting, to_markdown
from medlink.evaluation.subsets import make_subsets
from tests.evaluation.tiny_set import make_query

_ROWS = (
    ("doc1", "heart attacks", "7"),
    ("doc1", "cyst", "D3"),
    ("doc2", "cold", "D5"),
    ("doc2", "cyst", "D3"),
    ("doc3", "zzz", "D1+D9"),
)
_RANKS = {
    "exact": [0, 0, 1, 0, 0],
    "tf-idf": [1, 2, 1, 2, 0],
    "nearest": [2, 2, 1, 2, 0],
    "medlink": [1, 2, 1, 2, 6],
    "medlink + document": [1, 2, 1, 1, 1],
}


def make_tiny_report() -> Report:
    """The report of five mentions; nothing with an unseen concept is among them."""
    queries = [make_query(*row) for row in _ROWS]
    seen = [make_query("train", "cold", "7|D1"), make_query("train", "cysts", "D3+D5")]
    subsets = compare_systems(
        _RANKS,
        [query.doc_id for query in queries],
        make_subsets(queries, seen),
        challenger="medlink + document",
        rivals=["tf-idf", "nearest", "medlink"],
    )
    setting = Setting(
        medlink="0.1.0",
        release="base-0123456789ab",
        queries=FileFacts("queries.dev.txt", "11" * 32),
        n_mentions=5,
        n_documents=3,
        names=(FileFacts("names|1.txt.gz", "22" * 32),),
        extra_names=(FileFacts("mentions.txt", "33" * 32),),
        seen=(FileFacts("queries.train.txt", "44" * 32),),
        ontology=OntologyFacts("names", "", "55" * 32, 5, 1234),
        encoder=EncoderFacts("minilm", "mean", "66" * 32),
        baselines={"nearest": EncoderFacts("runs/encoder", "first", "77" * 32)},
        seed=0,
    )
    return Report(setting, tuple(_RANKS), subsets)


if __name__ == "__main__":
    sys.stdout.write(to_markdown(make_tiny_report()))
