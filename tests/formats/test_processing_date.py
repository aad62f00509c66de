from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from medlink.errors import SettingError
from medlink.formats.processing_date import VARIABLE, processing_date


def test_processing_date_is_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    before = datetime.now(UTC).date()
    assert before <= processing_date() <= datetime.now(UTC).date()


def test_processing_date_is_what_the_environment_states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1735689599")
    assert processing_date() == date(2024, 12, 31)


@pytest.mark.parametrize("stated", ["", "today", "1" * 30])
def test_processing_date_refuses_what_is_no_time(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv(VARIABLE, stated)
    with pytest.raises(SettingError, match="SOURCE_DATE_EPOCH: no time"):
        processing_date()
