// Each image, rows x columns, becomes columns x rows: channels first to channels last and back.
#include "transpose.h"

namespace {

struct TransposeArgs {
    const float* x;
    float* y;
    int64_t images, rows, columns;
};

constexpr int64_t BAND = 16;    // columns that one unit of work turns

}    // namespace

BEAK_KERNEL(transpose_images, TransposeArgs) {
    const TransposeArgs& a = *args;
    const int64_t bands = (a.columns + BAND - 1) / BAND;
    const Share share(a.images * bands, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        const int64_t column = i % bands * BAND, start = i / bands * a.rows * a.columns;
        transpose(a.x + start + column, a.rows, least(BAND, a.columns - column), a.columns,
                  a.y + start + column * a.rows, a.rows);
    }
}
