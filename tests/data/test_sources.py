import gzip
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from beak.data.load import load_dataset
from beak.errors import DataError, UsageError


def lines(dataset):
    return "\n".join(dataset.report.lines())


def sizes(dataset):
    return {name: len(part) for name, part in dataset.parts.items()}


def test_class_folders(class_folders):
    dataset = load_dataset(class_folders({"dog": 40, "cat": 30}))
    assert dataset.labels == ("cat", "dog")
    assert sum(sizes(dataset).values()) == 70
    assert min(sizes(dataset).values()) > 0
    assert dataset.spec.shape == (3, 12, 10)
    part = dataset.parts["train"]
    assert part.inputs.shape == (len(part), 3, 12, 10)
    assert part.inputs.dtype == np.uint8
    assert part.labels.dtype == np.int32
    for i, name in enumerate(part.names):
        assert name.split("/")[0] == dataset.labels[part.labels[i]]


def test_the_pixels_are_those_of_the_file(class_folders):
    folder = class_folders({"dog": 20, "cat": 20})
    dataset = load_dataset(folder)
    part = dataset.parts["train"]
    for i in (0, len(part) - 1):
        file = np.asarray(Image.open(folder / part.names[i])).transpose(2, 0, 1)
        np.testing.assert_array_equal(part.inputs[i], file)


def test_number_labels_are_in_the_order_of_their_values(class_folders):
    assert load_dataset(class_folders({"10": 9, "9": 9, "2": 9})).labels == ("2", "9", "10")


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Train", "validation", "TEST")])
def test_given_parts_are_kept(class_folders, names):
    for part, count in zip(names, (30, 6, 8), strict=True):
        class_folders({"cat": count, "dog": count}, f"photos/{part}")
    dataset = load_dataset(class_folders({}, "photos"))
    assert sizes(dataset) == {"train": 60, "validation": 12, "test": 16}
    assert all(name.startswith(names[2] + "/") for name in dataset.parts["test"].names)


def test_without_a_validation_folder_a_tenth_of_train_is_taken(class_folders):
    class_folders({"cat": 100, "dog": 100}, "photos/train")
    class_folders({"cat": 8, "dog": 8}, "photos/test")
    class_folders({"cat": 5}, "photos/extra")
    dataset = load_dataset(class_folders({}, "photos"))
    assert sizes(dataset)["test"] == 16
    assert 5 < sizes(dataset)["validation"] < 40
    assert "folders beside train/" in lines(dataset)
    assert "extra" in lines(dataset)


def test_a_class_may_be_called_train(class_folders):
    dataset = load_dataset(class_folders({"train": 12, "bus": 12, "test": 12}))
    assert dataset.labels == ("bus", "test", "train")


def test_a_wrapping_folder_is_looked_into(class_folders):
    class_folders({"cat": 10, "dog": 10}, "outer/inner")
    assert load_dataset(class_folders({}, "outer")).labels == ("cat", "dog")


def test_folders_inside_a_class_belong_to_it(class_folders):
    folder = class_folders({"cat": 10, "dog": 10, "cat/older": 10})
    dataset = load_dataset(folder)
    assert dataset.labels == ("cat", "dog")
    assert sum(sizes(dataset).values()) == 30


def test_litter_is_passed_over_and_other_files_are_said(class_folders):
    folder = class_folders({"cat": 10, "dog": 10})
    for name in (".DS_Store", "Thumbs.db", "._0001.png", "notes.txt"):
        (folder / "cat" / name).write_bytes(b"x")
    (folder / "__MACOSX" / "cat").mkdir(parents=True)
    (folder / "__MACOSX" / "cat" / "a.png").write_bytes(b"x")
    dataset = load_dataset(folder)
    assert dataset.labels == ("cat", "dog")
    assert not dataset.report.warnings or "fewer than" in lines(dataset)
    assert "left out, being no pictures by their names (1): cat/notes.txt" in lines(dataset)


def test_a_loop_of_links_is_skipped_and_named(class_folders):
    folder = class_folders({"cat": 10, "dog": 10})
    os.symlink(folder, folder / "cat" / "again")
    os.symlink(folder / "dog" / "self.png", folder / "dog" / "self.png")
    os.symlink(folder / "nowhere.png", folder / "dog" / "gone.png")
    dataset = load_dataset(folder)
    assert "cat/again" in lines(dataset)
    assert "lead back" in lines(dataset)
    assert "dog/gone.png" in lines(dataset)
    assert "dog/self.png" in lines(dataset)
    assert sum(sizes(dataset).values()) <= 40


def test_unreadable_files_are_named_and_left_out(class_folders):
    folder = class_folders({"cat": 20, "dog": 20})
    (folder / "cat" / "empty.png").write_bytes(b"")
    (folder / "cat" / "text.jpg").write_bytes(b"hello")
    whole = (folder / "dog" / "0001.png").read_bytes()
    (folder / "dog" / "0001.png").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):  # from the files, then from the cache
        dataset = load_dataset(folder)
        assert sum(sizes(dataset).values()) == 39
        said = next(f for f in dataset.report.warnings if "cannot be used" in f.text)
        assert said.text == "3 files cannot be used and are left out"
        assert [line.split(":")[0] for line in said.files] == [
            "cat/empty.png",
            "cat/text.jpg",
            "dog/0001.png",
        ]
        assert "the file is empty" in said.files[0]
    with pytest.raises(DataError, match=r"cat/empty\.png.*strict"):
        load_dataset(folder, strict=True)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "no pictures in folders below it"),
        ({"cat": 0, "dog": 0}, "no pictures in folders below it"),
        ({"cat": 9}, "all 9 examples have the label 'cat'"),
        ({".": 9}, "their labels are not known"),
        ({"train": 9}, "all 9 examples have the label 'train'"),
    ],
)
def test_what_cannot_be_trained_on_is_said_in_one_line(class_folders, counts, said):
    with pytest.raises(DataError, match=said) as error:
        load_dataset(class_folders(counts, "photos")) if counts else load_dataset(
            _made(class_folders)
        )
    assert "\n" not in str(error.value)


def _made(class_folders):
    folder = class_folders({"x": 0}, "nothing")
    shutil.rmtree(folder / "x")
    return folder


def test_labels_that_differ_by_case_are_said(class_folders):
    dataset = load_dataset(class_folders({"Cat": 10, "cat": 10}))
    assert "the labels 'Cat' and 'cat' differ only by case" in lines(dataset)


def test_few_examples_and_imbalance_are_said(class_folders):
    dataset = load_dataset(class_folders({"cat": 300, "dog": 12}))
    assert "fewer than 20 training examples: dog" in lines(dataset)
    assert "heavy imbalance" in lines(dataset)


def test_a_path_with_a_typo_names_the_nearest(class_folders):
    folder = class_folders({"cat": 5, "dog": 5}, "holiday-photos")
    for typo in ("holiday-photo", "Holiday_photos", "holiday-photos2/cats"):
        with pytest.raises(UsageError, match=r"did you mean '.*holiday-photos'\?"):
            load_dataset(folder.parent / typo)
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        load_dataset("mnits")
    with pytest.raises(UsageError, match="one of digits, go-demo, mnist"):
        load_dataset("zzzzzz")


def test_files_that_are_no_source_are_told_apart(tmp_path):
    for name, said in (
        ("a.rar", "unpack it, or give a .zip"),
        ("a.mp3", "not a .mp3"),
        ("x-idx3-ubyte", "the folder"),
    ):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(UsageError, match=said):
            load_dataset(tmp_path / name)


@pytest.fixture
def table(class_folders, tmp_path):
    """table("a.csv", header, delimiter): a table over 40 pictures in files/."""
    class_folders({"cat": 20, "dog": 20}, "files")

    def make(name, header="", delimiter=",", part=None, label_first=False):
        rows = []
        for i in range(20) if part is None else part:
            for label in ("cat", "dog"):
                cells = [f"files/{label}/{i:04}.png", label.upper()]
                rows.append(delimiter.join(cells[::-1] if label_first else cells))
        (tmp_path / name).write_text("\n".join(([header] if header else []) + rows) + "\n")
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("name", "header", "delimiter", "label_first"),
    [
        ("a.csv", "", ",", False),
        ("a.csv", "path,label", ",", False),
        ("a.csv", "Filename,Class", ",", False),
        ("a.csv", "was,immer", ",", False),
        ("a.csv", "label,path", ",", True),
        ("a.csv", "", ",", True),
        ("a.tsv", "path\tlabel", "\t", False),
        ("a.tsv", "", "\t", False),
        ("a.csv", "", ";", False),
    ],
)
def test_tables_of_path_and_label(table, name, header, delimiter, label_first):
    dataset = load_dataset(table(name, header, delimiter, label_first=label_first))
    assert dataset.labels == ("CAT", "DOG")
    assert sum(sizes(dataset).values()) == 40
    assert ("has no header" in lines(dataset)) == (not header)


def test_a_table_for_each_part(table, tmp_path):
    table("train.csv", "path,label", part=range(12))
    table("val.csv", "", part=range(12, 16))
    table("test.tsv", "path\tlabel", "\t", part=range(16, 20))
    assert sizes(load_dataset(tmp_path)) == {"train": 24, "validation": 8, "test": 8}


def test_rows_that_cannot_be_used_are_named_by_line(table):
    path = table("a.csv", "path,label")
    with path.open("a") as file:
        file.write("files/cat/0001.png,\n\nfiles/cat/nowhere.png,CAT\n")
    dataset = load_dataset(path)
    assert "rows without a path or a label: a.csv:42" in lines(dataset)
    assert "files/cat/nowhere.png: the file is not there" in lines(dataset)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the table is empty"),
        ("a.png\nb.png\n", "one column only"),
        ("path,label\n", "no row has a path and a label"),
        ("nowhere/a.png,cat\nnowhere/b.png,dog\n", "none of the 2 files"),
        ('path,label\n"a.png,cat\n', r"a\.csv:2"),
        ("path,age,size\nx.png,1,2\n", "which column is the label"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path, text, said):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=said) as error:
        load_dataset(tmp_path / "a.csv")
    assert "\n" not in str(error.value)


def idx(values, code=8):
    head = bytes([0, 0, code, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    return head + values.astype(">u1" if code == 8 else ">i4").tobytes()


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files(tmp_path, packed):
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 256, (70, 9, 7), dtype=np.uint8), np.arange(70) % 3
    for prefix, rows in (("train", slice(0, 50)), ("t10k", slice(50, 70))):
        for kind, values in (("images-idx3", images), ("labels-idx1", labels)):
            data, name = idx(values[rows]), f"{prefix}-{kind}-ubyte"
            (tmp_path / (name + ".gz" * packed)).write_bytes(
                gzip.compress(data) if packed else data
            )
    for _ in range(2):
        dataset = load_dataset(tmp_path)
        assert dataset.labels == ("0", "1", "2")
        assert sizes(dataset)["test"] == 20
        np.testing.assert_array_equal(dataset.parts["test"].inputs[:][:, 0], images[50:])
        np.testing.assert_array_equal(dataset.parts["test"].labels, labels[50:])
        assert dataset.parts["test"].names[3] == "test[3]"


@pytest.mark.parametrize(
    "arrays",
    [
        ("x", "y"),
        ("X", "labels"),
        ("images", "targets"),
        ("x_train", "y_train", "x_test", "y_test"),
    ],
)
@pytest.mark.parametrize("layout", ["grey", "last", "first", "floats"])
def test_an_npz(tmp_path, arrays, layout):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (60, 9, 7, 3), dtype=np.uint8)
    given = {"grey": images[..., 0], "last": images, "first": images.transpose(0, 3, 1, 2)}
    given["floats"] = (images / 255).astype(np.float32)
    words = np.array(["cat", "dog"])[np.arange(60) % 2]
    half = {name: given[layout] if i % 2 == 0 else words for i, name in enumerate(arrays[:2])}
    half |= {
        name: (given[layout][:20] ^ 255 if layout != "floats" else 1 - given[layout][:20])
        if i % 2 == 0
        else words[:20]
        for i, name in enumerate(arrays[2:])
    }
    np.savez_compressed(tmp_path / "set.npz", **half)
    dataset = load_dataset(tmp_path / "set.npz")
    assert dataset.labels == ("cat", "dog")
    assert dataset.spec.shape == ((1 if layout == "grey" else 3), 9, 7)
    found = np.concatenate([np.asarray(p.inputs) for p in dataset.parts.values()])
    wanted = images if layout != "grey" else images[..., :1]
    assert {row.tobytes() for row in found} >= {r.transpose(2, 0, 1).tobytes() for r in wanted}


def test_an_npz_of_python_objects_is_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", x=np.array([{}, []], object), y=np.arange(2))
    with pytest.raises(DataError, match="Python objects"):
        load_dataset(tmp_path / "bad.npz")


def test_an_npz_of_plain_numbers_becomes_numbers(tmp_path):
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", x=draw.normal(5, 3, (100, 4)), y=np.arange(100) % 2)
    dataset = load_dataset(tmp_path / "rows.npz")
    assert dataset.kind == "numbers"
    assert dataset.spec.shape == (1, 1, 4)
    prepared = dataset.spec.prepare(np.asarray(dataset.parts["train"].inputs))
    assert abs(prepared.mean()) < 1e-4
    assert abs(prepared.std() - 1) < 1e-4


def test_a_trained_networks_spec_and_labels_are_kept(class_folders):
    trained = load_dataset(class_folders({"ape": 20, "cat": 20, "dog": 20}))
    other = class_folders({"dog": 6}, "more", size=(30, 40), channels=1)
    dataset = load_dataset(other, spec=trained.spec, labels=trained.labels)
    assert dataset.spec == trained.spec
    assert dataset.labels == trained.labels
    assert set(dataset.together().labels.tolist()) == {2}
    strange = class_folders({"dgo": 3, "cat": 3}, "strange")
    with pytest.raises(DataError, match="does not know the label 'dgo'; did you mean 'dog'"):
        load_dataset(strange, spec=trained.spec, labels=trained.labels)


def test_names_that_break_lines_or_are_no_utf8_do_no_harm(class_folders, picture):
    folder = class_folders({"cat": 20, "dog": 20})
    picture(71).save(folder / "cat" / "two\nlines.png")
    (folder / "cat" / "bad\nfile.png").write_bytes(b"x")
    picture(72).save(os.fsencode(folder) + b"/cat/\xff\xfe.png")
    for _ in range(2):
        dataset = load_dataset(folder)
        assert all("\n" not in line for line in dataset.report.lines())
        assert "cat/bad?file.png" in lines(dataset)
        assert len(dataset.together()) == 42
        "".join(dataset.together().names).encode()


@given(
    st.text(st.sampled_from("ab,;\t\"'\n\r\\./ 1é\0"), max_size=60) | st.binary(max_size=60),
    st.sampled_from(["a.csv", "a.tsv"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hostile_table_is_one_line(tmp_path, text, name):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError) as error:
        load_dataset(tmp_path / name)
    assert "\n" not in str(error.value)
