"""What changed between two releases, by hand-written oracle and by what must hold for any two."""

from __future__ import annotations

from hypothesis import given

from medlink.ontology.diff import Gone, Renamed, compare
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name
from tests.ontology.strategies import ontologies

OLD = (
    Concept("X:1", "Seizure", (Name("Fit"), Name("Turn"))),
    Concept("X:2", "Convulsion"),
    Concept("X:3", "Spell"),
    Concept("X:4", "Ache"),
    Concept("X:5", "Swelling"),
    Concept("X:6", "Dropped"),
    Concept("X:7", "Restored", obsolete=True),
)
NEW = (
    Concept("X:1", "Epileptic seizure", (Name("Fit"), Name("Seizure"), Name("Ictus")), alt_ids=("X:2",)),
    Concept("X:3", "Spell", obsolete=True, replaced_by=("X:2",)),
    Concept("X:4", "Ache", obsolete=True),
    Concept("X:5", "Swelling", obsolete=True, replaced_by=("X:1", "X:7")),
    Concept("X:7", "Restored"),
    Concept("X:8", "New"),
)


def release(version: str, concepts: tuple[Concept, ...]) -> Ontology:
    return Ontology("x", "X", version, "", "0" * 64, concepts)


def test_compare_names_every_change() -> None:
    found = compare(release("1", OLD), release("2", NEW))
    assert (found.old, found.new) == ("x 1", "x 2")
    assert found.added == (("X:7", "Restored"), ("X:8", "New"))
    assert found.renamed == (Renamed("X:1", "Seizure", "Epileptic seizure"),)
    assert found.merged == (Gone("X:2", "Convulsion", ("X:1",)),)
    assert found.retired == (
        Gone("X:3", "Spell", ("X:1",)),
        Gone("X:4", "Ache", ()),
        Gone("X:5", "Swelling", ("X:1", "X:7")),
        Gone("X:6", "Dropped", ()),
    )
    assert (found.n_names_added, found.n_names_removed, found.n_concepts_with_other_names) == (2, 1, 1)
    assert found.changed_ids["X:2"] == "merged"
    assert "X:8" not in found.changed_ids


@given(ontologies())
def test_compare_finds_no_change_in_the_same_release(ontology: Ontology) -> None:
    found = compare(ontology, ontology)
    assert (found.added, found.changed_ids, found.n_names_added, found.n_names_removed) == ((), {}, 0, 0)


@given(ontologies(), ontologies())
def test_compare_accounts_for_every_concept_and_agrees_with_the_lexicon(old: Ontology, new: Ontology) -> None:
    found, before, after = compare(old, new), Lexicon(old), Lexicon(new)
    gone = [*found.merged, *found.retired]
    assert {change.id for change in gone} == before.concepts.keys() - after.concepts.keys()
    assert {concept_id for concept_id, _ in found.added} == after.concepts.keys() - before.concepts.keys()
    for change in gone:
        assert after.resolve(change.id) == (change.successors[0] if len(change.successors) == 1 else None)
