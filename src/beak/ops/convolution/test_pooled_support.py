"""Cases and calls that the tests of pooled convolutions share."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from beak.ops.convolution.kernels import POOLED_FORWARD, PooledShape
from beak.ops.convolution.reference import conv2d
from beak.ops.kernel import instruction_set
from beak.ops.panels import pad_groups, padded, to_panels
from beak.ops.test_support import run

sizes = st.sampled_from([1, 1, 2, 3, 4, 5, 8, 9, 13, 16, 17, 25])


@st.composite
def cases(draw):
    """A layer and pictures from which at least one pooled output comes."""
    window = draw(st.sampled_from([3, 3, 5]))
    padding = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    sides = [max(1, window + 1 - 2 * p) + draw(st.integers(0, 8)) for p in padding]
    channels = draw(sizes)
    filters, images = draw(st.sampled_from([1, 2, 3, 8, 15, 17, 33])), draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = generator.normal(size=(images, channels, *sides)).astype(np.float32)
    w = generator.normal(size=(filters, channels, window, window)).astype(np.float32)
    b = generator.normal(size=filters).astype(np.float32)
    return x, w, b, padding


def rows(shape):
    """The forward rows that take a shape here."""
    isa = instruction_set()
    return [row for row in POOLED_FORWARD if isa in row.isa and row.takes(shape)]


def shape_of(w):
    return PooledShape(w.shape[2:], w.shape[1], w.shape[0])


def last(x):
    """Channels first to channels last."""
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1))


def first(x):
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def fields(x, w, padding):
    pooled = [
        (n + 2 * p - k + 1) // 2 for n, p, k in zip(x.shape[2:], padding, w.shape[2:], strict=True)
    ]
    return {
        "images": x.shape[0], "in_h": x.shape[2], "in_w": x.shape[3], "channels": x.shape[1],
        "pooled_h": pooled[0], "pooled_w": pooled[1], "filters": w.shape[0],
        "window_h": w.shape[2], "window_w": w.shape[3],
        "pad_top": padding[0], "pad_left": padding[1],
    }  # fmt: skip


def packed(row, w, parts=2):
    """A row's own form of the weights."""
    if row.prepare is None:
        return to_panels(w)
    filters, channels, height, width = w.shape
    return run(
        row.prepare, {"packed": (row.packed(shape_of(w)),)}, parts=parts, weight=to_panels(w),
        channels=channels, filters=filters, window_h=height, window_w=width,
    )["packed"]  # fmt: skip


def forward(row, x, w, b, padding, parts=1, threads=1, bands=1):
    """Pooled outputs and winners, channels first."""
    f = fields(x, w, padding)
    places = (f["images"], f["pooled_h"], f["pooled_w"])
    lanes = padded(f["filters"])
    out = run(
        row, {"y": (*places, f["filters"]), "winners": ((*places, lanes), np.uint8)},
        parts=parts, threads=threads, x=last(x), weight=packed(row, w),
        bias=None if b is None else pad_groups(b).reshape(-1), **f, bands=bands,
    )  # fmt: skip
    return first(out["y"]), first(out["winners"][..., : f["filters"]])


def before_pooling(x, w, b, padding):
    return conv2d(x.astype(float), w, b, 1, padding)


def whole_numbers(seed, channels, filters, side=9, window=3):
    generator = np.random.default_rng(seed)
    x = generator.integers(-1, 2, (2, channels, side, side)).astype(np.float32)
    w = generator.integers(-1, 2, (filters, channels, window, window)).astype(np.float32)
    w *= 4  # Winograd's filters are then whole too
    return x, w, generator.integers(-4, 5, filters).astype(np.float32)


def winners_of(maps):
    """Each pool window's first largest cell (or last NaN), 4 where the ReLU lets none pass."""
    height, width = (n // 2 * 2 for n in maps.shape[2:])
    cells = np.stack(
        [maps[:, :, i:height:2, j:width:2] for i in range(2) for j in range(2)], axis=-1
    )
    nan = np.isnan(cells)
    last_nan = nan.shape[-1] - 1 - nan[..., ::-1].argmax(-1)
    best = np.where(nan.any(-1), last_nan, cells.argmax(-1))
    return np.where(cells.max(-1) <= 0, 4, best)
