"""A week of annotation on BC5CDR, simulated: what comes back from every tool is in the ledger once, and nothing else.

    MEDLINK_BENCH_DATA=… python -m pipelines.bench.annotation_week --documents 500

The training documents of BC5CDR (Li et al. 2016) are linked by a system that is simulated, too: of the gold mentions it
misses one in twenty and gives one in four the wrong concept, and in each document it marks one word that is none. The
links are exported for every tool. Two annotators correct them from the gold, and differ on 5 % of the mentions. Their
files come back twice, in random order, along with broken copies. As an annotator says the same in every tool, each
verdict must be in the ledger exactly once.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import DocBin

from medlink.curation.adjudication import Basis, decide_spans
from medlink.curation.agreement import measure_agreement
from medlink.curation.checks import Checks, IntakeOptions
from medlink.curation.intake import IntakeMode, Report, ingest
from medlink.curation.sources import open_incoming
from medlink.evaluation.pubtator import read_pubtator
from medlink.formats.writers import FOLDER_FORMATS, write_links
from medlink.records import Candidate, Document, Link, LinkedDocument, Mention, Verdict
from medlink.store.ledger import Ledger
from pipelines.bench.results import append_result, bench_data

ANNOTATORS = ("ann", "bob")
FORMATS = (
    "prodigy", "label-studio", "medcattrainer", "doccano", "brat", "pubtator", "bioc", "bioc-json", "cas-xmi",
    "cas-json", "docbin",
)  # fmt: skip
# A file that is cut off says of its lost mentions that they were taken out, where the tool keeps no list of them.
_CUT = frozenset(FORMATS) - {"brat", "pubtator"}
_CARRIED = "medlink"
_DAY = datetime(2026, 1, 5, 9, tzinfo=UTC)

Span = tuple[int, int]
#: By document and span what an annotator says: a concept, ``None`` for NIL, or :data:`NO_MENTION`.
Answers = Mapping[str, Mapping[Span, str | None]]
NO_MENTION = "no mention"
Said = tuple[str, str, int, int, str, str, str | None]


@dataclass(frozen=True, slots=True)
class Week:
    """What is annotated.

    :param links: of the simulated system, by document id.
    :param gold: the right answers on all spans that the system or the gold marks.
    """

    links: Mapping[str, LinkedDocument]
    gold: Answers


def make_week(path: Path, *, n_documents: int, chance: random.Random) -> Week:
    """The first documents of a PubTator corpus, linked by the simulated system."""
    corpus = read_pubtator(path)
    tokenise = spacy.blank("en")
    concepts = sorted({concept for one in corpus.annotations for concept in one.concepts})
    links, gold = {}, {}
    for document in corpus.documents[:n_documents]:
        doc, answers, found, taken = tokenise.make_doc(document.text), {}, [], set[int]()
        for one in corpus.annotations:
            span = (one.start, one.end)
            aligned = doc.char_span(*span) is not None  # what an annotator in spaCy can mark
            if one.doc_id == document.id and aligned and len(one.concepts) < 2 and taken.isdisjoint(range(*span)):
                taken |= set(range(*span))
                answers[span] = next((f"MESH:{concept}" for concept in one.concepts), None)
                if chance.random() >= 0.05:
                    found.append(_link(document, span, _guess(answers[span], concepts, chance)))
        words = [(token.idx, token.idx + len(token)) for token in doc if token.is_alpha]
        free = [word for word in words if taken.isdisjoint(range(*word))]
        wrong = chance.choice(free)
        answers[wrong] = NO_MENTION
        found.append(_link(document, wrong, _guess(None, concepts, chance)))
        ordered = tuple(sorted(found, key=lambda link: link.mention.start))
        links[document.id], gold[document.id] = LinkedDocument(document, ordered), answers
    return Week(links, gold)


def differ(gold: Answers, week: Week, chance: random.Random) -> Answers:
    """An annotator's answers: the gold, but for 5 % of the mentions."""
    others = sorted({concept for answers in gold.values() for concept in answers.values() if concept})
    others.remove(NO_MENTION)
    return {
        doc_id: {
            span: chance.choice(others) if concept and chance.random() < 0.05 and concept != NO_MENTION else concept
            for span, concept in answers.items()
        }
        for doc_id, answers in gold.items()
    }


def truth_of(annotator: str, answers: Answers, week: Week) -> Iterator[Said]:
    """What the ledger must hold of an annotator."""
    for doc_id, linked in week.links.items():
        proposed = {(link.mention.start, link.mention.end): link.concept_id for link in linked.links}
        for (start, end), concept in answers[doc_id].items():
            if (start, end) not in proposed:
                verdict = Verdict.MISSED
            elif concept is None:
                verdict = Verdict.NIL
            elif concept == NO_MENTION:
                verdict = Verdict.NOT_A_MENTION
            else:
                verdict = Verdict.ACCEPT if proposed[start, end] == concept else Verdict.CORRECT
            named = concept if verdict.takes_concept else None
            yield annotator, doc_id, start, end, linked.document.text[start:end], verdict.value, named


def annotate(format: str, week: Week, answers: Answers, folder: Path) -> Path:
    """What comes back from a tool: its export, as the annotator has changed it."""
    exported, path = folder / "export", folder / format
    write_links(week.links.values(), exported, format=format)
    changed = [_changed(linked, answers[doc_id]) for doc_id, linked in week.links.items()]
    if format in _EDITS:
        _EDITS[format](exported, path, changed, answers)
    else:
        write_links(changed, path, format=format)
        if format == "brat":
            shutil.copy(exported / ".medlink.jsonl", path / ".medlink.jsonl")
    shutil.rmtree(exported) if format in FOLDER_FORMATS else exported.unlink()
    return path


def break_copy(path: Path, to: Path, chance: random.Random) -> Path:
    """A copy of a file, or of one file of a folder, that is cut off somewhere."""
    source = chance.choice(sorted(path.glob("*.*"))) if path.is_dir() else path
    data = source.read_bytes()
    to.mkdir(parents=True)
    broken = to / source.name
    broken.write_bytes(data[: chance.randrange(len(data) // 4, len(data) - 1)])
    return broken


def _link(document: Document, span: Span, ids: list[str]) -> Link:
    mention = Mention(document.id, *span, document.text[slice(*span)])
    ranked = [Candidate(key, f"name of {key}", "x", 0.5, None, round(0.6 / 2**n, 4)) for n, key in enumerate(ids)]
    return Link(mention, tuple(ranked), ids[0], "simulated", "2015")


def _guess(right: str | None, concepts: list[str], chance: random.Random) -> list[str]:
    shown = [f"MESH:{concept}" for concept in chance.sample(concepts, 4)]
    if right:
        shown = [key for key in shown if key != right]
        shown.insert(0 if chance.random() >= 0.25 else 1, right)
    return shown


def _changed(linked: LinkedDocument, answers: Mapping[Span, str | None]) -> LinkedDocument:
    """The document with the annotator's links."""
    links = []
    for span, concept in sorted(answers.items()):
        if concept != NO_MENTION:
            link = _link(linked.document, span, [concept or "NIL"])
            links.append(link if concept else replace(link, candidates=(), concept_id=None))
    return replace(linked, links=tuple(links))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write_rows(path: Path, rows: Iterable[object]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def _edit_prodigy(exported: Path, path: Path, changed: list[LinkedDocument], answers: Answers) -> None:
    rows = []
    for row in _rows(exported):
        link = row[_CARRIED]["links"][0]
        concept = answers[row[_CARRIED]["doc_id"]][link["start"], link["end"]]
        accepted = {None: "NIL", NO_MENTION: "NOT_A_MENTION"}.get(concept, concept)
        if accepted not in {option["id"] for option in row["options"]}:
            row["options"].append({"id": accepted, "text": "added by the annotator"})
        rows.append(row | {"answer": "accept", "accept": [accepted]})
    proposed = {(row[_CARRIED]["doc_id"], row["spans"][0]["start"], row["spans"][0]["end"]) for row in rows}
    for linked in changed:
        for link in linked.links:
            span = {"start": link.mention.start, "end": link.mention.end}
            if (linked.document.id, *span.values()) not in proposed:
                marked = span | {"label": "CONCEPT" if link.concept_id else "NIL"}
                marked |= {"kb_id": link.concept_id} if link.concept_id else {}
                carried = {"doc_id": linked.document.id, "links": []}
                rows.append({"text": linked.document.text, "spans": [marked], "answer": "accept", _CARRIED: carried})
    _write_rows(path, rows)


def _edit_label_studio(exported: Path, path: Path, changed: list[LinkedDocument], answers: Answers) -> None:
    write_links(changed, path, format="label-studio")
    tasks, edited = (json.loads(file.read_text(encoding="utf-8")) for file in (exported, path))
    for number, (task, edit) in enumerate(zip(tasks, edited, strict=True), start=1):
        result = edit["predictions"][0]["result"]
        task |= {"id": number, "annotations": [{"id": number, "result": result}]}
    path.write_text(json.dumps(tasks), encoding="utf-8")


def _edit_medcattrainer(exported: Path, path: Path, changed: list[LinkedDocument], answers: Answers) -> None:
    export = json.loads(exported.read_text(encoding="utf-8"))
    for document, linked in zip(export["projects"][0]["documents"], changed, strict=True):
        rows = document["annotations"]
        spans = {(row["start"], row["end"]) for row in rows}
        for row in rows:
            concept = answers[document["name"]][row["start"], row["end"]]
            row["validated"] = True
            if concept == NO_MENTION:
                row["deleted"] = True
            elif concept == row["cui"]:
                row["correct"] = True
            else:
                row |= {"alternative": True, "cui": concept or "NIL"}
        for link in linked.links:
            span = {"start": link.mention.start, "end": link.mention.end}
            if tuple(span.values()) not in spans:
                made = {"validated": True, "correct": True, "manually_created": True, "value": link.mention.surface}
                rows.append({"id": 1000 + len(rows), "cui": link.concept_id or "NIL", **span, **made})
    path.write_text(json.dumps(export), encoding="utf-8")


def _edit_doccano(exported: Path, path: Path, changed: list[LinkedDocument], answers: Answers) -> None:
    write_links(changed, path, format="doccano")
    pairs = zip(_rows(exported), _rows(path), strict=True)
    _write_rows(path, [edit | {_CARRIED: row[_CARRIED]} for row, edit in pairs])


def _edit_bioc_json(exported: Path, path: Path, changed: list[LinkedDocument], answers: Answers) -> None:
    write_links(changed, path, format="bioc-json")
    before, edited = (json.loads(file.read_text(encoding="utf-8")) for file in (exported, path))
    for document, edit in zip(before["documents"], edited["documents"], strict=True):
        edit["infons"][_CARRIED] = document["infons"][_CARRIED]
    path.write_text(json.dumps(edited), encoding="utf-8")


def _edit_bioc(exported: Path, path: Path, changed: list[LinkedDocument], answers: Answers) -> None:
    write_links(changed, path, format="bioc")
    infon = re.compile(rf'<infon key="{_CARRIED}">.*?</infon>', re.DOTALL)
    carried = iter(infon.findall(exported.read_text(encoding="utf-8")))
    path.write_text(infon.sub(lambda _: next(carried), path.read_text(encoding="utf-8")), encoding="utf-8")


def _edit_docbin(exported: Path, path: Path, changed: list[LinkedDocument], answers: Answers) -> None:
    write_links(changed, path, format="docbin")
    vocab = spacy.blank("en").vocab
    before, edited = (list(DocBin().from_disk(file).get_docs(vocab)) for file in (exported, path))
    for doc, edit in zip(before, edited, strict=True):
        edit.user_data["links"] = doc.user_data["links"]
        for span in edit.spans["medlink"]:
            if not span.kb_id_:
                span.label_ = "NIL"
    DocBin(attrs=["ENT_IOB"], store_user_data=True, docs=edited).to_disk(path)


_EDITS: Mapping[str, Callable[[Path, Path, list[LinkedDocument], Answers], None]] = {
    "prodigy": _edit_prodigy,
    "label-studio": _edit_label_studio,
    "medcattrainer": _edit_medcattrainer,
    "doccano": _edit_doccano,
    "bioc": _edit_bioc,
    "bioc-json": _edit_bioc_json,
    "docbin": _edit_docbin,
}


def run_week(week: Week, folder: Path, *, seed: int) -> dict[str, int | float]:
    """Annotates, imports everything in random order, and compares the ledger with the truth.

    :raises AssertionError: when the ledger is not the truth.
    """
    chance = random.Random(seed)
    answers = {annotator: differ(week.gold, week, chance) for annotator in ANNOTATORS}
    truth = {one for annotator in ANNOTATORS for one in truth_of(annotator, answers[annotator], week)}
    arrivals: list[tuple[str, Path]] = []
    for annotator in ANNOTATORS:
        for format in FORMATS:
            place = folder / annotator / format
            place.mkdir(parents=True)
            path = annotate(format, week, answers[annotator], place)
            arrivals += [(annotator, path), (annotator, path)]
            if format in _CUT:
                arrivals.append((annotator, break_copy(path, place / "broken", chance)))
    chance.shuffle(arrivals)
    started, totals = time.perf_counter(), {"n_records": 0, "n_refused": 0, "n_duplicates": 0, "n_repaired": 0}
    with Ledger.open(folder / "ledger.sqlite") as ledger:
        for annotator, path in arrivals:
            report = _take(path, annotator, ledger, week)
            for name in ("n_records", "n_refused", "n_duplicates"):
                totals[name] += getattr(report, name)
            totals["n_repaired"] += sum(report.repaired.values())
        seconds = time.perf_counter() - started
        ledger.verify()
        _compare(ledger, truth)
        decisions = list(decide_spans(ledger.current()))
    differing = {key for key, outcomes in _outcomes(truth).items() if len(outcomes) > 1}
    n_conflicts = sum(decision.basis is Basis.CONFLICT for decision in decisions)
    if n_conflicts != len(differing):
        raise AssertionError(f"{n_conflicts} conflicts, expected {len(differing)}")
    kappa = measure_agreement(decisions).kappa
    figures = {
        "n_files": len(arrivals),
        "n_truth": len(truth),
        "n_conflicts": n_conflicts,
        "kappa": round(kappa or 0, 4),
    }
    return {"n_documents": len(week.links), **figures, **totals, "seconds": round(seconds, 1)}


def _take(path: Path, annotator: str, ledger: Ledger, week: Week) -> Report:
    checks = Checks(IntakeOptions(annotator=annotator, time=_DAY))
    incoming = open_incoming([path], baseline=week.links)
    return ingest(incoming, ledger, checks=checks, mode=IntakeMode(ledger.path.with_name("quarantine")), now=_DAY)


def _compare(ledger: Ledger, truth: set[Said]) -> None:
    held = []
    for entry in ledger.events():
        said = entry.event.annotation
        where = (said.annotator, said.doc_id, said.start, said.end, said.surface)
        held.append((*where, said.verdict.value, said.concept_id))
    wrong, lost = set(held) - truth, truth - set(held)
    if wrong or lost or len(held) != len(truth):
        example = next(iter(wrong | lost))
        raise AssertionError(f"{len(wrong)} wrong, {len(lost)} lost, {len(held) - len(set(held))} doubled; {example}")


def _outcomes(truth: Iterable[Said]) -> dict[tuple[str, int, int], set[tuple[bool, str | None]]]:
    outcomes: dict[tuple[str, int, int], set[tuple[bool, str | None]]] = {}
    for _, doc_id, start, end, _, verdict, concept in truth:
        outcomes.setdefault((doc_id, start, end), set()).add((verdict == Verdict.NOT_A_MENTION, concept))
    return outcomes


def main() -> None:
    """Runs the week and writes the result down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    corpus = bench_data() / "bc5cdr" / "CDR_TrainingSet.PubTator.txt"
    week = make_week(corpus, n_documents=arguments.documents, chance=chance)
    with tempfile.TemporaryDirectory() as folder:
        figures = run_week(week, Path(folder), seed=arguments.seed)
    print("the ledger equals the truth: " + ", ".join(f"{name} {value:,}" for name, value in figures.items()))
    append_result("annotation_week", seed=arguments.seed, **figures)


if __name__ == "__main__":
    main()
