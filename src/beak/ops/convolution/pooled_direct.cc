// Convolution + bias + ReLU + max pooling 2x2, each output summed directly over its window.
//
// For few input channels, and for windows that no faster row takes. Weights are read as the engine
// keeps them, in panels [filters / 16][window_h * window_w * channels][16] (tile.h).
#include "pooled.h"

namespace {

struct PooledForwardArgs {
    const float* x;
    const float* weight;
    const float* bias;    // padded to whole panels, or null
    float* y;             // [images][pooled_h][pooled_w][filters]
    uint8_t* winners;     // null: not wanted
    PooledShape shape;
    int64_t bands;    // an image's pooled rows are cut into so many bands, each a unit of work
};

// Vectors of filters summed at once: with the four cells they are the accumulators.
#if defined(__aarch64__)
constexpr int BLOCK = 4;
#else
constexpr int BLOCK = 2;
#endif

// One band of one image.
struct Band {
    const PooledForwardArgs& args;
    const float* pixels;
    int64_t pitch;    // floats between its rows
    int64_t rows;
    float* y;
    uint8_t* winners;
    bool exact;
    vec poison{};
};

// SIDE, CHANNELS: the window's side and the channels where they are fixed, else 0.
template <int SIDE, int CHANNELS, int V>
inline __attribute__((always_inline)) void window(Band& band, int64_t place, const float* x, int64_t first,
                                                  bool spill) {
    const PooledShape& s = band.args.shape;
    const int64_t channels = CHANNELS ? CHANNELS : s.channels, side = SIDE ? SIDE : s.window_h;
    const int64_t terms = (SIDE ? SIDE : s.window_w) * channels, panel = side * terms * PANEL;
    const int64_t step = VECTORS == 1 ? panel : LANES;    // from one vector of filters to the next
    const float* w = band.args.weight + first / VECTORS * panel + first % VECTORS * LANES;
    vec a[V], b[V], c[V], d[V];
    UNROLL for (int v = 0; v < V; v++)
        a[v] = b[v] = c[v] = d[v] = band.args.bias ? load(band.args.bias + (first + v) * LANES) : vec{};
    const auto tap = [&](const float* top, const float* bottom) __attribute__((always_inline)) {
        vec column[V];
        UNROLL for (int v = 0; v < V; v++) column[v] = load(w + v * step);
        w += PANEL;
        const vec xa = broadcast(top[0]), xb = broadcast(top[channels]);
        UNROLL for (int v = 0; v < V; v++) a[v] += xa * column[v];
        UNROLL for (int v = 0; v < V; v++) b[v] += xb * column[v];
        const vec xc = broadcast(bottom[0]), xd = broadcast(bottom[channels]);
        UNROLL for (int v = 0; v < V; v++) c[v] += xc * column[v];
        UNROLL for (int v = 0; v < V; v++) d[v] += xd * column[v];
    };
    if constexpr (SIDE > 0 && SIDE * SIDE * CHANNELS > 0) {
        UNROLL for (int64_t row = 0; row < SIDE; row++)
            UNROLL for (int64_t j = 0; j < SIDE * CHANNELS; j++)
                tap(x + row * band.pitch + j, x + (row + 1) * band.pitch + j);
    } else {
        for (int64_t row = 0; row < side; row++)
            for (int64_t j = 0; j < terms; j++) tap(x + row * band.pitch + j, x + (row + 1) * band.pitch + j);
    }
    // With `spill` the floats behind the last filter are those of places that are written later.
    const int64_t columns = s.filters - first * LANES;
    const int64_t room = spill ? (band.rows * s.pooled_w - place) * s.filters - first * LANES : columns;
    UNROLL for (int v = 0; v < V; v++) {
        const Pooled out = band.exact ? pool_exactly(a[v], b[v], c[v], d[v]) : pool(a[v], b[v], c[v], d[v], band.poison);
        float* y = band.y + place * s.filters + (first + v) * LANES;
        if (room >= (v + 1) * LANES)
            store(y, out.value);
        else
            store_some(y, out.value, columns - v * LANES);
        if (band.winners) store_winners(band.winners + place * s.lanes() + (first + v) * LANES, out.winner);
    }
}

template <int SIDE, int CHANNELS, int V>
void windows(Band& band, int64_t first, bool spill, int64_t begin, int64_t end) {
    const PooledShape& s = band.args.shape;
    for (int64_t place = begin; place < end; place++) {
        const float* x = band.pixels + place / s.pooled_w * 2 * band.pitch + place % s.pooled_w * 2 * s.channels;
        window<SIDE, CHANNELS, V>(band, place, x, first, spill);
    }
}

template <int SIDE, int CHANNELS>
void compute(Band& band) {
    const PooledShape& s = band.args.shape;
    const int64_t vectors = s.vectors(), places = band.rows * s.pooled_w;
    // Small weights stay in the first cache while the windows go by; large ones are taken block by block.
    const bool places_outside = s.taps() * s.channels * s.lanes() * 4 <= 24 * 1024;
    const int64_t at_once = places_outside ? 1 : places;
    for (int64_t place = 0; place < places; place += at_once) {
        int64_t v = 0;
        for (; v + BLOCK <= vectors; v += BLOCK)
            windows<SIDE, CHANNELS, BLOCK>(band, v, places_outside, place, place + at_once);
        for (; v < vectors; v++) windows<SIDE, CHANNELS, 1>(band, v, places_outside, place, place + at_once);
    }
}

void compute_any(Band& band) {
    const PooledShape& s = band.args.shape;
    const bool square = s.window_h == s.window_w;
    if (square && s.window_h == 3 && s.channels == 1)
        compute<3, 1>(band);
    else if (square && s.window_h == 3 && s.channels == 3)
        compute<3, 3>(band);
    else if (square && s.window_h == 5 && s.channels == 1)
        compute<5, 1>(band);
    else
        compute<0, 0>(band);
}

}    // namespace

BEAK_EXPORT int64_t pooled_direct_forward_scratch(const PooledForwardArgs* args) {
    const PooledShape& s = args->shape;
    return s.view_h(s.most_rows(args->bands)) * s.view_w() * s.channels * 4;
}

// Parts split images x bands; each place is computed alike whatever parts and bands are.
BEAK_KERNEL(pooled_direct_forward, PooledForwardArgs) {
    const PooledShape& s = args->shape;
    const Share units(s.images * args->bands, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const Share rows(s.pooled_h, unit % args->bands, args->bands);
        if (rows.begin == rows.end) continue;
        const int64_t image = unit / args->bands, place = image * s.places() + rows.begin * s.pooled_w;
        const float* pixels = args->x + image * s.image_floats();
        Band band{*args, pixels + 2 * rows.begin * s.in_w * s.channels, s.in_w * s.channels, rows.end - rows.begin,
                  args->y + place * s.filters, args->winners ? args->winners + place * s.lanes() : nullptr, false};
        if (s.needs_padding(rows.begin, band.rows)) {
            float* view = reinterpret_cast<float*>(scratch);
            copy_view(s, pixels, rows.begin, band.rows, view);
            band.pixels = view;
            band.pitch = s.view_w() * s.channels;
        } else {
            band.pixels -= s.pad_top * s.in_w * s.channels;
        }
        compute_any(band);
        if (has_nan(band.poison)) {
            band.exact = true;
            compute_any(band);
        }
    }
}
