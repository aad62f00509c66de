"""Annotation batches of any tool: the format found from the content, the records of all files one by one."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath

from medlink.errors import CorpusFormatError, UnknownNameError
from medlink.formats.batch_files import BatchFile, Limits, find_batch_files
from medlink.formats.proposed import Reading, parse_links
from medlink.formats.sniffing import sniff
from medlink.records import Annotation, LinkedDocument, Rejected, Source

Reader = Callable[[BatchFile, Reading], Iterator[Annotation | Rejected]]

AUTO = "auto"
#: The readers by format, as module and function: each is imported when a file needs it.
READERS: Mapping[str, tuple[str, str]] = {
    "jsonl": ("annotation_jsonl", "read_annotation_jsonl"),
    "csv": ("annotation_jsonl", "read_annotation_csv"),
    "prodigy": ("prodigy", "read_prodigy"),
    "label-studio": ("label_studio", "read_label_studio"),
    "medcattrainer": ("medcattrainer", "read_medcattrainer"),
    "doccano": ("doccano", "read_doccano"),
    "brat": ("brat", "read_brat"),
    "pubtator": ("pubtator", "read_pubtator"),
    "bioc": ("bioc", "read_bioc"),
    "bioc-json": ("bioc", "read_bioc_json"),
    "cas-xmi": ("cas", "read_cas_xmi"),
    "cas-json": ("cas", "read_cas_json"),
    "webanno-tsv": ("webanno_tsv", "read_webanno_tsv"),
    "docbin": ("docbin", "read_docbin"),
}
_ANN, _TXT = ".ann", ".txt"
# What goes along with annotations and holds none: the configuration of brat, the type system of a CAS.
_COMPANIONS = frozenset(
    {"TypeSystem.xml", "annotation.conf", "visual.conf", "tools.conf", "kb_shortcuts.conf", "acl.conf"}
)
# What medlink's own brat export leaves beside the notes; see medlink.formats.brat.
_EXPORTED = ".medlink.jsonl"


def detect(path: Path, *, limits: Limits | None = None) -> str:
    """The format of a file, or the one format of all files in a folder or archive that hold annotations.

    :returns: a key of :data:`READERS`.
    :raises CorpusFormatError: when there is none, or when there are several.
    """
    formats: set[str] = set()
    for file in find_batch_files(path, limits or Limits()):
        if isinstance(file, BatchFile) and not _is_companion(file):
            formats.add(_format_of(file) or "")
    formats.discard("")
    if len(formats) != 1:
        got = " and ".join(sorted(formats)) or "none"
        raise CorpusFormatError("no one format", where=str(path), expected=", ".join(READERS), got=got)
    return formats.pop()


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """One file of a batch and its records, which are read as they are asked for.

    :param file: ``None`` for what cannot be opened: its one record says why.
    """

    name: str
    file: BatchFile | None
    records: Iterable[Annotation | Rejected]


def open_batches(
    path: Path,
    format: str = AUTO,
    *,
    baseline: Mapping[str, LinkedDocument] | None = None,
    limits: Limits | None = None,
) -> Iterator[OpenBatch]:
    """The files of :func:`read_annotations` one by one; each is to be read before the next is asked for."""
    if format != AUTO and format not in READERS:
        raise UnknownNameError("no such format", expected=", ".join((AUTO, *READERS)), got=repr(format))
    limits = limits or Limits()
    known = [dict(baseline or {}), _exported_beside(path, limits)]
    reading = Reading(limits, ChainMap(*known))
    for file in find_batch_files(path, limits, first=_EXPORTED):
        if isinstance(file, Rejected):
            yield OpenBatch(file.source.file, None, (file,))
        elif file.path.name == _EXPORTED:
            try:
                known.append(_read_exported(file, limits))
                reading = Reading(limits, ChainMap(*known))
            except CorpusFormatError as error:
                yield OpenBatch(file.name, None, (Rejected(Source(file.name), str(error)),))
        elif file.path == path or not _is_companion(file):
            yield OpenBatch(file.name, file, _read_file(file, format, reading))


def read_annotations(
    path: Path,
    format: str = AUTO,
    *,
    baseline: Mapping[str, LinkedDocument] | None = None,
    limits: Limits | None = None,
) -> Iterator[Annotation | Rejected]:
    """Every verdict in a file, a folder or a zip archive, in order of files; in place of each bad record the reason.

    Bad content never raises. Files that go along with annotations (notes, configuration, type systems) are passed
    over; one of no known format is rejected, as is one that cannot be read.

    :param format: a key of :data:`READERS` for all files, or ``auto`` for each file's own, by its content.
    :param baseline: what was exported, by document, as :func:`medlink.formats.proposed.read_baseline` gives it: what
        came back is compared with it where the tool keeps no record of what was proposed (brat, PubTator, the CAS).
        A folder of brat files that medlink exported holds its own.
    :raises UnknownNameError: when no format has that name.
    :raises MissingExtraError: when a format needs a package that is not installed.
    """
    for batch in open_batches(path, format, baseline=baseline, limits=limits):
        yield from batch.records


def _read_file(file: BatchFile, format: str, reading: Reading) -> Iterator[Annotation | Rejected]:
    try:
        known = _format_of(file)
    except CorpusFormatError as error:
        yield Rejected(Source(file.name), str(error))
        return
    name = known if format == AUTO or known == "" else format
    if name is None:
        yield Rejected(Source(file.name), f"no known format; expected one of {', '.join(READERS)}")
    elif name:
        module, function = READERS[name]
        reader: Reader = getattr(import_module(f"medlink.formats.{module}"), function)
        yield from reader(file, reading)


def _format_of(file: BatchFile) -> str | None:
    """The format of a file; empty for a type system, ``None`` where it is not known."""
    found = sniff(file)
    is_ann = found is None and file.path.name.lower().endswith(_ANN)  # one without annotations is empty
    return "brat" if is_ann else found


def _is_companion(file: BatchFile) -> bool:
    name = file.path.name
    is_note = name.lower().endswith(_TXT) and file.sibling(f"{PurePosixPath(name).stem}{_ANN}") is not None
    return is_note or name in _COMPANIONS


def _exported_beside(path: Path, limits: Limits) -> dict[str, LinkedDocument]:
    """What medlink exported into the folder that a single file lies in."""
    beside = path.parent / _EXPORTED
    if not path.is_file() or not beside.is_file():
        return {}
    try:
        return _read_exported(BatchFile(str(beside), "", beside), limits)
    except CorpusFormatError:
        return {}


def _read_exported(file: BatchFile, limits: Limits) -> dict[str, LinkedDocument]:
    lines = file.read(limits.file_bytes).splitlines()
    return {linked.document.id: linked for linked in parse_links(lines, file.name)}
