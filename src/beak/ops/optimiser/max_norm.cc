// Outputs whose weights are longer than a limit shortened to it; weights in panels (tile.h).
#include "native.h"

namespace {

constexpr int64_t PANEL = 16;

struct MaxNormArgs {
    float* weight;    // [panels][terms][16]: an output is one of the 16
    int64_t panels, terms;
    double limit;
};

}    // namespace

BEAK_KERNEL(max_norm, MaxNormArgs) {
    const Share share(args->panels, part, parts);
    for (int64_t p = share.begin; p < share.end; p++) {
        float* panel = args->weight + p * args->terms * PANEL;
        double sums[PANEL] = {};
        for (int64_t i = 0; i < args->terms * PANEL; i += PANEL)
            for (int64_t j = 0; j < PANEL; j++) {
                const double w = panel[i + j];
                sums[j] += w * w;
            }
        for (int64_t j = 0; j < PANEL; j++) {
            if (!(sums[j] > args->limit * args->limit)) continue;
            const double scale = args->limit / __builtin_sqrt(sums[j]);
            for (int64_t i = j; i < args->terms * PANEL; i += PANEL) panel[i] = static_cast<float>(panel[i] * scale);
        }
    }
}
