"""The properties by which OBO ontologies describe a class, as OBO Graphs and OWL both write them.

After the OBO 1.4 syntax and semantics (https://owlcollab.github.io/oboformat/doc/obo-syntax.html, section 5) and SKOS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.iris import curie_of, local_name, short_version
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, tidy
from medlink.records import Scope

SYNONYMS: Final = {
    "hasExactSynonym": Scope.EXACT,
    "hasNarrowSynonym": Scope.NARROW,
    "hasBroadSynonym": Scope.BROAD,
    "hasRelatedSynonym": Scope.RELATED,
    "altLabel": Scope.EXACT,
    "alternative_term": Scope.EXACT,
}
#: How well a property serves for the preferred name and the definition, 0 the best.
LABELS: Final = {"label": 0, "prefLabel": 1}
DEFINITIONS: Final = {"IAO_0000115": 0, "definition": 1}
_XREFS: Final = frozenset({"hasDbXref", "exactMatch"})
_TITLES, _LICENCES = frozenset({"title"}), frozenset({"license", "licence"})


class GraphOptions(ReaderOptions):
    """What is read of a graph of classes.

    :param prefixes: prefixes of ids, such as HP; other classes, which come in by imports, are left out. Empty for all.
    """

    prefixes: tuple[str, ...] = ()


@dataclass(slots=True)
class Header:
    """What is said of the ontology as a whole."""

    title: str = ""
    version: str = ""
    licence: str = ""

    def take(self, name: str, value: str) -> None:
        """Takes one property."""
        if name in _TITLES:
            self.title = value
        elif name in _LICENCES:
            self.licence = value
        elif name == "versionIRI" or (name == "versionInfo" and not self.version):
            self.version = short_version(value)


def describe(draft: Draft, name: str, value: str) -> None:
    """Takes one property of a class; those that are not read change nothing.

    :param name: the local name of the property.
    :param value: text, a CURIE or an IRI.
    """
    if name in SYNONYMS:
        draft.name_it(tidy(value), (len(LABELS),), scope=SYNONYMS[name])
    elif name in LABELS:
        draft.name_it(tidy(value), (LABELS[name],))
    elif name in DEFINITIONS:
        draft.define(tidy(value), (DEFINITIONS[name],))
    elif name in _XREFS:
        draft.refer(curie_of(value))
    elif name == "hasAlternativeId":
        draft.stand_for(curie_of(value))
    elif name in ("IAO_0100001", "replacedBy"):
        draft.replaced_by += (curie_of(value),)
    elif name == "hasOBONamespace" and not draft.types:
        draft.types = (value,)
    elif name == "deprecated":
        draft.obsolete = draft.obsolete or value == "true"


def kind_of(synonym_type: str) -> str:
    """The ontology's synonym type as OBO files write it.

    >>> kind_of("http://purl.obolibrary.org/obo/hp#layperson")
    'layperson'
    """
    return local_name(synonym_type)


def collect(drafts: Drafts, header: Header, release: Release, *, name: str, options: GraphOptions) -> Ontology:
    """The ontology of the drafts that are concepts.

    Left out are other prefixes, classes without a name that are not obsolete, and obsolete ones without a name that
    another class has as an alternative id: OBO files do not list these either.
    """
    taken = {alt_id for draft in drafts.values() for alt_id in draft.alt_ids}
    for key, draft in list(drafts.items()):
        prefix = draft.id.partition(":")[0]
        nameless = not draft.name and (not draft.obsolete or draft.id in taken)
        if nameless or (options.prefixes and prefix not in options.prefixes):
            del drafts[key]
    title = header.title or name
    return drafts.collect(release, name=name, title=title, version=header.version, licence=header.licence)
