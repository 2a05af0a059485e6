// A matrix turned about, four rows and columns at a time.
#pragma once
#include "native.h"

namespace {

// Four rows of four floats, exchanged with their columns.
typedef float quad __attribute__((vector_size(16)));
#if defined(__clang__)
#define SHUFFLE_QUADS __builtin_shufflevector
#else
typedef int32_t iquad __attribute__((vector_size(16)));
#define SHUFFLE_QUADS(a, b, ...) __builtin_shuffle(a, b, iquad{__VA_ARGS__})
#endif
inline void transpose_quads(const float* from, int64_t from_step, float* to, int64_t to_step) {
    quad r[4];
    UNROLL for (int i = 0; i < 4; i++) memcpy(&r[i], from + i * from_step, 16);
    const quad a = SHUFFLE_QUADS(r[0], r[1], 0, 4, 1, 5), b = SHUFFLE_QUADS(r[0], r[1], 2, 6, 3, 7);
    const quad c = SHUFFLE_QUADS(r[2], r[3], 0, 4, 1, 5), d = SHUFFLE_QUADS(r[2], r[3], 2, 6, 3, 7);
    const quad out[4] = {SHUFFLE_QUADS(a, c, 0, 1, 4, 5), SHUFFLE_QUADS(a, c, 2, 3, 6, 7),
                         SHUFFLE_QUADS(b, d, 0, 1, 4, 5), SHUFFLE_QUADS(b, d, 2, 3, 6, 7)};
    UNROLL for (int i = 0; i < 4; i++) memcpy(to + i * to_step, &out[i], 16);
}

// to[c * to_step + r] = from[r * from_step + c] for r < rows, c < columns.
inline void transpose(const float* from, int64_t rows, int64_t columns, int64_t from_step, float* to,
                      int64_t to_step) {
    const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (int64_t r = 0; r < whole_rows; r += 4)
        for (int64_t c = 0; c < whole_columns; c += 4)
            transpose_quads(from + r * from_step + c, from_step, to + c * to_step + r, to_step);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; c++) to[c * to_step + r] = from[r * from_step + c];
}

}    // namespace
