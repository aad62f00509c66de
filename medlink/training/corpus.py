"""The names of some ontologies as training sees them: numbered concepts, their names, and what is held out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from medlink.ontology.lexicon import Lexicon
from medlink.records import Concept
from medlink.text import normalise

# A cross-reference that more concepts share is a drawer of a coarse classification, not a common meaning.
_MOST_SHARERS = 8
# Some ontologies call another one by other names than it calls itself.
_PREFIXES = {"MSH": "MESH", "UMLS_CUI": "UMLS", "MIM": "OMIM"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A concept of the corpus.

    :param names: as the ontology writes them, the preferred one first, no two the same when normalised, none held out.
    :param description: the preferred name and the definition, or empty where there is no definition.
    """

    id: str
    lexicon: Lexicon
    names: tuple[str, ...]
    description: str

    def is_taken(self, text: str) -> bool:
        """Whether another concept of the same ontology bears this name."""
        return any(posting.concept_id != self.id for posting in self.lexicon.lookup(text))


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A name that training never sees, and the codes of the concepts that bear it."""

    name: str
    concepts: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Numbered concepts; a concept's code is its place.

    :param kin: *Shape:* (n_kin, 2), int64 codes of different concepts that must not repel each other: those that share
        a name or a cross-reference, as the same disease in two ontologies does, and where asked for those above one
        another.
    :param content_hash: hex sha256 of the ontologies' contents, in their order.
    """

    entries: tuple[Entry, ...]
    held_out: tuple[HeldOut, ...]
    kin: Tensor
    content_hash: str


def build_corpus(
    lexicons: Sequence[Lexicon], *, scopes: Collection[str], dev_share: float, spare_lineage: bool = False
) -> Corpus:
    """The corpus of some lexicons; their order gives the codes.

    A synonym is held out when a hash of it says so and it is nobody's preferred name; it then is in no entry.

    :param scopes: of the names that count; preferred names always do.
    :param dev_share: share of the synonyms to hold out, in [0, 1].
    :param spare_lineage: whether ancestors and descendants are kin.
    """
    concepts = [(lexicon, concept) for lexicon in lexicons for concept in lexicon.concepts.values()]
    preferred = {normalise(concept.name) for _, concept in concepts}
    bearers = defaultdict[str, set[int]](set)
    held_out = defaultdict[str, set[int]](set)
    entries = []
    for code, (lexicon, concept) in enumerate(concepts):
        names = _distinct_names(concept, scopes)
        for name in names:
            bearers[name].add(code)
            if name not in preferred and name_share(name) < dev_share:
                held_out[name].add(code)
        kept = tuple(text for name, text in names.items() if name not in held_out)
        entries.append(Entry(concept.id, lexicon, kept, _describe(concept)))
    kin = {pair for codes in bearers.values() for pair in combinations(sorted(codes), 2)} | _equivalents(concepts)
    if spare_lineage:
        kin |= _lineages(concepts)
    return Corpus(
        tuple(entries),
        tuple(HeldOut(name, frozenset(codes)) for name, codes in sorted(held_out.items())),
        torch.tensor(sorted(kin), dtype=torch.int64).reshape(-1, 2),
        hashlib.sha256(" ".join(lexicon.content_hash for lexicon in lexicons).encode()).hexdigest(),
    )


def name_share(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, evenly spread over names."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64


def _equivalents(concepts: Sequence[tuple[Lexicon, Concept]]) -> set[tuple[int, int]]:
    """The codes of concepts of which one refers to the other, or both to the same third."""
    bearers = defaultdict[str, set[int]](set)
    for code, (_, concept) in enumerate(concepts):
        for reference in (concept.id, *concept.alt_ids, *concept.xrefs):
            prefix, _, rest = reference.upper().partition(":")
            bearers[f"{_PREFIXES.get(prefix, prefix)}:{rest}"].add(code)
    shared = (codes for codes in bearers.values() if len(codes) <= _MOST_SHARERS)
    return {pair for codes in shared for pair in combinations(sorted(codes), 2)}


def _lineages(concepts: Sequence[tuple[Lexicon, Concept]]) -> set[tuple[int, int]]:
    """The codes of all concepts with one of their ancestors."""
    codes = {(id(lexicon), concept.id): code for code, (lexicon, concept) in enumerate(concepts)}
    return {
        (code, codes[id(lexicon), ancestor])
        for code, (lexicon, concept) in enumerate(concepts)
        for ancestor in lexicon.ancestors(concept.id)
    }


def _distinct_names(concept: Concept, scopes: Collection[str]) -> dict[str, str]:
    """The concept's names by their normal form, the preferred one first; without those that normalise to nothing."""
    names: dict[str, str] = {}
    for name in concept.names:
        if name.text == concept.name or name.scope in scopes:
            names.setdefault(normalise(name.text), name.text)
    names.pop("", None)
    return names


def _describe(concept: Concept) -> str:
    return f"{normalise(concept.name)}: {concept.definition}" if concept.definition else ""
