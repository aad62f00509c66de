"""A trained recogniser of diseases and chemicals: the mentions of a text that need not be names of an ontology."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans

from medlink.detection.attributes import SPANS_KEY, register_attributes
from medlink.detection.settings import STYLES
from medlink.encoder.default import named_folder
from medlink.encoder.tagger import BEGIN, INSIDE, OUTSIDE, Tagger, load_tagger

# One head for each corpus and label: what counts as a disease, and where it ends, differs between the annotators.
HEADS = ("bc5cdr/Disease", "bc5cdr/Chemical", "ncbi-disease/Disease")
WEIGHTS_FOLDER = Path(__file__).parent / "weights"
# Word pieces of a window without its two marks; whole sentences are packed into it, and a longer one is cut.
_WINDOW = 126
# Log-probability that a mention begins right behind another one: 2 in 1,000 do so in the corpora's train splits.
_ADJACENT = -6.0


@dataclass(frozen=True, slots=True)
class RecognisedSpan:
    """A mention that the recogniser found.

    :param start: offset of its first code point in the untouched text.
    :param end: offset behind its last code point.
    :param label: ``Disease`` or ``Chemical``.
    :param probability: the smallest probability of its tokens' tags, in [0, 1]; not calibrated.
    """

    start: int
    end: int
    label: str
    probability: float


def windows_of(doc: Doc, tagger: Tagger) -> Iterator[tuple[list[int], list[tuple[int, ...]]]]:
    """The tokens of a doc that are no white space in windows of whole sentences, with their word pieces.

    :param doc: with sentences; one without them is one sentence.
    :return: of each window the positions of its tokens in the doc, and their pieces.
    """
    places: list[int] = []
    pieces: list[tuple[int, ...]] = []
    size, most = 0, min(_WINDOW, tagger.longest)
    for sentence in doc.sents if doc.has_annotation("SENT_START") else (doc[:],):
        kept = [token.i for token in sentence if not token.is_space]
        rows = tagger.pieces([doc[place].text for place in kept]).ids
        length = sum(map(len, rows))
        if places and size + length > most:
            yield places, pieces
            places, pieces, size = [], [], 0
        for place, row in zip(kept, rows, strict=True):
            if places and size + len(row) > most:
                yield places, pieces
                places, pieces, size = [], [], 0
            places.append(place)
            pieces.append(row)
            size += len(row)
    if places:
        yield places, pieces


class Tagging:
    """What the recogniser makes of a doc.

    :param doc: that was read.
    :param places: of the tokens that are no white space, ascending.
    :param logs: for each label the log-probabilities of their tags. *Shape:* (n_places, 3).
    """

    def __init__(self, doc: Doc, places: NDArray[np.int64], logs: Mapping[str, NDArray[np.float64]]) -> None:
        self.doc, self.places, self.logs = doc, places, logs

    def spans(self, *, outside_bias: float = 0.0) -> list[RecognisedSpan]:
        """The mentions, by start; none overlap.

        :param outside_bias: taken from the log-probability of being no mention: with 2, say, less likely mentions are
            found as well. Probabilities are those without it.
        """
        found = []
        for label, logs in self.logs.items():
            for first, last in _segments(_best_path(logs, outside_bias)):
                tags = [BEGIN, *[INSIDE] * (last - first - 1)]
                probability = float(np.exp(logs[np.arange(first, last), tags].min()))
                end = self.doc[int(self.places[last - 1])]
                start = self.doc[int(self.places[first])].idx
                found.append(RecognisedSpan(start, end.idx + len(end), label, probability))
        return _without_overlap(found)

    def support(self, start: int, end: int) -> Support:
        """How much speaks for a mention at exactly these tokens of the doc, for the label that it speaks for most.

        :param start: first token.
        :param end: token behind the last.
        """
        first, last = np.searchsorted(self.places, (start, end))
        if first == last or not self.logs:
            return Support("", 0.0, 0.0, 0.0)
        return max((_support(label, logs, first, last) for label, logs in self.logs.items()), key=Support.total)


@dataclass(frozen=True, slots=True)
class Support:
    """What the recogniser says for a span.

    :param begins: probability that a mention begins at its first token, in [0, 1].
    :param inside: least probability that one of its tokens is in a mention.
    :param ends: probability that none goes on behind its last token.
    """

    label: str
    begins: float
    inside: float
    ends: float

    def total(self) -> float:
        """The least of the three."""
        return min(self.begins, self.inside, self.ends)


def _support(label: str, logs: NDArray[np.float64], first: int, last: int) -> Support:
    tags = np.exp(logs[first : last + 1])
    n_tokens = last - first
    goes_on = tags[n_tokens, INSIDE] if n_tokens < len(tags) else 0.0
    return Support(label, float(tags[0, BEGIN]), float(1 - tags[:n_tokens, OUTSIDE].max()), float(1 - goes_on))


class Recogniser:
    """Finds mentions with a :class:`medlink.encoder.tagger.Tagger`.

    Each window of a text is a pass of its own, so what is found in a text depends on no other text.

    :param style: the corpus whose idea of a mention counts where several have a head for the same label.
    """

    def __init__(self, tagger: Tagger, *, style: str = STYLES[0]) -> None:
        self.tagger = tagger
        self.columns = _columns(tagger.heads, style)

    def labels_in(self, docs: Sequence[Doc]) -> list[set[str]]:
        """The labels of the mentions in each of some short docs, all of them read in one pass."""
        windows = [next(windows_of(doc, self.tagger)) for doc in docs]
        with torch.inference_mode():
            scores = self.tagger([pieces for _, pieces in windows]).log_softmax(dim=-1).cpu().numpy().astype(np.float64)
        found = []
        for doc, (places, _), logs in zip(docs, windows, scores, strict=True):
            tags = {label: logs[: len(places), column] for label, column in self.columns.items()}
            found.append({span.label for span in Tagging(doc, np.array(places, np.int64), tags).spans()})
        return found

    def read(self, doc: Doc, *, labels: Collection[str] | None = None) -> Tagging:
        """What it makes of a doc.

        :param doc: with sentences, in the tokens of :func:`medlink.detection.tokens.tokenise_by_words`.
        :param labels: those that count; by default all.
        """
        columns = {label: column for label, column in self.columns.items() if labels is None or label in labels}
        seen: list[int] = []
        scores = [np.empty((0, len(self.tagger.heads), 3))]
        for places, pieces in windows_of(doc, self.tagger):
            with torch.inference_mode():
                scores.append(self.tagger([pieces])[0].log_softmax(dim=-1).cpu().numpy())
            seen += places
        table = np.concatenate(scores).astype(np.float64)
        return Tagging(doc, np.array(seen, dtype=np.int64), {label: table[:, c] for label, c in columns.items()})

    def spans(self, doc: Doc, *, outside_bias: float = 0.0) -> list[RecognisedSpan]:
        """The mentions in a doc; see :meth:`read` and :meth:`Tagging.spans`."""
        return self.read(doc).spans(outside_bias=outside_bias)


def _columns(heads: Sequence[str], style: str) -> dict[str, int]:
    """Of each label the column of its head: that of the style, if there is one, else the first."""
    columns: dict[str, int] = {}
    for column, head in enumerate(heads):
        corpus, _, label = head.partition("/")
        if label not in columns or corpus == style:
            columns[label] = column
    return columns


def _best_path(logs: NDArray[np.float64], outside_bias: float) -> list[int]:
    """The most probable sequence of tags in which no ``INSIDE`` follows ``OUTSIDE`` or stands first (Viterbi).

    A mention that begins right behind another one costs :data:`_ADJACENT`.

    :param logs: *Shape:* (n_tokens, 3).
    """
    if not len(logs):
        return []
    scores = logs.copy()
    scores[:, OUTSIDE] -= outside_bias
    step = np.zeros((3, 3))
    step[OUTSIDE, INSIDE] = -np.inf
    step[[BEGIN, INSIDE], BEGIN] = _ADJACENT
    best, back = scores[0].copy(), []
    best[INSIDE] = -np.inf
    for row in scores[1:]:
        paths = best[:, None] + step
        back.append(paths.argmax(axis=0))
        best = paths.max(axis=0) + row
    path = [int(best.argmax())]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    return path[::-1]


def _segments(tags: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = None
    for place, tag in enumerate((*tags, OUTSIDE)):
        if start is not None and tag != INSIDE:
            yield start, place
            start = None
        if tag == BEGIN:
            start = place


def _without_overlap(spans: Iterable[RecognisedSpan]) -> list[RecognisedSpan]:
    """Of spans that overlap, the most probable one; by start."""
    kept: list[RecognisedSpan] = []
    taken: set[int] = set()
    for span in sorted(spans, key=lambda span: (-span.probability, span.start, span.label)):
        if taken.isdisjoint(range(span.start, span.end)):
            kept.append(span)
            taken.update(range(span.start, span.end))
    return sorted(kept, key=lambda span: span.start)


class RecogniserDetector:
    """A spaCy component that adds recognised mentions to ``doc.ents``, each with its probability.

    Of mentions that overlap, those of earlier components included, the longest stays; of two that are equal the
    recognised one, which has a label. ``span._.medlink_detection`` is the probability, ``None`` on other mentions.

    :param weights: folder of :meth:`medlink.encoder.tagger.Tagger.save`, read at first use.
    :param candidate_bias: above 0, ``doc.spans[candidates_key]`` holds what :meth:`Recogniser.spans` finds with it.
    :param spans_key: where the doc has a span group of that name, the mentions go there as well.
    """

    def __init__(self, *, weights: Path, candidate_bias: float, candidates_key: str, spans_key: str) -> None:
        register_attributes()
        self.candidate_bias, self.candidates_key, self.spans_key = candidate_bias, candidates_key, spans_key
        self._weights = weights
        self._recogniser: Recogniser | None = None

    @property
    def recogniser(self) -> Recogniser:
        """What finds the mentions.

        :raises EncoderError: when the folder holds no recogniser, or one of another tower.
        """
        if self._recogniser is None:
            self._recogniser = load_recogniser(self._weights)
        return self._recogniser

    def __call__(self, doc: Doc) -> Doc:
        """The doc with the recognised mentions added."""
        tagging = self.recogniser.read(doc)
        found = _marked(doc, tagging.spans())
        doc.ents = filter_spans((*found, *doc.ents))
        if self.spans_key in doc.spans:
            unique = {(span.start, span.end): span for span in (*doc.spans[self.spans_key], *found)}
            doc.spans[self.spans_key] = SpanGroup(doc, name=self.spans_key, spans=[unique[k] for k in sorted(unique)])
        if self.candidate_bias > 0:
            candidates = _marked(doc, tagging.spans(outside_bias=self.candidate_bias))
            doc.spans[self.candidates_key] = SpanGroup(doc, name=self.candidates_key, spans=candidates)
        return doc


def load_recogniser(weights: Path = WEIGHTS_FOLDER, *, style: str = STYLES[0]) -> Recogniser:
    """The recogniser in a folder, by default the one that comes with medlink.

    :param style: see :class:`Recogniser`.
    :raises EncoderError: when the folder holds no recogniser, or one of another tower.
    """
    tower = named_folder("semantic")
    assert tower is not None, "the semantic tower comes with medlink"  # noqa: S101
    return Recogniser(load_tagger(weights, tower), style=style)


def _marked(doc: Doc, found: Iterable[RecognisedSpan]) -> list[Span]:
    spans = []
    for one in found:
        span = doc.char_span(one.start, one.end, label=one.label)
        if span is not None:  # tokens made these offsets, so there is one
            span._.medlink_detection = one.probability
            spans.append(span)
    return spans


@Language.factory(
    "medlink_recogniser",
    assigns=["doc.ents", "doc.spans", "span._.medlink_detection"],
    default_config={
        "weights": None,
        "candidate_bias": 0.0,
        "candidates_key": "medlink_candidates",
        "spans_key": SPANS_KEY,
    },
)
def make_recogniser(
    nlp: Language, name: str, weights: str | None, candidate_bias: float, candidates_key: str, spans_key: str
) -> RecogniserDetector:
    """The recogniser component; see :class:`RecogniserDetector`."""
    return RecogniserDetector(
        weights=Path(weights) if weights else WEIGHTS_FOLDER,
        candidate_bias=candidate_bias,
        candidates_key=candidates_key,
        spans_key=spans_key,
    )
