"""The names of the sections of clinical notes: what a heading means, however it is written."""

from __future__ import annotations

import csv
import re
from functools import cache
from importlib.resources import files

# What the table has for the heading of a body system, which stands within another section.
SYSTEM = "(system)"
_REMARK = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_NO_LETTERS = re.compile(r"[^a-z]+")
_FILLERS = frozenset({"the", "his", "her", "patient", "pertinent", "significant", "relevant", "additional", "detailed"})


def normalise_heading(heading: str) -> str:
    """A heading in lower case, without marks, remarks in brackets and words that change nothing.

    >>> normalise_heading("Pertinent FAMILY  HISTORY (per mother):"), normalise_heading("A/P"), normalise_heading("FHx")
    ('family history', 'a p', 'fhx')
    """
    letters = _NO_LETTERS.sub(" ", _REMARK.sub(" ", heading.lower()).replace("&", " and "))
    words = [word for word in letters.split() if word not in _FILLERS]
    return " ".join(words)


def section_of(heading: str) -> str | None:
    """The section that a heading opens, ``None`` where no known heading reads like that.

    >>> section_of("PMH"), section_of("Past Medical & Surgical History"), section_of("Weather")
    ('past medical history', 'past medical history', None)
    """
    return _table().get(normalise_heading(heading))


def nearest_section_of(heading: str) -> str | None:
    """The section of the longest known heading that this one starts or ends with; ``None`` where there is none.

    One word is not enough to tell of relatives: "FATHER NOTIFIED" is no family history.

    >>> nearest_section_of("PHYSICAL EXAMINATION ON ADMISSION"), nearest_section_of("GROSS OPERATIVE FINDINGS")
    ('physical examination', 'findings')
    """
    words = normalise_heading(heading).split()
    for n_words in range(len(words) - 1, 0, -1):
        for part in (words[:n_words], words[-n_words:]):
            section = _table().get(" ".join(part))
            if section is not None and len(" ".join(part)) > 3 and not (n_words == 1 and section == "family history"):
                return section
    return None


@cache
def _table() -> dict[str, str]:
    """Sections by normalised heading; the file says how often each heading stands in which collection of notes."""
    source = files("medlink.detection").joinpath("section_headings.csv").read_text(encoding="utf-8")
    return {row["heading"]: row["section"] for row in csv.DictReader(source.splitlines())}
