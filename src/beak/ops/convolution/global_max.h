// Convolution, bias, ReLU and the maximum over all places in one: what its kernels share.
//
// Of each filter and image only the largest output is kept, and the place where it stands (a
// winner, for backward):
//     winners[images][filters], int32: row x out_w + column of the maximum; of equals the first, of
//     several NaNs the last (as global_max_forward); DEAD where the ReLU cut it off
// One place a filter and image has a gradient: backward visits these alone.
#pragma once
#include "tile.h"
#include "vectors.h"

namespace {

constexpr int32_t DEAD = -1;

struct GlobalMaxShape {
    int64_t images, in_h, in_w, channels, out_h, out_w, filters;
    int64_t window_h, window_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;

    int64_t places() const { return out_h * out_w; }
    int64_t taps() const { return window_h * window_w; }
    int64_t terms() const { return taps() * channels; }
    int64_t panels() const { return (filters + PANEL - 1) / PANEL; }
    int64_t image_floats() const { return in_h * in_w * channels; }
    // What all windows together see of a padded picture.
    int64_t view_h() const { return (out_h - 1) * stride_h + dilation_h * (window_h - 1) + 1; }
    int64_t view_w() const { return (out_w - 1) * stride_w + dilation_w * (window_w - 1) + 1; }
    bool needs_padding() const {
        return pad_top || pad_left || view_h() > in_h || view_w() > in_w;
    }
};

}    // namespace
