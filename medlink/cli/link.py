"""``medlink link``: notes in, links out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import click
from tqdm import tqdm

from medlink import __version__
from medlink.cli.corrections import corrections_option, load_corrections
from medlink.cli.link_log import log_option, recorded
from medlink.cli.options import (
    detection_options,
    linker_options,
    make_detection,
    make_recipe,
    memory_option,
    threshold_option,
)
from medlink.cli.render import show_document
from medlink.errors import NoteReadError, SettingError
from medlink.formats.csv_table import write_csv
from medlink.formats.jsonl import write_jsonl
from medlink.formats.note_files import NoteOptions
from medlink.formats.notes import read_notes
from medlink.formats.shard_formats import SHARD_FORMATS
from medlink.formats.writers import FOLDER_FORMATS, WRITERS, check_note_id, check_output, is_held, write_links
from medlink.linking.journal import Journal
from medlink.linking.recipe import Recipe
from medlink.linking.selection import LinkFilter, Selection, make_filter
from medlink.linking.settings import LinkerSettings
from medlink.linking.shards import MANIFEST, ShardFolder, ShardPlan, figures_of
from medlink.records import Document, LinkedDocument
from medlink.store.release import BASE

# Formats that can be written to a pipe, note by note.
STREAMED: dict[str, Callable[[Iterable[LinkedDocument], BinaryIO], None]] = {"jsonl": write_jsonl, "csv": write_csv}
EXIT_SOME_SKIPPED = 3
EXIT_INTERRUPTED = 130


@dataclass(slots=True)
class Summary:
    """What a run did, counted while it goes on."""

    n_notes: int = 0
    n_links: int = 0
    n_nil: int = 0
    n_negated: int = 0
    n_dropped: int = 0
    n_unplaced: int = 0
    n_resumed: int = 0
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0
    written: list[str] = field(default_factory=list)

    def resume(self, *, n_notes: int, n_mentions: int, n_links: int, n_negated: int) -> None:
        """Adds the notes of an interrupted run."""
        self.n_resumed = self.n_notes = n_notes
        self.n_links, self.n_nil, self.n_negated = n_links, n_mentions - n_links, n_negated

    def count(self, linked: LinkedDocument, *, n_dropped: int, format: str) -> None:
        """Adds one note."""
        self.n_notes += 1
        self.n_dropped += n_dropped
        for link in linked.links:
            self.n_unplaced += not is_held(link, format=format)
            self.n_links += link.concept_id is not None
            self.n_nil += link.concept_id is None
            self.n_negated += link.concept_id is not None and link.mention.assertion.negated


@click.command(name="link", short_help="Link the concepts in notes to an ontology.")
@click.argument("sources", nargs=-1, required=True, metavar="NOTES...")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help=f"File to write, or folder for {', '.join(sorted(FOLDER_FORMATS))}. "
    "[default: standard output, as JSONL or CSV]",
)
@click.option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(sorted(WRITERS)),
    default="jsonl",
    show_default=True,
    help="Output format.",
)
@linker_options
@click.option(
    "--top-k", default=5, show_default=True, type=click.IntRange(1, 100), help="Candidates to show for each mention."
)
@threshold_option
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="PREFIX",
    help="Also write the ids of this system, such as OMIM or SNOMEDCT, that the ontology holds equal to each link's "
    "concept (may be given several times).",
)
@corrections_option
@click.option(
    "--drop",
    metavar="LABELS",
    default="",
    help="Leave out mentions with one of these labels: negated, uncertain, historical, hypothetical, family; "
    "several are joined by commas.",
)
@click.option(
    "--keep-branch",
    "keep_branches",
    multiple=True,
    metavar="ID",
    help="Write only links to this concept and all below it; all else is still linked to (may be given several times).",
)
@click.option(
    "--keep-type",
    "keep_types",
    multiple=True,
    metavar="TYPE",
    help="Write only links to concepts of this semantic type (may be given several times).",
)
@detection_options
@memory_option
@log_option
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Processes; the links are the same for any number.",
)
@click.option(
    "--shard-notes",
    type=click.IntRange(1),
    metavar="N",
    help="Write a folder of files of N notes each, with a manifest; --resume then goes on behind the last whole file. "
    f"For {', '.join(SHARD_FORMATS)}.",
)
@click.option("--resume", is_flag=True, help="Go on where an interrupted run with the same settings stopped.")
@click.option(
    "--text-field", default="text", show_default=True, help="Column or key of the text, in .jsonl, .csv and .parquet."
)
@click.option(
    "--id-field", default="id", show_default=True, help="Column or key of the note's id, in .jsonl, .csv and .parquet."
)
@click.option("--show", is_flag=True, help="Also show the links of each note on the terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON on standard output.")
def link(sources: tuple[str, ...], **options: Any) -> None:
    """Find the concepts in NOTES and write which concept of the ontology each mention means.

    NOTES are files (.txt, .jsonl, .csv, .parquet), folders, patterns such as 'notes/**/*.txt', or - for standard
    input. Notes that cannot be read are named and skipped; the exit status is then 3. The first run with an ontology
    builds its index, which takes a minute or two for the Human Phenotype Ontology.
    """
    recipe = make_recipe(
        options,
        detection=make_detection(options),
        linking=LinkerSettings(top_k=options["top_k"], threshold=options["threshold"], maps=tuple(options["maps"])),
    )
    request = _Request(
        sources=sources,
        notes=NoteOptions(id_field=options["id_field"], text_field=options["text_field"]),
        recipe=replace(recipe, corrections=load_corrections(recipe, options["corrections"])),
        selection=Selection(
            drop=tuple(label.strip() for label in options["drop"].split(",") if label.strip()),
            branches=tuple(options["keep_branches"]),
            types=tuple(options["keep_types"]),
        ),
        n_workers=options["workers"],
        format=options["format_"],
        show=options["show"],
        is_logged=options["is_logged"],
    )
    summary, started = Summary(), time.monotonic()
    try:
        if options["shard_notes"] is not None:
            _to_shards(request, summary, options["out"], options["shard_notes"], resume=options["resume"])
        elif options["out"] is None:
            _to_standard_output(request, summary, resume=options["resume"], as_json=options["as_json"])
        else:
            _to_file(request, summary, options["out"], resume=options["resume"])
    except KeyboardInterrupt:
        click.echo(
            f"Stopped after {summary.n_notes} notes; the same command with --resume goes on from here.", err=True
        )
        raise SystemExit(EXIT_INTERRUPTED) from None
    summary.seconds = round(time.monotonic() - started, 2)
    _report(summary, as_json=options["as_json"])
    if summary.skipped:
        raise SystemExit(EXIT_SOME_SKIPPED)


@dataclass(frozen=True, slots=True)
class _Request:
    """What the user asked for."""

    sources: tuple[str, ...]
    notes: NoteOptions
    recipe: Recipe
    selection: Selection
    n_workers: int
    format: str
    show: bool
    is_logged: bool


def _to_standard_output(request: _Request, summary: Summary, *, resume: bool, as_json: bool) -> None:
    if request.format not in STREAMED or resume or as_json:
        raise SettingError(
            "this needs a file to write to",
            where="--out",
            expected=f"--out, or one of {', '.join(STREAMED)} without --resume and --json",
        )
    linked = _recorded(_annotate(_readable(request, summary), request), request)
    linked = _chosen(linked, _make_filter(request), request, summary)
    STREAMED[request.format](linked, sys.stdout.buffer)


def _to_file(request: _Request, summary: Summary, out: Path, *, resume: bool) -> None:
    """Links into a journal beside the output, then writes the output in one go: it is whole or absent."""
    check_output(out, format=request.format)
    wanted = _make_filter(request)
    run = {"medlink": __version__, "recipe": repr(request.recipe), "sources": repr(request.sources)}
    journal = Journal(out, run | {"release": Path(request.recipe.release).name or BASE})
    summary.n_resumed = journal.start(resume=resume)
    documents = _readable(request, summary)
    linked = journal.complete(documents, lambda rest: _annotate(rest, request), n_done=summary.n_resumed)
    for _ in _chosen(linked, wanted, request, summary):
        pass
    chosen = map(wanted.apply, _recorded(journal.read(), request))
    summary.written = [str(path) for path in write_links(chosen, out, format=request.format)]
    journal.remove()


def _to_shards(request: _Request, summary: Summary, out: Path | None, n_notes: int, *, resume: bool) -> None:
    """A file for every so many notes, each whole or absent, with a manifest beside them."""
    if out is None or request.format not in SHARD_FORMATS:
        raise SettingError(
            "shards need a folder and a format of files",
            where="--shard-notes",
            expected=f"--out and one of {', '.join(SHARD_FORMATS)}",
        )
    wanted = _make_filter(request)
    release = Path(request.recipe.release).name
    run = {
        "medlink": __version__,
        # Where indexes and releases lie and how many cores there are changes no link.
        "recipe": repr(replace(request.recipe, workspace=Path(), n_threads=1, release=release)),
        "selection": repr(request.selection),
    }
    shards = ShardFolder(out, ShardPlan(request.format, n_notes, run), request.sources)
    shards.start(resume=resume)
    summary.resume(**figures_of(shards.finished))
    for path in shards.complete(
        _readable(request, summary),
        lambda rest: _annotate(rest, request),
        lambda linked: _chosen(_recorded(linked, request), wanted, request, summary),
    ):
        summary.written.append(str(path))
    summary.written.append(str(out / MANIFEST))


def _annotate(documents: Iterable[Document], request: _Request) -> Iterator[LinkedDocument]:
    from medlink.linking.workers import (
        annotate,  # brings in spaCy and torch, which --help and bad arguments do not need
    )

    return annotate(documents, request.recipe, n_workers=request.n_workers, show_progress=sys.stderr.isatty())


def _recorded(linked: Iterable[LinkedDocument], request: _Request) -> Iterator[LinkedDocument]:
    """The documents, which go into the link log on their way: all of their links, also those that are not wanted."""
    return recorded(linked, request.recipe) if request.is_logged else iter(linked)


def _make_filter(request: _Request) -> LinkFilter:
    """The filter of a request; the ontology is read only for what asks for it, before any note is."""
    from medlink.linking.assemble import load_lexicon  # as above

    return make_filter(request.selection, lambda: load_lexicon(request.recipe, show_progress=sys.stderr.isatty()))


def _readable(request: _Request, summary: Summary) -> Iterator[Document]:
    """The notes that can be read; each of the others is named at once and counted."""
    for item in read_notes(request.sources, options=request.notes):
        if isinstance(item, NoteReadError):
            summary.skipped.append(str(item))
            click.echo(f"Skipped: {item}", err=True)
        else:
            check_note_id(item.id, format=request.format)
            yield item


def _chosen(
    linked: Iterable[LinkedDocument], wanted: LinkFilter, request: _Request, summary: Summary
) -> Iterator[LinkedDocument]:
    """The documents with the links that are wanted, counted and shown."""
    for document in tqdm(linked, desc="linking", unit="note", disable=None):
        chosen = wanted.apply(document)
        summary.count(chosen, n_dropped=len(document.links) - len(chosen.links), format=request.format)
        if request.show:
            show_document(chosen)
        yield chosen


def _report(summary: Summary, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(summary)))
        return
    resumed = f" ({summary.n_resumed} of them from the interrupted run)" if summary.n_resumed else ""
    dropped = f"{summary.n_dropped} mentions left out, " if summary.n_dropped else ""
    click.echo(
        f"{summary.n_notes} notes{resumed}, {summary.n_links} links ({summary.n_negated} negated), "
        f"{summary.n_nil} mentions without a concept, {dropped}{len(summary.skipped)} notes skipped, "
        f"{summary.seconds:.1f} s",
        err=True,
    )
    if summary.n_unplaced:
        click.echo(f"The format has no place for {summary.n_unplaced} of the mentions; they are not in it.", err=True)
    for path in summary.written[:5]:
        click.echo(f"Wrote {path}", err=True)
    if len(summary.written) > 5:
        click.echo(f"… and {len(summary.written) - 5} more files there", err=True)
