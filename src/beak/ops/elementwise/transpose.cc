// Each image, rows x columns, becomes columns x rows: channels first to channels last and back.
#include "vectors.h"

namespace {

struct TransposeArgs {
    const float* x;
    float* y;
    int64_t images, rows, columns;
};

constexpr int64_t TILE = 16;

// One tile of at most 16 x 16, read in rows and written in rows.
inline void transpose_tile(const float* x, float* y, int64_t rows, int64_t columns, int64_t height, int64_t width) {
    float tile[TILE][TILE];
    for (int64_t r = 0; r < height; r++)
        for (int64_t c = 0; c < width; c++) tile[c][r] = x[r * columns + c];
    for (int64_t c = 0; c < width; c++) memcpy(y + c * rows, tile[c], static_cast<size_t>(height) * 4);
}

}    // namespace

BEAK_KERNEL(transpose_images, TransposeArgs) {
    const TransposeArgs& a = *args;
    const int64_t bands = (a.columns + TILE - 1) / TILE;
    const Share share(a.images * bands, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        const int64_t column = i % bands * TILE, start = i / bands * a.rows * a.columns;
        const int64_t width = least(TILE, a.columns - column);
        for (int64_t row = 0; row < a.rows; row += TILE)
            transpose_tile(a.x + start + row * a.columns + column, a.y + start + column * a.rows + row, a.rows, a.columns,
                           least(TILE, a.rows - row), width);
    }
}
