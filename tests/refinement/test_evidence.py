from __future__ import annotations

from medlink.linking.linker import DEPTH, Linker
from medlink.refinement.evidence import gather_evidence, rows_of
from tests.refinement.tiny_lessons import make_lesson

SEIZURE, CYST = "HP:0001250", "HP:0000107"


def test_a_name_of_the_concept_is_first_and_near(linker: Linker) -> None:
    (found,) = gather_evidence(linker, [make_lesson("d", query="seizure", concept_id=SEIZURE)])
    assert (found.rank, found.remoteness, found.named_otherwise) == (1, 0.0, False)
    assert found.probability == linker.rank(["seizure"])[0][0].score


def test_another_concept_is_named_otherwise(linker: Linker) -> None:
    (found,) = gather_evidence(linker, [make_lesson("d", query="seizure", concept_id=CYST)])
    assert found.named_otherwise
    assert found.rank != 1


def test_nil_is_named_otherwise_where_the_wording_is_a_name(linker: Linker) -> None:
    named, unknown = gather_evidence(
        linker,
        [
            make_lesson("d", query="seizure", concept_id=None),
            make_lesson("d", start=9, query="xyzzy plugh", concept_id=None),
        ],
    )
    assert (named.named_otherwise, unknown.named_otherwise) == (True, False)
    ranked = linker.rank(["seizure"], k=DEPTH)[0]
    assert named.probability == max(0.0, 1.0 - sum(candidate.score for candidate in ranked))


def test_an_unknown_concept_is_as_remote_as_can_be(linker: Linker) -> None:
    (found,) = gather_evidence(linker, [make_lesson("d", query="seizure", concept_id="HP:9999999")])
    assert (found.rank, found.remoteness) == (0, 1.0)
    assert len(rows_of("HP:9999999", linker.lexicon)) == 0


def test_only_others_count_who_are_independent(linker: Linker) -> None:
    lessons = [
        make_lesson("d1", concept_id=SEIZURE, annotators=("ann",)),
        make_lesson("d1", start=9, concept_id=SEIZURE, annotators=("bob",)),
        make_lesson("d2", concept_id=SEIZURE, annotators=("ann",)),
        make_lesson("d3", concept_id=SEIZURE, annotators=("bob",)),
        make_lesson("d4", concept_id=CYST, annotators=("cat",)),
    ]
    found = gather_evidence(linker, lessons)
    assert [(one.n_agreeing, one.n_differing) for one in found] == [(1, 1), (1, 1), (2, 1), (2, 1), (0, 4)]


def test_without_names_other_documents_are_independent(linker: Linker) -> None:
    found = gather_evidence(linker, [make_lesson(doc_id) for doc_id in ("d1", "d1", "d2")])
    assert [one.n_agreeing for one in found] == [1, 1, 2]


def test_gather_evidence_keeps_the_order(linker: Linker) -> None:
    lessons = [make_lesson("d", start=9 * row, query=query) for row, query in enumerate(("fits", "deaf", "cyst"))]
    assert gather_evidence(linker, lessons) == tuple(reversed(gather_evidence(linker, lessons[::-1])))
    assert gather_evidence(linker, []) == ()
