"""The real Human Phenotype Ontology, as its package carries it: facts that a clinician can check."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pytest

from medlink.ontology.catalogue import Catalogue, default_folder, load_ontology
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.persistence import read_lexicon, write_lexicon
from medlink.records import Name, Scope

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hpo() -> Lexicon:
    return Lexicon(load_ontology(Catalogue([default_folder()]).get("hpo")))


def test_hpo_is_read_completely(hpo: Lexicon) -> None:
    assert len(hpo.concepts) > 19_000
    assert len(hpo.names) > 41_000
    assert hpo.version >= "2025-01-16"
    assert hpo.licence == "https://hpo.jax.org/app/license"


@pytest.mark.parametrize(
    ("text", "concept_id"),
    [
        ("heart attack", "HP:0001658"),
        ("seizures", "HP:0001250"),
        ("shortened PR interval", "HP:0005165"),
        ("cleft palate", "HP:0000175"),
        ("kidney cyst", "HP:0000107"),
        ("hearing loss", "HP:0000365"),
    ],
)
def test_hpo_knows_what_clinicians_say(hpo: Lexicon, text: str, concept_id: str) -> None:
    assert hpo.lookup(text)[0].concept_id == concept_id


def test_hpo_keeps_scopes_kinds_and_retired_ids(hpo: Lexicon) -> None:
    assert Name("Heart attack", Scope.EXACT, "layperson") in hpo.concepts["HP:0001658"].synonyms
    assert hpo.resolve("HP:0002279") == hpo.resolve("HP:0001250") == "HP:0001250"
    assert hpo.resolve("HP:0000057") == "HP:0008665"  # obsolete, replaced by


def test_hpo_branch_of_phenotypes_has_no_modes_of_inheritance(hpo: Lexicon) -> None:
    phenotypes = hpo.branch("HP:0000118")
    assert 18_000 < len(phenotypes.concepts) < len(hpo.concepts)
    assert hpo.lookup("autosomal dominant inheritance")
    assert not phenotypes.lookup("autosomal dominant inheritance")
    assert "HP:0000118" in phenotypes.ancestors("HP:0001250")


def test_hpo_is_read_from_disk_in_a_moment(hpo: Lexicon, tmp_path: Path) -> None:
    write_lexicon(hpo, tmp_path)
    started = perf_counter()
    again = read_lexicon(tmp_path)
    assert perf_counter() - started < 2  # 0.2 s on an idle core; the rest is for busy ones
    assert again.ontology == hpo.ontology
