"""Abbreviations that a note defines: every later use becomes a mention with its long form."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

from scispacy.abbreviation import AbbreviationDetector, filter_matches
from spacy.language import Language
from spacy.matcher import Matcher
from spacy.tokens import Doc, Span
from spacy.util import filter_spans

from medlink.detection.attributes import SPANS_KEY, register_attributes
from medlink.detection.words import Gap, content_words_of
from medlink.text import FUNCTION_WORDS, content_words, normalise

# The longest parenthesis, in tokens, that scispaCy's detector considers.
_LONGEST_PARENTHESIS = 8
# How many tokens too late, at most, a long form is taken to start.
_LARGEST_DRIFT = 5


class AbbreviationExpander:
    """A spaCy component that turns the uses of an abbreviation defined in the note into mentions with a long form.

    Definitions and uses are those of scispaCy's ``AbbreviationDetector`` (Schwartz & Hearst 2003, "A simple algorithm
    for identifying abbreviation definitions in biomedical text"). An abbreviation counts when a mention in ``doc.ents``
    ends where its long form ends and covers more than half of the long form's content words; its uses take that
    mention's label, and ``span._.medlink_expanded`` is the long form. A use that is a mention already gets the long
    form whether or not that is a mention: what the note itself says it means beats what the ontology abbreviates so.

    :param spans_key: the span group that gets the uses too, where the doc has it.
    """

    def __init__(self, nlp: Language, *, spans_key: str) -> None:
        register_attributes()
        self.spans_key = spans_key
        self._detector = AbbreviationDetector(nlp)
        # Its matcher of uses is empty in a note without definitions, about which spaCy would warn each time.
        self._detector.global_matcher.add("\0", [[{"ORTH": "no token reads like this"}]])
        # scispaCy pairs each "(" with every ")" behind it and then drops all pairs but the short ones: quadratic in a
        # long note. This finds just the short ones.
        self._parentheses = Matcher(nlp.vocab)
        inside = {"OP": f"{{1,{_LONGEST_PARENTHESIS}}}"}
        self._parentheses.add("parenthesis", [[{"ORTH": "("}, inside, {"ORTH": ")"}]])

    def __call__(self, doc: Doc) -> Doc:
        """The doc with the uses of its abbreviations as mentions."""
        added = []
        known = {(ent.start, ent.end) for ent in doc.ents}
        by_end = {ent.end: ent for ent in doc.ents}
        for long_form, use in self._uses(doc):
            if not _is_definition(long_form, use):
                continue
            head = by_end.get(long_form.end)
            is_mention = head is not None and _is_about(head, long_form)
            if head is not None and is_mention:
                added.append(Span(doc, use.start, use.end, label=head.label))
            if is_mention or (use.start, use.end) in known:
                use._.medlink_expanded = long_form.text
        doc.ents = filter_spans((*doc.ents, *added))
        if self.spans_key in doc.spans:
            group = {(span.start, span.end): span for span in (*added, *doc.spans[self.spans_key])}
            doc.spans[self.spans_key] = sorted(group.values(), key=attrgetter("start", "end"))
        return doc

    def _uses(self, doc: Doc) -> Iterator[tuple[Span, Span]]:
        """The long form and the span of each use of an abbreviation that the doc defines."""
        inside = [(key, start + 1, end - 1) for key, start, end in self._parentheses(doc)]
        candidates = filter_matches(inside, doc)
        for long_form, uses in self._detector.find_matches_for(candidates, doc) if candidates else ():
            for use in sorted(uses, key=attrgetter("start", "end")):
                yield _from_its_initial(long_form, use), use


def _from_its_initial(long_form: Span, use: Span) -> Span:
    """The long form from the word with which it must start, the first letter of the abbreviation's.

    scispaCy starts it too late where punctuation before it stands without spaces, one character for each such place.
    """
    initial = use.text[0].lower()
    for start in range(long_form.start, max(-1, long_form.start - _LARGEST_DRIFT - 1), -1):
        if long_form.doc[start].lower_.startswith(initial):
            return long_form.doc[start : long_form.end]
    return long_form


def _is_definition(long_form: Span, use: Span) -> bool:
    """Whether a pair that Schwartz and Hearst's rule takes is an abbreviation and what it stands for.

    The abbreviation has a capital and is no word of its long form, which is one phrase and starts with a content word.
    """
    words = content_words_of(long_form.text)
    return (
        use.text != use.text.lower()
        and normalise(use.text) not in words.norms
        and long_form[0].lower_ not in FUNCTION_WORDS
        and Gap.BREAK not in words.gaps[1:]
    )


def _is_about(mention: Span, long_form: Span) -> bool:
    """Whether a mention that ends with a long form covers more than half of its content words."""
    covered = mention.doc[max(mention.start, long_form.start) : mention.end]
    return 2 * len(content_words(covered.text)) > len(content_words(long_form.text))


@Language.factory(
    "medlink_abbreviations",
    requires=["doc.ents"],
    assigns=["doc.ents", "span._.medlink_expanded"],
    default_config={"spans_key": SPANS_KEY},
)
def make_abbreviations(nlp: Language, name: str, spans_key: str) -> AbbreviationExpander:
    """The abbreviations component; see :class:`AbbreviationExpander`."""
    return AbbreviationExpander(nlp, spans_key=spans_key)
