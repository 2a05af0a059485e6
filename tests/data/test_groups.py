"""Examples that belong together, as a speaker's recordings do, stay on one side."""

import numpy as np
import pytest

from beak.data.assemble import Examples, assemble
from beak.data.picture_spec import PictureSpec
from beak.data.split import UNKNOWN
from beak.errors import UsageError

SPEC = PictureSpec("numbers", (1, 1, 2), mean=(0.0,), std=(1.0,))


def spoken(speakers=30, each=12, given=None, seed=0):
    """A set in which example i is of speaker i % speakers."""
    rng = np.random.default_rng(seed)
    count = speakers * each
    examples = Examples(
        rng.normal(size=(count, 1, 1, 2)).astype(np.float32),
        np.arange(count),
        (np.arange(count) // speakers % 2).astype(np.int32),
        np.full(count, UNKNOWN, np.int8) if given is None else given,
        [f"{i}.wav" for i in range(count)],
        rng.integers(0, 256, (count, 16), dtype=np.uint8),
        groups=[f"speaker {i % speakers}" for i in range(count)],
        group_word="speaker",
    )
    return assemble("spoken", ("no", "yes"), SPEC, examples)


def speakers_of(part, speakers=30):
    return {int(name.removesuffix(".wav")) % speakers for name in part.names}


@pytest.mark.parametrize("speakers", [3, 6, 30])
def test_no_speaker_is_in_two_parts(speakers):
    for seed in range(5):
        made = spoken(speakers, 12, seed=seed)
        told = [speakers_of(part, speakers) for part in made.parts.values()]
        assert sum(map(len, told)) == speakers
        assert all(told)  # a test part is found even among three speakers
    assert "split by group: 80 % train, 10 % validation, 10 % test" in made.report.lines()


def test_folds_keep_speakers_together_and_test_each_once():
    made = spoken()
    for folds, count in ((made.folds(5), 5), (made.folds("speaker"), 30)):
        tested = [speakers_of(fold.parts["test"]) for fold in folds]
        assert len(folds) == count
        assert sorted(s for fold in tested for s in fold) == list(range(30))
        for fold in folds:
            sides = [speakers_of(part) for part in fold.parts.values()]
            assert sum(map(len, sides)) == 30


def test_with_few_speakers_validation_is_a_tenth_of_the_rest_by_content():
    fold = spoken(speakers=4, each=50).folds("speaker")[0]
    assert len(fold.parts["test"]) == 50
    assert 10 <= len(fold.parts["validation"]) <= 20
    assert len(speakers_of(fold.parts["train"], 4)) == 3


def test_folds_by_an_unknown_word_say_what_is_known():
    with pytest.raises(UsageError, match="'game' is not known here; a number or 'speaker' is"):
        spoken().folds("game")
    with pytest.raises(UsageError, match="31 of 30 speakers; from 2 to 30 fit"):
        spoken().folds(31)


def test_a_source_that_has_a_speaker_on_both_sides_is_told_so():
    given = np.where(np.arange(360) < 300, 0, 2).astype(np.int8)
    made = spoken(given=given)
    (warning,) = made.report.warnings
    assert warning.text.startswith("30 of 30 speakers are in training and in the test, so the test")
    assert "--folds speaker does" in warning.text
    assert len(made.parts["test"]) == 60  # the source's own
    assert made.parts["validation"].labels.size > 0
