from __future__ import annotations

import pickle
import time

import pytest
import spacy
from scispacy.abbreviation import AbbreviationDetector
from spacy.language import Language
from spacy.tokens import Doc

from medlink.detection.abbreviations import AbbreviationExpander
from medlink.detection.mentions import mentions_of
from medlink.detection.tokens import tokenise_by_words


def _expansions(nlp: Language, text: str, *, spans_key: str | None = None) -> list[tuple[str, str]]:
    return [(mention.surface, mention.expanded) for mention in mentions_of(nlp(text), "n", spans_key=spans_key)]


def test_every_use_of_a_defined_abbreviation_becomes_a_mention(detector: Language) -> None:
    text = "SPR was seen. A short PR interval (SPR) is rare; no delta wave with SPR, but see SPRs."
    assert _expansions(detector, text) == [
        ("SPR", "short PR interval"),
        ("short PR interval", ""),
        ("SPR", "short PR interval"),
        ("SPR", "short PR interval"),
    ]


def test_a_definition_in_the_other_order_counts(detector: Language) -> None:
    assert _expansions(detector, "CLP (cleft lip and palate) runs in families.") == [
        ("CLP", "cleft lip and palate"),
        ("cleft lip and palate", ""),
    ]


def test_a_long_form_that_ends_with_a_mention_counts(detector: Language) -> None:
    text = "Familial muscle weakness (FMW) was found. FMW progressed."
    assert _expansions(detector, text)[1:] == [("FMW", "Familial muscle weakness")] * 2


def test_a_mention_around_the_long_form_counts(detector: Language) -> None:
    text = "The patent ductus arteriosus (DA) was closed. DA"
    assert _expansions(detector, text)[1:] == [("DA", "ductus arteriosus")] * 2


@pytest.mark.parametrize(
    "text",
    [
        "Magnetic resonance imaging (MRI) was done. MRI",
        "Fever response protein assay (FRPA) was done. FRPA",
        "Seizure medication use (SMU) was stopped. SMU",
        "Cough (cough) or fever (fever) was seen.",
        "Loss of fever (OF) was seen; OF",
        "Left.,RIGHT: fever (LRF) was seen. LRF",
    ],
)
def test_a_long_form_that_is_no_mention_does_not_count(detector: Language, text: str) -> None:
    assert all(not expanded for _, expanded in _expansions(detector, text))


def test_the_notes_own_meaning_beats_the_ontologys(detector: Language) -> None:
    text = "The posterior descending artery (PDA) is open. PDA"
    assert _expansions(detector, text) == [("PDA", "posterior descending artery")] * 2


def test_an_abbreviation_of_the_ontology_without_definition_stays(detector: Language) -> None:
    assert _expansions(detector, "A PDA (closed at birth)") == [("PDA", "")]


def test_a_long_form_behind_bare_punctuation_is_whole(detector: Language) -> None:
    text = "Seen for this.,.,.,S-PR.Shortened PR interval (SPR).,SPR"
    assert _expansions(detector, text)[1:] == [("SPR", "Shortened PR interval")] * 2


def test_uses_go_into_the_span_group_too(nested_detector: Language) -> None:
    expected = [("Chest pain", ""), ("pain", ""), ("CP", "Chest pain"), ("CP", "Chest pain")]
    assert _expansions(nested_detector, "Chest pain (CP). Then CP.", spans_key="medlink") == expected


def test_docs_can_be_pickled_with_their_expansions(detector: Language) -> None:
    doc = detector("short PR interval (SPR). No SPR now.")
    copy = pickle.loads(pickle.dumps(doc))  # noqa: S301
    assert mentions_of(copy, "n") == mentions_of(doc, "n")
    assert [ent._.medlink_expanded for ent in copy.ents] == ["", "short PR interval", "short PR interval"]


def test_a_note_without_definitions_stays_as_it_is(detector: Language) -> None:
    assert _expansions(detector, "fever (high), (), ( (cough) )") == [("fever", ""), ("cough", "")]


@pytest.mark.parametrize(
    "text",
    [
        "short PR interval (SPR) and chest pain (CP); SPR, CP (see (text)) (one of more than eight words are none)",
        "chest pain (CP) chest pain (CP) cough pain (CP)",
        "heart rate (HR (beats)) HR",
        "(PR) and (no (deeper) one)",
    ],
)
def test_uses_are_those_of_scispacy(detector: Language, text: str) -> None:
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    doc = nlp(text)
    expander = detector.get_pipe("medlink_abbreviations")
    assert isinstance(expander, AbbreviationExpander)
    ours = {(long_form.text, use.start, use.end) for long_form, use in expander._uses(doc)}
    theirs = AbbreviationDetector(nlp)
    theirs.global_matcher.add("quiet", [[{"ORTH": "no such token"}]])
    expected = {(short._.long_form.text, short.start, short.end) for short in theirs(doc)._.abbreviations}
    assert ours == expected


def test_many_brackets_take_linear_time(detector: Language) -> None:
    doc = Doc(detector.vocab, words=["fever", "(", "x", "y", ")"] * 20_000)
    begin = time.perf_counter()
    assert detector.get_pipe("medlink_abbreviations")(doc).ents == ()
    assert time.perf_counter() - begin < 10
