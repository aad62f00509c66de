from __future__ import annotations

import pickle
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medlink.errors import UnknownNameError
from medlink.ontology.lexicon import Lexicon, hash_concepts
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name, Scope
from medlink.text import normalise
from tests.ontology.strategies import IDS, ids, ontologies

T = TypeVar("T")


def make_lexicon(*concepts: Concept) -> Lexicon:
    return Lexicon(Ontology("x", "X", "1", "", "", concepts))


def hits(lexicon: Lexicon, text: str, limit: int = 10) -> list[str]:
    return [posting.concept_id for posting in lexicon.search(text, limit)]


def test_lexicon_carries_what_its_ontology_says(tiny: Lexicon, tiny_ontology: Ontology) -> None:
    assert (tiny.ontology_name, tiny.version, tiny.licence) == ("tiny", "2025-01-16", tiny_ontology.licence)
    assert len(tiny.concepts) == 22
    assert list(tiny.concepts) == sorted(tiny.concepts)
    assert "HP:0009001" not in tiny.concepts


def test_lookup_is_exact_after_normalisation(tiny: Lexicon) -> None:
    (posting,) = tiny.lookup("  HEART\r\nattack ")
    assert posting.concept_id == "HP:0001658"
    assert posting.name == Name("Heart attack", Scope.EXACT, "layperson")
    assert tiny.lookup("Hearing loss in Me\u0301nie\u0300re’s disease")[0].concept_id == "HP:0000407"
    assert tiny.lookup("heart") == tiny.lookup("") == tiny.lookup("🫀") == ()


def test_postings_keep_homonyms_apart_by_scope_and_then_id(tiny: Lexicon) -> None:
    assert [(p.concept_id, p.name.scope) for p in tiny.lookup("MR")] == [
        ("HP:0001249", Scope.EXACT),
        ("HP:0001653", Scope.EXACT),
    ]
    assert [(p.concept_id, p.name.scope) for p in tiny.lookup("hearing loss")] == [
        ("HP:0000365", Scope.EXACT),
        ("HP:0000407", Scope.BROAD),
    ]


def test_postings_name_a_concept_once_with_its_most_trusted_spelling() -> None:
    lexicon = make_lexicon(Concept("X:1", "Fit", (Name("FIT", Scope.RELATED), Name("fits"), Name("Fit!", Scope.EXACT))))
    assert [posting.name for posting in lexicon.lookup("fit")] == [Name("Fit", Scope.PREFERRED)]


def test_lexicon_leaves_out_names_that_normalise_to_nothing_and_obsolete_concepts() -> None:
    lexicon = make_lexicon(
        Concept("X:1", "🫀"), Concept("X:2", "Fit", obsolete=True), Concept("X:3", "--", (Name("Ache"),))
    )
    assert lexicon.names == ("ache",)
    assert list(lexicon.concepts) == ["X:1", "X:3"]


def test_empty_lexicon_answers_everything_with_nothing() -> None:
    lexicon = make_lexicon()
    assert lexicon.names == ()
    assert lexicon.lookup("fit") == lexicon.search("fit", 3) == ()
    assert lexicon.resolve("X:1") is None
    assert lexicon.branch() is lexicon


@given(ontologies())
def test_names_and_postings_agree_with_counting_by_hand(ontology: Ontology) -> None:
    bearers = defaultdict[str, dict[str, int]](dict)
    for concept in ontology.concepts:
        for name in () if concept.obsolete else concept.names:
            key = normalise(name.text)
            best = bearers[key].get(concept.id, 9)
            bearers[key][concept.id] = min(best, name.scope.rank)
    bearers.pop("", None)
    lexicon = Lexicon(ontology)
    assert lexicon.names == tuple(sorted(bearers))
    for row, key in enumerate(lexicon.names):
        assert lexicon.row_of(key) == row
        found = [(posting.name.scope.rank, posting.concept_id) for posting in lexicon.postings(row)]
        assert found == sorted((rank, concept_id) for concept_id, rank in bearers[key].items())
        assert all(normalise(posting.name.text) == key for posting in lexicon.postings(row))


@pytest.mark.parametrize(
    ("concept_id", "current"),
    [
        ("HP:0001250", "HP:0001250"),
        ("HP:0001275", "HP:0001250"),
        ("HP:0009002", "HP:0001250"),
        ("HP:0009001", "HP:0001250"),
        ("HP:0009003", None),
        ("HP:0009005", None),
        ("HP:0009006", None),
        ("HP:9999999", None),
        ("", None),
    ],
    ids=["current", "alternative", "replaced", "chain", "cycle", "split in two", "gone", "unknown", "empty"],
)
def test_resolve_follows_ids_to_today(tiny: Lexicon, concept_id: str, current: str | None) -> None:
    assert tiny.resolve(concept_id) == current


def test_resolve_gives_none_for_an_alternative_id_of_two_concepts() -> None:
    lexicon = make_lexicon(Concept("X:1", "a", alt_ids=("X:9",)), Concept("X:2", "b", alt_ids=("X:9", "X:1")))
    assert lexicon.resolve("X:9") is None
    assert lexicon.resolve("X:1") == "X:1"


@given(ontologies(), ids)
def test_resolve_ends_at_the_one_current_concept_within_reach(ontology: Ontology, concept_id: str) -> None:
    by_id = {concept.id: concept for concept in ontology.concepts}
    reached, grown = set[str](), {concept_id}
    while reached != grown:
        reached = set(grown)
        for old in reached:
            if old in by_id and not by_id[old].obsolete:
                continue
            grown |= set(by_id[old].replaced_by) if old in by_id else set()
            grown |= {concept.id for concept in ontology.concepts if old in concept.alt_ids}
    current = {found for found in reached if found in by_id and not by_id[found].obsolete}
    assert Lexicon(ontology).resolve(concept_id) == (current.pop() if len(current) == 1 else None)


def test_ancestors_and_descendants_walk_the_diamond(tiny: Lexicon) -> None:
    above = {"HP:0000105", "HP:0000107", "HP:0012210", "HP:0000119", "HP:0000118", "HP:0000001"}
    assert tiny.ancestors("HP:0000113") == above
    assert tiny.descendants("HP:0012210") == {"HP:0000105", "HP:0000107", "HP:0000113"}
    assert tiny.ancestors("HP:0000001") == tiny.descendants("HP:0000113") == frozenset()


def test_ancestors_ends_on_a_cycle_of_parents() -> None:
    lexicon = make_lexicon(Concept("X:1", "a", parents=("X:2",)), Concept("X:2", "b", parents=("X:1", "X:2")))
    assert lexicon.ancestors("X:1") == lexicon.descendants("X:1") == {"X:2"}


@pytest.mark.parametrize(
    "concept_id", ["HP:9999999", "HP:0001275", "HP:0009001"], ids=["unknown", "alternative", "obsolete"]
)
def test_ancestors_and_descendants_refuse_ids_that_are_not_current(tiny: Lexicon, concept_id: str) -> None:
    for walk in (tiny.ancestors, tiny.descendants):
        with pytest.raises(UnknownNameError, match=f"no current concept has this id; got '{concept_id}'"):
            walk(concept_id)


def test_branch_keeps_root_descendants_and_the_retired_ids_that_lead_there(tiny: Lexicon) -> None:
    branch = tiny.branch("HP:0000707")
    assert set(branch.concepts) == {"HP:0000707", "HP:0001249", "HP:0001250", "HP:0002373"}
    assert branch.lookup("heart attack") == ()
    assert [posting.concept_id for posting in branch.lookup("MR")] == ["HP:0001249"]
    assert branch.resolve("HP:0009001") == "HP:0001250"
    assert branch.resolve("HP:0001658") is None
    assert branch.ancestors("HP:0002373") == {"HP:0001250", "HP:0000707"}
    assert branch.version == tiny.version
    assert branch.content_hash != tiny.content_hash


def test_branch_takes_several_roots_and_retired_ids_for_roots(tiny: Lexicon) -> None:
    assert set(tiny.branch("HP:0009001", "HP:0004733").concepts) == {
        "HP:0001250",
        "HP:0002373",
        "HP:0000107",
        "HP:0000113",
    }
    assert tiny.branch() is tiny


def test_branch_refuses_a_root_that_is_nobody(tiny: Lexicon) -> None:
    with pytest.raises(UnknownNameError, match=r"tiny 2025-01-16: no current concept has this id; got 'HP:7'"):
        tiny.branch("HP:0000707", "HP:7")


@given(ontologies(), st.lists(ids, min_size=1, max_size=3))
def test_branch_is_closed_downwards(ontology: Ontology, roots: list[str]) -> None:
    lexicon = Lexicon(ontology)
    current = {lexicon.resolve(root) for root in roots}
    if None in current:
        with pytest.raises(UnknownNameError):
            lexicon.branch(*roots)
        return
    kept, grown = set[str | None](), current
    while kept != grown:
        kept = set(grown)
        grown |= {c.id for c in lexicon.concepts.values() if any(lexicon.resolve(p) in kept for p in c.parents)}
    branch = lexicon.branch(*roots)
    assert set(branch.concepts) == kept
    assert branch.branch(*roots).content_hash == branch.content_hash
    for old in IDS:
        if lexicon.resolve(old) in kept:
            assert branch.resolve(old) == lexicon.resolve(old)


@given(ontologies(), st.randoms(use_true_random=False))
def test_content_hash_ignores_every_order(ontology: Ontology, shuffler: random.Random) -> None:
    def shuffle(values: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(shuffler.sample(values, len(values)))

    shuffled = tuple(
        replace(
            concept,
            synonyms=shuffle(concept.synonyms),
            parents=shuffle(concept.parents),
            alt_ids=shuffle(concept.alt_ids),
            xrefs=shuffle(concept.xrefs),
            replaced_by=shuffle(concept.replaced_by),
        )
        for concept in ontology.concepts
    )
    assert hash_concepts(shuffle(shuffled)) == Lexicon(ontology).content_hash


SEIZURE = Concept("X:1", "Seizure", (Name("Fit", Scope.EXACT, "layperson"),))
CHANGES: dict[str, Callable[[Concept], Concept]] = {
    "id": lambda c: replace(c, id="X:2"),
    "name": lambda c: replace(c, name="seizure"),
    "no synonym": lambda c: replace(c, synonyms=()),
    "scope": lambda c: replace(c, synonyms=(Name("Fit", Scope.BROAD, "layperson"),)),
    "kind": lambda c: replace(c, synonyms=(Name("Fit"),)),
    "definition": lambda c: replace(c, definition="X:0"),
    "parents": lambda c: replace(c, parents=("X:0",)),
    "semantic type": lambda c: replace(c, semantic_type="X:0"),
    "alternative ids": lambda c: replace(c, alt_ids=("X:0",)),
    "cross-references": lambda c: replace(c, xrefs=("X:0",)),
    "obsolete": lambda c: replace(c, obsolete=True),
    "replaced by": lambda c: replace(c, replaced_by=("X:0",)),
}


def test_content_hash_changes_with_every_field() -> None:
    hashes = [hash_concepts([change(SEIZURE)]) for change in CHANGES.values()]
    assert len({hash_concepts([SEIZURE]), hash_concepts([]), *hashes}) == len(CHANGES) + 2


def test_search_ranks_exact_before_words_before_beginnings_before_pieces() -> None:
    lexicon = make_lexicon(
        Concept("X:1", "Cystic kidney"),
        Concept("X:2", "Cyst of the kidneys"),
        Concept("X:3", "Kidney cyst"),
        Concept("X:4", "Polycystic kidney"),
        Concept("X:5", "Kidney stone"),
    )
    assert hits(lexicon, "kidney cysts") == ["X:3", "X:2", "X:1", "X:4"]
    assert hits(lexicon, "cyst kidney", 2) == ["X:3", "X:2"]


def test_search_prefers_trusted_and_then_shorter_names_and_names_each_concept_once(tiny: Lexicon) -> None:
    assert hits(tiny, "hearing loss") == ["HP:0000365", "HP:0000407"]
    assert hits(tiny, "seizures") == ["HP:0001250", "HP:0002373"]
    assert hits(tiny, "abnormality", 3) == ["HP:0000118", "HP:0000598", "HP:0000152"]


def test_search_finds_ids_and_retired_ids(tiny: Lexicon) -> None:
    assert hits(tiny, " HP:0001658 ") == ["HP:0001658"]
    assert hits(tiny, "HP:0009001") == ["HP:0001250"]


@pytest.mark.parametrize("text", ["", "  ", "🫀", "zzz", "HP:0009006"])
def test_search_finds_nothing_for_nothing(tiny: Lexicon, text: str) -> None:
    assert tiny.search(text, 5) == ()


def test_search_finds_plurals_in_y_and_function_words() -> None:
    lexicon = make_lexicon(Concept("X:1", "Multiple biopsies"), Concept("X:2", "And"))
    assert hits(lexicon, "biopsy") == ["X:1"]
    assert hits(lexicon, "and") == ["X:2"]


def test_lexicon_can_be_sent_to_another_process(tiny: Lexicon) -> None:
    assert pickle.loads(pickle.dumps(tiny)).lookup("MR") == tiny.lookup("MR")  # noqa: S301
