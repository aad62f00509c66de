"""Whatever the text and the links are, an export that nobody has edited comes back accepted, link by link."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from medlink.formats.annotations import read_annotations
from medlink.formats.writers import FOLDER_FORMATS, write_links
from medlink.records import Annotation, Link, LinkedDocument, Verdict
from tests.formats.samples import linked_documents

FORMATS = ["doccano", "brat", "pubtator", "bioc", "bioc-json", "cas-xmi", "cas-json", "docbin"]


def _core(span: Annotation | Link) -> tuple[int, int]:
    """The place without the white space around it, which brat cannot mark."""
    mention = span.mention if isinstance(span, Link) else span
    core = mention.surface.strip()
    start = mention.start + mention.surface.index(core)
    return start, start + len(core)


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(linked=linked_documents("note"))
def test_an_untouched_export_is_accepted_link_by_link(
    format: str, tmp_path_factory: pytest.TempPathFactory, linked: LinkedDocument
) -> None:
    places = {_core(link): link for link in linked.links}
    assume(all(char.isprintable() or char.isspace() for link in linked.links for char in link.mention.surface))
    linked = LinkedDocument(linked.document, tuple(places.values()))
    path: Path = tmp_path_factory.mktemp("export") / "out"
    write_links([linked], path, format=format)
    items = list(read_annotations(path, format, baseline={"note": linked}))
    got = Counter((*_core(a), a.concept_id, a.verdict) for a in items if isinstance(a, Annotation))
    expected = Counter(
        (*place, link.concept_id, Verdict.ACCEPT if link.concept_id else Verdict.NIL) for place, link in places.items()
    )
    assert got == expected, items
    assert format in FOLDER_FORMATS or path.is_file()
