// The weight gradient by Winograd's algorithm (see winograd.h): the tiles of x and of dy are
// transformed, multiplied and added up at each frequency, and the sums transformed back once.
//
// Work is split over outputs (blocks of channels x blocks of filter panels) and, where that gives
// too few units, over tiles: the sums of `splits` shares of the batch's tiles are written side by
// side. Memory grows with `splits` alone, so large layers keep it at one or two.
#include "winograd.h"

namespace {

struct WinogradGradientArgs {
    const float* x;
    const float* dy;
    float* partials;    // [splits][stride]: filters in panels as forward has them, then bias
    int64_t images, in_h, in_w, in_channels, out_h, out_w, out_channels, pad_top, pad_left;
    int64_t splits;                            // over the batch's tiles: one partial sum each
    int64_t channel_blocks, filter_blocks;     // of panels; splits x these are the units of work
    int64_t stride, bias_at;                   // bias_at: where the bias sums begin in a partial, or -1
};

// Sums of a panel of filters over a panel of channels: [frequency][16 channels][16 filters].
constexpr int64_t SUM_STRIDE = (PANEL + 1) * PANEL;

// A unit's memory in floats, by the largest blocks.
template <class W>
struct Room {
    int64_t channel_panels, filter_panels;
    explicit Room(const WinogradGradientArgs& w)
        : channel_panels((panels_of(w.in_channels) + w.channel_blocks - 1) / w.channel_blocks),
          filter_panels((panels_of(w.out_channels) + w.filter_blocks - 1) / w.filter_blocks) {}
    int64_t inputs() const { return channel_panels * W::N * W::N * STRIDE; }
    int64_t gradients() const { return filter_panels * W::N * W::N * STRIDE; }
    int64_t sums() const { return channel_panels * filter_panels * W::N * W::N * SUM_STRIDE; }
    int64_t bias() const { return filter_panels * PANEL; }
    int64_t bytes() const { return (inputs() + gradients() + sums() + bias()) * 4; }
};

// What a unit of work covers.
struct Unit {
    Share tiles, channels, filters;    // the last two count panels
    int64_t split;
    Unit(const WinogradGradientArgs& w, int64_t tiles, int64_t unit)
        : tiles(tiles, unit / (w.channel_blocks * w.filter_blocks), w.splits),
          channels(panels_of(w.in_channels), unit % w.channel_blocks, w.channel_blocks),
          filters(panels_of(w.out_channels), unit / w.channel_blocks % w.filter_blocks, w.filter_blocks),
          split(unit / (w.channel_blocks * w.filter_blocks)) {}
};

// sums[r][0..16) += sum over tiles of x[tile][r] * dy[tile][0..16) for R of the panel's 16 channels.
template <int R>
inline void add_rows_of(int64_t tiles, const float* x, const float* dy, float* sums) {
    vec sum[R][VECTORS];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < VECTORS; v++) sum[r][v] = vec{};
    for (const float* behind = x + tiles * PANEL; x < behind; x += PANEL, dy += PANEL) {
        vec column[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) column[v] = load(dy + v * LANES);
        UNROLL for (int r = 0; r < R; r++) {
            const vec value = broadcast(x[r]);
            UNROLL for (int v = 0; v < VECTORS; v++) sum[r][v] += value * column[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < VECTORS; v++) {
            float* to = sums + r * PANEL + v * LANES;
            store(to, load(to) + sum[r][v]);
        }
}

// All 16 channels of a panel, in equal pieces; channels that are not there are zeros.
template <int ROW = 0>
inline void add_outer(int64_t tiles, const float* x, const float* dy, float* sums) {
    constexpr int PIECES = VECTORS == 1 ? 1 : (PANEL + ROWS - 1) / ROWS;
    if constexpr (ROW < PIECES) {
        constexpr int BEGIN = PANEL * ROW / PIECES, END = PANEL * (ROW + 1) / PIECES;
        add_rows_of<END - BEGIN>(tiles, x + BEGIN, dy, sums + BEGIN * PANEL);
        add_outer<ROW + 1>(tiles, x, dy, sums);
    }
}

// One block of transformed tiles added to the sums, at every frequency.
template <class W>
void add_products(int64_t tiles, const Unit& u, const float* inputs, const float* gradients, float* sums) {
    for (int64_t f = u.filters.begin; f < u.filters.end; f++, gradients += W::N * W::N * STRIDE) {
        const float* x = inputs;
        for (int64_t c = u.channels.begin; c < u.channels.end; c++, x += W::N * W::N * STRIDE)
            for (int64_t k = 0; k < W::N * W::N; k++, sums += SUM_STRIDE)
                add_outer(tiles, x + k * STRIDE, gradients + k * STRIDE, sums);
    }
}

// The sums back to the taps of each filter.
template <class W>
void write_filters(const WinogradGradientArgs& w, const Unit& u, const float* sums, float* partial) {
    const int64_t step = w.in_channels * PANEL;
    for (int64_t f = u.filters.begin; f < u.filters.end; f++)
        for (int64_t c = u.channels.begin; c < u.channels.end; c++, sums += W::N * W::N * SUM_STRIDE)
            for (int64_t k = 0; k < least(PANEL, w.in_channels - c * PANEL); k++) {
                float* to = partial + (f * W::R * W::R * w.in_channels + c * PANEL + k) * PANEL;
                for (int64_t lane = 0; lane < PANEL; lane += LANES)
                    both_axes<W::filter_gradient, W::N, W::R>(
                        [&](int i, int j) INLINE_LAMBDA {
                            return load(sums + (i * W::N + j) * SUM_STRIDE + k * PANEL + lane);
                        },
                        [&](int i, int j, vec v) INLINE_LAMBDA { store(to + (i * W::R + j) * step + lane, v); });
            }
}

template <class W>
void weight_gradient(const WinogradGradientArgs& w, int64_t part, int64_t parts, char* scratch) {
    const Room<W> room(w);
    float* inputs = reinterpret_cast<float*>(scratch);
    float* gradients = inputs + room.inputs();
    float* sums = gradients + room.gradients();
    float* bias = sums + room.sums();
    const Grid grid(w.out_h, w.out_w, W::M);
    const Share units(w.splits * w.channel_blocks * w.filter_blocks, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const Unit u(w, grid.count(w.images), unit);
        const int64_t first_channel = u.channels.begin * PANEL, first_filter = u.filters.begin * PANEL;
        const int64_t channels = least(u.channels.end * PANEL, w.in_channels) - first_channel;
        const int64_t filters = least(u.filters.end * PANEL, w.out_channels) - first_filter;
        memset(sums, 0, static_cast<size_t>(room.sums() + room.bias()) * 4);
        for (int64_t begin = u.tiles.begin; begin < u.tiles.end; begin += TILES) {
            const int64_t end = least(begin + TILES, u.tiles.end);
            transform_tiles<W::data, W::N, W::N, W::M>({w.x, w.in_h, w.in_w, w.in_channels}, grid, w.pad_top,
                                                       w.pad_left, begin, end, first_channel, channels, inputs,
                                                       nullptr);
            transform_tiles<W::output_gradient, W::M, W::N, W::M>({w.dy, w.out_h, w.out_w, w.out_channels}, grid, 0,
                                                                  0, begin, end, first_filter, filters, gradients,
                                                                  bias);
            add_products<W>(end - begin, u, inputs, gradients, sums);
        }
        float* partial = w.partials + u.split * w.stride;
        write_filters<W>(w, u, sums, partial);
        if (w.bias_at >= 0 && unit % w.channel_blocks == 0)
            memcpy(partial + w.bias_at + first_filter, bias,
                   static_cast<size_t>((u.filters.end - u.filters.begin) * PANEL) * 4);
    }
}

}    // namespace

BEAK_EXPORT int64_t winograd2_weight_gradient_scratch(const WinogradGradientArgs* w) {
    return Room<Winograd<2>>(*w).bytes();
}
BEAK_EXPORT int64_t winograd4_weight_gradient_scratch(const WinogradGradientArgs* w) {
    return Room<Winograd<4>>(*w).bytes();
}
BEAK_EXPORT int64_t winograd2x5_weight_gradient_scratch(const WinogradGradientArgs* w) {
    return Room<Winograd<2, 5>>(*w).bytes();
}
BEAK_KERNEL(winograd2_weight_gradient, WinogradGradientArgs) {
    weight_gradient<Winograd<2>>(*args, part, parts, scratch);
}
BEAK_KERNEL(winograd4_weight_gradient, WinogradGradientArgs) {
    weight_gradient<Winograd<4>>(*args, part, parts, scratch);
}
BEAK_KERNEL(winograd2x5_weight_gradient, WinogradGradientArgs) {
    weight_gradient<Winograd<2, 5>>(*args, part, parts, scratch);
}
