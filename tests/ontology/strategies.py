"""Hypothesis strategies for ontologies in which everything that can collide does: names, alternative ids, cycles."""

from __future__ import annotations

from hypothesis import strategies as st

from medlink.ontology.source import Ontology, distinct_synonyms
from medlink.records import Concept, Name, Scope

IDS = tuple(f"X:{number}" for number in range(8))
TEXTS = (
    "Seizure",
    "seizures",
    "SEIZURE",
    "Ménière's disease",
    "Me\u0301nie\u0300re disease",
    "β-cell",
    "🫀",
    "--",
    "MR",
)

ids = st.sampled_from(IDS)
texts = st.sampled_from(TEXTS) | st.text(min_size=1, max_size=8).filter(str.strip)
names = st.builds(Name, text=texts, scope=st.sampled_from(list(Scope)[1:]), kind=st.sampled_from(["", "layperson"]))
some_ids = st.frozensets(ids, max_size=3).map(lambda found: tuple(sorted(found)))


@st.composite
def concepts(draw: st.DrawFn, concept_id: str) -> Concept:
    name = draw(texts)
    return Concept(
        id=concept_id,
        name=name,
        synonyms=distinct_synonyms(name, draw(st.lists(names, max_size=4))),
        definition=draw(st.text(max_size=5)),
        parents=draw(some_ids),
        semantic_type=draw(st.sampled_from(["", "finding"])),
        alt_ids=draw(some_ids),
        xrefs=draw(st.sampled_from([(), ("UMLS:C1",)])),
        obsolete=draw(st.booleans()),
        replaced_by=draw(some_ids),
    )


@st.composite
def ontologies(draw: st.DrawFn) -> Ontology:
    chosen = sorted(draw(st.frozensets(ids)))
    return Ontology(
        name="x",
        title="X\u2028",
        version="2025-01-16",
        licence="CC0",
        sha256="0" * 64,
        concepts=tuple(draw(concepts(concept_id)) for concept_id in chosen),
    )
