"""An annotator, simulated: a note with five proposals, and the edits of each tool's export for the same answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medlink.formats.annotations import read_annotations
from medlink.formats.batch_files import Limits
from medlink.records import Annotation, Candidate, Document, LinkedDocument, Rejected, Verdict
from tests.formats.samples import HEADACHE, INFARCTION, NEGATED, REFLUX, SEIZURE, make_link

ATAXIA = "HP:0001251"
_NOTE = Document(
    "ward 3/note.1", "😀 HISTORY:\nNo fits. Has GERD,\nheart\n  attack and zebra pain. Also ataxia.\nDyspnoea.\n"
)
_DYSPNOEA = Candidate("HP:0002094", "Dyspnea", "dyspnoea", 1.0, None, 0.3)
NOTE = LinkedDocument(
    _NOTE,
    (
        make_link(_NOTE, "fits", SEIZURE, HEADACHE, assertion=NEGATED),
        make_link(_NOTE, "GERD", REFLUX, SEIZURE, expanded="gastroesophageal reflux disease"),
        make_link(_NOTE, "heart\n  attack", INFARCTION),
        make_link(_NOTE, "zebra pain", HEADACHE),
        make_link(_NOTE, "Dyspnoea", _DYSPNOEA, nil=True),
    ),
)
OTHER = LinkedDocument(Document("plain", "No fits."), (make_link(Document("plain", "No fits."), "fits", SEIZURE),))
BASELINE = {linked.document.id: linked for linked in (NOTE, OTHER)}
TEXT = _NOTE.text

#: Surface, verdict, concept and rejected candidates of what the simulated annotator says.
ANSWERS = {
    ("fits", Verdict.ACCEPT, "HP:0001250", ("HP:0002315",)),
    ("GERD", Verdict.CORRECT, "HP:0002315", ("HP:0002020", "HP:0001250")),
    ("heart\n  attack", Verdict.NIL, None, ("HP:0001658",)),
    ("zebra pain", Verdict.NOT_A_MENTION, None, ("HP:0002315",)),
    ("Dyspnoea", Verdict.CORRECT, "HP:0002094", ()),
    ("ataxia", Verdict.MISSED, ATAXIA, ()),
}
UNTOUCHED = {("fits", Verdict.ACCEPT, "HP:0001250", ())}


def place(surface: str) -> tuple[int, int]:
    """The offsets of the note's first such surface."""
    start = TEXT.index(surface)
    return start, start + len(surface)


def read(path: Path, **options: Any) -> tuple[list[Annotation], list[Rejected]]:
    """What is in a batch, the good and the bad apart."""
    items = list(read_annotations(path, **options))
    good = [item for item in items if isinstance(item, Annotation)]
    bad = [item for item in items if isinstance(item, Rejected)]
    assert len(good) + len(bad) == len(items)
    return good, bad


def read_bytes(
    tmp_path: Path, data: bytes | str, name: str = "file", **options: Any
) -> tuple[list[Annotation], list[Rejected]]:
    """What is in a file of these bytes."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read(path, **options)


def said(
    annotations: list[Annotation], doc_id: str = "ward 3/note.1"
) -> set[tuple[str, Verdict, str | None, tuple[str, ...]]]:
    """The verdicts on a document, in the form of :data:`ANSWERS`."""
    chosen = [a for a in annotations if a.doc_id == doc_id]
    return {(a.surface, a.verdict, a.concept_id, a.rejected) for a in chosen}


def _edit_lines(path: Path, edit: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
    rows = [row for line in path.read_text().splitlines() for row in edit(json.loads(line))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _edit_json(path: Path, edit: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def answer_prodigy(path: Path) -> None:
    choices = {"GERD": "HP:0002315", "heart\n  attack": "NIL", "Dyspnoea": "HP:0002094", "zebra pain": "NOT_A_MENTION"}

    def edit(row: dict[str, Any]) -> list[dict[str, Any]]:
        surface = row["medlink"]["links"][0]["surface"]
        row |= {"answer": "accept", "_session_id": "project-ann", "_timestamp": 1714557600}
        row["accept"] = [choices.get(surface, row["accept"][0])]
        if surface != "zebra pain" or row["text"] != TEXT:
            return [row]
        start, end = place("ataxia")
        added = {"text": TEXT, "spans": [{"start": start, "end": end, "label": "CONCEPT", "kb_id": ATAXIA}]}
        return [row, {**added, "answer": "accept", "meta": row["meta"], "medlink": {**row["medlink"], "links": []}}]

    _edit_lines(path, edit)


def answer_label_studio(path: Path) -> None:
    def edit(tasks: Any) -> None:  # noqa: ANN401 - JSON
        for number, task in enumerate(tasks, start=1):
            results = task["predictions"][0]["result"]
            if task["data"]["id"] == NOTE.document.id:
                results = _answer_regions(results)
            by = {"id": 1, "email": "ann@example.org"}
            version = {"id": 10 + number, "completed_by": by, "result": results, "updated_at": "2024-05-01T10:00:00.5Z"}
            task |= {"id": number, "annotations": [version], "drafts": []}

    _edit_json(path, edit)


def _answer_regions(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = [row for row in results if row["id"] != "m4" and (row["id"], row["type"]) != ("m3", "textarea")]
    for row in kept:
        if row["type"] == "textarea" and row["id"] == "m2":
            row["value"]["text"] = ["HP:0002315"]
        if row["type"] == "labels" and row["id"] in ("m3", "m5"):
            row["value"]["labels"] = ["NIL" if row["id"] == "m3" else "Concept"]
    start, end = place("ataxia")
    value = {"start": start, "end": end}
    concept = {"to_name": "text", "type": "textarea"}
    kept.append({"id": "m5", **concept, "value": {"text": ["HP:0002094"]}})
    kept.append(
        {"id": "n1", "to_name": "text", "type": "labels", "value": {**value, "text": "ataxia", "labels": ["Concept"]}}
    )
    kept.append({"id": "n1", **concept, "value": {"text": [f"Ataxia ({ATAXIA})"]}})
    return kept


def answer_medcattrainer(path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "fits": {"correct": True},
        "GERD": {"alternative": True, "cui": "HP:0002315"},
        "heart\n  attack": {"alternative": True, "cui": "NIL"},
        "zebra pain": {"deleted": True},
        "Dyspnoea": {"alternative": True, "cui": "HP:0002094"},
    }

    def edit(export: Any) -> None:  # noqa: ANN401 - JSON
        for document in export["projects"][0]["documents"]:
            for row in document["annotations"]:
                row.pop("medlink")
                row |= {
                    "validated": True,
                    "user": "ann",
                    "last_modified": "2024-05-01 10:00:00+00:00",
                    **changes[row["value"]],
                }
            if document["name"] == NOTE.document.id:
                start, end = place("ataxia")
                made = {"validated": True, "correct": True, "manually_created": True, "cui": ATAXIA, "value": "ataxia"}
                document["annotations"].append({"id": 9, "start": start, "end": end, **made, "user": "ann"})

    _edit_json(path, edit)


def answer_doccano(path: Path) -> None:
    def edit(row: dict[str, Any]) -> list[dict[str, Any]]:
        if row["doc_id"] == NOTE.document.id:
            labels = {
                "GERD": "HP:0002315",
                "heart\n  attack": "NIL",
                "Dyspnoea": "Dyspnea (HP:0002094)",
                "ataxia": ATAXIA,
            }
            places = {surface: [at + 1 for at in place(surface)] for surface in labels}  # in UTF-16 units
            row["label"] = [row["label"][0], *([*places[surface], label] for surface, label in labels.items())]
        return [{"id": 7, **row, "Comments": []}]

    _edit_lines(path, edit)


def answer_brat(folder: Path) -> None:
    path = folder / "ward 3" / "note.1.ann"
    lines = [line for line in path.read_text().splitlines() if not re.match(r"(T4|N4|N3|A\d+|#4)\t", line)]
    text = "\n".join(lines).replace("T3\tConcept", "T3\tNIL").replace("T5\tNIL", "T5\tConcept")
    text = text.replace("N2\tReference T2 HP:0002020", "N2\tReference T2 HP:0002315")
    start, end = place("ataxia")
    added = [
        "N9\tReference T5 HP:0002094\tDyspnea",
        f"T9\tConcept {start} {end}\tataxia",
        f"N8\tReference T9 {ATAXIA}\tAtaxia",
    ]
    path.write_text("\n".join([text, *added]) + "\n")


def answer_pubtator(path: Path) -> None:
    start, end = place("ataxia")
    doc_id = "ward 3/note.1"
    kept = []
    for line in path.read_text().splitlines():
        fields = line.split("\t")
        surface = fields[3] if len(fields) > 4 and fields[0] == doc_id else ""
        fields[-1] = {"GERD": "HP:0002315", "heart   attack": "-1", "Dyspnoea": "HP:0002094"}.get(surface, fields[-1])
        if surface == "Dyspnoea":
            kept.append(f"{doc_id}\t{start}\t{end}\tataxia\tConcept\t{ATAXIA}")
        if surface != "zebra pain":
            kept.append("\t".join(fields))
    path.write_text("\n".join(kept) + "\n")


def answer_bioc_json(path: Path) -> None:
    def edit(collection: Any) -> None:  # noqa: ANN401 - JSON
        for document in collection["documents"]:
            if document["id"] == NOTE.document.id:
                rows = document["passages"][0]["annotations"]
                rows[1]["infons"]["identifier"] = "HP:0002315"
                rows[2]["infons"]["identifier"] = "-"
                rows[4]["infons"]["identifier"] = "HP:0002094"
                start, _ = place("ataxia")
                added = {
                    "infons": {"identifier": ATAXIA},
                    "text": "ataxia",
                    "locations": [{"offset": start, "length": 6}],
                }
                rows[3] = {"id": "new", **added}

    _edit_json(path, edit)


def answer_bioc(path: Path) -> None:
    start, _ = place("ataxia")
    added = f'<annotation id="new"><infon key="identifier">{ATAXIA}</infon>'
    added += f'<location offset="{start}" length="6"/><text>ataxia</text></annotation>'
    text = path.read_text()
    head, *rows = re.split(r"(?=<annotation )", text.partition("</document>")[0])
    rest = text.removeprefix(head + "".join(rows))
    rows[1] = rows[1].replace(">HP:0002020<", ">HP:0002315<")
    rows[2] = rows[2].replace(">HP:0001658<", ">-1<")
    rows[4] = rows[4].replace(">NIL<", ">HP:0002094<")
    path.write_text(head + added + rows[0] + rows[1] + rows[2] + rows[4] + rest)


def answer_cas_json(folder: Path) -> None:
    obo = "http://purl.obolibrary.org/obo/"

    def edit(cas: Any) -> None:  # noqa: ANN401 - JSON
        spans = {row["begin"]: row for row in cas["%FEATURE_STRUCTURES"] if row["%TYPE"].endswith("NamedEntity")}
        by_surface = {surface: spans[place(surface)[0] + 1] for surface in ("GERD", "heart", "zebra", "Dyspnoea")}
        by_surface["GERD"]["identifier"] = f"{obo}HP_0002315"
        by_surface["heart"] |= {"value": "NIL", "identifier": None}
        by_surface["Dyspnoea"] |= {"value": "Concept", "identifier": f"{obo}HP_0002094"}
        start, end = place("ataxia")
        by_surface["zebra"] |= {"begin": start + 1, "end": end + 1, "identifier": f"{obo}HP_0001251"}

    _edit_json(folder / "ward 3%2Fnote.1.json", edit)


def answer_cas_xmi(folder: Path) -> None:
    path = folder / "ward 3%2Fnote.1.xmi"
    obo = "http://purl.obolibrary.org/obo/"
    start, end = place("ataxia")
    zebra, zebra_end = place("zebra pain")
    text = path.read_text()
    text = text.replace(f"{obo}HP_0002020", f"{obo}HP_0002315").replace(f'identifier="{obo}HP_0001658"', "")
    text = text.replace('value="NIL"', f'value="Concept" identifier="{obo}HP_0002094"')
    text = re.sub(
        rf'begin="{zebra + 1}" end="{zebra_end + 1}" value="Concept" identifier="[^"]+"',
        f'begin="{start + 1}" end="{end + 1}" value="Concept" identifier="{obo}HP_0001251"',
        text,
    )
    path.write_text(text)


def answer_docbin(path: Path) -> None:
    import spacy
    from spacy.tokens import DocBin, Span

    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))
    for doc in docs:
        if doc.user_data["doc_id"] == NOTE.document.id:
            concepts = {"GERD": "HP:0002315", "heart\n  attack": "", "Dyspnoea": "HP:0002094"}
            spans = [span for span in doc.spans["medlink"] if span.text != "zebra pain"]
            edited = [
                Span(doc, span.start, span.end, label=span.label_, kb_id=concepts.get(span.text, span.kb_id_))
                for span in spans
            ]
            added = doc.char_span(*place("ataxia"), label="CONCEPT", kb_id=ATAXIA)
            assert added is not None
            doc.spans["medlink"] = [*edited, added]
            doc.user_data["annotator"] = "ann"
    DocBin(attrs=["ENT_IOB"], store_user_data=True, docs=docs).to_disk(path)


#: The edits by format.
ANNOTATORS: dict[str, Callable[[Path], None]] = {
    "prodigy": answer_prodigy,
    "label-studio": answer_label_studio,
    "medcattrainer": answer_medcattrainer,
    "doccano": answer_doccano,
    "brat": answer_brat,
    "pubtator": answer_pubtator,
    "bioc": answer_bioc,
    "bioc-json": answer_bioc_json,
    "cas-xmi": answer_cas_xmi,
    "cas-json": answer_cas_json,
    "docbin": answer_docbin,
}
SMALL = Limits(line_bytes=100_000, file_bytes=1_000_000)


def zipped(folder: Path) -> Path:
    """The folder as a zip archive beside it."""
    return Path(shutil.make_archive(str(folder), "zip", folder))
