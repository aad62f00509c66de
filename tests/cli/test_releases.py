"""``medlink releases …``, and that commands link with the release that they are told to."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from medlink.cli.main import main
from medlink.encoder.combined import SURFACE
from medlink.encoder.surface import SurfaceEncoder, write_surface
from medlink.linking.ranker import Ranker, default_ranker
from medlink.store.release import BASE, Release
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace
from tests.cli.conftest import Run
from tests.conftest import TINY_OBO
from tests.tiny_release import make_release, pushing_adapter

NOTE = "He denies seizures. A renal cyst was seen; kidney cysts run in the family. Heart attack in 2010."


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def store(workspace: Path) -> ReleaseStore:
    return ReleaseStore(Workspace(workspace).releases)


def read(result: Result) -> Any:  # noqa: ANN401
    return json.loads(result.stdout)


def current_of(store: ReleaseStore) -> str:
    current = store.current()
    return current.id if current else BASE


def shift_rows(encoder: Path) -> None:
    """Moves a quarter of the surface tower's rows."""
    tower = SurfaceEncoder(encoder / SURFACE)
    table, features = tower.table.copy(), tower.config.features
    table[::4] *= 1 + 0.2 * np.random.default_rng(0).random((len(table[::4]), table.shape[1]), np.float32)
    write_surface(encoder / SURFACE, table, features)


@pytest.fixture
def pair(workspace: Path, pair_folder: Path) -> tuple[Release, Release]:
    """A release and one that was refined from it: other rows, ranker, adapter, threshold and figures."""
    first = make_release(workspace, pair_folder, card={"headline": {"accuracy": 0.81}, "n": 3, "ok": True})
    weights = default_ranker(2).weights
    ranker = Ranker(replace(weights, nil=weights.nil + 1.5, linear=(weights.linear[0] + 0.25, *weights.linear[1:])))
    second = make_release(
        workspace,
        pair_folder,
        parent=first.id,
        threshold=0.6,
        ranker=ranker,
        adapter=pushing_adapter(),
        card={"headline": {"accuracy": 0.9}, "n": 3},
        change=shift_rows,
    )
    return first, second


def test_list_without_releases_shows_base_as_current(run: Run, workspace: Path) -> None:
    lines = run("releases", "list").stdout.splitlines()
    assert lines == ["   id    parent  mode  created  lessons  figures", "*  base"]
    assert read(run("releases", "list", "--json")) == {"current": "base", "releases": [], "damaged": {}}
    assert not workspace.exists()


def test_list_shows_each_release_and_marks_the_current_one(
    run: Run, store: ReleaseStore, pair: tuple[Release, Release]
) -> None:
    store.promote(pair[1].id)
    first, second = run("releases", "list").stdout.splitlines()[2:]
    assert first.split() == [pair[0].id, "base", "surface", "2026-01-31", "09:30", "3", "accuracy", "0.81"]
    assert second.split()[:3] == ["*", pair[1].id, pair[0].id]
    rows = read(run("releases", "list", "--json"))
    assert rows["current"] == pair[1].id
    assert [(row["id"], row["current"]) for row in rows["releases"]] == [(pair[0].id, False), (pair[1].id, True)]
    assert rows["releases"][0]["headline"] == {"accuracy": 0.81}


def test_list_names_what_is_damaged_and_missing(run: Run, store: ReleaseStore, pair: tuple[Release, Release]) -> None:
    store.promote(pair[1].id)
    shutil.rmtree(pair[1].folder)
    os.truncate(pair[0].ranker, 10)
    result = run("releases", "list")
    assert "Damaged" in result.stderr
    assert pair[0].id in result.stderr
    assert f"Missing: {pair[1].id}" in result.stderr
    (store.folder / "current.json").write_text("{", encoding="utf-8")
    assert "medlink releases promote" in run("releases", "list").stderr


def test_show_says_where_a_release_comes_from(run: Run, pair: tuple[Release, Release]) -> None:
    shown = run("releases", "show", "r0002").stdout
    assert f"{pair[1].id} ← {pair[0].id} ← base" in shown
    facts = read(run("releases", "show", pair[1].id, "--json"))
    assert facts["lineage"] == [pair[1].id, pair[0].id, "base"]
    assert (facts["threshold"], facts["adapter"], facts["n_lessons"]) == (0.6, "32 to 8 numbers", 3)
    assert "base is no release" in run("releases", "show", "base", code=1).output


def test_promote_and_rollback_change_what_is_current(
    run: Run, store: ReleaseStore, pair: tuple[Release, Release]
) -> None:
    first, second = pair[0].id, pair[1].id
    assert run("releases", "promote", "r0001").stdout == f"{first} is current; before it was base\n"
    assert read(run("releases", "promote", second, "--json")) == {"current": second, "before": first}
    assert current_of(store) == second
    assert run("releases", "promote", second).stdout == f"{second} is current, as it was\n"
    assert run("releases", "rollback").stdout == f"{first} is current; before it was {second}\n"
    assert read(run("releases", "rollback", "--json")) == {"current": "base", "before": first}
    assert "nothing to go back to" in run("releases", "rollback", code=1).output
    run("releases", "promote", second)
    assert run("releases", "promote", "base").stdout == f"base is current; before it was {second}\n"
    assert current_of(store) == BASE


def test_promote_refuses_what_is_damaged_or_not_there(
    run: Run, store: ReleaseStore, pair: tuple[Release, Release]
) -> None:
    os.truncate(pair[0].ranker, 10)
    assert "damaged" in run("releases", "promote", "r0001", code=1).output
    assert pair[1].id in run("releases", "promote", "r0009", code=1).output
    assert current_of(store) == BASE


def test_card_prints_page_figures_and_path(run: Run, store: ReleaseStore, pair: tuple[Release, Release]) -> None:
    assert run("releases", "card", "r0001").stdout == "# Report card\n"
    assert run("releases", "card", "r0001", "--png").stdout == f"{pair[0].card_chart}\n"
    assert read(run("releases", "card", "r0001", "--json"))["card"]["headline"] == {"accuracy": 0.81}
    assert "no report card" in run("releases", "card", code=1).output
    store.promote(pair[1].id)
    assert read(run("releases", "card", "--json"))["id"] == pair[1].id


def test_diff_shows_what_moved(run: Run, pair: tuple[Release, Release]) -> None:
    found = read(run("releases", "diff", "r0001", "r0002", "--ontology", TINY_OBO, "--json"))
    assert (found["before"], found["after"], found["adapter"]) == (pair[0].id, pair[1].id, "added")
    assert found["settings"] == [{"name": "threshold", "before": 0.4, "after": 0.6}]
    assert [change["name"] for change in found["ranker"]] == ["nil", "linear.exact"]
    assert [change["name"] for change in found["figures"]] == ["headline.accuracy"]
    rows, names, queries = found["surface_rows"], found["names"], found["queries"]
    assert (rows["n_rows"], rows["n_moved"]) == (1024, 256)
    assert 0 < rows["mean"] < rows["largest"] < 0.2
    assert 0 < names["mean"] < names["percentile_95"] < names["largest"] < 0.1
    assert queries["mean"] > names["mean"], "the adapter moves queries besides"
    shown = run("releases", "diff", "r0001", "r0002", "--ontology", TINY_OBO).stdout
    assert "25.0% of 1,024 rows moved" in shown
    assert "threshold 0.4 → 0.6" in shown
    assert "headline.accuracy 0.81 → 0.9" in shown


def test_diff_of_a_release_with_itself_shows_nothing(run: Run, pair: tuple[Release, Release]) -> None:
    lines = run("releases", "diff", "r0002", "r0002", "--ontology", TINY_OBO).stdout.splitlines()
    assert lines[0] == f"from {pair[1].id} to {pair[1].id}"
    assert [line.rpartition(": ")[2] for line in lines[1:5]] == ["the same"] * 4
    assert lines[5:] == [
        "surface tower: the same",
        *(f"{what}: none of 59 vectors moved" for what in ("names", "queries")),
        "report cards: the same",
    ]


def test_diff_with_base_compares_what_compares(run: Run, pair: tuple[Release, Release]) -> None:
    found = read(run("releases", "diff", "base", "r0002", "--names", "0", "--json"))
    assert (found["before"], found["after"]) == ("base", pair[1].id)
    assert (found["surface_rows"], found["names"]) == (None, None)
    assert found["settings"] == [{"name": "threshold", "before": 0.4, "after": 0.6}]


def link(*options: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["link", "-", "--ontology", str(TINY_OBO), *map(str, options)], input=NOTE)
    assert result.exit_code == code, result.output
    return result


def releases_in(result: Result) -> set[str]:
    return {one["release"] for one in read(result)["links"]}


def test_link_uses_the_current_release_unless_told_otherwise(
    workspace: Path, store: ReleaseStore, pair_folder: Path, pair: tuple[Release, Release]
) -> None:
    first, second = pair
    place = ("--workspace", workspace)
    store.promote(second.id)
    assert releases_in(link(*place)) == {second.id}
    named = link(*place, "--release", "r0001")
    assert releases_in(named) == {first.id}
    plain = link(*place, "--encoder", pair_folder)
    (base_id,) = releases_in(plain)
    assert base_id.startswith("base-")
    assert named.stdout == plain.stdout.replace(base_id, first.id)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--release", "r0001", "--encoder", "surface"], "a release or an encoder"),
        (["--release", "r0001", "--pooling", "first"], "a pooling of its own"),
        (["--release", "r0009"], "no release of that name"),
    ],
)
def test_link_refuses_what_contradicts_itself(
    workspace: Path, pair: tuple[Release, Release], options: list[str], message: str
) -> None:
    assert message in link("--workspace", workspace, *options, code=1).output


def test_link_says_what_to_do_when_the_current_release_is_gone(
    workspace: Path, store: ReleaseStore, pair: tuple[Release, Release]
) -> None:
    store.promote(pair[1].id)
    shutil.rmtree(pair[1].folder)
    assert "medlink releases promote" in link("--workspace", workspace, code=1).output


def test_link_takes_the_threshold_of_the_release_or_the_users(workspace: Path, pair_folder: Path) -> None:
    make_release(workspace, pair_folder, threshold=1.0)
    place = ("--workspace", workspace, "--release", "r0001")
    strict, own = read(link(*place)), read(link(*place, "--threshold", "0.1"))
    assert {one["concept_id"] for one in strict["links"]} == {None}
    assert None not in {one["concept_id"] for one in own["links"]}


def test_resume_says_that_the_interrupted_run_had_another_release(
    workspace: Path, store: ReleaseStore, pair: tuple[Release, Release], tmp_path: Path
) -> None:
    note, out = tmp_path / "a.txt", tmp_path / "links.jsonl"
    note.write_text(NOTE, encoding="utf-8")
    store.promote(pair[1].id)
    journal = tmp_path / ".links.jsonl.unfinished"
    journal.mkdir()
    (journal / "run.json").write_text(json.dumps({"release": pair[0].id}), encoding="utf-8")
    arguments = ["link", str(note), "--ontology", str(TINY_OBO), "--workspace", str(workspace)]
    result = CliRunner().invoke(main, [*arguments, "--out", str(out), "--resume"])
    assert result.exit_code == 1
    assert "release" in result.output.partition("other values of")[2]


@pytest.mark.slow
def test_workers_link_with_the_release_of_the_run(
    workspace: Path, store: ReleaseStore, pair: tuple[Release, Release], tmp_path: Path
) -> None:
    store.promote(pair[1].id)
    one = link("--workspace", workspace)
    two = link("--workspace", workspace, "--workers", "2")
    assert two.stdout == one.stdout


def test_explain_and_evaluate_use_the_release(
    run: Run, store: ReleaseStore, pair: tuple[Release, Release], encoder_folder: Path, tmp_path: Path
) -> None:
    store.promote(pair[1].id)
    explained = read(run("explain", "kidney cystss", "--ontology", TINY_OBO, "--json"))
    other = read(run("explain", "kidney cystss", "--ontology", TINY_OBO, "--release", "r0001", "--json"))
    assert explained["candidates"] != other["candidates"]
    queries = tmp_path / "gold.concept"
    queries.write_text("d1||0|13||Disease||kidney cystss||HP:0000107\n", encoding="utf-8")
    options = ("--ontology", TINY_OBO, "--baseline", f"plain={encoder_folder}")
    report = read(run("evaluate", "link", "--queries", queries, *options, "--json"))
    assert report["setting"]["release"] == report["setting"]["encoder"]["name"] == pair[1].id
    assert report["setting"]["baselines"]["plain"]["name"] == str(encoder_folder), "a baseline is no release"
