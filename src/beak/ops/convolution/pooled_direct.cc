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
    const float* pixels;
    int64_t pitch;    // floats between its rows
    int64_t rows;
    float* y;
    uint8_t* winners;
};

// What stays the same for all windows of one block of V vectors of filters.
struct Block {
    const float* weight;
    const float* bias;
    int64_t step;       // floats from one vector's weights to the next's
    int64_t columns;    // filters from here to the last
};

inline Block block_of(const PooledForwardArgs& args, int64_t vector) {
    const PooledShape& s = args.shape;
    const int64_t panel = s.taps() * s.channels * PANEL;
    return {args.weight + vector / VECTORS * panel + vector % VECTORS * LANES,
            args.bias ? args.bias + vector * LANES : nullptr, VECTORS == 1 ? panel : LANES,
            s.filters - vector * LANES};
}

// SIDE, CHANNELS: the window's side and the channels where they are fixed, else 0. `room`: how many
// floats there are from y to the band's end; those behind the last filter are written later.
template <int SIDE, int CHANNELS, int V, bool EXACT>
inline __attribute__((always_inline)) void window(const PooledShape& s, const Block& block, const float* x,
                                                  int64_t pitch, float* y, int64_t room, uint8_t* winners,
                                                  vec& poison) {
    const int64_t channels = CHANNELS ? CHANNELS : s.channels, side = SIDE ? SIDE : s.window_h;
    const int64_t terms = (SIDE ? SIDE : s.window_w) * channels;
    const float* w = block.weight;
    vec a[V], b[V], c[V], d[V];
    UNROLL for (int v = 0; v < V; v++) a[v] = b[v] = c[v] = d[v] = block.bias ? load(block.bias + v * LANES) : vec{};
    const auto tap = [&](const float* top, const float* bottom) __attribute__((always_inline)) {
        vec column[V];
        UNROLL for (int v = 0; v < V; v++) column[v] = load(w + v * block.step);
        w += PANEL;
        const vec xa = broadcast(top[0]), xb = broadcast(top[channels]);
        UNROLL for (int v = 0; v < V; v++) a[v] += xa * column[v];
        UNROLL for (int v = 0; v < V; v++) b[v] += xb * column[v];
        const vec xc = broadcast(bottom[0]), xd = broadcast(bottom[channels]);
        UNROLL for (int v = 0; v < V; v++) c[v] += xc * column[v];
        UNROLL for (int v = 0; v < V; v++) d[v] += xd * column[v];
    };
    if constexpr (SIDE > 0 && CHANNELS > 0) {
        UNROLL for (int64_t row = 0; row < SIDE; row++)
            UNROLL for (int64_t j = 0; j < SIDE * CHANNELS; j++) tap(x + row * pitch + j, x + (row + 1) * pitch + j);
    } else {
        for (int64_t row = 0; row < side; row++)
            for (int64_t j = 0; j < terms; j++) tap(x + row * pitch + j, x + (row + 1) * pitch + j);
    }
    UNROLL for (int v = 0; v < V; v++) {
        const Pooled out = EXACT ? pool_exactly(a[v], b[v], c[v], d[v]) : pool(a[v], b[v], c[v], d[v], poison);
        if (room >= (v + 1) * LANES)
            store(y + v * LANES, out.value);
        else
            store_some(y + v * LANES, out.value, block.columns - v * LANES);
        if (winners) store_winners(winners + v * LANES, out.winner);
    }
}

// All windows of a band for one block.
template <int SIDE, int CHANNELS, int V, bool EXACT>
void windows(const PooledForwardArgs& args, const Band& band, int64_t vector, vec& all_poison) {
    const PooledShape s = args.shape;
    const Block block = block_of(args, vector);
    const int64_t lanes = s.lanes(), channels = CHANNELS ? CHANNELS : s.channels;
    vec poison = all_poison;
    float* y = band.y + vector * LANES;
    int64_t room = band.rows * s.pooled_w * s.filters - vector * LANES;
    uint8_t* winners = band.winners ? band.winners + vector * LANES : nullptr;
    for (int64_t row = 0; row < band.rows; row++) {
        const float* x = band.pixels + row * 2 * band.pitch;
        for (int64_t column = 0; column < s.pooled_w; column++, x += 2 * channels) {
            window<SIDE, CHANNELS, V, EXACT>(s, block, x, band.pitch, y, room, winners, poison);
            y += s.filters;
            room -= s.filters;
            if (winners) winners += lanes;
        }
    }
    all_poison = poison;
}

// The last filters go first: their vector is stored whole, over the next place's first filters.
template <int SIDE, int CHANNELS, bool EXACT>
vec compute(const PooledForwardArgs& args, const Band& band) {
    vec poison{};
    int64_t v = args.shape.vectors();
    while (v % BLOCK) windows<SIDE, CHANNELS, 1, EXACT>(args, band, --v, poison);
    while (v) windows<SIDE, CHANNELS, BLOCK, EXACT>(args, band, v -= BLOCK, poison);
    return poison;
}

template <bool EXACT>
vec compute_any(const PooledForwardArgs& args, const Band& band) {
    const PooledShape& s = args.shape;
    const bool square = s.window_h == s.window_w;
    if (square && s.window_h == 3 && s.channels == 1) return compute<3, 1, EXACT>(args, band);
    if (square && s.window_h == 3 && s.channels == 3) return compute<3, 3, EXACT>(args, band);
    if (square && s.window_h == 5 && s.channels == 1) return compute<5, 1, EXACT>(args, band);
    return compute<0, 0, EXACT>(args, band);
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
        Band band{pixels, s.in_w * s.channels, rows.end - rows.begin, args->y + place * s.filters,
                  args->winners ? args->winners + place * s.lanes() : nullptr};
        if (s.needs_padding(rows.begin, band.rows)) {
            float* view = reinterpret_cast<float*>(scratch);
            copy_view(s, pixels, rows.begin, band.rows, view);
            band.pixels = view;
            band.pitch = s.view_w() * s.channels;
        } else {
            band.pixels += (2 * rows.begin - s.pad_top) * band.pitch;
        }
        if (has_nan(compute_any<false>(*args, band))) compute_any<true>(*args, band);
    }
}
