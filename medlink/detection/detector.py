"""The spaCy component that finds mentions: the dictionary's and the recogniser's candidates, and a decision on each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span

from medlink.detection.attributes import SPANS_KEY
from medlink.detection.decision import Decision, best_disjoint, load_decision
from medlink.detection.dictionary import DictionaryDetector, add_ents, set_group
from medlink.detection.evidence import Candidate, candidates_of
from medlink.detection.readings import Kind
from medlink.detection.recogniser import Recogniser, load_recogniser
from medlink.detection.settings import DEFAULT_KEEP, STYLES
from medlink.detection.tokens import tokenise_by_words
from medlink.ontology.lexicon import Lexicon

# Names that are shown to the recogniser to learn which labels a lexicon's concepts have, and how many must get one.
_SAMPLE, _LEAST_SHARE = 32, 0.2


class MentionDetector(DictionaryDetector):
    """A spaCy component that adds the mentions of a lexicon's concepts to ``doc.ents``.

    Candidates are the names of the lexicon, as written or as they may be read (see
    :class:`medlink.detection.readings.Kind`), and with ``recogniser`` what the trained recogniser finds. Each gets a
    calibrated probability of being a mention, ``span._.medlink_detection``. Kept are those of at least ``keep``; of
    those that overlap, the set with the greatest sum of log-odds. ``span._.medlink_expanded`` is the name that a span
    is read as, where it is not that name itself.

    :param keep: least probability; higher for precision, lower for recall.
    :param recogniser: whether the trained recogniser is asked.
    :param style: see :class:`medlink.detection.settings.DetectionSettings`.
    :param nested: put all that are likely enough, nested and overlapping ones too, into ``doc.spans[spans_key]``.
    """

    kinds = frozenset(Kind)

    def __init__(
        self,
        *,
        lexicon_folder: Path | None,
        nested: bool,
        spans_key: str,
        keep: float,
        recogniser: bool,
        style: str = STYLES[0],
    ) -> None:
        super().__init__(lexicon_folder=lexicon_folder, nested=nested, spans_key=spans_key)
        self.keep, self.asks_recogniser, self.style = keep, recogniser, style
        self._decision: Decision | None = None
        self._recogniser: Recogniser | None = None
        self._labels: frozenset[str] | None = None

    def __call__(self, doc: Doc) -> Doc:
        """The doc with its mentions added."""
        scored = self.score(doc)
        spans = [_marked(doc, candidate, probability) for candidate, probability in scored]
        probabilities = [probability for _, probability in scored]
        if self.nested:
            likely = [span for span, p in zip(spans, probabilities, strict=True) if p >= self.keep]
            set_group(doc, self.spans_key, (*likely, *doc.ents))
        chosen = best_disjoint([(span.start, span.end) for span in spans], probabilities, keep=self.keep)
        add_ents(doc, (spans[place] for place in chosen))
        return doc

    def score(self, doc: Doc) -> list[tuple[Candidate, float]]:
        """All candidates of a doc, each with the probability that it is a mention."""
        if self._decision is None:
            self._decision = load_decision()
        decision = self._decision
        return [(candidate, decision.probability(candidate)) for candidate in self.candidates(doc)]

    def candidates(self, doc: Doc) -> list[Candidate]:
        """All spans of a doc that may be mentions."""
        tagging = self.recogniser.read(doc, labels=self.recogniser_labels) if self.asks_recogniser else None
        return list(candidates_of(doc, self.matcher, tagging, nested=self.nested))

    @property
    def recogniser(self) -> Recogniser:
        """The trained recogniser, read at first use.

        :raises EncoderError: when its files are damaged.
        """
        if self._recogniser is None:
            self._recogniser = load_recogniser(style=self.style)
        return self._recogniser

    @property
    def recogniser_labels(self) -> frozenset[str]:
        """The recogniser's labels of what the lexicon names; see :func:`labels_of`."""
        if self._labels is None:
            self._labels = labels_of(self.lexicon, self.recogniser)
        return self._labels


def labels_of(lexicon: Lexicon, recogniser: Recogniser) -> frozenset[str]:
    """The labels that a recogniser gives to the names of a lexicon, in a plain sentence; all where it knows too few.

    A label counts where it is given to a good share of a sample of preferred names, spread over the ids.
    """
    nlp = spacy.blank("en")
    tokenise_by_words(nlp)
    docs = [nlp(f"This is a case of {concept.name}.") for concept in lexicon.sample(_SAMPLE)]
    found = Counter(label for labels in recogniser.labels_in(docs) for label in labels)
    kept = frozenset(label for label, n in found.items() if n >= _LEAST_SHARE * len(docs))
    return kept or frozenset(recogniser.columns)


def _marked(doc: Doc, candidate: Candidate, probability: float) -> Span:
    span = doc.char_span(candidate.start, candidate.end, label=candidate.label, alignment_mode="expand")
    assert span is not None, "the offsets of a candidate are in its doc"  # noqa: S101
    span._.medlink_detection = probability
    span._.medlink_expanded = candidate.name
    return span


@Language.factory(
    "medlink_detector",
    assigns=["doc.ents", "doc.spans", "span._.medlink_detection", "span._.medlink_expanded"],
    default_config={
        "lexicon": None,
        "nested": False,
        "spans_key": SPANS_KEY,
        "keep": DEFAULT_KEEP,
        "recogniser": False,
        "style": STYLES[0],
    },
)
def make_detector(
    nlp: Language,
    name: str,
    lexicon: str | None,
    nested: bool,
    spans_key: str,
    keep: float,
    recogniser: bool,
    style: str,
) -> MentionDetector:
    """The component that finds mentions; see :class:`MentionDetector`."""
    return MentionDetector(
        lexicon_folder=Path(lexicon) if lexicon else None,
        nested=nested,
        spans_key=spans_key,
        keep=keep,
        recogniser=recogniser,
        style=style,
    )
