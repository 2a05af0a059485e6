"""Which kind of files a source holds."""

import pytest

from beak.data.kinds import MODULES, kind_at, kind_of, read_spec
from beak.data.load import load_dataset
from beak.errors import DataError, UsageError


def test_a_folder_is_what_most_of_its_files_are(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for i in range(3):
            (tmp_path / label / f"{i}.PNG").touch()
    (tmp_path / "notes.txt").touch()
    assert kind_at(tmp_path) == "pictures"


def test_a_table_is_what_its_cells_name(tmp_path):
    table = tmp_path / "list.csv"
    table.write_text("path,label\na/1.jpg,a\nb/2.jpg,b\n")
    assert kind_at(table) == "pictures"


def test_what_cannot_be_told_is_read_as_pictures_and_answered_by_that_reader(tmp_path):
    (tmp_path / "a").mkdir()
    assert kind_at(tmp_path) == "pictures"


def test_every_kind_has_its_names_and_a_spec():
    for name in MODULES:
        kind = kind_of(name)
        assert name in (kind.name, "numbers")
        assert kind.one
        assert all(suffix[0] == "." and suffix == suffix.lower() for suffix in kind.suffixes)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "wanted a table of fields, got NoneType"),
        ({"shape": [1]}, "the field 'kind' is missing"),
        ({"kind": "picture"}, "no kind 'picture'; did you mean 'pictures'"),
    ],
)
def test_a_spec_that_is_none_is_refused(data, said):
    with pytest.raises(DataError, match=said):
        read_spec(data)


def test_a_kind_that_is_not_there_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="no 'picture'; did you mean 'pictures'"):
        load_dataset(tmp_path, kind="picture")


def test_notes_beside_pictures_and_a_stray_picture_beside_texts_do_not_mislead(tmp_path):
    """A note for each picture, as detectors of objects have them; a cover beside many texts."""
    for i in range(60):
        for folder, name in (("noted/cat", f"{i}.png"), ("noted/cat", f"{i}.txt"),
                             ("texts/pos", f"{i}.txt")):  # fmt: skip
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_text("0 0.5 0.5")
    (tmp_path / "texts" / "cover.png").touch()
    assert kind_at(tmp_path / "noted") == "pictures"
    assert kind_at(tmp_path / "texts") == "texts"
