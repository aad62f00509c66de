"""A reader of brat standoff files, written from https://brat.nlplab.org/standoff.html and from nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_TEXT_BOUND = re.compile(r"(T\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t([^\t]*)")
_NORMALISATION = re.compile(r"(N\d+)\t(\S+) (T\d+) ([^\s:]+):(\S+)\t([^\t]*)")
_ATTRIBUTE = re.compile(r"(A\d+)\t(\S+) (T\d+)")
_NOTE = re.compile(r"(#\d+)\tAnnotatorNotes (T\d+)\t([^\t]*)")


@dataclass
class Entity:
    type: str
    fragments: list[tuple[int, int]]
    text: str
    references: list[tuple[str, str, str]] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_brat(stem: Path) -> tuple[str, list[Entity]]:
    """The text and the entities of a document; every line must be understood and fit the text."""
    text = Path(f"{stem}.txt").read_bytes().decode()
    entities: dict[str, Entity] = {}
    seen: set[str] = set()
    lines = Path(f"{stem}.ann").read_bytes().decode()
    assert lines == "" or lines.endswith("\n")
    for line in lines.splitlines():
        assert line.split("\t")[0] not in seen, "ids are unique"
        seen.add(line.split("\t")[0])
        if match := _TEXT_BOUND.fullmatch(line):
            key, kind, offsets, surface = match.groups()
            fragments = [(int(a), int(b)) for a, b in (pair.split(" ") for pair in offsets.split(";"))]
            assert fragments == sorted(fragments)
            assert all(start < end <= len(text) for start, end in fragments)
            assert surface == " ".join(text[start:end] for start, end in fragments)
            entities[key] = Entity(kind, fragments, surface)
        elif match := _NORMALISATION.fullmatch(line):
            _, kind, target, database, key, name = match.groups()
            assert kind == "Reference"
            entities[target].references.append((database, key, name))
        elif match := _ATTRIBUTE.fullmatch(line):
            entities[match[3]].attributes.append(match[2])
        else:
            match = _NOTE.fullmatch(line)
            assert match, "a line that the format does not know"
            entities[match[2]].notes.append(match[3])
    return text, list(entities.values())
