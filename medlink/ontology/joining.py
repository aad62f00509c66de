"""Two or more ontologies as one, so that one index holds the concepts of all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from heapq import merge
from itertools import pairwise

from medlink.errors import SettingError
from medlink.ontology.source import Ontology

#: Stands between the names, and between the versions, of joined ontologies.
JOINT = "+"


def join_ontologies(ontologies: Sequence[Ontology]) -> Ontology:
    """The concepts of all ontologies; names, titles and versions are joined in the order given.

    :param ontologies: at least one; a single one comes back as it is.
    :raises SettingError: when an id is in two of them.
    """
    first, *others = ontologies
    if not others:
        return first
    concepts = tuple(merge(*(ontology.concepts for ontology in ontologies), key=lambda concept: concept.id))
    twice = [before.id for before, after in pairwise(concepts) if before.id == after.id]
    if twice:
        raise SettingError(
            "ontologies with the same ids cannot be joined",
            where=JOINT.join(ontology.name for ontology in ontologies),
            expected="every id in one of them only",
            got=f"{len(twice)} ids in two of them, such as {', '.join(twice[:3])}",
            hint="Bring one of them in without what it imports: medlink ontology add FILE --option prefixes=PREFIX.",
        )
    return Ontology(
        name=JOINT.join(ontology.name for ontology in ontologies),
        title=f" {JOINT} ".join(ontology.title for ontology in ontologies),
        version=JOINT.join(ontology.version for ontology in ontologies),
        licence="; ".join(dict.fromkeys(ontology.licence for ontology in ontologies if ontology.licence)),
        sha256=hashlib.sha256(" ".join(ontology.sha256 for ontology in ontologies).encode()).hexdigest(),
        concepts=concepts,
    )
