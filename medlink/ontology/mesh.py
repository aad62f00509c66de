"""MeSH descriptors and supplementary concept records, from NLM's XML files.

Elements after "MeSH XML Data Elements" (https://www.nlm.nih.gov/mesh/xml_data_elements.html).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, tidy
from medlink.ontology.xml_stream import iterate_records
from medlink.records import Scope

PREFIX = "MESH"
DESCRIPTORS, SUPPLEMENTARY = "desc*.xml", "supp*.xml"
# NLM packs desc2025.xml as desc2025.gz.
FILES = {DESCRIPTORS: r"desc\d{4}(?:\.xml)?", SUPPLEMENTARY: r"supp\d{4}(?:\.xml)?"}
KEY = r"(?:desc|supp)\d{4}(?:\.xml)?"
_SINGLE = {"*.xml": r".*\.xml"}
# How the elements with a record's id and name begin.
_NAMES = {"DescriptorRecord": "Descriptor", "SupplementalRecord": "SupplementalRecord"}
# The top of the tree (https://meshb.nlm.nih.gov/treeView).
_CATEGORIES = {
    "A": "Anatomy",
    "B": "Organisms",
    "C": "Diseases",
    "D": "Chemicals and Drugs",
    "E": "Analytical, Diagnostic and Therapeutic Techniques, and Equipment",
    "F": "Psychiatry and Psychology",
    "G": "Phenomena and Processes",
    "H": "Disciplines and Occupations",
    "I": "Anthropology, Education, Sociology, and Social Phenomena",
    "J": "Technology, Industry, and Agriculture",
    "K": "Humanities",
    "L": "Information Science",
    "M": "Named Groups",
    "N": "Health Care",
    "V": "Publication Characteristics",
    "Z": "Geographicals",
}
_SCOPES = {"NRW": Scope.NARROW, "BRD": Scope.BROAD, "REL": Scope.RELATED}
_ABBREVIATIONS = frozenset({"ABB", "ABX", "ACR", "ACX"})
_CAS, _UNII = re.compile(r"\d+-\d{2}-\d"), re.compile(r"[0-9A-Z]{10}")


class MeshOptions(ReaderOptions):
    """What is read of MeSH.

    :param categories: letters of the tree, such as C and D; descriptors elsewhere are left out, and supplementary
        records that are mapped to none of those that stay. Empty for all.
    :param permuted: whether terms count that only permute the words of another one (``Attack, Heart``).
    """

    categories: tuple[str, ...] = ()
    permuted: bool = False


def read_mesh(path: Path, *, name: str, show_progress: bool = False, options: MeshOptions | None = None) -> Ontology:
    """The records of ``desc2025.xml``, of ``supp2025.xml``, or of a folder or archive with one or both.

    The terms of a record's other concepts have the scope that their relation to the preferred concept says (narrower,
    broader, related). Parents of a descriptor are those above it in the tree, of a supplementary record the headings it
    is mapped to; semantic types are the tree's categories. Registry numbers are cross-references (CAS, UNII, EC). Ids
    are ``MESH:D009203``.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when the XML is broken or a record lacks its name; names the file.
    """
    options = options or MeshOptions()
    release = Release(path, FILES)
    release = release if release.used() else Release(path, _SINGLE)
    drafts, trees = Drafts(), dict[str, str]()
    for part in release.used():
        records = iterate_records(part, _NAMES)
        for record in tqdm(records, desc=f"reading {part.name}", unit=" records", disable=not show_progress):
            _read_record(record, drafts, trees, options)
    if not drafts:
        raise OntologyFormatError("no concept found", where=str(path), expected=" or ".join(_NAMES))
    _place(drafts, trees)
    if options.categories:
        _cut(drafts, {_CATEGORIES.get(letter.upper(), letter) for letter in options.categories})
    return drafts.collect(release, name=name, title="Medical Subject Headings", version=_find_version(release))


def _read_record(record: Any, drafts: Drafts, trees: dict[str, str], options: MeshOptions) -> None:  # noqa: ANN401
    kind = _NAMES[record.tag]
    ui, name = _text(record, f"{kind}UI"), _text(record, f"{kind}Name/String")
    if not ui or not name:
        raise OntologyFormatError(
            "a record lacks its id or name", where=f"line {record.sourceline}", expected=f"{kind}UI and {kind}Name"
        )
    draft = drafts[ui] = Draft(f"{PREFIX}:{ui}")
    draft.name_it(name, (0,))
    preferred = record.find("ConceptList/Concept[@PreferredConceptYN='Y']")
    for concept in record.iterfind("ConceptList/Concept"):
        _read_concept(concept, draft, concept is preferred, options)
    draft.define(_text(preferred, "ScopeNote") if preferred is not None else "", (0,))
    for number in record.iterfind("TreeNumberList/TreeNumber"):
        trees[tidy(number.text or "")] = ui
    # The star marks a heading that is a main topic.
    for heading in record.iterfind("HeadingMappedToList/HeadingMappedTo/DescriptorReferredTo/DescriptorUI"):
        draft.put_below(f"{PREFIX}:{tidy(heading.text or '').lstrip('*')}")


def _read_concept(concept: Any, draft: Draft, is_preferred: bool, options: MeshOptions) -> None:  # noqa: ANN401
    scope = Scope.EXACT if is_preferred else _scope(concept)
    for term in concept.iterfind("TermList/Term"):
        if term.get("IsPermutedTermYN") == "Y" and not options.permuted:
            continue
        kind = "abbreviation" if term.get("LexicalTag") in _ABBREVIATIONS else ""
        draft.name_it(_text(term, "String"), (1,), scope=scope, kind=kind)
    numbers = [
        concept.findtext("RegistryNumber"),
        *(n.text for n in concept.iterfind("RegistryNumbers/RegistryNumber")),
    ]
    for number in numbers if is_preferred else ():
        draft.refer(_registry(tidy(number or "")))


def _scope(concept: Any) -> Scope:  # noqa: ANN401
    """How a concept relates to its record's preferred one: ``NRW`` says that Concept2 is narrower than Concept1."""
    own = concept.findtext("ConceptUI")
    for relation in concept.iterfind("ConceptRelationList/ConceptRelation"):
        if relation.findtext("Concept2UI") == own:
            return _SCOPES.get(relation.get("RelationName", ""), Scope.RELATED)
    return Scope.RELATED


def _registry(number: str) -> str:
    """A registry number as a CURIE; empty for ``0``, which stands for none.

    >>> _registry("EC 3.4.21.5"), _registry("52665-69-7"), _registry("37H9VM9WZL"), _registry("0")
    ('EC:3.4.21.5', 'CAS:52665-69-7', 'UNII:37H9VM9WZL', '')
    """
    if number.startswith("EC "):
        return f"EC:{number[3:]}"
    if _CAS.fullmatch(number):
        return f"CAS:{number}"
    return f"UNII:{number}" if _UNII.fullmatch(number) else ""


def _place(drafts: Drafts, trees: dict[str, str]) -> None:
    """Gives every descriptor its parents and categories, and every supplementary record those of its headings."""
    for number, ui in trees.items():
        draft, above = drafts[ui], trees.get(number.rpartition(".")[0])
        category = _CATEGORIES.get(number[:1], "")
        if category and category not in draft.types:
            draft.types += (category,)
        if above and above != ui:
            draft.put_below(f"{PREFIX}:{above}")
    descriptors = set(trees.values())
    for ui, draft in drafts.items():
        if ui not in descriptors:
            headings = (drafts.get(parent.removeprefix(f"{PREFIX}:")) for parent in draft.parents)
            draft.types = tuple({kind for heading in headings if heading for kind in heading.types})


def _cut(drafts: Drafts, categories: set[str]) -> None:
    for ui in [ui for ui, draft in drafts.items() if categories.isdisjoint(draft.types)]:
        del drafts[ui]


def _find_version(release: Release) -> str:
    """The year in the name of a file, empty where there is none."""
    years = [found[-1] for part in release.used() if (found := re.findall(r"(?<!\d)(20\d\d)(?!\d)", part.name))]
    return years[0] if years else ""


def _text(element: Any, path: str) -> str:  # noqa: ANN401
    return tidy(element.findtext(path) or "")
