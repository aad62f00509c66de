"""Several processes: who encodes what, and that together they learn what one alone does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from medlink.contrastive.grad_cache import GradCache
from medlink.errors import SettingError
from medlink.training.processes import Processes, SharedCache
from tests.together import run_together
from tests.training import work_shared
from tests.training.conftest import journal


@given(n=st.integers(1, 9), n_items=st.integers(0, 40))
def test_shares_are_all_items_in_like_parts(n: int, n_items: int) -> None:
    shares = Processes(n=n).shares(n_items)
    assert [item for share in shares for item in share] == list(range(n_items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_leaves_gradients_and_figures_alone() -> None:
    parameter = nn.Parameter(torch.ones(2))
    torch.autograd.backward(parameter.sum())
    Processes().sum_gradients([parameter], share=0.5)
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [1.0, 1.0]
    assert Processes().agree(0.25) == 0.25


def test_shared_cache_refuses_a_batch_that_leaves_a_process_idle() -> None:
    cache = GradCache[list[str]](lambda texts: torch.ones(len(texts), 2), chunk_size=2)
    with pytest.raises(SettingError, match="too small to be shared"):
        SharedCache(cache, Processes(n=3))(["renal cyst", "seizure"])


@pytest.fixture(scope="module")
def still_encoder(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder without dropout, which falls otherwise where work is shared otherwise."""
    folder = Path(shutil.copytree(encoder_folder, tmp_path_factory.mktemp("still") / "encoder"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def outcomes(still_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The folders of one process alone, and of two."""
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    work_shared.main(still_encoder, alone)
    run_together(["-m", "tests.training.work_shared", str(still_encoder), str(together)])
    yield alone, together


@pytest.mark.slow
@pytest.mark.parametrize("name", work_shared.CASES)
def test_two_processes_learn_what_one_does(name: str, outcomes: tuple[Path, Path]) -> None:
    one, two = (folder / name for folder in outcomes)
    # Batch norm lets some parameters of byol have no gradient but rounding, and Adam makes full steps of that: what is
    # compared there is the gradients' running means, which the optimiser keeps.
    for file in ("optimiser",) if name == "byol" else ("optimiser", "encoder", "objective"):
        alone, shared = (load_file(folder / "checkpoint" / f"{file}.safetensors") for folder in (one, two))
        torch.testing.assert_close(shared, alone, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(journal(one, "step"), journal(two, "step"), strict=True):
        assert theirs["parts"]["loss"] == pytest.approx(ours["parts"]["loss"], abs=1e-5)
        assert theirs["gradient_norm"] == pytest.approx(ours["gradient_norm"], rel=1e-4)


@pytest.mark.slow
def test_two_processes_write_once(outcomes: tuple[Path, Path]) -> None:
    one, two = outcomes
    for name in work_shared.CASES:
        written = [{path.name for path in (folder / name).iterdir() if path.suffix != ".lock"} for folder in (one, two)]
        assert written[0] == written[1]
        for kind in ("step", "evaluation", "summary"):
            ours, theirs = (journal(folder / name, kind) for folder in (one, two))
            assert [line.get("step") for line in ours] == [line.get("step") for line in theirs]
