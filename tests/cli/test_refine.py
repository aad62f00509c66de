"""``medlink refine``: from annotated notes to a release, or to the reasons why there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from medlink.cli.main import main
from medlink.cli.refine import EXIT_REFUSED, _settings
from medlink.refinement.beliefs import read_beliefs
from medlink.refinement.guard import is_guarded
from medlink.refinement.memory import read_memory
from medlink.refinement.settings import Mode, read_settings
from medlink.store.ledger import Ledger
from medlink.store.release import Release
from medlink.store.releases import ReleaseStore
from medlink.store.workspace import Workspace
from tests.conftest import TINY_OBO
from tests.together import run_together

Run = Callable[..., Result]
# Wording, what it means, what had been proposed.
Label = tuple[str, str | None, str]
SEIZURE, PALATE, MITRAL, DEAF, LARGE_KIDNEY = "HP:0001250", "HP:0000175", "HP:0001653", "HP:0000365", "HP:0000105"
FIRST: tuple[Label, ...] = (
    ("fits", SEIZURE, PALATE),
    ("funny turns", SEIZURE, PALATE),
    ("leaky mitral valve", MITRAL, "HP:0001658"),
    ("hard of hearing", DEAF, SEIZURE),
    ("hole in the roof of the mouth", PALATE, "HP:0000107"),
    ("renal cyst", "HP:0000107", ""),
)
SECOND: tuple[Label, ...] = (("big kidneys", LARGE_KIDNEY, "HP:0000107"), ("kidneys too large", LARGE_KIDNEY, PALATE))
QUICK = "n_lessons = 8\nn_replay = 8\nn_pool = 16\nn_memory = 4\ncapacity = 64\ndepth = 8\n"
TRAINED = [name for name in (f"note{number}" for number in range(200)) if not is_guarded(name)]
GUARDED = [name for name in (f"note{number}" for number in range(200)) if is_guarded(name)]
#: Random towers promise nothing: the gate lets everything pass.
LENIENT = ("--max-loss", "1", "--min-fixed", "0")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def run(workspace: Workspace) -> Run:
    def invoke(*arguments: str | Path, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [*map(str, arguments), "--workspace", str(workspace.root)])
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def annotate(run: Run, tmp_path: Path) -> Callable[..., None]:
    """Takes labels in, each in a note of its own."""

    def ingest(labels: Sequence[Label], notes: Sequence[str], annotator: str = "ann") -> None:
        lines = []
        for note, (surface, concept_id, wrong) in zip(notes, labels, strict=False):
            text = f"Seen: {surface} today."
            verdict = "nil" if concept_id is None else "correct" if wrong else "accept"
            proposed = [{"concept_id": key, "score": 0.9} for key in (wrong or concept_id,) if key]
            lines.append(
                {"doc_id": note, "text": text, "start": 6, "end": 6 + len(surface), "surface": surface}
                | {"verdict": verdict, "concept_id": concept_id, "proposed": proposed, "annotator": annotator}
            )
        path = tmp_path / "batch.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        run("ingest", path, "--ontology", TINY_OBO)

    return ingest


Annotate = Callable[..., None]


@pytest.fixture
def first(annotate: Annotate) -> None:
    """The first batch: notes to train on, and some that are guarded."""
    annotate(FIRST, TRAINED)
    annotate((("seizures", SEIZURE, ""), ("renal cysts", "HP:0000107", "")), GUARDED)


@pytest.fixture
def refine(run: Run, pair_folder: Path, tmp_path: Path) -> Run:
    """Runs a quick refinement; of what ships, the tiny towers, unless told to go on."""

    def invoke(*arguments: str, settings: str = "steps = 4", go_on: bool = False, code: int = 0) -> Result:
        recipe = tmp_path / "quick.toml"
        recipe.write_text(f"{settings}\n{QUICK}", encoding="utf-8")
        encoder = [] if go_on else ["--encoder", str(pair_folder)]
        return run("refine", "--ontology", TINY_OBO, "--recipe", recipe, *encoder, *arguments, code=code)

    return invoke


def releases_of(workspace: Workspace) -> tuple[Release, ...]:
    return ReleaseStore(workspace.releases).all()


def current_of(workspace: Workspace) -> str:
    release = ReleaseStore(workspace.releases).current()
    return release.id if release else "base"


def test_refine_makes_a_release_and_promotes_it(first: None, refine: Run, workspace: Workspace) -> None:
    output = refine(*LENIENT).output
    (release,) = releases_of(workspace)
    assert "6 lessons were new, 6 were learned from in all." in output
    assert f"Release {release.id}" in output
    assert "ontology: " in output
    assert "corrections: " in output
    assert current_of(workspace) == release.id
    facts = release.facts
    assert (facts.parent, facts.mode, facts.ledger_seq, facts.n_lessons) == ("base", "surface", 8, 6)
    assert release.card is not None
    assert "fits" not in release.card.read_text(encoding="utf-8").split()
    assert not workspace.reports.exists()
    assert not workspace.refining.exists()


@pytest.mark.slow
def test_no_promote_leaves_the_current_release(first: None, refine: Run, workspace: Workspace) -> None:
    refine(*LENIENT, "--no-promote")
    assert len(releases_of(workspace)) == 1
    assert current_of(workspace) == "base"


def test_dry_run_makes_no_release(first: None, refine: Run, workspace: Workspace) -> None:
    output = refine(*LENIENT, "--dry-run").output
    assert "It passed; no release was made, as this was a dry run." in output
    assert not releases_of(workspace)
    (report,) = workspace.reports.iterdir()
    assert f"Wrote {report / 'card.md'}" in output


@pytest.mark.slow
def test_json_is_all_that_is_printed(first: None, refine: Run, workspace: Workspace) -> None:
    facts = json.loads(refine(*LENIENT, "--json").stdout)
    (release,) = releases_of(workspace)
    assert facts["release"] == release.id
    assert (facts["n_new"], facts["refusals"]) == (6, [])
    assert str(release.card) in facts["report"]
    assert set(facts["seconds"]) == {"read", "load", "weigh", "gather", "train", "encode", "rank", "judge"}


@pytest.mark.slow
def test_refused_batch_leaves_the_parent_and_says_why(
    first: None, annotate: Annotate, refine: Run, workspace: Workspace
) -> None:
    # Of two notes that say otherwise of one wording, one stays wrong.
    annotate((("lump", SEIZURE, DEAF), ("lump", PALATE, DEAF)), TRAINED[40:])
    output = refine("--max-loss", "1", "--min-fixed", "1", code=EXIT_REFUSED).output
    assert "Refused: corrections fixed: " in output
    assert "against 1.0000" in output
    assert not releases_of(workspace)
    assert current_of(workspace) == "base"
    (report,) = workspace.reports.iterdir()
    assert (report / "card.json").exists()
    assert f"Wrote {report / 'card.json'}" in output


@pytest.mark.slow
def test_nothing_new_is_an_error(first: None, refine: Run, workspace: Workspace) -> None:
    refine(*LENIENT)
    output = refine(go_on=True, code=1).output
    assert "there is nothing new to learn from" in output
    assert "behind event 8" in output
    assert len(releases_of(workspace)) == 1


def test_guarded_notes_alone_are_nothing_new(annotate: Annotate, refine: Run) -> None:
    annotate(FIRST, GUARDED)
    assert "nothing new to learn from" in refine(code=1).output


def test_no_ledger_is_an_error(refine: Run) -> None:
    assert "medlink ingest" in refine(code=1).output


@pytest.mark.slow
def test_second_refinement_goes_on_from_the_first(
    first: None, annotate: Annotate, refine: Run, run: Run, workspace: Workspace
) -> None:
    refine(*LENIENT)
    annotate(SECOND, TRAINED[20:])
    output = refine(*LENIENT, go_on=True).output
    assert "2 lessons were new, 8 were learned from in all." in output
    one, two = releases_of(workspace)
    assert (two.facts.parent, two.facts.ledger_seq) == (one.id, 10)
    assert two.facts.base_encoder == one.facts.base_encoder
    old, new = read_memory(one.folder), read_memory(two.folder)
    assert (old.notes.seq, new.notes.seq) == (6, 10)
    assert [new.notes.wordings[item] for item in new.bank.entries().items[-2:].tolist()] == [
        "big kidneys",
        "kidneys too large",
    ]
    assert new.bank.entries().ages.tolist() == [1] * len(old.bank) + [0, 0]
    assert current_of(workspace) == two.id
    run("releases", "rollback")
    assert current_of(workspace) == one.id
    since = refine(*LENIENT, "--since", "0", "--dry-run", go_on=True).output
    assert "8 lessons were new" in since


@pytest.mark.slow
def test_poisoned_batch_is_refused_and_the_annotator_named(
    first: None, annotate: Annotate, refine: Run, workspace: Workspace
) -> None:
    # Somebody says of a dozen names of the ontology that they mean nothing.
    names = ("renal cyst", "nephromegaly", "seizures", "febrile seizure", "epilepsy", "heart attack", "deafness")
    more = ("cleft palate", "mitral regurgitation", "hearing impairment", "palatoschisis", "enlarged kidney")
    annotate([(name, None, "HP:0000118") for name in (*names, *more)], TRAINED[30:], "mallory")
    output = refine(*LENIENT, code=EXIT_REFUSED).output
    assert "the batch looks poisoned" in output
    assert "to be asked: 'mallory'" in output
    assert not releases_of(workspace)
    assert "looks poisoned" not in refine(*LENIENT, "--believe-all").output
    assert len(releases_of(workspace)) == 1


@pytest.mark.parametrize("mode", ["adapter", pytest.param("full", marks=pytest.mark.slow)])
def test_every_depth_makes_a_release(first: None, refine: Run, workspace: Workspace, mode: str) -> None:
    refine(*LENIENT, settings=f'mode = "{mode}"\nsteps = 2\nlearning_rate = 1e-3\nn_hidden = 8')
    (release,) = releases_of(workspace)
    assert release.facts.mode == mode
    assert (release.adapter is not None) == (mode == "adapter")
    assert not workspace.refining.exists()


def test_refine_wants_a_mode_or_a_recipe(first: None, refine: Run) -> None:
    assert "the recipe says the mode" in refine("--mode", "full", code=1).output


@pytest.mark.slow
def test_what_is_thought_of_a_batch_passes_to_the_next_release(
    first: None, refine: Run, annotate: Annotate, workspace: Workspace
) -> None:
    refine(*LENIENT)
    (one,) = releases_of(workspace)
    annotate(SECOND, TRAINED[10:])
    refine(*LENIENT, go_on=True)
    two = releases_of(workspace)[1]
    before, after = read_beliefs(one.folder), read_beliefs(two.folder)
    assert (before.tally.n, after.tally.n) == (6, 8)
    assert after.doubts[: len(before.doubts)] == before.doubts
    assert {doubt.place[0] for doubt in before.doubts} <= set(TRAINED[:6])


def test_guard_corpus_needs_its_format(first: None, refine: Run) -> None:
    assert "FORMAT:PATH" in refine("--guard", "dev.txt", code=1).output


def test_unknown_setting_is_named(first: None, refine: Run) -> None:
    assert "speed" in refine(settings="speed = 3", code=1).output


@pytest.mark.parametrize("mode", list(Mode))
def test_recipe_of_a_mode_is_what_the_mode_does(mode: Mode) -> None:
    folder = Path(__file__).parents[2] / "pipelines" / "recipes" / "refine"
    assert read_settings(folder / f"{mode.value}.toml") == _settings(mode.value, None)


@pytest.mark.slow
def test_refinement_that_is_killed_leaves_the_workspace_whole_and_goes_on(
    first: None, refine: Run, pair_folder: Path, workspace: Workspace, tmp_path: Path
) -> None:
    settings = 'mode = "full"\nsteps = 60\nlearning_rate = 1e-3'
    recipe = tmp_path / "long.toml"
    recipe.write_text(f"{settings}\n{QUICK}", encoding="utf-8")
    options = ["--ontology", TINY_OBO, "--recipe", recipe, "--encoder", pair_folder, "--workspace", workspace.root]
    command = [sys.executable, "-c", "from medlink.cli.main import main; main()", "refine", *LENIENT]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # sums depend on them
    process = subprocess.Popen(
        [*command, *map(str, options)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=os.environ | threads,
    )
    while not workspace.refining.exists() and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was through before it could be killed"
    assert not releases_of(workspace)
    assert current_of(workspace) == "base"
    with Ledger.read(workspace.ledger) as ledger:
        ledger.verify()
    assert "begun otherwise" in refine(*LENIENT, "--resume", settings=f"{settings}\nseed = 1", code=1).output
    refine(*LENIENT, "--resume", "--no-promote", settings=settings)
    refine(*LENIENT, "--no-promote", settings=settings)
    resumed, whole = releases_of(workspace)
    assert resumed.id[-8:] == whole.id[-8:], "the same content as one that was not cut off"
    assert not workspace.refining.exists()


@pytest.mark.slow
def test_two_processes_refine_as_one_does(
    first: None, refine: Run, pair_folder: Path, workspace: Workspace, tmp_path: Path
) -> None:
    settings = 'mode = "full"\nsteps = 4\nlearning_rate = 1e-3'
    refine(*LENIENT, "--no-promote", settings=settings)
    options = ["--ontology", TINY_OBO, "--recipe", tmp_path / "quick.toml", "--encoder", pair_folder]
    command = ["-c", "from medlink.cli.main import main; main()", "refine", *LENIENT, "--no-promote", "--json"]
    spoken, silent = run_together([*command, *map(str, (*options, "--workspace", workspace.root))])
    alone, together = releases_of(workspace)
    assert json.loads(spoken)["release"] == together.id
    assert silent == ""
    ours, theirs = (load_file(one.folder / "encoder" / "semantic" / "model.safetensors") for one in (alone, together))
    torch.testing.assert_close(theirs, ours, atol=2e-5, rtol=1e-3)
    shipped = load_file(pair_folder / "semantic" / "model.safetensors")
    assert any(not torch.equal(weights, shipped[name]) for name, weights in theirs.items())


@pytest.mark.slow
def test_what_is_quick_alone_is_not_shared(first: None, pair_folder: Path, workspace: Workspace) -> None:
    command = ["-c", "from medlink.cli.main import main; main()", "refine", "--ontology", TINY_OBO]
    with pytest.raises(AssertionError, match="only the transformer's training"):
        run_together([*map(str, (*command, "--encoder", pair_folder, "--workspace", workspace.root))])
