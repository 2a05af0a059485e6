// Many boards in one call: begin, play, take back, look, and who owns the empty points.
#include "go_board/rules.h"

namespace {

struct BytesArgs {
    int64_t* bytes;            // (1,) what a board with room for so many moves takes
    int64_t capacity;
};

struct NewArgs {
    char* boards;              // (count, bytes)
    const uint16_t* setup;     // (setup_stones,) the same for all
    uint8_t* refused;          // (count,)
    int64_t count, bytes, size, ko_rule, suicide, capacity, to_play, setup_stones;
};

struct PlayArgs {
    char* boards;
    const uint16_t* moves;     // (count, moves_each); NO_MOVE is no move
    uint8_t* refused;          // (count, moves_each)
    int64_t count, bytes, moves_each, strict;
};

struct UndoArgs {
    char* boards;
    const int64_t* moves;      // (count,) how many to take back, at most those that were played
    int64_t count, bytes;
};

struct LookArgs {
    char* boards;
    int8_t* colours;           // (count, points): 1 black, -1 white, 0 none
    uint8_t* refused;          // (count, points): why to_play may not play there, 0 where it may
    int64_t* numbers;          // (count, 6): to_play, ko, taken by black, by white, moves, key
    int64_t count, bytes, points;
};

struct OwnersArgs {
    const int8_t* colours;     // (count, size * size)
    int8_t* owners;            // the same: whose the empty points are; 0 on stones and where unclear
    int64_t count, size;
};

constexpr uint16_t NO_MOVE = 0xffff;

inline Board* board_at(char* boards, int64_t bytes, int64_t i) {
    return reinterpret_cast<Board*>(boards + i * bytes);
}
inline int8_t sign_of(int64_t colour) { return colour == BLACK ? 1 : colour == WHITE ? -1 : 0; }

}    // namespace

BEAK_KERNEL(go_bytes, BytesArgs) {
    if (part == 0 && parts) *args->bytes = board_bytes(args->capacity);
}

BEAK_KERNEL(go_new, NewArgs) {
    const Share share(args->count, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        Board* b = board_at(args->boards, args->bytes, i);
        prepare(b, args->size, args->ko_rule, args->suicide, args->capacity);
        b->first_to_play = args->to_play;
        b->setup_stones = args->setup_stones;
        memcpy(b->setup, args->setup, static_cast<size_t>(args->setup_stones) * 2);
        args->refused[i] = restart(b);
    }
}

BEAK_KERNEL(go_play, PlayArgs) {
    const Share share(args->count, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        Board* b = board_at(args->boards, args->bytes, i);
        for (int64_t k = i * args->moves_each; k < (i + 1) * args->moves_each; k++)
            args->refused[k] = args->moves[k] == NO_MOVE ? LEGAL : move(b, args->moves[k], args->strict);
    }
}

// The past is played again up to there: for a whole game that is some microseconds.
BEAK_KERNEL(go_undo, UndoArgs) {
    const Share share(args->count, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        if (!args->moves[i]) continue;
        Board* b = board_at(args->boards, args->bytes, i);
        const int64_t kept = most(0, b->moves - args->moves[i]);
        restart(b);
        for (int64_t k = 0; k < kept; k++) move(b, record(b)[k], false);
    }
}

BEAK_KERNEL(go_look, LookArgs) {
    const Share share(args->count, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        Board* b = board_at(args->boards, args->bytes, i);
        const auto colour = static_cast<uint8_t>(b->to_play);
        for (int64_t point = 0; point < args->points; point++) {
            args->colours[i * args->points + point] = sign_of(b->colour[point]);
            args->refused[i * args->points + point] = refusal(b, point, colour);
        }
        int64_t* numbers = args->numbers + i * 6;
        numbers[0] = sign_of(b->to_play);
        numbers[1] = b->ko == NO_POINT ? -1 : b->ko;
        numbers[2] = b->took[0];
        numbers[3] = b->took[1];
        numbers[4] = b->moves;
        numbers[5] = static_cast<int64_t>(key_of(b, b->hash, b->to_play));
    }
}

BEAK_EXPORT int64_t go_owners_scratch(const OwnersArgs* a) { return a->size * a->size * 3; }

BEAK_KERNEL(go_owners, OwnersArgs) {
    const Share share(args->count, part, parts);
    const int64_t size = args->size, points = size * size;
    uint16_t* region = reinterpret_cast<uint16_t*>(scratch);
    char* seen = scratch + points * 2;
    for (int64_t i = share.begin; i < share.end; i++) {
        const int8_t* colours = args->colours + i * points;
        int8_t* owners = args->owners + i * points;
        memset(seen, 0, static_cast<size_t>(points));
        memset(owners, 0, static_cast<size_t>(points));
        for (int64_t first = 0; first < points; first++) {
            if (colours[first] || seen[first]) continue;
            bool touches[2] = {false, false};
            int64_t found = 0;
            region[found++] = static_cast<uint16_t>(first);
            seen[first] = 1;
            for (int64_t next = 0; next < found; next++) {
                const int64_t point = region[next], column = point % size;
                const int64_t beside[4] = {point - size, column ? point - 1 : -1,
                                           column < size - 1 ? point + 1 : -1, point + size};
                for (const int64_t other : beside) {
                    if (other < 0 || other >= points) continue;
                    if (colours[other]) {
                        touches[colours[other] < 0] = true;
                    } else if (!seen[other]) {
                        seen[other] = 1;
                        region[found++] = static_cast<uint16_t>(other);
                    }
                }
            }
            const int owner = touches[0] == touches[1] ? 0 : touches[0] ? 1 : -1;
            for (int64_t k = 0; k < found; k++) owners[region[k]] = static_cast<int8_t>(owner);
        }
    }
}
