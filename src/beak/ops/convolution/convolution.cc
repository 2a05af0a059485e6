// Convolution as an implicit matrix product: forward, input gradient and weight gradient.
//
// The input gradient is the same kernel run on the output's gradient, with the filters turned
// round and their two channel axes exchanged (convolution_turn_filters), the gradient spread out
// by the stride (spread_h, spread_w) and padded. Filters lie in panels per group:
// [groups][filters per group / 16][window_h * window_w * channels per group][16].
#include "tile.h"
#include "transpose.h"
#include "view.h"

namespace {

// Where each window of the band starts, in floats from the view's first pixel.
void window_offsets(const ConvolutionArgs& c, int64_t rows, int64_t width, int64_t* offsets) {
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < c.out_w; x++)
            *offsets++ = (y * c.stride_h * width + x * c.stride_w) * c.in_channels;
}

Segments segments_of(const ConvolutionArgs& c, int64_t width) {
    const int64_t channels = c.in_channels / c.groups;
    if (c.groups == 1 && c.dilation_w == 1)    // a window's row lies in one piece
        return {c.window_h, c.dilation_h * width * c.in_channels, 1, 0, c.window_w * channels};
    return {c.window_h, c.dilation_h * width * c.in_channels, c.window_w, c.dilation_w * c.in_channels, channels};
}

}    // namespace

BEAK_EXPORT int64_t convolution_forward_scratch(const ConvolutionArgs* c) {
    const int64_t rows = (c->out_h + c->bands - 1) / c->bands;
    return view_floats(*c, rows) * 4 + round_up(rows * c->out_w, 8) * 8;
}

BEAK_KERNEL(convolution_forward, ConvolutionArgs) {
    const ConvolutionArgs& c = *args;
    const int64_t most_rows = (c.out_h + c.bands - 1) / c.bands;
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* room = reinterpret_cast<float*>(offsets + round_up(most_rows * c.out_w, 8));
    const int64_t channels = c.in_channels / c.groups, filters = c.out_channels / c.groups;
    const int64_t panels = (filters + PANEL - 1) / PANEL, terms = c.window_h * c.window_w * channels;
    const Share units(c.images * c.bands, part, parts);
    int64_t offset_rows = -1, offset_width = -1;
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const Share band(c.out_h, unit % c.bands, c.bands);
        const int64_t rows = band.end - band.begin;
        if (rows == 0) continue;
        const int64_t image = unit / c.bands;
        const View view = view_of(c.x + image * c.in_h * c.in_w * c.in_channels, c, band.begin, rows, room);
        if (rows != offset_rows || view.width != offset_width) window_offsets(c, rows, view.width, offsets);
        offset_rows = rows, offset_width = view.width;
        const Segments k = segments_of(c, view.width);
        float* out = c.y + (image * c.y_image + band.begin * c.y_row) * c.out_channels;
        const bool whole = c.y_step == 1 && c.y_row == c.out_w;    // then rows follow each other
        const int64_t runs = whole ? 1 : rows, length = whole ? rows * c.out_w : c.out_w;
        for (int64_t g = 0; g < c.groups; g++)
            for (int64_t p = 0; p < panels; p++)
                for (int64_t run = 0; run < runs; run++)
                    times_panel(length, view.pixels + g * channels, offsets + run * length, k,
                                c.weight + (g * panels + p) * terms * PANEL,
                                c.bias ? c.bias + (g * panels + p) * PANEL : nullptr, c.relu != 0,
                                out + run * c.y_row * c.out_channels + g * filters + p * PANEL,
                                c.y_step * c.out_channels, least(PANEL, filters - p * PANEL));
    }
}

BEAK_EXPORT int64_t convolution_weight_gradient_scratch(const WeightGradientArgs* w) {
    const ConvolutionArgs& c = w->forward;
    const int64_t pixels = c.out_h * c.out_w;
    return view_floats(c, c.out_h) * 4 + round_up(pixels, 8) * 8 + pixels * PANEL * 4;
}

BEAK_KERNEL(convolution_weight_gradient, WeightGradientArgs) {
    const ConvolutionArgs& c = args->forward;
    const int64_t pixels = c.out_h * c.out_w;
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* packed = reinterpret_cast<float*>(offsets + round_up(pixels, 8));
    float* room = packed + pixels * PANEL;
    const int64_t channels = c.in_channels / c.groups, filters = c.out_channels / c.groups;
    const int64_t panels = (filters + PANEL - 1) / PANEL, terms = c.window_h * c.window_w * channels;
    float* sums = args->partials + part * args->stride;
    memset(sums, 0, static_cast<size_t>(args->stride) * 4);
    const Share images(c.images, part, parts);
    for (int64_t image = images.begin; image < images.end; image++) {
        const View view = view_of(c.x + image * c.in_h * c.in_w * c.in_channels, c, 0, c.out_h, room);
        if (image == images.begin) window_offsets(c, c.out_h, view.width, offsets);
        const Segments k = segments_of(c, view.width);
        for (int64_t g = 0; g < c.groups; g++)
            for (int64_t p = 0; p < panels; p++) {
                pack_panel(args->dy + image * pixels * c.out_channels + g * filters + p * PANEL, pixels,
                           c.out_channels, least(PANEL, filters - p * PANEL), packed);
                float* out = sums + (g * panels + p) * terms * PANEL;
                for (int64_t o = 0; o < k.outer; o++)
                    for (int64_t i = 0; i < k.inner; i++, out += k.length * PANEL)
                        outer_product(k.length, pixels,
                                      view.pixels + g * channels + o * k.outer_step + i * k.inner_step, offsets,
                                      packed, out);
                if (args->bias_at >= 0)
                    add_rows(packed, pixels, sums + args->bias_at + (g * panels + p) * PANEL);
            }
    }
}

namespace {

struct TurnArgs {
    const float* weight;    // panels of filters: [groups][filters / 16][window_h, window_w, channels][16]
    float* turned;          // panels of channels: [groups][channels / 16][window turned, filters][16]
    int64_t groups, window_h, window_w, channels, filters;    // the last two per group
    // Which taps: of each axis every step-th from first on (0 and 1: all). With a stride, each of
    // the grids that make up the input's gradient meets only every stride-th tap.
    int64_t first_h, first_w, step_h, step_w;
};

}    // namespace

// Parts split the panels that are written.
BEAK_KERNEL(convolution_turn_filters, TurnArgs) {
    const TurnArgs& t = *args;
    const int64_t from_panels = (t.filters + PANEL - 1) / PANEL, to_panels = (t.channels + PANEL - 1) / PANEL;
    const int64_t taps_h = (t.window_h - t.first_h + t.step_h - 1) / t.step_h;
    const int64_t taps_w = (t.window_w - t.first_w + t.step_w - 1) / t.step_w, taps = taps_h * taps_w;
    const Share share(t.groups * to_panels * taps, part, parts);
    for (int64_t unit = share.begin; unit < share.end; unit++) {
        const int64_t tap = unit % taps, panel = unit / taps % to_panels, g = unit / taps / to_panels;
        const int64_t lanes = least(PANEL, t.channels - panel * PANEL);
        float* to = t.turned + ((g * to_panels + panel) * taps + tap) * t.filters * PANEL;
        const int64_t row = t.first_h + t.step_h * (taps_h - 1 - tap / taps_w);
        const int64_t column = t.first_w + t.step_w * (taps_w - 1 - tap % taps_w);
        const int64_t place = row * t.window_w + column;
        if (lanes < PANEL) memset(to, 0, static_cast<size_t>(t.filters * PANEL) * 4);
        for (int64_t f = 0; f < t.filters; f += PANEL) {
            const float* from = t.weight + (((g * from_panels + f / PANEL) * t.window_h * t.window_w + place) *
                                                t.channels + panel * PANEL) * PANEL;
            transpose(from, lanes, least(PANEL, t.filters - f), PANEL, to + f * PANEL, PANEL);
        }
    }
}
