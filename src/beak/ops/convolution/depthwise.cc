// Convolutions whose filters read one channel each (groups == channels): forward, input gradient and
// weight gradient, vectorised over channels.
//
// Everything is counted in columns, one for each filter: column k = channel k / each, its filter
// k % each. Filters are packed as [taps][columns]. Where a channel has several filters, forward
// repeats it in the view, and the input gradient adds up its columns on the way out. The input
// gradient is the same kernel run on the output's gradient, as in convolution.cc.
#include "tile.h"
#include "vectors.h"
#include "view.h"

namespace {

constexpr int OUTPUTS = 8;    // neighbouring outputs that share a load of the filters
constexpr int TAPS = 9;       // of a weight gradient, summed in registers
constexpr int64_t TERMS = 32;    // outputs at least that such a sum runs over, where there are as many

struct Columns {
    int64_t count, each;
    bool repeated, folded;    // columns outnumber the input's, the output's channels
    explicit Columns(const ConvolutionArgs& c)
        : count(most(c.in_channels, c.out_channels)), each(count / c.groups), repeated(c.in_channels < count),
          folded(c.out_channels < count) {}
};

// Scratch of one call: the padded picture, the same with channels repeated, sums before they are
// folded, and where each tap lies behind a window's first pixel.
struct Rooms {
    float *view, *wide, *sums;
    int64_t* offsets;
    int64_t bytes;
    Rooms(const ConvolutionArgs& c, const Columns& columns, char* scratch) {
        const int64_t rows = (c.out_h + c.bands - 1) / c.bands, taps = round_up(c.window_h * c.window_w, 8);
        const int64_t pixels = columns.repeated ? round_up(span_h(c, rows) * span_w(c) * columns.count, 16) : 0;
        const int64_t sums_floats = columns.folded ? round_up(OUTPUTS * columns.count, 16) : 0;
        offsets = reinterpret_cast<int64_t*>(scratch);
        view = reinterpret_cast<float*>(scratch + taps * 8);
        wide = view + view_floats(c, rows);
        sums = wide + pixels;
        bytes = taps * 8 + (view_floats(c, rows) + pixels + sums_floats) * 4;
    }
};

// A band of a picture with as many channels as there are columns.
View columns_of(const ConvolutionArgs& c, const Columns& columns, int64_t image, const Share& band,
                const Rooms& rooms) {
    const int64_t rows = band.end - band.begin;
    const View view = view_of(c.x + image * c.in_h * c.in_w * c.in_channels, c, band.begin, rows, rooms.view);
    const int64_t width = columns.repeated ? span_w(c) : view.width;
    for (int64_t tap = 0; tap < c.window_h * c.window_w; tap++)
        rooms.offsets[tap] = (tap / c.window_w * c.dilation_h * width + tap % c.window_w * c.dilation_w) * columns.count;
    if (!columns.repeated) return view;
    float* to = rooms.wide;
    for (int64_t y = 0; y < span_h(c, rows); y++) {
        const float* from = view.pixels + y * view.width * c.in_channels;
        for (int64_t i = 0; i < width * c.in_channels; i++)
            for (int64_t j = 0; j < columns.each; j++) *to++ = from[i];
    }
    return {rooms.wide, width};
}

// R neighbouring outputs, whose windows begin `step` floats apart, in all columns.
template <int R>
inline void sum_windows(const float* x, int64_t step, const int64_t* offsets, int64_t taps, int64_t columns,
                        const float* weight, const float* bias, bool relu, float* y, int64_t y_step) {
    by_lanes(0, columns, [&](int64_t k, int64_t n) __attribute__((always_inline)) {
        vec sum[R];
        UNROLL for (int r = 0; r < R; r++) sum[r] = bias ? load_some(bias + k, n) : vec{};
        for (int64_t tap = 0; tap < taps; tap++) {
            const vec w = load_some(weight + tap * columns + k, n);
            const float* from = x + offsets[tap] + k;
            UNROLL for (int r = 0; r < R; r++) sum[r] += load_some(from + r * step, n) * w;
        }
        UNROLL for (int r = 0; r < R; r++) {
            vec out = sum[r];
            if (relu) out = out < vec{} ? vec{} : out;    // NaN passes, as in PyTorch
            store_some(y + r * y_step + k, out, n);
        }
    });
}

// Each channel's columns added up.
inline void fold(const float* sums, int64_t channels, int64_t each, float* y) {
    for (int64_t c = 0; c < channels; c++) {
        float sum = 0;
        for (int64_t j = 0; j < each; j++) sum += sums[c * each + j];
        y[c] = sum;
    }
}

}    // namespace

BEAK_EXPORT int64_t depthwise_forward_scratch(const ConvolutionArgs* c) {
    return Rooms(*c, Columns(*c), nullptr).bytes;
}

BEAK_KERNEL(depthwise_forward, ConvolutionArgs) {
    const ConvolutionArgs& c = *args;
    const Columns columns(c);
    const Rooms rooms(c, columns, scratch);
    const int64_t taps = c.window_h * c.window_w, step = c.stride_w * columns.count, y_step = c.y_step * c.out_channels;
    const Share units(c.images * c.bands, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const Share band(c.out_h, unit % c.bands, c.bands);
        if (band.begin == band.end) continue;
        const View view = columns_of(c, columns, unit / c.bands, band, rooms);
        for (int64_t row = band.begin; row < band.end; row++) {
            const float* x = view.pixels + (row - band.begin) * c.stride_h * view.width * columns.count;
            float* y = c.y + (unit / c.bands * c.y_image + row * c.y_row) * c.out_channels;
            for (int64_t first = 0; first < c.out_w; first += OUTPUTS, x += OUTPUTS * step, y += OUTPUTS * y_step) {
                const int64_t outputs = least(OUTPUTS, c.out_w - first);
                float* to = columns.folded ? rooms.sums : y;
                const int64_t to_step = columns.folded ? columns.count : y_step;
                as_constant<OUTPUTS>(outputs, [&](auto r) {
                    sum_windows<r.value>(x, step, rooms.offsets, taps, columns.count, c.weight, c.bias, c.relu != 0, to,
                                         to_step);
                });
                if (columns.folded)
                    for (int64_t r = 0; r < outputs; r++)
                        fold(to + r * to_step, c.out_channels, columns.each, y + r * y_step);
            }
        }
    }
}

namespace {

// sums[t][columns] += over `rows` rows of outputs: gradient times the pixel that tap t saw.
template <int T>
inline void sum_taps(const float* x, int64_t row, int64_t step, const int64_t* offsets, const float* dy, int64_t rows,
                     int64_t outputs, int64_t columns, float* sums) {
    by_lanes(0, columns, [&](int64_t k, int64_t n) __attribute__((always_inline)) {
        vec sum[T];
        UNROLL for (int t = 0; t < T; t++) sum[t] = vec{};
        const float* gradient = dy + k;
        for (int64_t y = 0; y < rows; y++) {
            const float* from = x + y * row + k;
            for (int64_t i = 0; i < outputs; i++, gradient += columns, from += step) {
                const vec d = load_some(gradient, n);
                UNROLL for (int t = 0; t < T; t++) sum[t] += load_some(from + offsets[t], n) * d;
            }
        }
        UNROLL for (int t = 0; t < T; t++)
            store_some(sums + t * columns + k, load_some(sums + t * columns + k, n) + sum[t], n);
    });
}

inline void sum_gradients(const float* dy, int64_t outputs, int64_t columns, float* sums) {
    by_lanes(0, columns, [&](int64_t k, int64_t n) {
        vec sum{};
        for (int64_t i = 0; i < outputs; i++) sum += load_some(dy + i * columns + k, n);
        store_some(sums + k, load_some(sums + k, n) + sum, n);
    });
}

}    // namespace

BEAK_EXPORT int64_t depthwise_weight_gradient_scratch(const WeightGradientArgs* w) {
    return depthwise_forward_scratch(&w->forward);
}

// A part's sums: [taps][columns], then the bias's [columns]; depthwise_gradient_finish unpacks them.
BEAK_KERNEL(depthwise_weight_gradient, WeightGradientArgs) {
    const ConvolutionArgs& c = args->forward;
    const Columns columns(c);
    const Rooms rooms(c, columns, scratch);
    const int64_t taps = c.window_h * c.window_w, k = columns.count, together = most(1, TERMS / c.out_w);
    float* sums = args->partials + part * args->stride;
    memset(sums, 0, static_cast<size_t>(args->stride) * 4);
    const Share images(c.images, part, parts);
    for (int64_t unit = images.begin * c.bands; unit < images.end * c.bands; unit++) {
        const Share band(c.out_h, unit % c.bands, c.bands);
        if (band.begin == band.end) continue;
        const View view = columns_of(c, columns, unit / c.bands, band, rooms);
        const int64_t down = c.stride_h * view.width * k;
        for (int64_t row = band.begin; row < band.end; row += together) {
            const int64_t rows = least(together, band.end - row);
            const float* x = view.pixels + (row - band.begin) * down;
            const float* dy = args->dy + (unit / c.bands * c.out_h + row) * c.out_w * k;
            for (int64_t tap = 0; tap < taps; tap += TAPS)
                as_constant<TAPS>(least(TAPS, taps - tap), [&](auto t) {
                    sum_taps<t.value>(x, down, c.stride_w * k, rooms.offsets + tap, dy, rows, c.out_w, k, sums + tap * k);
                });
            if (args->bias_at >= 0) sum_gradients(dy, rows * c.out_w, k, sums + args->bias_at);
        }
    }
}

namespace {

struct PackArgs {
    const float* weight;    // panels: [groups][each / 16][taps][16]
    const float* bias;      // panels, or null
    float* packed;          // [taps that are taken][groups * each]
    float* packed_bias;
    // Which taps: of each axis every step-th from first on; turned: the last of them first.
    int64_t groups, each, window_h, window_w, first_h, first_w, step_h, step_w, turned;
};
struct FinishArgs {
    const float* partials;
    float *dweight, *dbias;    // panels; dbias may be null
    int64_t partial_parts, stride, groups, each, taps;
};

// The places of the columns in panels of so many rows, of which this is one: body(column, place).
template <class Body>
inline void by_columns(int64_t groups, int64_t each, int64_t rows, int64_t row, Body body) {
    const int64_t panels = (each + PANEL - 1) / PANEL;
    int64_t column = 0;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < each; j++)
            body(column++, ((g * panels + j / PANEL) * rows + row) * PANEL + j % PANEL);
}

}    // namespace

// Parts split the taps; the first packs the bias as well.
BEAK_KERNEL(depthwise_pack, PackArgs) {
    const PackArgs& a = *args;
    const int64_t taps_h = (a.window_h - a.first_h + a.step_h - 1) / a.step_h;
    const int64_t taps_w = (a.window_w - a.first_w + a.step_w - 1) / a.step_w, taps = taps_h * taps_w;
    const Share share(taps, part, parts);
    for (int64_t tap = share.begin; tap < share.end; tap++) {
        const int64_t taken = a.turned ? taps - 1 - tap : tap;
        const int64_t row = a.first_h + a.step_h * (taken / taps_w), column = a.first_w + a.step_w * (taken % taps_w);
        float* to = a.packed + tap * a.groups * a.each;
        by_columns(a.groups, a.each, a.window_h * a.window_w, row * a.window_w + column,
                   [&](int64_t k, int64_t place) { to[k] = a.weight[place]; });
    }
    if (part == 0 && a.bias)
        by_columns(a.groups, a.each, 1, 0, [&](int64_t k, int64_t place) { a.packed_bias[k] = a.bias[place]; });
}

// The parts' sums added up, in panels; lanes without a filter become zero. Parts split the taps.
BEAK_KERNEL(depthwise_gradient_finish, FinishArgs) {
    const FinishArgs& a = *args;
    const int64_t columns = a.groups * a.each, panels = (a.each + PANEL - 1) / PANEL;
    const Share share(a.taps + (a.dbias ? 1 : 0), part, parts);
    for (int64_t tap = share.begin; tap < share.end; tap++) {
        const bool bias = tap == a.taps;
        float* to = bias ? a.dbias : a.dweight;
        const int64_t rows = bias ? 1 : a.taps, row = bias ? 0 : tap;
        for (int64_t panel = 0; panel < a.groups * panels; panel++) memset(to + (panel * rows + row) * PANEL, 0, PANEL * 4);
        by_columns(a.groups, a.each, rows, row, [&](int64_t k, int64_t place) {
            float sum = 0;
            for (int64_t p = 0; p < a.partial_parts; p++) sum += a.partials[p * a.stride + tap * columns + k];
            to[place] = sum;
        });
    }
}
