"""XML that others wrote: parsed without entities, without a DTD, without the network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from medlink.errors import CorpusFormatError
from medlink.extras import import_extra

#: The characters that XML 1.0 cannot hold.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# The parser's own limits stay on: text nodes of 10 MB, nesting of 256 elements.
_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def parse_xml(data: bytes) -> Any:  # noqa: ANN401 - lxml has no types
    """The root element. A ``DOCTYPE`` may be there, as in BioC, but is not read.

    :raises CorpusFormatError: when the XML is broken or declares an entity: none of the formats that are read needs
        one, and an entity can read files and fill the memory.
    """
    etree = _etree()
    try:
        root = etree.fromstring(data, etree.XMLParser(**_SAFE))
    except etree.XMLSyntaxError as error:
        raise _broken(error) from None
    except ValueError:
        raise CorpusFormatError("broken XML") from None
    _check_entities(root)
    return root


def iterate_xml(stream: BinaryIO, *, root: str, tag: str) -> Iterator[Any]:
    """The elements with a tag, one at a time, each to be used before the next is asked for. Constant memory.

    :param root: the tag that the first element must have.
    :raises CorpusFormatError: as :func:`parse_xml` does, behind the elements before the broken place.
    """
    context = _etree().iterparse(stream, events=("end",), tag=tag, **_SAFE)
    for element in _parsed(context):
        _check_root(element.getroottree().getroot(), root)
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    _check_root(context.root, root)


def _parsed(context: Any) -> Iterator[Any]:  # noqa: ANN401
    """The elements that a parser comes to, its errors as ours."""
    try:
        for _, element in context:
            yield element
    except _etree().XMLSyntaxError as error:
        raise _broken(error) from None
    except ValueError:
        raise CorpusFormatError("broken XML") from None


def _check_root(element: Any, tag: str) -> None:  # noqa: ANN401
    _check_entities(element)
    if element.tag != tag:
        raise CorpusFormatError("another kind of XML", expected=f"<{tag}> as the first element")


def _broken(error: Any) -> CorpusFormatError:  # noqa: ANN401
    """What is wrong, without the parser's own words, which may quote the text."""
    kind = error.error_log[0].type_name if len(error.error_log) else "not XML"
    return CorpusFormatError(f"broken XML: {kind} (line {error.lineno})")


def _check_entities(root: Any) -> None:  # noqa: ANN401
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise CorpusFormatError("refused: the XML declares an entity")


def _etree() -> Any:  # noqa: ANN401
    return import_extra("lxml.etree", what="reading XML", extra="annotation")
