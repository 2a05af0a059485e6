"""Raw inputs become the same numbers in the page as in beak: pictures, texts, sounds, positions."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from beak.data.go_spec import GoSpec
from beak.data.picture_spec import PictureSpec
from beak.data.sound_spec import SoundSpec
from beak.data.sounds import wav
from beak.data.text_spec import TextSpec
from beak.ops.go_board.planes import PLANE_SETS
from beak.runs.opened import open_input
from beak.web.alone import engine_script
from tests.data.go_games import random_sgf
from tests.web.browser import CHROMIUM, chromium

pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

ASKED = """([spec, raws]) => raws.map(raw => {
  if (raw.data) raw.data = Uint8ClampedArray.from(raw.data);
  if (raw.samples) raw.samples = Float32Array.from(raw.samples);
  const {values, places = [], notes = [], about = {}} = beakEngine.prepare(raw, spec);
  return {values: Array.from(values), places, notes, about};
})"""


@pytest.fixture(scope="module")
def prepared():
    """A function: what the page makes of raw inputs."""
    with chromium() as browser:
        page = browser.new_page()
        page.evaluate(engine_script())
        yield lambda spec, raws: page.evaluate(
            ASKED, [json.loads(json.dumps(spec.to_json())), raws]
        )


def pictures(random):
    """Bytes (H, W, 4) of many sizes: grey, in colour, see-through."""
    for size in ((28, 28), (168, 168), (5, 40), (61, 33), (300, 7)):
        pixels = random.integers(0, 256, (*size, 4)).astype(np.uint8)
        opaque, grey = pixels.copy(), pixels.copy()
        opaque[..., 3] = 255
        grey[...] = grey[..., :1]
        grey[..., 3] = 255
        yield from (pixels, opaque, grey)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_any_size_becomes_the_same_pixels(prepared, fit, channels):
    spec = PictureSpec(
        "pictures", (channels, 28, 20), fit, 37, (0.3,) * channels, (0.25,) * channels
    )
    given = list(pictures(np.random.default_rng(4)))
    raws = [
        {"data": one.ravel().tolist(), "height": one.shape[0], "width": one.shape[1]}
        for one in given
    ]
    for found, one in zip(prepared(spec, raws), given, strict=True):
        wanted = open_input(spec, png(one))
        values = np.reshape(found["values"], spec.shape)
        np.testing.assert_allclose(values, wanted.inputs[0], atol=1e-5)
        assert tuple(found["notes"]) == wanted.notes


TEXTS = (
    "It doesn't work: 3.5 stars, Zoë's 寿司!",
    "I can't, won’t and shouldn't've; they'll say 'tis O'Neill's",
    "a fine film\nA FINE FILM\t... 1,000.50 and 12,5a x2 abc123",
    "नमस्ते दुनिया, привет мир, γειά σου Σίσυφος, สวัสดี, ខ្មែរ, 안녕하세요 세계",
    "🎉🎉 emoji—dash–dash \u00a0nbsp\u2003em\ufeffbom \x1c control \x85 next",
    "x" * 70 + " é́́combining n't N'T ''' \"quoted\"",
    "İstanbul DİYARBAKIR ΌΣΟΣ ß straße",
    "fine film fine film a fine film dull and and dull",
)


@pytest.mark.parametrize("unit", ["words", "pairs", "bytes"])
@pytest.mark.parametrize("lower", [True, False])
def test_a_text_becomes_the_same_numbers_and_words(prepared, unit, lower):
    known = ("a", "fine", "film", "dull", "and", "n't", "寿", "i̇stanbul", "x" * 60, "привет", "'s")
    shape, buckets = ((90,), 1 << 12) if unit == "pairs" else ((40,), 0)
    spec = TextSpec("texts", shape, unit, lower, buckets, known)
    for found, text in zip(prepared(spec, [{"text": text} for text in TEXTS]), TEXTS, strict=True):
        wanted = open_input(spec, text)
        assert found["values"] == wanted.inputs[0].tolist(), text
        assert tuple(found["places"]) == wanted.places


def test_drawn_texts_fall_into_the_same_words(prepared):
    random = np.random.default_rng(6)
    letters = [*list("abnNtT'’sdé .,3五あ·ा\u0301\u200d€\r\n"), "n't", "'ll", "🎉"]
    texts = ["".join(random.choice(letters, 40)) for _ in range(200)]
    spec = TextSpec("texts", (60,), "words", True, 0, ("a",))
    for found, text in zip(prepared(spec, [{"text": text} for text in texts]), texts, strict=True):
        assert tuple(found["places"]) == open_input(spec, text).places, repr(text)


@pytest.mark.parametrize("features", ["log-mel", "samples"])
@pytest.mark.parametrize("level", ["kept", "even"])
def test_a_recording_becomes_the_same_spectrogram(prepared, features, level):
    random = np.random.default_rng(7)
    spec = SoundSpec.made(8000, 0.4, bands=20, features=features, level=level, window=200)
    sounds = [
        (9000 * np.sin(np.arange(n) / 3) * random.random(n)).astype(np.int16)
        for n in (10, 900, spec.samples, 9000)
    ]
    raws = [{"samples": (sound / 32768).tolist()} for sound in sounds]
    for found, sound in zip(prepared(spec, raws), sounds, strict=True):
        wanted = open_input(spec, wav(sound, 8000))
        scale = np.abs(wanted.inputs).max()
        values = np.reshape(found["values"], spec.shape)
        np.testing.assert_allclose(values, wanted.inputs[0], atol=1e-4 * scale)
        assert tuple(found["notes"]) == wanted.notes


@pytest.mark.parametrize("planes", PLANE_SETS)
def test_a_position_becomes_the_same_planes(prepared, planes):
    spec = GoSpec.of(planes)
    games = [random_sgf(seed, count) for seed, count in ((1, 40), (2, 180), (3, 260))]
    ladder = "(;SZ[19];B[dd];W[de];B[ce];W[cd];B[dc];W[cf];B[pp];W[be];B[ee])"
    games = [ladder, "(;SZ[19]AB[aa][ba:ca]AW[ab];W[])", *games]
    raws = [{"text": game} for game in games]
    for found, game in zip(prepared(spec, raws), games, strict=True):
        wanted = open_input(spec, game.encode())
        np.testing.assert_array_equal(np.reshape(found["values"], spec.shape), wanted.inputs[0])


def test_a_record_can_be_looked_at_before_any_move(prepared):
    from beak.web.reading import position

    game, spec = random_sgf(5, 60), GoSpec.of("alphago")
    raws = [{"text": game, "move": str(move)} for move in (0, 1, 30, 59)]
    for found, raw in zip(prepared(spec, raws), raws, strict=True):
        (record, number), about = position(game.encode(), int(raw["move"]))
        wanted = open_input(spec, (record, number))
        np.testing.assert_array_equal(np.reshape(found["values"], spec.shape), wanted.inputs[0])
        about.pop("notes")
        assert found["about"] == about
