"""What a lexicon's folder holds of its words, and what is added to that, against working it all out anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.detection.matcher import DictionaryMatcher
from medlink.detection.name_words import keys_of, spell_checker_of, vocabulary_of, write_name_words
from medlink.detection.readings import Kind
from medlink.ontology.aliases import extended_lexicon
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.obo import read_obo
from medlink.ontology.persistence import read_lexicon, write_lexicon
from tests.conftest import TINY_OBO

LEXICON = Lexicon(read_obo(TINY_OBO, name="tiny"))
IDS = sorted(LEXICON.concepts)
WORDS = ["renal", "hypoplastic", "hypoplasia", "A", "seizure", "arrhythmia", "arrhythmic", "ankylosing"]
ALIASES = st.lists(
    st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join), st.sampled_from(IDS)), max_size=6
)
TEXT = "Hypoplastic kidneys, renal hypoplasa. Hepatitis A; ankylosng arrhythmia with seizures and cysts. A renal A."


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Lexicon:
    folder = tmp_path_factory.mktemp("lexicon")
    write_lexicon(LEXICON, folder)
    write_name_words(LEXICON, folder)
    return read_lexicon(folder)


@settings(deadline=None)
@given(ALIASES)
def test_a_stored_lexicon_with_more_names_answers_as_one_in_memory(
    stored: Lexicon, aliases: list[tuple[str, str]]
) -> None:
    theirs, ours = extended_lexicon(LEXICON, aliases), extended_lexicon(stored, aliases)
    for kinds in (frozenset({Kind.EXACT}), frozenset(Kind)):
        expected = DictionaryMatcher(theirs, kinds=kinds).matches(TEXT, nested=True)
        assert DictionaryMatcher(ours, kinds=kinds).matches(TEXT, nested=True) == expected
    one, two = vocabulary_of(theirs), vocabulary_of(ours)
    assert (one.n_names, [one.count(word) for word in one.stems]) == (two.n_names, [two.count(w) for w in one.stems])
    for word in ("ankylosng", "hypoplasa", "arrhythmja", "seizurre"):
        assert spell_checker_of(ours).correct(word) == spell_checker_of(theirs).correct(word)


def test_the_files_are_those_of_the_folder(stored: Lexicon) -> None:
    assert keys_of(stored).keys.tolist() == keys_of(LEXICON).keys.tolist()
    assert keys_of(stored).rows.tolist() == keys_of(LEXICON).rows.tolist()
    assert list(vocabulary_of(stored).stems) == list(vocabulary_of(LEXICON).stems)


def test_files_of_other_rules_are_not_used(stored: Lexicon, tmp_path: Path) -> None:
    write_lexicon(LEXICON, tmp_path)
    write_name_words(LEXICON.branch("HP:0000707"), tmp_path)
    assert len(keys_of(read_lexicon(tmp_path)).keys) < len(keys_of(stored).keys)
    (tmp_path / "words" / "rules").write_text("others", encoding="ascii")
    assert keys_of(read_lexicon(tmp_path)).keys.tolist() == keys_of(stored).keys.tolist()
    (tmp_path / "words" / "rules").unlink()
    assert keys_of(read_lexicon(tmp_path)).keys.tolist() == keys_of(stored).keys.tolist()


def test_a_vocabulary_with_added_names_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="added names"):
        vocabulary_of(LEXICON).extended(["renal cyst"]).write(tmp_path)
