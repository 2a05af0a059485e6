"""Sources of sounds: folders, tables, lists, names; speakers, silence, unknown words, bad files."""

from __future__ import annotations

import doctest
import re
import tarfile

import numpy as np
import pytest

from beak.data import sound_find
from beak.data.builtin import builtin, status
from beak.data.kinds import kind_at
from beak.data.load import load_dataset
from beak.data.rows import as_rows
from beak.data.sound_builtin import _fsdd, _unpack, content_sum
from beak.errors import DataError, UsageError
from tests.data.sound_files import class_folder, raw_wav, tone, write
from tests.data.test_sounds import BAD


def all_names(dataset):
    return {name for part in dataset.parts.values() for name in part.names}


def test_class_folders_of_any_rate_length_and_format(tmp_path):
    folder = class_folder(tmp_path / "words", {"low": 12, "high": 12})
    write(folder / "low" / "long.flac", tone(300, 3.0, 44100), 44100)
    write(folder / "high" / "short.ogg", tone(600, 0.05, 16000), 16000)
    write(folder / "high" / "stereo.wav", np.stack([tone(600), tone(601)], axis=1))
    assert kind_at(folder) == "sounds"
    dataset = load_dataset(folder)
    assert (dataset.kind, dataset.labels) == ("sounds", ("high", "low"))
    assert dataset.spec.rate == 8000
    assert len(all_names(dataset)) == 27
    assert "1 sounds have several channels: their mean is used" in dataset.report.lines()
    part = dataset.parts["train"]
    inputs = dataset.spec.prepare(np.asarray(part.inputs[:]))
    assert inputs.shape[1:] == dataset.spec.shape
    again = load_dataset(folder)
    assert again.fingerprint == dataset.fingerprint
    np.testing.assert_array_equal(again.parts["train"].inputs[:], part.inputs[:])


def test_tables_with_a_speaker_column_keep_a_speaker_on_one_side(tmp_path):
    class_folder(tmp_path, {"low": 60, "high": 60})
    rows = [
        f"{label}/{i:03}.wav,{label},voice{i % 12}" for label in ("low", "high") for i in range(60)
    ]
    (tmp_path / "list.csv").write_text("path,label,speaker\n" + "\n".join(rows) + "\n")
    dataset = load_dataset(tmp_path / "list.csv")
    assert dataset.group_word == "speaker"
    sides = {(int(name[-7:-4]) % 12, part) for part, p in dataset.parts.items() for name in p.names}
    assert len(sides) == 12
    assert len(dataset.folds("speaker")) == 12


def test_train_val_and_test_tables(tmp_path):
    class_folder(tmp_path, {"low": 9, "high": 9})
    for part, numbers in (("train", range(5)), ("val", range(5, 7)), ("test", range(7, 9))):
        rows = [f"{label}/{i:03}.wav,{label}" for label in ("low", "high") for i in numbers]
        (tmp_path / f"{part}.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    dataset = load_dataset(tmp_path)
    assert [len(p) for p in dataset.parts.values()] == [10, 4, 4]


def test_a_speaker_on_both_sides_of_a_given_split_is_told_before_training(tmp_path):
    folder = tmp_path / "said"
    for part, numbers in (("train", range(8)), ("test", range(8, 10))):
        for k, word in enumerate(("no", "yes")):
            for who in ("anna", "bert"):
                for i in numbers:
                    samples = tone(300 * (k + 1) + 5 * i, seed=100 * k + 10 * len(who) + i) * (
                        1 + ord(who[0]) / 999
                    )
                    write(folder / part / word / f"{word}_{who}_{i}.wav", samples)
    (told,) = [f for f in load_dataset(folder).report.warnings if "speaker" in f.text]
    assert told.text.startswith("2 of 2 speakers are in training and in the test")
    assert told.files == ("anna", "bert")


def test_labels_and_speakers_from_names_in_one_folder(tmp_path):
    folder = tmp_path / "digits" / "recordings"
    for digit in range(3):
        for who in ("anna", "bert", "carl"):
            for i in range(4):
                samples = tone(300 + 200 * digit, seed=100 * digit + 10 * len(who) + i)
                write(folder / f"{digit}_{who}_{i}.wav", samples * (1 + ord(who[0]) / 999))
    write(folder / "hello.wav", tone(50))
    dataset = load_dataset(tmp_path / "digits")
    assert dataset.labels == ("0", "1", "2")
    assert dataset.group_word == "speaker"
    assert len(dataset.folds("speaker")) == 3
    (left,) = [f for f in dataset.report.warnings if "names do not tell" in f.text]
    assert left.files == ("hello.wav",)
    for fold in dataset.folds("speaker"):
        tested = {name.split("_")[1] for name in fold.parts["test"].names}
        trained = {name.split("_")[1] for name in fold.parts["train"].names}
        assert len(tested) == 1
        assert not tested & trained
    with pytest.raises(UsageError, match="a number or 'speaker' is wanted"):
        dataset.folds("voice")


def speech_commands(root, noise=0):
    for k, word in enumerate(("no", "up", "yes")):
        for i in range(12):
            write(root / word / f"{i:08x}_nohash_0.wav", tone(250 * (k + 1), seed=50 * k + i))
    (root / "validation_list.txt").write_text(
        "no/00000001_nohash_0.wav\nyes/00000001_nohash_0.wav\n"
    )
    (root / "testing_list.txt").write_text(
        "no/00000002_nohash_0.wav\nup/00000002_nohash_0.wav\nyes/none_nohash_0.wav\n"
    )
    for i in range(noise):
        hiss = np.random.default_rng(i).normal(size=8000 * 8) * 0.05
        write(root / "_background_noise_" / f"hiss{i}.wav", hiss)
    return root


def test_speech_commands_lists_and_hashes(tmp_path):
    dataset = load_dataset(speech_commands(tmp_path))
    assert dataset.labels == ("no", "up", "yes")
    assert sorted(dataset.parts["test"].names) == [
        "no/00000002_nohash_0.wav", "up/00000002_nohash_0.wav",
    ]  # fmt: skip
    assert len(dataset.parts["validation"]) == 2
    assert dataset.group_word == "speaker"


def test_background_noise_is_silence_and_is_mixed_in(tmp_path):
    dataset = load_dataset(speech_commands(tmp_path, noise=2))
    assert dataset.labels == ("no", "up", "yes", "silence")
    whole = dataset.together()
    quiet = [n for n, label in zip(whole.names, whole.labels, strict=True) if label == 3]
    assert len(quiet) >= 10
    assert all(name.startswith("background noise") for name in quiet)
    whole_of = held = as_rows(dataset.parts["train"].inputs).base
    while isinstance(held.base, np.ndarray):
        held = held.base
    assert not held.flags.owndata  # the rows of the mapped file themselves, no copy of all
    noise = whole_of.noise
    silence = {row.tobytes() for row in np.asarray(whole.inputs[:])[whole.labels == 3]}
    assert len(noise) >= 10
    assert not silence & {row.tobytes() for row in np.asarray(noise)}


def test_only_some_words_leaves_the_others_as_unknown(tmp_path):
    folder = speech_commands(tmp_path)
    dataset = load_dataset(folder, only=("yes",))
    assert dataset.labels == ("unknown", "yes")
    whole = dataset.together()
    assert np.bincount(whole.labels).tolist() == [12, 12]
    seen = load_dataset(folder, spec=dataset.spec, labels=dataset.labels)
    assert all_names(seen) == all_names(dataset)
    with pytest.raises(UsageError, match="no label 'yess'; did you mean 'yes'"):
        load_dataset(folder, only=("yess",))


def test_bad_files_are_told_with_name_and_row_and_the_rest_goes_on(tmp_path):
    class_folder(tmp_path, {"low": 12, "high": 12})
    bad = {
        "text.wav": b"no sound",
        "empty.wav": raw_wav(),
        "cut.wav": raw_wav(b"\0" * 99, promised=9999),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    names = [f"{label}/{i:03}.wav" for label in ("low", "high") for i in range(12)]
    rows = [f"{name},{name.split('/')[0]}" for name in names]
    rows[3:3] = ["text.wav,low", "gone.wav,low"]
    rows += ["empty.wav,high", "cut.wav,high", ",high"]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    dataset = load_dataset(tmp_path / "list.csv")
    assert all_names(dataset) == {*names}
    (told,) = [f for f in dataset.report.warnings if "cannot be used" in f.text]
    assert told.text == "4 files cannot be used and are left out"
    lines = "; ".join(told.files)
    assert "text.wav (list.csv:5): no sound file that can be read" in lines
    assert "gone.wav (list.csv:6): there is no such file" in lines
    assert "empty.wav (list.csv:28): it holds no samples" in lines
    assert "cut.wav (list.csv:29): its header promises" in lines
    (row,) = [f for f in dataset.report.warnings if "without a path" in f.text]
    assert row.files == ("list.csv:30",)
    with pytest.raises(DataError, match=r"\(strict\)"):
        load_dataset(tmp_path / "list.csv", strict=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path\na.wav\n", "one column only"),
        ('path,label\n"low/000.wav,low\n', r"list.csv:\d+: "),
        ("path,label\nx.wav,a\ny.wav,b\n", "none of the 2 files it names is there"),
        ("", "the table is empty"),
    ],
)
def test_tables_that_cannot_be_used_are_one_line(tmp_path, text, says):
    class_folder(tmp_path, {"low": 2, "high": 2})
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=says) as told:
        load_dataset(tmp_path / "list.csv", kind="sounds")
    assert "\n" not in str(told.value)


def test_folders_that_hold_no_classes_say_what_is_wanted(tmp_path):
    write(tmp_path / "flat" / "a.wav", tone(300))
    with pytest.raises(DataError, match="sounds lie directly in the folder"):
        load_dataset(tmp_path / "flat")
    (tmp_path / "none" / "x").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no sounds in folders below it; wanted LABEL/sound.wav"):
        load_dataset(tmp_path / "none", kind="sounds")
    for label in ("a", "b"):
        (tmp_path / "broken" / label).mkdir(parents=True)
        (tmp_path / "broken" / label / "x.wav").write_bytes(b"x")
    with pytest.raises(DataError, match="none of the 2 sounds can be read"):
        load_dataset(tmp_path / "broken")


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"rate": 16000, "seconds": 0.5}, (1, 47, 40)),
        ({"bands": 64}, (1, 27, 64)),
        ({"features": "samples"}, (1, 2336)),
    ],
)
def test_rate_length_bands_and_features_as_asked(tmp_path, options, shape):
    folder = class_folder(tmp_path / "words", {"low": 12, "high": 12})
    assert load_dataset(folder, **options).spec.shape == shape


def test_a_damaged_cache_is_made_again(tmp_path, cache):
    folder = class_folder(tmp_path / "words", {"low": 12, "high": 12})
    first = load_dataset(folder)
    (store,) = (cache / "sounds").iterdir()
    store.write_bytes(store.read_bytes()[:-50])
    again = load_dataset(folder)
    assert any("was made again" in line for line in again.report.lines())
    assert again.fingerprint == first.fingerprint


def test_the_built_in_sets_say_where_they_are_wanted(tmp_path):
    for name in ("fsdd", "speech-commands"):
        found = status(name, tmp_path)
        assert builtin(name).kind == "sounds"
        assert not found.present
        assert str(tmp_path / name) in found.how


def test_what_comes_of_fsdd_is_checked_by_its_contents(tmp_path):
    write(tmp_path / "x" / "recordings" / "0_a_0.wav", tone(300))
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "x", "x")
    with pytest.raises(DataError, match="another checksum"):
        _fsdd(tmp_path / "home" / "recordings", (tmp_path / "a.tar.gz").as_uri())
    assert not (tmp_path / "home" / "recordings").exists()
    with pytest.raises(DataError, match="fsdd could not be had"):
        _fsdd(tmp_path / "home" / "recordings", (tmp_path / "none.tar.gz").as_uri())
    before = content_sum(tmp_path / "x" / "recordings")
    (tmp_path / "x" / "recordings" / "0_a_0.wav").rename(
        tmp_path / "x" / "recordings" / "1_a_0.wav"
    )
    assert content_sum(tmp_path / "x" / "recordings") != before


def test_free_spoken_digits_have_their_authors_test_and_six_speakers(real):
    folder = real("fsdd")
    dataset = load_dataset("fsdd", data_dir=folder)
    assert sum(len(p) for p in dataset.parts.values()) == 3000
    assert len(dataset.parts["test"]) == 300
    assert all(int(n.split("_")[2][:-4]) < 5 for n in dataset.parts["test"].names)
    assert any("6 of 6 speakers" in f.text for f in dataset.report.warnings)
    folds = dataset.folds("speaker")
    assert [len(fold.parts["test"]) for fold in folds] == [500] * 6
    assert content_sum(folder / "recordings") == (
        "a2e8a660492f28d9eed6270b290d26cbc5c81d6077ce87d3c0ad5adf4d4ee696"
    )


def test_the_examples_of_the_docstrings():
    assert doctest.testmod(sound_find).failed == 0


def test_every_bad_recording_is_a_line_of_its_own_and_strict_stops(tmp_path):
    folder = class_folder(tmp_path / "words", {"low": 12, "high": 12})
    for i, (data, _) in enumerate(BAD.values()):
        (folder / "low" / f"bad{i}.wav").write_bytes(data)
    write(folder / "low" / "many.wav", np.stack([tone(300, seed=k) for k in range(32)], axis=1))
    dataset = load_dataset(folder)
    assert len(all_names(dataset)) == 25
    (told,) = [f for f in dataset.report.warnings if "cannot be used" in f.text]
    assert told.text == f"{len(BAD)} files cannot be used and are left out"
    for i, (_, says) in enumerate(BAD.values()):
        (line,) = [line for line in told.files if f"bad{i}.wav" in line]
        assert re.search(says, line)
        assert "\n" not in line
    with pytest.raises(DataError, match=r"cannot be used.*\(strict\)") as stopped:
        load_dataset(folder, strict=True)
    assert "\n" not in str(stopped.value)


def test_speech_commands_is_found_by_name_with_its_lists(tmp_path):
    speech_commands(tmp_path / "speech-commands", noise=2)
    dataset = load_dataset("speech-commands", data_dir=tmp_path)
    assert dataset.labels == ("no", "up", "yes", "silence")
    words = [n for n in dataset.parts["test"].names if not n.startswith("background")]
    assert sorted(words) == ["no/00000002_nohash_0.wav", "up/00000002_nohash_0.wav"]


def test_speech_commands_is_unpacked_from_its_archive_once(tmp_path):
    speech_commands(tmp_path / "x")
    archive = tmp_path / builtin("speech-commands").files[0].name
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "x", ".")
    _unpack(archive, tmp_path / "speech-commands")
    assert load_dataset("speech-commands", data_dir=tmp_path).labels == ("no", "up", "yes")
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"broken\.tar\.gz: cannot be unpacked"):
        _unpack(tmp_path / "broken.tar.gz", tmp_path / "other")
    assert not (tmp_path / "other").exists()
