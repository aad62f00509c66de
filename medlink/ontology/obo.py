"""OBO 1.4 files into concepts; the syntax is fastobo's."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import fastobo
from fastobo import header, term
from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.source import ConceptCollector, Ontology, distinct_synonyms, hash_file, read_lines, tidy
from medlink.records import Concept, Name, Scope

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_PREFIX = re.compile(r".*[:/#]")  # "terms:license" and "http://purl.org/dc/terms/license" are the same property
# What fastobo calls the rules of its grammar, in the words of the format's guide.
_EXPECTED = {
    "SynonymScopeSingle": "a closed quote and a scope (EXACT, NARROW, BROAD or RELATED)",
    "EntityFrame": "[Term], [Typedef] or [Instance]",
    "HeaderClause": "a header line such as 'format-version: 1.2'",
    "Comment": "'id:' as the first line of the frame",
    "EOI, Comment, or TermClause": "a tag that OBO 1.4 knows",
    "UnquotedString": "a value behind the colon",
    "Boolean": "true or false",
}


@dataclass(frozen=True, slots=True)
class _Frame:
    """One stanza of the file, or its header.

    :param line: number of its first line.
    """

    line: int
    text: str


@dataclass(slots=True)
class _Header:
    """What the header says about the ontology as a whole."""

    title: str = ""
    version: str = ""
    licence: str = ""
    namespace: str = ""


@dataclass(slots=True)
class _Draft:
    """The clauses of a term, as they come."""

    names: list[str] = field(default_factory=list)
    synonyms: list[Name] = field(default_factory=list)
    definition: str = ""
    namespace: str = ""
    parents: set[str] = field(default_factory=set)
    alt_ids: set[str] = field(default_factory=set)
    xrefs: set[str] = field(default_factory=set)
    replaced_by: set[str] = field(default_factory=set)
    obsolete: bool = False


def read_obo(path: Path, *, name: str, show_progress: bool = False) -> Ontology:
    """The terms of an OBO file, plain or gzipped; relations other than ``is_a`` are not read.

    Kept are name, synonyms with scope and type, definition, namespace as the semantic type, parents, alternative ids,
    cross-references, and for obsolete terms what replaced them (``consider`` is advice and replaces nothing).
    An obsolete term without a name gets its id for a name. It streams: what it holds is the concepts, not the file.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a line is no OBO, a term has no name or an id comes twice; names file and line.
    """
    sha256 = hash_file(path)
    frames = _split_frames(path)
    head = _read_header(_parse(next(frames), path).header)
    collector = ConceptCollector(path)
    for frame in tqdm(frames, desc=f"reading {path.name}", unit=" terms", disable=not show_progress):
        for entity in _parse(frame, path):
            if isinstance(entity, term.TermFrame):
                collector.add(_read_term(entity, frame, path, head.namespace), frame.line)
    return Ontology(
        name=name,
        title=head.title or name,
        version=head.version or f"sha256:{sha256[:12]}",
        licence=head.licence,
        sha256=sha256,
        concepts=collector.sorted_concepts(),
    )


def _split_frames(path: Path) -> Iterator[_Frame]:
    """The header first, empty where there is none, and then every stanza."""
    start, lines = 1, list[str]()
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith("["):
            yield _Frame(start, "".join(lines))
            start, lines = number, []
        lines.append(line)
    yield _Frame(start, "".join(lines))


def _parse(frame: _Frame, path: Path) -> fastobo.doc.OboDoc:
    try:
        return fastobo.loads(frame.text, threads=1)
    except SyntaxError as error:
        rule = error.msg.removeprefix("expected ")
        raise OntologyFormatError(
            "the line is no OBO",
            where=f"{path}:{frame.line + (error.lineno or 1) - 1}",
            expected=_EXPECTED.get(rule, rule),
            got=repr((error.text or "").strip("␊\n")[:120]),
        ) from error


def _read_header(clauses: Iterable[object]) -> _Header:
    head = _Header()
    for clause in clauses:
        match clause:
            case header.DataVersionClause():
                head.version = _short_version(clause.version)
            case header.DefaultNamespaceClause():
                head.namespace = str(clause.namespace)
            case header.OntologyClause():
                head.title = head.title or clause.ontology
            case header.PropertyValueClause():
                _read_property(head, str(clause.property_value.relation), str(clause.property_value.value))
    return head


def _read_property(head: _Header, relation: str, value: str) -> None:
    match _PREFIX.sub("", relation):
        case "title":
            head.title = value
        case "license":
            head.licence = value
        case "versionInfo":
            head.version = head.version or _short_version(value)


def _short_version(version: str) -> str:
    """The release date where the version contains one, else the version: "hp/releases/2025-01-16" is "2025-01-16"."""
    date = _DATE.search(version)
    return date.group() if date else version


def _read_term(entity: term.TermFrame, frame: _Frame, path: Path, namespace: str) -> Concept:
    draft = _Draft(namespace=namespace)
    for clause in entity:
        _read_clause(draft, clause)
    if draft.obsolete and not draft.names:
        draft.names.append(str(entity.id))  # its id still leads to what replaced it, as in Mondo's releases
    if len(draft.names) != 1:
        raise OntologyFormatError(
            f"the term {entity.id} has {'no name' if not draft.names else 'several names'}",
            where=f"{path}:{frame.line}",
            expected="one 'name:' line",
            got=str(len(draft.names)),
        )
    return Concept(
        id=str(entity.id),
        name=draft.names[0],
        synonyms=distinct_synonyms(draft.names[0], draft.synonyms),
        definition=draft.definition,
        parents=tuple(sorted(draft.parents)),
        semantic_type=sys.intern(draft.namespace),
        alt_ids=tuple(sorted(draft.alt_ids)),
        xrefs=tuple(sorted(draft.xrefs)),
        obsolete=draft.obsolete,
        replaced_by=tuple(sorted(draft.replaced_by)),
    )


def _read_clause(draft: _Draft, clause: object) -> None:
    match clause:
        case term.SynonymClause():
            synonym = clause.synonym
            kind = sys.intern(str(synonym.type)) if synonym.type else ""
            draft.synonyms.append(Name(tidy(synonym.desc), Scope(synonym.scope), kind))
        case term.XrefClause():
            draft.xrefs.add(str(clause.xref.id))
        case term.IsAClause():
            draft.parents.add(str(clause.term))
        case term.NameClause():
            draft.names.append(tidy(clause.name))
        case term.DefClause():
            draft.definition = tidy(clause.definition)
        case term.AltIdClause():
            draft.alt_ids.add(str(clause.alt_id))
        case term.NamespaceClause():
            draft.namespace = str(clause.namespace)
        case term.IsObsoleteClause():
            draft.obsolete = clause.obsolete
        case term.ReplacedByClause():
            draft.replaced_by.add(str(clause.term))
