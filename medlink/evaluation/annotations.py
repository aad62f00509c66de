"""Annotated texts: what a corpus, a tool or medlink says is where, and the problems met while it was read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from medlink.errors import SettingError
from medlink.records import Document


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
    """

    where: str
    what: str
    lost: bool = True

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
        """The corpus with some of its documents alone."""
        return replace(
            self,
            documents=tuple(document for document in self.documents if document.id in doc_ids),
            annotations=tuple(annotation for annotation in self.annotations if annotation.doc_id in doc_ids),
        )
