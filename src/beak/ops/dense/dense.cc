// Dense layers: y = relu?(x W + b), weights in panels [outputs / 16][inputs][16] (see tile.h).
// The input gradient is the same product with the weights turned (convolution_turn_filters with a
// window of one place).
#include "tile.h"

namespace {

constexpr int64_t BLOCK = 24;    // rows of x that stay in the cache while panels pass

struct DenseArgs {
    const float* x;
    const float* weight;
    const float* bias;
    float* y;
    int64_t rows, inputs, outputs, relu;
};

// So many panels side by side are one unit of work.
inline int64_t groups_of(int64_t outputs) {
    const int64_t panels = (outputs + PANEL - 1) / PANEL;
    return (panels + WIDE - 1) / WIDE;
}

// The panels of a unit: body(Constant<P>, first panel).
template <class Body>
inline void unit_panels(int64_t outputs, int64_t group, Body body) {
    const Share share((outputs + PANEL - 1) / PANEL, group, groups_of(outputs));
    as_constant<WIDE>(share.end - share.begin, [&](auto wide) { body(wide, share.begin); });
}

}    // namespace

// Parts split blocks of rows x groups of panels.
BEAK_KERNEL(dense_forward, DenseArgs) {
    const DenseArgs& d = *args;
    int64_t offsets[BLOCK];
    for (int64_t r = 0; r < BLOCK; r++) offsets[r] = r * d.inputs;
    const int64_t groups = groups_of(d.outputs), blocks = (d.rows + BLOCK - 1) / BLOCK;
    const Segments k{1, 0, 1, 0, d.inputs};
    const Share units(groups * blocks, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++)
        unit_panels(d.outputs, unit % groups, [&](auto wide, int64_t p) {
            const Share rows(d.rows, unit / groups, blocks);
            times_panels_in_pieces<wide.value>(
                rows.end - rows.begin, d.x + rows.begin * d.inputs, offsets, k, d.weight + p * d.inputs * PANEL,
                d.inputs * PANEL, d.bias ? d.bias + p * PANEL : nullptr, d.relu != 0,
                d.y + rows.begin * d.outputs + p * PANEL, d.outputs, d.outputs - p * PANEL);
        });
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
constexpr int64_t TERMS = 96;    // rows whose products are summed in registers before they are written

}    // namespace

BEAK_EXPORT int64_t dense_weight_gradient_scratch(const DenseGradientArgs* d) {
    return round_up(d->rows, 8) * 8 + d->rows * WIDE * PANEL * 4;
}

// Parts split groups of panels x strips of inputs: every sum is made whole by one part.
BEAK_KERNEL(dense_weight_gradient, DenseGradientArgs) {
    const DenseGradientArgs& d = *args;
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* packed = reinterpret_cast<float*>(offsets + round_up(d.rows, 8));
    const int64_t groups = groups_of(d.outputs), strips = (d.inputs + STRIP - 1) / STRIP;
    for (int64_t r = 0; r < d.rows; r++) offsets[r] = r * d.inputs;
    const Share units(groups * strips, part, parts);
    int64_t packed_group = -1;
    for (int64_t unit = units.begin; unit < units.end; unit++)
        unit_panels(d.outputs, unit / strips, [&](auto wide, int64_t p) {
            constexpr int P = wide.value;
            const int64_t first = unit % strips * STRIP, count = least(STRIP, d.inputs - first);
            if (unit / strips != packed_group)
                pack_panels<P>(d.dy + p * PANEL, d.rows, d.outputs, d.outputs - p * PANEL, packed);
            packed_group = unit / strips;
            float* out = d.dweight + (p * d.inputs + first) * PANEL;
            for (int i = 0; i < P; i++)
                memset(out + i * d.inputs * PANEL, 0, static_cast<size_t>(count * PANEL) * 4);
            for (int64_t m = 0; m < d.rows; m += TERMS)
                outer_product<P>(count, least(TERMS, d.rows - m), d.x + first, offsets + m, packed + m * P * PANEL,
                                 out, d.inputs * PANEL);
            if (first == 0 && d.dbias) {
                memset(d.dbias + p * PANEL, 0, P * PANEL * 4);
                add_rows<P>(packed, d.rows, d.dbias + p * PANEL);
            }
        });
}
