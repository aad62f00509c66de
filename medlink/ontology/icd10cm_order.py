"""ICD-10-CM of any year, from the lists of codes that CDC and CMS publish.

Columns after "icd10OrderFiles.pdf", which comes with the lists
(https://www.cms.gov/medicare/coding-billing/icd-10-codes): order number, code without dot, whether the code is valid
for claims, short and long description.
"""

from __future__ import annotations

import re
from pathlib import Path

from tqdm import tqdm

from medlink.errors import OntologyFormatError
from medlink.ontology.drafts import Draft, Drafts
from medlink.ontology.parts import Release
from medlink.ontology.source import Ontology, tidy

PREFIX = "ICD10CM"
ORDER = "icd10cm-order"
FILES = {ORDER: r"icd10cm[-_]order[-_]\d{4}\.txt"}
#: What a line of either list looks like.
LINE = re.compile(r"(?:\d{5} (?P<code>\w{3,7}) *[01] .{60} (?P<long>.*\S)|(?P<only>[A-Z]\w{2,6}) +(?P<text>\S.*))\s*$")
_ANY_NAME = {ORDER: r".*"}


def read_icd10cm_order(path: Path, *, name: str, show_progress: bool = False) -> Ontology:
    """The codes of ``icd10cm-order-2025.txt``, or of ``icd10cm-codes-2025.txt``, which has only those for claims.

    The parent of a code is the longest code that it begins with. Neither list has synonyms: the tabular list has, see
    :func:`medlink.ontology.icd10cm.read_icd10cm`. The version is the year in the file's name.

    :param name: the ontology's key in the catalogue.
    :raises OntologyFormatError: when a line has another form; names file and line.
    """
    release = Release(path, FILES if path.is_dir() or path.suffix == ".zip" else _ANY_NAME)
    release.need(ORDER)
    drafts = Drafts()
    for line in tqdm(release.lines(ORDER), desc=f"reading {path.name}", unit=" codes", disable=not show_progress):
        if not line.text.strip():
            continue
        found = LINE.match(line.text)
        if not found:
            raise OntologyFormatError(
                "a line of another form",
                where=line.where,
                expected="order number, code, 0 or 1, short and long description in fixed columns",
            )
        code = found["code"] or found["only"]
        draft = drafts[code] = Draft(_dotted(code), types=(_level(code),))
        draft.name_it(tidy(found["long"] or found["text"]), (0,))
    for code, draft in drafts.items():
        above = next((code[:n] for n in range(len(code) - 1, 2, -1) if code[:n] in drafts), None)
        if above:
            draft.put_below(_dotted(above))
    year = re.search(r"(?<!\d)20\d\d(?!\d)", path.name)
    return drafts.collect(release, name=name, title="ICD-10-CM", version=year.group() if year else "")


def _dotted(code: str) -> str:
    return f"{PREFIX}:{code[:3]}.{code[3:]}" if len(code) > 3 else f"{PREFIX}:{code}"


def _level(code: str) -> str:
    if len(code) == 3:
        return "category"
    return "extended subcategory" if len(code) == 7 else "subcategory"
