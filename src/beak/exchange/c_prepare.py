"""The preparation of an input in C, for each kind: `beak_prepare`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from beak.data.picture_spec import PictureSpec
from beak.data.sound_spec import LOUDNESS, QUIET, SoundSpec
from beak.data.spec import InputSpec
from beak.data.text_spec import TextSpec
from beak.exchange.c_text import CText
from beak.exchange.onnx_texts import FIRST, MIX, SECOND
from beak.network.layer import count

RESIZE = """
/* What pixel p weighs in place i of so many, times 2 places: a triangle. */
static long long near_to(long long i, long long p, long long size, long long places)
{
    long long most = 2 * (size > places ? size : places);
    long long apart = (2 * p + 1) * places - (2 * i + 1) * size;
    if (apart < 0)
        apart = -apart;
    return apart < most ? most - apart : 0;
}

/* The pixels that a place reads, and the sum of what they weigh. */
static long long span(long long i, long long size, long long places, long *first, long *last)
{
    long long most = 2 * (size > places ? size : places), sum = 0;
    long p;
    long long low = ((2 * i + 1) * size - most) / (2 * places) - 1;
    long long high = ((2 * i + 1) * size + most) / (2 * places) + 2;
    *first = (long)(low > 0 ? low : 0);
    *last = (long)(high < size ? high : size);
    for (p = *first; p < *last; p++)
        sum += near_to(i, p, size, places);
    return sum;
}

/* One pixel's level of a channel, 0 to 255: on the background, grey where that is read. */
static long level(const unsigned char *pixel, int channels, int channel)
{
    long value[3];
    int c;
    for (c = 0; c < 3; c++) {
        value[c] = pixel[channels >= 3 ? c : 0];
        if (channels == 4)
            value[c] = (2 * (value[c] * pixel[3] + BACKGROUND * (255L - pixel[3])) + 255) / 510;
    }
    if (CHANNELS == 1)
        return (value[0] * 299 + value[1] * 587 + value[2] * 114 + 500) / 1000;
    return value[channel];
}

/* The level at (y, x) of (new_height, new_width) made of the window's pixels: weights are whole
   4096ths; 16ths of a level between the passes; each time rounded half up. */
static long long resized(const unsigned char *pixels, long width, int channels, int channel,
                         long high, long wide, long new_height, long new_width, long y, long x)
{
    long top, bottom, left, right, p, q;
    long long down = span(y, high, new_height, &top, &bottom);
    long long across = span(x, wide, new_width, &left, &right);
    long long total = 0, reached = 0, before = 0;
    for (q = left; q < right; q++) {
        long long sum = 0, run = 0, last = 0, step, share;
        reached += near_to(x, q, wide, new_width);
        step = (reached * 8192 + across) / (2 * across);
        share = step - before;
        before = step;
        if (!share)
            continue;
        for (p = top; p < bottom; p++) {
            run += near_to(y, p, high, new_height);
            step = (run * 8192 + down) / (2 * down);
            sum += (step - last) * level(pixels + (p * width + q) * channels, channels, channel);
            last = step;
        }
        total += share * ((sum + 128) / 256);
    }
    return (total + 32768) / 65536;
}

/* Decoded pixels (height, width, channels) of any size as the network's input. Channels: 1 grey,
   3 red-green-blue, 4 with alpha; upright. */
void beak_prepare(const unsigned char *pixels, int height, int width, int channels, float *input)
{
    long high = height, wide = width, new_height = HEIGHT, new_width = WIDTH;
    long top = 0, left = 0, y, x;
    int c;
FIT    for (c = 0; c < CHANNELS; c++)
        for (y = 0; y < HEIGHT; y++)
            for (x = 0; x < WIDTH; x++) {
                long long value = BACKGROUND;
PLACE                input[((long)c * HEIGHT + y) * WIDTH + x] = (float)value * gain[c] + offset[c];
            }
}
"""
CROP = """    /* the largest window in the middle that has the frame's proportions */
    if ((long long)high * WIDTH <= (long long)wide * HEIGHT) {
        wide = (long)((2LL * WIDTH * high + HEIGHT) / (2 * HEIGHT));
        wide = wide < 1 ? 1 : wide > width ? width : wide;
    } else {
        high = (long)((2LL * HEIGHT * wide + WIDTH) / (2 * WIDTH));
        high = high < 1 ? 1 : high > height ? height : high;
    }
    top = (height - high) / 2;
    left = (width - wide) / 2;
    pixels += (top * width + left) * channels;
"""
PAD = """    /* the largest size of the same proportions that fits in the frame */
    if ((long long)HEIGHT * width <= (long long)WIDTH * height) {
        new_width = (long)((2LL * width * HEIGHT + height) / (2LL * height));
        new_width = new_width < 1 ? 1 : new_width > WIDTH ? WIDTH : new_width;
    } else {
        new_height = (long)((2LL * height * WIDTH + width) / (2LL * width));
        new_height = new_height < 1 ? 1 : new_height > HEIGHT ? HEIGHT : new_height;
    }
    top = (HEIGHT - new_height) / 2;
    left = (WIDTH - new_width) / 2;
"""
PLAIN = """\
                value = resized(pixels, width, channels, c, high, wide, new_height, new_width,
                                y, x);
"""
INSIDE = """\
                if (y >= top && y < top + new_height && x >= left && x < left + new_width)
                    value = resized(pixels, width, channels, c, high, wide, new_height, new_width,
                                    y - top, x - left);
"""


def _pictures(c: CText, spec: PictureSpec) -> None:
    c.floats("gain", spec.gain)
    c.floats("offset", spec.offset)
    if spec.kind == "numbers":
        c.needs("scale")
        c.prepare(f"""
/* Plain numbers (channels, height, width) as the network's input. */
void beak_prepare(const float *numbers, float *input)
{{
    scale(numbers, input, gain, offset, {spec.shape[0]}, {count(spec.shape[1:])});
}}
""")
        return
    channels, height, width = spec.shape
    text = RESIZE.replace("FIT", {"crop": CROP, "pad": PAD}.get(spec.fit, ""))
    text = text.replace("PLACE", INSIDE if spec.fit == "pad" else PLAIN)
    if spec.fit == "stretch":
        text = text.replace("    long top = 0, left = 0, y, x;", "    long y, x;")
    values = {"BACKGROUND": spec.background, "CHANNELS": channels, "HEIGHT": height, "WIDTH": width}
    for name, value in values.items():
        c.define(name, value)
    c.prepare(text)


def _sounds(c: CText, spec: SoundSpec) -> None:
    c.define("SAMPLES", spec.samples)
    c.floats("means", np.asarray(spec.mean))
    c.floats("spreads", np.asarray(spec.std))
    even, count = "", spec.samples // spec.hop
    if spec.level == "even":
        tenth = max(1, count // 10)
        even = f"""
    /* to one loudness: that of the loudest tenth of stretches of {spec.hop} samples */
    static float power[{count}];
    float loud = 0.0f;
    int j, most;
    for (i = 0; i < {count}; i++) {{
        power[i] = 0.0f;
        for (j = 0; j < {spec.hop}; j++)
            power[i] += heard[i * {spec.hop} + j] * heard[i * {spec.hop} + j];
        power[i] /= {spec.hop}.0f;
    }}
    for (j = 0; j < {tenth}; j++) {{
        most = 0;
        for (i = 1; i < {count}; i++)
            if (power[i] > power[most])
                most = i;
        loud += power[most];
        power[most] = -1.0f;
    }}
    loud = sqrtf(loud / {tenth}.0f);
    if (loud > {QUIET}f)
        for (i = 0; i < SAMPLES; i++)
            heard[i] *= {LOUDNESS}f / loud;
"""
    if spec.features == "samples":
        made = """    for (i = 0; i < SAMPLES; i++)
        input[i] = (heard[i] - means[0]) / spreads[0];"""
    else:
        call = c.log_mel("prepared", spec.mel, spec.shape[1], "heard", "input")
        made = f"""    {call}
    for (i = 0; i < {spec.shape[1] * spec.bands}; i++)
        input[i] = (input[i] - means[i % {spec.bands}]) / spreads[i % {spec.bands}];"""
    c.prepare(f"""
/* {spec.samples} samples from -1 to 1, {spec.rate} a second, as the network's input. */
void beak_prepare(const float *samples, float *input)
{{
    static float heard[SAMPLES];
    int i;{_declared(even)}
    for (i = 0; i < SAMPLES; i++) {{
        float steps = rintf(samples[i] * 32768.0f);
        heard[i] = (steps < -32768.0f ? -32768.0f : steps > 32767.0f ? 32767.0f : steps)
                   / 32768.0f;
    }}{_done(even)}
{made}
}}
""")


def _declared(even: str) -> str:
    """The declarations of a block, which stand first."""
    return "".join("\n" + line for line in even.splitlines()[2:5])


def _done(even: str) -> str:
    """What follows them."""
    lines = even.splitlines()
    return "".join("\n" + line for line in [*lines[1:2], *lines[5:]])


def _texts(c: CText, spec: TextSpec) -> None:
    length = spec.length
    head = f"""
/* {length} word numbers, 0 behind the text's end, as the network's input. */
void beak_prepare(const int *words, int *input)
{{
    int i;
    for (i = 0; i < {length}; i++)
        input[i] = words[i];
"""
    if spec.unit != "pairs":
        c.prepare(head + "}\n")
        return
    c.include("stdint.h")
    shift = 64 - max(1, spec.buckets.bit_length() - 1)
    c.prepare(f"""{head}    /* each word and each pair of neighbours once, as numbers from 1 */
    for (i = 0; i < {length}; i++)
        input[{length} + i] = words[i] >= 2 ? words[i] - 1 : 0;
    for (i = 0; i < {length}; i++) {{
        uint64_t mixed;
        input[{2 * length} + i] = 0;
        if (i + 1 == {length} || words[i] < 2 || words[i + 1] < 2)
            continue;
        mixed = (uint64_t)words[i] * UINT64_C({FIRST})
                + (uint64_t)words[i + 1] * UINT64_C({SECOND});
        mixed = (mixed ^ (mixed >> 29)) * UINT64_C({MIX});
        input[{2 * length} + i] = (int)(mixed >> {shift}) + {spec.numbers - 1};
    }}
    for (i = {3 * length - 1}; i > {length}; i--) {{
        int j;
        for (j = {length}; j < i; j++)
            if (input[j] == input[i])
                input[i] = 0;
    }}
}}
""")


def _go(c: CText, spec: InputSpec) -> None:
    """Planes are the network's input as they are."""


PREPARE: dict[str, Callable[[CText, Any], None]] = {
    "pictures": _pictures,
    "numbers": _pictures,
    "sounds": _sounds,
    "texts": _texts,
    "go": _go,
}
"""Kind of input -> what writes its preparation."""
