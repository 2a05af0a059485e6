// Philox4x32-10 (Salmon et al., 2011) and what is drawn with it. Random numbers are a function of
// their place alone, so they do not hang on batches, parts or threads.
#include "vectors.h"

namespace {

typedef uint32_t uvec __attribute__((vector_size(LANES * 4)));
typedef uint64_t lvec __attribute__((vector_size(LANES * 8)));

struct WordsArgs {
    const uint32_t* counters;    // [count][4]
    uint32_t* words;             // [count][4]
    int64_t key0, key1, count;
};
struct DropoutArgs {
    const float* x;
    float* y;
    const int64_t* settings;    // seed, epoch
    const int64_t* examples;    // [images]
    int64_t images, places, channels, node;
    double rate;
};

struct Words {
    uvec word[4];
};

// LANES counters at once, one in each lane.
inline Words philox(Words c, uint32_t key0, uint32_t key1) {
    for (int round = 0; round < 10; round++) {
        const lvec a = __builtin_convertvector(c.word[0], lvec) * 0xD2511F53ull;
        const lvec b = __builtin_convertvector(c.word[2], lvec) * 0xCD9E8D57ull;
        const uvec a_high = __builtin_convertvector(a >> 32, uvec), a_low = __builtin_convertvector(a, uvec);
        const uvec b_high = __builtin_convertvector(b >> 32, uvec), b_low = __builtin_convertvector(b, uvec);
        c = {{b_high ^ c.word[1] ^ key0, b_low, a_high ^ c.word[3] ^ key1, a_low}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

// Lane by lane into memory: the four words of a counter lie together.
inline void interleave(uint32_t* to, const Words& words) {
    UNROLL for (int w = 0; w < 4; w++) {
        UNROLL for (int i = 0; i < LANES; i++) to[4 * i + w] = words.word[w][i];
    }
}

constexpr int64_t BLOCK = 4 * LANES;    // as many elements as one call of philox has words for

// The random words of elements [first, first + BLOCK) of an example; `first` is a multiple of 4.
inline void words_of(uint32_t* to, int64_t first, const DropoutArgs& a, int64_t example) {
    Words c;
    c.word[0] = (uvec)lane_numbers() + static_cast<uint32_t>(first / 4);
    c.word[1] = uvec{} + static_cast<uint32_t>(a.settings[1]);
    c.word[2] = uvec{} + static_cast<uint32_t>(example);
    c.word[3] = uvec{} + static_cast<uint32_t>(static_cast<uint64_t>(example) >> 32);
    interleave(to, philox(c, static_cast<uint32_t>(a.settings[0]), static_cast<uint32_t>(a.node)));
}

constexpr int64_t PIECE = 2048;    // elements of an example that one part does at least

}    // namespace

BEAK_KERNEL(philox_words, WordsArgs) {
    const Share share(args->count, part, parts);
    for (int64_t i = share.begin; i < share.end; i += LANES) {
        const int64_t there = least(LANES, share.end - i);
        uint32_t counters[4][LANES] = {}, words[BLOCK];
        for (int64_t lane = 0; lane < there; lane++)
            for (int64_t w = 0; w < 4; w++) counters[w][lane] = args->counters[4 * (i + lane) + w];
        Words c;
        memcpy(&c, counters, sizeof c);
        interleave(words, philox(c, static_cast<uint32_t>(args->key0), static_cast<uint32_t>(args->key1)));
        memcpy(args->words + 4 * i, words, static_cast<size_t>(there) * 16);
    }
}

// y = x / (1 - rate) where kept, else 0; y may be x. Element i of an example, counted channels
// first, has word i % 4 of the counter (i / 4, epoch, example's low and high half); it is kept if
// the word is at least rate x 2^32.
BEAK_KERNEL(dropout, DropoutArgs) {
    const DropoutArgs& a = *args;
    const int64_t size = a.places * a.channels, pieces = (size + PIECE - 1) / PIECE;
    const uint64_t threshold = static_cast<uint64_t>(a.rate * 4294967296.0);
    const float scale = a.rate < 1 ? static_cast<float>(1.0 / (1.0 - a.rate)) : 0.0f;
    const Share share(a.images * pieces, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        const int64_t image = i / pieces, start = i % pieces * PIECE;
        const float* x = a.x + image * size;
        float* y = a.y + image * size;
        int64_t channel = start / a.places, place = start % a.places;
        for (int64_t first = start; first < least(start + PIECE, size); first += BLOCK) {
            uint32_t words[BLOCK];
            words_of(words, first, a, a.examples[image]);
            const int64_t count = least(BLOCK, size - first);
            for (int64_t k = 0; k < count; k++) {
                const int64_t at = place * a.channels + channel;
                y[at] = words[k] >= threshold ? x[at] * scale : 0.0f;
                if (++place == a.places) {
                    place = 0;
                    channel++;
                }
            }
        }
    }
}
