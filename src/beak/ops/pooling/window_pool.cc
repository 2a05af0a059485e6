// Pooling over windows of NHWC pictures. Padding never wins a maximum and never counts in an
// average; a window that is padding alone has the maximum -infinity, the average 0 and no winner.
#include "vectors.h"

namespace {

// Backward kernels: x is dx, y is dy; averages take no winner.
struct PoolArgs {
    float *x, *y;
    uint16_t* winner;
    int64_t images, channels, in_h, in_w, out_h, out_w, window_h, window_w, stride_h, stride_w, pad_top, pad_left;
};

typedef uint16_t hvec __attribute__((vector_size(LANES * 2)));
constexpr int32_t NO_WINNER = 65535;

inline ivec load_winners(const uint16_t* from, int64_t count) {
    hvec v{};
    if (count >= LANES)
        memcpy(&v, from, sizeof v);
    else
        for (int64_t i = 0; i < count; i++) v[i] = from[i];
#if defined(__AVX512F__)    // g++ 12 takes __builtin_convertvector apart, number by number
    return (ivec)_mm512_maskz_cvtepu16_epi32(0xffff, (__m256i)v);
#else
    return __builtin_convertvector(v, ivec);
#endif
}
inline void store_winners(uint16_t* to, ivec which, int64_t count) {
#if defined(__AVX512F__)
    const hvec v = (hvec)_mm512_maskz_cvtepi32_epi16(0xffff, (__m512i)which);
#else
    const hvec v = __builtin_convertvector(which, hvec);
#endif
    if (count >= LANES)
        memcpy(to, &v, sizeof v);
    else
        for (int64_t i = 0; i < count; i++) to[i] = v[i];
}

// The cells of an output place's window that lie in the picture: rows [top, bottom), columns
// [left, right); its first cell, perhaps in the padding, is (first_row, first_column).
struct Window {
    int64_t first_row, first_column, top, bottom, left, right;
    Window(const PoolArgs& a, int64_t oh, int64_t ow)
        : first_row(oh * a.stride_h - a.pad_top),
          first_column(ow * a.stride_w - a.pad_left),
          top(most(first_row, 0)),
          bottom(least(first_row + a.window_h, a.in_h)),
          left(most(first_column, 0)),
          right(least(first_column + a.window_w, a.in_w)) {}
    int64_t cells() const { return most(bottom - top, 0) * most(right - left, 0); }
    int32_t index(const PoolArgs& a, int64_t h, int64_t w) const {
        return static_cast<int32_t>((h - first_row) * a.window_w + w - first_column);
    }
};

// body(window, input picture's offset, output place's offset) for the outputs of this part's rows.
template <class Body>
inline void by_outputs(const PoolArgs& a, int64_t part, int64_t parts, Body body) {
    const Share share(a.images * a.out_h, part, parts);
    for (int64_t row = share.begin; row < share.end; row++)
        for (int64_t ow = 0; ow < a.out_w; ow++)
            body(Window(a, row % a.out_h, ow), row / a.out_h * a.in_h * a.in_w * a.channels, (row * a.out_w + ow) * a.channels);
}

// Whether every pixel lies in just one window, so that its gradient is written once and not summed.
inline bool once_each(const PoolArgs& a) {
    return a.stride_h == a.window_h && a.stride_w == a.window_w && a.pad_top == 0 && a.pad_left == 0 &&
           a.out_h * a.window_h == a.in_h && a.out_w * a.window_w == a.in_w;
}

// Zeroes this part's blocks of channels of dx, where they are summed, and calls body(window, picture's offset, place's
// offset, first channel, last channel) for every output place of them, always in the same order.
template <class Body>
inline void by_gradients(const PoolArgs& a, int64_t part, int64_t parts, Body body) {
    by_channel_blocks(a.images, a.channels, part, parts, [&](int64_t image, int64_t first, int64_t last) {
        const int64_t picture = image * a.in_h * a.in_w * a.channels;
        for (int64_t place = 0; place < (once_each(a) ? 0 : a.in_h * a.in_w); place++)
            memset(a.x + picture + place * a.channels + first, 0, static_cast<size_t>(last - first) * 4);
        for (int64_t oh = 0; oh < a.out_h; oh++)
            for (int64_t ow = 0; ow < a.out_w; ow++)
                body(Window(a, oh, ow), picture, ((image * a.out_h + oh) * a.out_w + ow) * a.channels, first, last);
    });
}

// body(h, w, offset of the cell within the picture) in the order of the window.
template <class Body>
inline void by_cells(const PoolArgs& a, const Window& window, Body body) {
    for (int64_t h = window.top; h < window.bottom; h++)
        for (int64_t w = window.left; w < window.right; w++) body(h, w, (h * a.in_w + w) * a.channels);
}

}    // namespace

// winner, if wanted: which cell of the window (row-major, padding counted) each maximum came from;
// the first of equals, and the last NaN if there is one, as in PyTorch.
BEAK_KERNEL(max_pool_forward, PoolArgs) {
    const PoolArgs& a = *args;
    by_outputs(a, part, parts, [&](const Window& window, int64_t picture, int64_t place) {
        const int32_t first = window.cells() ? window.index(a, window.top, window.left) : NO_WINNER;
        by_lanes(0, a.channels, [&](int64_t c, int64_t n) {
            vec best = broadcast(-INFINITE);
            ivec which = ivec{} + first;
            by_cells(a, window, [&](int64_t h, int64_t w, int64_t cell) {
                const vec v = load_some(a.x + picture + cell + c, n);
                const ivec better = (v > best) | (v != v);
                best = select(better, v, best);
                which = select(better, ivec{} + window.index(a, h, w), which);
            });
            store_some(a.y + place + c, best, n);
            if (a.winner) store_winners(a.winner + place + c, which, n);
        });
    });
}

BEAK_KERNEL(max_pool_backward, PoolArgs) {
    const PoolArgs& a = *args;
    const bool once = once_each(a);
    by_gradients(a, part, parts, [&](const Window& window, int64_t picture, int64_t place, int64_t first, int64_t last) {
        by_lanes(first, last, [&](int64_t c, int64_t n) {
            const vec dy = load_some(a.y + place + c, n);
            const ivec which = load_winners(a.winner + place + c, n);
            by_cells(a, window, [&](int64_t h, int64_t w, int64_t cell) {
                float* dx = a.x + picture + cell + c;
                const vec own = select(which == window.index(a, h, w), dy, vec{});
                store_some(dx, once ? own : load_some(dx, n) + own, n);
            });
        });
    });
}

BEAK_KERNEL(avg_pool_forward, PoolArgs) {
    const PoolArgs& a = *args;
    by_outputs(a, part, parts, [&](const Window& window, int64_t picture, int64_t place) {
        const float cells = static_cast<float>(most(window.cells(), 1));
        by_lanes(0, a.channels, [&](int64_t c, int64_t n) {
            vec sum{};
            by_cells(a, window, [&](int64_t, int64_t, int64_t cell) { sum += load_some(a.x + picture + cell + c, n); });
            store_some(a.y + place + c, sum / cells, n);
        });
    });
}

BEAK_KERNEL(avg_pool_backward, PoolArgs) {
    const PoolArgs& a = *args;
    const bool once = once_each(a);
    by_gradients(a, part, parts, [&](const Window& window, int64_t picture, int64_t place, int64_t first, int64_t last) {
        const float cells = static_cast<float>(most(window.cells(), 1));
        by_lanes(first, last, [&](int64_t c, int64_t n) {
            const vec share = load_some(a.y + place + c, n) / cells;
            by_cells(a, window, [&](int64_t, int64_t, int64_t cell) {
                float* dx = a.x + picture + cell + c;
                store_some(dx, once ? share : load_some(dx, n) + share, n);
            });
        });
    });
}
