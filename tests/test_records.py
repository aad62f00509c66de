"""Records refuse what makes no sense, and errors say everything they know."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from medlink.errors import MedlinkError, OntologyFormatError, UnknownNameError
from medlink.records import Annotation, Assertion, Concept, Mention, Name, Scope, Source, Verdict


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (5, 2), (0, 4)])
def test_mention_refuses_offsets_that_do_not_fit(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= start < end"):
        Mention("d", start, end, "abc")


def test_mention_error_holds_no_text_of_the_note() -> None:
    with pytest.raises(ValueError, match="3 characters") as caught:
        Mention("d", 0, 9, "abc")
    assert "abc" not in str(caught.value)


def test_mention_query_is_the_long_form_where_there_is_one() -> None:
    assert Mention("d", 0, 2, "MI").query == "MI"
    assert Mention("d", 0, 2, "MI", expanded="myocardial infarction").query == "myocardial infarction"


def test_concept_names_begin_with_the_preferred_one() -> None:
    concept = Concept("X:1", "a", (Name("b", Scope.BROAD),))
    assert concept.names == (Name("a", Scope.PREFERRED), Name("b", Scope.BROAD))


def test_concept_needs_id_and_name() -> None:
    with pytest.raises(ValueError, match="needs an id and a name"):
        Concept("", "a")


def test_scope_ranks_follow_trust() -> None:
    assert sorted(Scope, key=lambda scope: scope.rank)[:2] == [Scope.PREFERRED, Scope.EXACT]


def test_assertion_labels() -> None:
    assert Assertion().labels == ()
    assert Assertion(family=True, negated=True).labels == ("negated", "family")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"doc_id": ""}, "id of its document"),
        ({"start": -1}, "0 <= start < end"),
        ({"end": 4}, "0 <= start < end"),
        ({"concept_id": None}, "needs a concept"),
        ({"concept_id": ""}, "needs a concept"),
        ({"verdict": Verdict.NIL}, "takes no concept"),
        ({"verdict": Verdict.MISSED, "concept_id": ""}, "takes no concept"),
        ({"time": datetime(2026, 1, 1)}, "time zone"),
    ],
)
def test_annotation_refuses_what_contradicts_itself(change: dict[str, Any], message: str) -> None:
    annotation = Annotation("d", 4, 7, "fit", Verdict.ACCEPT, Source("f.jsonl", 1), "prodigy", "HP:0001250")
    with pytest.raises(ValueError, match=message):
        replace(annotation, **change)


def test_missed_mention_may_have_a_concept_or_none() -> None:
    missed = Annotation("d", 4, 7, "fit", Verdict.MISSED, Source("f.jsonl", 1), "brat")
    assert replace(missed, concept_id="HP:0001250").concept_id == "HP:0001250"


def test_source_reads_as_a_place() -> None:
    assert str(Source("a/b.ann", 3, "T3")) == "a/b.ann:3 (T3)"
    assert str(Source("b.json")) == "b.json"


def test_error_says_what_where_expected_got_and_the_next_step() -> None:
    error = OntologyFormatError("a term without a name", where="x.obo:7", expected="name:", got="def:", hint="Mend it.")
    assert str(error) == "x.obo:7: a term without a name; expected name:; got def:. Mend it."
    assert isinstance(error, MedlinkError)
    assert isinstance(error, ValueError)


def test_unknown_name_is_a_key_error_that_reads_well() -> None:
    error = UnknownNameError("no such thing", expected="a, b")
    assert isinstance(error, KeyError)
    assert str(error) == "no such thing; expected a, b"
