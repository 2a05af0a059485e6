// A batch norm with fixed statistics folded into the convolution before it:
//     gamma (w x + b - mean) / sqrt(variance + epsilon) + beta = (w s) x + (b - mean) s + beta
#include "tile.h"

namespace {

struct FoldArgs {
    const float* weight;    // panels, as the convolution reads them
    const float* bias;      // in panels, or null
    float* folded;
    float* folded_bias;
    const float* mean;    // these four: [groups x filters], not padded
    const float* variance;
    const float* gamma;
    const float* beta;
    int64_t groups, terms, filters;    // filters per group
    double epsilon;
};

}    // namespace

// Parts split the panels.
BEAK_KERNEL(convolution_fold_norm, FoldArgs) {
    const FoldArgs& f = *args;
    const int64_t panels = (f.filters + PANEL - 1) / PANEL;
    const Share share(f.groups * panels, part, parts);
    for (int64_t unit = share.begin; unit < share.end; unit++) {
        const int64_t first = unit % panels * PANEL, from = unit / panels * f.filters + first;
        float scale[PANEL] = {};
        for (int64_t lane = 0; lane < PANEL; lane++) {
            float shift = 0;
            if (first + lane < f.filters) {
                const int64_t c = from + lane;
                scale[lane] = static_cast<float>(f.gamma[c] / __builtin_sqrt(f.variance[c] + f.epsilon));
                shift = f.beta[c] + ((f.bias ? f.bias[unit * PANEL + lane] : 0) - f.mean[c]) * scale[lane];
            }
            f.folded_bias[unit * PANEL + lane] = shift;
        }
        const float* weight = f.weight + unit * f.terms * PANEL;
        float* folded = f.folded + unit * f.terms * PANEL;
        for (int64_t k = 0; k < f.terms; k++, weight += PANEL, folded += PANEL)
            UNROLL for (int v = 0; v < PANEL; v += LANES) store(folded + v, load(weight + v) * load(scale + v));
    }
}
