// Clipping the gradient by its norm, as torch.nn.utils.clip_grad_norm_.
#include "vectors.h"

namespace {

struct SquaredNormArgs {
    const float* gradient;
    double* partials;    // [parts]
    int64_t count;
};
struct SquaredNormRowsArgs {
    const float* gradient;
    double* partials;
    const int32_t* listed;    // [count]: the rows that have a gradient
    const int64_t* count;
    int64_t row;
};
struct ClipScaleArgs {
    const double* partials;
    double* settings;
    int64_t partial_parts;
    double limit;
};
constexpr int GRADIENT_SCALE = 3;

}    // namespace

BEAK_KERNEL(squared_norm, SquaredNormArgs) {
    const Share share = share_of_floats(args->count, part, parts);
    dvec sum{};
    by_lanes(share.begin, share.end, [&](int64_t i, int64_t n) {
        const dvec g = widen(load_some(args->gradient + i, n));
        sum += g * g;
    });
    args->partials[part] = sum_lanes(sum);
}

BEAK_KERNEL(squared_norm_rows, SquaredNormRowsArgs) {
    const Share share(*args->count, part, parts);
    dvec sum{};
    for (int64_t n = share.begin; n < share.end; n++) {
        const float* row = args->gradient + args->listed[n] * args->row;
        by_lanes(0, args->row, [&](int64_t i, int64_t lanes) {
            const dvec g = widen(load_some(row + i, lanes));
            sum += g * g;
        });
    }
    args->partials[part] = sum_lanes(sum);
}

// settings[3] = min(1, limit / (norm + 1e-6)); NaN stays NaN. One part does it.
BEAK_KERNEL(clip_scale, ClipScaleArgs) {
    if (part || !parts) return;
    double sum = 0;
    for (int64_t p = 0; p < args->partial_parts; p++) sum += args->partials[p];
    const double scale = args->limit / (__builtin_sqrt(sum) + 1e-6);
    args->settings[GRADIENT_SCALE] = scale > 1.0 ? 1.0 : scale;
}
