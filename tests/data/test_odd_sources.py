"""Sources as practitioners have them: pipes, links to everything, tables with more columns."""

import os

import pytest

from beak.data.load import load_dataset


def lines(dataset):
    return "\n".join(dataset.report.lines())


def sizes(dataset):
    return {name: len(part) for name, part in dataset.parts.items()}


def test_a_link_to_the_whole_source_is_no_second_copy_of_it(class_folders):
    folder = class_folders({"cat": 20, "dog": 20})
    (folder / "cat" / "all").symlink_to("..", target_is_directory=True)
    dataset = load_dataset(folder)
    assert sum(sizes(dataset).values()) == 40
    assert "not followed: cat/all" in lines(dataset)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_among_the_pictures_is_named_and_does_not_stop_the_work(class_folders):
    folder = class_folders({"cat": 20, "dog": 20})
    os.mkfifo(folder / "cat" / "pipe.png")
    dataset = load_dataset(folder)
    assert sum(sizes(dataset).values()) == 40
    assert "cat/pipe.png: a pipe or device, not a plain file" in lines(dataset)


def test_a_device_in_a_table_is_not_read_for_ever(class_folders, tmp_path):
    folder = class_folders({"cat": 20, "dog": 20})
    rows = [f"{p},{p.parent.name}" for p in sorted(folder.rglob("*.png"))]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows, "/dev/zero,cat"]))
    dataset = load_dataset(tmp_path / "list.csv")
    assert sum(sizes(dataset).values()) == 40
    assert "/dev/zero: a pipe or device" in lines(dataset)


def table_of(folder, tmp_path, words):
    rows = [f"{p},{p.parent.name}" for p in sorted(folder.rglob("*.png"))]
    lines = [f"{row},{words[i % len(words)]},x" for i, row in enumerate(rows)]
    (tmp_path / "list.csv").write_text("\n".join(["path,label,Split,camera", *lines]))
    return tmp_path / "list.csv"


def test_a_column_of_a_table_gives_the_parts(class_folders, tmp_path):
    folder = class_folders({"cat": 40, "dog": 40})
    table = table_of(folder, tmp_path, ["train", "TRAIN", "val", "test"])
    dataset = load_dataset(table)
    assert sizes(dataset) == {"train": 40, "validation": 20, "test": 20}
    assert all(int(name[-5]) % 4 == 3 for name in dataset.parts["test"].names if name[-6] == "0")
    assert "the column 'Split' says which part is for what" in lines(dataset)
    assert "columns that are not used: camera" in lines(dataset)


@pytest.mark.parametrize("words", [["1", "2", "3"], ["test"], ["train", "elsewhere"]])
def test_a_column_that_names_no_parts_is_not_used(class_folders, tmp_path, words):
    dataset = load_dataset(table_of(class_folders({"cat": 40, "dog": 40}), tmp_path, words))
    assert "split by content" in lines(dataset)
    assert "columns that are not used: Split, camera" in lines(dataset)
