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
            by_panels(panels, [&](auto wide, int64_t p) {
                constexpr int P = wide.value;
                for (int64_t run = 0; run < runs; run++)
                    times_panels_in_pieces<P>(length, view.pixels + g * channels, offsets + run * length, k,
                                              c.weight + (g * panels + p) * terms * PANEL, terms * PANEL,
                                              c.bias ? c.bias + (g * panels + p) * PANEL : nullptr, c.relu != 0,
                                              out + run * c.y_row * c.out_channels + g * filters + p * PANEL,
                                              c.y_step * c.out_channels, least(P * PANEL, filters - p * PANEL));
            });
    }
}

namespace {

constexpr int64_t TERMS = 96;    // pixels whose products are summed in registers before they are written

// Images whose windows are gone over together, so that small outputs fill TERMS.
int64_t images_together(const ConvolutionArgs& c) { return most(1, least(4, TERMS / (c.out_h * c.out_w))); }

// Where the windows of some images lie, and the gradients there.
struct Windows {
    const float* pixels;
    const int64_t* offsets;
    const float* dy;
    int64_t count;
};

// sums += the products of the windows with P panels of their gradients.
template <int P>
void add_windows(const ConvolutionArgs& c, const Windows& w, const Segments& k, int64_t columns, float* packed,
                 float* sums, int64_t step, float* bias) {
    const int64_t chunks = (w.count + TERMS - 1) / TERMS;
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        const Share terms(w.count, chunk, chunks);
        const int64_t count = terms.end - terms.begin;
        pack_panels<P>(w.dy + terms.begin * c.out_channels, count, c.out_channels, columns, packed);
        float* out = sums;
        for (int64_t o = 0; o < k.outer; o++)
            for (int64_t i = 0; i < k.inner; i++, out += k.length * PANEL)
                outer_product<P>(k.length, count, w.pixels + o * k.outer_step + i * k.inner_step,
                                 w.offsets + terms.begin, packed, out, step);
        if (bias) add_rows<P>(packed, count, bias);
    }
}

}    // namespace

BEAK_EXPORT int64_t convolution_weight_gradient_scratch(const WeightGradientArgs* w) {
    const ConvolutionArgs& c = w->forward;
    const int64_t images = images_together(c), windows = images * c.out_h * c.out_w;
    return (images * view_floats(c, c.out_h) + TERMS * WIDE * PANEL) * 4 + round_up(windows, 8) * 8;
}

BEAK_KERNEL(convolution_weight_gradient, WeightGradientArgs) {
    const ConvolutionArgs& c = args->forward;
    const int64_t pixels = c.out_h * c.out_w, together = images_together(c), room_step = view_floats(c, c.out_h);
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* packed = reinterpret_cast<float*>(offsets + round_up(together * pixels, 8));
    float* room = packed + TERMS * WIDE * PANEL;
    const int64_t channels = c.in_channels / c.groups, filters = c.out_channels / c.groups;
    const int64_t panels = (filters + PANEL - 1) / PANEL, terms = c.window_h * c.window_w * channels;
    float* sums = args->partials + part * args->stride;
    memset(sums, 0, static_cast<size_t>(args->stride) * 4);
    const Share images(c.images, part, parts);
    for (int64_t first = images.begin; first < images.end; first += together) {
        const int64_t count = least(together, images.end - first);
        View view{};
        const float* pictures = nullptr;
        for (int64_t i = 0; i < count; i++) {
            view = view_of(c.x + (first + i) * c.in_h * c.in_w * c.in_channels, c, 0, c.out_h, room + i * room_step);
            if (i == 0) pictures = view.pixels;
            window_offsets(c, c.out_h, view.width, offsets + i * pixels);
            for (int64_t p = 0; p < pixels; p++) offsets[i * pixels + p] += view.pixels - pictures;
        }
        const Segments k = segments_of(c, view.width);
        for (int64_t g = 0; g < c.groups; g++)
            by_panels(panels, [&](auto wide, int64_t p) {
                const Windows windows{pictures + g * channels, offsets,
                                      args->dy + first * pixels * c.out_channels + g * filters + p * PANEL,
                                      count * pixels};
                const int64_t panel = g * panels + p;
                add_windows<wide.value>(c, windows, k, filters - p * PANEL, packed,
                                                   sums + panel * terms * PANEL, terms * PANEL,
                                                   args->bias_at >= 0 ? sums + args->bias_at + panel * PANEL : nullptr);
            });
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
