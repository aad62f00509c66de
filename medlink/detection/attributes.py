"""What detection leaves on a spaCy ``Doc``: plain data only, so that every ``Doc`` can be pickled and stored."""

from __future__ import annotations

from spacy.tokens import Span

# The span group of nested mentions, and the label of a mention that no recogniser has labelled.
SPANS_KEY = "medlink"
LABEL = "CONCEPT"

_DEFAULTS: dict[str, object] = {
    "medlink_expanded": "",
    "medlink_section": "",
    "medlink_assertion": (),
    "medlink_detection": None,
}


def register_attributes() -> None:
    """Make ``span._.medlink_expanded``, ``medlink_section``, ``medlink_assertion`` and ``medlink_detection`` known.

    The first is what to look up instead of the surface: the long form of an abbreviation, or the name that the surface
    is read as (a string). The second is the section that the mention stands in, such as ``"family history"``, and the
    third the labels of what the note says about it, such as ``("negated",)``, as
    :attr:`medlink.records.Assertion.labels` gives them. The last is the probability that the span is a mention,
    ``None`` where nobody asked.
    """
    for name, default in _DEFAULTS.items():
        if not Span.has_extension(name):
            Span.set_extension(name, default=default)
