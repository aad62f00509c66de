"""Annotated texts: what a corpus, a tool or medlink says is where, and the problems met while it was read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from medlink.errors import SettingError
from medlink.evaluation.biosyn import ids_of
from medlink.records import Document, LinkedDocument

# How corpora write that there is no concept for a mention.
_NO_CONCEPT = frozenset({"-", "-1"})


@dataclass(frozen=True, slots=True)
class Annotation:
    """A span of a document and the concepts that it names.

    :param start: offset of its first code point.
    :param end: offset behind its last code point; of a span in pieces that of the last piece.
    :param surface: as the source writes it.
    :param concepts: ids, all of which are meant; none where the source says that there is no concept for it.
    :param kind: the source's type, such as ``Disease``.
    """

    doc_id: str
    start: int
    end: int
    surface: str
    concepts: frozenset[str]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file.

    :param where: file and line.
    :param what: in words, without any text of a document.
    :param lost: whether something was left out because of it.
    :param doc_id: of the document that it concerns, empty where it is not known.
    """

    where: str
    what: str
    lost: bool = True
    doc_id: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents with their gold annotations, in the order of the source."""

    documents: tuple[Document, ...]
    annotations: tuple[Annotation, ...]
    problems: tuple[Problem, ...] = field(default=())

    def of_kinds(self, kinds: Collection[str]) -> Corpus:
        """The corpus with the annotations of some kinds alone; the corpus itself where none is named.

        :raises SettingError: when no annotation has one of the kinds.
        """
        if not kinds:
            return self
        kept = tuple(annotation for annotation in self.annotations if annotation.kind in kinds)
        if not kept:
            found = sorted({annotation.kind for annotation in self.annotations})
            raise SettingError(
                "no annotation has this type", where="--type", expected=", ".join(found), got=", ".join(sorted(kinds))
            )
        return replace(self, annotations=kept)

    def of_documents(self, doc_ids: Collection[str]) -> Corpus:
        """The corpus with some of its documents alone, without the problems of the others."""
        return replace(
            self,
            documents=tuple(document for document in self.documents if document.id in doc_ids),
            annotations=tuple(annotation for annotation in self.annotations if annotation.doc_id in doc_ids),
            problems=tuple(problem for problem in self.problems if not problem.doc_id or problem.doc_id in doc_ids),
        )


def concepts_of(field: str) -> frozenset[str]:
    """The ids of a field, all of which are meant; none where it says that there is no concept.

    >>> sorted(concepts_of(" D000544|OMIM:104300 ")), concepts_of("-1")
    (['D000544', 'OMIM:104300'], frozenset())
    """
    return frozenset(part.strip() for part in ids_of(field) if part.strip()) - _NO_CONCEPT


def check_surface(annotation: Annotation, document: Document, where: str) -> Iterator[Problem]:
    """A problem where the text at the offsets is not the surface, white space aside."""
    found = document.text[annotation.start : annotation.end]
    if found.split() != annotation.surface.split():
        place = f"[{annotation.start}, {annotation.end}) of document {document.id}"
        yield Problem(where, f"the surface differs from the text at {place}", lost=False, doc_id=document.id)


def annotations_of(linked: LinkedDocument) -> Iterator[Annotation]:
    """What medlink says of a document: its links, negated ones too; a mention without a concept has none here."""
    for link in linked.links:
        mention = link.mention
        concepts = frozenset({link.concept_id}) if link.concept_id is not None else frozenset[str]()
        yield Annotation(linked.document.id, mention.start, mention.end, mention.surface, concepts, mention.label)


def join_corpora(corpora: Iterable[Corpus]) -> Corpus:
    """All documents of some corpora; one that an earlier corpus holds is left out and named."""
    documents: dict[str, Document] = {}
    annotations: list[Annotation] = []
    problems: list[Problem] = []
    for corpus in corpora:
        again = {document.id for document in corpus.documents if document.id in documents}
        problems += corpus.problems
        problems += (Problem(f"document {doc_id}", "comes again in another file") for doc_id in sorted(again))
        documents |= {document.id: document for document in corpus.documents if document.id not in again}
        annotations += (annotation for annotation in corpus.annotations if annotation.doc_id not in again)
    return Corpus(tuple(documents.values()), tuple(annotations), tuple(problems))
