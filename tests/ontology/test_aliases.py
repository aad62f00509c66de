"""A lexicon with aliases behind its own names against one that was built with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.errors import UnknownNameError
from medlink.ontology.aliases import extended_lexicon
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.obo import read_obo
from medlink.ontology.persistence import read_lexicon, write_lexicon
from medlink.records import Scope
from tests.conftest import TINY_OBO
from tests.named import with_names

LEXICON = Lexicon(read_obo(TINY_OBO, name="tiny"))
IDS = sorted(LEXICON.concepts)
TEXTS = st.one_of(st.sampled_from(LEXICON.names), st.text("abc éÄ-", max_size=6))
ALIASES = st.lists(st.tuples(TEXTS, st.sampled_from(IDS)), max_size=8)


def bearers(lexicon: Lexicon) -> dict[str, list[tuple[str, Scope]]]:
    return {
        name: [(posting.concept_id, posting.name.scope) for posting in lexicon.postings(row)]
        for row, name in enumerate(lexicon.names)
    }


@settings(deadline=None)
@given(first=ALIASES, second=ALIASES)
def test_extended_lexicon_knows_what_one_built_at_once_knows(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    extended = extended_lexicon(extended_lexicon(LEXICON, first), second)
    built = with_names(LEXICON, [*first, *second])
    assert bearers(extended) == bearers(built)
    assert extended.names[: len(LEXICON.names)] == LEXICON.names
    assert sorted(extended.names) == list(built.names)
    for row, name in enumerate(extended.names):
        assert extended.row_of(name) == row
        assert extended.lookup(name) == extended.postings(row)
    assert extended.row_of("no such name") is None
    assert list(extended.concepts) == IDS


def test_extended_lexicon_says_that_a_name_is_an_alias() -> None:
    (posting,) = extended_lexicon(LEXICON, [("Fits and Turns", IDS[0])]).lookup("fits and turns")
    assert (posting.concept_id, posting.name.text) == (IDS[0], "Fits and Turns")
    assert (posting.name.scope, posting.name.kind) == (Scope.EXACT, "alias")


def test_extended_lexicon_resolves_as_before() -> None:
    extended = extended_lexicon(LEXICON, [("fits and turns", IDS[0])])
    retired = [alt for concept in LEXICON.ontology.concepts for alt in (concept.id, *concept.alt_ids)]
    assert [extended.resolve(key) for key in retired] == [LEXICON.resolve(key) for key in retired]


@pytest.mark.parametrize("names", [[], [("–", IDS[0])]], ids=["nothing", "no letter"])
def test_extended_by_nothing_is_the_lexicon_itself(names: list[tuple[str, str]]) -> None:
    assert extended_lexicon(LEXICON, names) is LEXICON


def test_content_hash_tells_aliases_apart() -> None:
    one, two = (("fits and turns", IDS[0]), ("funny turns", IDS[1]))
    hashes = [extended_lexicon(LEXICON, names).content_hash for names in ([one], [two], [one, two], [two, one, two])]
    assert len({LEXICON.content_hash, *hashes}) == 4
    assert hashes[2] == hashes[3]


def test_extended_lexicon_refuses_unknown_ids() -> None:
    with pytest.raises(UnknownNameError, match="no current concept"):
        extended_lexicon(LEXICON, [("fits and turns", "HP:404")])


def test_extended_lexicon_is_read_as_it_was_written(tmp_path: Path) -> None:
    extended = extended_lexicon(extended_lexicon(LEXICON, [("zzz", IDS[0])]), [("aaa", IDS[1])])
    write_lexicon(extended, tmp_path)
    again = read_lexicon(tmp_path)
    assert bearers(again) == bearers(extended)
    assert [again.row_of(name) for name in extended.names] == list(range(len(extended.names)))
