"""Which tool wrote a file: told from its first bytes, never from its name."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import READ_ERRORS, BatchFile
from medlink.formats.lines import BOM

#: How much of a file is looked at. The keys of a JSON record that come later are not seen.
HEAD_BYTES = 1 << 20
# The last string may be cut off. Possessive, as a head of escaped quotes would take for ever otherwise.
_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]:]', re.DOTALL)
_PUBTATOR = re.compile(r"[^|\t\n]+\|[ta]\|")
_BRAT = re.compile(r"T\d+\t\S+ \d+ \d+|[NAREM#]\d+\t|\*\t")
_XML_ROOT = re.compile(r"<(?:[\w.-]+:)?(?P<name>[\w.-]+)[\s>/]")
# The name of an XML file's first element.
_ROOTS = {"collection": "bioc", "XMI": "cas-xmi", "typeSystemDescription": ""}
# A set of keys that only one format has in its records, in the order in which they are asked.
_KEYS: tuple[tuple[str, tuple[frozenset[str], ...]], ...] = (
    ("jsonl", (frozenset({"doc_id", "start", "verdict"}), frozenset({"source", "quarantine"}))),
    ("cas-json", (frozenset({"%FEATURE_STRUCTURES"}), frozenset({"%TYPES"}), frozenset({"%VIEWS"}))),
    ("medcattrainer", (frozenset({"projects"}),)),
    ("bioc-json", (frozenset({"documents"}), frozenset({"passages"}), frozenset({"PubTator3"}))),
    (
        "label-studio",
        (frozenset({"data", "annotations"}), frozenset({"data", "predictions"}), frozenset({"annotation_id"})),
    ),
    ("prodigy", (frozenset({"answer"}), frozenset({"_task_hash"}), frozenset({"text", "options"}))),
    (
        "doccano",
        (frozenset({"text", "label"}), frozenset({"text", "labels"}), frozenset({"text", "entities"})),
    ),
)
# The keys that tell the format alone.
_DECISIVE = frozenset(key for _, sets in _KEYS for wanted in sets if len(wanted) == 1 for key in wanted)


def sniff(file: BatchFile) -> str | None:
    """The format of a file's content; empty for what goes along with annotations and holds none.

    :returns: ``None`` where no format is like it.
    :raises CorpusFormatError: when the file cannot be read.
    """
    try:
        with file.open() as stream:
            head = stream.read(HEAD_BYTES).removeprefix(BOM)
    except READ_ERRORS as error:
        raise CorpusFormatError("the file cannot be read", got=type(error).__name__) from None
    if _is_zlib(head):
        return "docbin"
    text = head.decode(errors="replace").lstrip()
    if text.startswith("<"):
        return _sniff_xml(text)
    if text.startswith(("{", "[")):
        return _sniff_json(text)
    if text.startswith("#FORMAT=WebAnno TSV 3"):
        return "webanno-tsv"
    line = next((line for line in text.split("\n") if line.strip()), "")
    if _PUBTATOR.match(line):
        return "pubtator"
    if {"doc_id", "verdict"} <= {name.strip(' "\r').lower() for name in line.split(",")}:
        return "csv"
    return "brat" if _BRAT.match(line) else None


def _is_zlib(head: bytes) -> bool:
    """Whether the bytes start a zlib stream with a DocBin in it, a msgpack map."""
    if head[:1] != b"\x78":
        return False
    try:
        start = zlib.decompressobj().decompress(head[:4096], 64)
    except zlib.error:
        return False
    return b"version" in start or b"attrs" in start


def _sniff_xml(text: str) -> str | None:
    match = _XML_ROOT.search(text)
    return _ROOTS.get(match["name"]) if match else None


def _sniff_json(text: str) -> str | None:
    keys: set[str] = set()
    for key in _first_keys(text):
        keys.add(key)
        if key in _DECISIVE:
            break
    return next((name for name, sets in _KEYS if any(wanted <= keys for wanted in sets)), None)


def _first_keys(text: str) -> Iterator[str]:
    """The keys of the first object that stands alone or in an array, as far as the text reaches."""
    depth, inside = 0, 1 if text.startswith("{") else 2
    key = ""
    for match in _LEXEME.finditer(text):
        lexeme = match.group()
        if lexeme in ("{", "["):
            depth += 1
        elif lexeme in ("}", "]"):
            depth -= 1
            if depth < inside:
                return
        elif lexeme == ":" and depth == inside and key:
            yield key
        key = lexeme[1:-1] if lexeme.startswith('"') and depth == inside else ""
