// What the kernels of convolutions with any window, stride, dilation and groups are called with, and
// a picture as their windows see it.
#pragma once
#include "native.h"

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

// How many pixels of a view the windows of so many rows of outputs span.
inline int64_t span_h(const ConvolutionArgs& c, int64_t rows) {
    return (rows - 1) * c.stride_h + c.dilation_h * (c.window_h - 1) + 1;
}
inline int64_t span_w(const ConvolutionArgs& c) {
    return (c.out_w - 1) * c.stride_w + c.dilation_w * (c.window_w - 1) + 1;
}

// A picture (or a band of it) as the windows see it: padded and spread, in scratch if need be.
struct View {
    const float* pixels;
    int64_t width;
};

inline View view_of(const float* image, const ConvolutionArgs& c, int64_t first_row, int64_t rows, float* scratch) {
    const int64_t need_h = span_h(c, rows), need_w = span_w(c);
    const int64_t top = first_row * c.stride_h - c.pad_top;
    if (c.spread_h == 1 && c.spread_w == 1 && c.pad_left == 0 && need_w <= c.in_w && top >= 0 &&
        top + need_h <= c.in_h)
        return {image + top * c.in_w * c.in_channels, c.in_w};
    const int64_t row = need_w * c.in_channels;
    memset(scratch, 0, static_cast<size_t>(need_h * row) * 4);
    for (int64_t y = 0; y < need_h; y++) {
        const int64_t spread_y = top + y;
        if (spread_y < 0 || spread_y % c.spread_h || spread_y / c.spread_h >= c.in_h) continue;
        const float* from = image + spread_y / c.spread_h * c.in_w * c.in_channels;
        float* to = scratch + y * row;
        if (c.spread_w == 1) {
            const int64_t skip = most(0, -c.pad_left), start = most(0, c.pad_left);    // crop or pad
            const int64_t count = least(c.in_w - skip, need_w - start);
            if (count > 0)
                memcpy(to + start * c.in_channels, from + skip * c.in_channels,
                       static_cast<size_t>(count * c.in_channels) * 4);
        } else {
            for (int64_t x = 0; x < c.in_w; x++) {
                const int64_t place = x * c.spread_w + c.pad_left;
                if (place >= 0 && place < need_w)
                    memcpy(to + place * c.in_channels, from + x * c.in_channels,
                           static_cast<size_t>(c.in_channels) * 4);
            }
        }
    }
    return {scratch, need_w};
}

inline int64_t view_floats(const ConvolutionArgs& c, int64_t rows) {
    return round_up(span_h(c, rows) * span_w(c) * c.in_channels, 16);
}

struct WeightGradientArgs {
    ConvolutionArgs forward;    // as forward ran; weight, bias, y are not used
    const float* dy;
    float* partials;    // [parts][stride]: a part's sums, filters as forward has them, then bias
    int64_t stride;
    int64_t bias_at;    // where the bias sums begin in a part, or -1
};

}    // namespace
