// The register tile that convolution and dense layers share: a few rows of A times one panel of B.
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
#elif defined(__AVX__) || defined(__aarch64__)
constexpr int ROWS = 6;
#else
constexpr int ROWS = 2;
#endif

// How K runs over memory: outer x inner segments of `length` neighbouring floats.
struct Segments {
    int64_t outer, outer_step, inner, inner_step, length;
};

// R rows of A times V vectors of a panel, from `bias` (or zero) on.
template <int R, int V>
inline __attribute__((always_inline)) void sum_rows(const float* a, const int64_t* offsets, const Segments& k,
                                                    const float* b, const float* bias, vec (&sum)[R][V]) {
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) sum[r][v] = bias ? load(bias + v * LANES) : vec{};
    for (int64_t o = 0; o < k.outer; o++)
        for (int64_t i = 0; i < k.inner; i++) {
            const float* row[R];
            UNROLL for (int r = 0; r < R; r++) row[r] = a + offsets[r] + o * k.outer_step + i * k.inner_step;
            for (int64_t j = 0; j < k.length; j++, b += PANEL) {
                vec column[V];
                UNROLL for (int v = 0; v < V; v++) column[v] = load(b + v * LANES);
                UNROLL for (int r = 0; r < R; r++) {
                    const vec x = broadcast(row[r][j]);
                    UNROLL for (int v = 0; v < V; v++) sum[r][v] += x * column[v];
                }
            }
        }
}

template <int R>
inline __attribute__((always_inline)) void tile(const float* a, const int64_t* offsets, const Segments& k,
                                                const float* b, const float* bias, bool relu, float* y,
                                                int64_t y_step, int64_t columns) {
    vec sum[R][VECTORS];
    sum_rows<R, VECTORS>(a, offsets, k, b, bias, sum);
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < VECTORS; v++) {
            vec out = sum[r][v];
            if (relu) out = out < vec{} ? vec{} : out;    // NaN passes, as in PyTorch
            if (columns == PANEL)
                store(y + r * y_step + v * LANES, out);
            else if (columns > v * LANES)
                store_some(y + r * y_step + v * LANES, out, columns - v * LANES);
        }
}

// `rows` rows of A times one panel: y[r * y_step + 0..columns) = relu?(bias + A[r] . B).
inline void times_panel(int64_t rows, const float* a, const int64_t* offsets, const Segments& k, const float* b,
                        const float* bias, bool relu, float* y, int64_t y_step, int64_t columns) {
    int64_t r = 0;
    for (; r + ROWS <= rows; r += ROWS)
        tile<ROWS>(a, offsets + r, k, b, bias, relu, y + r * y_step, y_step, columns);
    as_constant<ROWS - 1>(rows - r, [&](auto left) {
        tile<left.value>(a, offsets + r, k, b, bias, relu, y + r * y_step, y_step, columns);
    });
}

// R neighbouring rows of a weight gradient's panel: out[r][0..16) += sum over m of
// a[offsets[m] + r] * d[m][0..16).
template <int R>
inline __attribute__((always_inline)) void outer_tile(int64_t terms, const float* a, const int64_t* offsets,
                                                      const float* d, float* out) {
    vec sum[R][VECTORS];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < VECTORS; v++) sum[r][v] = vec{};
    for (int64_t m = 0; m < terms; m++, d += PANEL) {
        const float* x = a + offsets[m];
        vec column[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) column[v] = load(d + v * LANES);
        UNROLL for (int r = 0; r < R; r++) {
            const vec value = broadcast(x[r]);
            UNROLL for (int v = 0; v < VECTORS; v++) sum[r][v] += value * column[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < VECTORS; v++) {
            float* to = out + r * PANEL + v * LANES;
            store(to, load(to) + sum[r][v]);
        }
}

inline void outer_product(int64_t rows, int64_t terms, const float* a, const int64_t* offsets, const float* d,
                          float* out) {
    int64_t r = 0;
    for (; r + ROWS <= rows; r += ROWS) outer_tile<ROWS>(terms, a + r, offsets, d, out + r * PANEL);
    as_constant<ROWS - 1>(rows - r,
                          [&](auto left) { outer_tile<left.value>(terms, a + r, offsets, d, out + r * PANEL); });
}

// One panel of a matrix with `columns` columns, rows `step` apart, zero-padded to 16: [rows][16].
inline void pack_panel(const float* from, int64_t rows, int64_t step, int64_t columns, float* to) {
    if (columns >= PANEL) {
        for (int64_t r = 0; r < rows; r++, from += step, to += PANEL)
            UNROLL for (int v = 0; v < VECTORS; v++) store(to + v * LANES, load(from + v * LANES));
    } else {
        for (int64_t r = 0; r < rows; r++, from += step, to += PANEL)
            UNROLL for (int v = 0; v < VECTORS; v++)
                store(to + v * LANES, load_some(from + v * LANES, most(0, columns - v * LANES)));
    }
}

// The sum of the rows of a packed panel, added to out[16].
inline void add_rows(const float* panel, int64_t rows, float* out) {
    UNROLL for (int v = 0; v < VECTORS; v++) {
        vec sum{};
        for (int64_t r = 0; r < rows; r++) sum += load(panel + r * PANEL + v * LANES);
        store(out + v * LANES, load(out + v * LANES) + sum);
    }
}

}    // namespace
