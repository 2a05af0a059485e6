// The arguments of convolutions as implicit matrix products (convolution.cc, scatter.cc).
#pragma once
#include "tile.h"

namespace {

struct ConvolutionArgs {
    const float* x;
    const float* weight;
    const float* bias;
    float* y;
    int64_t images, in_h, in_w, in_channels, out_h, out_w, out_channels, groups;
    int64_t window_h, window_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int64_t spread_h, spread_w;    // 1: the picture as it is; s: s - 1 zeros between its pixels
    int64_t relu;
    int64_t bands;    // a picture's output rows are cut into so many bands, each a unit of work
    // Pixels of y from one output to the next, from one row to the next, from one image to the next:
    // 1, out_w and out_h * out_w where the outputs fill y, more where they are a grid within it.
    int64_t y_step, y_row, y_image;
};

}    // namespace
