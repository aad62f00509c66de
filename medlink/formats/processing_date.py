"""The day on which notes are processed, for formats that must state it."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

from medlink.errors import SettingError

#: The convention of reproducible builds: where it is set, files state that time and not today's.
VARIABLE = "SOURCE_DATE_EPOCH"


def processing_date() -> date:
    """Today in UTC; where ``SOURCE_DATE_EPOCH`` is set, the day of that number of seconds since 1970.

    A day and no time, so that runs of one day write the same bytes.

    :raises SettingError: when the variable holds no such number.
    """
    stated = os.environ.get(VARIABLE)
    if stated is None:
        return datetime.now(UTC).date()
    try:
        return datetime.fromtimestamp(int(stated), UTC).date()
    except (ValueError, OverflowError, OSError):
        raise SettingError(
            "no time", where=VARIABLE, expected="seconds since 1970-01-01, a whole number", got=repr(stated)
        ) from None
