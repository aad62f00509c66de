"""The device, and the other processes, that a training runs on."""

from __future__ import annotations

import os

from medlink.errors import SettingError
from medlink.extras import import_extra
from medlink.training.processes import ALONE, Processes


def join_processes(device: str) -> Processes:
    """The place of the running process among those that ``accelerate launch`` started.

    :param device: ``cpu``, ``cuda`` or ``mps``.
    :raises MissingExtraError: when accelerate is not installed.
    :raises SettingError: when this machine has no such device.
    """
    accelerator = import_extra("accelerate", what="training").Accelerator(cpu=device == "cpu")
    if accelerator.device.type != device:
        raise SettingError(
            "this machine has no such device", where="device", expected=f"cpu or {accelerator.device.type}", got=device
        )
    return Processes(accelerator.process_index, accelerator.num_processes, accelerator.device)


def find_processes(device: str) -> Processes:
    """As :func:`join_processes`, where ``accelerate launch`` or torchrun started several; else this one alone."""
    return join_processes(device) if int(os.environ.get("WORLD_SIZE", "1")) > 1 else ALONE
