"""Drawing and mining: which concepts come how often, and whose neighbours they are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medlink.encoder.ngram_features import FeatureSettings
from medlink.encoder.surface_tower import SurfaceTower
from medlink.ontology.lexicon import Lexicon
from medlink.training.corpus import build_corpus
from medlink.training.drawing import EpochDrawing, WeightedDrawing, weigh
from medlink.training.neighbourhoods import mine_neighbours


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n_concepts=st.integers(2, 30), n=st.integers(1, 12))
def test_epoch_drawing_brings_each_place_once_an_epoch(seed: int, n_concepts: int, n: int) -> None:
    drawing = EpochDrawing(n_concepts, seed)
    n_full = n_concepts // n
    drawn = [place for number in range(n_full) for place in drawing.draw(number, n)]
    assert len(set(drawn)) == len(drawn) == n_full * n


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), number=st.integers(0, 10**6))
def test_weighted_drawing_depends_on_seed_and_number_alone(seed: int, number: int) -> None:
    weights = [1.0, 2.0, 0.5, 0.1, 3.0]
    one, other = WeightedDrawing(weights, seed), WeightedDrawing(weights, seed)
    one.draw(number + 1, 3)
    drawn = one.draw(number, 3)
    assert drawn == other.draw(number, 3)
    assert len(set(drawn)) == len(drawn) <= 3
    assert set(drawn) <= set(range(5))


def test_weighted_drawing_follows_the_weights() -> None:
    drawing = WeightedDrawing([1.0, 3.0, 0.0, 6.0], seed=0)
    counts = Counter(place for number in range(4000) for place in drawing.draw(number, 1))
    assert [counts[place] / 4000 for place in range(4)] == pytest.approx([0.1, 0.3, 0.0, 0.6], abs=0.03)


def test_weigh_grows_with_the_names_up_to_six(tiny_lexicon: Lexicon) -> None:
    entries = build_corpus([tiny_lexicon], scopes=("EXACT",), dev_share=0.0, weights=(0.5,)).entries
    expected = {1: 0.2, 2: 0.5 * 2**0.5, 3: 0.5 * 3**0.5, 6: 0.5 * 6**0.5, 9: 0.5 * 6**0.5}
    for entry in entries:
        if len(entry.names) in expected:
            assert weigh(entry) == pytest.approx(expected[len(entry.names)])


def test_mine_neighbours_agrees_with_sorting(tiny_lexicon: Lexicon) -> None:
    names = tiny_lexicon.names[:40]
    tower = SurfaceTower.at_random(FeatureSettings(bits=12), names, width=64, seed=0).requires_grad_(False)
    found = mine_neighbours(names, lambda texts: 3 * tower(texts), n_group=5)
    vectors = tower(names).numpy()
    for number, group in enumerate(found.tolist()):
        cosines = vectors @ vectors[number]
        cosines[number] = 2
        assert group == np.argsort(-cosines)[:5].tolist()


def test_mine_neighbours_puts_a_concept_before_its_homonym() -> None:
    found = mine_neighbours(
        ["mr", "mr", "asthma"], lambda texts: torch.eye(26)[[ord(t[0]) - 97 for t in texts]], n_group=2
    )
    assert found[:2].tolist() == [[0, 1], [1, 0]]
