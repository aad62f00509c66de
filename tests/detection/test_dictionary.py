from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span

from medlink.detection.dictionary import DictionaryDetector
from medlink.detection.matcher import DictionaryMatcher
from medlink.errors import SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.persistence import write_lexicon
from tests.detection.lexicons import clinical_lexicon, lexicon_with
from tests.detection.marked import unmark

MATCHER = DictionaryMatcher(clinical_lexicon())


@pytest.mark.parametrize(
    "marked",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n\t ", id="blank"),
        pytest.param("[Fever]", id="whole text"),
        pytest.param("ECG: [short PR interval].", id="inflected"),
        pytest.param("[shortened PR intervals] on the ECG", id="plural"),
        pytest.param("[interval PR short]", id="any order"),
        pytest.param("[weakness of the muscles] of the arm", id="across prepositions"),
        pytest.param("muscular fatigue, weak muscle fibres", id="other words"),
        pytest.param("weakness and muscle cramps", id="not reordered across and"),
        pytest.param("weakness with muscle cramps", id="not reordered across with"),
        pytest.param("weakness, muscle cramps", id="not reordered across a comma"),
        pytest.param("weakness/muscle cramps", id="not reordered across a slash"),
        pytest.param("chest. [Pain]", id="not across a sentence end"),
        pytest.param("chest\n\n[pain]", id="not across a blank line"),
        pytest.param("[chest\npain]", id="across a line end"),
        pytest.param("[chest\r\npain]", id="across a Windows line end"),
        pytest.param("[chest\u00a0pain]", id="across a non-breaking space"),
        pytest.param("[chest\tpain]", id="across a tab"),
        pytest.param("[chest-pain]", id="across a hyphen"),
        pytest.param("chest ([pain])", id="not across a bracket"),
        pytest.param("[cleft lip and palate]", id="and of the name"),
        pytest.param("[cleft lip/palate]", id="slash for and"),
        pytest.param("[cleft lip palate]", id="without and"),
        pytest.param("palate and cleft lip", id="and in another order"),
        pytest.param("[mitral regurgitation, mild]; no more", id="comma of the name"),
        pytest.param("[mitral regurgitation], mild tricuspid regurgitation", id="comma of a list"),
        pytest.param("[mild mitral regurgitation]", id="inverted name in natural order"),
        pytest.param("[mitral regurgitation] and mild edema", id="and for a comma"),
        pytest.param("[Hepatitis A] and [hepatitis]", id="capital A"),
        pytest.param("had [hepatitis] a year ago", id="article a"),
        pytest.param("diagnosed with [ALL] at six", id="acronym"),
        pytest.param("we all saw all of it", id="word like an acronym"),
        pytest.param("WE SAW ALL OF THEM", id="word like an acronym in capitals"),
        pytest.param("two [PDAs]", id="plural acronym"),
        pytest.param("pda, Pda", id="acronym in other case"),
        pytest.param("loud [S3], s3 root", id="two letters"),
        pytest.param("[FEVER] AND [COUGH]", id="words in capitals"),
        pytest.param("47 X down Down 3", id="numbers, letters and function words"),
        pytest.param("ALLERGIES: none", id="heading"),
        pytest.param("Her [allergies] are worse", id="word like a heading"),
        pytest.param("[fits] and [seizures]", id="synonyms"),
        pytest.param("a retired concept", id="obsolete"),
        pytest.param("[Me\u0301nie\u0300re's disease], [meniere disease]", id="combining marks"),
        pytest.param("🙂🙂 [fever] 🙂 [chest pain]🙂", id="emoji"),
        pytest.param("_[fever]_ “[cough]”", id="markup"),
        pytest.param("fevered [coughs] coughing", id="single words keep their endings"),
    ],
)
def test_find_finds_what_is_marked(marked: str) -> None:
    expected = unmark(marked)
    assert MATCHER.find(expected.text) == list(expected.spans)


def test_find_prefers_the_longest() -> None:
    matcher = DictionaryMatcher(lexicon_with({"T:1": ["pain"], "T:2": ["chest pain"], "T:3": ["pain medication"]}))
    assert matcher.find("chest pain medication") == [(6, 21)]
    assert matcher.find("chest pain") == [(0, 10)]


def test_find_prefers_the_first_of_two_equally_long() -> None:
    matcher = DictionaryMatcher(lexicon_with({"T:1": ["abc def"], "T:2": ["def abc"], "T:3": ["def ghi"]}))
    assert matcher.find("abc def ghi") == [(0, 7)]


def test_find_keeps_nested_and_overlapping_mentions_on_request() -> None:
    matcher = DictionaryMatcher(lexicon_with({"T:1": ["pain"], "T:2": ["chest pain"], "T:3": ["pain medication"]}))
    assert matcher.find("chest pain medication", nested=True) == [(0, 10), (6, 10), (6, 21)]


def test_matches_gives_the_rows_of_all_names_that_it_may_be(lexicon: Lexicon) -> None:
    (match,) = MATCHER.matches("weak muscle, weakness of muscle")
    assert {lexicon.names[row] for row in match.rows} == {"muscle weakness", "weakness of muscles"}


def test_matches_keeps_homonyms_apart(lexicon: Lexicon) -> None:
    (match,) = MATCHER.matches("The PDA was closed.")
    assert [posting.concept_id for row in match.rows for posting in lexicon.postings(row)] == ["T:17", "T:18"]


def test_find_of_a_lexicon_in_capitals_ignores_case() -> None:
    matcher = DictionaryMatcher(lexicon_with({"T:1": ["COUGH", "TUSSIS"], "T:2": ["FEVER"]}))
    assert matcher.find("cough, fever") == [(0, 5), (7, 12)]


def test_find_of_an_empty_lexicon_is_empty() -> None:
    assert DictionaryMatcher(lexicon_with({"T:1": ["!"]})).find("fever !") == []


@given(st.lists(st.sampled_from(["chest", "pain", "fever", ". ", ", ", "and", "\r\n", "🙂", "muscles", "weakness"])))
def test_find_is_the_longest_of_the_nested(parts: list[str]) -> None:
    text = " ".join(parts)
    longest, nested = MATCHER.find(text), MATCHER.find(text, nested=True)
    assert set(longest) <= set(nested)
    assert all(left[1] <= right[0] for left, right in pairwise(longest))
    for start, end in nested:
        assert any(kept[0] < end and start < kept[1] and kept[1] - kept[0] >= end - start for kept in longest)


@given(st.text(max_size=80), st.text(max_size=20))
def test_find_does_not_depend_on_what_stands_in_another_paragraph(text: str, prefix: str) -> None:
    shift = len(prefix) + 3
    found = MATCHER.find(f"{prefix}.\n\n{text}")
    assert [(start - shift, end - shift) for start, end in found if start >= shift] == MATCHER.find(text)


@pytest.mark.slow
def test_find_takes_linear_time_in_a_megabyte() -> None:
    text = "The patient has chest pain and no fever 🙂. " * 24_000
    assert len(MATCHER.find(text)) == 48_000


def _detector(lexicon: Lexicon, **config: object) -> tuple[Language, DictionaryDetector]:
    nlp = spacy.blank("en")
    component = nlp.add_pipe("medlink_dictionary", config=dict(config))
    assert isinstance(component, DictionaryDetector)
    component.lexicon = lexicon
    return nlp, component


def test_component_keeps_the_entities_of_others(lexicon: Lexicon) -> None:
    nlp, component = _detector(lexicon)
    doc = nlp.make_doc("chest pain and fever")
    doc.ents = [Span(doc, 0, 1, label="BODY")]
    assert [(ent.text, ent.label_) for ent in component(doc).ents] == [("chest", "BODY"), ("fever", "CONCEPT")]


def test_component_puts_nested_mentions_into_the_span_group(lexicon: Lexicon) -> None:
    nlp, _ = _detector(lexicon, nested=True, spans_key="all")
    doc = nlp("chest pain")
    assert [ent.text for ent in doc.ents] == ["chest pain"]
    assert [span.text for span in doc.spans["all"]] == ["chest pain", "pain"]


def test_component_grows_mentions_to_the_tokens_of_another_tokenizer(lexicon: Lexicon) -> None:
    nlp, _ = _detector(lexicon)
    doc = Doc(nlp.vocab, words=["fever+cough", "now"])
    assert [ent.text for ent in nlp.get_pipe("medlink_dictionary")(doc).ents] == ["fever+cough"]


def test_component_without_a_lexicon_says_how_to_set_one() -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink_dictionary")
    with pytest.raises(SettingError, match=r"component\.lexicon"):
        nlp("fever")


def test_component_reads_its_lexicon_from_the_configured_folder(lexicon: Lexicon, tmp_path: Path) -> None:
    write_lexicon(lexicon, tmp_path / "lexicon")
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink_dictionary", config={"lexicon": str(tmp_path / "lexicon")})
    assert [ent.text for ent in nlp("no fever").ents] == ["fever"]


def test_component_survives_disk_and_bytes(lexicon: Lexicon, tmp_path: Path) -> None:
    nlp, _ = _detector(lexicon, nested=True)
    nlp.to_disk(tmp_path)
    from_disk = spacy.load(tmp_path)
    from_bytes = spacy.blank("en")
    from_bytes.add_pipe("medlink_dictionary", config={"nested": True})
    from_bytes.from_bytes(nlp.to_bytes())
    for loaded in (from_disk, from_bytes):
        doc = loaded("A short PR interval, chest pain")
        assert [span.text for span in doc.spans["medlink"]] == ["short PR interval", "chest pain", "pain"]
        component = loaded.get_pipe("medlink_dictionary")
        assert isinstance(component, DictionaryDetector)
        assert component.lexicon.content_hash == lexicon.content_hash


def test_component_without_a_lexicon_survives_disk(tmp_path: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("medlink_dictionary")
    nlp.to_disk(tmp_path)
    with pytest.raises(SettingError):
        spacy.load(tmp_path)("fever")


def test_matcher_can_be_pickled(matcher: DictionaryMatcher) -> None:
    matcher.find("chest pain")
    assert pickle.loads(pickle.dumps(matcher)).find("chest pain") == [(0, 10)]  # noqa: S301
