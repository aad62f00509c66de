"""The optional packages that training needs, and the device that one of them finds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from medlink.errors import MissingExtraError, SettingError

if TYPE_CHECKING:
    from accelerate import Accelerator


def import_extra(name: str) -> Any:  # noqa: ANN401
    """The module of that name.

    :raises MissingExtraError: when it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingExtraError(
            "training needs a package that is not installed", where=package, hint="Run: pip install 'medlink[train]'"
        ) from error


def open_accelerator(device: str) -> Accelerator:
    """The accelerator for a device: ``cpu``, ``cuda`` or ``mps``.

    :raises MissingExtraError: when accelerate is not installed.
    :raises SettingError: when this machine has no such device, or several processes were launched.
    """
    accelerator: Accelerator = import_extra("accelerate").Accelerator(cpu=device == "cpu")
    if accelerator.device.type != device:
        raise SettingError(
            "this machine has no such device", where="device", expected=f"cpu or {accelerator.device.type}", got=device
        )
    if accelerator.num_processes > 1:
        raise SettingError("training runs in one process", got=f"{accelerator.num_processes}")
    return accelerator
