// What the planes tell, point by point, and the writing of planes: see planes.py and
// reference_planes.py. Numbers stand for buckets, NO_BUCKET for none.
#pragma once
#include "go_board/ladder.h"

namespace {

constexpr uint8_t NO_BUCKET = 255;
constexpr int64_t BUCKETS = 8;

// The rows of planes.FEATURES, in order; their first planes come with every call.
enum Feature {
    OWN_STONE, OPPONENT_STONE, EMPTY, ONES, TURNS_SINCE, LIBERTIES, CAPTURE_SIZE, SELF_ATARI_SIZE,
    LIBERTIES_AFTER, LADDER_CAPTURE, LADDER_ESCAPE, SENSIBLE, ZEROS, BLACK_TO_MOVE, FEATURES
};

struct Features {
    uint8_t counts[MOST_POINTS];       // of a head: its liberties, at most 255
    uint8_t refused[MOST_POINTS];
    uint8_t captures[MOST_POINTS], self_atari[MOST_POINTS], after[MOST_POINTS];
    uint8_t ladder_capture[MOST_POINTS], ladder_escape[MOST_POINTS], sensible[MOST_POINTS];
};

inline uint8_t bucket(int64_t number, int64_t first) {
    return static_cast<uint8_t>(least(number - first, BUCKETS - 1));
}

// All neighbours own; of the diagonals at most one the opponent's, none on the edge.
inline bool is_own_eye(const Board* b, int64_t point, uint8_t own) {
    for (int64_t i = 0; i < b->degree[point]; i++)
        if (b->colour[b->beside[point][i]] != own) return false;
    const int64_t size = b->size, y = point / size, x = point % size;
    int64_t lost = b->degree[point] < 4;
    for (int64_t up = y ? -1 : 1; up <= (y < size - 1 ? 1 : -1); up += 2)
        for (int64_t left = x ? -1 : 1; left <= (x < size - 1 ? 1 : -1); left += 2)
            lost += b->colour[(y + up) * size + x + left] == 3 - own;
    return lost < 2;
}

// Adds to `set` the stones of a chain that is taken, where they lie beside the new stone or the
// chains that it joins.
inline void add_freed(const Board* b, int64_t taken, int64_t point, const int64_t* joined, int64_t count,
                      uint64_t* set) {
    int64_t stone = taken;
    do {
        bool freed = false;
        for (int64_t i = 0; i < b->degree[stone] && !freed; i++) {
            const int64_t beside = b->beside[stone][i];
            freed = beside == point;
            for (int64_t k = 0; k < count; k++)
                freed |= b->colour[beside] != NONE && b->chain[beside] == joined[k];
        }
        if (freed) set[stone >> 6] |= uint64_t{1} << (stone & 63);
        stone = b->next[stone];
    } while (stone != taken);
}

// Capture size, self-atari size, liberties after and sensible of one legal move.
inline void describe(const Board* b, Features* f, int64_t point, uint8_t own) {
    uint64_t set[MOST_WORDS] = {};
    int64_t joined[4], taken[4], joins = 0, takes = 0, stones = 1, captured = 0, liberties = 0;
    for (int64_t i = 0; i < b->degree[point]; i++) {
        const int64_t beside = b->beside[point][i], head = b->chain[beside];
        if (b->colour[beside] == NONE) {
            set[beside >> 6] |= uint64_t{1} << (beside & 63);
        } else if (b->colour[beside] == own) {
            bool known = false;
            for (int64_t k = 0; k < joins; k++) known |= joined[k] == head;
            if (known) continue;
            joined[joins++] = head;
            stones += b->stones[head];
            for (int64_t k = 0; k < b->words; k++) set[k] |= row(b, head)[k];
        } else if (f->counts[head] == 1) {
            bool known = false;
            for (int64_t k = 0; k < takes; k++) known |= taken[k] == head;
            if (known) continue;
            taken[takes++] = head;
            captured += b->stones[head];
        }
    }
    for (int64_t k = 0; k < takes; k++) add_freed(b, taken[k], point, joined, joins, set);
    set[point >> 6] &= ~(uint64_t{1} << (point & 63));
    for (int64_t k = 0; k < b->words; k++) liberties += __builtin_popcountll(set[k]);
    f->captures[point] = bucket(captured, 0);
    f->self_atari[point] = liberties < 2 ? bucket(stones, 1) : NO_BUCKET;
    f->after[point] = liberties ? bucket(liberties, 1) : NO_BUCKET;
    f->sensible[point] = !is_own_eye(b, point, own);
}

// Writes planes of T for the player to move, every point to where the symmetry turns it.
template <class T>
inline void write_planes(const Board* b, const Features* f, const int64_t* first, int64_t planes,
                         int64_t symmetry, T* out) {
    const int64_t points = b->points, size = b->size;
    memset(out, 0, static_cast<size_t>(planes * points) * sizeof(T));
    const bool stones = planes > first[TURNS_SINCE], moves = planes > first[CAPTURE_SIZE];
    const auto fill = [&](int64_t plane) {
        for (int64_t i = 0; i < points; i++) out[plane * points + i] = T{1};
    };
    fill(first[ONES]);
    if (planes > first[BLACK_TO_MOVE] && b->to_play == BLACK) fill(first[BLACK_TO_MOVE]);
    for (int64_t point = 0; point < points; point++) {
        int64_t y = point / size, x = point % size;
        if (symmetry & 4) {
            const int64_t other = y;
            y = x;
            x = other;
        }
        if (symmetry & 2) y = size - 1 - y;
        if (symmetry & 1) x = size - 1 - x;
        T* to = out + y * size + x;
        const auto set = [&](Feature feature, int64_t number) {
            if (number != NO_BUCKET) to[(first[feature] + number) * points] = T{1};
        };
        if (b->colour[point] != NONE) {
            set(b->colour[point] == b->to_play ? OWN_STONE : OPPONENT_STONE, 0);
            if (!stones) continue;
            const int64_t placed = b->placed[point];
            set(TURNS_SINCE, placed ? bucket(b->moves - placed, 0) : BUCKETS - 1);
            if (planes > first[LIBERTIES]) set(LIBERTIES, bucket(f->counts[b->chain[point]], 1));
            continue;
        }
        set(EMPTY, 0);
        if (!moves || f->refused[point]) continue;
        set(CAPTURE_SIZE, f->captures[point]);
        set(SELF_ATARI_SIZE, f->self_atari[point]);
        set(LIBERTIES_AFTER, f->after[point]);
        set(LADDER_CAPTURE, f->ladder_capture[point] ? 0 : NO_BUCKET);
        set(LADDER_ESCAPE, f->ladder_escape[point] ? 0 : NO_BUCKET);
        set(SENSIBLE, f->sensible[point] ? 0 : NO_BUCKET);
    }
}

// 1 for Black's stones, -1 for White's: the lecture's single plane.
template <class T>
inline void write_board(const Board* b, int64_t symmetry, T* out) {
    const int64_t size = b->size;
    for (int64_t point = 0; point < b->points; point++) {
        int64_t y = point / size, x = point % size;
        if (symmetry & 4) {
            const int64_t other = y;
            y = x;
            x = other;
        }
        if (symmetry & 2) y = size - 1 - y;
        if (symmetry & 1) x = size - 1 - x;
        const uint8_t colour = b->colour[point];
        out[y * size + x] = static_cast<T>(colour == BLACK ? 1 : colour == WHITE ? -1 : 0);
    }
}

// What is to be made of a position, and how.
struct Wanted {
    const int64_t* first;      // (FEATURES,) the first planes of planes.FEATURES
    int64_t planes, board_only, ladders, ladder_limit, bytes;    // bytes: 1 int8, 4 float32
};

// The features of the position for the player to move; returns how many ladders stay undecided.
inline int64_t make_features(Board* b, Features* f, const Wanted& w, Journal::Entry* entries) {
    const auto own = static_cast<uint8_t>(b->to_play);
    for (int64_t point = 0; point < b->points; point++)
        if (b->colour[point] != NONE && b->chain[point] == point)
            f->counts[point] = static_cast<uint8_t>(least(liberties_of(b, point), 255));
    if (w.planes <= w.first[CAPTURE_SIZE]) return 0;
    for (int64_t point = 0; point < b->points; point++) {
        f->refused[point] = b->colour[point] != NONE ? OCCUPIED : refusal(b, point, own);
        if (!f->refused[point]) describe(b, f, point, own);
    }
    memset(f->ladder_capture, 0, sizeof f->ladder_capture);
    memset(f->ladder_escape, 0, sizeof f->ladder_escape);
    if (!w.ladders) return 0;
    Ladder ladder{b, {entries, 0}, w.ladder_limit, 0, false};
    return ladder_moves(&ladder, false, f->refused, f->ladder_capture) +
           ladder_moves(&ladder, true, f->refused, f->ladder_escape);
}

// Planes for `colour` to move into the place of one position. The board is afterwards as before.
inline int64_t make_planes(Board* b, uint8_t colour, Features* f, const Wanted& w, Journal::Entry* entries,
                           int64_t symmetry, char* out) {
    if (w.board_only) {
        if (w.bytes == 4) write_board(b, symmetry, reinterpret_cast<float*>(out));
        else write_board(b, symmetry, reinterpret_cast<int8_t*>(out));
        return 0;
    }
    const int64_t to_play = b->to_play, ko = b->ko;
    if (to_play != colour) {
        b->to_play = colour;
        b->ko = NO_POINT;
    }
    const int64_t undecided = make_features(b, f, w, entries);
    if (w.bytes == 4) write_planes(b, f, w.first, w.planes, symmetry, reinterpret_cast<float*>(out));
    else write_planes(b, f, w.first, w.planes, symmetry, reinterpret_cast<int8_t*>(out));
    b->to_play = to_play;
    b->ko = ko;
    return undecided;
}

// Scratch memory of one thread.
struct Room {
    Board* board;
    Features* features;
    Journal::Entry* entries;
    static int64_t bytes(int64_t capacity) {
        return round_up(board_bytes(capacity), 64) + round_up(sizeof(Features), 64) +
               JOURNAL_ENTRIES * static_cast<int64_t>(sizeof(Journal::Entry));
    }
    Room(char* scratch, int64_t capacity) {
        board = reinterpret_cast<Board*>(scratch);
        features = reinterpret_cast<Features*>(scratch + round_up(board_bytes(capacity), 64));
        entries = reinterpret_cast<Journal::Entry*>(reinterpret_cast<char*>(features) + round_up(sizeof(Features), 64));
    }
};

}    // namespace
