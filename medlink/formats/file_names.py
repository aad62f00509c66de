"""Document ids as names of files, and back."""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import unquote

_UNSAFE = re.compile(r'[\x00-\x1f\x7f"%*:<>?\\|]|^[. ]|[. ]\Z')
_MAX_NAME_BYTES = 200  # file systems stop at 255, and tools add suffixes of their own


def file_name(doc_id: str) -> str:
    """The document id as a relative path without suffix: "/" makes folders, what no file system takes is %-escaped.

    Different ids get different names; none leaves the folder. Long parts are cut and end in a digest.

    >>> file_name("ward 3/note.1"), file_name("../a:b"), file_name("/x")
    ('ward 3/note.1', '%2E%2E/a%3Ab', '%/x')
    """
    return "/".join(map(_file_name_part, doc_id.split("/")))


def _file_name_part(part: str) -> str:
    safe = _UNSAFE.sub(lambda match: f"%{ord(match.group()):02X}", part) or "%"
    if len(safe.encode()) <= _MAX_NAME_BYTES:
        return safe
    head = safe.encode()[: _MAX_NAME_BYTES - 17].decode(errors="ignore")
    return f"{head}-{sha256(part.encode()).hexdigest()[:16]}"


def doc_id_of(name: str) -> str:
    """The document id that :func:`file_name` made the name of, unless it had to cut it.

    >>> doc_id_of("%2E%2E/a%3Ab")
    '../a:b'
    """
    return "/".join("" if part == "%" else unquote(part) for part in name.split("/"))
