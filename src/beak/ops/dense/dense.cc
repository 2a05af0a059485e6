// Dense layers: y = relu?(x W + b), weights in panels [outputs / 16][inputs][16] (see tile.h).
// The input gradient is the same product with the weights turned (convolution_turn_filters with a
// window of one place).
#include "tile.h"

namespace {

constexpr int64_t BLOCK = 48;    // rows of x that stay in the cache while a panel passes

struct DenseArgs {
    const float* x;
    const float* weight;
    const float* bias;
    float* y;
    int64_t rows, inputs, outputs, relu;
};

}    // namespace

// Parts split blocks of rows x panels.
BEAK_KERNEL(dense_forward, DenseArgs) {
    const DenseArgs& d = *args;
    int64_t offsets[BLOCK];
    for (int64_t r = 0; r < BLOCK; r++) offsets[r] = r * d.inputs;
    const int64_t panels = (d.outputs + PANEL - 1) / PANEL, blocks = (d.rows + BLOCK - 1) / BLOCK;
    const Segments k{1, 0, 1, 0, d.inputs};
    const Share units(panels * blocks, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t row = unit / panels * BLOCK, p = unit % panels;
        times_panel(least(BLOCK, d.rows - row), d.x + row * d.inputs, offsets, k, d.weight + p * d.inputs * PANEL,
                    d.bias ? d.bias + p * PANEL : nullptr, d.relu != 0, d.y + row * d.outputs + p * PANEL, d.outputs,
                    least(PANEL, d.outputs - p * PANEL));
    }
}

namespace {

struct DenseGradientArgs {
    const float* x;
    const float* dy;
    float* dweight;
    float* dbias;    // or null
    int64_t rows, inputs, outputs;
};
constexpr int64_t STRIP = 96;    // inputs whose gradients one unit of work makes

}    // namespace

BEAK_EXPORT int64_t dense_weight_gradient_scratch(const DenseGradientArgs* d) {
    return round_up(d->rows, 8) * 8 + d->rows * PANEL * 4;
}

// Parts split panels x strips of inputs: every sum is made whole by one part.
BEAK_KERNEL(dense_weight_gradient, DenseGradientArgs) {
    const DenseGradientArgs& d = *args;
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* packed = reinterpret_cast<float*>(offsets + round_up(d.rows, 8));
    const int64_t panels = (d.outputs + PANEL - 1) / PANEL, strips = (d.inputs + STRIP - 1) / STRIP;
    for (int64_t r = 0; r < d.rows; r++) offsets[r] = r * d.inputs;
    const Share units(panels * strips, part, parts);
    int64_t packed_panel = -1;
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t p = unit / strips, first = unit % strips * STRIP, count = least(STRIP, d.inputs - first);
        if (p != packed_panel)
            pack_panel(d.dy + p * PANEL, d.rows, d.outputs, least(PANEL, d.outputs - p * PANEL), packed);
        packed_panel = p;
        float* out = d.dweight + (p * d.inputs + first) * PANEL;
        memset(out, 0, static_cast<size_t>(count * PANEL) * 4);
        outer_product(count, d.rows, d.x + first, offsets, packed, out);
        if (first == 0 && d.dbias) {
            memset(d.dbias + p * PANEL, 0, PANEL * 4);
            add_rows(packed, d.rows, d.dbias + p * PANEL);
        }
    }
}
