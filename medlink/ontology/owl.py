"""OWL ontologies as RDF into concepts; the syntax is Oxigraph's, which reads it as a stream of triples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.extras import import_extra
from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.iris import curie_of, local_name
from medlink.ontology.obo_terms import SYNONYMS, GraphOptions, Header, collect, describe, kind_of
from medlink.ontology.parts import Part, Release
from medlink.ontology.source import Ontology, tidy

TRIPLES = "*.owl"
FILES = {TRIPLES: r".*\.(?:owl|rdf|xml|ttl|nt)"}
_TURTLE = re.compile(rb"\s*(?:@prefix|@base|prefix\s|base\s|#)", re.IGNORECASE)
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_CLASS, _ONTOLOGY = "http://www.w3.org/2002/07/owl#Class", "http://www.w3.org/2002/07/owl#Ontology"
_BASE = "http://example.org/"


class OwlOptions(GraphOptions):
    """What is read of an OWL file.

    :param languages: of labels, synonyms and definitions, such as en; those without a language always count.
    """

    languages: tuple[str, ...] = ("en",)


def read_owl(path: Path, *, name: str, show_progress: bool = False, options: OwlOptions | None = None) -> Ontology:
    """The named classes of an OWL file in RDF/XML, Turtle or N-Triples, plain, gzipped or zipped.

    Read are labels, synonyms, definitions and cross-references as OBO ontologies and SKOS write them, the named classes
    that a class is a ``subClassOf``, ``deprecated`` and what replaced a class. Axioms about anonymous classes are not
    interpreted and nothing is inferred: take the classified release. It streams: what it holds is the classes.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when the file is no RDF or holds no class; names file and line.
    """
    options = options or OwlOptions()
    release = Release(path, FILES)
    release.need(TRIPLES)
    (part, *_) = release.parts(TRIPLES)
    reading = _Reading(options)
    triples = _read_triples(part)
    for triple in tqdm(triples, desc=f"reading {part.name}", unit=" triples", disable=not show_progress):
        reading.take(triple)
    reading.finish_axiom()
    for iri in reading.drafts.keys() - reading.classes:
        del reading.drafts[iri]
    return collect(reading.drafts, reading.header, release, name=name, options=options)


def _read_triples(part: Part) -> Iterator[Any]:
    oxigraph = import_extra("pyoxigraph", what="reading OWL", extra="ontology")
    formats = oxigraph.RdfFormat
    with part.open() as stream:
        start = stream.read(512)
    if part.name.lower().removesuffix(".gz").endswith(".nt"):
        syntax = formats.N_TRIPLES
    else:
        syntax = formats.TURTLE if _TURTLE.match(start) else formats.RDF_XML
    with part.open() as stream:
        try:
            yield from oxigraph.parse(stream, format=syntax, base_iri=_BASE)
        except SyntaxError as error:
            raise OntologyFormatError(
                "the file is no RDF",
                where=f"{part}:{error.lineno or 1}",
                expected="RDF/XML, Turtle or N-Triples",
                got=str(error.msg)[:200],
                hint="Other forms of OWL can be converted by ROBOT: robot convert --input FILE --output FILE.owl",
            ) from error


@dataclass(slots=True)
class _Reading:
    """What is known so far.

    :param classes: IRIs of the named classes.
    :param ontology: IRI of the ontology itself, which is declared before anything is said of it.
    :param axiom: the annotation of a triple that is being read, by property; its subject is a blank node.
    """

    options: OwlOptions
    drafts: Drafts = field(default_factory=Drafts)
    classes: set[str] = field(default_factory=set)
    ontology: str = ""
    header: Header = field(default_factory=Header)
    axiom_node: str = ""
    axiom: dict[str, str] = field(default_factory=dict)

    def take(self, triple: Any) -> None:  # noqa: ANN401 - pyoxigraph is an optional package
        """Takes one triple."""
        predicate, value = triple.predicate.value, _value(triple.object)
        subject = getattr(triple.subject, "value", "")
        if _is_blank(triple.subject):
            self._take_axiom(subject, predicate, triple.object)
        elif predicate == _TYPE and value == _CLASS:
            self.classes.add(subject)
            self._draft(subject)
        elif predicate == _TYPE and value == _ONTOLOGY:
            self.ontology = subject
        elif not _is_blank(triple.object) and self._speaks(triple.object):
            name = local_name(predicate)
            if name == "subClassOf":
                self._draft(subject).put_below(curie_of(value))
            elif subject == self.ontology:
                self.header.take(name, value)
            else:
                describe(self._draft(subject), name, value)

    def finish_axiom(self) -> None:
        """Gives a synonym the type that an annotation of its triple says."""
        axiom, self.axiom = self.axiom, {}
        scope = SYNONYMS.get(local_name(axiom.get("annotatedProperty", "")))
        if scope and {"hasSynonymType", "annotatedSource", "annotatedTarget"} <= axiom.keys():
            text, kind = tidy(axiom["annotatedTarget"]), kind_of(axiom["hasSynonymType"])
            self._draft(axiom["annotatedSource"]).name_it(text, (9,), scope=scope, kind=kind)

    def _take_axiom(self, node: str, predicate: str, value: Any) -> None:  # noqa: ANN401
        if node != self.axiom_node:
            self.finish_axiom()
            self.axiom_node = node
        if self._speaks(value):
            self.axiom[local_name(predicate)] = _value(value)

    def _draft(self, iri: str) -> Draft:
        draft = self.drafts.get(iri)
        if draft is None:
            draft = self.drafts[iri] = Draft(curie_of(iri))
        return draft

    def _speaks(self, value: Any) -> bool:  # noqa: ANN401
        language = getattr(value, "language", None)
        return not language or not self.options.languages or language.lower() in self.options.languages


def _value(term: Any) -> str:  # noqa: ANN401
    return str(getattr(term, "value", ""))


def _is_blank(term: Any) -> bool:  # noqa: ANN401
    return type(term).__name__ == "BlankNode"
