"""brat standoff, in and out: a folder with a .txt and an .ann file per note, and the configuration that brat needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

from medlink.errors import CorpusFormatError, SettingError
from medlink.formats.batch_files import BatchFile
from medlink.formats.concept_ids import NIL
from medlink.formats.decision import Decision, decide, round_score
from medlink.formats.file_names import file_name
from medlink.formats.json_records import decode, shorten
from medlink.formats.links_json import dump_line
from medlink.formats.proposed import Reading
from medlink.formats.verdicts import Marked, Sheet, complete, guarded, judge, span_of
from medlink.records import Annotation, Assertion, LinkedDocument, Mention, Rejected, Source

_SPAN = re.compile(
    r"T\S*\t(?P<kind>\S+) (?P<offsets>\d{1,10} \d{1,10}(?:;\d{1,10} \d{1,10})*)\t(?P<surface>.*)", re.DOTALL
)
_REFERENCE = re.compile(r"N\S*\tReference (?P<key>T\S+) (?P<id>\S+)(?:\t.*)?", re.DOTALL)
# Attributes, relations, events, equivalences, notes of people: nothing that says a span or a concept.
_OTHERS = tuple("AMREW*#")
# A fragment ends at a tab, which separates fields, and at whatever `str.splitlines` and so brat takes for a line end.
_FRAGMENT = re.compile(r"[^\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")

_ATTRIBUTES = tuple(name.capitalize() for name in Assertion.__slots__)
ANNOTATION_CONF = "\n".join(
    ["[entities]", "Concept", "NIL", "[relations]", "[events]", "[attributes]"]
    + [f"{name}\tArg:<ENTITY>" for name in _ATTRIBUTES]
    + [""]
)
#: Beside the notes; brat shows no hidden files.
BASELINE_NAME = ".medlink.jsonl"
VISUAL_CONF = """[labels]
Concept | Concept | C
NIL | no concept | NIL
[drawing]
Concept\tbgColor:#a7dcd4, borderColor:darken
NIL\tbgColor:#d9dce1, borderColor:darken
Negated\tbox:crossed, glyph:-, dashArray:-
Uncertain\tglyph:?, dashArray:3-3
Historical\tglyph:H
Hypothetical\tglyph:if, dashArray:3-3
Family\tglyph:F
"""


def write_brat(links: Iterable[LinkedDocument], folder: Path) -> Iterator[Path]:
    """The paths written, relative to ``folder``, each yielded when its file is complete.

    Per note ``NAME.txt``, the untouched text, and ``NAME.ann`` with, per mention: a ``T`` line of type ``Concept`` or,
    where nothing was chosen, ``NIL``; an ``N`` line ``Reference T1 HP:0001250`` with the preferred name, not for NIL;
    an ``A`` line per assertion; and an ``AnnotatorNotes`` line with score, long form, section and alternatives.
    A surface that runs over a line break or tab is a discontinuous annotation, one fragment per line, as a line of the
    .ann file cannot hold it otherwise; brat counts code points, as medlink does. The recogniser's label and the
    sentence offsets are left out. The hidden file ``.medlink.jsonl`` holds what was exported, for :func:`read_brat`.
    Constant memory.

    Format: https://brat.nlplab.org/standoff.html

    :raises SettingError: when two documents want the same file, as those with the same id do.
    """
    for linked in links:
        name = file_name(linked.document.id)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (folder / f"{name}.txt").exists():
            raise SettingError(
                "two documents want the same file",
                where=f"document {linked.document.id!r}",
                hint="Give every document an id of its own.",
            )
        yield _write(folder, f"{name}.txt", linked.document.text)
        yield _write(folder, f"{name}.ann", "".join(f"{line}\n" for line in annotation_lines(linked)))
        with (folder / BASELINE_NAME).open("ab") as baseline:
            baseline.write(dump_line(linked, with_text=False).encode() + b"\n")
    if (folder / BASELINE_NAME).exists():
        yield Path(BASELINE_NAME)
    yield _write(folder, "annotation.conf", ANNOTATION_CONF)
    yield _write(folder, "visual.conf", VISUAL_CONF)


def annotation_lines(linked: LinkedDocument) -> Iterator[str]:
    """The lines of the note's .ann file; ids count up from 1 in the order of the links."""
    n_attributes = 0
    for number, link in enumerate(linked.links, start=1):
        mention, decision = link.mention, decide(link)
        yield _text_bound(number, mention, decision)
        if not decision.is_nil:
            yield f"N{number}\tReference T{number} {_reference(decision.concept_id)}\t{_one_line(decision.name)}"
        for label in mention.assertion.labels:
            n_attributes += 1
            yield f"A{n_attributes}\t{label.capitalize()} T{number}"
        yield f"#{number}\tAnnotatorNotes T{number}\t{_notes(mention, decision)}"


def _text_bound(number: int, mention: Mention, decision: Decision) -> str:
    fragments = _fragments(mention)
    offsets = ";".join(f"{start} {end}" for start, end, _ in fragments)
    surface = " ".join(text for _, _, text in fragments)
    return f"T{number}\t{'NIL' if decision.is_nil else 'Concept'} {offsets}\t{surface}"


def _fragments(mention: Mention) -> list[tuple[int, int, str]]:
    """The parts of the surface between line breaks, with their offsets, without the white space around them.

    A surface of white space alone, which brat cannot show, is one part of as many spaces.
    """
    fragments = []
    for match in _FRAGMENT.finditer(mention.surface):
        text = match.group().strip()
        if text:
            start = mention.start + match.start() + match.group().index(text)
            fragments.append((start, start + len(text), text))
    return fragments or [(mention.start, mention.end, " " * len(mention.surface))]


def _reference(concept_id: str) -> str:
    """The id as brat's ``DATABASE:ID``, which a CURIE is already; "ID" stands in where there is no prefix.

    >>> _reference("HP:0001250"), _reference("E11.9")
    ('HP:0001250', 'ID:E11.9')
    """
    reference = concept_id if re.match(r"[^:]+:.", concept_id) else f"ID:{concept_id}"
    return quote(reference, safe=":/#?&=+,;@!$'()*~[]")


def _notes(mention: Mention, decision: Decision) -> str:
    notes = [f"score {round_score(decision.score)}"]
    if mention.expanded:
        notes.append(f"long form: {mention.expanded}")
    if mention.section:
        notes.append(f"section: {mention.section}")
    if decision.alternatives:
        names = (f"{c.concept_id} {c.name} ({round_score(c.score)})" for c in decision.alternatives)
        notes.append("alternatives: " + " | ".join(names))
    return _one_line("; ".join(notes))


def _one_line(text: str) -> str:
    return " ".join(_FRAGMENT.findall(text))


def read_brat(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in an .ann file: what is in it now against the baseline, without which every span is a missed one.

    A span's concept is its ``N`` line; the type ``NIL`` says that none fits. The text is in the .txt file beside it. A
    document's id is the path below the folder that was given. Attributes, relations, events and notes of people say
    nothing here; a line of no known form is rejected.
    """
    yield from guarded(Source(file.name), "", partial(_read, file, reading))


def _read(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    note = file.sibling(f"{file.path.name.removesuffix('.ann')}.txt")
    lines = decode(file.read(reading.limits.file_bytes)).split("\n")
    text = decode(note.read(reading.limits.file_bytes)) if note else None
    sheet = Sheet(reading.doc_id(file.inner), "brat", Source(file.name), text)
    yield from judge(complete(sheet, reading), _spans(lines, text or "", file.name))


@dataclass(slots=True)
class _TextBound:
    """A ``T`` line and the concepts that its ``N`` lines name."""

    line: str
    number: int
    concepts: list[str] = field(default_factory=list)


def _spans(lines: Iterable[str], text: str, name: str) -> Iterator[Marked | Rejected]:
    bounds: dict[str, _TextBound] = {}
    references: list[tuple[int, str, re.Match[str]]] = []
    for number, line in enumerate(lines, start=1):
        line = line.rstrip("\r")
        reference = _REFERENCE.fullmatch(line)
        key = line.partition("\t")[0]
        if reference:
            references.append((number, line, reference))
        elif line.startswith("T") and key not in bounds:
            bounds[key] = _TextBound(line, number)
        elif line.strip() and (line.startswith(("T", "N")) or not line.startswith(_OTHERS)):
            what = "a second line of this id" if key in bounds else "a line of no known form"
            yield Rejected(Source(name, number, key[:20]), what, shorten(line))
    for number, line, reference in references:
        if reference["key"] in bounds:
            bounds[reference["key"]].concepts.append(unquote(reference["id"]).removeprefix("ID:"))
        else:
            source = Source(name, number, reference["key"])
            yield Rejected(source, "a concept for a span that is not there", shorten(line))
    for key, bound in bounds.items():
        source = Source(name, bound.number, key)
        try:
            yield _span(bound, text, source)
        except CorpusFormatError as error:
            yield Rejected(source, str(error), shorten(bound.line))


def _span(bound: _TextBound, text: str, source: Source) -> Marked:
    match = _SPAN.fullmatch(bound.line)
    if not match:
        raise CorpusFormatError("no text-bound annotation", expected="T1, a tab, type and offsets, a tab, the surface")
    pieces = [tuple(map(int, piece.split())) for piece in match["offsets"].split(";")]
    span = span_of([(start, end) for start, end in pieces], match["surface"], text, source)
    kind = (NIL,) if match["kind"] == NIL else ()
    return replace(span, raw=shorten(bound.line)).naming(*kind, *bound.concepts)


def _write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_bytes(text.encode())
    return Path(name)
