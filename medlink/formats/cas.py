"""The CAS of INCEpTION and WebAnno as XMI and JSON, in and out, by dkpro-cassis."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from medlink.errors import CorpusFormatError, SettingError
from medlink.extras import import_extra
from medlink.formats.batch_files import PARSE_ERRORS, BatchFile
from medlink.formats.cas_layers import (
    IDENTIFIER,
    NAMED_ENTITY,
    TOOL,
    VALUE,
    LayerSpan,
    is_concept_layer,
    marked_spans,
    version_of,
)
from medlink.formats.concept_ids import NIL
from medlink.formats.file_names import file_name
from medlink.formats.json_records import decode, parse_json
from medlink.formats.proposed import Reading
from medlink.formats.verdicts import Marked, Sheet, complete, guarded, judge
from medlink.formats.xml_tree import NO_XML, parse_xml
from medlink.records import Annotation, LinkedDocument, Rejected, Source

_METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
TYPE_SYSTEM = "TypeSystem.xml"
_UNMAPPED = re.compile(r"external offset \[(\d+)\]")
_OBO_CURIE = re.compile(r"([A-Za-z]+):([0-9]+)")
_OBO_IRI = "http://purl.obolibrary.org/obo/"
# What the library raises on a CAS that is not one; it checks little before it takes a file apart.
_LIBRARY_ERRORS = (*PARSE_ERRORS, RuntimeError, SyntaxError)


def write_cas_xmi(links: Iterable[LinkedDocument], folder: Path) -> Iterator[Path]:
    """The paths written, relative to ``folder``: an .xmi file per note for upload to INCEpTION, and the type system.

    A mention is a named entity of DKPro Core: ``identifier`` holds the concept, as an OBO IRI where it is a CURIE with
    a number, and ``value`` the recogniser's label, else ``Concept``; for a mention without a concept ``NIL``. Offsets
    count UTF-16 units. The title of the document is its id. What was proposed has no place: the baseline is needed when
    the files come back. Characters that XML cannot hold are spaces. Constant memory.

    :raises SettingError: when two documents want the same file.
    """
    yield from _write(links, folder, ".xmi", lambda cas: cas.to_xmi().encode())
    types = folder / TYPE_SYSTEM
    types.write_bytes(_type_system().to_xml().encode())
    yield Path(TYPE_SYSTEM)


def write_cas_json(links: Iterable[LinkedDocument], folder: Path) -> Iterator[Path]:
    """The same as .json files (CAS JSON 0.4), each of which holds the type system."""
    yield from _write(links, folder, ".json", lambda cas: cas.to_json(pretty_print=False).encode())


def _write(links: Iterable[LinkedDocument], folder: Path, suffix: str, dump: Callable[[Any], bytes]) -> Iterator[Path]:
    types = _type_system()
    for linked in links:
        path = Path(file_name(linked.document.id).replace("/", "%2F") + suffix)
        if (folder / path).exists():
            raise SettingError(
                "two documents want the same file",
                where=f"document {linked.document.id!r}",
                hint="Give every document an id of its own.",
            )
        (folder / path).write_bytes(dump(_make(types, linked)))
        yield path


def _type_system() -> Any:  # noqa: ANN401 - cassis is imported late
    types = _cassis().TypeSystem()
    entity = types.create_type(name=NAMED_ENTITY, supertypeName="uima.tcas.Annotation")
    metadata = types.create_type(name=_METADATA, supertypeName="uima.tcas.DocumentAnnotation")
    for owner, names in ((entity, (VALUE, IDENTIFIER)), (metadata, ("documentTitle", "documentId"))):
        for name in names:
            types.create_feature(owner, name=name, rangeType="uima.cas.String")
    return types


def _make(types: Any, linked: LinkedDocument) -> Any:  # noqa: ANN401
    cas = _cassis().Cas(typesystem=types)
    cas.sofa_string, cas.sofa_mime = NO_XML.sub(" ", linked.document.text), "text/plain"
    title = NO_XML.sub(" ", linked.document.id)
    cas.add(
        types.get_type(_METADATA)(begin=0, end=len(linked.document.text), documentTitle=title, language="x-unspecified")
    )
    entity = types.get_type(NAMED_ENTITY)
    for link in linked.links:
        mention = link.mention
        features = (
            {VALUE: mention.label or "Concept", IDENTIFIER: _iri(link.concept_id)} if link.concept_id else {VALUE: NIL}
        )
        cas.add(entity(begin=mention.start, end=mention.end, **features))
    return cas


def _iri(concept_id: str) -> str:
    match = _OBO_CURIE.fullmatch(concept_id)
    return f"{_OBO_IRI}{match[1]}_{match[2]}" if match else NO_XML.sub(" ", concept_id)


def read_cas_xmi(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in an .xmi file with its ``TypeSystem.xml`` beside it: its spans compared with the baseline.

    Layers and features are a project's own: what counts as a concept tells
    :func:`medlink.formats.cas_layers.marked_spans`, whose document and version it is
    :func:`medlink.formats.cas_layers.version_of`. Offsets count UTF-16 units and are given in code points.
    """

    def load() -> Any:  # noqa: ANN401
        data = file.read(reading.limits.file_bytes)
        parse_xml(data)  # the library's own parser takes entities
        types = file.sibling(TYPE_SYSTEM) or file.sibling("typesystem.xml")
        if types is None:
            raise CorpusFormatError("no type system", expected=f"{TYPE_SYSTEM} beside the file, as it was exported")
        known = types.read(reading.limits.file_bytes)
        parse_xml(known)
        return _cassis().load_cas_from_xmi(io.BytesIO(data), _cassis().load_typesystem(io.BytesIO(known)))

    yield from guarded(Source(file.name), "", partial(_read, load, file, reading))


def read_cas_json(file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    """The verdicts in a CAS JSON file, as :func:`read_cas_xmi` gives them."""

    def load() -> Any:  # noqa: ANN401
        text = decode(file.read(reading.limits.file_bytes))
        parse_json(text)  # for numbers and nesting that the library's own call lets through
        return _cassis().load_cas_from_json(text)

    yield from guarded(Source(file.name), "", partial(_read, load, file, reading))


def _read(load: Callable[[], Any], file: BatchFile, reading: Reading) -> Iterator[Annotation | Rejected]:
    source = Source(file.name)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cas = load()
            text = cas.sofa_string
            spans, title = list(_layer_spans(cas)), _title(cas)
    except CorpusFormatError:
        raise
    except (*_LIBRARY_ERRORS, _cassis().typesystem.TypeNotFoundError) as error:
        raise CorpusFormatError("no CAS that dkpro-cassis can read", got=type(error).__name__) from None
    if not isinstance(text, str):
        raise CorpusFormatError("a CAS without text")
    version = version_of(file, title, reading)
    sheet = complete(Sheet(version.doc_id, TOOL, source, text, annotator=version.annotator), reading)
    # The library warns of an offset that lies outside or cuts a character in two, and lets it stand.
    unmapped = {int(number) for warning in caught for number in _UNMAPPED.findall(str(warning.message))}
    yield from judge(sheet, _placed(spans, text, unmapped, source))


def _placed(
    spans: Iterable[LayerSpan], text: str, unmapped: Container[int], source: Source
) -> Iterator[Marked | Rejected]:
    for span, mark in marked_spans(spans, text, source):
        if mark is None or mark.start in unmapped or mark.end in unmapped:
            reason = f"offsets that are no place in the text: [{span.start}, {span.end}) of {len(text)}"
            yield Rejected(replace(source, record_id=span.record_id), reason)
        else:
            yield mark


def _layer_spans(cas: Any) -> Iterator[LayerSpan]:  # noqa: ANN401
    for structure in cas.select_all():
        layer = structure.type.name
        start, end = getattr(structure, "begin", None), getattr(structure, "end", None)
        if not is_concept_layer(layer) or not isinstance(start, int) or not isinstance(end, int):
            continue
        values = {feature.name: getattr(structure, feature.name) for feature in structure.type.all_features}
        texts = {name: value for name, value in values.items() if isinstance(value, str)}
        yield LayerSpan(layer, start, end, texts, str(structure.xmiID))


def _title(cas: Any) -> str:  # noqa: ANN401
    for structure in cas.select_all():
        if structure.type.name == _METADATA:
            title = getattr(structure, "documentTitle", None)
            return title if isinstance(title, str) else ""
    return ""


def _cassis() -> Any:  # noqa: ANN401
    return import_extra("cassis", what="the CAS of INCEpTION", extra="annotation")
