"""What differs between two releases, against hand-made changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medlink.encoder.combined import CombinedEncoder
from medlink.encoder.loading import load_encoder
from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.protocol import Encoder
from medlink.encoder.surface import SurfaceEncoder, write_surface
from medlink.linking.differences import (
    Change,
    compare_figures,
    compare_rankers,
    compare_tables,
    measure_drift,
    sample_names,
)
from medlink.linking.ranker import Ranker, default_ranker

Table = NDArray[np.float32]
NAMES = ("renal cyst", "seizure", "cleft lip", "heart attack")


def write_table(folder: Path, table: Table) -> SurfaceEncoder:
    write_surface(folder, table, FeatureSettings(bits=8))
    return SurfaceEncoder(folder)


@pytest.fixture
def table() -> Table:
    return np.random.default_rng(0).normal(size=(256, 8)).astype(np.float32)


def test_compare_tables_counts_and_measures_the_rows_that_moved(table: Table, tmp_path: Path) -> None:
    before = write_table(tmp_path / "a", table)
    doubled = before.table.copy()
    doubled[[3, 7]] *= 2
    doubled[9] *= 1.5
    shift = compare_tables(before, write_table(tmp_path / "b", doubled))
    assert shift is not None
    assert (shift.n_rows, shift.n_moved) == (256, 3)
    assert (shift.mean, shift.largest) == pytest.approx(((1 + 1 + 0.5) / 3, 1.0), abs=1e-6)


def test_compare_tables_takes_a_table_written_again_for_the_same(table: Table, tmp_path: Path) -> None:
    before = write_table(tmp_path / "a", table)
    shift = compare_tables(before, write_table(tmp_path / "b", before.table))
    assert shift is not None
    assert (shift.n_moved, shift.mean, shift.largest) == (0, 0.0, 0.0)


def test_compare_tables_gives_nothing_for_other_towers(
    table: Table, tmp_path: Path, encoder_folder: Path, pair_folder: Path
) -> None:
    surface = write_table(tmp_path / "a", table)
    assert compare_tables(surface, load_encoder(str(encoder_folder))) is None
    assert compare_tables(surface, load_encoder(str(pair_folder))) is None


def test_measure_drift_is_the_cosine_distance(table: Table, tmp_path: Path, pair_folder: Path) -> None:
    shutil.copytree(pair_folder, tmp_path / "pair")
    before, other = load_encoder(str(pair_folder)), load_encoder(str(tmp_path / "pair"))
    assert isinstance(before, CombinedEncoder)
    assert isinstance(other, CombinedEncoder)
    moved = before.surface.table + 0.3 * np.random.default_rng(1).normal(size=(1024, 16))  # type: ignore[attr-defined]
    write_surface(tmp_path / "pair" / "surface", moved.astype(np.float32), FeatureSettings(bits=10))
    after = CombinedEncoder(SurfaceEncoder(tmp_path / "pair" / "surface"), other.semantic, 0.7)
    drift = measure_drift(NAMES, before, after)
    assert drift is not None
    pairs = zip(before.encode(NAMES).tolist(), after.encode(NAMES).tolist(), strict=True)
    expected = [1 - sum(a * b for a, b in zip(one, two, strict=True)) for one, two in pairs]
    assert drift.mean == pytest.approx(sum(expected) / 4, abs=1e-5)
    assert drift.largest == pytest.approx(max(expected), abs=1e-5)
    assert drift.percentile_95 == pytest.approx(float(np.percentile(expected, 95)), abs=1e-5)


def test_measure_drift_of_one_encoder_is_zero_and_of_others_nothing(
    table: Table, tmp_path: Path, pair_folder: Path
) -> None:
    pair, surface = load_encoder(str(pair_folder)), write_table(tmp_path / "a", table)
    drift = measure_drift(NAMES, pair, pair)
    assert drift is not None
    assert (drift.mean, drift.largest, drift.n_texts) == (0.0, 0.0, 4)
    others: tuple[tuple[Encoder, Encoder], ...] = ((pair, surface), (surface, pair))
    assert [measure_drift(NAMES, *both) for both in others] == [None, None]
    assert measure_drift((), pair, pair) is None


@given(st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=20), st.integers(0, 25), st.randoms())
def test_sample_names_is_the_same_in_any_order(names: list[str], n: int, random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    sample = sample_names(names, n)
    assert sample == sample_names(shuffled, n)
    assert len(sample) == min(n, len(names))
    assert set(sample) <= set(names)


def test_compare_rankers_puts_the_largest_change_first() -> None:
    weights = default_ranker(2).weights
    hidden = (weights.hidden[0], (*weights.hidden[1][:2], 9.0, *weights.hidden[1][3:]), *weights.hidden[2:])
    changed = Ranker(replace(weights, nil=weights.nil + 0.5, hidden=hidden))
    assert compare_rankers(Ranker(weights), Ranker(weights)) == ()
    assert compare_rankers(Ranker(weights), changed) == (
        Change("hidden.1.dense", weights.hidden[1][2], 9.0),
        Change("nil", weights.nil, weights.nil + 0.5),
    )


def test_compare_figures_finds_numbers_at_any_depth() -> None:
    before = {"a": {"b": 1, "same": 2.5}, "text": "x", "flag": True, "gone": 3}
    after = {"a": {"b": 2, "same": 2.5}, "text": "y", "flag": False, "new": {"c": 0.5}}
    assert compare_figures(before, after) == (
        Change("a.b", 1.0, 2.0),
        Change("gone", 3.0, None),
        Change("new.c", None, 0.5),
    )
