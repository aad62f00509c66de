from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import spacy
import torch
from spacy.language import Language

from medlink.detection.recogniser import HEADS, Recogniser, windows_of
from medlink.detection.tokens import tokenise_by_words
from medlink.encoder.tagger import BEGIN, INSIDE, OUTSIDE, WEIGHTS, Tagger, load_tagger
from medlink.errors import EncoderError

ODD = ["", "  \r\n", "fever\r\nand e\u0301de\u0300me \U0001f9ea of 3 mg", "\u200b\u0007 x", "a" * 300]


@pytest.fixture(scope="module")
def words() -> Language:
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    nlp.max_length = 1 << 60
    nlp.add_pipe("medlink_sentences")
    return nlp


@pytest.fixture(scope="module")
def toy(encoder_folder: Path, words: Language) -> Tagger:
    """A tagger that has learned "zz q" as a disease and nothing else."""
    torch.manual_seed(0)
    tagger = Tagger(encoder_folder, HEADS).train()
    texts = ["a zz q b", "zz q", "b a c", "c b zz q a", "q a b", "a q c zz q"]
    goals = ["O B I O", "B I", "O O O", "O O B I O", "O O O", "O O O B I"]
    code = {"O": OUTSIDE, "B": BEGIN, "I": INSIDE}
    optimiser = torch.optim.Adam([value for value in tagger.parameters() if value.requires_grad], lr=5e-3)
    for _ in range(25):
        for text, goal in zip(texts, goals, strict=True):
            ((_, pieces),) = windows_of(words(text), tagger)
            target = torch.tensor([code[tag] for tag in goal.split()])
            loss = torch.nn.functional.cross_entropy(tagger([pieces])[0, :, 0], target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return tagger.eval()


def test_a_recogniser_learns_a_toy_task(toy: Tagger, words: Language) -> None:
    spans = [span for span in Recogniser(toy).spans(words("b zz q c")) if span.label == "Disease"]
    assert [(span.start, span.end) for span in spans] == [(2, 6)]
    assert 0.5 < spans[0].probability <= 1


def test_a_saved_recogniser_predicts_nearly_the_same(
    toy: Tagger, words: Language, encoder_folder: Path, tmp_path: Path
) -> None:
    toy.save(tmp_path)
    again = load_tagger(tmp_path, encoder_folder)
    ((_, pieces),) = windows_of(words("b zz q c"), toy)
    with torch.inference_mode():
        torch.testing.assert_close(toy([pieces]).softmax(-1), again([pieces]).softmax(-1), atol=0.05, rtol=0)


def test_changed_weights_are_noticed(toy: Tagger, encoder_folder: Path, tmp_path: Path) -> None:
    toy.save(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-1] + b"?")
    with pytest.raises(EncoderError, match="sha256"):
        load_tagger(tmp_path, encoder_folder)


@pytest.mark.parametrize("text", [*ODD, "zz q " * 200])
def test_mentions_are_whole_tokens_of_the_untouched_text(toy: Tagger, words: Language, text: str) -> None:
    doc = words(text)
    starts, ends = {token.idx for token in doc}, {token.idx + len(token) for token in doc}
    spans = Recogniser(toy).spans(doc, outside_bias=20)
    assert all(span.start in starts and span.end in ends and 0 <= span.probability <= 1 for span in spans)
    assert all(one.end <= other.start for one, other in pairwise(spans))


def test_a_bias_finds_more(toy: Tagger, words: Language) -> None:
    tagging = Recogniser(toy).read(words("a q b zz c"), labels={"Disease"})
    covered = [
        {place for span in tagging.spans(outside_bias=bias) for place in range(span.start, span.end)}
        for bias in (0.0, 4.0, 20.0)
    ]
    assert covered[0] <= covered[1] <= covered[2] != set()


def test_windows_hold_every_visible_token_once(toy: Tagger, words: Language) -> None:
    doc = words("One two. " * 100 + "three " * 200)
    windows = list(windows_of(doc, toy))
    assert [place for places, _ in windows for place in places] == [t.i for t in doc if not t.is_space]
    assert all(sum(map(len, pieces)) <= toy.longest for _, pieces in windows)


@pytest.mark.slow
def test_the_shipped_recogniser_finds_diseases_and_chemicals(words: Language) -> None:
    words.add_pipe("medlink_recogniser", config={"candidate_bias": 4.0})
    doc = words("Patients on clozapine had myocarditis and acute renal failure.")
    found = {(ent.text, ent.label_) for ent in doc.ents}
    words.remove_pipe("medlink_recogniser")
    assert {("clozapine", "Chemical"), ("acute renal failure", "Disease")} <= found
    assert all(0 < ent._.medlink_detection <= 1 for ent in doc.ents)
    assert len(doc.spans["medlink_candidates"]) >= len(doc.ents)
