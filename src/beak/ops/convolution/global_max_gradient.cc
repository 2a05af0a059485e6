// Backward of convolution + ReLU + maximum over all places: one place a filter and image is visited.
//
// Both kernels go over a window tap by tap and over the channels in blocks that lie in registers (or
// in the first cache); every sum is made whole by one part, images or filters in order.
#include "global_max.h"
#include "transpose.h"

namespace {

// A winner with its gradient: where its window's first cell lies (outside the picture, perhaps).
struct Live {
    int64_t y, x;
    int64_t image;    // or filter
    float gradient;
};

inline bool live_at(const GlobalMaxShape& s, int32_t winner, float gradient, int64_t owner, Live& live) {
    if (winner < 0) return false;
    const int64_t y = winner / static_cast<int32_t>(s.out_w), x = winner - y * s.out_w;
    live = {y * s.stride_h - s.pad_top, x * s.stride_w - s.pad_left, owner, gradient};
    return true;
}

// The pixel that a tap of a live window falls on, or -1 in the padding.
inline int64_t pixel_of(const GlobalMaxShape& s, const Live& live, int64_t tap_y, int64_t tap_x) {
    const int64_t y = live.y + tap_y, x = live.x + tap_x;
    return y < 0 || x < 0 || y >= s.in_h || x >= s.in_w ? -1 : y * s.in_w + x;
}

constexpr int BLOCK_VECTORS = 8;
constexpr int64_t BLOCK = BLOCK_VECTORS * LANES;    // channels at a time

struct WeightGradientArgs {
    const float* x;
    const float* dy;            // [images][filters]
    const int32_t* winners;
    float* dweight;             // panels [filters / 16][window_h * window_w * channels][16]
    float* dbias;               // padded to whole panels, or null
    GlobalMaxShape shape;
};

// to[0..count) = sum over live windows of gradient * x[pixel][0..count); count fills V vectors but
// for the last.
template <int V>
void sum_pixels(const GlobalMaxShape& s, const float* x, const Live* live, int64_t lives, int64_t tap_y,
                int64_t tap_x, int64_t count, float* to) {
    vec sum[V];
    UNROLL for (int v = 0; v < V; v++) sum[v] = vec{};
    const int64_t last = count - (V - 1) * LANES;
    for (int64_t i = 0; i < lives; i++) {
        const int64_t pixel = pixel_of(s, live[i], tap_y, tap_x);
        if (pixel < 0) continue;
        const float* from = x + live[i].image * s.image_floats() + pixel * s.channels;
        const vec g = broadcast(live[i].gradient);
        UNROLL for (int v = 0; v < V - 1; v++) sum[v] += g * load(from + v * LANES);
        sum[V - 1] += g * load_some(from + (V - 1) * LANES, last);
    }
    UNROLL for (int v = 0; v < V; v++) store(to + v * LANES, sum[v]);
}

}    // namespace

BEAK_EXPORT int64_t global_max_weight_gradient_scratch(const WeightGradientArgs* args) {
    return PANEL * BLOCK * 4 + PANEL * args->shape.images * static_cast<int64_t>(sizeof(Live));
}

// Parts split blocks of channels x panels of filters x taps: parts that run at the same time read the
// same channels.
BEAK_KERNEL(global_max_weight_gradient, WeightGradientArgs) {
    const GlobalMaxShape& s = args->shape;
    float* sums = reinterpret_cast<float*>(scratch);    // [16][BLOCK]
    Live* live = reinterpret_cast<Live*>(sums + PANEL * BLOCK);
    const int64_t blocks = (s.channels + BLOCK - 1) / BLOCK;
    const Share units(blocks * s.panels() * s.taps(), part, parts);
    int64_t ready = -1, ends[PANEL + 1] = {};
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t tap = unit % s.taps(), panel = unit / s.taps() % s.panels();
        const int64_t channel = unit / s.taps() / s.panels() * BLOCK;
        if (panel != ready) {
            for (int64_t lane = 0; lane < PANEL; lane++) {
                const int64_t f = panel * PANEL + lane;
                int64_t n = ends[lane];
                for (int64_t i = f < s.filters ? 0 : s.images; i < s.images; i++)
                    n += live_at(s, args->winners[i * s.filters + f], args->dy[i * s.filters + f], i, live[n]);
                ends[lane + 1] = n;
            }
            ready = panel;
        }
        const int64_t count = least(BLOCK, s.channels - channel), vectors = (count + LANES - 1) / LANES;
        for (int64_t lane = 0; lane < PANEL; lane++)
            as_constant<BLOCK_VECTORS>(vectors, [&](auto v) {
                sum_pixels<v.value>(s, args->x + channel, live + ends[lane], ends[lane + 1] - ends[lane],
                                    tap / s.window_w * s.dilation_h, tap % s.window_w * s.dilation_w, count,
                                    sums + lane * BLOCK);
            });
        transpose(sums, PANEL, count, BLOCK, args->dweight + ((panel * s.taps() + tap) * s.channels + channel) * PANEL, PANEL);
        if (args->dbias && channel == 0 && tap == 0)
            for (int64_t lane = 0; lane < PANEL; lane++) {
                float sum = 0;
                for (int64_t i = ends[lane]; i < ends[lane + 1]; i++) sum += live[i].gradient;
                args->dbias[panel * PANEL + lane] = sum;
            }
    }
}

namespace {

struct RowsArgs {
    const float* weight;    // panels [filters / 16][terms][16]
    float* rows;            // [filters][terms]
    int64_t terms, filters;
};
constexpr int64_t STRIP = 256;    // terms that one unit of work turns

}    // namespace

// A filter's weights side by side, as the input gradient reads them. Parts split panels x strips.
BEAK_KERNEL(global_max_rows, RowsArgs) {
    const RowsArgs& a = *args;
    const int64_t strips = (a.terms + STRIP - 1) / STRIP;
    const Share units((a.filters + PANEL - 1) / PANEL * strips, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t panel = unit / strips, first = unit % strips * STRIP;
        transpose(a.weight + (panel * a.terms + first) * PANEL, least(STRIP, a.terms - first),
                  least(PANEL, a.filters - panel * PANEL), PANEL, a.rows + panel * PANEL * a.terms + first, a.terms);
    }
}

namespace {

struct InputGradientArgs {
    const float* dy;
    const int32_t* winners;
    const float* rows;    // what global_max_rows made
    const float* onto;    // a gradient of x that this one is added to, or null
    float* dx;
    GlobalMaxShape shape;
};

// What one tap of one filter adds to a pixel: gradient * rows[at..at + channels).
struct Addend {
    int64_t at;
    float gradient;
};

// The addends of an image's pixels, by pixel, each pixel's in the order of filters and taps:
// ends[pixel] to ends[pixel + 1].
void sort_addends(const InputGradientArgs& args, int64_t image, int64_t* ends, Addend* addends) {
    const GlobalMaxShape& s = args.shape;
    const int64_t pixels = s.in_h * s.in_w;
    memset(ends, 0, static_cast<size_t>(pixels + 2) * 8);
    const auto by_taps = [&](auto body) {
        for (int64_t f = 0; f < s.filters; f++) {
            Live live;
            if (!live_at(s, args.winners[image * s.filters + f], args.dy[image * s.filters + f], f, live)) continue;
            int64_t at = f * s.terms();
            for (int64_t y = 0; y < s.window_h; y++)
                for (int64_t x = 0; x < s.window_w; x++, at += s.channels) {
                    const int64_t pixel = pixel_of(s, live, y * s.dilation_h, x * s.dilation_w);
                    if (pixel >= 0) body(pixel, at, live.gradient);
                }
        }
    };
    by_taps([&](int64_t pixel, int64_t, float) { ends[pixel + 2]++; });
    for (int64_t p = 0; p < pixels; p++) ends[p + 2] += ends[p + 1];
    by_taps([&](int64_t pixel, int64_t at, float gradient) { addends[ends[pixel + 1]++] = {at, gradient}; });
}

// dx[0..count) = onto + the addends; count fills V vectors but for the last.
template <int V>
void sum_addends(const Addend* addend, const Addend* end, const float* rows, const float* onto, int64_t count,
                 float* dx) {
    const int64_t last = count - (V - 1) * LANES;
    vec sum[V];
    UNROLL for (int v = 0; v < V; v++) sum[v] = onto ? load_some(onto + v * LANES, v < V - 1 ? LANES : last) : vec{};
    for (; addend < end; addend++) {
        const float* row = rows + addend->at;
        const vec g = broadcast(addend->gradient);
        UNROLL for (int v = 0; v < V - 1; v++) sum[v] += g * load(row + v * LANES);
        sum[V - 1] += g * load_some(row + (V - 1) * LANES, last);
    }
    UNROLL for (int v = 0; v < V - 1; v++) store(dx + v * LANES, sum[v]);
    store_some(dx + (V - 1) * LANES, sum[V - 1], last);
}

}    // namespace

BEAK_EXPORT int64_t global_max_input_gradient_scratch(const InputGradientArgs* args) {
    const GlobalMaxShape& s = args->shape;
    return (s.in_h * s.in_w + 2) * 8 + s.filters * s.taps() * static_cast<int64_t>(sizeof(Addend));
}

// Parts split images x blocks of channels.
BEAK_KERNEL(global_max_input_gradient, InputGradientArgs) {
    const GlobalMaxShape& s = args->shape;
    const int64_t blocks = (s.channels + BLOCK - 1) / BLOCK, pixels = s.in_h * s.in_w;
    int64_t* ends = reinterpret_cast<int64_t*>(scratch);
    Addend* addends = reinterpret_cast<Addend*>(ends + pixels + 2);
    const Share units(s.images * blocks, part, parts);
    int64_t ready = -1;
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t image = unit / blocks, channel = unit % blocks * BLOCK;
        if (image != ready) sort_addends(*args, image, ends, addends);
        ready = image;
        const int64_t count = least(BLOCK, s.channels - channel), vectors = (count + LANES - 1) / LANES;
        for (int64_t p = 0, at = image * s.image_floats() + channel; p < pixels; p++, at += s.channels)
            as_constant<BLOCK_VECTORS>(vectors, [&](auto v) {
                sum_addends<v.value>(addends + ends[p], addends + ends[p + 1], args->rows + channel,
                                     args->onto ? args->onto + at : nullptr, count, args->dx + at);
            });
    }
}
