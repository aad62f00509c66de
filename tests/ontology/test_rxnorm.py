"""RxNorm: small files in the shape of the RxNorm Technical Documentation, section 12; all rows made up."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from medlink.ontology.rxnorm import RxNormOptions, read_rxnorm
from medlink.records import Concept, Name

FILES = {
    "RXNCONSO.RRF": """\
1191|ENG||||||1||1191||RXNORM|IN|1191|aspirin||N|4096|
1191|ENG||||||2||BQ0ATC||ATC|IN|N02BA01|acetylsalicylic acid||N||
1191|ENG||||||3||1191||RXNORM|SY|1191|ASA||N||
1191|ENG||||||4||1191||RXNORM|SY|1191|old name||O||
243670|ENG||||||5||243670||RXNORM|SCD|243670|aspirin 81 MG Oral Tablet||N|4096|
371075|ENG||||||6||371075||RXNORM|SCDF|371075|aspirin Oral Tablet||N|4096|
""",
    "RXNSTY.RRF": "1191|T109|A1.4.1.2.1|Organic Chemical|||\n243670|T200|A1.3.3|Clinical Drug|||\n",
    "RXNREL.RRF": """\
371075||CUI|RN|243670||CUI|isa|1||RXNORM||||||
243670||CUI|RB|371075||CUI|inverse_isa|2||RXNORM||||||
1191||CUI|RO|371075||CUI|has_ingredient|3||RXNORM||||||
""",
    "RXNCUI.RRF": "99999|2005AA|2006AA|1|1191|\n1191|2005AA|2006AA|1|1191|\n",
    "RXNSAB.RRF": "C1||RXNORM_24AA_240603F|RXNORM||RXNORM|24AA_240603F|||||||0|||||||ENG|UTF-8|Y|Y|RxNorm||\n",
}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    path = tmp_path / "RxNorm_full_06032024.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(f"rrf/{name}", text)
            archive.writestr(f"prescribe/rrf/{name}", "")
    return path


def test_read_rxnorm_gathers_drugs_from_a_zipped_release(release: Path) -> None:
    ontology = read_rxnorm(release, name="rxnorm")
    assert ontology.version == "24AA_240603F"
    assert ontology.concepts == (
        Concept(
            "RXNORM:1191",
            "aspirin",
            (Name("ASA"), Name("acetylsalicylic acid")),
            semantic_type="Organic Chemical",
            alt_ids=("RXNORM:99999",),
            xrefs=("ATC:N02BA01",),
        ),
        Concept(
            "RXNORM:243670",
            "aspirin 81 MG Oral Tablet",
            parents=("RXNORM:371075",),
            semantic_type="Clinical Drug",
        ),
        Concept("RXNORM:371075", "aspirin Oral Tablet"),
    )


def test_read_rxnorm_keeps_chosen_kinds_of_terms_and_sources(release: Path) -> None:
    options = RxNormOptions(term_types=("IN", "BN"), sources=("RXNORM",), suppressible=True)
    concepts = read_rxnorm(release, name="rxnorm", options=options).concepts
    assert [[name.text for name in concept.names] for concept in concepts] == [["aspirin", "ASA", "old name"]]
