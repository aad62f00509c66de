"""The device that a training runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medlink.errors import SettingError
from medlink.extras import import_extra

if TYPE_CHECKING:
    from accelerate import Accelerator


def open_accelerator(device: str) -> Accelerator:
    """The accelerator for a device: ``cpu``, ``cuda`` or ``mps``.

    :raises MissingExtraError: when accelerate is not installed.
    :raises SettingError: when this machine has no such device, or several processes were launched.
    """
    accelerate = import_extra("accelerate", what="training")
    accelerator: Accelerator = accelerate.Accelerator(cpu=device == "cpu")
    if accelerator.device.type != device:
        raise SettingError(
            "this machine has no such device", where="device", expected=f"cpu or {accelerator.device.type}", got=device
        )
    if accelerator.num_processes > 1:
        raise SettingError("training runs in one process", got=f"{accelerator.num_processes}")
    return accelerator
