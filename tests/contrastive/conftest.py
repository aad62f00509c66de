"""One thread for torch: these tensors are tiny, and other work shares the machine."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
