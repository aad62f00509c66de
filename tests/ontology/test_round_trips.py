"""Names of any kind survive being written as a publisher writes them and read again."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medlink.ontology.readers import reader_of
from medlink.ontology.source import tidy

Names = dict[int, list[str]]

# What no row of RRF, RF2 or Athena can hold in a cell: their separators and line ends.
_CELL = st.text(st.characters(codec="utf-8", exclude_characters="|\t\r\n\ufeff"), min_size=1, max_size=12).filter(tidy)
NAMES = st.dictionaries(
    st.integers(1, 99), st.lists(_CELL, min_size=1, max_size=4, unique_by=tidy), min_size=1, max_size=5
)


def as_umls(names: Names) -> dict[str, str]:
    rows = ("|ENG|P|L|PF|S|Y|A||||MSH|PT|D1|", "|ENG|S|L|PF|S|N|A||||MSH|ET|D1|")
    lines = [
        f"C{key:07d}{rows[place > 0]}{text}|0|N||\n" for key, texts in names.items() for place, text in enumerate(texts)
    ]
    return {"MRCONSO.RRF": "".join(lines)}


def as_omop(names: Names) -> dict[str, str]:
    concepts = ["concept_id concept_name domain_id vocabulary_id concept_class_id standard_concept concept_code "
                "valid_start_date valid_end_date invalid_reason".replace(" ", "\t")]  # fmt: skip
    synonyms = ["concept_id\tconcept_synonym_name\tlanguage_concept_id"]
    for key, (first, *others) in names.items():
        concepts.append(f"{key}\t{first}\tCondition\tSNOMED\tFinding\tS\t{key}\t19700101\t20991231\t")
        synonyms += [f"{key}\t{text}\t4180186" for text in others]
    return {"CONCEPT.csv": "\n".join(concepts) + "\n", "CONCEPT_SYNONYM.csv": "\n".join(synonyms) + "\n"}


def as_gilda(names: Names) -> dict[str, str]:
    stream = io.StringIO()
    rows = csv.writer(stream, delimiter="\t")
    rows.writerow("norm_text text db id entry_name status source organism source_db source_id".split())
    for key, (first, *others) in names.items():
        rows.writerows(["", text, "X", key, first, "synonym", "x", "", "", ""] for text in (first, *others))
    return {"terms.tsv": stream.getvalue()}


@pytest.mark.parametrize(("format_name", "write"), [("umls", as_umls), ("omop", as_omop), ("gilda", as_gilda)])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES)
def test_names_survive(
    format_name: str, write: Callable[[Names], dict[str, str]], names: Names, tmp_path: Path
) -> None:
    folder = tmp_path / format_name
    folder.mkdir(exist_ok=True)
    for name, text in write(names).items():
        (folder / name).write_bytes(text.encode())
    path = folder / "terms.tsv" if format_name == "gilda" else folder
    concepts = reader_of(format_name)(path, name="x").concepts
    assert [concept.name for concept in concepts] == [
        tidy(names[key][0]) for key in sorted(names, key=str if format_name != "umls" else None)
    ]
    assert sorted(sorted(name.text for name in concept.names) for concept in concepts) == sorted(
        sorted(map(tidy, texts)) for texts in names.values()
    )
