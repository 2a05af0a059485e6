// A matrix turned about, four rows and columns at a time.
#pragma once
#include "native.h"

namespace {

typedef float four __attribute__((vector_size(16)));
typedef int32_t four_places __attribute__((vector_size(16)));

// to[c * to_step + r] = from[r * from_step + c] for r < rows, c < columns.
inline void transpose(const float* from, int64_t rows, int64_t columns, int64_t from_step, float* to,
                      int64_t to_step) {
    const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (int64_t r = 0; r < whole_rows; r += 4)
        for (int64_t c = 0; c < whole_columns; c += 4) {
            four in[4];
            UNROLL for (int i = 0; i < 4; i++) memcpy(&in[i], from + (r + i) * from_step + c, 16);
            const four a = __builtin_shuffle(in[0], in[1], four_places{0, 4, 1, 5});
            const four b = __builtin_shuffle(in[0], in[1], four_places{2, 6, 3, 7});
            const four d = __builtin_shuffle(in[2], in[3], four_places{0, 4, 1, 5});
            const four e = __builtin_shuffle(in[2], in[3], four_places{2, 6, 3, 7});
            const four out[4] = {
                __builtin_shuffle(a, d, four_places{0, 1, 4, 5}), __builtin_shuffle(a, d, four_places{2, 3, 6, 7}),
                __builtin_shuffle(b, e, four_places{0, 1, 4, 5}), __builtin_shuffle(b, e, four_places{2, 3, 6, 7})};
            UNROLL for (int i = 0; i < 4; i++) memcpy(to + (c + i) * to_step + r, &out[i], 16);
        }
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; c++) to[c * to_step + r] = from[r * from_step + c];
}

}    // namespace
