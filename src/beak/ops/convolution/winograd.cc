// Winograd convolution forward (see winograd.h), and the filters made ready for it.
//
// The input gradient is forward run on the output's gradient with the filters turned
// (WinogradFilterArgs.turned) and 2 - padding zeros around it.
#include "winograd.h"

namespace {

struct WinogradFilterArgs {
    const float* weight;    // panels [filters / 16][3 x 3 x channels][16]
    float* prepared;        // [panels][N^2] x filter_stride(terms): [terms][16] each
    int64_t channels, filters;
    int64_t turned;    // 0: panels of filters, terms are channels; 1: turned round, the two exchanged
};

constexpr int64_t TERMS = 16;    // so many terms of a panel are one unit of work

// Nine taps of one term, [tap] x `step` -> its N^2 frequencies.
template <class W>
inline void transform_filter(const float* taps, int64_t step, float* to, int64_t stride) {
    for (int64_t lane = 0; lane < PANEL; lane += LANES)
        both_axes<W::filter, 3, W::N>(
            [&](int i, int j) INLINE_LAMBDA { return load(taps + (i * 3 + j) * step + lane); },
            [&](int i, int j, vec v) INLINE_LAMBDA { store(to + (i * W::N + j) * stride + lane, v); });
}

// Filters [first, last) of a panel of channels, turned round: taps[tap][filter][16 channels].
inline void turn_taps(const WinogradFilterArgs& f, int64_t panel, int64_t first, int64_t last, float* taps) {
    const int64_t lanes = least(PANEL, f.channels - panel * PANEL);
    memset(taps, 0, 9 * TERMS * PANEL * 4);
    for (int64_t tap = 0; tap < 9; tap++) {
        const float* from = f.weight + (((first / PANEL) * 9 + 8 - tap) * f.channels + panel * PANEL) * PANEL;
        float* to = taps + tap * TERMS * PANEL;
        for (int64_t lane = 0; lane < lanes; lane++)
            for (int64_t k = 0; k < last - first; k++) to[k * PANEL + lane] = from[lane * PANEL + k];
    }
}

template <class W>
void prepare(const WinogradFilterArgs& f, int64_t part, int64_t parts, float* taps) {
    const int64_t terms = f.turned ? f.filters : f.channels, outputs = f.turned ? f.channels : f.filters;
    const int64_t pieces = (terms + TERMS - 1) / TERMS, stride = filter_stride(terms);
    const Share share((outputs + PANEL - 1) / PANEL * pieces, part, parts);
    for (int64_t unit = share.begin; unit < share.end; unit++) {
        const int64_t panel = unit / pieces, first = unit % pieces * TERMS, last = least(first + TERMS, terms);
        float* to = f.prepared + panel * W::N * W::N * stride;
        if (f.turned) turn_taps(f, panel, first, last, taps);
        for (int64_t k = first; k < last; k++) {
            if (f.turned)
                transform_filter<W>(taps + (k - first) * PANEL, TERMS * PANEL, to + k * PANEL, stride);
            else
                transform_filter<W>(f.weight + (panel * 9 * terms + k) * PANEL, terms * PANEL, to + k * PANEL, stride);
        }
    }
}

struct WinogradArgs {
    const float* x;
    const float* prepared;
    const float* bias;    // in panels, or null
    float* y;
    int64_t images, in_h, in_w, in_channels, out_h, out_w, out_channels, pad_top, pad_left, relu;
    int64_t tiles;     // so many tiles of the batch are one block ...
    int64_t groups;    // ... and the panels of filters are cut into so many groups: blocks x groups units
};

// A block's memory, in floats: zeros, tiles transformed, products of one panel; and rows' offsets.
template <class W>
struct ForwardRoom {
    int64_t lanes, input_stride, product_stride;
    explicit ForwardRoom(const WinogradArgs& w)
        : lanes(round_up(w.in_channels, LANES)),
          input_stride(odd_lines(w.tiles * lanes)),
          product_stride(odd_lines(w.tiles * PANEL)) {}
    int64_t floats() const { return round_up(lanes, 16) + W::N * W::N * (input_stride + product_stride); }
    int64_t bytes(const WinogradArgs& w) const { return floats() * 4 + round_up(w.tiles, 8) * 8; }
};

// One vector of a panel back to M x M outputs, of which rows x columns are there.
template <class W, bool WHOLE>
INLINE void write_tile(const float* products, int64_t stride, vec bias, bool relu, float* y, int64_t row_step,
                       int64_t step, int64_t rows, int64_t columns, int64_t lanes) {
    both_axes<W::output, W::N, W::M>(
        [&](int i, int j) INLINE_LAMBDA { return load(products + (i * W::N + j) * stride); },
        [&](int i, int j, vec v) INLINE_LAMBDA {
            v += bias;
            if (relu) v = v < vec{} ? vec{} : v;    // NaN passes, as in PyTorch
            if (WHOLE)
                store(y + i * row_step + j * step, v);
            else if (i < rows && j < columns)
                store_some(y + i * row_step + j * step, v, lanes);
        });
}

template <class W>
void write_block(const WinogradArgs& w, const Grid& grid, int64_t begin, int64_t end, int64_t panel,
                 const float* products, int64_t stride) {
    const int64_t lanes = least(PANEL, w.out_channels - panel * PANEL), row_step = w.out_w * w.out_channels;
    Place place(grid, begin);
    for (int64_t tile = begin; tile < end; tile++, products += PANEL, place.next(grid)) {
        const int64_t top = place.row * W::M, left = place.column * W::M;
        const int64_t rows = least(W::M, w.out_h - top), columns = least(W::M, w.out_w - left);
        float* y = w.y + (place.image * w.out_h + top) * row_step + left * w.out_channels + panel * PANEL;
        for (int64_t lane = 0; lane < lanes; lane += LANES) {
            const vec bias = w.bias ? load(w.bias + panel * PANEL + lane) : vec{};
            if (rows == W::M && columns == W::M && lane + LANES <= lanes)
                write_tile<W, true>(products + lane, stride, bias, w.relu != 0, y + lane, row_step, w.out_channels,
                                    rows, columns, LANES);
            else
                write_tile<W, false>(products + lane, stride, bias, w.relu != 0, y + lane, row_step,
                                     w.out_channels, rows, columns, lanes - lane);
        }
    }
}

template <class W>
void forward(const WinogradArgs& w, int64_t part, int64_t parts, char* scratch) {
    const ForwardRoom<W> room(w);
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* zeros = reinterpret_cast<float*>(offsets + round_up(w.tiles, 8));
    float* inputs = zeros + round_up(room.lanes, 16);
    float* products = inputs + W::N * W::N * room.input_stride;
    memset(zeros, 0, static_cast<size_t>(room.lanes) * 4);
    for (int64_t t = 0; t < w.tiles; t++) offsets[t] = t * room.lanes;
    const Picture x{w.x, w.in_h, w.in_w, w.in_channels};
    const Grid grid(w.out_h, w.out_w, W::M);
    const int64_t tiles = grid.count(w.images), panels = (w.out_channels + PANEL - 1) / PANEL;
    const int64_t stride = filter_stride(w.in_channels);
    const Segments terms{1, 0, 1, 0, w.in_channels};
    const Share units((tiles + w.tiles - 1) / w.tiles * w.groups, part, parts);
    int64_t transformed = -1;
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t block = unit / w.groups, begin = block * w.tiles, end = least(begin + w.tiles, tiles);
        if (block != transformed)
            transform_inputs<W>(x, grid, w.pad_top, w.pad_left, begin, end, w.in_channels, zeros, inputs,
                                room.input_stride);
        transformed = block;
        const Share group(panels, unit % w.groups, w.groups);
        for (int64_t panel = group.begin; panel < group.end; panel++) {
            for (int64_t f = 0; f < W::N * W::N; f++)
                times_panel(end - begin, inputs + f * room.input_stride, offsets, terms,
                            w.prepared + (panel * W::N * W::N + f) * stride, nullptr, false,
                            products + f * room.product_stride, PANEL, PANEL);
            write_block<W>(w, grid, begin, end, panel, products, room.product_stride);
        }
    }
}

}    // namespace

BEAK_EXPORT int64_t winograd_prepare_scratch(const WinogradFilterArgs*) { return 9 * TERMS * PANEL * 4; }
BEAK_EXPORT int64_t winograd2_forward_scratch(const WinogradArgs* w) {
    return ForwardRoom<Winograd<2>>(*w).bytes(*w);
}
BEAK_EXPORT int64_t winograd4_forward_scratch(const WinogradArgs* w) {
    return ForwardRoom<Winograd<4>>(*w).bytes(*w);
}

BEAK_KERNEL(winograd2_prepare, WinogradFilterArgs) {
    prepare<Winograd<2>>(*args, part, parts, reinterpret_cast<float*>(scratch));
}
BEAK_KERNEL(winograd4_prepare, WinogradFilterArgs) {
    prepare<Winograd<4>>(*args, part, parts, reinterpret_cast<float*>(scratch));
}
BEAK_KERNEL(winograd2_forward, WinogradArgs) { forward<Winograd<2>>(*args, part, parts, scratch); }
BEAK_KERNEL(winograd4_forward, WinogradArgs) { forward<Winograd<4>>(*args, part, parts, scratch); }
