"""The annotator: whole notes in, linked notes out, in a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from spacy.language import Language

from medlink.detection.mentions import mentions_of
from medlink.linking.linker import Linker
from medlink.records import Document, LinkedDocument, Mention

# Notes whose mentions are linked together. The encoder passes 32 strings of one length at a time, filled up with copies
# where there are fewer: in windows of 32 notes of 3,000 characters it computes almost four times as long as in windows
# of 512. The first ones are small, so that there is something to see soon, and enough for all workers where the notes
# are few. Long notes fill a window sooner, so that memory stays small.
SMALLEST_WINDOW, LARGEST_WINDOW = 32, 512
MOST_CHARACTERS = 4_000_000


def windows(documents: Iterable[Document], *, n_each: int = 1, size: int | None = None) -> Iterator[list[Document]]:
    """The documents in windows that double from :data:`SMALLEST_WINDOW` to :data:`LARGEST_WINDOW`.

    A window ends early with the document that brings it to :data:`MOST_CHARACTERS`. No link depends on what shares a
    window.

    :param n_each: windows of each size before the next, such as the number of workers.
    :param size: of all windows, instead.
    """
    window: list[Document] = []
    number = n_characters = 0
    for document in documents:
        window.append(document)
        n_characters += len(document.text)
        full = size or min(SMALLEST_WINDOW << min(number // n_each, 16), LARGEST_WINDOW)
        if len(window) >= full or n_characters >= MOST_CHARACTERS:
            yield window
            window, n_characters, number = [], 0, number + 1
    if window:
        yield window


@dataclass(frozen=True, slots=True)
class Annotator:
    """Detection and linking, one behind the other.

    :param detector: a spaCy pipeline that sets ``doc.ents``.
    :param spans_key: the span group that holds the mentions, where they are not in ``doc.ents``.
    """

    detector: Language
    linker: Linker
    spans_key: str | None = None

    def annotate(self, documents: Iterable[Document], *, batch_size: int | None = None) -> Iterator[LinkedDocument]:
        """Each document with its links, in the order of the documents; holds one window at a time.

        :param batch_size: documents in a window; by default see :func:`windows`.
        """
        for window in windows(documents, size=batch_size):
            yield from self.annotate_batch(window)

    def annotate_batch(self, documents: list[Document]) -> list[LinkedDocument]:
        """Each document with its links; every distinct mention of the batch is looked up once."""
        found = self._detect(documents)
        links = iter(self.linker.link([mention for mentions in found for mention in mentions]))
        return [
            LinkedDocument(document, tuple(islice(links, len(mentions))))
            for document, mentions in zip(documents, found, strict=True)
        ]

    def _detect(self, documents: list[Document]) -> list[tuple[Mention, ...]]:
        # The zone frees what spaCy's vocabulary learned from these notes: without it memory grows with every note.
        with self.detector.memory_zone():
            docs = self.detector.pipe((document.text for document in documents), batch_size=len(documents))
            return [
                mentions_of(doc, document.id, spans_key=self.spans_key)
                for doc, document in zip(docs, documents, strict=True)
            ]
