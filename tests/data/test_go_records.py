"""Sources of game records: folders and archives, what is left out, splits by game, filters."""

import io
import tarfile
import time
import zipfile

import numpy as np
import pytest

from beak.data.kinds import kind_at
from beak.data.load import load_dataset
from beak.data.rows import Names
from beak.errors import DataError, UsageError
from beak.ops.go_board.rules import encode
from beak.ops.go_board.symmetry import turned_points
from tests.data.go_games import folder_of_games, random_moves, random_sgf, sgf_of


def whole(dataset):
    return dataset.together()


def archives(tmp_path, folder):
    """The same records in every kind of archive."""
    files = sorted(folder.glob("*.sgf"))
    made = [tmp_path / "games.zip"]
    with zipfile.ZipFile(made[0], "w", zipfile.ZIP_DEFLATED) as zipped:
        for file in files:
            zipped.write(file, f"inside/{file.name}")
    for ending, mode in ((".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.xz", "w:xz")):
        made.append(tmp_path / f"games{ending}")
        with tarfile.open(made[-1], mode) as tar:
            for file in files:
                tar.add(file, f"inside/{file.name}")
    return made


def test_a_folder_and_every_archive_of_it_hold_the_same_examples(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=9)
    expected = whole(load_dataset(folder))
    assert len(expected) == 9 * 30
    for path in archives(tmp_path, folder):
        assert kind_at(path) == "go", path
        found = whole(load_dataset(path))
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.inputs[:], expected.inputs[:])


def test_a_folder_of_archives_and_files_of_many_games_are_read(tmp_path):
    place = tmp_path / "all"
    place.mkdir()
    with zipfile.ZipFile(place / "a.zip", "w") as zipped:
        zipped.writestr("x/1.sgf", random_sgf(1))
    (place / "b.sgf").write_text(random_sgf(2) + random_sgf(3) + random_sgf(4))
    made = load_dataset(place)
    assert made.kind == "go"
    names = {name.rsplit(" move ", 1)[0] for name in whole(made).names}
    assert names == {"a.zip/x/1.sgf", "b.sgf", "b.sgf#2", "b.sgf#3"}


def test_a_single_file_of_many_games_is_a_source(tmp_path):
    path = tmp_path / "all.sgf"
    path.write_text("".join(random_sgf(i) for i in range(6)))
    made = load_dataset(path)
    assert sum(len(part) for part in made.parts.values()) == 6 * 40
    assert all(len(part) for part in made.parts.values())


def test_an_example_is_a_position_and_the_move_played_in_it(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=5)
    made = load_dataset(folder)
    for part in made.parts.values():
        for i in range(0, len(part), 7):
            name, number = part.names[i].rsplit(" move ", 1)
            moves = random_moves(int(name.removesuffix(".sgf")), 30)
            point = moves[int(number) - 1] & 0x7FFF
            column, line = "ABCDEFGHJKLMNOPQRST"[point % 19], 19 - point // 19
            assert made.labels[part.labels[i]] == f"{column}{line}"
            row = part.inputs[i]
            assert row[2 : 2 + int(number) - 1].tolist() == moves[: int(number) - 1]
            planes = made.spec.prepare(row[None])[0]
            assert planes[2].ravel()[point] == 1  # an empty point


def test_what_cannot_be_used_is_counted_with_file_and_reason(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=5)
    (folder / "broken.sgf").write_text("(;SZ[19];B[aa];W[bb]")
    (folder / "twice.sgf").write_text("(;SZ[19];B[aa];W[bb];B[aa])")
    (folder / "empty.sgf").write_text("(;SZ[19])")
    (folder / "small.sgf").write_text(sgf_of([encode(3, 1)], size=9) * 2)
    (folder / "none.sgf").write_bytes(b"\0\1\2")
    made = load_dataset(folder)
    (warning,) = made.report.warnings
    assert warning.text == "3 records cannot be used and are left out"
    assert sorted(warning.files) == [
        "broken.sgf: it is cut short: a '(' is never closed",
        "none.sgf: no game record: '(;' is nowhere in it",
        "twice.sgf: move 3 at A19: the point is occupied",
    ]
    lines = made.report.lines()
    assert "2 games of 9x9 left out" in lines
    assert "1 game without a move left out" in lines
    again = load_dataset(folder)  # from the cache: the same words
    assert again.report.lines() == lines
    with pytest.raises(DataError, match="3 records cannot be used"):
        load_dataset(folder, strict=True)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.sgf": "(;SZ[9];B[aa])"}, "no game of 19x19 in it, only games of 9x9"),
        ({"a.sgf": "(;SZ[19];B[aa]"}, "no game can be used; the first: a.sgf: it is cut short"),
        ({"a.sgf": "(;SZ[19])"}, "only games without a move"),
    ],
)
def test_a_source_without_a_usable_game_says_why(tmp_path, files, said):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said) as error:
        load_dataset(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["games.tar.gz", "games.zip", "games.tar"])
def test_a_damaged_archive_ends_in_one_line(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"no archive at all")
    with pytest.raises(DataError, match="the archive is damaged or cannot be unpacked") as error:
        load_dataset(path, kind="go")
    assert "\n" not in str(error.value)


def test_an_archive_that_breaks_off_gives_the_games_before_that(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=40)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for file in sorted(folder.glob("*.sgf")):
            tar.add(file, file.name)
    path = tmp_path / "cut.tar.gz"
    path.write_bytes(data.getvalue()[: len(data.getvalue()) * 2 // 3])
    made = load_dataset(path)
    assert 10 < len({name.rsplit(" move ", 1)[0] for name in whole(made).names}) < 40
    assert "the archive is damaged" in made.report.warnings[0].line()


def games_of(part):
    return {name.rsplit(" move ", 1)[0] for name in part.names}


def test_no_game_is_on_two_sides_and_repeated_turned_and_longer_ones_stay_together(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=60, moves=60)
    originals = [random_moves(i, 60) for i in range(60)]
    for i, moves in enumerate(originals):
        turned = turned_points(19, 1 + i % 7)
        copy = [encode(int(turned[m & 0x7FFF]), -1 if m & 0x8000 else 1) for m in moves]
        (folder / f"{i:03}-turned.sgf").write_text(sgf_of(copy))
        (folder / f"{i:03}-begun.sgf").write_text(sgf_of(moves[:55]))
    made = load_dataset(folder)
    sides = {}
    for name, part in made.parts.items():
        assert len(part)
        for game in games_of(part):
            sides.setdefault(game[:3], set()).add(name)
    assert len(sides) == 60
    assert all(len(side) == 1 for side in sides.values())
    text = "\n".join(made.report.lines())
    assert "60 games repeated, kept on the side of the first one" in text
    assert "60 games begin as another one, kept on its side" in text


def test_games_added_later_move_no_others(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=40)
    before = {name: games_of(part) for name, part in load_dataset(folder).parts.items()}
    folder_of_games(folder / "more", games=30, first=500)
    after = {name: games_of(part) for name, part in load_dataset(folder).parts.items()}
    assert all(before[name] <= after[name] for name in before)


def test_parts_by_folder_are_kept_and_leaks_are_moved_to_the_held_out_side(tmp_path):
    folder_of_games(tmp_path / "set" / "train", games=20)
    folder_of_games(tmp_path / "set" / "test", games=5, first=18)  # 18 and 19 are in both
    made = load_dataset(tmp_path / "set")
    assert len(games_of(made.parts["test"])) == 7
    assert not any(g.startswith("train/018") for g in games_of(made.parts["train"]))
    assert "2 games also in a part that is held out from them" in made.report.warnings[0].text


def test_folds_keep_games_whole(tmp_path):
    made = load_dataset(folder_of_games(tmp_path / "games", games=12))
    folds = made.folds(4)
    tested = [games_of(fold.parts["test"]) for fold in folds]
    assert sum(map(len, tested)) == 12
    for fold in folds:
        assert sum(len(games_of(part)) for part in fold.parts.values()) == 12
    assert len(made.folds("game")) == 12


def filter_source(tmp_path):
    folder = tmp_path / "games"
    folder.mkdir()
    heads = {
        "strong": "BR[7d]WR[1p]RE[B+3.5]", "mixed": "BR[7d]WR[3k]RE[W+R]",
        "unranked": "RE[?]", "even": "BR[1d]WR[1d]RE[0]",
    }  # fmt: skip
    for i, (name, head) in enumerate(heads.items()):
        (folder / f"{name}.sgf").write_text(random_sgf(i, 40 + i, head))
    (folder / "short.sgf").write_text(random_sgf(9, 10, "BR[9d]WR[9d]RE[B+R]"))
    stones = [encode(60, 1), encode(300, 1)]
    moves = [encode(p, -1 if i % 2 == 0 else 1) for i, p in enumerate([41, 361, 42, 100, 361, 5])]
    (folder / "given.sgf").write_text(sgf_of(moves, stones, "HA[2]BR[6d]WR[6d]RE[W+R]"))
    return folder


@pytest.mark.parametrize(
    ("options", "games", "said"),
    [
        ({"min_moves": 20}, "strong mixed unranked even", "2 games with fewer than 20 moves"),
        ({"min_rank": "6d"}, "strong short given", "3 games with a player below 6d"),
        ({"min_rank": "1k"}, "strong short given even", "2 games with a player below 1k"),
        ({"decided": True}, "strong mixed short given even", "1 game without a known result"),
        ({"handicap": False}, "strong mixed unranked even short", "1 game with handicap left out"),
    ],
)
def test_filters_leave_out_games_and_say_how_many(tmp_path, options, games, said):
    made = load_dataset(filter_source(tmp_path), **options)
    found = set().union(*map(games_of, made.parts.values()))
    assert found == {f"{game}.sgf" for game in games.split()}
    assert said in "\n".join(made.report.lines())


def test_filters_that_leave_nothing_and_no_rank_are_told(tmp_path):
    folder = filter_source(tmp_path)
    with pytest.raises(DataError, match="no game is left: 6 games with fewer than 99 moves"):
        load_dataset(folder, min_moves=99)
    with pytest.raises(UsageError, match="min_rank = 'strong': wanted a rank such as 6d"):
        load_dataset(folder, min_rank="strong")


def test_passes_are_learned_only_where_asked(tmp_path):
    folder = filter_source(tmp_path)
    without, with_passes = (load_dataset(folder, passes=p) for p in (False, True))
    assert (len(without.labels), len(with_passes.labels)) == (361, 362)
    assert with_passes.labels[-1] == "pass"
    assert len(whole(with_passes)) - len(whole(without)) == 2
    assert (whole(with_passes).labels == 361).sum() == 2


def test_fewer_training_games_are_some_of_more_and_are_tested_on_the_same(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=50)
    few, more = (load_dataset(folder, games=n) for n in (5, 15))
    assert games_of(few.parts["train"]) < games_of(more.parts["train"])
    assert len(games_of(few.parts["train"])) == 5
    assert games_of(few.parts["test"]) == games_of(more.parts["test"])


def test_held_out_positions_are_spread_over_all_held_out_games(tmp_path):
    folder = folder_of_games(tmp_path / "games", games=60)
    all_of_them, some = (load_dataset(folder, held_out=n) for n in (0, 40))
    assert len(all_of_them.parts["test"]) % 30 == 0
    assert len(some.parts["test"]) == 40
    assert games_of(some.parts["test"]) == games_of(all_of_them.parts["test"])


def test_too_few_games_for_all_parts_is_said(tmp_path):
    made = load_dataset(folder_of_games(tmp_path / "one", games=1))
    assert [w.text for w in made.report.warnings] == [
        "nothing is left for the validation part", "nothing is left for the test part",
    ]  # fmt: skip
    assert len(made.parts["train"]) == 30
    three = load_dataset(folder_of_games(tmp_path / "three", games=3))
    assert all(len(part) == 30 for part in three.parts.values())
    assert not three.report.warnings


def test_a_damaged_cache_is_made_again(tmp_path, cache):
    folder = folder_of_games(tmp_path / "games")
    expected = whole(load_dataset(folder)).labels
    (kept,) = (cache / "go").glob("*.beak")
    kept.write_bytes(kept.read_bytes()[:-100])
    made = load_dataset(folder)
    np.testing.assert_array_equal(whole(made).labels, expected)
    assert "was made again" in "\n".join(made.report.lines())


def test_columns_of_a_part_are_lazy(tmp_path):
    made = load_dataset(folder_of_games(tmp_path / "games"))
    part = made.parts["train"]
    assert isinstance(part.names, Names)
    assert part.inputs.index.dtype == np.uint32
    assert part.take(np.arange(3)).names[2] == part.names[2]
    assert isinstance(whole(made).names, Names)


@pytest.mark.slow
def test_36692_real_games_are_read_within_two_minutes_and_few_bytes_a_move(archive, cache):
    start = time.monotonic()
    made = load_dataset(archive("go-kgs-6d"), threads=2)
    seconds = time.monotonic() - start
    assert seconds < 120
    (kept,) = (cache / "go").glob("*.beak")
    examples = sum(len(p) for p in load_dataset(archive("go-kgs-6d"), held_out=0).parts.values())
    assert examples > 7_200_000
    assert kept.stat().st_size < 3 * examples
    assert "left out" in "\n".join(made.report.lines())
    assert "games repeated" in "\n".join(made.report.lines())
