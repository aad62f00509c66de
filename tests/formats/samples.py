"""Linked documents that the format tests share: four written by hand, and a Hypothesis strategy for any other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from medlink.formats.writers import NUMBERED_FORMATS
from medlink.records import Assertion, Candidate, Document, Link, LinkedDocument, Mention

SEIZURE = Candidate("HP:0001250", "Seizure", "fits", 1.0, 0.8125, 0.9731)
HEADACHE = Candidate("HP:0002315", "Headache", "head pain", 0.4, None, 0.4021)
INFARCTION = Candidate("HP:0001658", "Myocardial infarction", "heart attack", 1.0, None, 0.99)
REFLUX = Candidate("HP:0002020", "Gastroesophageal reflux", "gastroesophageal reflux disease", 1.0, None, 0.95)
TIED = (Candidate("HP:0000001", "A", "a", 0.5, 0.5, 0.5), Candidate("HP:0000002", "B | C", "b", 0.5, 0.5, 0.5))
NEGATED = Assertion(negated=True)


def make_link(
    document: Document,
    surface: str,
    *candidates: Candidate,
    nil: bool = False,
    expanded: str = "",
    assertion: Assertion = Assertion(),  # noqa: B008 - frozen
) -> Link:
    """A link of the surface's first occurrence to the first candidate."""
    start = document.text.index(surface)
    mention = Mention(
        document.id,
        start,
        start + len(surface),
        surface,
        expanded=expanded,
        sentence=(0, len(document.text)),
        section="History",
        assertion=assertion,
    )
    return Link(mention, candidates, None if nil else candidates[0].concept_id, "surface-1", "2025-01-16")


def _linked(document: Document, *links: Link) -> LinkedDocument:
    return LinkedDocument(document, tuple(sorted(links, key=lambda link: (link.mention.start, link.mention.end))))


_WARD = Document("ward 3/fits", "HISTORY:\nNo fits. Has GERD,\nheart\n  attack and zebra pain.\n")
WARD = _linked(
    _WARD,
    make_link(_WARD, "fits", SEIZURE, HEADACHE, assertion=NEGATED),
    make_link(_WARD, "GERD", REFLUX, expanded="gastroesophageal reflux disease"),
    make_link(_WARD, "heart\n  attack", INFARCTION, assertion=Assertion(historical=True, family=True)),
    make_link(_WARD, "zebra pain", *TIED, nil=True),
    make_link(_WARD, "pain", *TIED),
)
_UNICODE = Document("unicode", "\r\n😀 Me\u0301nie\u0300re\tdisease\r\nand <b>fits</b> &amp; \u2028\u202bfits\x0cfits")
UNICODE = _linked(
    _UNICODE,
    make_link(
        _UNICODE, "Me\u0301nie\u0300re\tdisease", Candidate("D008575", "Ménière's <disease>", "x", 0.9, 0.9, 0.9)
    ),
    make_link(_UNICODE, "fits</b>", SEIZURE),
    make_link(_UNICODE, "<b>fits", SEIZURE),
)
EMPTY = LinkedDocument(Document("empty", ""), ())
_FORMULA = Document("=1+2", "-HCG and =1+1 and @fits\n")
FORMULA = _linked(
    _FORMULA,
    make_link(_FORMULA, "-HCG", Candidate("X:1", '=HYPERLINK("http://x")', "+x", 0.1, -0.25, 0.3), SEIZURE),
    make_link(_FORMULA, "=1+1", SEIZURE),
    make_link(_FORMULA, "@fits", SEIZURE, nil=True),
)
DOCUMENTS = (WARD, UNICODE, EMPTY, FORMULA)


def numbered(linked: LinkedDocument, number: int) -> LinkedDocument:
    """The document with a number for its id, as OMOP has it."""
    document = replace(linked.document, id=str(number))
    links = tuple(replace(link, mention=replace(link.mention, doc_id=document.id)) for link in linked.links)
    return LinkedDocument(document, links)


def documents_for(format: str) -> tuple[LinkedDocument, ...]:
    """The shared documents with ids that a format takes."""
    if format in NUMBERED_FORMATS:
        return tuple(numbered(linked, number) for number, linked in enumerate(DOCUMENTS, start=1))
    return DOCUMENTS


_SCORES = st.integers(0, 10_000).map(lambda n: n / 10_000)
_WORDS = st.text(min_size=1, max_size=8)
_CANDIDATES = st.builds(
    Candidate,
    concept_id=st.from_regex(r"[A-Z]{2}:[0-9]{3}", fullmatch=True),
    name=_WORDS,
    matched=_WORDS,
    lexical=_SCORES,
    dense=st.none() | _SCORES,
    score=_SCORES,
)


@st.composite
def _links(draw: st.DrawFn, document: Document) -> Link:
    ink = [at for at, char in enumerate(document.text) if not char.isspace()]
    inside = draw(st.sampled_from(ink))
    start = draw(st.integers(0, inside))
    end = draw(st.integers(inside + 1, len(document.text)))
    candidates = draw(st.lists(_CANDIDATES, max_size=3, unique_by=lambda c: c.concept_id))
    mention = Mention(
        document.id,
        start,
        end,
        document.text[start:end],
        expanded=draw(st.text(max_size=5)),
        sentence=(draw(st.integers(0, start)), draw(st.integers(end, 99))),
        section=draw(st.text(max_size=5)),
        assertion=draw(st.builds(Assertion)),
        label=draw(st.sampled_from(["", "DISEASE", "a b"])),
    )
    chosen = draw(st.sampled_from([None, *(c.concept_id for c in candidates)]))
    others = draw(st.sampled_from([(), ("OMIM:1",), ("OMIM:1", "UMLS:C1")]))
    return Link(mention, tuple(candidates), chosen, draw(_WORDS), draw(_WORDS), others)


@st.composite
def linked_documents(draw: st.DrawFn, doc_id: str = "") -> LinkedDocument:
    """Any text, line ends and control characters included, with any mentions in it that are not all white space."""
    breaks = st.sampled_from(list("\r\n\t \x0b\x0c\x1c\x85\u2028ab😀\u0301,\"'=<&|"))
    text = draw(st.text(st.characters(codec="utf-8") | breaks, max_size=40))
    document = Document(doc_id or draw(_WORDS), text)
    links = draw(st.lists(_links(document), max_size=5)) if text.strip() else []
    return _linked(document, *links)
