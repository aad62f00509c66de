"""scispaCy's EntityLinker on given names: candidates by n-grams. It has no detector without a model to be fetched.

It runs on the mentions of a document together, as its component does on ``doc.ents``, and always answers: its
thresholds are 0 and names without a definition count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pipelines.bench.rivals.tool import Row, Tool, run_tool


def build(task: Row, folder: Path) -> None:
    """Writes the names in its form and makes its index of them."""
    from scispacy.candidate_generation import create_tfidf_ann_index
    from scispacy.linking_utils import KnowledgeBase

    with (folder / "kb.jsonl").open("w", encoding="utf-8") as stream:
        for row in task["names"]:
            preferred, *others = row["names"]
            entity = {"concept_id": row["id"], "canonical_name": preferred, "aliases": others, "types": []}
            stream.write(json.dumps(entity) + "\n")
    create_tfidf_ann_index(str(folder), KnowledgeBase(str(folder / "kb.jsonl")))


def load(task: Row, folder: Path) -> Tool:
    """Its component on the index that was made."""
    from importlib.metadata import version

    import spacy
    from scispacy.linking import EntityLinker
    from scispacy.linking_utils import KnowledgeBase
    from spacy.tokens import Doc, Span

    linker = EntityLinker.from_kb(
        KnowledgeBase(str(folder / "kb.jsonl")),
        ann_index_out_dir=str(folder),
        threshold=0.0,
        no_definition_threshold=0.0,
        filter_for_definitions=False,
    )
    nlp = spacy.blank("en")

    def in_a_row(document: Row) -> Doc:
        """A document of the mentions alone, one behind the other, as mentions may overlap and ``ents`` must not."""
        parts = [nlp.make_doc(document["text"][one["start"] : one["end"]]) for one in document["mentions"]]
        ends = [sum(len(part) for part in parts[: at + 1]) for at in range(len(parts))]
        doc = Doc.from_docs(parts) or Doc(nlp.vocab)
        doc.ents = [Span(doc, end - len(part), end, "MENTION") for part, end in zip(parts, ends, strict=True)]
        return doc

    def link(documents: Sequence[Row]) -> list[list[str | None]]:
        docs = [linker(in_a_row(document)) if document["mentions"] else None for document in documents]
        return [
            [ent._.kb_ents[0][0] if ent._.kb_ents else None for ent in doc.ents] if doc is not None else []
            for doc in docs
        ]

    return Tool(version("scispacy"), link, None)


if __name__ == "__main__":
    run_tool(build, load)
