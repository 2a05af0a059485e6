// Planes of many positions in one call: of records, played again up to there, or of boards.
#include "go_board/features.h"

namespace {

struct GamesArgs {
    const uint16_t* moves;         // of all games, one after the other
    const int64_t* starts;         // (games + 1,) where each game's moves begin
    const uint16_t* setup;         // of all games
    const int64_t* setup_starts;   // (games + 1,)
    const int64_t* positions;      // (count, 2) a game, and how many of its moves were played
    const uint8_t* symmetry;       // (count,) 0..7
    const int64_t* first;          // (FEATURES,)
    char* out;                     // (count, planes, size, size) of `bytes` each
    uint8_t* refused;              // (count,) why the record could not be played up to there, or 0
    int64_t* undecided;            // (count,) how many ladders were not read to the end
    int64_t count, size, ko_rule, suicide, capacity, planes, board_only, ladders, ladder_limit, bytes;
};

struct PlanesArgs {
    char* boards;                  // (count, board_bytes); changed and changed back
    const uint8_t* symmetry;
    const int64_t* first;
    char* out;
    int64_t* undecided;
    int64_t count, board_bytes, planes, board_only, ladders, ladder_limit, bytes;
};

struct CheckArgs {
    const uint16_t* moves;
    const int64_t* starts;
    const uint16_t* setup;
    const int64_t* setup_starts;
    int64_t* legal;                // (games,) how many moves from the first are legal
    uint8_t* refused;              // (games,) why the next is not, 0 where all are legal
    int64_t games, size, ko_rule, suicide, capacity;
};

// A board on which the games of one call are played, one after the other.
template <class Args>
struct Player {
    const Args* args;
    Board* b;
    int64_t game = -1;
    Refusal refused = LEGAL;

    Player(const Args* args, Board* b) : args(args), b(b) {
        prepare(b, args->size, args->ko_rule, args->suicide, args->capacity);
    }
    int64_t length(int64_t of) const { return args->starts[of + 1] - args->starts[of]; }
    uint8_t colour_at(int64_t of, int64_t number) const {    // who plays that move, or would
        const uint16_t* moves = args->moves + args->starts[of];
        if (number < length(of)) return moves[number] & WHITE_BIT ? WHITE : BLACK;
        if (number > 0) return moves[number - 1] & WHITE_BIT ? BLACK : WHITE;
        return args->setup_starts[of + 1] > args->setup_starts[of] ? WHITE : BLACK;
    }
    void begin(int64_t of) {
        game = of;
        b->setup_stones = least(args->setup_starts[of + 1] - args->setup_starts[of], b->points + 1);
        memcpy(b->setup, args->setup + args->setup_starts[of], static_cast<size_t>(b->setup_stones) * 2);
        b->first_to_play = colour_at(of, 0);
        refused = restart(b);
    }
    void go_to(int64_t of, int64_t number, bool strict) {
        if (of != game || number < b->moves) begin(of);
        while (!refused && b->moves < number)
            refused = move(b, args->moves[args->starts[of] + b->moves], strict);
    }
};

}    // namespace

BEAK_EXPORT int64_t go_planes_of_games_scratch(const GamesArgs* a) { return Room::bytes(a->capacity); }

BEAK_KERNEL(go_planes_of_games, GamesArgs) {
    const Room room(scratch, args->capacity);
    const Share share(args->count, part, parts);
    const Wanted wanted{args->first, args->planes, args->board_only, args->ladders, args->ladder_limit, args->bytes};
    Player<GamesArgs> player(args, room.board);
    const int64_t step = args->planes * args->size * args->size * args->bytes;
    for (int64_t i = share.begin; i < share.end; i++) {
        const int64_t game = args->positions[2 * i], number = args->positions[2 * i + 1];
        player.go_to(game, number, false);
        args->refused[i] = player.refused;
        args->undecided[i] = 0;
        if (player.refused) continue;
        args->undecided[i] = make_planes(room.board, player.colour_at(game, number), room.features, wanted,
                                         room.entries, args->symmetry[i], args->out + i * step);
    }
}

BEAK_EXPORT int64_t go_planes_of_boards_scratch(const PlanesArgs*) { return Room::bytes(0); }

BEAK_KERNEL(go_planes_of_boards, PlanesArgs) {
    const Room room(scratch, 0);
    const Share share(args->count, part, parts);
    const Wanted wanted{args->first, args->planes, args->board_only, args->ladders, args->ladder_limit, args->bytes};
    for (int64_t i = share.begin; i < share.end; i++) {
        Board* b = reinterpret_cast<Board*>(args->boards + i * args->board_bytes);
        char* out = args->out + i * args->planes * b->points * args->bytes;
        args->undecided[i] = make_planes(b, static_cast<uint8_t>(b->to_play), room.features, wanted, room.entries,
                                         args->symmetry[i], out);
    }
}

BEAK_EXPORT int64_t go_check_scratch(const CheckArgs* a) { return board_bytes(a->capacity); }

BEAK_KERNEL(go_check, CheckArgs) {
    Player<CheckArgs> player(args, reinterpret_cast<Board*>(scratch));
    const Share share(args->games, part, parts);
    for (int64_t game = share.begin; game < share.end; game++) {
        player.go_to(game, player.length(game), true);
        args->legal[game] = player.refused && !player.b->moves ? 0 : player.b->moves;
        args->refused[game] = player.refused;
    }
}
