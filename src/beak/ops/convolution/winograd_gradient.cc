// The weight gradient by Winograd's algorithm (see winograd.h): the tiles of x and of dy are
// transformed, multiplied and added up at each frequency, and the sums transformed back once.
//
// Work is split over outputs (blocks of channels x blocks of filter panels) and, where that gives
// too few units, over tiles: the sums of `splits` shares of the batch's tiles are written side by
// side. Memory grows with `splits` alone, so large layers keep it at 1.
#include "winograd.h"

namespace {

struct WinogradGradientArgs {
    const float* x;
    const float* dy;
    float* partials;    // [splits][stride]: filters in panels as forward has them, then bias
    int64_t images, in_h, in_w, in_channels, out_h, out_w, out_channels, pad_top, pad_left;
    int64_t tiles;                       // so many tiles are transformed before they are multiplied
    int64_t splits;                      // over the batch's tiles: one partial sum each
    int64_t channel_blocks, panel_blocks;    // splits x these are the units of work
    int64_t stride, bias_at;             // bias_at: where the bias sums begin in a partial, or -1
};

// A unit's memory, in floats; `channels` and `panels` are those of the largest block.
template <class W>
struct GradientRoom {
    static constexpr int64_t N2 = W::N * W::N;
    int64_t panels, channels, zeros, input_stride, gradient_stride, sum_stride;
    explicit GradientRoom(const WinogradGradientArgs& w)
        : panels((all_panels(w) + w.panel_blocks - 1) / w.panel_blocks),
          channels((w.in_channels + w.channel_blocks - 1) / w.channel_blocks),
          zeros(round_up(most(channels, PANEL), 16)),
          input_stride(odd_lines(w.tiles * round_up(channels, LANES))),
          gradient_stride(odd_lines(w.tiles * panels * PANEL)),
          sum_stride(odd_lines(panels * channels * PANEL)) {}
    static int64_t all_panels(const WinogradGradientArgs& w) { return (w.out_channels + PANEL - 1) / PANEL; }
    int64_t bytes(const WinogradGradientArgs& w) const {
        const int64_t bias = panels * PANEL;
        return round_up(w.tiles, 8) * 8 + (zeros + bias + N2 * (input_stride + gradient_stride + sum_stride)) * 4;
    }
};

// The gradients of some tiles' outputs, transformed: [frequency][panel][tiles][16]. Their sums are
// added to bias[panels][16].
template <class W>
void transform_gradients(const WinogradGradientArgs& w, const Grid& grid, int64_t begin, int64_t end, Share panels,
                         const float* zeros, float* to, int64_t stride, float* bias) {
    const Picture dy{w.dy, w.out_h, w.out_w, w.out_channels};
    Place place(grid, begin);
    for (int64_t tile = begin; tile < end; tile++, to += PANEL, place.next(grid))
        for (int64_t panel = panels.begin; panel < panels.end; panel++) {
            const Picture some{dy.pixels + panel * PANEL, dy.height, dy.width, dy.step};
            transform_tile<W::output_gradient, W::M, W::N>(
                some, place.image, place.row * W::M, place.column * W::M, least(PANEL, w.out_channels - panel * PANEL),
                PANEL, zeros, to + (panel - panels.begin) * w.tiles * PANEL, stride,
                bias + (panel - panels.begin) * PANEL);
        }
}

// Sums at each frequency [panel][channel][16] back to the nine taps of each filter.
template <class W>
void write_filters(const WinogradGradientArgs& w, const float* sums, int64_t stride, Share channels, Share panels,
                   float* partial) {
    for (int64_t panel = panels.begin; panel < panels.end; panel++)
        for (int64_t c = channels.begin; c < channels.end; c++, sums += PANEL) {
            float* to = partial + (panel * 9 * w.in_channels + c) * PANEL;
            for (int64_t lane = 0; lane < PANEL; lane += LANES)
                both_axes<W::filter_gradient, W::N, 3>(
                    [&](int i, int j) INLINE_LAMBDA { return load(sums + (i * W::N + j) * stride + lane); },
                    [&](int i, int j, vec v) INLINE_LAMBDA {
                        store(to + (i * 3 + j) * w.in_channels * PANEL + lane, v);
                    });
        }
}

template <class W>
void weight_gradient(const WinogradGradientArgs& w, int64_t part, int64_t parts, char* scratch) {
    const GradientRoom<W> room(w);
    constexpr int64_t N2 = GradientRoom<W>::N2;
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* zeros = reinterpret_cast<float*>(offsets + round_up(w.tiles, 8));
    float* bias = zeros + room.zeros;
    float* inputs = bias + room.panels * PANEL;
    float* gradients = inputs + N2 * room.input_stride;
    float* sums = gradients + N2 * room.gradient_stride;
    memset(zeros, 0, static_cast<size_t>(room.zeros) * 4);
    const Grid grid(w.out_h, w.out_w, W::M);
    const int64_t all_panels = GradientRoom<W>::all_panels(w), blocks = w.channel_blocks * w.panel_blocks;
    const Share units(w.splits * blocks, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const Share tiles(grid.count(w.images), unit / blocks, w.splits);
        const Share panels(all_panels, unit % blocks / w.channel_blocks, w.panel_blocks);
        const Share channels(w.in_channels, unit % w.channel_blocks, w.channel_blocks);
        const int64_t terms = channels.end - channels.begin, lanes = round_up(terms, LANES);
        const Picture x{w.x + channels.begin, w.in_h, w.in_w, w.in_channels};
        memset(sums, 0, static_cast<size_t>(N2 * room.sum_stride) * 4);
        memset(bias, 0, static_cast<size_t>(room.panels * PANEL) * 4);
        for (int64_t t = 0; t < w.tiles; t++) offsets[t] = t * lanes;
        for (int64_t begin = tiles.begin; begin < tiles.end; begin += w.tiles) {
            const int64_t end = least(begin + w.tiles, tiles.end);
            transform_inputs<W>(x, grid, w.pad_top, w.pad_left, begin, end, terms, zeros, inputs, room.input_stride);
            transform_gradients<W>(w, grid, begin, end, panels, zeros, gradients, room.gradient_stride, bias);
            for (int64_t f = 0; f < N2; f++)
                for (int64_t p = 0; p < panels.end - panels.begin; p++)
                    outer_product(terms, end - begin, inputs + f * room.input_stride, offsets,
                                  gradients + f * room.gradient_stride + p * w.tiles * PANEL,
                                  sums + f * room.sum_stride + p * terms * PANEL);
        }
        float* partial = w.partials + unit / blocks * w.stride;
        write_filters<W>(w, sums, room.sum_stride, channels, panels, partial);
        if (w.bias_at >= 0 && channels.begin == 0 && unit % w.channel_blocks == 0)
            memcpy(partial + w.bias_at + panels.begin * PANEL, bias,
                   static_cast<size_t>((panels.end - panels.begin) * PANEL) * 4);
    }
}

}    // namespace

BEAK_EXPORT int64_t winograd2_weight_gradient_scratch(const WinogradGradientArgs* w) {
    return GradientRoom<Winograd<2>>(*w).bytes(*w);
}
BEAK_EXPORT int64_t winograd4_weight_gradient_scratch(const WinogradGradientArgs* w) {
    return GradientRoom<Winograd<4>>(*w).bytes(*w);
}
BEAK_KERNEL(winograd2_weight_gradient, WinogradGradientArgs) {
    weight_gradient<Winograd<2>>(*args, part, parts, scratch);
}
BEAK_KERNEL(winograd4_weight_gradient, WinogradGradientArgs) {
    weight_gradient<Winograd<4>>(*args, part, parts, scratch);
}
