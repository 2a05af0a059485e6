// Winograd convolution with 3x3 or 5x5 filters, stride 1: what forward and the gradients share.
//
// A tile is M x M outputs and the N x N inputs that they see, N = M + R - 1 for R x R filters. Tiles and filters are
// evaluated at N points along each axis (N^2 "frequencies"); there a convolution is a product, and
// the sum over channels a matrix product [tiles][channels] x [channels][filters] per frequency:
//     y = A' [(G g G') * (B' x B)] A,    and so    dg = G' [(A dy A') * (B' x B)] G.
// (A. Lavin, S. Gray: Fast algorithms for convolutional neural networks, arXiv:1509.09308.)
// N = 4 uses the points 0, 1, -1 and infinity, N = 6 the points 0, +-sqrt(1/2), +-sqrt(2) and
// infinity, whose powers stay nearer to one than those of the usual 0, +-1, +-2: less is lost.
// How inputs are evaluated follows from the points alone.
//
// What tiles share a block, a part or a batch never changes a sum: a tile's numbers come from the
// tile alone, and the weight gradient is split as its arguments say.
#pragma once
#include "tile.h"

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

namespace {

template <int M, int R = 3>
struct Winograd;

// One axis of each transform: vectors of channels or filters, point by point.
template <>
struct Winograd<2> {
    static constexpr int M = 2, R = 3, N = 4;
    static INLINE void data(const vec* d, vec* out) {    // B'
        out[0] = d[0] - d[2];
        out[1] = d[1] + d[2];
        out[2] = d[2] - d[1];
        out[3] = d[3] - d[1];
    }
    static INLINE void output(const vec* m, vec* y) {    // A'
        y[0] = m[0] + m[1] + m[2];
        y[1] = m[1] - m[2] + m[3];
    }
    static INLINE void output_gradient(const vec* dy, vec* out) {    // A
        out[0] = dy[0];
        out[1] = dy[0] + dy[1];
        out[2] = dy[0] - dy[1];
        out[3] = dy[1];
    }
    static INLINE void filter(const vec* g, vec* u) {    // G
        const vec even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
        u[0] = g[0];
        u[1] = even + odd;
        u[2] = even - odd;
        u[3] = g[2];
    }
    static INLINE void filter_gradient(const vec* u, vec* g) {    // G'
        const vec even = 0.5f * (u[1] + u[2]);
        g[0] = u[0] + even;
        g[1] = 0.5f * (u[1] - u[2]);
        g[2] = even + u[3];
    }
};

template <>
struct Winograd<4> {
    static constexpr int M = 4, R = 3, N = 6;
    static constexpr float P = 0.70710678118654752f, Q = 1.4142135623730950f;    // +-P, +-Q; PQ = 1
    static INLINE void data(const vec* d, vec* out) {
        const vec even_p = d[4] - 2.0f * d[2], odd_p = P * d[3] - Q * d[1];
        const vec even_q = d[4] - 0.5f * d[2], odd_q = Q * d[3] - P * d[1];
        out[0] = d[0] - 2.5f * d[2] + d[4];
        out[1] = even_p + odd_p;
        out[2] = even_p - odd_p;
        out[3] = even_q + odd_q;
        out[4] = even_q - odd_q;
        out[5] = d[1] - 2.5f * d[3] + d[5];
    }
    static INLINE void output(const vec* m, vec* y) {
        const vec even_p = m[1] + m[2], odd_p = m[1] - m[2], even_q = m[3] + m[4], odd_q = m[3] - m[4];
        y[0] = m[0] + even_p + even_q;
        y[1] = P * odd_p + Q * odd_q;
        y[2] = 0.5f * even_p + 2.0f * even_q;
        y[3] = (0.5f * P) * odd_p + (2.0f * Q) * odd_q + m[5];
    }
    static INLINE void output_gradient(const vec* dy, vec* out) {
        const vec even_p = dy[0] + 0.5f * dy[2], odd_p = P * dy[1] + (0.5f * P) * dy[3];
        const vec even_q = dy[0] + 2.0f * dy[2], odd_q = Q * dy[1] + (2.0f * Q) * dy[3];
        out[0] = dy[0];
        out[1] = even_p + odd_p;
        out[2] = even_p - odd_p;
        out[3] = even_q + odd_q;
        out[4] = even_q - odd_q;
        out[5] = dy[3];
    }
    static INLINE void filter(const vec* g, vec* u) {
        const vec even_p = (-2.0f / 3) * g[0] - (1.0f / 3) * g[2], odd_p = (-Q / 3) * g[1];
        const vec even_q = (1.0f / 6) * g[0] + (1.0f / 3) * g[2], odd_q = (Q / 6) * g[1];
        u[0] = g[0];
        u[1] = even_p + odd_p;
        u[2] = even_p - odd_p;
        u[3] = even_q + odd_q;
        u[4] = even_q - odd_q;
        u[5] = g[2];
    }
    static INLINE void filter_gradient(const vec* u, vec* g) {
        const vec even_p = u[1] + u[2], even_q = u[3] + u[4];
        g[0] = u[0] - (2.0f / 3) * even_p + (1.0f / 6) * even_q;
        g[1] = (Q / 6) * (u[3] - u[4]) - (Q / 3) * (u[1] - u[2]);
        g[2] = u[5] - (1.0f / 3) * even_p + (1.0f / 3) * even_q;
    }
};

template <>
struct Winograd<2, 5> {
    static constexpr int M = 2, R = 5, N = 6;
    static constexpr float P = Winograd<4>::P, Q = Winograd<4>::Q;
    static INLINE void data(const vec* d, vec* out) { Winograd<4>::data(d, out); }
    static INLINE void output(const vec* m, vec* y) {
        y[0] = m[0] + (m[1] + m[2]) + (m[3] + m[4]);
        y[1] = P * (m[1] - m[2]) + Q * (m[3] - m[4]) + m[5];
    }
    static INLINE void output_gradient(const vec* dy, vec* out) {
        out[0] = dy[0];
        out[1] = dy[0] + P * dy[1];
        out[2] = dy[0] - P * dy[1];
        out[3] = dy[0] + Q * dy[1];
        out[4] = dy[0] - Q * dy[1];
        out[5] = dy[1];
    }
    static INLINE void filter(const vec* g, vec* u) {
        const vec even_p = (-2.0f / 3) * g[0] - (1.0f / 3) * g[2] - (1.0f / 6) * g[4];
        const vec odd_p = (-Q / 3) * g[1] - (Q / 6) * g[3];
        const vec even_q = (1.0f / 6) * g[0] + (1.0f / 3) * g[2] + (2.0f / 3) * g[4];
        const vec odd_q = (Q / 6) * g[1] + (Q / 3) * g[3];
        u[0] = g[0];
        u[1] = even_p + odd_p;
        u[2] = even_p - odd_p;
        u[3] = even_q + odd_q;
        u[4] = even_q - odd_q;
        u[5] = g[4];
    }
    static INLINE void filter_gradient(const vec* u, vec* g) {
        const vec even_p = u[1] + u[2], even_q = u[3] + u[4], odd_p = u[1] - u[2], odd_q = u[3] - u[4];
        g[0] = u[0] - (2.0f / 3) * even_p + (1.0f / 6) * even_q;
        g[1] = (Q / 6) * odd_q - (Q / 3) * odd_p;
        g[2] = (1.0f / 3) * even_q - (1.0f / 3) * even_p;
        g[3] = (Q / 3) * odd_q - (Q / 6) * odd_p;
        g[4] = u[5] - (1.0f / 6) * even_p + (2.0f / 3) * even_q;
    }
};

// LINE along the columns, then along the rows: put(i, j, value) for FROM x FROM values get(i, j).
template <void (*LINE)(const vec*, vec*), int FROM, int TO, class Get, class Put>
INLINE void both_axes(Get get, Put put) {
    vec half[TO][FROM];
    UNROLL for (int j = 0; j < FROM; j++) {
        vec column[FROM], out[TO];
        UNROLL for (int i = 0; i < FROM; i++) column[i] = get(i, j);
        LINE(column, out);
        UNROLL for (int i = 0; i < TO; i++) half[i][j] = out[i];
    }
    UNROLL for (int i = 0; i < TO; i++) {
        vec out[TO];
        LINE(half[i], out);
        UNROLL for (int j = 0; j < TO; j++) put(i, j, out[j]);
    }
}

// Tiles are transformed block by block, into panels of 16 channels: [frequency][tile][16]. The
// distances within a panel are constants, which spares the transforms their many addresses; an odd
// number of cache lines lies between two frequencies, or a tile's values at all of them would fall
// into the same few sets of the cache.
constexpr int64_t TILES = 24;
constexpr int64_t STRIDE = (TILES + 1) * PANEL;

// Floats of the transformed filters of one panel at one frequency: [terms][16].
inline int64_t filter_stride(int64_t terms) { return (terms | 1) * PANEL; }

inline int64_t panels_of(int64_t channels) { return (channels + PANEL - 1) / PANEL; }

// The tiles of a batch, numbered image by image, row by row.
struct Grid {
    int64_t rows, columns;
    Grid(int64_t out_h, int64_t out_w, int64_t m) : rows((out_h + m - 1) / m), columns((out_w + m - 1) / m) {}
    int64_t count(int64_t images) const { return images * rows * columns; }
};

// A tile's image and its row and column in the grid, walked in order.
struct Place {
    int64_t image, row, column;
    Place(const Grid& grid, int64_t tile)
        : image(tile / (grid.rows * grid.columns)), row(tile / grid.columns % grid.rows), column(tile % grid.columns) {}
    void next(const Grid& grid) {
        if (++column < grid.columns) return;
        column = 0;
        if (++row < grid.rows) return;
        row = 0;
        image++;
    }
};

// A batch of pictures in NHWC.
struct Pictures {
    const float* pixels;
    int64_t height, width, channels;
};

// LINE along both axes of FROM x FROM pixels of 16 channels: frequency f to to[f * STRIDE + 0..16).
// With `sums` the pixels are added to sums[0..16).
template <void (*LINE)(const vec*, vec*), int FROM, int TO>
INLINE void transform_pixels(const float* pixels, int64_t row, int64_t step, float* to, float* sums) {
    for (int64_t lane = 0; lane < PANEL; lane += LANES) {
        vec sum{};
        const int64_t down = opaque(row), right = opaque(step);
        both_axes<LINE, FROM, TO>(
            [&](int i, int j) INLINE_LAMBDA {
                const vec v = load(pixels + i * down + j * right + lane);
                sum += v;
                return v;
            },
            [&](int i, int j, vec v) INLINE_LAMBDA { store(to + (i * TO + j) * STRIDE + lane, v); });
        if (sums) store(sums + lane, load(sums + lane) + sum);
    }
}

// FROM x FROM pixels from (top, left) on as [FROM][FROM][16], zeros outside the picture and behind
// the last channel.
template <int FROM>
inline void copy_pixels(const Pictures& p, const float* corner, int64_t top, int64_t left, int64_t channels,
                        float* to) {
    memset(to, 0, FROM * FROM * PANEL * 4);
    const int64_t bottom = least(FROM, p.height - top), right = least(FROM, p.width - left);
    for (int64_t i = most(0, -top); i < bottom; i++)
        for (int64_t j = most(0, -left); j < right; j++) {
            const float* from = corner + (i * p.width + j) * p.channels;
            float* pixel = to + (i * FROM + j) * PANEL;
            if (channels >= PANEL)
                UNROLL for (int v = 0; v < VECTORS; v++) store(pixel + v * LANES, load(from + v * LANES));
            else
                memcpy(pixel, from, static_cast<size_t>(channels) * 4);
        }
}

// Tiles [begin, end) of the channels [first, first + channels), transformed: [panel][frequency][tile][16].
// A tile's pixels begin `pad` before its outputs. With `sums`: see transform_pixels, [panel][16].
template <void (*LINE)(const vec*, vec*), int FROM, int TO, int M>
inline void transform_tiles(const Pictures& p, const Grid& grid, int64_t pad_top, int64_t pad_left, int64_t begin,
                            int64_t end, int64_t first, int64_t channels, float* to, float* sums) {
    alignas(64) float copy[FROM * FROM * PANEL];
    const int64_t row = p.width * p.channels;
    Place place(grid, begin);
    for (int64_t tile = begin; tile < end; tile++, to += PANEL, place.next(grid)) {
        const int64_t top = place.row * M - pad_top, left = place.column * M - pad_left;
        const float* corner = p.pixels + (place.image * p.height + top) * row + left * p.channels + first;
        const bool inside = top >= 0 && left >= 0 && top + FROM <= p.height && left + FROM <= p.width;
        for (int64_t c = 0; c < channels; c += PANEL) {
            float* out = to + c / PANEL * TO * TO * STRIDE;
            float* sum = sums ? sums + c : nullptr;
            if (inside && c + PANEL <= channels) {
                transform_pixels<LINE, FROM, TO>(corner + c, row, p.channels, out, sum);
            } else {
                copy_pixels<FROM>(p, corner + c, top, left, channels - c, copy);
                transform_pixels<LINE, FROM, TO>(copy, FROM * PANEL, PANEL, out, sum);
            }
        }
    }
}

}    // namespace
