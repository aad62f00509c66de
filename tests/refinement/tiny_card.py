"""A report card that tests make up: a child that fixes one of three corrections and loses elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medlink.ontology.lexicon import Lexicon
from medlink.refinement.card import CardFacts, ReportCard, Trial, make_card
from medlink.refinement.cost import Cost
from medlink.refinement.evidence import Evidence
from medlink.refinement.gate import judge
from medlink.refinement.guard import Case
from medlink.refinement.measuring import Measured, Outcomes, Vectors
from medlink.refinement.suspects import suspect
from tests.refinement.tiny_lessons import make_lesson

SEIZURE, CYST, DEAF = "HP:0001250", "HP:0000107", "HP:0000365"


def make_tiny_card(lexicon: Lexicon) -> ReportCard:
    """The card; refused for its loss in the ledger."""
    ledger = [Case("q", frozenset({SEIZURE}), (f"d{row}", 3, 9)) for row in range(20)]
    batch = [Case("q", frozenset({gold} if gold else ()), ("e1", row, row + 4)) for row, gold in enumerate(
        (SEIZURE, CYST, None, DEAF)
    )]  # fmt: skip
    names = [Case("q", frozenset({CYST}), (CYST, 0, 0))] * 2
    parent = _measure("r0001", ledger, [SEIZURE] * 19 + [CYST], batch, [CYST, SEIZURE, CYST, DEAF], names, turned=0.0)
    child = _measure(
        "r0002", ledger, [CYST] * 8 + [None] + [SEIZURE] * 11, batch, [SEIZURE, SEIZURE, CYST, None], names, turned=0.1
    )
    lessons = [
        make_lesson("e1", annotators=("ann",)),
        *(make_lesson("e2", start=10 * row, annotators=("bob",)) for row in range(6)),
    ]
    near, far = Evidence(2, 0.3, 0.0, False, 0, 0), Evidence(0, 0.0, 0.6, True, 0, 0)
    return make_card(
        CardFacts("0.1.0", "surface", "r0001", "r0002", "tiny", "2026-01-05", 7, 20, 6, "2026-01-05T09:00:00+00:00"),
        Trial(parent, child, judge(parent, child)),
        lexicon,
        cost=Cost({"train": 12.34, "measure": 5.0}, 512 * 1024**2, {"package-0": 321.4}),
        suspicion=suspect(lessons, [near, *[far] * 6]),
    )


def _measure(
    release: str,
    ledger: list[Case],
    said: Sequence[str | None],
    batch: list[Case],
    corrected: Sequence[str | None],
    names: list[Case],
    *,
    turned: float,
) -> Measured:
    guard = {"ledger": _answer(ledger, said), "ontology": _answer(names, [CYST, CYST])}
    vectors = np.eye(4, dtype=np.float32)
    moved = np.cos(turned) * vectors + np.sin(turned) * np.roll(vectors, 1, axis=1)
    return Measured(release, guard, _answer(batch, corrected), Vectors(moved, -moved))


def _answer(cases: list[Case], said: Sequence[str | None]) -> Outcomes:
    right = [answer in case.gold if answer else not case.gold for case, answer in zip(cases, said, strict=True)]
    return Outcomes(tuple(cases), np.array(right), np.linspace(0.5, 0.9, len(cases)), tuple(said))
