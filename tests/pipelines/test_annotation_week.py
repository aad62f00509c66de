"""The simulated week on documents of our own: every tool, two annotators, everything twice, broken copies."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pipelines.bench.annotation_week import make_week, run_week

CORPUS = """\
1|t|Seizures after naïve use of lithium 😀.
1|a|Lithium caused a renal  cyst and seizures in two patients. No fever was seen.
1\t0\t8\tSeizures\tDisease\tD012640
1\t28\t35\tlithium\tChemical\tD008094
1\t39\t46\tLithium\tChemical\tD008094
1\t56\t67\trenal  cyst\tDisease\t-1
1\t72\t80\tseizures\tDisease\tD012640
1\t101\t106\tfever\tDisease\tD005334

2|t|Heart failure: a report.
2|a|She had heart failure, oedema & "nephrosis" <severe>.
2\t0\t13\tHeart failure\tDisease\tD006333
2\t33\t46\theart failure\tDisease\tD006333
2\t48\t54\toedema\tDisease\tD004487
2\t58\t67\tnephrosis\tDisease\tD009401
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_ledger_equals_the_truth(tmp_path: Path, seed: int) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(CORPUS, encoding="utf-8")
    week = make_week(corpus, n_documents=2, chance=random.Random(seed))
    assert sum(map(len, week.gold.values())) == 12, "ten mentions and a wrong word in each document"
    figures = run_week(week, tmp_path / "week", seed=seed)
    assert figures["n_truth"] == 24
    assert figures["n_refused"] > 0, "the broken copies"
