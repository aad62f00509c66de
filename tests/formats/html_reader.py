"""A strict reader of the HTML output on Python's own parser: text, marks, cards and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "input", "link", "br"}


@dataclass
class Mark:
    look: str
    id: str | None
    card: str
    pieces: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class Page:
    texts: list[str] = field(default_factory=list)
    marks: list[list[Mark]] = field(default_factory=list)
    cards: dict[str, str] = field(default_factory=dict)
    tables: list[list[str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    addresses: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.stack: list[tuple[str, dict[str, str | None]]] = []
        self.open_marks: list[Mark] = []

    def _inside(self, name: str) -> dict[str, str | None] | None:
        return next((attrs for tag, attrs in self.stack if name in (tag, *(attrs.get("class") or "").split())), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        page = self.page
        page.tags.add(tag)
        page.addresses.extend(
            v or "" for k, v in attrs if k in ("src", "href", "action", "data") and not (v or "").startswith("#")
        )
        page.targets.extend((v or "")[1:] for k, v in attrs if k == "href" and (v or "").startswith("#"))
        page.targets.extend(v or "" for k, v in attrs if k in ("aria-describedby", "aria-labelledby"))
        if values.get("id"):
            assert values["id"] not in page.ids, "ids are unique"
            page.ids.append(values["id"] or "")
        if tag == "div" and values.get("class") == "text":
            page.texts.append("")
            page.marks.append([])
        if tag == "mark" and self._inside("text") is not None:
            mark = Mark(values["class"] or "", values.get("id"), values["data-card"] or "")
            page.marks[-1].append(mark)
            self.open_marks.append(mark)
        if tag == "tbody":
            page.tables.append([])
        if tag == "tr" and self._inside("tbody") is not None:
            page.tables[-1].append("")
        if tag not in _VOID:
            self.stack.append((tag, values))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self.stack.pop()
        assert opened == tag, "tags nest"
        if tag == "mark" and self.open_marks:
            self.open_marks.pop()

    def handle_data(self, data: str) -> None:
        page = self.page
        if self._inside("text") is not None:
            for mark in self.open_marks:
                mark.pieces.append((len(page.texts[-1]), data))
            page.texts[-1] += data
        card = self._inside("card")
        if card is not None:
            key = card["id"] or ""
            page.cards[key] = page.cards.get(key, "") + data
        if self._inside("tbody") is not None and self._inside("tr") is not None:
            page.tables[-1][-1] += data
        if self._inside("h2") is not None and self._inside("article") is not None:
            page.titles.append(data)


def read_html(page: str) -> Page:
    """The parts of a page; every tag must be closed in order, every id unique, every link within the page."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.stack == []
    assert set(reader.page.targets) <= set(reader.page.ids)
    return reader.page
