"""The optional packages: imported where they are there, named with their install line where they are not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from medlink.errors import MissingExtraError


def import_extra(name: str, *, what: str, extra: str = "train") -> Any:  # noqa: ANN401
    """The module of that name.

    :param what: what needs it, as the subject of "needs a package that is not installed".
    :param extra: the group of medlink's optional dependencies that brings it.
    :raises MissingExtraError: when it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs a package that is not installed",
            where=name.partition(".")[0],
            hint=f"Run: pip install 'medlink[{extra}]'",
        ) from error
