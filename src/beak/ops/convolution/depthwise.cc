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

constexpr int OUTPUTS = 8;               // neighbouring outputs that share a load of the filters
constexpr int TAPS = 9;                  // of a weight gradient, summed in registers
constexpr int64_t TERMS = 32;            // outputs at least that such a sum runs over, where there are as many
constexpr int64_t BLOCK = 128;           // columns that are done together, so that a few rows of a picture stay near
constexpr int64_t VIEW_FLOATS = 65536;   // of a view at most, if one row of outputs needs no more

struct Columns {
    int64_t count, each;
    bool repeated, folded;    // columns outnumber the input's, the output's channels
    int64_t block;            // columns in a block: those of whole channels
    int64_t rows;             // of outputs whose view is made at once
    explicit Columns(const ConvolutionArgs& c)
        : count(most(c.in_channels, c.out_channels)), each(count / c.groups), repeated(c.in_channels < count),
          folded(c.out_channels < count), block(least(count, each * most(1, BLOCK / each))) {
        const int64_t lines = VIEW_FLOATS / (span_w(c) * block);
        rows = most(1, least(c.out_h, (lines - span_h(c, 1)) / c.stride_h + 1));
    }
    int64_t blocks() const { return (count + block - 1) / block; }
};

// Scratch of one call: the padded picture, sums before they are folded, and where each tap lies
// behind a window's first pixel.
struct Rooms {
    float *view, *sums;
    int64_t* offsets;
    int64_t bytes;
    Rooms(const ConvolutionArgs& c, const Columns& columns, char* scratch) {
        const int64_t taps = round_up(c.window_h * c.window_w, 8);
        const int64_t floats = round_up(span_h(c, columns.rows) * span_w(c) * columns.block, 16);
        offsets = reinterpret_cast<int64_t*>(scratch);
        view = reinterpret_cast<float*>(scratch + taps * 8);
        sums = view + floats;
        bytes = taps * 8 + (floats + (columns.folded ? round_up(OUTPUTS * columns.block, 16) : 0)) * 4;
    }
    void place_taps(const ConvolutionArgs& c, int64_t columns) const {
        for (int64_t tap = 0; tap < c.window_h * c.window_w; tap++)
            offsets[tap] = (tap / c.window_w * c.dilation_h * span_w(c) + tap % c.window_w * c.dilation_w) * columns;
    }
};

inline void zero(float* to, int64_t count) {
    if (count > 0) memset(to, 0, static_cast<size_t>(count) * 4);
}

// One row of a view: so many columns of each pixel, each channel `each` times.
void copy_row(const ConvolutionArgs& c, const float* from, int64_t columns, int64_t each, float* to) {
    const int64_t width = span_w(c);
    if (c.spread_w > 1) zero(to, width * columns);
    const int64_t left = least(width, most(0, c.pad_left));
    const int64_t end = most(left, least(width, (c.in_w - 1) * c.spread_w + 1 + c.pad_left));
    zero(to, left * columns);
    zero(to + end * columns, (width - end) * columns);
    // Cut off on the left, a spread row may begin with zeros.
    const int64_t skip = (left - c.pad_left + c.spread_w - 1) / c.spread_w;
    from += skip * c.in_channels;
    to += (skip * c.spread_w + c.pad_left) * columns;
    if (columns == c.in_channels && c.spread_w == 1) {
        if (end > left) memcpy(to, from, static_cast<size_t>((end - left) * columns) * 4);
        return;
    }
    for (int64_t x = skip * c.spread_w + c.pad_left; x < end; x += c.spread_w) {
        if (each == 1)
            by_lanes(0, columns, [&](int64_t k, int64_t n) { store_some(to + k, load_some(from + k, n), n); });
        else
            for (int64_t channel = 0; channel < columns / each; channel++)
                for (int64_t k = 0; k < each; k++) to[channel * each + k] = from[channel];
        from += c.in_channels;
        to += c.spread_w * columns;
    }
}

// The picture as the windows of rows [first, first + rows) of outputs see it, padded and spread, in
// columns [column, column + columns).
void copy_view(const ConvolutionArgs& c, const Columns& all, const float* image, int64_t first, int64_t rows,
               int64_t column, int64_t columns, float* to) {
    const int64_t each = all.repeated ? all.each : 1, row = span_w(c) * columns;
    for (int64_t y = 0; y < span_h(c, rows); y++, to += row) {
        const int64_t place = first * c.stride_h - c.pad_top + y;
        if (place < 0 || place % c.spread_h || place / c.spread_h >= c.in_h)
            zero(to, row);
        else
            copy_row(c, image + place / c.spread_h * c.in_w * c.in_channels + column / each, columns, each, to);
    }
}

// R neighbouring outputs, whose windows begin `step` floats apart, in some columns; `filters` from
// one tap's weights to the next's.
template <int R>
inline void sum_windows(const float* x, int64_t step, const int64_t* offsets, int64_t taps, int64_t columns,
                        const float* weight, int64_t filters, const float* bias, bool relu, float* y,
                        int64_t y_step) {
    by_lanes(0, columns, [&](int64_t k, int64_t n) __attribute__((always_inline)) {
        vec sum[R];
        UNROLL for (int r = 0; r < R; r++) sum[r] = bias ? load_some(bias + k, n) : vec{};
        for (int64_t tap = 0; tap < taps; tap++) {
            const vec w = load_some(weight + tap * filters + k, n);
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

// One row of outputs in some columns.
void row_of_outputs(const ConvolutionArgs& c, const Columns& all, const Rooms& rooms, const float* x, int64_t column,
                    int64_t columns, float* y) {
    const int64_t taps = c.window_h * c.window_w, step = c.stride_w * columns, y_step = c.y_step * c.out_channels;
    y += all.folded ? column / all.each : column;
    for (int64_t first = 0; first < c.out_w; first += OUTPUTS, x += OUTPUTS * step, y += OUTPUTS * y_step) {
        const int64_t outputs = least(OUTPUTS, c.out_w - first);
        float* to = all.folded ? rooms.sums : y;
        const int64_t to_step = all.folded ? columns : y_step;
        as_constant<OUTPUTS>(outputs, [&](auto r) {
            sum_windows<r.value>(x, step, rooms.offsets, taps, columns, c.weight + column, all.count,
                                 c.bias ? c.bias + column : nullptr, c.relu != 0, to, to_step);
        });
        if (all.folded)
            for (int64_t r = 0; r < outputs; r++)
                fold(to + r * to_step, columns / all.each, all.each, y + r * y_step);
    }
}

}    // namespace

BEAK_EXPORT int64_t depthwise_forward_scratch(const ConvolutionArgs* c) {
    return Rooms(*c, Columns(*c), nullptr).bytes;
}

BEAK_KERNEL(depthwise_forward, ConvolutionArgs) {
    const ConvolutionArgs& c = *args;
    const Columns all(c);
    const Rooms rooms(c, all, scratch);
    const Share units(c.images * c.bands * all.blocks(), part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t column = unit % all.blocks() * all.block, columns = least(all.block, all.count - column);
        const int64_t image = unit / all.blocks() / c.bands;
        const Share band(c.out_h, unit / all.blocks() % c.bands, c.bands);
        rooms.place_taps(c, columns);
        for (int64_t first = band.begin; first < band.end; first += all.rows) {
            const int64_t rows = least(all.rows, band.end - first);
            copy_view(c, all, c.x + image * c.in_h * c.in_w * c.in_channels, first, rows, column, columns, rooms.view);
            for (int64_t row = 0; row < rows; row++)
                row_of_outputs(c, all, rooms, rooms.view + row * c.stride_h * span_w(c) * columns, column, columns,
                               c.y + (image * c.y_image + (first + row) * c.y_row) * c.out_channels);
        }
    }
}

namespace {

// sums[t][0..columns) += over `rows` rows of outputs: gradient times the pixel that tap t saw. Both dy
// and sums have `filters` columns.
template <int T>
inline void sum_taps(const float* x, int64_t row, int64_t step, const int64_t* offsets, const float* dy, int64_t rows,
                     int64_t outputs, int64_t columns, int64_t filters, float* sums) {
    by_lanes(0, columns, [&](int64_t k, int64_t n) __attribute__((always_inline)) {
        vec sum[T];
        UNROLL for (int t = 0; t < T; t++) sum[t] = vec{};
        const float* gradient = dy + k;
        for (int64_t y = 0; y < rows; y++) {
            const float* from = x + y * row + k;
            for (int64_t i = 0; i < outputs; i++, gradient += filters, from += step) {
                const vec d = load_some(gradient, n);
                UNROLL for (int t = 0; t < T; t++) sum[t] += load_some(from + offsets[t], n) * d;
            }
        }
        UNROLL for (int t = 0; t < T; t++)
            store_some(sums + t * filters + k, load_some(sums + t * filters + k, n) + sum[t], n);
    });
}

inline void sum_gradients(const float* dy, int64_t outputs, int64_t columns, int64_t filters, float* sums) {
    by_lanes(0, columns, [&](int64_t k, int64_t n) {
        vec sum{};
        for (int64_t i = 0; i < outputs; i++) sum += load_some(dy + i * filters + k, n);
        store_some(sums + k, load_some(sums + k, n) + sum, n);
    });
}

// What the rows of outputs in one view add to the sums of some columns.
void add_view(const WeightGradientArgs& w, const Columns& all, const Rooms& rooms, int64_t columns, int64_t rows,
              const float* dy, float* sums) {
    const ConvolutionArgs& c = w.forward;
    const int64_t taps = c.window_h * c.window_w, down = c.stride_h * span_w(c) * columns;
    const int64_t together = most(1, TERMS / c.out_w);
    for (int64_t row = 0; row < rows; row += together, dy += together * c.out_w * all.count) {
        const int64_t some = least(together, rows - row);
        for (int64_t tap = 0; tap < taps; tap += TAPS)
            as_constant<TAPS>(least(TAPS, taps - tap), [&](auto t) {
                sum_taps<t.value>(rooms.view + row * down, down, c.stride_w * columns, rooms.offsets + tap, dy, some,
                                  c.out_w, columns, all.count, sums + tap * all.count);
            });
        if (w.bias_at >= 0) sum_gradients(dy, some * c.out_w, columns, all.count, sums + w.bias_at);
    }
}

}    // namespace

BEAK_EXPORT int64_t depthwise_weight_gradient_scratch(const WeightGradientArgs* w) {
    return depthwise_forward_scratch(&w->forward);
}

// A part's sums: [taps][columns], then the bias's [columns]; depthwise_finish unpacks them.
BEAK_KERNEL(depthwise_weight_gradient, WeightGradientArgs) {
    const ConvolutionArgs& c = args->forward;
    const Columns all(c);
    const Rooms rooms(c, all, scratch);
    float* sums = args->partials + part * args->stride;
    memset(sums, 0, static_cast<size_t>(args->stride) * 4);
    const Share images(c.images, part, parts);
    for (int64_t unit = images.begin * all.blocks(); unit < images.end * all.blocks(); unit++) {
        const int64_t column = unit % all.blocks() * all.block, columns = least(all.block, all.count - column);
        const int64_t image = unit / all.blocks();
        rooms.place_taps(c, columns);
        for (int64_t first = 0; first < c.out_h; first += all.rows) {
            const int64_t rows = least(all.rows, c.out_h - first);
            copy_view(c, all, c.x + image * c.in_h * c.in_w * c.in_channels, first, rows, column, columns, rooms.view);
            add_view(*args, all, rooms, columns, rows, args->dy + (image * c.out_h + first) * c.out_w * all.count + column,
                     sums + column);
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
BEAK_KERNEL(depthwise_finish, FinishArgs) {
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
