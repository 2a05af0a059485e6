// A game of Go as plain data: stones, chains with the set of their liberties, the record, the past.
//
// A Board is one block of bytes without pointers (reference.py says what the rules are): the fields
// below, and behind them `capacity` moves (uint16) and capacity + 1 keys of positions (uint64). It
// can be copied, sent and kept in an array. Chains are circular lists of stones; a chain is known by
// one of its stones, its head, and only rows of heads mean anything.
#pragma once
#include "native.h"

namespace {

constexpr int MOST_POINTS = 625, MOST_WORDS = 10;
constexpr uint16_t WHITE_BIT = 0x8000, NO_POINT = 0x7fff;
enum Colour : uint8_t { NONE = 0, BLACK = 1, WHITE = 2 };
enum Refusal : uint8_t { LEGAL, OFF_BOARD, OCCUPIED, KO, SUICIDE, SUPERKO, BAD_SETUP, FULL };
enum KoRule : int64_t { SIMPLE, POSITIONAL, SITUATIONAL };

struct Board {
    int64_t size, points, words, capacity;    // words: of 64 points in a set of points
    int64_t ko_rule, suicide;
    int64_t moves, setup_stones, first_to_play;
    int64_t to_play, ko, took[2];             // ko: where to_play may not retake, or NO_POINT
    uint64_t hash;
    uint64_t seen[64];                        // bits of the keys that were there: most are not
    uint16_t beside[MOST_POINTS][4];          // neighbours; `degree` of them
    uint16_t chain[MOST_POINTS], next[MOST_POINTS], stones[MOST_POINTS];
    uint16_t placed[MOST_POINTS];             // the number of the move, 0 for setup
    uint16_t setup[MOST_POINTS + 1];          // as in records
    uint8_t degree[MOST_POINTS], colour[MOST_POINTS];
    uint64_t liberties[MOST_POINTS * MOST_WORDS];    // rows of `words`
};

inline int64_t board_bytes(int64_t capacity) {
    return static_cast<int64_t>(round_up(sizeof(Board), 8)) + (capacity + 1) * 8 + round_up(capacity * 2, 8);
}
inline uint64_t* keys(Board* b) { return reinterpret_cast<uint64_t*>(b + 1); }
inline uint16_t* record(Board* b) { return reinterpret_cast<uint16_t*>(keys(b) + b->capacity + 1); }

// What a reader of ladders changed, to be put back: 1, 2 or 8 bytes within the board.
struct Journal {
    struct Entry {
        uint32_t at, bytes;
        uint64_t before;
    };
    Entry* entries;
    int64_t count;
};

template <class T>
inline void change(Board* b, Journal* journal, T& field, T value) {
    if (journal) {
        const auto at = static_cast<uint32_t>(reinterpret_cast<char*>(&field) - reinterpret_cast<char*>(b));
        journal->entries[journal->count++] = {at, sizeof(T), static_cast<uint64_t>(field)};
    }
    field = value;
}

inline void take_back(Board* b, Journal* journal, int64_t count) {
    while (journal->count > count) {
        const Journal::Entry& entry = journal->entries[--journal->count];
        char* at = reinterpret_cast<char*>(b) + entry.at;
        if (entry.bytes == 8) {
            memcpy(at, &entry.before, 8);
        } else if (entry.bytes == 2) {
            const auto before = static_cast<uint16_t>(entry.before);
            memcpy(at, &before, 2);
        } else {
            *at = static_cast<char>(entry.before);
        }
    }
}

// A number for a stone of a colour on a point (splitmix64); the keys of positions are their sums.
inline uint64_t number_of(int64_t point, int64_t colour) {
    uint64_t z = static_cast<uint64_t>(point * 4 + colour + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

inline uint64_t* row(Board* b, int64_t head) { return b->liberties + head * b->words; }
inline const uint64_t* row(const Board* b, int64_t head) { return b->liberties + head * b->words; }
inline bool has(const uint64_t* set, int64_t point) { return set[point >> 6] >> (point & 63) & 1; }
inline int64_t liberties_of(const Board* b, int64_t head) {
    int64_t count = 0;
    for (int64_t i = 0; i < b->words; i++) count += __builtin_popcountll(row(b, head)[i]);
    return count;
}
inline bool has_other(const Board* b, int64_t head, int64_t point) {    // a liberty but this one
    for (int64_t i = 0; i < b->words; i++) {
        const uint64_t here = i == point >> 6 ? uint64_t{1} << (point & 63) : 0;
        if (row(b, head)[i] & ~here) return true;
    }
    return false;
}
inline int64_t first_of(const uint64_t* set, int64_t words) {
    for (int64_t i = 0; i < words; i++)
        if (set[i]) return i * 64 + __builtin_ctzll(set[i]);
    return NO_POINT;
}

inline void add_liberty(Board* b, Journal* j, int64_t head, int64_t point) {
    uint64_t& word = row(b, head)[point >> 6];
    const uint64_t bit = uint64_t{1} << (point & 63);
    if (!(word & bit)) change(b, j, word, word | bit);
}
inline void drop_liberty(Board* b, Journal* j, int64_t head, int64_t point) {
    uint64_t& word = row(b, head)[point >> 6];
    const uint64_t bit = uint64_t{1} << (point & 63);
    if (word & bit) change(b, j, word, word & ~bit);
}

// The chains of `from` and `into` become one, with the head of the larger; returns it.
inline int64_t join(Board* b, Journal* j, int64_t from, int64_t into) {
    if (b->stones[from] > b->stones[into]) {
        const int64_t other = from;
        from = into;
        into = other;
    }
    for (int64_t i = 0; i < b->words; i++) {
        const uint64_t both = row(b, into)[i] | row(b, from)[i];
        if (both != row(b, into)[i]) change(b, j, row(b, into)[i], both);
    }
    int64_t stone = from;
    do {
        change(b, j, b->chain[stone], static_cast<uint16_t>(into));
        stone = b->next[stone];
    } while (stone != from);
    const uint16_t next = b->next[from];
    change(b, j, b->next[from], b->next[into]);
    change(b, j, b->next[into], next);
    change(b, j, b->stones[into], static_cast<uint16_t>(b->stones[into] + b->stones[from]));
    return into;
}

// Takes a chain off the board; its neighbours of the other colour gain liberties.
inline void take_off(Board* b, Journal* j, int64_t head) {
    const uint8_t colour = b->colour[head];
    int64_t stone = head;
    do {
        change(b, j, b->colour[stone], static_cast<uint8_t>(NONE));
        b->hash -= number_of(stone, colour);
        for (int64_t i = 0; i < b->degree[stone]; i++) {
            const int64_t beside = b->beside[stone][i];
            if (b->colour[beside] == 3 - colour) add_liberty(b, j, b->chain[beside], stone);
        }
        stone = b->next[stone];
    } while (stone != head);
}

// Puts a stone on an empty point and joins it with its own; takes nothing off. Returns the head.
inline int64_t put(Board* b, Journal* j, int64_t point, uint8_t colour) {
    change(b, j, b->colour[point], colour);
    b->hash += number_of(point, colour);
    change(b, j, b->chain[point], static_cast<uint16_t>(point));
    change(b, j, b->next[point], static_cast<uint16_t>(point));
    change(b, j, b->stones[point], uint16_t{1});
    for (int64_t i = 0; i < b->words; i++)
        if (row(b, point)[i]) change(b, j, row(b, point)[i], uint64_t{0});
    int64_t head = point;
    for (int64_t i = 0; i < b->degree[point]; i++) {
        const int64_t beside = b->beside[point][i];
        if (b->colour[beside] == NONE) {
            add_liberty(b, j, head, beside);
        } else {
            drop_liberty(b, j, b->chain[beside], point);
            if (b->colour[beside] == colour && b->chain[beside] != b->chain[point])
                head = join(b, j, b->chain[point], b->chain[beside]);
        }
    }
    return head;
}

// Plays on an empty point, whatever the rules say of it. Returns how many stones it took off; a
// suicide takes off its own. Sets ko and whose turn it is; the record is the caller's.
inline int64_t play(Board* b, Journal* j, int64_t point, uint8_t colour) {
    put(b, j, point, colour);
    int64_t taken = 0, last = NO_POINT;
    for (int64_t i = 0; i < b->degree[point]; i++) {
        const int64_t beside = b->beside[point][i];
        if (b->colour[beside] != 3 - colour) continue;
        const int64_t head = b->chain[beside];
        if (first_of(row(b, head), b->words) != NO_POINT) continue;
        taken += b->stones[head];
        last = beside;
        take_off(b, j, head);
    }
    const int64_t head = b->chain[point];
    const int64_t count = liberties_of(b, head);
    b->ko = taken == 1 && b->stones[head] == 1 && count == 1 ? last : NO_POINT;
    b->to_play = 3 - colour;
    b->took[colour - 1] += taken;
    if (count) return taken;
    b->took[2 - colour] += b->stones[head];
    take_off(b, j, head);
    return b->stones[head];
}

}    // namespace
