"""PubTator, in and out: title line, abstract line and one tab-separated line per mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO
from urllib.parse import unquote

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import READ_ERRORS, BatchFile
from medlink.formats.concept_ids import split_ids
from medlink.formats.decision import decide
from medlink.formats.json_records import decode, shorten
from medlink.formats.lines import read_lines
from medlink.formats.proposed import Reading
from medlink.formats.verdicts import Marked, Sheet, complete, guarded, judge
from medlink.records import Annotation, LinkedDocument, Rejected, Source

# What `str.splitlines` breaks at, and the tab that separates fields.
_BREAK = re.compile(r"[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_ESCAPED = re.compile(r"[%|\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# The first line with something in it, as far as its last character that is no white space.
_TITLE = re.compile(r"\s*\S(?:[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]*\S)?")
NIL = "-1"
_TEXT = re.compile(r"(?P<id>[^|\t]+)\|(?P<part>[ta])\|(?P<text>.*)", re.DOTALL)
_N_RELATION_FIELDS = 4
_OFFSET = re.compile(r"[0-9]{1,10}")


def write_pubtator(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    r"""UTF-8 records, each ended by an empty line: ``id|t|title``, ``id|a|abstract``, then a line per mention.

    The format counts offsets in ``title + one character + abstract`` and knows no line breaks, so a note maps like
    this, and every offset stays as it is: the title is the first line that is not empty, without the white space
    behind it; the one character is the white space that follows it; the abstract is all the rest; and every line break
    or tab is a space (``\r\n`` is two). A ``|``, ``%``, tab or line break in a document id is %-escaped.

    A NIL mention has ``-1`` for its concept, as in the BC5CDR corpus; the type is the recogniser's label, else
    ``Concept``. PubTator has no place for **assertion, scores, alternatives, sections and long forms**: they are left
    out, so a negated finding looks like any other. Constant memory.

    Format: Wei et al. 2013, "PubTator: a web-based text mining tool"; Li et al. 2016 for ``-1``.
    """
    for linked in links:
        stream.write("".join(f"{line}\n" for line in _lines(linked)).encode() + b"\n")


def split_text(text: str) -> tuple[str, str]:
    r"""Title and abstract of a note: ``title + " " + abstract`` holds each of its characters at its own offset.

    >>> split_text("HISTORY: \nFits.\r\nNo fever.")
    ('HISTORY:', ' Fits.  No fever.')
    """
    match = _TITLE.match(text)
    end = match.end() if match else 0
    flat = _BREAK.sub(" ", text)
    return flat[:end], flat[end + 1 :]


def _lines(linked: LinkedDocument) -> Iterator[str]:
    doc_id = _ESCAPED.sub(lambda match: f"%{ord(match.group()):02X}", linked.document.id)
    title, abstract = split_text(linked.document.text)
    yield f"{doc_id}|t|{title}"
    yield f"{doc_id}|a|{abstract}"
    for link in linked.links:
        mention = link.mention
        concept_id = decide(link).concept_id or NIL
        kind = mention.label or "Concept"
        surface = _BREAK.sub(" ", mention.surface)
        yield "\t".join((doc_id, str(mention.start), str(mention.end), surface, _BREAK.sub(" ", kind), concept_id))


def read_pubtator(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in records parted by empty lines: their mentions compared with the baseline.

    ``-1``, ``-`` and ``NIL`` say that no concept fits; a line without a sixth column names none. Several ids (``|``,
    ``+``) are no verdict on one concept and are rejected; lines of four columns are relations and say nothing. The
    text is title, one character, abstract, as offsets count it; where the baseline's differs from it only in white
    space, that is taken. Constant memory.
    """
    yield from guarded(Source(file.name), "", partial(_read, file, reading))


def _read(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    record: list[tuple[int, str]] = []
    try:
        with file.open() as stream:
            for number, line in enumerate(read_lines(stream, reading.limits.line_bytes), start=1):
                if line.n_bytes > reading.limits.line_bytes:
                    yield Rejected(Source(file.name, number), f"a line of {line.n_bytes:,} bytes")
                elif line.data.strip():
                    record.append((number, decode(line.data).rstrip("\r\n")))
                else:
                    yield from _read_record(record, file, reading)
                    record = []
    except CorpusFormatError as error:
        yield Rejected(Source(file.name, number), str(error))
    except READ_ERRORS as error:
        raise CorpusFormatError("the file cannot be read", got=type(error).__name__) from None
    yield from _read_record(record, file, reading)


def _read_record(
    record: Sequence[tuple[int, str]], file: BatchFile, reading: Reading
) -> Iterator[Annotation | Rejected]:
    parts: dict[str, str] = {}
    doc_id, rest = "", []
    for number, line in record:
        match = _TEXT.fullmatch(line)
        if match:
            doc_id = doc_id or match["id"].strip()
            parts.setdefault(match["part"], match["text"])
        else:
            rest.append((number, line))
    if not doc_id:
        for number, line in rest:
            yield Rejected(Source(file.name, number), "a line without a document before it", shorten(line))
        return
    text = f"{parts.get('t', '')} {parts.get('a', '')}"
    sheet = complete(Sheet(unquote(doc_id), "pubtator", Source(file.name, record[0][0]), text), reading)
    spans = (_span_or_reason(line, doc_id, Source(file.name, number)) for number, line in rest)
    yield from judge(sheet, (span for span in spans if span is not None))


def _span_or_reason(line: str, doc_id: str, source: Source) -> Marked | Rejected | None:
    fields = line.split("\t")
    if len(fields) == _N_RELATION_FIELDS:
        return None
    try:
        if fields[0].strip() != doc_id:
            raise CorpusFormatError("a line of another document", expected="the id of the lines before it")
        if len(fields) < _N_RELATION_FIELDS or not all(map(_OFFSET.fullmatch, fields[1:3])):
            raise CorpusFormatError("a line of another form", expected="document, start, end, surface, type, ids")
    except CorpusFormatError as error:
        return Rejected(source, str(error), shorten(line))
    span = Marked(int(fields[1]), int(fields[2]), fields[3], source, raw=shorten(line))
    return span.naming(*split_ids("".join(fields[5:6])))
