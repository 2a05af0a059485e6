// What the weight gradients of pooled convolutions share: their arguments, and what is alive.
//
// After ReLU and pooling at most one output in four has a gradient: only winners are visited.
#pragma once
#include "pooled.h"

namespace {

// A part's sums are in panels [filters / 16][window_h * window_w * channels][16], then the bias.
struct PooledWeightGradientArgs {
    const float* x;
    const float* dy;             // of the pooled output
    const uint8_t* winners;
    float* partials;             // [parts][stride]
    PooledShape shape;
    int64_t stride, bias_at;     // where the bias sums begin in a part, or -1
};

// dy of LANES filters where they are alive. Reads up to `room` floats, so that lanes behind
// the last filter may be those of the next place: they are zeroed.
inline vec live_gradient(const float* dy, ivec winner, int64_t room, int64_t columns) {
    const vec g = room >= LANES ? load(dy) : load_some(dy, most(0, room));
    const ivec off = (winner >= DEAD) | (lane_numbers() >= static_cast<int32_t>(least(columns, LANES)));
    return select(off, vec{}, g);
}

}    // namespace
