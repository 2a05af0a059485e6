// The rules: which moves are legal, what is remembered, games from their beginning. See reference.py.
#pragma once
#include "go_board/board.h"

namespace {

// Whether the stone would stand: an empty neighbour, a chain of its own with another liberty, or a
// capture.
inline bool would_stand(const Board* b, int64_t point, uint8_t colour) {
    for (int64_t i = 0; i < b->degree[point]; i++) {
        const int64_t beside = b->beside[point][i];
        if (b->colour[beside] == NONE) return true;
        if ((b->colour[beside] == colour) == has_other(b, b->chain[beside], point)) return true;
    }
    return false;
}

inline uint64_t key_of(const Board* b, uint64_t hash, int64_t to_play) {
    return b->ko_rule == SITUATIONAL && to_play == WHITE ? ~hash : hash;
}

// The sum of the numbers of the stones after a move.
inline uint64_t hash_after(const Board* b, int64_t point, uint8_t colour) {
    uint64_t hash = b->hash + number_of(point, colour);
    int64_t heads[4], count = 0;
    const bool stands = would_stand(b, point, colour);
    const uint8_t gone = stands ? 3 - colour : colour;
    if (!stands) hash -= number_of(point, colour);
    for (int64_t i = 0; i < b->degree[point]; i++) {
        const int64_t beside = b->beside[point][i];
        if (b->colour[beside] != gone || has_other(b, b->chain[beside], point)) continue;
        bool known = false;
        for (int64_t k = 0; k < count; k++) known |= heads[k] == b->chain[beside];
        if (known) continue;
        heads[count++] = b->chain[beside];
        int64_t stone = beside;
        do {
            hash -= number_of(stone, gone);
            stone = b->next[stone];
        } while (stone != beside);
    }
    return hash;
}

inline bool came_before(Board* b, uint64_t key) {
    if (!(b->seen[key >> 58] >> (key >> 52 & 63) & 1)) return false;
    for (int64_t i = 0; i <= b->moves; i++)
        if (keys(b)[i] == key) return true;
    return false;
}
inline void remember(Board* b) {
    const uint64_t key = key_of(b, b->hash, b->to_play);
    if (b->ko_rule == SIMPLE) return;
    b->seen[key >> 58] |= uint64_t{1} << (key >> 52 & 63);
    keys(b)[b->moves] = key;
}

inline Refusal refusal(Board* b, int64_t point, uint8_t colour) {
    if (point == b->points) return LEGAL;
    if (point > b->points) return OFF_BOARD;
    if (b->colour[point] != NONE) return OCCUPIED;
    if (point == b->ko && colour == b->to_play) return KO;
    if (!b->suicide && !would_stand(b, point, colour)) return SUICIDE;
    if (b->ko_rule != SIMPLE && came_before(b, key_of(b, hash_after(b, point, colour), 3 - colour)))
        return SUPERKO;
    return LEGAL;
}

// Plays a move as records write it and adds it to the past. `strict`: only if it is legal; else on
// any empty point, as records of other rules need it.
inline Refusal move(Board* b, uint16_t written, bool strict) {
    const int64_t point = written & ~WHITE_BIT;
    const uint8_t colour = written & WHITE_BIT ? WHITE : BLACK;
    if (point > b->points) return OFF_BOARD;
    if (point < b->points && b->colour[point] != NONE) return OCCUPIED;
    if (strict) {
        const Refusal refused = refusal(b, point, colour);
        if (refused) return refused;
    }
    if (b->moves >= b->capacity) return FULL;
    record(b)[b->moves++] = written;
    if (point == b->points) {
        b->ko = NO_POINT;
        b->to_play = 3 - colour;
    } else {
        play(b, nullptr, point, colour);
        b->placed[point] = static_cast<uint16_t>(b->moves);
    }
    remember(b);
    return LEGAL;
}

// To the position after the setup stones, which stay as they are.
inline Refusal restart(Board* b) {
    b->moves = 0;
    b->ko = NO_POINT;
    b->took[0] = b->took[1] = 0;
    b->hash = 0;
    memset(b->seen, 0, sizeof b->seen);
    memset(b->colour, NONE, sizeof b->colour);
    memset(b->placed, 0, sizeof b->placed);
    for (int64_t i = 0; i < b->setup_stones; i++) {
        const int64_t point = b->setup[i] & ~WHITE_BIT;
        if (point >= b->points) return OFF_BOARD;
        if (b->colour[point] != NONE) return OCCUPIED;
        put(b, nullptr, point, b->setup[i] & WHITE_BIT ? WHITE : BLACK);
    }
    b->to_play = b->first_to_play;
    remember(b);
    for (int64_t i = 0; i < b->points; i++)
        if (b->colour[i] != NONE && first_of(row(b, b->chain[i]), b->words) == NO_POINT) return BAD_SETUP;
    return LEGAL;
}

// A board before any setup: its rules and its neighbours.
inline void prepare(Board* b, int64_t size, int64_t ko_rule, int64_t suicide, int64_t capacity) {
    b->size = size;
    b->points = size * size;
    b->words = (b->points + 63) / 64;
    b->capacity = capacity;
    b->ko_rule = ko_rule;
    b->suicide = suicide;
    b->setup_stones = 0;
    b->first_to_play = BLACK;
    for (int64_t point = 0; point < b->points; point++) {
        uint8_t& degree = b->degree[point];
        degree = 0;
        if (point >= size) b->beside[point][degree++] = static_cast<uint16_t>(point - size);
        if (point % size) b->beside[point][degree++] = static_cast<uint16_t>(point - 1);
        if (point % size < size - 1) b->beside[point][degree++] = static_cast<uint16_t>(point + 1);
        if (point < b->points - size) b->beside[point][degree++] = static_cast<uint16_t>(point + size);
    }
}

}    // namespace
