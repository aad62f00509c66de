"""What follows from decisions for other mentions: only what annotators decide alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medlink.curation.adjudication import decide_spans
from medlink.curation.rulings import make_rulings
from medlink.records import Proposal, Ruling, Verdict
from medlink.store.events import Event
from medlink.store.ledger import Ledger
from tests.store.said import START, after, event


def rule(tmp_path: Path, *events: Event) -> dict[tuple[str, str], Ruling]:
    """The rulings on wordings, by wording and section."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        with ledger.batch(START) as batch:
            for one in events:
                batch.add(one)
        return {(one.key, one.section): one for one in make_rulings(decide_spans(ledger.current())) if not one.place}


def in_note(number: int, concept_id: str | None, **fields: Any) -> Event:
    return event(concept_id, doc_id=f"d{number}", **fields)


def test_wording_decided_alike_is_ruled_with_its_evidence(tmp_path: Path) -> None:
    rulings = rule(
        tmp_path,
        in_note(1, "HP:1", rejected=("HP:8",), proposed=(Proposal("HP:9"),)),
        in_note(2, "HP:1", surface="Fit", annotator="bob", time=after(30)),
    )
    assert rulings == {
        ("fit", ""): Ruling(
            "fit", "fit", "HP:1", ("HP:8", "HP:9"), None, "", 2, 2, ("ann", "bob"), after(30), query="fit"
        )
    }


def test_wording_that_means_several_things_is_left_to_the_ranker(tmp_path: Path) -> None:
    assert rule(tmp_path, in_note(1, "HP:1"), in_note(2, "HP:2")) == {}
    assert rule(tmp_path, in_note(3, None, surface="FIT")).keys() == {("^fit", "")}


def test_wording_with_an_open_conflict_is_ruled_by_its_other_mentions_only(tmp_path: Path) -> None:
    assert rule(tmp_path, in_note(1, "HP:1"), in_note(1, "HP:2", annotator="bob")) == {}
    assert rule(tmp_path, in_note(2, "HP:3"))["fit", ""].n_mentions == 1


def test_sections_keep_kinds_of_context_apart(tmp_path: Path) -> None:
    rulings = rule(
        tmp_path,
        in_note(1, "HP:1", section="Family History:"),
        in_note(2, "HP:1", section="FAMILY HISTORY"),
        in_note(3, "HP:2", section="Exam"),
    )
    assert {key: one.concept_id for key, one in rulings.items()} == {
        ("fit", "family history"): "HP:1",
        ("fit", "exam"): "HP:2",
    }


def test_the_long_form_is_the_wording_of_an_abbreviation(tmp_path: Path) -> None:
    assert rule(tmp_path, in_note(1, "HP:1", surface="RC ", expanded="renal cyst")).keys() == {("renal cyst", "")}


def test_no_concept_is_ruled_too(tmp_path: Path) -> None:
    shown = (Proposal("HP:9"), Proposal("HP:8"))
    rulings = rule(tmp_path, in_note(1, None, verdict=Verdict.NOT_A_MENTION, proposed=shown))
    assert (rulings["fit", ""].concept_id, rulings["fit", ""].rejected) == (None, ("HP:9",))
