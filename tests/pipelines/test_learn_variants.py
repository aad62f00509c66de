from __future__ import annotations

from medlink.records import Concept, Name
from pipelines.learn_variants import LEAST_CONCEPTS, learn_variants, swapped_words


def _concepts(*names: tuple[str, ...]) -> list[Concept]:
    return [Concept(f"T:{n}", first, tuple(map(Name, others))) for n, (first, *others) in enumerate(names)]


RENAL = [(f"Renal {word}", f"Kidney {word}") for word in ("agenesis", "stone", "failure", "cyst")]


def test_names_that_differ_in_one_word_swap_it() -> None:
    (concept,) = _concepts(("Renal agenesis", "Kidney agenesis", "Absent kidneys", "Type 1 renal agenesis"))
    assert swapped_words(concept) == {("kidney", "renal"): {"agenes"}, ("absent", "agenes"): {"kidney"}}


def test_a_pair_needs_enough_concepts() -> None:
    assert len(RENAL) >= LEAST_CONCEPTS
    ((pair, evidence),) = learn_variants({"a": _concepts(*RENAL)})
    assert pair == ("kidney", "renal")
    assert evidence.concepts == 4
    assert evidence.contexts == {"agenes", "ston", "failur", "cyst"}
    assert list(learn_variants({"a": _concepts(*RENAL[: LEAST_CONCEPTS - 1])})) == []


def test_sources_are_counted_apart() -> None:
    half = len(RENAL) // 2
    ((_, evidence),) = learn_variants({"a": _concepts(*RENAL[:half]), "b": _concepts(*RENAL[half:])})
    assert evidence.sources == {"a", "b"}


def test_words_that_stand_side_by_side_are_no_variants() -> None:
    together = [(f"Renal kidney {word}",) for word in ("a1", "b2", "c3")]
    assert list(learn_variants({"a": _concepts(*RENAL, *together)})) == []


def test_numbers_are_no_words() -> None:
    types = [(f"{name} type 1", f"{name} type 2") for name in ("ataxia", "diabetes", "albinism", "dystonia")]
    assert list(learn_variants({"a": _concepts(*types)})) == []
