"""ICD-10-CM into concepts, from the tabular list that the package simple-icd-10-cm carries."""

from __future__ import annotations

import re
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.source import ConceptCollector, Ontology, distinct_synonyms, hash_file, tidy
from medlink.records import Concept, Name, Scope

PREFIX = "ICD10CM"
_PACKAGE = "simple_icd_10_cm"
_RELEASE = re.compile(r"(?P<month>[A-Z][a-z]+)-(?:(?P<day>\d{1,2})-)?(?P<year>\d{4})")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip


def read_icd10cm(path: Path, *, name: str, show_progress: bool = False) -> Ontology:
    """The codes of ICD-10-CM as concepts with ids such as ``ICD10CM:E11.9``.

    Categories, subcategories and those with a seventh character are concepts, their level being the semantic type.
    Chapters and blocks are left out: they head the list, no code set admits them as a code, and names such as
    "Diabetes mellitus (E08-E13)" would attract links that nobody can use. Inclusion terms and "includes" notes are
    synonyms of narrow scope: the guidelines (section I.A.11 and 12) promise no more than that what they name belongs
    under the code.

    The package reads its own file when it is first imported, which takes seconds.

    :param path: the tabular list inside the package; it gives the release and the hash.
    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when the path is another file than the package's.
    """
    codes = _load_codes(path)
    collector = ConceptCollector(path)
    wanted = [code for code in dict.fromkeys(codes.get_all_codes()) if codes.is_category_or_subcategory(code)]
    for number, code in enumerate(tqdm(wanted, desc="reading ICD-10-CM", unit=" codes", disable=not show_progress)):
        collector.add(_read_code(codes, code), number)
    return Ontology(
        name=name,
        title="ICD-10-CM",
        version=_release_date(path.name),
        licence="",
        sha256=hash_file(path),
        concepts=collector.sorted_concepts(),
    )


def _load_codes(path: Path) -> ModuleType:
    spec = find_spec(_PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    if not any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
        raise OntologyFormatError(
            "only the ICD-10-CM that a dependency carries can be read",
            where=str(path),
            expected=f"the tabular list inside of the package {_PACKAGE}",
            hint="Bring another year's release as a table with the columns id, name, synonyms and parents.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the function by which it opens its data
        return import_module(_PACKAGE)


def _read_code(codes: ModuleType, code: str) -> Concept:
    name = tidy(codes.get_description(code))
    parent = codes.get_parent(code)
    notes = [Name(tidy(note), Scope.NARROW, "inclusion term") for note in codes.get_inclusion_term(code)]
    notes += [Name(tidy(note), Scope.NARROW, "includes") for note in codes.get_includes(code)]
    return Concept(
        id=f"{PREFIX}:{code}",
        name=name,
        synonyms=distinct_synonyms(name, notes),
        parents=() if codes.is_category(code) else (f"{PREFIX}:{parent}",),
        semantic_type=_level(codes, code),
    )


def _level(codes: ModuleType, code: str) -> str:
    if codes.is_category(code):
        return "category"
    return "extended subcategory" if codes.is_extended_subcategory(code) else "subcategory"


def _release_date(file_name: str) -> str:
    """The date in the name of the tabular list, the name itself where there is none.

    >>> _release_date("icd10c-tabular-April-1-2026.xml")
    '2026-04-01'
    """
    found = _RELEASE.search(file_name)
    if not found or found["month"] not in _MONTHS:
        return file_name
    month = f"{found['year']}-{_MONTHS.index(found['month']) + 1:02d}"
    return f"{month}-{int(found['day']):02d}" if found["day"] else month
