"""Dictionaries in the form of BioSyn (Sung et al. 2020), such as MEDIC: ``id|id…||name|name…``."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.source import ConceptCollector, Ontology, distinct_synonyms, hash_file, read_lines, tidy
from medlink.records import Concept, Name


def read_name_lines(path: Path, *, name: str, show_progress: bool = False) -> Ontology:
    """The lines of a dictionary, plain or gzipped, as concepts.

    The first id of a line is the concept's, the others are alternatives for it; the first name is the preferred one.
    Lines with the same ids are one concept. The form knows no parents and no release: the version is the start of the
    file's sha256.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a line has another form, or its first id stands in a line with other ids; names
        file and line.
    """
    sha256 = hash_file(path)
    names: dict[tuple[str, ...], dict[str, None]] = {}
    first_line: dict[tuple[str, ...], int] = {}
    lines = enumerate(read_lines(path), start=1)
    for number, line in tqdm(lines, desc=f"reading {path.name}", unit=" lines", disable=not show_progress):
        if not line.strip():
            continue
        ids, texts = _parse(line, f"{path}:{number}")
        first_line.setdefault(ids, number)
        names.setdefault(ids, {}).update(dict.fromkeys(texts))
    collector = ConceptCollector(path)
    for ids, known in names.items():
        preferred, *others = known
        synonyms = distinct_synonyms(preferred, map(Name, others))
        collector.add(Concept(ids[0], preferred, synonyms, alt_ids=tuple(sorted(ids[1:]))), first_line[ids])
    return Ontology(
        name=name,
        title=name,
        version=f"sha256:{sha256[:12]}",
        licence="",
        sha256=sha256,
        concepts=collector.sorted_concepts(),
    )


def _parse(line: str, where: str) -> tuple[tuple[str, ...], list[str]]:
    fields = line.split("||")
    ids, texts = ([part for part in map(tidy, field.split("|")) if part] for field in (fields[0], fields[-1]))
    if len(fields) != 2 or not ids or not texts:
        raise OntologyFormatError(
            "a line of another form", where=where, expected="ids||names", got=f"{len(fields)} fields parted by ||"
        )
    return tuple(dict.fromkeys(ids)), texts
