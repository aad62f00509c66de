"""The formats of ontology files that can be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from medlink.errors import UnknownNameError
from medlink.ontology import (
    gilda,
    icd10cm_order,
    icd11,
    loinc,
    mesh,
    obo_terms,
    obograph,
    omop,
    owl,
    rxnorm,
    snomed,
    umls,
)
from medlink.ontology.icd10cm import read_icd10cm
from medlink.ontology.name_lines import read_name_lines
from medlink.ontology.obo import read_obo
from medlink.ontology.options import ReaderOptions, make_options
from medlink.ontology.parts import ARCHIVES, Release, list_parts
from medlink.ontology.source import Ontology, OntologyReader, hash_file, read_lines
from medlink.ontology.table import read_table


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    :param read: its reader, which takes ``options`` where the format has some of its own.
    :param about: what it is, for people.
    :param options: what may be chosen about the reading.
    :param files: patterns of the files of a release, by kind; empty where it is one file.
    :param key: pattern of the file by which a release is known.
    """

    read: Callable[..., Ontology]
    about: str
    options: type[ReaderOptions] = ReaderOptions
    files: Mapping[str, str] = field(default_factory=dict)
    key: str = ""


FORMATS: dict[str, Format] = {
    "obo": Format(read_obo, "OBO 1.4"),
    "icd10cm": Format(read_icd10cm, "ICD-10-CM as a dependency carries it"),
    "table": Format(read_table, "CSV or TSV: id, name, synonyms, parents, type, definition"),
    "biosyn": Format(read_name_lines, "lines of id|id||name|name, as MEDIC has them"),
    "umls": Format(umls.read_umls, "UMLS Metathesaurus, RRF", umls.UmlsOptions, umls.FILES, umls.FILES["MRCONSO.RRF"]),
    "rxnorm": Format(
        rxnorm.read_rxnorm, "RxNorm, RRF", rxnorm.RxNormOptions, rxnorm.FILES, rxnorm.FILES["RXNCONSO.RRF"]
    ),
    "snomed": Format(
        snomed.read_snomed, "SNOMED CT, RF2", snomed.SnomedOptions, snomed.FILES, snomed.FILES[snomed.CONCEPT]
    ),
    "omop": Format(
        omop.read_omop, "OMOP vocabularies from Athena", omop.OmopOptions, omop.FILES, omop.FILES[omop.CONCEPT]
    ),
    "obograph": Format(obograph.read_obograph, "OBO Graphs JSON", obo_terms.GraphOptions),
    "owl": Format(owl.read_owl, "OWL in RDF/XML, Turtle or N-Triples", owl.OwlOptions),
    "loinc": Format(loinc.read_loinc, "LOINC", loinc.LoincOptions, loinc.FILES, loinc.FILES[loinc.TABLE]),
    "icd11": Format(icd11.read_icd11, "ICD-11 MMS, simple tabulation", icd11.Icd11Options, icd11.FILES, icd11.KEY),
    "icd10cm-order": Format(
        icd10cm_order.read_icd10cm_order,
        "ICD-10-CM of any year, list of codes in order",
        files=icd10cm_order.FILES,
        key=icd10cm_order.FILES[icd10cm_order.ORDER],
    ),
    "gilda": Format(gilda.read_gilda, "Gilda's terms", gilda.GildaOptions),
    "mesh": Format(mesh.read_mesh, "MeSH, NLM's XML", mesh.MeshOptions, mesh.FILES, mesh.KEY),
}
_SUFFIXES = {
    ".obo": "obo",
    ".json": "obograph",
    ".owl": "owl",
    ".rdf": "owl",
    ".ttl": "owl",
    ".nt": "owl",
    ".xml": "mesh",
    ".csv": "table",
    ".tsv": "table",
    ".txt": "table",
}
# What the first line of a table or text file says of its format.
_FIRST_LINES = (
    (r".*\|\|", "biosyn"),
    (r"concept_id\tconcept_name\t", "omop"),
    (r"\"?LOINC_NUM\"?,", "loinc"),
    (r"Foundation URI\t", "icd11"),
    (r"norm_text\ttext\t", "gilda"),
    (r"\d{5} \w{3,7} *[01] ", "icd10cm-order"),
)


def reader_of(format_name: str, options: Mapping[str, Any] | None = None) -> OntologyReader:
    """The reader of a format.

    :param options: what is chosen about the reading, as :class:`medlink.ontology.options.ReaderOptions` takes it.
    :raises UnknownNameError: when there is none.
    :raises SettingError: when the format has no such option.
    """
    if format_name not in FORMATS:
        raise UnknownNameError(
            "no reader for this ontology format", expected=f"one of {', '.join(FORMATS)}", got=repr(format_name)
        )
    known = FORMATS[format_name]
    made = make_options(known.options, options or {}, format_name)
    read = known.read if known.options is ReaderOptions else partial(known.read, options=made)
    return partial(_read_as, read, made.version) if made.version else read


def _read_as(read: OntologyReader, version: str, path: Path, *, name: str, show_progress: bool = False) -> Ontology:
    return replace(read(path, name=name, show_progress=show_progress), version=version)


def hash_source(path: Path, format_name: str) -> str:
    """The sha256 that an ontology read from there has: of a file, or of those files of a folder that are used."""
    return Release(path, FORMATS[format_name].files).sha256 if path.is_dir() else hash_file(path)


def format_of(path: Path) -> str:
    """The format of a file, folder or archive.

    Folders and archives are known by the names of the files in them, other files by their suffix, a ``.gz`` behind it
    aside; tables and texts also by their first line, as ``||`` is in BioSyn's.

    >>> format_of(Path("mondo.obo.gz"))
    'obo'

    :raises UnknownNameError: when nothing stands for a known one.
    """
    suffix = (path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix).lower()
    found = _format_by_names(path) or _SUFFIXES.get(suffix, "")
    if not found and (path.is_dir() or suffix in ARCHIVES):
        raise UnknownNameError(
            "no release of a known format in here",
            where=str(path),
            expected=" or ".join(known.about for known in FORMATS.values() if known.key),
            hint="Name the folder that holds the files of the release; archives inside of an archive are not opened.",
        )
    if not found:
        raise UnknownNameError(
            "the suffix stands for no known ontology format",
            where=str(path),
            expected=", ".join(_SUFFIXES),
            got=repr(suffix),
            hint=f"Name the format with --format: {', '.join(FORMATS)}.",
        )
    return (_format_by_first_line(path) or found) if found == "table" else found


def _format_by_names(path: Path) -> str:
    """The format whose main file is this one, or is in this folder or archive; empty where there is none."""
    names = [part.name for part in list_parts(path)] if path.exists() else [path.name]
    for name, known in FORMATS.items():
        if known.key and any(re.match(f"(?:{known.key})(?:$|\\.)", file, re.IGNORECASE) for file in names):
            return name
    return ""


def _format_by_first_line(path: Path) -> str:
    line = next(read_lines(path), "") if path.is_file() else ""
    return next((name for pattern, name in _FIRST_LINES if re.match(pattern, line, re.IGNORECASE)), "")
