"""PubTator output: title line, abstract line and one tab-separated line per mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from medlink.formats.decision import decide
from medlink.records import LinkedDocument

# What `str.splitlines` breaks at, and the tab that separates fields.
_BREAK = re.compile(r"[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_ESCAPED = re.compile(r"[%|\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# The first line with something in it, as far as its last character that is no white space.
_TITLE = re.compile(r"\s*\S(?:[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]*\S)?")
NIL = "-1"


def write_pubtator(links: Iterable[LinkedDocument], stream: BinaryIO) -> None:
    r"""UTF-8 records, each ended by an empty line: ``id|t|title``, ``id|a|abstract``, then a line per mention.

    The format counts offsets in ``title + one character + abstract`` and knows no line breaks, so a note maps like
    this, and every offset stays as it is: the title is the first line that is not empty, without the white space
    behind it; the one character is the white space that follows it; the abstract is all the rest; and every line break
    or tab is a space (``\r\n`` is two). A ``|``, ``%``, tab or line break in a document id is %-escaped.

    A NIL mention has ``-1`` for its concept, as in the BC5CDR corpus; the type is the recogniser's label, else
    ``Concept``. PubTator has no place for **assertion, scores, alternatives, sections and long forms**: they are left
    out, so a negated finding looks like any other. Constant memory.

    Format: Wei et al. 2013, "PubTator: a web-based text mining tool"; Li et al. 2016 for ``-1``.
    """
    for linked in links:
        stream.write("".join(f"{line}\n" for line in _lines(linked)).encode() + b"\n")


def split_text(text: str) -> tuple[str, str]:
    r"""Title and abstract of a note: ``title + " " + abstract`` holds each of its characters at its own offset.

    >>> split_text("HISTORY: \nFits.\r\nNo fever.")
    ('HISTORY:', ' Fits.  No fever.')
    """
    match = _TITLE.match(text)
    end = match.end() if match else 0
    flat = _BREAK.sub(" ", text)
    return flat[:end], flat[end + 1 :]


def _lines(linked: LinkedDocument) -> Iterator[str]:
    doc_id = _ESCAPED.sub(lambda match: f"%{ord(match.group()):02X}", linked.document.id)
    title, abstract = split_text(linked.document.text)
    yield f"{doc_id}|t|{title}"
    yield f"{doc_id}|a|{abstract}"
    for link in linked.links:
        mention = link.mention
        concept_id = decide(link).concept_id or NIL
        kind = mention.label or "Concept"
        surface = _BREAK.sub(" ", mention.surface)
        yield "\t".join((doc_id, str(mention.start), str(mention.end), surface, _BREAK.sub(" ", kind), concept_id))
