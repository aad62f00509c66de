"""The annotator: whole notes in, linked notes out, in a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from spacy.language import Language

from medlink.detection.mentions import mentions_of
from medlink.linking.linker import Linker
from medlink.records import Document, LinkedDocument, Mention

# Notes whose mentions are linked together: enough to share the encoder's passes, few enough to stay small.
BATCH = 32


@dataclass(frozen=True, slots=True)
class Annotator:
    """Detection and linking, one behind the other.

    :param detector: a spaCy pipeline that sets ``doc.ents``.
    :param spans_key: the span group that holds the mentions, where they are not in ``doc.ents``.
    """

    detector: Language
    linker: Linker
    spans_key: str | None = None

    def annotate(self, documents: Iterable[Document], *, batch_size: int = BATCH) -> Iterator[LinkedDocument]:
        """Each document with its links, in the order of the documents; holds one batch at a time."""
        stream = iter(documents)
        while batch := list(islice(stream, batch_size)):
            yield from self.annotate_batch(batch)

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
