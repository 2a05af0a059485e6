// Vectors of words. A word that is the padding, or that the vocabulary does not have, gives zeros
// and gets no gradient.
#include "vectors.h"

namespace {

struct ForwardArgs {
    const int32_t* words;    // [images][length]
    const float* weight;     // [vocabulary][dimensions]
    float* y;                // [images][length][dimensions]
    int64_t images, length, vocabulary, dimensions, padding;
};
struct BackwardArgs {
    const int32_t* words;
    const float* dy;
    float* dweight;
    uint8_t* touched;    // [vocabulary]
    int64_t images, length, vocabulary, dimensions, padding;
};

template <class Args>
inline bool counts(const Args& a, int64_t word) {
    return word >= 0 && word < a.vocabulary && word != a.padding;
}

}    // namespace

BEAK_KERNEL(embedding_forward, ForwardArgs) {
    const ForwardArgs& a = *args;
    const Share share(a.images * a.length, part, parts);
    const size_t bytes = static_cast<size_t>(a.dimensions) * 4;
    for (int64_t i = share.begin; i < share.end; i++) {
        const int64_t word = a.words[i];
        if (counts(a, word))
            memcpy(a.y + i * a.dimensions, a.weight + word * a.dimensions, bytes);
        else
            memset(a.y + i * a.dimensions, 0, bytes);
    }
}

// dweight, all rows: the sum of dy over a word's places, in their order. touched: 1 for words that
// occur. A part does every parts-th word, as frequent words often have neighbouring numbers.
BEAK_KERNEL(embedding_backward, BackwardArgs) {
    const BackwardArgs& a = *args;
    for (int64_t word = part; word < a.vocabulary; word += parts) {
        memset(a.dweight + word * a.dimensions, 0, static_cast<size_t>(a.dimensions) * 4);
        a.touched[word] = 0;
    }
    for (int64_t i = 0; i < a.images * a.length; i++) {
        const int64_t word = a.words[i];
        if (!counts(a, word) || word % parts != part) continue;
        a.touched[word] = 1;
        float* row = a.dweight + word * a.dimensions;
        const float* dy = a.dy + i * a.dimensions;
        by_lanes(0, a.dimensions, [&](int64_t d, int64_t n) { store_some(row + d, load_some(row + d, n) + load_some(dy + d, n), n); });
    }
}
