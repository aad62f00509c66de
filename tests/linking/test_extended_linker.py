"""A linker over extended parts against one that was built from scratch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from medlink.index.name_index import NameIndex
from medlink.linking.linker import Linker
from medlink.ontology.aliases import extended_lexicon
from medlink.text import normalise
from tests.named import with_names

ALIASES = (
    ("Funny turns", "HP:0001250"),
    ("Leaky tap nose", "HP:0000118"),
    ("heart attack", "HP:0001250"),
    ("Ballooning kidney", "HP:0012210"),
)
QUERIES = ("funny turn", "funny turns", "heart attack", "leaky nose", "ballooned kidneys", "renal cysts", "cleft")


def extend(linker: Linker, aliases: tuple[tuple[str, str], ...]) -> Linker:
    known = [(text, key) for text, key in aliases if key in linker.lexicon.concepts]
    lexicon = extended_lexicon(linker.lexicon, known)
    new = lexicon.names[len(linker.lexicon.names) :]
    return replace(linker, lexicon=lexicon, index=linker.index.extended(new, linker.encoder.encode(new)))


@pytest.fixture
def built(linker: Linker) -> Linker:
    lexicon = with_names(linker.lexicon, ALIASES)
    index = NameIndex.build(lexicon.names, linker.encoder.encode(lexicon.names))
    return replace(linker, lexicon=lexicon, index=index)


def test_extended_linker_has_the_candidates_of_one_built_at_once(linker: Linker, built: Linker) -> None:
    extended = extend(linker, ALIASES)
    for ours, theirs in zip(extended.rank(QUERIES), built.rank(QUERIES), strict=True):
        assert [candidate.concept_id for candidate in ours] == [candidate.concept_id for candidate in theirs]
        assert [candidate.matched for candidate in ours] == [candidate.matched for candidate in theirs]
        assert [candidate.dense for candidate in ours] == pytest.approx(
            [candidate.dense for candidate in theirs], abs=1e-3
        )
        assert [candidate.score for candidate in ours] == pytest.approx(
            [candidate.score for candidate in theirs], abs=0.1
        )


def test_alias_is_found_at_once(linker: Linker) -> None:
    extended = extend(linker, ALIASES)
    ((best, *_),) = extended.rank(["FUNNY TURNS"])
    assert (best.concept_id, best.matched, best.lexical) == ("HP:0001250", "funny turns", 1.0)
    assert extended.lexicon.row_of(normalise("funny turns")) == len(linker.lexicon.names) + 1


def test_linker_extended_by_nothing_says_the_same(linker: Linker) -> None:
    extended = extend(linker, ())
    assert extended.index is linker.index
    assert repr(extended.rank(QUERIES)) == repr(linker.rank(QUERIES))
