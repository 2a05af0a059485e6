// Philox4x32-10 (Salmon et al., 2011) and what is drawn with it. Random numbers are a function of
// their place alone, so they do not hang on batches, parts or threads.
#include "vectors.h"

namespace {

// Words of 32 bits in lanes of 64: what stands in a lane's upper half is of no account.
constexpr int WIDE = LANES / 2;
typedef uint64_t wide __attribute__((vector_size(WIDE * 8)));
typedef uint32_t uvec __attribute__((vector_size(LANES * 4)));

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
    double rate;    // below 1
};

// The whole product of the lower halves. (Compilers make of `*` the product of whole lanes.)
inline wide multiply(wide a, uint64_t b) {
#if defined(__AVX512F__)
    return (wide)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)(wide{} + b));
#elif defined(__AVX2__)
    return (wide)_mm256_mul_epu32((__m256i)a, (__m256i)(wide{} + b));
#elif defined(__SSE2__)
    return (wide)_mm_mul_epu32((__m128i)a, (__m128i)(wide{} + b));
#else
    return (a & 0xffffffffull) * b;
#endif
}

struct Words {
    wide word[4];
};

// WIDE counters at once, one in each lane.
inline Words philox(Words c, uint32_t key0, uint32_t key1) {
    UNROLL for (int round = 0; round < 10; round++) {
        const wide a = multiply(c.word[0], 0xD2511F53u), b = multiply(c.word[2], 0xCD9E8D57u);
        c = {{(b >> 32) ^ c.word[1] ^ key0, b, (a >> 32) ^ c.word[3] ^ key1, a}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return c;
}

// Lane by lane into memory: the four words of a counter lie together.
inline void interleave(uint32_t* to, const Words& words) {
    uint64_t lanes[4][WIDE];
    memcpy(lanes, &words, sizeof lanes);
    UNROLL for (int i = 0; i < WIDE; i++) {
        UNROLL for (int w = 0; w < 4; w++) to[4 * i + w] = static_cast<uint32_t>(lanes[w][i]);
    }
}

constexpr int64_t BLOCK = 4 * WIDE;    // as many elements as one call of philox has words for

// The random words of elements [first, first + BLOCK) of an example; `first` is a multiple of 4.
inline void words_of(uint32_t* to, int64_t first, const DropoutArgs& a, int64_t example) {
    wide number{};
    UNROLL for (int i = 0; i < WIDE; i++) number[i] = i;
    Words c;
    c.word[0] = number + static_cast<uint64_t>(first / 4);
    c.word[1] = wide{} + static_cast<uint64_t>(a.settings[1]);
    c.word[2] = wide{} + static_cast<uint64_t>(example);
    c.word[3] = wide{} + (static_cast<uint64_t>(example) >> 32);
    interleave(to, philox(c, static_cast<uint32_t>(a.settings[0]), static_cast<uint32_t>(a.node)));
}

constexpr int64_t PIECE = 2048;    // elements of an example that are done in one go

inline uint32_t threshold_of(const DropoutArgs& a) { return static_cast<uint32_t>(a.rate * 4294967296.0); }
inline float scale_of(const DropoutArgs& a) { return static_cast<float>(1.0 / (1.0 - a.rate)); }

// Where elements lie as they are counted.
inline void drop_features(const DropoutArgs& a, const uint32_t* words, int64_t start, int64_t count) {
    const uint32_t threshold = threshold_of(a);
    const float scale = scale_of(a);
    by_lanes(0, count, [&](int64_t k, int64_t n) {
        uvec word;
        memcpy(&word, words + k, sizeof word);
        store_some(a.y + start + k, select((ivec)(word >= threshold), load_some(a.x + start + k, n) * scale, vec{}), n);
    });
}

inline void drop_places(const DropoutArgs& a, const uint32_t* words, int64_t image, int64_t start, int64_t count) {
    const uint32_t threshold = threshold_of(a);
    const float scale = scale_of(a);
    int64_t channel = start / a.places, place = start % a.places;
    for (int64_t k = 0; k < count; k++) {
        const int64_t at = image + place * a.channels + channel;
        a.y[at] = words[k] >= threshold ? a.x[at] * scale : 0.0f;
        if (++place == a.places) {
            place = 0;
            channel++;
        }
    }
}

}    // namespace

BEAK_KERNEL(philox_words, WordsArgs) {
    const Share share(args->count, part, parts);
    for (int64_t i = share.begin; i < share.end; i += WIDE) {
        const int64_t there = least(WIDE, share.end - i);
        uint64_t counters[4][WIDE] = {};
        uint32_t words[BLOCK];
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
    const Share share(a.images * pieces, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        const int64_t image = i / pieces, start = i % pieces * PIECE, count = least(PIECE, size - start);
        uint32_t words[PIECE];
        for (int64_t k = 0; k < count; k += BLOCK) words_of(words + k, start + k, a, a.examples[image]);
        if (a.places == 1)
            drop_features(a, words, image * size + start, count);
        else
            drop_places(a, words, image * size, start, count);
    }
}
