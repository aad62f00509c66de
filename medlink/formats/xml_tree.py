"""XML that others wrote: parsed without entities, without a DTD, without the network."""

from __future__ import annotations

import re
from typing import Any

from medlink.errors import CorpusFormatError
from medlink.extras import import_extra

#: The characters that XML 1.0 cannot hold.
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_xml(data: bytes) -> Any:  # noqa: ANN401 - lxml has no types
    """The root element.

    A ``DOCTYPE`` may be there, as in BioC, but is not read. Text nodes of 10 MB and nesting of 256 elements are the
    parser's limits.

    :raises CorpusFormatError: when the XML is broken or declares an entity: none of the formats that are read needs
        one, and an entity can read files and fill the memory.
    """
    etree = import_extra("lxml.etree", what="reading XML", extra="annotation")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        kind = error.error_log[0].type_name if len(error.error_log) else "not XML"
        raise CorpusFormatError(f"broken XML: {kind} (line {error.lineno})") from None
    except ValueError:
        raise CorpusFormatError("broken XML") from None
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise CorpusFormatError("refused: the XML declares an entity")
    return root
