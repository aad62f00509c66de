"""Optional packages: found, or named with the line that installs them."""

from __future__ import annotations

import math

import pytest

from medlink.errors import MissingExtraError
from medlink.extras import import_extra


def test_import_extra_is_the_module() -> None:
    assert import_extra("math", what="a test") is math


def test_import_extra_says_who_needs_it_and_how_to_install_it() -> None:
    message = r"^no_such_package: a chart needs a package .* pip install 'medlink\[web\]'$"
    with pytest.raises(MissingExtraError, match=message):
        import_extra("no_such_package.part", what="a chart", extra="web")
