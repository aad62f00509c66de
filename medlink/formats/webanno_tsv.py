"""WebAnno TSV 3, which INCEpTION calls "legacy": a line per token, a column per feature; read only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import BatchFile
from medlink.formats.cas_layers import TOOL, LayerSpan, is_concept_layer, marked_spans, version_of
from medlink.formats.json_records import decode, shorten
from medlink.formats.proposed import Reading
from medlink.formats.units import utf16_reader
from medlink.formats.verdicts import Sheet, complete, guarded, judge
from medlink.records import Annotation, Rejected, Source

_HEADER = re.compile(r"#T_(?P<kind>SP|RL|CH)=(?P<layer>[^|]+)(?P<features>(?:\|[^|]*)*)")
_TOKEN = re.compile(
    r"\d+-\d+(?:\.\d+)?\t(?P<start>\d{1,10})-(?P<end>\d{1,10})\t(?P<form>[^\t]*)(?P<cells>(?:\t[^\t]*)*)\t?"
)
_STACKED = re.compile(r"(?:\\.|[^|\\])+")
_NUMBERED = re.compile(r"(?P<value>.*?)(?<!\\)\[(?P<number>\d+)\]", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)")
_CONTROL = {"n": "\n", "t": "\t", "r": "\r"}
_MAX_GAP = 1_000_000


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer and its columns.

    :param first: the first of them, counted from 0.
    :param features: their names; one that is empty for a layer without features.
    """

    name: str
    first: int
    features: tuple[str, ...]


@dataclass(slots=True)
class _Table:
    """What a file holds, gathered line by line; all offsets count UTF-16 units.

    :param spans: start, end and features by layer and what tells the annotations of a layer apart.
    """

    layers: list[_Layer] = field(default_factory=list)
    n_columns: int = 0
    sentences: list[tuple[int, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    spans: dict[tuple[str, str], tuple[int, int, dict[str, str]]] = field(default_factory=dict)


def read_webanno_tsv(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in a file of TSV 3.x: the spans of its layers compared with the baseline.

    The text is that of its sentences at their offsets, with line ends and spaces between them. Concepts, document and
    annotator are found as in the CAS. Offsets count UTF-16 units and are given in code points. Stacked annotations
    (``a|b``), those over several tokens (``a[1]``) and parts of tokens are read; relations and chains say nothing.

    Format: https://webanno.github.io/webanno/releases/3.6.7/docs/user-guide.html, appendix "WebAnno TSV 3.2".
    """
    yield from guarded(Source(file.name), "", partial(_read, file, reading))


def _read(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    lines = decode(file.read(reading.limits.file_bytes)).split("\n")
    if not lines[0].startswith("#FORMAT=WebAnno TSV 3"):
        raise CorpusFormatError("another version", expected="#FORMAT=WebAnno TSV 3 in the first line")
    table, broken = _Table(), []
    for number, line in enumerate(lines, start=1):
        if not _read_line(line.rstrip("\r"), table):
            broken.append(Rejected(Source(file.name, number), "a line of no known form", shorten(line)))
    text = _text(table.sentences)
    version = version_of(file, "", reading)
    sheet = complete(Sheet(version.doc_id, TOOL, Source(file.name), text, annotator=version.annotator), reading)
    place = utf16_reader(text)
    spans = [
        LayerSpan(layer, *place(start, end), features, key)
        for (layer, key), (start, end, features) in table.spans.items()
    ]
    placed = marked_spans(spans, text, Source(file.name))
    outside = [
        Rejected(replace(sheet.source, record_id=span.record_id), "a span outside of the text")
        for span, mark in placed
        if mark is None
    ]
    yield from judge(sheet, [*broken, *outside, *(mark for _, mark in placed if mark is not None)])


def _read_line(line: str, table: _Table) -> bool:
    """Whether the line has a known form."""
    header = _HEADER.fullmatch(line)
    if header:
        features = tuple(header["features"].split("|")[1:]) or ("",)
        if header["kind"] == "SP" and is_concept_layer(header["layer"]):
            table.layers.append(_Layer(header["layer"], table.n_columns, features))
        table.n_columns += len(features)
    elif line.startswith("#Text="):
        table.waiting.append(_unescape(line.removeprefix("#Text=")))
    elif line.strip() and not line.startswith("#"):
        return _read_token(line, table)
    return True


def _read_token(line: str, table: _Table) -> bool:
    token = _TOKEN.fullmatch(line)
    if not token:
        return False
    start, end = int(token["start"]), int(token["end"])
    if table.waiting:
        table.sentences.append((start, "\n".join(table.waiting)))
        table.waiting = []
    cells = token["cells"].split("\t")[1:]
    for layer in table.layers:
        for at, feature in enumerate(layer.features, start=layer.first):
            if at < len(cells):
                _read_cell(cells[at], layer, feature, (start, end), table)
    return True


def _read_cell(cell: str, layer: _Layer, feature: str, place: tuple[int, int], table: _Table) -> None:
    if cell in ("", "_"):
        return
    for at, item in enumerate(_STACKED.findall(cell)):
        numbered = _NUMBERED.fullmatch(item)
        key = numbered["number"] if numbered else f"{place[0]}-{place[1]}.{at}"
        value = numbered["value"] if numbered else item
        start, end, features = table.spans.get((layer.name, key), (*place, {}))
        table.spans[layer.name, key] = min(start, place[0]), max(end, place[1]), features
        if value not in ("*", "_"):
            features[feature] = _unescape(value)


def _text(sentences: Iterable[tuple[int, str]]) -> str:
    """The sentences, each at its offset, in UTF-16 units: a line end behind each, and spaces up to the next."""
    pieces: list[str] = []
    length = 0
    for start, sentence in sentences:
        gap = start - length
        if not 0 <= gap <= _MAX_GAP:
            raise CorpusFormatError("sentences that overlap or lie far apart", got=f"offset {start} after {length}")
        pieces.append(("\n" + " " * (gap - 1) if gap and pieces else " " * gap) + sentence)
        length = start + len(sentence.encode("utf-16-le", errors="surrogatepass")) // 2
    return "".join(pieces)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: _CONTROL.get(match[1], match[1]), text)
