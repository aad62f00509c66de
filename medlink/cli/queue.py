"""``medlink queue``: which links annotators should look at next."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from medlink.cli.ingest import read_texts
from medlink.cli.options import workspace_option
from medlink.curation.queue import Asked, Question, QueueSettings, choose_questions, place_of, what_was_asked
from medlink.errors import CorpusFormatError
from medlink.formats.annotations import READERS
from medlink.formats.atomic import check_new_file, new_file
from medlink.formats.batch_files import Limits
from medlink.formats.csv_table import guard
from medlink.formats.decision import decide, round_score
from medlink.formats.lines import read_lines
from medlink.formats.note_files import printable
from medlink.formats.proposed import parse_links
from medlink.formats.question_csv import write_question_csv
from medlink.formats.writers import WRITERS, check_output, write_links
from medlink.records import Document, LinkedDocument
from medlink.store.ledger import Ledger
from medlink.store.workspace import Workspace, default_workspace_root

CSV = "csv"
FORMATS = tuple(sorted((WRITERS.keys() & READERS.keys()) - {"jsonl"}))
# Files of these keep no full record of what was proposed.
NEED_LINKS = frozenset({"medcattrainer", "pubtator", "cas-xmi", "cas-json"})
LIST_COLUMNS = (
    "question", "doc_id", "start", "end", "surface", "expanded", "concept_id", "concept_name", "score", "value",
    "n_alike", "random",
)  # fmt: skip


@click.command(name="queue", short_help="Choose the links that annotators should look at next.")
@click.argument(
    "links", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="LINKS..."
)
@click.option("--for", "format_", type=click.Choice(FORMATS), required=True, help="The tool that they annotate with.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write, or folder for brat, cas-xmi and cas-json.",
)
@click.option("--n", default=QueueSettings().n, show_default=True, type=click.IntRange(1), help="Questions at most.")
@click.option(
    "--random-share",
    default=QueueSettings().random_share,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Part of the questions to draw by chance: how many of those links annotators accept is an honest measure of "
    "how good the links are; of the others it is not, as they are the doubtful ones.",
)
@click.option("--seed", default=0, show_default=True, type=int, help="Another number draws other ones by chance.")
@click.option(
    "--notes",
    multiple=True,
    metavar="NOTES",
    help="The notes, as 'medlink link' takes them, where LINKS hold no texts (may be given several times).",
)
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print what was chosen and written as JSON.")
def queue(links: tuple[Path, ...], **options: Any) -> None:
    """Choose what to annotate next from LINKS, and write it for a tool.

    LINKS are files that 'medlink link --format jsonl' wrote. Chosen are the mentions whose answer is expected to change
    most links: the linker is in doubt, and the wording is frequent, as one answer counts for all mentions of a wording.
    A wording is asked about once (twice, in two notes, where the ontology gives it to several concepts), and what is in
    the ledger of the workspace is not asked again.

    Beside the output a list, OUT.list.csv, says why each mention was chosen and which ones were drawn by chance.
    Annotators should not see it. For medcattrainer, pubtator, cas-xmi and cas-json there is OUT.links.jsonl, too:
    ingest the answers with --links and that file, not with all links.
    """
    format, out = options["format_"], options["out"]
    settings = QueueSettings(options["n"], options["random_share"], options["seed"])
    plan = _Plan(out, format)
    plan.check()
    asked = _read_asked(Workspace(options["workspace"] or default_workspace_root()))
    read = tqdm(_read_documents(links), desc="reading", unit="note", disable=None)
    questions = choose_questions((link for linked in read for link in linked.links), asked, settings)
    chosen = _with_texts(_in_order(questions, _read_documents(links)), options["notes"])
    written = plan.write(questions, chosen)
    _report(questions, settings, len(chosen), written, plan, as_json=options["as_json"])


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where what is written goes."""

    out: Path
    format: str

    @property
    def list_path(self) -> Path:
        """The list of the questions."""
        return self.out.with_name(f"{self.out.name}.list.csv")

    @property
    def links_path(self) -> Path | None:
        """The chosen links, where the tool's files keep no record of them."""
        return self.out.with_name(f"{self.out.name}.links.jsonl") if self.format in NEED_LINKS else None

    def check(self) -> None:
        """Raises :class:`SettingError` where something cannot be written, before long work."""
        check_output(self.out, format=self.format)
        check_new_file(self.list_path)

    def write(self, questions: Sequence[Question], chosen: Sequence[LinkedDocument]) -> list[Path]:
        """Writes everything, the questions themselves first."""
        if self.format == CSV:
            with new_file(self.out) as stream:
                write_question_csv(chosen, stream)
        else:
            write_links(chosen, self.out, format=self.format)
        _write_list(questions, chosen, self.list_path)
        if self.links_path is None:
            return [self.out, self.list_path]
        return [self.out, self.list_path, *write_links(chosen, self.links_path, format="jsonl")]


def _read_asked(workspace: Workspace) -> Asked:
    if not workspace.ledger.exists():
        return Asked()
    with Ledger.read(workspace.ledger) as ledger:
        return what_was_asked(ledger.current())


def _read_documents(files: Iterable[Path]) -> Iterator[LinkedDocument]:
    """The linked notes of all files; a note that comes again would be asked about twice."""
    seen: set[str] = set()
    for file in files:
        with file.open("rb") as stream:
            lines = (line.data for line in read_lines(stream, Limits().line_bytes))
            for linked in parse_links(lines, printable(file)):
                if linked.document.id in seen:
                    raise CorpusFormatError(
                        f"document {linked.document.id!r} comes twice",
                        where=printable(file),
                        expected="each note once",
                        hint="Give only the newest links of a note.",
                    )
                seen.add(linked.document.id)
                yield linked


def _in_order(questions: Sequence[Question], documents: Iterable[LinkedDocument]) -> list[LinkedDocument]:
    """The documents with the links that are asked about alone, in the order of their first questions."""
    first: dict[str, int] = {}
    for number, question in enumerate(questions):
        first.setdefault(question.mention.doc_id, number)
    places = {question.place for question in questions}
    chosen = [
        replace(linked, links=tuple(link for link in linked.links if place_of(link.mention) in places))
        for linked in documents
        if linked.document.id in first
    ]
    return sorted(chosen, key=lambda linked: first[linked.document.id])


def _with_texts(documents: Sequence[LinkedDocument], notes: Sequence[str]) -> list[LinkedDocument]:
    """The documents, with the texts of the notes where they have none."""
    texts = read_texts(notes)
    return [linked if linked.document.text else _with_text(linked, texts) for linked in documents]


def _with_text(linked: LinkedDocument, texts: dict[str, str]) -> LinkedDocument:
    doc_id = linked.document.id
    text = texts.get(doc_id, "")
    for link in linked.links:
        mention = link.mention
        if text[mention.start : mention.end] != mention.surface:
            raise CorpusFormatError(
                "the links hold no text, and the note has another one" if text else "the links hold no text",
                where=f"document {doc_id!r}",
                expected="the notes that were linked",
                hint="Give them with --notes.",
            )
    return replace(linked, document=Document(doc_id, text))


def _write_list(questions: Sequence[Question], chosen: Iterable[LinkedDocument], path: Path) -> None:
    """A table of the questions, the most valuable first; safe to open in a spreadsheet."""
    decisions = {place_of(link.mention): decide(link) for linked in chosen for link in linked.links}
    with new_file(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        rows.writerow(LIST_COLUMNS)
        for number, question in enumerate(questions, start=1):
            mention, decision = question.mention, decisions[question.place]
            cells = (
                number,
                mention.doc_id,
                mention.start,
                mention.end,
                mention.surface,
                mention.expanded,
                decision.concept_id,
                decision.name,
                round_score(decision.score),
                round(question.value, 3),
                question.n_alike,
                "yes" if question.is_random else "no",
            )
            rows.writerow([guard(cell) if isinstance(cell, str) else cell for cell in cells])
        text.detach()


def _report(
    questions: Sequence[Question],
    settings: QueueSettings,
    n_documents: int,
    written: Sequence[Path],
    plan: _Plan,
    *,
    as_json: bool,
) -> None:
    n_random = sum(question.is_random for question in questions)
    expected = sum(question.value for question in questions if not question.is_random)
    if as_json:
        facts = {
            "n_questions": len(questions),
            "n_random": n_random,
            "n_documents": n_documents,
            "n_links_expected_to_change": round(expected, 1),
            "written": list(map(str, written)),
        }
        click.echo(json.dumps(facts))
        return
    click.echo(
        f"{len(questions):,} questions in {n_documents:,} notes, {n_random:,} of them drawn by chance; the answers to "
        f"the others are expected to change {expected:,.0f} links"
    )
    if len(questions) < settings.n:
        click.echo("There is nothing more to ask: all other wordings are in the queue or in the ledger.")
    for path in written:
        click.echo(f"Wrote {path}")
    if plan.links_path is not None:
        click.echo(f"Ingest the answers with: medlink ingest ANSWERS --links {plan.links_path}")
