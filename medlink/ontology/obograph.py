"""OBO Graphs JSON into concepts.

After the OBO Graphs schema (https://github.com/geneontology/obographs, ``schema/obographs-schema.json``).
"""

from __future__ import annotations

from collections.abc import Iterator
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
from medlink.records import Scope

GRAPHS = "*.json"
FILES = {GRAPHS: r".*\.json"}
_IS_A = ("is_a", "subClassOf")


def read_obograph(
    path: Path, *, name: str, show_progress: bool = False, options: GraphOptions | None = None
) -> Ontology:
    """The classes of all graphs of a file, plain, gzipped or zipped; relations other than ``is_a`` are not read.

    The same is kept as of an OBO file. It streams: the file is read twice, for its nodes and for its edges.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when the file is no JSON or holds no class; names it.
    """
    release = Release(path, FILES)
    release.need(GRAPHS)
    (part, *_) = release.parts(GRAPHS)
    drafts, header = Drafts(), Header()
    for meta in _items(part, "graphs.item.meta"):
        _read_header(header, meta)
    nodes = _items(part, "graphs.item.nodes.item")
    for node in tqdm(nodes, desc=f"reading {part.name}", unit=" nodes", disable=not show_progress):
        if node.get("type") == "CLASS":
            _read_node(drafts, node)
    for edge in _items(part, "graphs.item.edges.item"):
        if edge.get("sub") in drafts and local_name(edge.get("pred", "")) in _IS_A:
            drafts[edge["sub"]].put_below(curie_of(edge["obj"]))
    return collect(drafts, header, release, name=name, options=options or GraphOptions())


def _items(part: Part, place: str) -> Iterator[dict[str, Any]]:
    """The objects at a place of the JSON, one at a time."""
    ijson = import_extra("ijson", what="reading OBO Graphs", extra="ontology")
    with part.open() as stream:
        try:
            for item in ijson.items(stream, place):
                if isinstance(item, dict):
                    yield item
        except ijson.JSONError as error:
            raise OntologyFormatError(
                "the file is no JSON", where=str(part), expected="OBO Graphs JSON", got=str(error)[:200]
            ) from error


def _read_header(header: Header, meta: dict[str, Any]) -> None:
    for value in meta.get("basicPropertyValues") or ():
        header.take(local_name(value["pred"]), value["val"])
    if meta.get("version"):
        header.take("versionIRI", meta["version"])


def _read_node(drafts: Drafts, node: dict[str, Any]) -> None:
    draft = drafts.setdefault(node["id"], Draft(curie_of(node["id"])))
    describe(draft, "label", node.get("lbl") or "")
    meta = node.get("meta") or {}
    draft.obsolete = draft.obsolete or bool(meta.get("deprecated"))
    if meta.get("definition"):
        describe(draft, "IAO_0000115", meta["definition"].get("val") or "")
    for synonym in meta.get("synonyms") or ():
        scope = SYNONYMS.get(local_name(synonym["pred"]), Scope.RELATED)
        kind = kind_of(synonym.get("synonymType") or "")
        draft.name_it(tidy(synonym["val"]), (9,), scope=scope, kind=kind)
    for xref in meta.get("xrefs") or ():
        describe(draft, "hasDbXref", xref["val"])
    for value in meta.get("basicPropertyValues") or ():
        describe(draft, local_name(value["pred"]), value["val"])
