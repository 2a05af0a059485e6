import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from PIL import Image

from beak.data import decode
from beak.data.decode import to_bytes
from beak.data.picture_spec import PictureSpec
from beak.data.pictures import load, load_raw
from beak.errors import DataError


def spec(channels=3, height=8, width=8, fit="stretch", background=0):
    return PictureSpec(
        "pictures", (channels, height, width), fit, background, (0.5,) * channels, (0.5,) * channels
    )


def saved(picture, **options):
    stream = io.BytesIO()
    picture.save(stream, **options)
    return stream.getvalue()


GRADIENT = np.stack(np.meshgrid(np.arange(8) * 30, np.arange(8) * 20), -1).astype(np.uint8)
COLOURS = np.concatenate([GRADIENT, 255 - GRADIENT[:, :, :1]], axis=2)


MODES = {
    "PNG": ("L", "RGB", "P", "RGBA", "1"),
    "BMP": ("L", "RGB", "P", "RGBA", "1"),
    "TIFF": ("L", "RGB", "P", "RGBA", "1", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "RGB", "P", "RGBA", "1"),
    "JPEG": ("L", "RGB", "1", "CMYK"),
}


@pytest.mark.parametrize(("kind", "mode"), [(k, mode) for k in MODES for mode in MODES[k]])
def test_every_kind_of_file_and_mode_becomes_the_same_picture(kind, mode):
    original = Image.fromarray(COLOURS)
    picture = original.convert(mode)
    data = saved(picture, format=kind, **({"lossless": True} if kind == "WEBP" else {}))
    wanted = np.asarray(picture.convert("RGB")).transpose(2, 0, 1).astype(int)
    found = load(data, spec()).astype(int)
    lossy = kind == "JPEG" or (kind == "GIF" and mode == "RGBA")
    assert np.abs(found - wanted).mean() <= (30 if lossy and mode == "1" else 12 if lossy else 0)


def test_cmyk_jpeg_of_plain_red_is_red():
    data = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), format="JPEG")
    red, green, blue = load(data, spec())[:, 4, 4].astype(int)
    assert red > 240
    assert green < 20
    assert blue < 20


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    for kind in ("PNG", "TIFF"):
        data = saved(Image.fromarray(values), format=kind)
        wanted = np.round(values / 257).astype(int)
        assert np.abs(load(data, spec(1))[0].astype(int) - wanted).max() <= 1


def test_floats_and_large_integers_are_scaled_by_their_range():
    assert to_bytes(np.array([0.0, 0.5, 1.0])).tolist() == [0, 128, 255]
    assert to_bytes(np.array([-1.0, 0.0, 1.0])).tolist() == [0, 128, 255]
    assert to_bytes(np.array([0, 65535, 257], np.int32)).tolist() == [0, 255, 1]
    assert to_bytes(np.array([0.0, np.nan, 1.0])).tolist() == [0, 0, 255]
    assert to_bytes(np.array([True, False])).tolist() == [255, 0]


def test_see_through_places_take_the_background():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:] = [200, 100, 50, 255]
    pixels[0, 0] = [255, 255, 255, 128]
    data = saved(Image.fromarray(pixels), format="PNG")
    found, notes = load_raw(data, spec(background=40))
    assert found[:, 7, 0].tolist() == [40, 40, 40]
    assert found[:, 7, 7].tolist() == [200, 100, 50]
    assert found[0, 0, 0] == round(255 * 128 / 255 + 40 * 127 / 255)
    assert notes == ("its see-through places are filled with 40",)


def test_a_palette_with_transparency_takes_the_background():
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    data = saved(picture, format="PNG", transparency=1)
    assert (load(data, spec(background=99)) == 99).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_cameras_orientation_is_obeyed(orientation):
    turned = Image.fromarray(COLOURS[:, :6])
    exif = Image.Exif()
    exif[0x0112] = orientation
    found, notes = load_raw(saved(turned, format="PNG", exif=exif), spec(height=8, width=8))
    undo = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a),
    }[orientation]  # fmt: skip
    assert_array_equal(found, load(np.ascontiguousarray(undo(COLOURS[:, :6])), spec()))
    assert bool(notes) == (orientation > 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("noted", "damaged"), [(b"Exif\0\0garbage", True), (None, False)])
def test_damaged_notes_of_the_camera_are_said(kind, noted, damaged):
    exif = Image.Exif()
    exif[0x0110] = "a camera that says nothing of turning"
    data = saved(Image.fromarray(COLOURS), format=kind, exif=noted or exif)
    found, notes = load_raw(data, spec(height=8, width=8))
    assert found.shape == (3, 8, 8)
    assert notes == (("its camera's notes are damaged: it is taken as it lies",) if damaged else ())


def test_pad_fits_the_whole_picture_in_and_fills_the_rest():
    wide = np.full((10, 20), 200, np.uint8)
    found = load(wide, spec(1, 8, 8, "pad", 7))[0]
    assert (found[2:6] == 200).all()
    assert (found[:2] == 7).all()
    assert (found[6:] == 7).all()


def test_crop_fills_from_the_middle():
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 200
    assert (load(wide, spec(1, 5, 5, "crop"))[0] == 200).all()


def test_stretch_keeps_all_of_it():
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 15:] = 200
    found = load(wide, spec(1, 8, 8, "stretch"))[0]
    assert (found[:, :3] == 0).all()
    assert (found[:, 5:] == 200).all()


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 20), st.integers(1, 20))
@settings(deadline=None, max_examples=60)
def test_any_size_becomes_any_other_in_every_fit(height, width, new_height, new_width):
    pixels = np.full((height, width, 3), (10, 200, 90), np.uint8)
    for fit in ("pad", "crop", "stretch"):
        found = load(pixels, spec(3, new_height, new_width, fit, 90))
        assert found.shape == (3, new_height, new_width)
        assert set(np.unique(found[0])) <= {10, 90}
        assert 10 in found[0]


def test_grey_for_a_colour_network_is_taken_and_said():
    found, notes = load_raw(GRADIENT[:, :, 0], spec())
    assert_array_equal(found[0], found[2])
    assert notes == ("a grey picture for a colour network: its channel is used three times",)


def test_colour_for_a_grey_network_is_taken_and_said():
    found, notes = load_raw(np.full((8, 8, 3), (255, 0, 0), np.uint8), spec(1))
    assert (found == 76).all()
    assert notes == ("a colour picture for a grey network: its brightness is used",)


def test_paths_bytes_arrays_and_pillow_pictures_give_the_same(tmp_path):
    picture = Image.fromarray(COLOURS)
    picture.save(tmp_path / "a.png")
    wanted = load(tmp_path / "a.png", spec(height=5))
    for raw in (str(tmp_path / "a.png"), (tmp_path / "a.png").read_bytes(), picture, COLOURS):
        assert_array_equal(load(raw, spec(height=5)), wanted)
    assert_array_equal(
        load(COLOURS.transpose(2, 0, 1)[:, :, :5], spec(width=5)), COLOURS[:, :5].transpose(2, 0, 1)
    )
    assert_array_equal(load(COLOURS / 255.0, spec(height=5)), wanted)


def test_an_animated_gif_gives_its_first_frame(tmp_path):
    frames = [Image.new("L", (8, 8), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    found, notes = load_raw(tmp_path / "a.gif", spec(1))
    assert (found == 10).all()
    assert notes == ("several frames: the first is taken",)


def bomb(width, height):
    import struct
    import zlib

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a picture that can be read"),
        (saved(Image.fromarray(COLOURS), format="PNG")[:-40], "damaged or cut short"),
        (saved(Image.fromarray(COLOURS), format="JPEG")[:-60], "damaged or cut short"),
        (bomb(10_000, 10_000), "decompression bomb"),
        (bomb(60_000, 60_000), "more than 89478485 pixels"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_with_its_name(tmp_path, data, said):
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(DataError, match=said) as error:
        load(tmp_path / "x.png", spec())
    assert "x.png" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_picture_is_refused():
    for raw, said in (
        (np.zeros((3, 4, 5, 6)), "no picture"),
        (np.zeros((0, 4)), "no picture"),
        (np.array([["a"]]), "numbers are wanted"),
        (3.5, "not float"),
        ("/not/there.png", "not there"),
    ):
        with pytest.raises(DataError, match=said):
            load(raw, spec())


@given(
    st.integers(0, 400),
    st.integers(0, 255),
    st.sampled_from(["PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG"]),
)
@settings(deadline=None, max_examples=150)
def test_a_damaged_byte_gives_a_picture_or_one_line(place, value, kind):
    data = bytearray(saved(Image.fromarray(COLOURS), format=kind))
    data[place % len(data)] = value
    try:
        assert load(bytes(data), spec()).shape == (3, 8, 8)
    except DataError as error:
        text = str(error)
        assert "\n" not in text


def test_the_same_pixels_have_the_same_hash_whatever_the_file(tmp_path):
    picture = Image.fromarray(COLOURS[:, :, 0])
    hashes = {
        decode.decode_file(saved(picture.convert(mode), format=kind), "x").content_hash()
        for kind in ("PNG", "BMP", "TIFF")
        for mode in ("L", "RGB")
    }
    assert len(hashes) == 1


def test_big_endian_sixteen_bits_are_scaled_by_their_kind():
    assert to_bytes(np.array([0, 200, 65535], ">u2")).tolist() == [0, 1, 255]
