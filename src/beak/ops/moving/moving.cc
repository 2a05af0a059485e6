// Numbers that move, and at most a few of them mixed: padding, cutting, upsampling, reshaping.
#include "vectors.h"

namespace {

// Row o of each image of y is the sum, over k from starts[o] to starts[o + 1], of weights[k] times
// row sources[k] of x; a row without any is 0. The way back is the same with the table turned.
struct MixRowsArgs {
    const float* x;
    float* y;
    const int32_t *starts, *sources;
    const float* weights;
    int64_t images, in_rows, out_rows, width;
};

}    // namespace

BEAK_KERNEL(mix_rows, MixRowsArgs) {
    const MixRowsArgs& a = *args;
    const Share share(a.images * a.out_rows, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const int64_t o = row % a.out_rows;
        const float* x = a.x + row / a.out_rows * a.in_rows * a.width;
        float* y = a.y + row * a.width;
        const int32_t begin = a.starts[o], end = a.starts[o + 1];
        if (end == begin + 1 && a.weights[begin] == 1.0f) {
            memcpy(y, x + a.sources[begin] * a.width, static_cast<size_t>(a.width) * 4);
            continue;
        }
        by_lanes(0, a.width, [&](int64_t c, int64_t n) {
            vec sum{};
            for (int32_t k = begin; k < end; k++)
                sum += broadcast(a.weights[k]) * load_some(x + a.sources[k] * a.width + c, n);
            store_some(y + c, sum, n);
        });
    }
}
