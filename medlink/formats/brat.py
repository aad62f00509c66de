"""brat standoff output: a folder with a .txt and an .ann file per note, and the configuration that brat needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from medlink.errors import SettingError
from medlink.formats.decision import Decision, decide, round_score
from medlink.records import Assertion, LinkedDocument, Mention

# A fragment ends at a tab, which separates fields, and at whatever `str.splitlines` and so brat takes for a line end.
_FRAGMENT = re.compile(r"[^\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"%*:<>?\\|]|^[. ]|[. ]\Z')
_MAX_NAME_BYTES = 200  # file systems stop at 255, and brat adds suffixes of its own

_ATTRIBUTES = tuple(name.capitalize() for name in Assertion.__slots__)
ANNOTATION_CONF = "\n".join(
    ["[entities]", "Concept", "NIL", "[relations]", "[events]", "[attributes]"]
    + [f"{name}\tArg:<ENTITY>" for name in _ATTRIBUTES]
    + [""]
)
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
    sentence offsets are left out. Constant memory.

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
    yield _write(folder, "annotation.conf", ANNOTATION_CONF)
    yield _write(folder, "visual.conf", VISUAL_CONF)


def file_name(doc_id: str) -> str:
    """The document id as a relative path without suffix: "/" makes folders, what no file system takes is %-escaped.

    Different ids get different names; none leaves the folder. Long parts are cut and end in a digest.

    >>> file_name("ward 3/note.1"), file_name("../a:b"), file_name("/x")
    ('ward 3/note.1', '%2E%2E/a%3Ab', '%/x')
    """
    return "/".join(map(_file_name_part, doc_id.split("/")))


def _file_name_part(part: str) -> str:
    safe = _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", part) or "%"
    if len(safe.encode()) <= _MAX_NAME_BYTES:
        return safe
    head = safe.encode()[: _MAX_NAME_BYTES - 17].decode(errors="ignore")
    return f"{head}-{sha256(part.encode()).hexdigest()[:16]}"


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


def _write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_bytes(text.encode())
    return Path(name)
