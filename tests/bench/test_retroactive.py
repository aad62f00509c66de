from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medlink.encoder.combined import CombinedEncoder
from medlink.evaluation.concept_map import ConceptMap
from medlink.linking.assemble import load_linker
from medlink.linking.linker import Linker
from medlink.linking.recipe import Recipe
from medlink.linking.remembering import RememberingEncoder
from medlink.linking.settings import LinkerSettings
from medlink.records import Mention
from medlink.refinement.settings import Mode, RefineSettings
from pipelines.bench.refinement_ablation import ROWS, measure_row, teach
from pipelines.bench.retroactive import (
    ADAPTER,
    ALIASES,
    ARMS,
    FULL,
    NAIVE,
    NONE,
    RETRAIN,
    SURFACE,
    Case,
    Gold,
    _in_batches,
    _read,
    annotate,
    describe_case,
    make_arm,
    run_arm,
    with_parts,
)
from pipelines.bench.retroactive_report import report
from tests.conftest import TINY_OBO

SEIZURE, PALATE, DEAF = "HP:0001250", "HP:0000175", "HP:0000365"
NOTES = {
    "1": (("fits", SEIZURE), ("cleft palate", PALATE)),
    "2": (("funny turns", SEIZURE), ("hard of hearing", DEAF)),
    "3": (("fits", SEIZURE), ("roof of mouth open", PALATE)),
    "4": (("cannot hear", DEAF), ("seizures", SEIZURE)),
    "5": (("fit", SEIZURE), ("poor hearing", DEAF)),
    "6": (("renal cyst", "HP:0000107"), ("fits", SEIZURE)),
}


def mention(doc_id: str, start: int) -> Mention:
    return Mention(doc_id, start, start + 4, "fits")


def write_pubtator(path: Path, notes: list[str]) -> Path:
    blocks = []
    for key in notes:
        text, lines = "Title.", []
        for surface, concept_id in NOTES[key]:
            start = len(text) + 1
            text += f" {surface}."
            lines.append(f"{key}\t{start}\t{start + len(surface)}\t{surface}\tDisease\t{concept_id}")
        blocks.append("\n".join([f"{key}|t|Title.", f"{key}|a|{text[7:]}", *lines]) + "\n")
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, pair_folder: Path) -> Linker:
    root = tmp_path_factory.mktemp("bench")
    linking = LinkerSettings(top_k=20, threshold=0.0)
    linker = load_linker(
        Recipe(root, str(TINY_OBO), encoder=str(pair_folder), linking=linking, n_threads=1, remembers=True)
    )
    assert isinstance(linker.encoder, CombinedEncoder)
    assert isinstance(linker.encoder.semantic, RememberingEncoder)
    return linker


@pytest.fixture
def case(base: Linker, tmp_path: Path) -> Case:
    concepts, gold = ConceptMap(base.lexicon), dict[tuple[str, int, int], frozenset[str]]()
    stream = _read([write_pubtator(tmp_path / "train.txt", ["1", "2", "3", "4"])], "Disease", concepts, gold)
    test = _read([write_pubtator(tmp_path / "test.txt", ["5", "6"])], "Disease", concepts, gold)
    return Case(tuple(_in_batches(stream, 3)), tuple(test), gold, base, concepts, None)


def test_in_batches_keeps_documents_whole() -> None:
    mentions = [mention(doc, start) for doc, n in (("a", 3), ("b", 1), ("c", 5), ("d", 1)) for start in range(n)]
    batches = list(_in_batches(mentions, 4))
    assert [[one.doc_id for one in batch] for batch in batches] == [["a"] * 3 + ["b"], ["c"] * 5, ["d"]]
    assert list(_in_batches([], 4)) == []


def test_case_reads_mentions_with_their_gold_and_sorts_the_test(case: Case) -> None:
    assert [[one.surface for one in batch] for batch in case.batches] == [
        ["fits", "cleft palate", "funny turns", "hard of hearing"],
        ["fits", "roof of mouth open", "cannot hear", "seizures"],
    ]
    gold: Gold = case.gold
    assert {next(iter(meant)) for meant in gold.values()} == {SEIZURE, PALATE, DEAF, "HP:0000107"}
    subsets = {name: chosen.tolist() for name, chosen in case.subsets.items()}
    assert subsets["all"] == [True] * 4
    assert subsets["unseen surfaces"] == [True, True, False, False]
    assert subsets["untouched concepts"] == [False, False, True, False]
    assert len(describe_case(case)["documents"]) == 4


def test_annotate_says_what_the_gold_says(case: Case) -> None:
    batch = case.batches[0]
    entries = annotate(case, case.base.link(batch), 7, 1)
    assert [entry.seq for entry in entries] == [7, 8, 9, 10]
    assert [entry.event.annotation.concept_id for entry in entries] == [SEIZURE, PALATE, SEIZURE, DEAF]


def test_with_parts_encodes_the_tower_that_differs(base: Linker, case: Case) -> None:
    same = with_parts(base, base)
    n_names = len(base.lexicon.names)
    every = np.arange(n_names)
    np.testing.assert_array_equal(same.index.dense.vectors.take(every), base.index.dense.vectors.take(every))
    assert same.ranker is base.ranker


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_has_its_way(name: str) -> None:
    arm = make_arm(name, 3, {"depth": 7})
    modes = {SURFACE: Mode.SURFACE, ADAPTER: Mode.ADAPTER, FULL: Mode.FULL, RETRAIN: Mode.SURFACE, NAIVE: Mode.SURFACE}
    assert (arm.settings.mode if arm.settings else None) == modes.get(name)
    if arm.settings:
        assert (arm.settings.seed, arm.settings.depth) == (3, 7)


@pytest.mark.slow
def test_arms_run_and_are_reported(case: Case, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "case.json").write_text(json.dumps(describe_case(case)), encoding="utf-8")
    small = {"steps": 2, "n_lessons": 4, "n_replay": 4, "n_pool": 8, "capacity": 16, "depth": 5}
    for name in (NONE, ALIASES, NAIVE, SURFACE, ADAPTER, FULL, RETRAIN):
        run_arm(case, make_arm(name, 0, small), name, 0, out, every=1)
    texts = {path.stem: path.read_text(encoding="utf-8") for path in out.glob("*.jsonl")}
    lines = {name: [json.loads(line) for line in text.splitlines()] for name, text in texts.items()}
    batches = {name: [line["batch"] for line in found] for name, found in lines.items()}
    each, end = [1, 2], [2]
    assert batches == {"none-0": each, "aliases-0": each, "naive-0": each, "surface-0": each} | {
        "adapter-0": end,
        "full-0": end,
        "retrain-0": end,
    }
    (first, last) = lines["aliases-0"]
    assert (first["n_mentions"], last["n_mentions"]) == (4, 8)
    assert last["right"][3] == "1", "fits was decided, and counts at once"
    assert lines["surface-0"][1]["seconds"] > 0
    before = (out / "surface-0.jsonl").read_bytes()
    run_arm(case, make_arm(SURFACE, 0, small), SURFACE, 0, out, every=1)
    assert (out / "surface-0.jsonl").read_bytes() == before, "what is there is not run again"
    assert {line["arm"] for line in report(out)} >= {"none", "aliases", "surface"}
    assert (out / "table.md").exists()


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_ablation_is_a_setting(name: str) -> None:
    assert (RefineSettings(**ROWS[name]) == RefineSettings()) == (name == "all")


@pytest.mark.slow
def test_rows_of_the_ablation_are_measured(case: Case) -> None:
    taught = teach(case)
    assert {lesson.concept_id for lesson in taught.lessons} >= {SEIZURE, PALATE, DEAF}
    aliases = measure_row(case, taught, None, 0)
    quick = {"n_lessons": 8, "n_replay": 8, "n_pool": 16, "capacity": 32}
    trained = measure_row(case, taught, {"steps": 2, **quick}, 0)
    assert trained["all n"] == aliases["all n"] == len(case.test)
    assert "cpu_s" in trained
    low, high = map(float, str(trained["all interval"]).split())
    assert 0 <= low <= trained["all"] <= high <= 1
