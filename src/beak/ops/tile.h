// The register tile that convolution and dense layers share: a few rows of A times panels of B.
//
// B lies in panels of 16 columns, [columns / 16][K][16], the last one padded with zeros: a panel's
// row is one cache line and every instruction set reads it with whole vectors. This is also how
// the engine keeps weights, so nothing is packed during a step but what backward transposes.
// Rows of A are found through offsets, and along K in up to two levels of equal segments, so that
// a window of a picture is read where it lies (implicit GEMM).
//
// A row's sum runs over K in order, whatever the tile's height: an example's answer does not
// depend on which others stand in its tile.
#pragma once
#include "native.h"

namespace {

constexpr int PANEL = 16;
constexpr int VECTORS = PANEL / LANES;
#if defined(__AVX512F__)
constexpr int ROWS = 12;
constexpr int WIDE = 4;    // panels side by side: with one vector a row, each loaded factor is used more often
#elif defined(__AVX__) || defined(__aarch64__)
constexpr int ROWS = 6;
constexpr int WIDE = 1;
#else
constexpr int ROWS = 2;
constexpr int WIDE = 1;
#endif

// How K runs over memory: outer x inner segments of `length` neighbouring floats.
struct Segments {
    int64_t outer, outer_step, inner, inner_step, length;
};

// A tile's height by the panels that it is wide: as many sums as registers hold beside their factors.
constexpr int rows_at(int panels) { return panels == 1 ? ROWS : panels < 4 ? 8 : 6; }

// `panels` panels in groups of at most WIDE, as equal as can be: body(Constant<P>, first panel of P).
template <class Body>
inline void by_panels(int64_t panels, Body body) {
    const int64_t groups = (panels + WIDE - 1) / WIDE;
    for (int64_t group = 0; group < groups; group++) {
        const Share share(panels, group, groups);
        as_constant<WIDE>(share.end - share.begin, [&](auto wide) { body(wide, share.begin); });
    }
}

// The compiler does not see where this number came from: it would otherwise keep a tile's rows by
// their distances from the first one, or count each of them up by itself, in memory.
inline int64_t opaque(int64_t x) {
    asm("" : "+r"(x));
    return x;
}

// R rows of A times V vectors of panels that lie `step` apart, added to the sums.
template <int R, int V>
inline __attribute__((always_inline)) void sum_rows(const float* a, const int64_t* offsets, const Segments& k,
                                                    const float* b, int64_t step, vec (&sum)[R][V]) {
    const float* row[R];
    UNROLL for (int r = 0; r < R; r++) row[r] = a + opaque(offsets[r]);
    for (int64_t o = 0; o < k.outer; o++)
        for (int64_t i = 0; i < k.inner; i++) {
            const int64_t begin = o * k.outer_step + i * k.inner_step;
            for (int64_t j = begin; j < begin + k.length; j++, b += PANEL) {
                const int64_t here = opaque(j);
                vec column[V];
                UNROLL for (int v = 0; v < V; v++)
                    column[v] = load(b + v / VECTORS * step + v % VECTORS * LANES);
                UNROLL for (int r = 0; r < R; r++) {
                    const vec x = broadcast(row[r][here]);
                    UNROLL for (int v = 0; v < V; v++) sum[r][v] += x * column[v];
                }
            }
        }
}

// R rows of A times P panels that lie `step` apart. With `resume` the sums go on from what y holds;
// with `relu` they end there.
template <int R, int P>
__attribute__((noinline)) void tile(const float* a, const int64_t* offsets, const Segments& k,
                                    const float* b, int64_t step, const float* bias, bool resume, bool relu,
                                    float* y, int64_t y_step, int64_t columns) {
    vec sum[R][P * VECTORS];
    if (resume) {
        UNROLL for (int r = 0; r < R; r++)
            UNROLL for (int v = 0; v < P * VECTORS; v++)
                sum[r][v] = columns >= (v + 1) * LANES ? load(y + r * y_step + v * LANES)
                                                       : load_some(y + r * y_step + v * LANES, most(0, columns - v * LANES));
    } else {
        UNROLL for (int r = 0; r < R; r++)
            UNROLL for (int v = 0; v < P * VECTORS; v++) sum[r][v] = bias ? load(bias + v * LANES) : vec{};
    }
    sum_rows(a, offsets, k, b, step, sum);
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < P * VECTORS; v++) {
            vec out = sum[r][v];
            if (relu) out = out < vec{} ? vec{} : out;    // NaN passes, as in PyTorch
            if (columns >= (v + 1) * LANES)
                store(y + r * y_step + v * LANES, out);
            else if (columns > v * LANES)
                store_some(y + r * y_step + v * LANES, out, columns - v * LANES);
        }
}

// `rows` rows of A times P panels: y[r * y_step + 0..columns) = relu?(bias + A[r] . B), columns at
// most P * 16.
template <int P>
inline void times_panels(int64_t rows, const float* a, const int64_t* offsets, const Segments& k, const float* b,
                         int64_t step, const float* bias, bool resume, bool relu, float* y, int64_t y_step,
                         int64_t columns) {
    constexpr int HIGH = rows_at(P);
    const int64_t tiles = (rows + HIGH - 1) / HIGH;
    for (int64_t t = 0; t < tiles; t++) {
        const Share share(rows, t, tiles);
        as_constant<HIGH>(share.end - share.begin, [&](auto high) {
            tile<high.value, P>(a, offsets + share.begin, k, b, step, bias, resume, relu,
                                           y + share.begin * y_step, y_step, columns);
        });
    }
}

// The same along K piece by piece, so that a piece of B stays in the nearest cache while all rows
// pass by. Sums rest in y in between: the order of their terms, and so each bit, stays.
constexpr int64_t PIECE = 128;
template <int P>
inline void times_panels_in_pieces(int64_t rows, const float* a, const int64_t* offsets, const Segments& k,
                                   const float* b, int64_t step, const float* bias, bool relu, float* y,
                                   int64_t y_step, int64_t columns) {
    const int64_t one = k.inner * k.length;    // terms of one outer step
    if (rows <= rows_at(P) || k.outer * one <= 2 * PIECE) {
        times_panels<P>(rows, a, offsets, k, b, step, bias, false, relu, y, y_step, columns);
    } else if (k.inner == 1 && one > PIECE) {
        const int64_t pieces = (one + PIECE - 1) / PIECE;
        for (int64_t o = 0; o < k.outer; o++)
            for (int64_t i = 0; i < pieces; i++) {
                const Share piece(one, i, pieces);
                const Segments some{1, 0, 1, 0, piece.end - piece.begin};
                const bool last = o + 1 == k.outer && i + 1 == pieces;
                times_panels<P>(rows, a + o * k.outer_step + piece.begin, offsets, some,
                                b + (o * one + piece.begin) * PANEL, step, bias, o + i > 0, relu && last, y, y_step,
                                columns);
            }
    } else {
        const int64_t steps = most(1, PIECE / one), pieces = (k.outer + steps - 1) / steps;
        for (int64_t i = 0; i < pieces; i++) {
            const Share piece(k.outer, i, pieces);
            Segments some = k;
            some.outer = piece.end - piece.begin;
            times_panels<P>(rows, a + piece.begin * k.outer_step, offsets, some, b + piece.begin * one * PANEL, step,
                            bias, i > 0, relu && i + 1 == pieces, y, y_step, columns);
        }
    }
}

// One panel, whatever the tile's height: y[r * y_step + 0..columns) = relu?(bias + A[r] . B).
inline void times_panel(int64_t rows, const float* a, const int64_t* offsets, const Segments& k, const float* b,
                        const float* bias, bool relu, float* y, int64_t y_step, int64_t columns) {
    times_panels<1>(rows, a, offsets, k, b, 0, bias, false, relu, y, y_step, columns);
}

// R neighbouring rows of P panels of a weight gradient: out[p * step + r * 16 + 0..16) += sum over m
// of a[offsets[m] + r] * d[m][p * 16 + 0..16).
template <int R, int P>
__attribute__((noinline)) void outer_tile(int64_t terms, const float* a, const int64_t* offsets, const float* d,
                                          float* out, int64_t step) {
    vec sum[R][P * VECTORS];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < P * VECTORS; v++) sum[r][v] = vec{};
    for (int64_t m = 0; m < terms; m++, d += P * PANEL) {
        const float* x = a + offsets[m];
        vec column[P * VECTORS];
        UNROLL for (int v = 0; v < P * VECTORS; v++) column[v] = load(d + v * LANES);
        UNROLL for (int r = 0; r < R; r++) {
            const vec value = broadcast(x[r]);
            UNROLL for (int v = 0; v < P * VECTORS; v++) sum[r][v] += value * column[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < P * VECTORS; v++) {
            float* to = out + v / VECTORS * step + r * PANEL + v % VECTORS * LANES;
            store(to, load(to) + sum[r][v]);
        }
}

template <int P>
inline void outer_product(int64_t rows, int64_t terms, const float* a, const int64_t* offsets, const float* d,
                          float* out, int64_t step) {
    constexpr int HIGH = rows_at(P);
    const int64_t tiles = (rows + HIGH - 1) / HIGH;
    for (int64_t t = 0; t < tiles; t++) {
        const Share share(rows, t, tiles);
        as_constant<HIGH>(share.end - share.begin, [&](auto high) {
            outer_tile<high.value, P>(terms, a + share.begin, offsets, d, out + share.begin * PANEL, step);
        });
    }
}

// P panels of a matrix with `columns` columns, rows `step` apart, zero-padded: [rows][P * 16].
template <int P>
inline void pack_panels(const float* from, int64_t rows, int64_t step, int64_t columns, float* to) {
    if (columns >= P * PANEL) {
        for (int64_t r = 0; r < rows; r++, from += step, to += P * PANEL)
            UNROLL for (int v = 0; v < P * VECTORS; v++) store(to + v * LANES, load(from + v * LANES));
    } else {
        for (int64_t r = 0; r < rows; r++, from += step, to += P * PANEL)
            UNROLL for (int v = 0; v < P * VECTORS; v++)
                store(to + v * LANES, load_some(from + v * LANES, most(0, columns - v * LANES)));
    }
}

// The sums of the rows of packed panels, added to out[P * 16].
template <int P>
inline void add_rows(const float* packed, int64_t rows, float* out) {
    UNROLL for (int v = 0; v < P * VECTORS; v++) {
        vec sum{};
        for (int64_t r = 0; r < rows; r++) sum += load(packed + r * P * PANEL + v * LANES);
        store(out + v * LANES, load(out + v * LANES) + sum);
    }
}

}    // namespace
