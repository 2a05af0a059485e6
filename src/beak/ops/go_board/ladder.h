// Ladders, read to their end on the board itself, every move taken back: see reference_ladder.py.
#pragma once
#include "go_board/rules.h"

namespace {

// More entries than one line of reading can make: of 1,000 moves each joins up to three chains (some
// 12 words), and stones are taken and change their chain's name a few times each.
constexpr int64_t JOURNAL_ENTRIES = int64_t{1} << 18, ENTRIES_OF_A_MOVE = 8 * MOST_POINTS;

struct Ladder {
    Board* b;
    Journal journal;
    int64_t limit, visits;
    bool undecided;
};

struct Moment {
    int64_t entries, ko, to_play, took[2];
    uint64_t hash;
};
inline Moment moment(const Ladder* l) {
    const Board* b = l->b;
    return {l->journal.count, b->ko, b->to_play, {b->took[0], b->took[1]}, b->hash};
}
inline void back_to(Ladder* l, const Moment& m) {
    Board* b = l->b;
    take_back(b, &l->journal, m.entries);
    b->ko = m.ko;
    b->to_play = m.to_play;
    b->took[0] = m.took[0];
    b->took[1] = m.took[1];
    b->hash = m.hash;
}

inline bool may_play(const Ladder* l, int64_t point) {    // simple ko, no suicide
    return point != l->b->ko && would_stand(l->b, point, static_cast<uint8_t>(l->b->to_play));
}

inline bool freed_by(Ladder* l, int64_t point, int64_t stone);

// The points where the chain's owner would take a chain in atari beside it.
inline void takes_beside(const Board* b, int64_t head, uint64_t* takes) {
    memset(takes, 0, MOST_WORDS * 8);
    const uint8_t other = 3 - b->colour[head];
    int64_t stone = head;
    do {
        for (int64_t i = 0; i < b->degree[stone]; i++) {
            const int64_t beside = b->beside[stone][i];
            if (b->colour[beside] != other) continue;
            const int64_t chain = b->chain[beside];
            const int64_t last = first_of(row(b, chain), b->words);
            if (!has_other(b, chain, last)) takes[last >> 6] |= uint64_t{1} << (last & 63);
        }
        stone = b->next[stone];
    } while (stone != head);
}

// Whether the chain, which has one liberty, is caught whatever its owner answers.
inline bool no_answer(Ladder* l, int64_t stone) {
    const Board* b = l->b;
    uint64_t takes[MOST_WORDS];
    const int64_t head = b->chain[stone], last = first_of(row(b, head), b->words);
    if (freed_by(l, last, stone)) return false;
    takes_beside(b, b->chain[stone], takes);
    takes[last >> 6] &= ~(uint64_t{1} << (last & 63));
    for (int64_t i = 0; i < b->words; i++)
        for (uint64_t left = takes[i]; left && !l->undecided; left &= left - 1)
            if (freed_by(l, i * 64 + __builtin_ctzll(left), stone)) return false;
    return true;
}

// Whether the chain has three liberties at once after its owner's move on `point`, `without` being
// the attacker's stone: then no more need be read.
inline bool runs_free(const Board* b, int64_t point, int64_t without) {
    int64_t free = 0;
    for (int64_t i = 0; i < b->degree[point]; i++)
        free += b->colour[b->beside[point][i]] == NONE && b->beside[point][i] != without;
    return free > 2;
}

inline bool caught_by(Ladder* l, int64_t point, int64_t stone) {
    if (!may_play(l, point)) return false;
    if (l->journal.count + ENTRIES_OF_A_MOVE > JOURNAL_ENTRIES) {
        l->undecided = true;
        return false;
    }
    const Moment before = moment(l);
    play(l->b, &l->journal, point, static_cast<uint8_t>(l->b->to_play));
    const bool caught = no_answer(l, stone);
    back_to(l, before);
    return caught && !l->undecided;
}

// Whether the attacker, who is to move, takes the chain by ladder.
inline bool caught(Ladder* l, int64_t stone) {
    const Board* b = l->b;
    const uint64_t* liberties = row(b, b->chain[stone]);
    const int64_t one = first_of(liberties, b->words);
    int64_t two = NO_POINT;
    for (int64_t i = one >> 6; i < b->words; i++) {
        uint64_t left = liberties[i];
        if (i == one >> 6) left &= left - 1;
        for (; left; left &= left - 1) {
            if (two != NO_POINT) return false;
            two = i * 64 + __builtin_ctzll(left);
        }
    }
    if (++l->visits > l->limit) {
        l->undecided = true;
        return false;
    }
    if (two == NO_POINT) return may_play(l, one);
    if (!runs_free(b, two, one) && caught_by(l, one, stone)) return true;
    return !l->undecided && !runs_free(b, one, two) && caught_by(l, two, stone);
}

inline bool freed_by(Ladder* l, int64_t point, int64_t stone) {
    if (!may_play(l, point)) return false;
    if (l->journal.count + ENTRIES_OF_A_MOVE > JOURNAL_ENTRIES) {
        l->undecided = true;
        return false;
    }
    const Moment before = moment(l);
    play(l->b, &l->journal, point, static_cast<uint8_t>(l->b->to_play));
    const bool free = !caught(l, stone) && !l->undecided;    // three liberties are not caught
    back_to(l, before);
    return free;
}

// Marks in `moves` (a byte a point) the legal moves that catch a chain of the other player, or that
// free an own chain. Returns how many were left undecided.
inline int64_t ladder_moves(Ladder* l, bool own, const uint8_t* refused, uint8_t* moves) {
    Board* b = l->b;
    const auto wanted = static_cast<uint8_t>(own ? b->to_play : 3 - b->to_play);
    int64_t undecided = 0;
    for (int64_t head = 0; head < b->points; head++) {
        if (b->colour[head] != wanted || b->chain[head] != head) continue;
        if (liberties_of(b, head) != (own ? 1 : 2)) continue;
        uint64_t points[MOST_WORDS] = {};
        if (own) takes_beside(b, head, points);
        for (int64_t i = 0; i < b->words; i++) points[i] |= row(b, head)[i];
        for (int64_t i = 0; i < b->words; i++)
            for (uint64_t left = points[i]; left; left &= left - 1) {
                const int64_t point = i * 64 + __builtin_ctzll(left);
                if (refused[point] || moves[point]) continue;
                l->visits = 0;
                l->undecided = false;
                moves[point] = own ? freed_by(l, point, head) : caught_by(l, point, head);
                undecided += l->undecided;
            }
    }
    return undecided;
}

}    // namespace
