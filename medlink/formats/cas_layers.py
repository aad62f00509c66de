"""Concepts in the layers of INCEpTION and WebAnno, whose names and features every project chooses itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from medlink.errors import CorpusFormatError
from medlink.formats.batch_files import BatchFile
from medlink.formats.concept_ids import concept_in_label
from medlink.formats.proposed import Reading
from medlink.formats.verdicts import Marked, piece, shorten_raw
from medlink.records import Source

TOOL = "inception"
NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
#: The features of a named entity: its type, and the concept.
VALUE, IDENTIFIER = "value", "identifier"
# Layers of tokens, parts of speech, coreference and the like; those of a project are "webanno.custom.…".
_FOREIGN = ("uima.", "de.tudarmstadt.ukp.", "org.dkpro.", "org.apache.")
_SUFFIXES = (".txt", ".xmi", ".json", ".tsv", ".xml", ".html", ".pdf", ".zip")
_INITIAL = "INITIAL_CAS"


@dataclass(frozen=True, slots=True)
class LayerSpan:
    """An annotation of a layer.

    :param features: those that hold text, by name.
    """

    layer: str
    start: int
    end: int
    features: Mapping[str, str]
    record_id: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """Whose version of which document a file is."""

    doc_id: str
    annotator: str


def is_concept_layer(layer: str) -> bool:
    """Whether a layer may hold concepts: the named entities and everything that a project adds."""
    return layer.startswith(NAMED_ENTITY) or not layer.startswith(_FOREIGN)


def marked_spans(spans: Iterable[LayerSpan], text: str, source: Source) -> list[tuple[LayerSpan, Marked | None]]:
    """The spans of the layers that hold concepts, ``None`` beside one that lies outside of the text.

    That is the layer of named entities, and any other in which a feature of one span at least is an id or says that
    no concept fits. The concept is the feature ``identifier``, else the first in order of names that is an id.
    """
    spans = list(spans)
    concepts = [_concept(span) for span in spans]
    layers = {span.layer for span, concept in zip(spans, concepts, strict=True) if concept != ("", False)}
    chosen = []
    for span, (concept_id, is_nil) in zip(spans, concepts, strict=True):
        if span.layer not in layers and not span.layer.startswith(NAMED_ENTITY):
            continue
        place = replace(source, record_id=span.record_id)
        inside = 0 <= span.start < span.end <= len(text)
        surface = piece(text, span.start, span.end)
        raw = shorten_raw({"layer": span.layer, "start": span.start, "end": span.end, **span.features})
        mark = Marked(span.start, span.end, surface, place, concept_id, is_nil, raw=raw) if inside else None
        chosen.append((span, mark))
    return chosen


def _concept(span: LayerSpan) -> tuple[str, bool]:
    for name in sorted(span.features, key=lambda name: (name != IDENTIFIER, name)):
        concept = concept_in_label(span.features[name])
        if concept != ("", False):
            return concept
    return "", False


def version_of(file: BatchFile, title: str, reading: Reading) -> Version:
    """Document and annotator of a file.

    INCEpTION puts every version into a folder that is named for the document, in a file that is named for the
    annotator; ``title`` is the document's name within the file, where that has one. A file that is named for its
    document is nobody's in particular.

    :raises CorpusFormatError: for the version that INCEpTION keeps from before anybody has annotated.
    """
    *folders, stem = file.inner.split("/")
    folder = next((folder for folder in reversed(folders) if folder.lower().endswith(_SUFFIXES)), "")
    if stem == _INITIAL:
        raise CorpusFormatError("the initial version, which no annotator has touched")
    name = title or folder or stem
    doc_id = name if name in reading.baseline else reading.doc_id(_without_suffix(name))
    return Version(doc_id, "" if reading.doc_id(stem) == doc_id or stem == name else stem)


def _without_suffix(name: str) -> str:
    return next((name[: -len(suffix)] for suffix in _SUFFIXES if name.lower().endswith(suffix)), name)
