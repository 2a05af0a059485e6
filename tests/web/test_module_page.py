"""``beak.look(module, input)`` in a browser: layers open, the rest is drawn as boxes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.web.browser import CHROMIUM, chromium

SCRIPT = """
import beak, torch
from torch import nn
torch.manual_seed(0)
parts = nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
module = nn.Sequential(*parts)
beak.look(module, torch.ones(1, 3, 8, 8))
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_modules_page_draws_boxes_and_opens_layers():
    pytest.importorskip("torch")
    pytest.importorskip("playwright")
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().split()[0]
        with chromium() as browser:
            page = browser.new_page()
            wrong = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(address)
            box = page.locator('[data-layer="1"].box')
            box.wait_for()
            assert "GroupNorm, a box that PyTorch computes" in box.inner_text()
            assert page.locator('[data-layer="0"].box').count() == 0
            shares = page.locator(".answers .share").all_inner_texts()
            assert sum(float(text.split()[0]) for text in shares) == pytest.approx(100, abs=1)
            page.goto(f"{address.partition('#')[0]}#layer=1&cell=1,2,2")
            page.get_by_text("PyTorch computes it. beak does not open it").wait_for()
            assert not wrong
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
