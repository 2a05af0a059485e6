// Layer normalisation: each row (one place of one image) over its channels.
#include "vectors.h"

namespace {

struct ForwardArgs {
    const float* x;
    float *y, *mean, *inverse;    // mean and inverse, [rows], may be null
    const float *weight, *bias;
    int64_t rows, channels;
    double epsilon;
};
struct BackwardArgs {
    const float *x, *dy;
    float* dx;
    const float *mean, *inverse, *weight;
    double* partials;    // [parts][2][channels]: sum of dy, sum of dy x normalised x
    int64_t rows, channels;
};

}    // namespace

// y may be x.
BEAK_KERNEL(layer_norm_forward, ForwardArgs) {
    const ForwardArgs& a = *args;
    const int64_t channels = a.channels;
    const double size = static_cast<double>(channels);
    const Share share(a.rows, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const float* x = a.x + row * channels;
        float* y = a.y + row * channels;
        dvec sums{}, squares{};
        by_lanes(0, channels, [&](int64_t c, int64_t n) { sums += widen(load_some(x + c, n)); });
        const double average = sum_lanes(sums) / size;
        const float mean = static_cast<float>(average);
        by_lanes(0, channels, [&](int64_t c, int64_t n) {
            const dvec d = widen(load_some(x + c, n)) - everywhere(average);
            squares += first_lanes(d * d, n);
        });
        const float inverse = static_cast<float>(1.0 / __builtin_sqrt(sum_lanes(squares) / size + a.epsilon));
        by_lanes(0, channels, [&](int64_t c, int64_t n) {
            const vec normal = (load_some(x + c, n) - mean) * inverse;
            store_some(y + c, normal * load_some(a.weight + c, n) + load_some(a.bias + c, n), n);
        });
        if (a.mean) a.mean[row] = mean;
        if (a.inverse) a.inverse[row] = inverse;
    }
}

// dx may be dy. batch_norm_backward_finish makes dweight and dbias of the partials.
BEAK_KERNEL(layer_norm_backward, BackwardArgs) {
    const BackwardArgs& a = *args;
    const int64_t channels = a.channels;
    const double size = static_cast<double>(channels);
    double* sums = a.partials + part * 2 * channels;
    double* products = sums + channels;
    memset(sums, 0, static_cast<size_t>(2 * channels) * 8);
    const Share share(a.rows, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const float *x = a.x + row * channels, *dy = a.dy + row * channels;
        float* dx = a.dx + row * channels;
        const float mean = a.mean[row], inverse = a.inverse[row];
        dvec all{}, along{};
        by_lanes(0, channels, [&](int64_t c, int64_t n) {
            const vec g = load_some(dy + c, n), normal = (load_some(x + c, n) - mean) * inverse;
            const dvec weighted = widen(g * load_some(a.weight + c, n));
            all += weighted;
            along += weighted * widen(normal);
            store_doubles(sums + c, load_doubles(sums + c, n) + widen(g), n);
            store_doubles(products + c, load_doubles(products + c, n) + widen(g * normal), n);
        });
        const float offset = static_cast<float>(sum_lanes(all) / size), tilt = static_cast<float>(sum_lanes(along) / size);
        by_lanes(0, channels, [&](int64_t c, int64_t n) {
            const vec normal = (load_some(x + c, n) - mean) * inverse;
            store_some(dx + c, inverse * (load_some(dy + c, n) * load_some(a.weight + c, n) - offset - normal * tilt), n);
        });
    }
}
