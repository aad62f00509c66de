"""What a user may choose about how a file is read, from the command line or from a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from medlink.errors import SettingError

Options = TypeVar("Options", bound="ReaderOptions")


class ReaderOptions(BaseModel):
    """The options that every format has; each format adds its own.

    Values that are lists are written as a TOML list, or as one string with commas between the items; switches are
    ``yes`` or ``no``.

    :param version: the release, where the file does not say it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str = ""

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {key: _split(value) if cls._is_list(key) else value for key, value in values.items()}

    @classmethod
    def _is_list(cls, key: str) -> bool:
        return key in cls.model_fields and get_origin(cls.model_fields[key].annotation) is tuple


def make_options(model: type[Options], given: Mapping[str, Any], format_name: str) -> Options:
    """The options of a format.

    :raises SettingError: when there is no such option, or its value is none; names those that there are.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "options"
        if first["type"] == "extra_forbidden":
            raise SettingError(
                f"the format {format_name!r} has no option {name!r}",
                where="--option",
                expected=f"one of {', '.join(model.model_fields)}",
            ) from error
        raise SettingError(
            f"a wrong value for the option {name!r} of the format {format_name!r}",
            where="--option",
            expected=first["msg"],
            got=repr(given.get(name)),
        ) from error


def parse_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Options as the command line has them, each ``NAME=VALUE``.

    >>> parse_pairs(["sources=MSH,HPO", "suppressible=yes"])
    {'sources': 'MSH,HPO', 'suppressible': 'yes'}

    :raises SettingError: when one has no ``=``, or comes twice.
    """
    options: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals) or name in options:
            raise SettingError("no option of a reader", where="--option", expected="NAME=VALUE, once", got=pair)
        options[name] = value
    return options


def _split(value: object) -> object:
    return [item for item in map(str.strip, value.split(",")) if item] if isinstance(value, str) else value
