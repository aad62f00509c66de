from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

from medlink.detection.assertion_cues import find_cues
from medlink.detection.assertion_kinds import Kind
from medlink.detection.assertion_scopes import Offsets, assert_findings
from medlink.detection.sentences import sentence_spans
from medlink.detection.tokens import tokenise_by_words
from tests.detection.marked import Marked, unmark

_LINES = Path(__file__).with_name("assertion_sentences.txt").read_text(encoding="utf-8").splitlines()
WRITINGS: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "tabs": lambda line: line.replace(" ", "\t"),
    "no-break spaces": lambda line: line.replace(" ", "\N{NO-BREAK SPACE}"),
    "Windows line ends": lambda line: line.replace(" ", "\r\n"),
}
SENTENCES = [line for line in _LINES if line and not line.startswith("#")]


def _asserted(note: Marked) -> dict[Offsets, frozenset[str]]:
    """The labels of the marked spans of a note, sentence by sentence."""
    sentences = sentence_spans(note.text)
    holders = groupby(note.labels, key=lambda span: max(s for s in sentences if s[0] <= span[0]))
    found = [assert_findings(note.text, list(spans), sentence) for sentence, spans in holders]
    return {span: frozenset(assertion.labels) for of_one in found for span, assertion in of_one.items()}


def _negated(text: str, findings: Sequence[Offsets], sentence: Offsets) -> set[Offsets]:
    return {span for span, assertion in assert_findings(text, findings, sentence).items() if assertion.negated}


@pytest.mark.parametrize("line", SENTENCES)
def test_assert_findings_says_what_is_marked(line: str) -> None:
    note = unmark(line)
    assert _asserted(note) == note.labels


@pytest.mark.parametrize("line", [line for line in SENTENCES if "\\n" not in line])
def test_assert_findings_does_not_depend_on_spaces_or_case(line: str) -> None:
    note = unmark(line.replace(" ", "  ").replace("No ", "NO "))
    assert _asserted(note) == note.labels


@pytest.mark.parametrize("write", WRITINGS.values(), ids=WRITINGS)
def test_assert_findings_does_not_depend_on_how_words_are_written_and_spaced(write: Callable[[str], str]) -> None:
    for line in SENTENCES:
        note = unmark(line)
        if len(sentence_spans(note.text)) == 1:
            odd = unmark(write(line))
            found = assert_findings(odd.text, list(odd.labels), (0, len(odd.text)))
            assert [frozenset(assertion.labels) for assertion in found.values()] == list(note.labels.values()), line


@pytest.mark.parametrize("unit", ["no fever, ", "mother with fever ", "if fever or ", "possible fever and ", "? - "])
def test_assert_findings_comes_to_an_end_on_one_long_sentence(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    findings = [(match.start(), match.end()) for match in re.finditer("fever", text)]
    assert len(assert_findings(text, findings, (0, len(text)))) == len(findings)


@given(st.text(alphabet=st.sampled_from("no if\t\n.,;:?()-–'e\u0301😀Nhistory of"), max_size=60))
def test_find_cues_gives_ordered_cues_within_the_sentence(text: str) -> None:
    cues = find_cues(text, (0, len(text)))
    assert all(0 <= cue.start < cue.end <= len(text) for cue in cues)
    assert all(left.end <= right.start for left, right in pairwise(cues))


def test_assert_findings_takes_nested_findings() -> None:
    text = "no severe chest pain, but fever"
    findings = [(3, 20), (10, 20), (16, 20), (26, 31)]
    assert _negated(text, findings, (0, len(text))) == {(3, 20), (10, 20), (16, 20)}


def test_assert_findings_takes_nested_findings_before_the_cue() -> None:
    text = "fever and chest pain were denied"
    findings = [(0, 5), (10, 20), (16, 20)]
    assert _negated(text, findings, (0, len(text))) == set(findings)


def test_assert_findings_stays_within_the_sentence() -> None:
    text = "no fever cough"
    assert _negated(text, [(9, 14)], (3, 14)) == set()


def test_assert_findings_of_nothing_is_nothing() -> None:
    assert assert_findings("no", [], (0, 2)) == {}


@given(
    st.lists(
        st.sampled_from(
            ["no", "not", "denies", "fever", "cough", "chest pain", "but", "and", ",", "was", "ruled out", "-free", "."]
        ),
        min_size=1,
        max_size=14,
    )
)
def test_assert_findings_is_of_all_findings_whatever_their_order(parts: list[str]) -> None:
    text, findings = "", []
    for part in parts:
        if part in {"fever", "cough", "chest pain"}:
            findings.append((len(text), len(text) + len(part)))
        text += part + " "
    asserted = assert_findings(text, findings, (0, len(text)))
    assert set(asserted) == set(findings)
    assert asserted == assert_findings(text, findings[::-1], (0, len(text)))


def test_find_cues_takes_the_longest_phrase() -> None:
    text = "There is no evidence of rash; sepsis cannot be ruled out."
    found = [(cue.kind, text[cue.start : cue.end]) for cue in find_cues(text, (0, len(text)))]
    assert found == [
        (Kind.VERB, "There"),
        (Kind.VERB, "is"),
        (Kind.PHRASE, "no evidence of"),
        (Kind.BREAK, ";"),
        (Kind.AFTER, "cannot be ruled out"),
    ]


def _doc(text: str, *words: str) -> tuple[Language, Doc, list[Span]]:
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    nlp.add_pipe("medlink_assertion")
    doc = nlp.make_doc(text)
    starts = [text.index(word) for word in words]
    spans = [doc.char_span(start, start + len(word), label="X") for start, word in zip(starts, words, strict=True)]
    return nlp, doc, [span for span in spans if span is not None]


def test_component_marks_entities_and_the_span_group() -> None:
    nlp, doc, spans = _doc("No chest pain. Fever.", "chest pain", "pain", "Fever")
    doc.ents = (spans[0], spans[2])
    doc.spans["medlink"] = SpanGroup(doc, spans=spans)
    doc = nlp.get_pipe("medlink_assertion")(doc)
    assert [ent._.medlink_assertion for ent in doc.ents] == [("negated",), ()]
    assert [span._.medlink_assertion for span in doc.spans["medlink"]] == [("negated",), ("negated",), ()]


def test_component_keeps_the_sentences_and_assertions_of_others() -> None:
    nlp, doc, spans = _doc("No cough. Fever", "cough", "Fever")
    for token in doc:
        token.is_sent_start = token.i == 0
    doc.ents = spans
    spans[1]._.medlink_assertion = ("family",)
    doc = nlp.get_pipe("medlink_assertion")(doc)
    assert [ent._.medlink_assertion for ent in doc.ents] == [("negated",), ("negated", "family")]


@pytest.mark.parametrize(
    ("note", "labels"),
    [
        ("FAMILY HISTORY: [fever]", ("family",)),
        ("FAMILY HISTORY: No [fever]", ("negated", "family")),
        ("FAMILY HISTORY: Father: [fever]; well", ("family",)),
        ("FAMILY HISTORY: Unknown; the patient has [fever]", ()),
        ("PAST MEDICAL HISTORY: [fever], treated because of pain", ("historical",)),
        ("PAST MEDICAL HISTORY: Warfarin because of [fever]", ("historical",)),
        ("PAST MEDICAL HISTORY: Gout, currently [fever]", ()),
        ("PAST MEDICAL HISTORY: No [fever]", ("negated",)),
        ("PAST SURGICAL HISTORY: Surgery for [fever]", ("historical",)),
        ("RETURN PRECAUTIONS: [fever]", ("hypothetical",)),
        ("DIFFERENTIAL DIAGNOSIS: [fever]", ("uncertain",)),
        ("RISKS: [fever]", ("hypothetical",)),
        ("PLAN: [fever]", ()),
    ],
)
def test_component_counts_what_the_section_says(note: str, labels: tuple[str, ...]) -> None:
    marked = unmark(note)
    nlp, doc, spans = _doc(marked.text, "fever")
    doc.ents = spans
    nlp.add_pipe("medlink_sections", before="medlink_assertion")
    for _, component in nlp.pipeline:
        doc = component(doc)
    assert doc.ents[0]._.medlink_assertion == labels


def test_component_needs_no_sections() -> None:
    nlp, doc, spans = _doc("ALLERGIES: fever", "fever")
    doc.ents = spans
    assert nlp.get_pipe("medlink_assertion")(doc).ents[0]._.medlink_assertion == ()


@pytest.mark.parametrize("text", ["", "No.", "\n"])
def test_component_takes_docs_without_mentions(text: str) -> None:
    nlp, doc, _ = _doc(text)
    assert nlp.get_pipe("medlink_assertion")(doc).ents == ()
