"""Positions as planes: rows, symmetries with their moves, streams, one raw record."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beak.data.augment import Augmentation
from beak.data.batches import batches
from beak.data.go_kind import KIND
from beak.data.go_spec import HEAD, POINT_NAMES, ROW, GoSpec, games_of, row_of
from beak.data.kinds import read_spec
from beak.data.load import load_dataset
from beak.errors import DataError, UsageError
from beak.ops.go_board.games import Games
from beak.ops.go_board.planes import PLANE_SETS
from beak.ops.go_board.rules import encode
from beak.ops.go_board.symmetry import turn_planes, turned_points
from tests.data.go_games import folder_of_games, random_moves, random_sgf, sgf_of


def to_move(row):
    """Whose the pass is that ends a row's moves."""
    return -1 if row[HEAD + row[0] + row[1] - 1] & 0x8000 else 1


def test_points_are_named_as_players_name_them():
    assert (POINT_NAMES[0], POINT_NAMES[18], POINT_NAMES[342], POINT_NAMES[360]) == (
        "A19", "T19", "A1", "T1",
    )  # fmt: skip
    assert POINT_NAMES[15 * 19 + 8] == "J4"
    assert len(set(POINT_NAMES)) == 361


@pytest.mark.parametrize("planes", PLANE_SETS)
def test_every_set_of_planes_goes_to_json_and_back(planes):
    spec = GoSpec.of(planes)
    assert read_spec(spec.to_json()) == spec
    assert str(spec.shape[0]) in spec.describe()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"planes": "alphago-13"}, "no planes 'alphago-13'; did you mean 'alphago-12'"),
        ({"shape": [12, 19, 19]}, "are \\(48, 19, 19\\), not \\(12, 19, 19\\)"),
        ({"size": 9}, "no field 'size'"),
    ],
)
def test_a_spec_that_is_none_is_refused(change, said):
    with pytest.raises(DataError, match=said):
        read_spec({**GoSpec.of().to_json(), **change})


@given(seed=st.integers(0, 10**6), number=st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_a_row_gives_the_planes_of_the_game_itself(seed, number):
    moves = random_moves(seed, 61)
    games = Games.of([moves], [[]])
    row = row_of([], moves[:number], 1 if number % 2 == 0 else -1)
    for planes in ("alphago-value", "board"):
        expected = games.planes([[0, number]], planes)
        np.testing.assert_array_equal(GoSpec.of(planes).prepare(row[None]), expected)


@pytest.mark.parametrize("seed", range(3))
def test_a_game_too_long_for_a_row_keeps_its_planes(seed):
    generator = np.random.default_rng(seed)
    moves, colour = random_moves(seed, 250), 1
    while len(moves) < ROW + 200:  # passes, so that the game stays playable
        moves.append(encode(361, colour))
        colour = -colour
    from beak.ops.go_board.boards import Boards

    board = Boards(1, 19, capacity=len(moves) + 40)
    board.play(np.array([moves], np.uint16))
    for _ in range(30):
        legal = np.flatnonzero(board.look().legal[0])
        move = encode(int(generator.choice(legal)), colour)
        board.play(np.array([move], np.uint16))
        moves.append(move)
        colour = -colour
    expected = Games.of([moves]).planes([[0, len(moves)]], "alphago-value")
    row = row_of([], moves, colour)
    assert row[0] > 0  # shortened
    np.testing.assert_array_equal(GoSpec.of("alphago-value").prepare(row[None]), expected)


def test_a_row_does_not_hold_its_answer():
    moves = random_moves(3, 40)
    assert to_move(row_of([], moves[:10], 1)) == 1
    assert to_move(row_of([], moves[:10], -1)) == -1
    games, positions = games_of(row_of([], moves[:10], 1)[None])
    assert games.lengths[0] == 11
    assert games.moves[10] == 361
    assert positions.tolist() == [[0, 10]]


@pytest.mark.parametrize(
    "rows",
    [np.zeros((2, ROW), np.uint16), np.zeros((2, 5), np.uint16), np.zeros((2, ROW), np.int64),
     np.full((1, ROW), 65535, np.uint16)],
)  # fmt: skip
def test_rows_that_are_none_are_refused(rows):
    with pytest.raises(DataError, match="input: "):
        GoSpec.of().prepare(rows)


def some_batches(dataset, augmentation, threads=1, batch=32, start=0, epoch=1):
    part = dataset.parts["train"]
    return list(
        batches(part, dataset.spec, augmentation, seed=5, epoch=epoch, batch_size=batch,
                start=start, threads=threads)
    )  # fmt: skip


@pytest.fixture
def dataset(tmp_path):
    return load_dataset(folder_of_games(tmp_path / "games", games=10))


def test_boards_and_moves_turn_together(dataset):
    turned = some_batches(dataset, Augmentation(symmetries=True))
    plain = some_batches(dataset, None)
    seen = set()
    for a, b in zip(turned, plain, strict=True):
        np.testing.assert_array_equal(a.examples, b.examples)
        for i in range(len(a)):
            fits = [
                s
                for s in range(8)
                if np.array_equal(turn_planes(b.inputs[i], s), a.inputs[i])
                and turned_points(19, s)[b.labels[i]] == a.labels[i]
            ]
            assert fits
            seen.add(fits[0])
    assert seen == set(range(8))


def test_turns_depend_on_seed_epoch_and_example_alone(dataset):
    symmetric = Augmentation(symmetries=True)
    whole = some_batches(dataset, symmetric)
    for other in (
        some_batches(dataset, symmetric, threads=2),
        some_batches(dataset, symmetric, batch=16),
        some_batches(dataset, symmetric, start=2),
    ):
        for name in ("inputs", "labels"):
            a, b = (np.concatenate([getattr(x, name) for x in y]) for y in (whole, other))
            np.testing.assert_array_equal(a[len(a) - len(b) :], b)
    second = some_batches(dataset, symmetric, epoch=2)
    assert sorted(whole[0].labels.tolist()) != sorted(second[0].labels.tolist())


def test_each_view_is_the_turned_board_and_knows_where_answers_stand(dataset):
    part, spec = dataset.parts["train"], dataset.spec
    rows = part.inputs[:20]
    plain = spec.prepare(rows)
    for number in range(KIND.views(spec)):
        planes, place = KIND.view(rows, spec, number, 361)
        np.testing.assert_array_equal(planes, turn_planes(plain, number))
        marked = plain[:, 0].reshape(20, 361)  # own stones as if they were answers
        np.testing.assert_array_equal(planes[:, 0].reshape(20, 361)[:, place], marked)
    assert KIND.view(rows, spec, 3, 362)[1][361] == 361


def test_phases_are_by_the_number_of_the_move(tmp_path):
    dataset = load_dataset(folder_of_games(tmp_path / "g", games=4, moves=120), held_out=0)
    part = dataset.together()
    names, phase = KIND.strata(part)
    numbers = np.array([int(name.rsplit(" ", 1)[1]) for name in part.names])
    np.testing.assert_array_equal(phase, np.minimum((numbers - 1) // 50, 4))
    assert names[1] == "moves 51 to 100"


def test_one_record_is_the_position_at_its_end_or_before_a_move(tmp_path):
    path, spec = tmp_path / "a.sgf", GoSpec.of()
    path.write_text(random_sgf(4, 30))
    moves = random_moves(4, 30)
    for raw, number in ((path, 30), (path.read_bytes(), 30), ((path, 1), 0), ((path, 12), 11)):
        row, notes = KIND.load_raw(raw, spec, "position")
        assert notes == ()
        colour = 1 if number % 2 == 0 else -1
        np.testing.assert_array_equal(row, row_of([], moves[:number], colour))
    with pytest.raises(UsageError, match="a.sgf: no move 32; the game has 30 moves"):
        KIND.load_raw((path, 32), spec, "position")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("(;SZ[19];B[aa];W[aa])", "move 2: the point is occupied"),
        ("(;SZ[13];B[aa])", "a board of 13x13, not 19x19"),
        ("nothing", "no game record"),
    ],
)
def test_a_record_that_cannot_be_used_ends_in_one_line_with_its_name(tmp_path, content, said):
    path = tmp_path / "bad.sgf"
    path.write_text(content)
    with pytest.raises(DataError, match=said) as error:
        KIND.load_raw(path, GoSpec.of(), "position")
    assert str(error.value).startswith(f"{path}: ")
    with pytest.raises(DataError, match="position: int is no game record"):
        KIND.load_raw(7, GoSpec.of(), "position")


def test_a_handicap_game_without_moves_is_whites_to_play():
    text = sgf_of([], [encode(60, 1), encode(300, 1)], "HA[2]")
    row, _ = KIND.load_raw(text.encode(), GoSpec.of(), "position")
    assert to_move(row) == -1
