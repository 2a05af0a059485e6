"""``python -m beak.cli.launched …`` is torchrun, but ends with the command that started it."""

from __future__ import annotations

import runpy

from beak.cli.door import TORCHRUN, Door

if __name__ == "__main__":
    Door(TORCHRUN, errors=False).listen()
    runpy.run_module("torch.distributed.run", run_name="__main__", alter_sys=True)
