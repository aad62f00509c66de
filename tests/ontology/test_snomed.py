"""SNOMED CT: small snapshot files in the shape of the Release File Specifications; made up but for the metadata ids."""

from __future__ import annotations

from pathlib import Path

import pytest

from medlink.errors import OntologyFormatError, SettingError
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.snomed import SnomedOptions, read_snomed
from medlink.records import Concept, Name

MODULE = "900000000000207008"
FSN, SYNONYM, TEXT = "900000000000003001", "900000000000013009", "900000000000550004"
INSENSITIVE, SENSITIVE = "900000000000448009", "900000000000017005"
PREFERRED, ACCEPTABLE = "900000000000548007", "900000000000549004"
US, GB = "900000000000509007", "900000000000508004"
IS_A, STATED, ANY = "116680003", "900000000000011006", "900000000000451002"
SAME_AS, REPLACED_BY, POSSIBLY = "900000000000527005", "900000000000526001", "900000000000523009"

CONCEPTS = [("101", "1"), ("102", "1"), ("103", "0"), ("104", "0"), ("105", "0")]
DESCRIPTIONS = [
    ("1", "1", "101", "en", FSN, "Oedema of lung (disorder)", INSENSITIVE),
    ("2", "1", "101", "en", SYNONYM, "Pulmonary oedema", INSENSITIVE),
    ("3", "1", "101", "en", SYNONYM, "Pulmonary edema", INSENSITIVE),
    ("4", "1", "101", "en", SYNONYM, "pO", SENSITIVE),
    ("5", "0", "101", "en", SYNONYM, "Wet lung", INSENSITIVE),
    ("6", "1", "101", "es", SYNONYM, "Edema pulmonar", INSENSITIVE),
    ("7", "1", "102", "en", FSN, "Finding of lung (finding)", INSENSITIVE),
    ("8", "1", "103", "en", FSN, "Lung edema (disorder)", INSENSITIVE),
    ("9", "1", "104", "en", FSN, "Oedema NOS (disorder)", INSENSITIVE),
    ("10", "1", "105", "en", FSN, "Swelling (disorder)", INSENSITIVE),
]
LANGUAGE = [
    ("1", US, "3", PREFERRED),
    ("1", GB, "2", PREFERRED),
    ("1", US, "4", ACCEPTABLE),
    ("0", US, "2", PREFERRED),
]
RELATIONSHIPS = [("1", "101", "102", IS_A), ("0", "101", "104", IS_A), ("1", "101", "102", "363698007")]
ASSOCIATIONS = [
    ("1", SAME_AS, "103", "101"),
    ("1", POSSIBLY, "104", "101"),
    ("0", REPLACED_BY, "105", "102"),
]


def write(folder: Path, name: str, header: str, rows: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = "\r\n".join(["\t".join(header.split()), *rows, ""])
    (folder / name).write_bytes(text.encode())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "SnomedCT_InternationalRF2_PRODUCTION_20240101T120000Z"
    terminology, refset = root / "Snapshot" / "Terminology", root / "Snapshot" / "Refset"
    day = f"20240101\t{{}}\t{MODULE}"
    write(
        terminology,
        "sct2_Concept_Snapshot_INT_20240101.txt",
        "id effectiveTime active moduleId definitionStatusId",
        [f"{i}\t{day.format(active)}\t900000000000074008" for i, active in CONCEPTS],
    )
    write(
        terminology,
        "sct2_Description_Snapshot-en_INT_20240101.txt",
        "id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId",
        [f"{i}\t{day.format(active)}\t" + "\t".join(rest) for i, active, *rest in DESCRIPTIONS],
    )
    write(
        terminology,
        "sct2_TextDefinition_Snapshot-en_INT_20240101.txt",
        "id effectiveTime active moduleId conceptId languageCode typeId term caseSignificanceId",
        [f"90\t{day.format(1)}\t101\ten\t{TEXT}\tFluid in the lung.\t{INSENSITIVE}"],
    )
    write(
        terminology,
        "sct2_Relationship_Snapshot_INT_20240101.txt",
        "id effectiveTime active moduleId sourceId destinationId relationshipGroup typeId characteristicTypeId "
        "modifierId",
        [f"1\t{day.format(a)}\t{s}\t{d}\t0\t{kind}\t{STATED}\t{ANY}" for a, s, d, kind in RELATIONSHIPS],
    )
    write(
        refset / "Language",
        "der2_cRefset_LanguageSnapshot-en_INT_20240101.txt",
        "id effectiveTime active moduleId refsetId referencedComponentId acceptabilityId",
        [f"u{n}\t{day.format(a)}\t" + "\t".join(rest) for n, (a, *rest) in enumerate(LANGUAGE)],
    )
    write(
        refset / "Content",
        "der2_cRefset_AssociationSnapshot_INT_20240101.txt",
        "id effectiveTime active moduleId refsetId referencedComponentId targetComponentId",
        [f"u{n}\t{day.format(a)}\t" + "\t".join(rest) for n, (a, *rest) in enumerate(ASSOCIATIONS)],
    )
    write(root / "Full" / "Terminology", "sct2_Concept_Full_INT_20240101.txt", "not read", [])
    return root


def test_read_snomed_reads_the_snapshot_of_a_package(package: Path) -> None:
    ontology = read_snomed(package, name="snomedct", options=SnomedOptions(languages=("en",)))
    assert ontology.version == "2024-01-01"
    assert ontology.concepts == (
        Concept(
            "SNOMEDCT:101",
            "Pulmonary edema",
            (Name("Oedema of lung"), Name("Pulmonary oedema"), Name("pO", kind="case sensitive")),
            "Fluid in the lung.",
            ("SNOMEDCT:102",),
            "disorder",
        ),
        Concept("SNOMEDCT:102", "Finding of lung", semantic_type="finding"),
        Concept("SNOMEDCT:103", "Lung edema", semantic_type="disorder", obsolete=True, replaced_by=("SNOMEDCT:101",)),
        Concept("SNOMEDCT:104", "Oedema NOS", semantic_type="disorder", obsolete=True),
        Concept("SNOMEDCT:105", "Swelling", semantic_type="disorder", obsolete=True),
    )
    assert Lexicon(ontology).resolve("SNOMEDCT:103") == "SNOMEDCT:101"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (SnomedOptions(refsets=("gb",)), ["Pulmonary oedema", "Oedema of lung"]),
        (SnomedOptions(refsets=(GB, "us")), ["Pulmonary oedema", "Oedema of lung", "Pulmonary edema", "pO"]),
        (
            SnomedOptions(),
            ["Pulmonary edema", "Edema pulmonar", "Oedema of lung", "Pulmonary oedema", "pO"],
        ),
        (SnomedOptions(languages=("es",)), ["Edema pulmonar"]),
    ],
    ids=["gb", "gb then us", "all", "Spanish"],
)
def test_read_snomed_takes_the_names_of_languages_and_reference_sets(
    options: SnomedOptions, names: list[str], package: Path
) -> None:
    concept = read_snomed(package / "Snapshot", name="snomedct", options=options).concepts[0]
    assert [name.text for name in concept.names] == names


def test_read_snomed_keeps_chosen_semantic_tags(package: Path) -> None:
    options = SnomedOptions(semantic_types=("finding",))
    assert [c.id for c in read_snomed(package, name="s", options=options).concepts] == ["SNOMEDCT:102"]


def test_read_snomed_follows_other_associations_when_asked(package: Path) -> None:
    options = SnomedOptions(associations=("possibly_equivalent_to",))
    concepts = {c.id: c for c in read_snomed(package, name="s", options=options).concepts}
    assert concepts["SNOMEDCT:104"].replaced_by == ("SNOMEDCT:101",)
    assert concepts["SNOMEDCT:103"].replaced_by == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SnomedOptions(refsets=("fr",)), f"no such language reference set.*expected {GB} or {US}; got fr"),
        (SnomedOptions(associations=("same",)), "no such historical association.*expected same_as or .*got same"),
    ],
    ids=["refset", "association"],
)
def test_read_snomed_refuses_choices_that_the_release_has_not(
    options: SnomedOptions, message: str, package: Path
) -> None:
    with pytest.raises(SettingError, match=message):
        read_snomed(package, name="s", options=options)


def test_read_snomed_names_the_broken_row(package: Path) -> None:
    file = package / "Snapshot" / "Terminology" / "sct2_Concept_Snapshot_INT_20240101.txt"
    file.write_bytes(file.read_bytes() + b"106\t20240101\r\n")
    with pytest.raises(OntologyFormatError, match=r"INT_20240101\.txt:7: the row does not fit the header.*5 cells"):
        read_snomed(package, name="s")
