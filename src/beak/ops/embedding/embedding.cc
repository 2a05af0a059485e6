// Vectors of words. A word that is the padding, or that the vocabulary does not have, gives zeros
// and gets no gradient.
//
// The work of backward grows with the batch, not with the vocabulary: embedding_index lists the
// words that occur and chains the places of each, embedding_backward writes their rows alone.
#include "vectors.h"

namespace {

struct ForwardArgs {
    const int32_t* words;    // [images][stride], of which the first [length] are read
    const float* weight;     // [vocabulary][dimensions]
    float* y;                // [images][length][dimensions]
    int64_t images, length, stride, vocabulary, dimensions, padding;
};
struct IndexArgs {
    const int32_t* words;    // [images][stride], of which the first [length] are read
    int64_t* count;          // how many different words occur
    int32_t* listed;         // [images * length]: these words
    int32_t* first;          // [images * length]: the first place of each
    int32_t* next;           // [images * length]: the next place with the same word, or -1
    int32_t* slot;           // [vocabulary]: room to work in; it may hold anything
    int64_t images, length, stride, vocabulary, padding;
};
struct BackwardArgs {
    const float* dy;    // [places][dimensions]
    const int64_t* count;
    const int32_t *listed, *first, *next;
    float* dweight;
    int64_t dimensions;
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
        const int64_t word = a.words[i / a.length * a.stride + i % a.length];
        if (counts(a, word))
            memcpy(a.y + i * a.dimensions, a.weight + word * a.dimensions, bytes);
        else
            memset(a.y + i * a.dimensions, 0, bytes);
    }
}

// One part does it. slot[word] is only believed when the list says the same (Briggs and Torczon,
// 1993), so that nothing as long as the vocabulary has to be cleared.
BEAK_KERNEL(embedding_index, IndexArgs) {
    const IndexArgs& a = *args;
    if (part || !parts) return;
    int64_t count = 0;
    for (int64_t i = a.images * a.length; i-- > 0;) {
        const int64_t word = a.words[i / a.length * a.stride + i % a.length];
        if (!counts(a, word)) continue;
        const int64_t known = a.slot[word];
        const bool seen = known >= 0 && known < count && a.listed[known] == word;
        const int64_t at = seen ? known : count;
        if (!seen) {
            a.slot[word] = static_cast<int32_t>(at);
            a.listed[at] = static_cast<int32_t>(word);
            a.first[at] = -1;
            count++;
        }
        a.next[i] = a.first[at];
        a.first[at] = static_cast<int32_t>(i);
    }
    *a.count = count;
}

// dweight, rows of listed words only: the sum of dy over a word's places, in their order. A part
// does every parts-th word, as frequent words come late in the list.
BEAK_KERNEL(embedding_backward, BackwardArgs) {
    const BackwardArgs& a = *args;
    for (int64_t n = part; n < *a.count; n += parts) {
        float* row = a.dweight + a.listed[n] * a.dimensions;
        const int32_t start = a.first[n];
        by_lanes(0, a.dimensions, [&](int64_t d, int64_t lanes) {
            vec sum = load_some(a.dy + start * a.dimensions + d, lanes);
            for (int64_t i = a.next[start]; i >= 0; i = a.next[i])
                sum += load_some(a.dy + i * a.dimensions + d, lanes);
            store_some(row + d, sum, lanes);
        });
    }
}
