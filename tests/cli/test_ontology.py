from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medlink.cli.ontology import ontology
from medlink.errors import OntologyFormatError, SettingError, UnknownNameError
from medlink.ontology.readers import FORMATS

TINY = Path(__file__).parents[1] / "data" / "tiny.obo"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in a workspace of its own."""

    def in_workspace(*arguments: object) -> Result:
        return CliRunner().invoke(ontology, [*map(str, arguments), "--workspace", str(tmp_path / "workspace")])

    return in_workspace


@pytest.fixture
def with_tiny(run: Run) -> Run:
    assert run("add", TINY, "--name", "tiny", "--branch", "HP:0000118").exit_code == 0
    return run


def test_list_says_what_is_ready_and_what_is_to_be_added(run: Run, tmp_path: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert "hpo       ready   Human Phenotype Ontology" in lines
    assert "mondo     to add  Mondo Disease Ontology" in lines
    assert not (tmp_path / "workspace").exists()


def test_list_shows_added_ontologies_as_json(with_tiny: Run) -> None:
    listed = {entry["name"]: entry for entry in json.loads(with_tiny("list", "--json").stdout)}
    assert listed["tiny"]["ready"]
    assert listed["tiny"]["branch"] == ["HP:0000118"]
    assert not listed["umls"]["ready"]


def test_show_counts_what_is_in_an_ontology(with_tiny: Run) -> None:
    facts = json.loads(with_tiny("show", "tiny", "--json").stdout)
    assert facts["version"] == "2025-01-16"
    counts = ("concepts", "obsolete_concepts", "concepts_in_branch", "names")
    assert [facts[key] for key in counts] == [22, 6, 19, 59]
    text = with_tiny("show", "tiny").stdout
    assert "obsolete concepts   6\n" in text
    assert "branch              HP:0000118\n" in text
    assert "ready               yes\n" in text


def test_show_says_where_to_get_what_is_described_only(run: Run) -> None:
    result = run("show", "mondo")
    assert result.exit_code == 0
    assert "licence    CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)\n" in result.stdout
    assert "medlink ontology add mondo.obo --name mondo" in result.stdout
    assert "concepts" not in result.stdout


def test_show_refuses_an_unknown_name_and_lists_the_known_ones(run: Run) -> None:
    result = run("show", "hpoo")
    assert isinstance(result.exception, UnknownNameError)
    assert "expected one of chebi, doid" in str(result.exception)


def test_add_says_what_was_added(run: Run, tmp_path: Path) -> None:
    result = run("add", TINY, "--name", "tiny")
    assert result.stdout == "added tiny: Tiny phenotypes, version 2025-01-16\n"
    assert (tmp_path / "workspace" / "ontologies" / "tiny.toml").is_file()


def test_add_asks_for_the_licence_where_the_file_states_none(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("id,name\nX:1,Fit\n", encoding="utf-8")
    assert "The file states no licence" in run("add", table, "--name", "mine").stdout


def test_add_names_the_broken_line_and_adds_nothing(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("id,name\nX:1,Fit\nX:2\n", encoding="utf-8")
    result = run("add", table, "--name", "mine", "--json")
    assert isinstance(result.exception, OntologyFormatError)
    assert "mine.csv:3: the row does not fit the header" in str(result.exception)
    assert not (tmp_path / "workspace").exists()


def test_add_replaces_only_when_asked(with_tiny: Run) -> None:
    assert isinstance(with_tiny("add", TINY, "--name", "tiny").exception, SettingError)
    replaced = with_tiny("add", TINY, "--name", "tiny", "--replace", "--json")
    assert json.loads(replaced.stdout)["branch"] == ["HP:0000118"]  # as it was before


def test_search_shows_the_name_that_matched(with_tiny: Run) -> None:
    result = with_tiny("search", "heart attack", "--ontology", "tiny")
    assert result.stdout == "HP:0001658  Myocardial infarction  (Heart attack, exact)\n"
    assert with_tiny("search", "HP:0001275", "--ontology", "tiny").stdout == "HP:0001250  Seizure\n"


def test_search_prints_json(with_tiny: Run) -> None:
    found = json.loads(with_tiny("search", "MR", "--ontology", "tiny", "--limit", 1, "--json").stdout)
    definition = "Subnormal intellectual functioning which originates during the developmental period."
    assert found == [
        {
            "id": "HP:0001249",
            "name": "Intellectual disability",
            "matched": "MR",
            "scope": "EXACT",
            "kind": "abbreviation",
            "definition": definition,
        }
    ]


def test_search_says_when_nothing_is_found(with_tiny: Run) -> None:
    assert with_tiny("search", "zzz", "--ontology", "tiny").stdout == "nothing found in tiny 2025-01-16\n"
    assert json.loads(with_tiny("search", "zzz", "--ontology", "tiny", "--json").stdout) == []


@pytest.mark.parametrize("command", ["list", "show", "add", "search"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(ontology, [command, "--help"])
    assert result.exit_code == 0
    assert "--workspace" in result.stdout
    assert "--json" in result.stdout


def test_add_takes_the_folder_of_a_release_with_options(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "META"
    folder.mkdir()
    row = "C000000{n}|ENG|P|L|PF|S|Y|A||||{source}|PT|1|{name}|0|N||\n"
    rows = [row.format(n=1, source="MSH", name="Fit"), row.format(n=2, source="HPO", name="Ache")]
    (folder / "MRCONSO.RRF").write_text("".join(rows), encoding="utf-8")
    result = run("add", folder, "--name", "mine", "--option", "sources=MSH", "--option", "version=2024AB")
    assert "added mine: UMLS Metathesaurus, version 2024AB" in result.stdout
    facts = json.loads(run("show", "mine", "--json").stdout)
    assert (facts["concepts"], facts["options"]) == (1, {"sources": "MSH", "version": "2024AB"})
    assert "sources=MSH; version=2024AB" in run("show", "mine").stdout
    refused = run("add", folder, "--name", "other", "--option", "source=MSH")
    assert "the format 'umls' has no option 'source'; expected one of version, sources," in str(refused.exception)


def test_formats_explains_every_option() -> None:
    result = CliRunner().invoke(ontology, ["formats"])
    assert result.exit_code == 0
    listed = json.loads(CliRunner().invoke(ontology, ["formats", "--json"]).stdout)
    assert [known["name"] for known in listed] == list(FORMATS)
    assert all(option["help"] for known in listed for option in known["options"])
    (umls,) = json.loads(CliRunner().invoke(ontology, ["formats", "umls", "--json"]).stdout)
    assert umls["options"][1] == {
        "name": "languages",
        "help": "LAT values, such as ENG; the preferred name is in the first that a concept has.",
        "default": "ENG",
    }
    assert isinstance(CliRunner().invoke(ontology, ["formats", "docx"]).exception, UnknownNameError)


def test_diff_takes_names_and_files(with_tiny: Run) -> None:
    result = with_tiny("diff", "tiny", TINY)
    assert result.stdout.startswith("tiny 2025-01-16 → tiny 2025-01-16\nadded    0\nrenamed  0\nmerged   0\n")
