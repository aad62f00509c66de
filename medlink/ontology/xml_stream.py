"""Large XML files, one record at a time: without entities, without a DTD, without the network."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from medlink.errors import OntologyFormatError
from medlink.extras import import_extra
from medlink.ontology.parts import Part


def iterate_records(part: Part, tags: Collection[str]) -> Iterator[Any]:
    """The elements with one of the tags, each to be used before the next is asked for. Constant memory.

    :raises OntologyFormatError: when the XML is broken, behind the records before that place; names file and line.
    """
    etree = import_extra("lxml.etree", what="reading XML", extra="ontology")
    with part.open() as stream:
        context = etree.iterparse(
            stream,
            events=("end",),
            tag=tuple(tags),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
        )
        try:
            for _, element in context:
                yield element
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            raise OntologyFormatError(
                "the file is no XML", where=f"{part}:{error.lineno or 1}", expected="well-formed XML", got=error.msg
            ) from error
