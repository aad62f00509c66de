from __future__ import annotations

import pytest

from medlink.curation.concepts import Resolver
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept


def _resolver(*concepts: Concept) -> Resolver:
    return Resolver(Lexicon(Ontology("t", "t", "1", "", "", concepts)))


PREFIXED = _resolver(Concept("MESH:C1", "One", alt_ids=("MESH:C9",)), Concept("MESH:D2", "Two"))
BARE = _resolver(Concept("613097", "Six"), Concept("D2", "Two"))
MIXED = _resolver(Concept("MESH:D2", "Two"), Concept("OMIM:3", "Three"))


@pytest.mark.parametrize(
    ("resolver", "written", "meant"),
    [
        (PREFIXED, "MESH:D2", "MESH:D2"),
        (PREFIXED, "D2", "MESH:D2"),
        (PREFIXED, "C9", "MESH:C1"),
        (PREFIXED, "OMIM:D2", None),
        (PREFIXED, "D3", None),
        (BARE, "MESH:D2", "D2"),
        (BARE, "OMIM:613097", "613097"),
        (BARE, "D2", "D2"),
        (MIXED, "D2", None),
        (MIXED, "OMIM:3", "OMIM:3"),
    ],
)
def test_ids_are_found_however_their_prefix_is_written(resolver: Resolver, written: str, meant: str | None) -> None:
    assert resolver.current(written) == meant
