"""The kernel table of the Go board; boards.py and planes.py call it."""

from __future__ import annotations

from beak.ops.kernel import Kernel, structure

BYTES = (Kernel("go_bytes", structure("BytesArgs", "ptr:bytes int:capacity")),)
NEW = (
    Kernel(
        "go_new",
        structure(
            "NewArgs",
            "ptr:boards ptr:setup ptr:refused int:count int:bytes int:size int:ko_rule int:suicide "
            "int:capacity int:to_play int:setup_stones",
        ),
    ),
)
PLAY = (
    Kernel(
        "go_play",
        structure(
            "PlayArgs",
            "ptr:boards ptr:moves ptr:refused int:count int:bytes int:moves_each int:strict",
        ),
    ),
)
UNDO = (Kernel("go_undo", structure("UndoArgs", "ptr:boards ptr:moves int:count int:bytes")),)
LOOK = (
    Kernel(
        "go_look",
        structure(
            "LookArgs",
            "ptr:boards ptr:colours ptr:refused ptr:numbers int:count int:bytes int:points",
        ),
    ),
)
OWNERS = (
    Kernel(
        "go_owners",
        structure("OwnersArgs", "ptr:colours ptr:owners int:count int:size"),
        scratch="go_owners_scratch",
    ),
)
PLANES_OF_GAMES = (
    Kernel(
        "go_planes_of_games",
        structure(
            "GamesArgs",
            "ptr:moves ptr:starts ptr:setup ptr:setup_starts ptr:positions ptr:symmetry ptr:first "
            "ptr:out ptr:refused ptr:undecided int:count int:size int:ko_rule int:suicide "
            "int:capacity int:planes int:board_only int:ladders int:ladder_limit int:bytes",
        ),
        scratch="go_planes_of_games_scratch",
    ),
)
PLANES_OF_BOARDS = (
    Kernel(
        "go_planes_of_boards",
        structure(
            "PlanesArgs",
            "ptr:boards ptr:symmetry ptr:first ptr:out ptr:undecided int:count int:board_bytes "
            "int:planes int:board_only int:ladders int:ladder_limit int:bytes",
        ),
        scratch="go_planes_of_boards_scratch",
    ),
)
CHECK = (
    Kernel(
        "go_check",
        structure(
            "CheckArgs",
            "ptr:moves ptr:starts ptr:setup ptr:setup_starts ptr:legal ptr:refused int:games "
            "int:size int:ko_rule int:suicide int:capacity",
        ),
        scratch="go_check_scratch",
    ),
)
