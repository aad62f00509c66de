"""The optional packages that training needs, and the device and the other processes that one of them finds."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from medlink.errors import MissingExtraError, SettingError
from medlink.training.processes import Processes


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


def join_processes(device: str) -> Processes:
    """The place of the running process among those that ``accelerate launch`` started.

    :param device: ``cpu``, ``cuda`` or ``mps``.
    :raises MissingExtraError: when accelerate is not installed.
    :raises SettingError: when this machine has no such device.
    """
    accelerator = import_extra("accelerate").Accelerator(cpu=device == "cpu")
    if accelerator.device.type != device:
        raise SettingError(
            "this machine has no such device", where="device", expected=f"cpu or {accelerator.device.type}", got=device
        )
    return Processes(accelerator.process_index, accelerator.num_processes, accelerator.device)
