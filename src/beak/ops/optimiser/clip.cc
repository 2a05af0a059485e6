// Clipping the gradient by its norm, as torch.nn.utils.clip_grad_norm_.
#include "vectors.h"

namespace {

struct SquaredNormArgs {
    const float* gradient;
    double* partials;    // [parts]
    int64_t count;
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

// settings[3] = min(1, limit / (norm + 1e-6)); NaN stays NaN. One part does it.
BEAK_KERNEL(clip_scale, ClipScaleArgs) {
    if (part || !parts) return;
    double sum = 0;
    for (int64_t p = 0; p < args->partial_parts; p++) sum += args->partials[p];
    const double scale = args->limit / (__builtin_sqrt(sum) + 1e-6);
    args->settings[GRADIENT_SCALE] = scale > 1.0 ? 1.0 : scale;
}
