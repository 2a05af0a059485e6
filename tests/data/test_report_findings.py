import shutil

import numpy as np

from beak.data.doctor import count_line
from beak.data.load import load_dataset


def finding(dataset, text):
    return next(f for f in dataset.report.findings if text in f.text)


def test_copies_across_given_parts_are_left_out_of_training_and_named(class_folders):
    train = class_folders({"cat": 50, "dog": 50}, "photos/train")
    test = class_folders({"cat": 10, "dog": 10}, "photos/test")
    for i in range(3):
        shutil.copy(train / "cat" / f"000{i}.png", test / "cat" / f"copy{i}.png")
    dataset = load_dataset(train.parent)
    said = finding(dataset, "held out")
    assert said.level == "warning"
    assert said.text.startswith("3 examples")
    told = "cat/0000.png (train) = test/cat/copy0.png"
    assert any(
        told in file or told.replace("(train)", "(validation)") in file for file in said.files
    )
    assert len(dataset.parts["test"]) == 23
    assert len(dataset.parts["train"]) + len(dataset.parts["validation"]) == 97
    held = {h.tobytes() for h in dataset.parts["test"].hashes}
    for name in ("train", "validation"):
        assert not held & {h.tobytes() for h in dataset.parts[name].hashes}


def test_one_picture_under_two_labels_is_named(class_folders):
    folder = class_folders({"cat": 30, "dog": 30})
    shutil.copy(folder / "cat" / "0007.png", folder / "dog" / "0099.png")
    said = finding(load_dataset(folder), "under different labels")
    assert said.level == "warning"
    assert said.files == ("[cat/0007.png (cat), dog/0099.png (dog)]",)


def test_copies_in_one_class_stay_together_and_are_a_note(class_folders):
    folder = class_folders({"cat": 30, "dog": 30})
    for i in range(12):
        shutil.copy(folder / "cat" / "0007.png", folder / "cat" / f"copy{i}.png")
    dataset = load_dataset(folder)
    assert finding(dataset, "exact copies").text.startswith("12 examples")
    homes = {
        name
        for name, part in dataset.parts.items()
        if any("copy" in n or n == "cat/0007.png" for n in part.names)
    }
    assert len(homes) == 1
    for fold in dataset.folds(4):
        homes = {n for n, p in fold.parts.items() if any("copy" in name for name in p.names)}
        assert len(homes) == 1


def test_the_same_picture_in_another_kind_of_file_is_a_copy(class_folders, picture):
    folder = class_folders({"cat": 30, "dog": 30})
    picture(5).save(folder / "cat" / "x.png")
    picture(5).save(folder / "cat" / "y.bmp")
    assert finding(load_dataset(folder), "exact copies").text.startswith("1 examples")


def test_pictures_with_damaged_notes_of_their_cameras_are_counted(class_folders, picture):
    folder = class_folders({"cat": 30, "dog": 30})
    picture(5).save(folder / "cat" / "x.jpg", exif=b"Exif\0\0garbage")
    for _ in range(2):  # decoded, and from the cache
        told = finding(load_dataset(folder), "damaged notes")
        assert told.text.startswith("1 pictures have damaged notes of their cameras")
        assert told.level == "note"


def test_folds_test_every_example_once(class_folders):
    dataset = load_dataset(class_folders({"cat": 33, "dog": 57}))
    folds = dataset.folds(5)
    tested = [name for fold in folds for name in fold.parts["test"].names]
    assert sorted(tested) == sorted(dataset.together().names)
    assert len({fold.fingerprint for fold in folds}) == 5
    for fold in folds:
        assert sum(len(p) for p in fold.parts.values()) == 90
        assert 5 <= len(fold.parts["validation"]) <= 10
        cats = (fold.parts["test"].labels == 0).sum()
        assert cats in (6, 7)
    whole = dataset.everything()
    assert len(whole.parts["train"]) == 90
    assert len(whole.parts["test"]) == 0


def test_the_inputs_scale_is_that_of_the_training_part(class_folders):
    import numpy as np

    dataset = load_dataset(class_folders({"cat": 40, "dog": 40}))
    pixels = np.asarray(dataset.parts["train"].inputs) / 255
    np.testing.assert_allclose(dataset.spec.mean, pixels.mean(axis=(0, 2, 3)), atol=1e-4)
    np.testing.assert_allclose(dataset.spec.std, pixels.std(axis=(0, 2, 3)), atol=1e-4)


def test_large_pictures_become_a_small_square_and_it_is_said(class_folders):
    dataset = load_dataset(class_folders({"cat": 10, "dog": 10}, size=(120, 180)))
    assert dataset.spec.shape == (3, 64, 64)
    assert "64x64 pixels in colour; a picture of another shape is stretched" in str(
        dataset.report.lines()
    )
    assert dataset.augmentation.flip


def test_grey_pictures_become_one_channel(class_folders):
    dataset = load_dataset(class_folders({"cat": 10, "dog": 10}, channels=1))
    assert dataset.spec.shape == (1, 12, 10)


def test_what_is_asked_for_is_obeyed(class_folders):
    folder = class_folders({"cat": 10, "dog": 10})
    dataset = load_dataset(folder, size=(20, 24), channels=1, fit="crop")
    assert dataset.spec.shape == (1, 20, 24)
    assert dataset.spec.fit == "crop"
    assert load_dataset(folder, size=9).spec.shape == (3, 9, 9)


def test_what_the_data_set_says_itself_can_be_left_out_of_the_findings(class_folders):
    folder = class_folders({"cat": 30, "dog": 30})
    (folder / "cat" / "broken.png").write_bytes(b"no picture")
    report = load_dataset(folder).report
    whole, short = report.lines(), report.lines(summary=False)
    assert whole[0].startswith("60 examples of 2 classes: ")
    gone = [line for line in whole if line not in short]
    assert [line.split(maxsplit=1)[0] for line in gone] == ["60", "input:"]
    assert any("warning: 1 file cannot be used and is left out: cat/broken.png" in x for x in short)


def test_large_counts_are_easy_to_read():
    parts = np.repeat(np.array([0, 1, 2]), [58_000, 2_000, 10_000])
    line = count_line(parts, [str(k) for k in range(10)]).line()
    assert line == "70,000 examples of 10 classes: 58,000 train, 2,000 validation, 10,000 test"
