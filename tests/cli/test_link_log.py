"""What ``medlink link`` records, and that neither log nor cache stands in the way of links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medlink.cli.main import main
from medlink.linking.recipe import Recipe
from medlink.store.link_log import LinkLog
from medlink.store.vectors import VectorStore
from medlink.store.workspace import Workspace

NOTE = "PAST HISTORY:\nHe denies seizuress. A renal cyst (RC) was seen, the RC is small.\n"
ASKED = "Old MI, and MR in 2010."  # homonyms and acronyms are encoded
Link = Callable[..., Result]


@pytest.fixture
def workspace(own_recipe: Recipe) -> Workspace:
    return Workspace(own_recipe.workspace)


@pytest.fixture
def link(recipe: Recipe, workspace: Workspace, tmp_path: Path) -> Link:
    (tmp_path / "note.txt").write_text(NOTE, encoding="utf-8")

    def invoke(*arguments: str) -> Result:
        common = ["--ontology", recipe.ontology, "--encoder", recipe.encoder, "--workspace", str(workspace.root)]
        result = CliRunner().invoke(main, ["link", str(tmp_path / "note.txt"), *common, *arguments])
        assert result.exit_code == 0, result.output
        return result

    return invoke


def recorded(workspace: Workspace) -> list[tuple[str, str, str, str | None]]:
    with LinkLog.read(workspace.link_log) as log:
        (target,) = log.targets()
        return [
            (link.mention.surface, link.mention.expanded, link.mention.section, link.outcome.concept_id)
            for document in log.documents(log.document_numbers(target))
            for link in document.links
        ]


def test_link_records_every_link_also_those_left_out(link: Link, workspace: Workspace, tmp_path: Path) -> None:
    out = str(tmp_path / "links.jsonl")
    link("--out", out, "--drop", "negated,historical")
    assert recorded(workspace) == [
        ("seizuress", "Seizure", "past medical history", "HP:0001250"),
        ("renal cyst", "", "past medical history", "HP:0000107"),
        ("RC", "renal cyst", "past medical history", "HP:0000107"),
        ("RC", "renal cyst", "past medical history", "HP:0000107"),
    ]
    link("--out", out)
    assert len(recorded(workspace)) == 4
    with LinkLog.read(workspace.link_log) as log:
        runs = [record.run for record in log.runs().values()]
    assert [run.release.startswith("base-") for run in runs] == [True, True]
    assert runs[0].content_hash


def test_diff_counts_the_links_that_a_release_touches(link: Link, workspace: Workspace, tmp_path: Path) -> None:
    link()
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("id,name\nHP:0001250,Seizure\nHP:0000107,Renal cyst\n", encoding="utf-8")
    new.write_text("id,name\nHP:0001250,Seizure\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["ontology", "diff", str(old), str(new), "--workspace", str(workspace.root)])
    assert result.exit_code == 0, result.output
    assert "\n3 of 4 links name a concept that changed\n  HP:0000107  retired → no successor, 3\n" in result.output
    assert "corrections" not in result.output


def test_link_to_shards_records_too(link: Link, workspace: Workspace, tmp_path: Path) -> None:
    link("--out", str(tmp_path / "shards"), "--shard-notes", "1", "--drop", "historical")
    assert len(recorded(workspace)) == 4


def test_link_to_standard_output_records_too(link: Link, workspace: Workspace) -> None:
    link()
    assert len(recorded(workspace)) == 4


def test_link_leaves_nothing_behind_where_it_is_told_so(link: Link, workspace: Workspace) -> None:
    link("--no-log", "--no-cache")
    assert not workspace.link_log.exists()
    assert not workspace.vectors.exists()


def test_link_goes_on_without_log_and_cache(
    link: Link, workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "note.txt").write_text(ASKED, encoding="utf-8")
    plain = link("--no-log", "--no-cache").stdout
    for path in (workspace.link_log, workspace.vectors):
        path.write_bytes(b"no database " * 500)
    assert link().stdout == plain
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "not all links of this run are in the link log, and 'medlink relink' will miss them",
        "no vectors are remembered in this run, which changes no link",
    ]


def test_link_remembers_vectors_and_links_the_same(link: Link, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(ASKED, encoding="utf-8")
    first = link().stdout
    n_vectors = len(VectorStore(workspace.vectors))
    assert n_vectors > 0
    assert link().stdout == first == link("--no-cache").stdout
    assert len(VectorStore(workspace.vectors)) == n_vectors
