"""Train the recogniser of diseases and chemicals on the train splits of NCBI Disease and BC5CDR.

Run: ``python -m pipelines.train_recogniser --data FOLDER --out FOLDER``; run it again to go on where it was stopped.
The dev splits are scored after each epoch; the test splits are never read.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from medlink.detection.recogniser import HEADS, Recogniser, windows_of
from medlink.detection.tokens import tokenise_by_words
from medlink.encoder.default import named_folder
from medlink.encoder.tagger import BEGIN, INSIDE, OUTSIDE, Tagger, load_tagger
from medlink.evaluation.corpora import read_corpus
from pipelines.bench.notes import BC5CDR, NCBI

_IGNORED = -100
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the recogniser is trained; the same settings, data and machine give the same weights.

    :param batch_size: windows of a step.
    :param learning_rate: highest rate of the layers, falling to 0 on a straight line after the warm-up.
    :param head_rate: that of the heads.
    :param warmup: steps in which the rates rise.
    :param frozen: lowest layers that stay as they are.
    :param dtype: of the sums, ``float32`` or ``bfloat16``; the parameters are float32.
    :param seed: of the order, the dropout and the heads.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    head_rate: float
    warmup: int
    frozen: int
    weight_decay: float
    dtype: str
    seed: int


@dataclass(frozen=True, slots=True)
class Annotated:
    """A document of a corpus.

    :param spans: ``(start, end, head)`` of each mention.
    :param heads: those that the corpus trains.
    """

    text: str
    spans: tuple[tuple[int, int, str], ...]
    heads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Example:
    """A window: of each token its word pieces and the class in each head."""

    pieces: tuple[tuple[int, ...], ...]
    classes: tuple[tuple[int, ...], ...]


_CORPORA = {"ncbi-disease": NCBI, "bc5cdr": BC5CDR}


def read_annotated(data: Path, name: str, split: str) -> list[Annotated]:
    """One split of a corpus; mentions whose offsets do not fit their text are left out."""
    corpus = read_corpus([data / _CORPORA[name][split]], "pubtator")
    heads = frozenset(head for head in HEADS if head.startswith(f"{name}/"))
    texts = {document.id: document.text for document in corpus.documents}
    spans: dict[str, set[tuple[int, int, str]]] = {doc_id: set() for doc_id in texts}
    for mention in corpus.annotations:
        if texts[mention.doc_id][mention.start : mention.end] == mention.surface:
            # NCBI Disease has several types of diseases
            label = "Chemical" if mention.kind == "Chemical" else "Disease"
            spans[mention.doc_id].add((mention.start, mention.end, f"{name}/{label}"))
    return [Annotated(text, tuple(sorted(spans[doc_id])), heads) for doc_id, text in texts.items()]


def classes(doc: Doc, annotated: Annotated, window: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The class of each token of a window in each head. *Shape:* (n_tokens, n_heads)."""
    rows = [[OUTSIDE if head in annotated.heads else _IGNORED for head in HEADS] for _ in window]
    for start, end, head in annotated.spans:
        column, first = HEADS.index(head), True
        for row, place in zip(rows, window, strict=True):
            token = doc[place]
            if token.idx < end and token.idx + len(token) > start:
                row[column] = BEGIN if first else INSIDE
                first = False
    return tuple(map(tuple, rows))


def reader() -> Language:
    """A pipeline that only makes medlink's tokens and sentences."""
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    nlp.add_pipe("medlink_sentences")
    return nlp


def read_examples(data: Path, tagger: Tagger) -> list[Example]:
    """The windows of all train splits."""
    nlp, examples = reader(), []
    for name in _CORPORA:
        for annotated in read_annotated(data, name, "train"):
            doc = nlp(annotated.text)
            for window, pieces in windows_of(doc, tagger):
                examples.append(Example(tuple(pieces), classes(doc, annotated, window)))
    return examples


def loss_of(tagger: Tagger, batch: Sequence[Example], dtype: str) -> torch.Tensor:
    """Mean cross-entropy of the classes of some windows, those of other corpora's heads left out."""
    most = max(len(example.classes) for example in batch)
    blank = (_IGNORED,) * len(HEADS)
    goal = torch.tensor([[*example.classes, *[blank] * (most - len(example.classes))] for example in batch])
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
        logits = tagger([example.pieces for example in batch])
    return torch.nn.functional.cross_entropy(logits.reshape(-1, 3), goal.reshape(-1), ignore_index=_IGNORED)


class Training:
    """A tagger with its optimiser, whose steps can be written down and taken up again.

    :param examples: at least one.
    """

    def __init__(self, tagger: Tagger, examples: Sequence[Example], settings: Settings) -> None:
        self.tagger, self.examples, self.settings = tagger, examples, settings
        layers = [value for value in tagger.transformer.parameters() if value.requires_grad]
        self.peaks = (settings.learning_rate, settings.head_rate)
        groups = zip((layers, list(tagger.head.parameters())), self.peaks, strict=True)
        self.optimiser = torch.optim.AdamW(
            [{"params": parameters, "lr": peak} for parameters, peak in groups], weight_decay=settings.weight_decay
        )
        self.steps_an_epoch = -(-len(examples) // settings.batch_size)
        self.epoch = 0

    def run_epoch(self, progress: tqdm[None]) -> None:
        """All windows once, in an order that depends on the seed and the epoch."""
        torch.manual_seed(self.settings.seed + self.epoch)
        order = list(self.examples)
        random.Random(self.settings.seed + self.epoch).shuffle(order)  # noqa: S311
        for step, start in enumerate(range(0, len(order), self.settings.batch_size)):
            self._set_rates(self.epoch * self.steps_an_epoch + step)
            loss = loss_of(self.tagger, order[start : start + self.settings.batch_size], self.settings.dtype)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.tagger.parameters(), 1.0)
            self.optimiser.step()
            progress.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
            progress.update()
        self.epoch += 1

    def _set_rates(self, done: int) -> None:
        share = done / (self.steps_an_epoch * self.settings.epochs)
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * min((done + 1) / self.settings.warmup, 1 - share)

    def save(self, path: Path) -> None:
        """Write all that the next epoch depends on; a reader sees the old file or the new one."""
        state = {"epoch": self.epoch, "tagger": self.tagger.state_dict(), "optimiser": self.optimiser.state_dict()}
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def load(self, path: Path) -> None:
        """Go on from what :meth:`save` wrote."""
        state = torch.load(path, weights_only=True)
        self.epoch = state["epoch"]
        self.tagger.load_state_dict(state["tagger"])
        self.optimiser.load_state_dict(state["optimiser"])


def score(recogniser: Recogniser, documents: Sequence[Annotated], head: str) -> dict[str, float]:
    """Strict precision, recall and F1 of one head, and those where any overlap counts."""
    nlp, label = reader(), head.partition("/")[2]
    n_gold = n_found = strict = hit_gold = hit_found = 0
    for annotated in documents:
        gold = {(start, end) for start, end, kind in annotated.spans if kind == head}
        found = {(span.start, span.end) for span in recogniser.spans(nlp(annotated.text)) if span.label == label}
        n_gold, n_found, strict = n_gold + len(gold), n_found + len(found), strict + len(gold & found)
        hit_gold += sum(any(a < d and c < b for c, d in found) for a, b in gold)
        hit_found += sum(any(a < d and c < b for c, d in gold) for a, b in found)
    result = {}
    for kind, right, covered in (("strict", strict, strict), ("overlap", hit_found, hit_gold)):
        precision, recall = right / max(1, n_found), covered / max(1, n_gold)
        result[f"{kind}_p"], result[f"{kind}_r"] = round(precision, 4), round(recall, 4)
        result[f"{kind}_f"] = round(2 * precision * recall / max(1e-9, precision + recall), 4)
    return result


def evaluate(folder: Path, tower: Path, data: Path, limit: int | None = None) -> Iterator[dict[str, object]]:
    """The dev scores of a saved recogniser in each head.

    :param limit: documents of each corpus; ``None`` for all.
    """
    tagger = load_tagger(folder, tower)
    for head in HEADS:
        style = head.partition("/")[0]
        documents = read_annotated(data, style, "dev")[:limit]
        yield {"head": head, "n": len(documents), **score(Recogniser(tagger, style=style), documents, head)}


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of the corpora.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write the recogniser to.")
@click.option(
    "--recipe",
    type=click.Path(path_type=Path, exists=True),
    default=Path(__file__).parent / "recogniser.toml",
    help="Settings; by default those of the recogniser that comes with medlink.",
)
def main(data: Path, out: Path, recipe: Path) -> None:
    """Train the recogniser of diseases and chemicals and print its dev scores."""
    settings = Settings(**tomllib.loads(recipe.read_text(encoding="utf-8")))
    torch.manual_seed(settings.seed)
    tower = named_folder("semantic")
    assert tower is not None, "the semantic tower comes with medlink"  # noqa: S101
    tagger = Tagger(tower, HEADS, n_frozen=settings.frozen).train()
    training = Training(tagger, read_examples(data, tagger), settings)
    out.mkdir(parents=True, exist_ok=True)
    if (out / _CHECKPOINT).exists():
        training.load(out / _CHECKPOINT)
    done, steps = training.epoch * training.steps_an_epoch, settings.epochs * training.steps_an_epoch
    with tqdm(total=steps, initial=done, desc="training", unit="step", mininterval=5) as progress:
        while training.epoch < settings.epochs:
            training.run_epoch(progress)
            training.save(out / _CHECKPOINT)
            tagger.save(out)
            last = training.epoch == settings.epochs
            for row in evaluate(out, tower, data, limit=None if last else 60):
                click.echo(json.dumps({"epoch": training.epoch, **row}))


if __name__ == "__main__":
    main()
