// Winograd convolution forward (see winograd.h), and the filters made ready for it.
//
// The input gradient is forward run on the output's gradient with the filters turned
// (WinogradFilterArgs.turned) and R - 1 - padding zeros around it.
#include "transpose.h"
#include "winograd.h"

namespace {

struct WinogradFilterArgs {
    const float* weight;    // panels [filters / 16][R x R x channels][16]
    float* prepared;        // [panels][N^2] x filter_stride(terms): [terms][16] each
    int64_t channels, filters;
    int64_t turned;    // 0: panels of filters, terms are channels; 1: turned round, the two exchanged
};

constexpr int64_t TERMS = 16;    // so many terms of a panel are one unit of work

// The taps of one term, [tap] x `step` -> its N^2 frequencies.
template <class W>
inline void transform_filter(const float* taps, int64_t step, float* to, int64_t stride) {
    for (int64_t lane = 0; lane < PANEL; lane += LANES)
        both_axes<W::filter, W::R, W::N>(
            [&](int i, int j) INLINE_LAMBDA { return load(taps + (i * W::R + j) * step + lane); },
            [&](int i, int j, vec v) INLINE_LAMBDA { store(to + (i * W::N + j) * stride + lane, v); });
}

// Filters [first, last) of a panel of channels, turned round: taps[tap][filter][16 channels].
template <class W>
inline void turn_taps(const WinogradFilterArgs& f, int64_t panel, int64_t first, int64_t last, float* taps) {
    constexpr int64_t TAPS = W::R * W::R;
    const int64_t lanes = least(PANEL, f.channels - panel * PANEL);
    memset(taps, 0, TAPS * TERMS * PANEL * 4);
    for (int64_t tap = 0; tap < TAPS; tap++) {
        const float* from = f.weight + (((first / PANEL + 1) * TAPS - 1 - tap) * f.channels + panel * PANEL) * PANEL;
        float* to = taps + tap * TERMS * PANEL;
        transpose(from, lanes, last - first, PANEL, to, PANEL);
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
        if (f.turned) turn_taps<W>(f, panel, first, last, taps);
        for (int64_t k = first; k < last; k++) {
            if (f.turned)
                transform_filter<W>(taps + (k - first) * PANEL, TERMS * PANEL, to + k * PANEL, stride);
            else
                transform_filter<W>(f.weight + (panel * W::R * W::R * terms + k) * PANEL, terms * PANEL, to + k * PANEL, stride);
        }
    }
}

struct WinogradArgs {
    const float* x;
    const float* prepared;
    const float* bias;    // in panels, or null
    const float* onto;    // added to the outputs, before the ReLU; laid out like y; or null
    float* y;
    int64_t images, in_h, in_w, in_channels, out_h, out_w, out_channels, pad_top, pad_left, relu;
    // The batch's tiles are cut into so many blocks of at most TILES, the panels of filters into so
    // many groups: blocks x groups are the units of work.
    int64_t blocks, groups;
};

// So many panels of filters are multiplied at once, each of R tiles: see tile.h. What they make lies
// in the cache until it is transformed back, which for more panels it would not.
constexpr int SIDE_BY_SIDE = WIDE < 2 ? 1 : 2;

// R tiles of a panel of channels after the other times P panels of filters: y[p][r][0..16) = A[r] . B[p].
// As in tile.h a tile's sum runs over the channels in order; here all rows lie at known distances.
template <int R, int P>
INLINE void product_sums(const float* a, int64_t panel_step, int64_t terms, const float* b,
                                            int64_t b_step, float* y, int64_t y_step) {
    vec sum[R][P * VECTORS];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < P * VECTORS; v++) sum[r][v] = vec{};
    for (; terms > 0; terms -= PANEL, a += panel_step) {
        const float* behind = a + least(PANEL, terms);
        for (const float* k = a; k < behind; k++, b += PANEL) {
            vec column[P * VECTORS];
            UNROLL for (int v = 0; v < P * VECTORS; v++) column[v] = load(b + v / VECTORS * b_step + v % VECTORS * LANES);
            UNROLL for (int r = 0; r < R; r++) {
                const vec x = broadcast(k[r * PANEL]);
                UNROLL for (int v = 0; v < P * VECTORS; v++) sum[r][v] += x * column[v];
            }
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < P * VECTORS; v++)
            store(y + v / VECTORS * y_step + r * PANEL + v % VECTORS * LANES, sum[r][v]);
}

// Large tiles keep to themselves, or the compiler runs out of registers for their addresses.
template <int R, int P>
__attribute__((noinline)) void product_tile(const float* a, int64_t panel_step, int64_t terms, const float* b,
                                            int64_t b_step, float* y, int64_t y_step) {
    product_sums<R, P>(a, panel_step, terms, b, b_step, y, y_step);
}

template <int P>
inline void product(int64_t rows, const float* a, int64_t panel_step, int64_t terms, const float* b, int64_t b_step,
                    float* y, int64_t y_step) {
    constexpr int HIGH = P == 1 ? ROWS : 12;    // rows at known distances need no registers
    const int64_t tiles = (rows + HIGH - 1) / HIGH;
    for (int64_t t = 0; t < tiles; t++) {
        const Share share(rows, t, tiles);
        as_constant<HIGH>(share.end - share.begin, [&](auto high) {
            constexpr auto SUMS = P == 1 ? product_sums<high.value, P> : product_tile<high.value, P>;
            SUMS(a + share.begin * PANEL, panel_step, terms, b, b_step, y + share.begin * PANEL, y_step);
        });
    }
}

// One vector of a panel back to M x M outputs, of which rows x columns are there.
template <class W, bool WHOLE>
INLINE void write_tile(const float* products, vec bias, bool relu, const float* onto, float* y, int64_t row,
                       int64_t step, int64_t rows, int64_t columns, int64_t lanes) {
    const int64_t down = opaque(row), right = opaque(step);
    both_axes<W::output, W::N, W::M>(
        [&](int i, int j) INLINE_LAMBDA { return load(products + (i * W::N + j) * STRIDE); },
        [&](int i, int j, vec v) INLINE_LAMBDA {
            v += bias;
            if (onto && WHOLE)
                v += load(onto + i * down + j * right);
            else if (onto && i < rows && j < columns)
                v += load_some(onto + i * down + j * right, lanes);
            if (relu) v = v < vec{} ? vec{} : v;    // NaN passes, as in PyTorch
            if (WHOLE)
                store(y + i * down + j * right, v);
            else if (i < rows && j < columns)
                store_some(y + i * down + j * right, v, lanes);
        });
}

template <class W>
void write_block(const WinogradArgs& w, const Grid& grid, int64_t begin, int64_t end, int64_t panel,
                 const float* products) {
    const int64_t lanes = least(PANEL, w.out_channels - panel * PANEL), row = w.out_w * w.out_channels;
    Place place(grid, begin);
    for (int64_t tile = begin; tile < end; tile++, products += PANEL, place.next(grid)) {
        const int64_t top = place.row * W::M, left = place.column * W::M;
        const int64_t rows = w.out_h - top, columns = w.out_w - left;
        const int64_t at = (place.image * w.out_h + top) * row + left * w.out_channels + panel * PANEL;
        float* y = w.y + at;
        const float* onto = w.onto ? w.onto + at : nullptr;
        for (int64_t lane = 0; lane < lanes; lane += LANES) {
            const vec bias = w.bias ? load(w.bias + panel * PANEL + lane) : vec{};
            const float* under = onto ? onto + lane : nullptr;
            if (rows >= W::M && columns >= W::M && lane + LANES <= lanes)
                write_tile<W, true>(products + lane, bias, w.relu != 0, under, y + lane, row, w.out_channels, rows,
                                    columns, LANES);
            else
                write_tile<W, false>(products + lane, bias, w.relu != 0, under, y + lane, row, w.out_channels, rows,
                                     columns, lanes - lane);
        }
    }
}

template <class W>
int64_t forward_scratch(const WinogradArgs& w) {
    return (panels_of(w.in_channels) + SIDE_BY_SIDE) * W::N * W::N * STRIDE * 4;
}

template <class W>
void forward(const WinogradArgs& w, int64_t part, int64_t parts, char* scratch) {
    constexpr int64_t PANEL_STEP = W::N * W::N * STRIDE;
    float* products = reinterpret_cast<float*>(scratch);
    float* inputs = products + SIDE_BY_SIDE * PANEL_STEP;
    const Grid grid(w.out_h, w.out_w, W::M);
    const int64_t tiles = grid.count(w.images), stride = filter_stride(w.in_channels);
    const Share units(w.blocks * w.groups, part, parts);
    int64_t transformed = -1;
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t block = unit / w.groups;
        const Share share(tiles, block, w.blocks);
        const int64_t begin = share.begin, end = share.end;
        if (block != transformed)
            transform_tiles<W::data, W::N, W::N, W::M>({w.x, w.in_h, w.in_w, w.in_channels}, grid, w.pad_top,
                                                       w.pad_left, begin, end, 0, w.in_channels, inputs, nullptr);
        transformed = block;
        const Share panels(panels_of(w.out_channels), unit % w.groups, w.groups);
        for (int64_t panel = panels.begin; panel < panels.end; panel += SIDE_BY_SIDE)
            as_constant<SIDE_BY_SIDE>(least(SIDE_BY_SIDE, panels.end - panel), [&](auto wide) {
                constexpr int P = wide.value;
                for (int64_t f = 0; f < W::N * W::N; f++)
                    product<P>(end - begin, inputs + f * STRIDE, PANEL_STEP, w.in_channels,
                               w.prepared + (panel * W::N * W::N + f) * stride, W::N * W::N * stride,
                               products + f * STRIDE, PANEL_STEP);
                for (int p = 0; p < P; p++) write_block<W>(w, grid, begin, end, panel + p, products + p * PANEL_STEP);
            });
    }
}

}    // namespace

BEAK_EXPORT int64_t winograd_prepare_scratch(const WinogradFilterArgs*) { return 25 * TERMS * PANEL * 4; }
BEAK_EXPORT int64_t winograd2_forward_scratch(const WinogradArgs* w) { return forward_scratch<Winograd<2>>(*w); }
BEAK_EXPORT int64_t winograd4_forward_scratch(const WinogradArgs* w) { return forward_scratch<Winograd<4>>(*w); }
BEAK_EXPORT int64_t winograd2x5_forward_scratch(const WinogradArgs* w) { return forward_scratch<Winograd<2, 5>>(*w); }

BEAK_KERNEL(winograd2_prepare, WinogradFilterArgs) {
    prepare<Winograd<2>>(*args, part, parts, reinterpret_cast<float*>(scratch));
}
BEAK_KERNEL(winograd4_prepare, WinogradFilterArgs) {
    prepare<Winograd<4>>(*args, part, parts, reinterpret_cast<float*>(scratch));
}
BEAK_KERNEL(winograd2x5_prepare, WinogradFilterArgs) {
    prepare<Winograd<2, 5>>(*args, part, parts, reinterpret_cast<float*>(scratch));
}
BEAK_KERNEL(winograd2_forward, WinogradArgs) { forward<Winograd<2>>(*args, part, parts, scratch); }
BEAK_KERNEL(winograd4_forward, WinogradArgs) { forward<Winograd<4>>(*args, part, parts, scratch); }
BEAK_KERNEL(winograd2x5_forward, WinogradArgs) { forward<Winograd<2, 5>>(*args, part, parts, scratch); }
