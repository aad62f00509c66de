"""Corpus, sampler and dev set: what becomes a pair, what is held out, and that batches follow from their number."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medlink.errors import SettingError, UnknownNameError
from medlink.ontology.lexicon import Lexicon
from medlink.ontology.source import Ontology
from medlink.records import Concept, Name, Scope
from medlink.text import normalise
from medlink.training.corpus import Corpus, build_corpus, name_share
from medlink.training.dev_set import build_dev_set
from medlink.training.pairs import PairSampler
from medlink.training.recipe import DataSection, read_recipe

EXACT = ("PREFERRED", "EXACT")
WEIGHTED = DataSection(draw="weighted", augmentation=("typo", "inflect"), augmented=0.0, near_share=0.5)
SEMANTIC = Path(__file__).parents[2] / "pipelines" / "recipes" / "semantic.toml"


def lexicon_of(name: str, *concepts: Concept) -> Lexicon:
    return Lexicon(Ontology(name, name, "1", "", "0" * 64, tuple(sorted(concepts, key=lambda c: c.id))))


@pytest.fixture(scope="module")
def corpus(tiny_lexicon: Lexicon) -> Corpus:
    return build_corpus([tiny_lexicon], scopes=EXACT, dev_share=0.0)


def bearers(corpus: Corpus, code: int) -> set[str]:
    return {normalise(name) for name in corpus.entries[code].names}


def test_build_corpus_keeps_distinct_names_of_the_scopes() -> None:
    synonyms = (Name("renal CYST"), Name("Kidney cyst 😀"), Name("Cyst", Scope.BROAD), Name("!!!"))
    lexicon = lexicon_of("one", Concept("A:1", "Renal cyst", synonyms), Concept("A:2", "Gone", obsolete=True))
    [entry] = build_corpus([lexicon], scopes=EXACT, dev_share=0.0).entries
    assert [normalise(name) for name in entry.names] == ["renal cyst", normalise("kidney cyst 😀")]


def test_build_corpus_holds_out_synonyms_by_hash_only(tiny_lexicon: Lexicon) -> None:
    corpus = build_corpus([tiny_lexicon], scopes=EXACT, dev_share=0.4)
    held_out = {item.name for item in corpus.held_out}
    preferred = {normalise(concept.name) for concept in tiny_lexicon.concepts.values()}
    assert held_out
    assert all(name_share(name) < 0.4 for name in held_out)
    assert held_out.isdisjoint(preferred)
    assert all(held_out.isdisjoint(bearers(corpus, code)) for code in range(len(corpus.entries)))


def test_build_corpus_knows_concepts_that_share_a_name() -> None:
    one = lexicon_of("one", Concept("A:1", "Asthma"), Concept("A:2", "Cough"))
    two = lexicon_of("two", Concept("B:1", "Bronchial asthma", (Name("asthma"),)))
    assert build_corpus([one, two], scopes=EXACT, dev_share=0.0).kin.tolist() == [[0, 2]]


def test_build_corpus_knows_concepts_that_share_a_reference_but_not_a_drawer() -> None:
    crowd = [Concept(f"A:{number}", f"name {number}", xrefs=("ICD9:780",)) for number in range(9)]
    one = lexicon_of("one", Concept("B:1", "eins", xrefs=("UMLS:1",)), Concept("B:2", "zwei", xrefs=("a:2",)))
    two = lexicon_of("two", Concept("C:1", "uno", xrefs=("UMLS_CUI:1",)))
    corpus = build_corpus([lexicon_of("crowd", *crowd), one, two], scopes=EXACT, dev_share=0.0)
    assert corpus.kin.tolist() == [[2, 10], [9, 11]]


def test_build_corpus_weighs_the_concepts_of_each_ontology() -> None:
    one, two = lexicon_of("one", Concept("A:1", "a")), lexicon_of("two", Concept("B:1", "b"), Concept("B:2", "c"))
    entries = build_corpus([one, two], scopes=EXACT, dev_share=0.0, weights=(1.0, 0.3)).entries
    assert [entry.weight for entry in entries] == [1.0, 0.3, 0.3]
    with pytest.raises(SettingError, match=r"data\.weights"):
        build_corpus([one, two], scopes=EXACT, dev_share=0.0, weights=(1.0,))


def test_build_corpus_spares_ancestors_where_asked() -> None:
    chain = (Concept("A:1", "a"), Concept("A:2", "b", parents=("A:1",)), Concept("A:3", "c", parents=("A:2",)))
    other = lexicon_of("two", Concept("A:1", "elsewhere"))
    corpus = build_corpus([lexicon_of("one", *chain), other], scopes=EXACT, dev_share=0.0, spare_lineage=True)
    # Code 3 has the id of code 0, so it means the same, but its ancestors are those of its own ontology.
    expected = {frozenset(pair) for pair in ((0, 1), (0, 2), (0, 3), (1, 2))}
    assert {frozenset(pair) for pair in corpus.kin.tolist()} == expected


@pytest.mark.parametrize("group", [1, 4])
def test_batch_pairs_names_of_one_concept_each_concept_once(corpus: Corpus, group: int) -> None:
    sampler = PairSampler(corpus, DataSection(group=group), batch_size=8, seed=0)
    for number in range(12):
        batch = sampler.batch(number)
        codes = batch.concepts.tolist()
        assert len(set(codes)) == len(codes) >= 2
        for code, first, second in zip(codes, batch.first, batch.second, strict=True):
            assert first != second
            assert {first, second} <= bearers(corpus, code)


def test_batch_brings_each_concept_once_an_epoch(corpus: Corpus) -> None:
    sampler = PairSampler(corpus, DataSection(), batch_size=2, seed=3)
    n_batches = sampler.n_concepts // 2
    drawn = [code for number in range(n_batches) for code in sampler.batch(number).concepts.tolist()]
    assert len(set(drawn)) == len(drawn) == 2 * n_batches


def test_batch_depends_on_seed_and_number_alone(corpus: Corpus) -> None:
    section = DataSection(augmentation=("typo", "reorder"), augmented=0.9, group=2)
    one, other = (PairSampler(corpus, section, batch_size=6, seed=1) for _ in range(2))
    expected = [one.batch(number) for number in range(6)]
    assert other.batch(5).first == expected[5].first
    assert other.batch(0).second == expected[0].second
    assert PairSampler(corpus, section, batch_size=6, seed=2).batch(0).first != expected[0].first


def test_batches_of_the_shipped_recipe_stay_what_they_were(tiny_lexicon: Lexicon) -> None:
    # The semantic tower that medlink ships was trained on such batches: whoever changes them cannot make it again.
    section = read_recipe(SEMANTIC).data
    corpus = build_corpus([tiny_lexicon], scopes=section.scopes, dev_share=section.dev_share)
    sampler = PairSampler(corpus, section, batch_size=16, seed=0)
    texts = [text for batch in map(sampler.batch, range(12)) for text in (*batch.first, *batch.second)]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert digest == "8587c0dd5c65e8e5a33e3430a4d1f8c3fcf839e717b549dbd3cc6370a44d8858"


def test_batch_puts_similar_names_together() -> None:
    names = ["renal", "renal cyst", "renal cyst cyst", "hump", "hump hump", "hump dodo"]
    concepts = [Concept(f"A:{number}", name, (Name(f"x{number} zz"),)) for number, name in enumerate(names)]
    corpus = build_corpus([lexicon_of("one", *concepts)], scopes=EXACT, dev_share=0.0)
    sampler = PairSampler(corpus, DataSection(group=3), batch_size=3, seed=0)
    for number in range(6):
        assert set(sampler.batch(number).concepts.tolist()) in ({0, 1, 2}, {3, 4, 5})


def test_batch_ignores_concepts_that_share_a_name() -> None:
    one = lexicon_of(
        "one", Concept("A:1", "Asthma", (Name("Bronchial asthma"),)), Concept("A:2", "MR", (Name("m r x"),))
    )
    two = lexicon_of("two", Concept("B:1", "asthma", (Name("Asthma bronchiale"),)))
    corpus = build_corpus([one, two], scopes=EXACT, dev_share=0.0)
    batch = PairSampler(corpus, DataSection(), batch_size=3, seed=0).batch(0)
    assert batch.ignored is not None
    place = {code: row for row, code in enumerate(batch.concepts.tolist())}
    expected = torch.zeros(3, 3, dtype=torch.bool)
    expected[place[0], place[2]] = expected[place[2], place[0]] = True
    assert torch.equal(batch.ignored, expected)


def test_batch_never_writes_another_concepts_name() -> None:
    concepts = [Concept("A:1", "type 2 zz", (Name("qq"),)), Concept("A:2", "type II zz", (Name("pp"),))]
    corpus = build_corpus([lexicon_of("one", *concepts)], scopes=EXACT, dev_share=0.0)
    section = DataSection(pairs="views", augmentation=("numerals",), augmented=1.0)
    sampler = PairSampler(corpus, section, batch_size=2, seed=0)
    for number in range(20):
        batch = sampler.batch(number)
        for code, first in zip(batch.concepts.tolist(), batch.first, strict=True):
            assert first in bearers(corpus, code)


@pytest.mark.parametrize("mined", [False, True])
def test_weighted_batch_varies_a_single_name_and_pairs_all_others(corpus: Corpus, mined: bool) -> None:
    sampler = PairSampler(corpus, WEIGHTED, batch_size=8, seed=0)
    if mined:
        sampler.mine(lambda texts: torch.eye(26)[[ord(text[0]) % 26 for text in texts]])
    n_single = 0
    for number in range(30):
        batch = sampler.batch(number)
        codes = batch.concepts.tolist()
        assert 2 <= len(set(codes)) == len(codes) == len(batch.first) <= 8
        for code, first, second in zip(codes, batch.first, batch.second, strict=True):
            assert second in bearers(corpus, code)
            n_single += len(bearers(corpus, code)) == 1
            assert len(bearers(corpus, code)) == 1 or (first != second and first in bearers(corpus, code))
    assert n_single


def test_epoch_leaves_concepts_of_a_single_name_out(corpus: Corpus) -> None:
    varied = DataSection(augmentation=("typo",))
    n_several = sum(len(entry.names) > 1 for entry in corpus.entries)
    assert PairSampler(corpus, varied, batch_size=8, seed=0).n_concepts == n_several
    assert PairSampler(corpus, WEIGHTED, batch_size=8, seed=0).n_concepts == len(corpus.entries)


@pytest.mark.parametrize("draw", ["epoch", "weighted"])
def test_batch_fills_its_share_with_neighbourhoods(corpus: Corpus, draw: str) -> None:
    section = DataSection.model_validate(
        {"draw": draw, "pairs": "views", "n_group": 2, "near_share": 0.5, "mine_at": [0]}
    )
    sampler = PairSampler(corpus, section, batch_size=8, seed=0)
    n = sampler.n_concepts
    sampler.neighbours = torch.stack((torch.arange(n), (torch.arange(n) + 1) % n), dim=1)
    for number in range(9):
        codes = sampler.batch(number).concepts.tolist()
        assert codes[1] == (codes[0] + 1) % n
        assert len(codes) <= 8


def test_item_text_is_the_second_without_augmentation(corpus: Corpus) -> None:
    for pairs in ("synonyms", "views", "definitions"):
        section = DataSection.model_validate({"pairs": pairs})
        batch = PairSampler(corpus, section, batch_size=8, seed=0).batch(1)
        sampler = PairSampler(corpus, section, batch_size=8, seed=0)
        assert batch.items is not None
        assert [sampler.item_text(item) for item in batch.items.tolist()] == batch.second


def test_sampler_refuses_an_unknown_augmentation(corpus: Corpus) -> None:
    with pytest.raises(UnknownNameError, match=r"data\.augmentation"):
        PairSampler(corpus, DataSection(augmentation=("typos",)), batch_size=4, seed=0)


def test_sampler_refuses_a_corpus_without_pairs() -> None:
    corpus = build_corpus([lexicon_of("one", Concept("A:1", "Asthma"))], scopes=EXACT, dev_share=0.0)
    with pytest.raises(SettingError, match="no pairs"):
        PairSampler(corpus, DataSection(), batch_size=4, seed=0)


def test_dev_set_accuracy_counts_names_that_find_their_concept() -> None:
    lexicon = lexicon_of("one", Concept("A:1", "a", (Name("b"),)), Concept("A:2", "c", (Name("d"),)))
    dev = build_dev_set(build_corpus([lexicon], scopes=EXACT, dev_share=1.0), n_queries=9, n_names=9)
    assert (dev.queries, sorted(dev.names)) == (tuple(sorted("bd", key=name_share)), ["a", "c"])
    vectors = {"a": [1.0, 0.0], "b": [0.9, 0.1], "c": [0.0, 1.0], "d": [0.8, 0.2]}
    assert dev.accuracy(lambda texts: torch.tensor([vectors[text] for text in texts])) == 0.5


def test_dev_set_without_held_out_names_is_empty(corpus: Corpus) -> None:
    dev = build_dev_set(corpus, n_queries=9, n_names=9)
    assert dev.queries == ()
    assert dev.accuracy(lambda texts: torch.zeros(len(texts), 2)) == 0.0


def test_dev_set_offers_the_gold_names_first(tiny_lexicon: Lexicon) -> None:
    corpus = build_corpus([tiny_lexicon], scopes=EXACT, dev_share=0.4)
    dev = build_dev_set(replace(corpus), n_queries=2, n_names=4)
    for gold in dev.gold:
        assert any(gold & concepts for concepts in dev.bearers)
