"""ICD-11 for mortality and morbidity statistics, from WHO's simple tabulation.

Columns after the file that WHO offers under "Info" at https://icd.who.int/browse
(``SimpleTabulation-ICD-11-MMS-en.txt``), kinds of entities after the ICD-11 Reference Guide, section 1.2
(https://icdcdn.who.int/icd11referenceguide/en/html/index.html).
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release, part_lines
from medlink.ontology.source import Ontology, tidy

PREFIX = "ICD11"
TABULATION = "SimpleTabulation"
FILES = {TABULATION: r".*\.(?:txt|tsv|csv)"}
KEY = r"SimpleTabulation.*\.(?:txt|tsv)"
_VERSION = re.compile(r"Version:(\d{4} \w{3} \d{1,2})")
_DASHES = re.compile(r"^(?:-\s+)+")
_FOUNDATION = "icd11.foundation"


class Icd11Options(ReaderOptions):
    """What is read of ICD-11.

    :param chapters: ChapterNo values, such as 01 and X. Empty for all.
    :param residual: whether the categories "other specified" and "unspecified" are read.
    """

    chapters: tuple[str, ...] = ()
    residual: bool = True


def read_icd11(path: Path, *, name: str, show_progress: bool = False, options: Icd11Options | None = None) -> Ontology:
    """The categories of the simple tabulation, as text, gzipped, or in the zip archive that WHO offers.

    Chapters and blocks are left out, as nobody codes by them. Parents are the categories above; the entity of the
    Foundation is a cross-reference (``icd11.foundation:257068234``). The file has titles only: no synonyms. Ids are
    ``ICD11:1A00``.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a column is missing or a row is broken; names file and line.
    """
    options = options or Icd11Options()
    release = Release(path, FILES)
    release.need(TABULATION)
    drafts, above = Drafts(), dict[int, str]()
    columns = ("Foundation URI", "Code", "Title", "ClassKind", "DepthInKind", "IsResidual", "ChapterNo")
    rows = release.csv_tables(TABULATION, columns, "\t")
    for _, cells in tqdm(rows, desc="reading ICD-11", unit=" rows", disable=not show_progress):
        uri, code, title, kind, depth, residual, chapter = map(tidy, cells)
        if kind != "category":
            above.clear()
            continue
        level = int(depth) if depth.isdigit() else 1
        # Of the categories read so far, the one above is the last that is less deep.
        above = {place: found for place, found in above.items() if place < level}
        if not code or (options.chapters and chapter not in options.chapters):
            continue
        if residual.lower() == "true" and not options.residual:
            continue
        draft = drafts[code] = Draft(f"{PREFIX}:{code}", types=("category",))
        draft.name_it(_DASHES.sub("", title), (0,))
        entity = uri.rpartition("/")[2]
        if entity.isdigit():
            draft.refer(f"{_FOUNDATION}:{entity}")
        if above:
            draft.put_below(above[max(above)])
        above[level] = draft.id
    return drafts.collect(release, name=name, title="ICD-11 MMS", version=_find_version(release))


def _find_version(release: Release) -> str:
    """The day that the header names; empty where it names none."""
    header = next(part_lines(release.parts(TABULATION)[0]))
    found = _VERSION.search(header.text)
    return datetime.strptime(found[1], "%Y %b %d").date().isoformat() if found else ""
