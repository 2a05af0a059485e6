// Softmax over the channels of each row. As PyTorch: a row with NaN, with +infinity or with
// nothing but -infinity is NaN throughout.
#include "vectors.h"

namespace {

struct SoftmaxForwardArgs {
    const float* x;
    float* y;
    int64_t rows, channels;
};
struct SoftmaxBackwardArgs {
    const float *y, *dy;
    float* dx;
    int64_t rows, channels;
};

}    // namespace

// y may be x.
BEAK_KERNEL(softmax_forward, SoftmaxForwardArgs) {
    const int64_t channels = args->channels;
    const Share share(args->rows, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const float* x = args->x + row * channels;
        float* y = args->y + row * channels;
        const float top = largest_of(x, channels);
        dvec sums{};    // lanes that are not there add e^-infinity = 0
        by_lanes(0, channels, [&](int64_t c, int64_t n) {
            const vec e = exponential(load_some_or(x + c, n, -INFINITE) - top);
            sums += widen(e);
            store_some(y + c, e, n);
        });
        const float sum = static_cast<float>(sum_lanes(sums));
        by_lanes(0, channels, [&](int64_t c, int64_t n) { store_some(y + c, load_some(y + c, n) / sum, n); });
    }
}

// dx may be dy.
BEAK_KERNEL(softmax_backward, SoftmaxBackwardArgs) {
    const int64_t channels = args->channels;
    const Share share(args->rows, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const float* y = args->y + row * channels;
        const float* dy = args->dy + row * channels;
        float* dx = args->dx + row * channels;
        dvec sums{};
        by_lanes(0, channels,
                 [&](int64_t c, int64_t n) { sums += widen(load_some(y + c, n)) * widen(load_some(dy + c, n)); });
        const float mean = static_cast<float>(sum_lanes(sums));
        by_lanes(0, channels, [&](int64_t c, int64_t n) {
            store_some(dx + c, load_some(y + c, n) * (load_some(dy + c, n) - mean), n);
        });
    }
}
