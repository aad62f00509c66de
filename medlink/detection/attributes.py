"""What detection leaves on a spaCy ``Doc``: plain data only, so that every ``Doc`` can be pickled and stored."""

from __future__ import annotations

from spacy.tokens import Span

# The span group of nested mentions, and the label of a mention that no recogniser has labelled.
SPANS_KEY = "medlink"
LABEL = "CONCEPT"

_DEFAULTS: dict[str, object] = {"medlink_expanded": "", "medlink_assertion": (), "medlink_detection": None}


def register_attributes() -> None:
    """Make ``span._.medlink_expanded``, ``medlink_assertion`` and ``medlink_detection`` known to spaCy.

    The first is the long form of an abbreviation (a string), the second the labels of what the note says about the
    mention, such as ``("negated",)``, as :attr:`medlink.records.Assertion.labels` gives them. The third is the
    probability of a recognised mention, ``None`` for others.
    """
    for name, default in _DEFAULTS.items():
        if not Span.has_extension(name):
            Span.set_extension(name, default=default)
