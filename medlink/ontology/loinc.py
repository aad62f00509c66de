"""LOINC, from the tables of a release.

Columns after the LOINC Users' Guide, appendix A "LOINC database structure" (https://loinc.org/kb/users-guide/).
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.options import ReaderOptions
from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, tidy
from medlink.records import Scope

PREFIX = "LOINC"
TABLE, CORE, MAPS = "Loinc.csv", "LoincTableCore.csv", "MapTo.csv"
FILES = {TABLE: r"Loinc\.csv", CORE: r"LoincTableCore\.csv", MAPS: r"MapTo\.csv"}
_DEPRECATED = "DEPRECATED"


class LoincOptions(ReaderOptions):
    """What is read of LOINC.

    :param classes: CLASS values, such as CHEM and HEM/BC. Empty for all.
    :param class_types: CLASSTYPE values: 1 laboratory, 2 clinical, 3 claims attachments, 4 surveys. Empty for all.
    :param related: whether RELATEDNAMES2 gives related names: single words such as ``Quantitative``, which
        thousands of codes share.
    """

    classes: tuple[str, ...] = ()
    class_types: tuple[str, ...] = ()
    related: bool = False


def read_loinc(path: Path, *, name: str, show_progress: bool = False, options: LoincOptions | None = None) -> Ontology:
    """The codes of a release folder or zip archive, or of a single Loinc.csv or LoincTableCore.csv.

    The preferred name is the long common name; short, display and consumer names are synonyms, the class is the
    semantic type. Deprecated codes are obsolete and lead where MapTo.csv says. The release is the latest
    VersionLastChanged. Parts and the hierarchy are not read. Ids are ``LOINC:2345-7``.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a table or a column is missing, or a row is broken; names file and line.
    """
    options = options or LoincOptions()
    release = Release(path, FILES)
    table = TABLE if TABLE in release else CORE
    release.need(table)
    drafts = Drafts()
    versions: dict[tuple[int, ...], str] = {(0,): ""}
    columns = (
        "LOINC_NUM", "LONG_COMMON_NAME", "SHORTNAME", "CLASS", "CLASSTYPE", "STATUS", "?VersionLastChanged",
        "?CONSUMER_NAME", "?DisplayName", "?RELATEDNAMES2", "?DefinitionDescription",
    )  # fmt: skip
    rows = release.csv_tables(table, columns, ",")
    for _, cells in tqdm(rows, desc=f"reading {table}", unit=" rows", disable=not show_progress):
        code, long, short, kind, class_type, status, version, consumer, display, related, definition = map(tidy, cells)
        versions[_numbers(version)] = version
        if (options.classes and kind not in options.classes) or (
            options.class_types and class_type not in options.class_types
        ):
            continue
        draft = drafts[code] = Draft(f"{PREFIX}:{code}", obsolete=status == _DEPRECATED, types=(kind,) if kind else ())
        draft.name_it(long, (0,))
        draft.name_it(display, (1,))
        draft.name_it(short, (2,), kind="short name")
        draft.name_it(consumer, (3,), kind="layperson")
        for text in related.split(";") if options.related else ():
            draft.name_it(tidy(text), (4,), scope=Scope.RELATED)
        draft.define(definition, (0,))
    for _, (retired, successor) in release.csv_tables(MAPS, ("LOINC", "MAP_TO"), ","):
        if retired in drafts and drafts[retired].obsolete:
            drafts[retired].replaced_by += (f"{PREFIX}:{successor}",)
    return drafts.collect(release, name=name, title="LOINC", version=versions[max(versions)])


def _numbers(version: str) -> tuple[int, ...]:
    """The parts of a version that are numbers, to compare: 2.8 came before 2.78.

    >>> _numbers("2.78") > _numbers("2.8"), _numbers("1.0i")
    (True, (1,))
    """
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    return numbers or (0,)
