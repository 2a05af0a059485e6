// Convolution 3x3 + bias + ReLU + max pooling 2x2 by Winograd's F(2x2, 3x3): a tile of 2x2 outputs
// costs 16 products for each pair of channels instead of 36, and it is just the pool's window.
//
// Tiles are gathered in groups, over rows and images; a group's 16 frequencies are 16 small matrix
// products, and the way back, bias, maximum, winner and ReLU happen in registers.
// Source: Lavin & Gray, Fast algorithms for convolutional neural networks, arXiv 1509.09308.
#include "pooled.h"

namespace {

struct PrepareArgs {
    const float* weight;    // panels [filters / 16][9 * channels][16]
    float* packed;          // [filters / 16][16 frequencies][channels][16]
    int64_t channels, filters, window_h, window_w;
};

struct PooledForwardArgs {
    const float* x;
    const float* weight;    // as pooled_winograd_prepare packs it
    const float* bias;      // padded to whole panels, or null
    float* y;               // [images][pooled_h][pooled_w][filters]
    uint8_t* winners;       // null: not wanted
    PooledShape shape;
    int64_t bands;
};

constexpr int64_t FREQUENCIES = 16;
constexpr int64_t GROUP = 24;              // tiles in a group; a multiple of the register tiles' rows
constexpr int64_t BIAS_FREQUENCY = 5;      // counts once in each of a tile's four outputs

// From one frequency of a group to the next, in floats: a cache line more than there are numbers, or
// the sixteen that belong to one tile would fall on the same lines of the first cache.
// With one vector a panel, two are multiplied at once (tile.h): [tile][2 x 16].
constexpr int SIDE_BY_SIDE = WIDE < 2 ? 1 : 2;
constexpr int64_t PRODUCTS_TILE = SIDE_BY_SIDE * PANEL, PRODUCTS_STEP = GROUP * PRODUCTS_TILE + 16;
inline int64_t transformed_step(int64_t channels) { return round_up(GROUP * channels, 16) + 16; }

struct Group {
    int64_t count = 0;
    float* y[GROUP];
    int64_t room[GROUP];    // floats from there to the band's end
    uint8_t* winners[GROUP];
};

}    // namespace

// Filters into the frequency domain, sixteen filters at a time: G g G'.
BEAK_KERNEL(pooled_winograd_prepare, PrepareArgs) {
    const int64_t channels = args->channels;
    const Share share((args->filters + PANEL - 1) / PANEL * channels, part, parts);
    for (int64_t unit = share.begin; unit < share.end; unit++) {
        const int64_t panel = unit / channels, channel = unit % channels;
        for (int64_t v = 0; v < VECTORS; v++) {
            const float* from = args->weight + (panel * 9 * channels + channel) * PANEL + v * LANES;
            float* to = args->packed + (panel * FREQUENCIES * channels + channel) * PANEL + v * LANES;
            const int64_t step = channels * PANEL;
            vec half[4][3];
            UNROLL for (int j = 0; j < 3; j++) {
                const vec top = load(from + j * step), middle = load(from + (3 + j) * step), bottom = load(from + (6 + j) * step);
                const vec ends = top + bottom;
                half[0][j] = top;
                half[1][j] = 0.5f * (ends + middle);
                half[2][j] = 0.5f * (ends - middle);
                half[3][j] = bottom;
            }
            UNROLL for (int i = 0; i < 4; i++) {
                const vec ends = half[i][0] + half[i][2];
                store(to + (4 * i) * step, half[i][0]);
                store(to + (4 * i + 1) * step, 0.5f * (ends + half[i][1]));
                store(to + (4 * i + 2) * step, 0.5f * (ends - half[i][1]));
                store(to + (4 * i + 3) * step, half[i][2]);
            }
        }
    }
}

namespace {

struct Column {
    vec row[4];
};

// One column of a tile, transformed downwards.
inline Column column_of(const float* x, int64_t pitch) {
    const vec a = load(x), b = load(x + pitch), c = load(x + 2 * pitch), d = load(x + 3 * pitch);
    return {{a - c, b + c, c - b, b - d}};
}

// Neighbouring tiles of a row into the frequency domain: B' d B. Two of a tile's four columns are
// also the next one's. The last vector of channels overlaps the one before.
inline void transform_tiles(const float* x, int64_t pitch, int64_t channels, int64_t tiles, float* to) {
    const int64_t step = transformed_step(channels);
    for (int64_t i = 0; i < channels; i += LANES) {
        const int64_t c = least(i, channels - LANES);
        const float* from = x + c;
        float* out = to + c;
        Column first = column_of(from, pitch), second = column_of(from + channels, pitch);
        for (int64_t tile = 0; tile < tiles; tile++, out += channels) {
            from += 2 * channels;
            const Column third = column_of(from, pitch);
            UNROLL for (int r = 0; r < 4; r++) {
                store(out + (4 * r) * step, first.row[r] - third.row[r]);
                store(out + (4 * r + 1) * step, second.row[r] + third.row[r]);
                store(out + (4 * r + 2) * step, third.row[r] - second.row[r]);
            }
            const Column fourth = column_of(from + channels, pitch);
            UNROLL for (int r = 0; r < 4; r++) store(out + (4 * r + 3) * step, second.row[r] - fourth.row[r]);
            first = third;
            second = fourth;
        }
    }
}

// R tiles times V vectors of filters of one frequency.
template <int R, int V>
inline __attribute__((always_inline)) void product(const float* a, const float* b, int64_t channels, const float* bias,
                                                   float* out) {
    vec sum[R][V];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) sum[r][v] = bias ? load(bias + v * LANES) : vec{};
    _Pragma("GCC unroll 4") for (int64_t c = 0; c < channels; c++, a++, b += PANEL) {
        vec column[V];
        UNROLL for (int v = 0; v < V; v++) column[v] = load(b + v * LANES);
        UNROLL for (int r = 0; r < R; r++) {
            const vec x = broadcast(a[r * channels]);
            UNROLL for (int v = 0; v < V; v++) sum[r][v] += x * column[v];
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) store(out + r * PANEL + v * LANES, sum[r][v]);
}

template <int R, int V>
inline void products(int64_t tiles, const float* a, const float* b, int64_t channels, const float* bias, float* out) {
    const int64_t pieces = (tiles + R - 1) / R;
    for (int64_t i = 0; i < pieces; i++) {
        const Share share(tiles, i, pieces);
        as_constant<R>(share.end - share.begin, [&](auto high) {
            product<high.value, V>(a + share.begin * channels, b, channels, bias, out + share.begin * PANEL);
        });
    }
}

// P panels of filters of one frequency; of a single one only as many vectors as hold filters.
template <int P>
inline void times_frequency(int64_t vectors, int64_t tiles, const float* a, const int64_t* offsets, const float* b,
                            int64_t channels, const float* bias, float* out) {
    if constexpr (SIDE_BY_SIDE > 1) {
        const Segments k{1, 0, 1, 0, channels};
        times_panels<P>(tiles, a, offsets, k, b, FREQUENCIES * channels * PANEL, bias, false, false, out, PRODUCTS_TILE,
                        P * PANEL);
    } else {
        constexpr int WIDE = LANES == 4 && ROWS == 2 ? 2 : VECTORS;    // SSE: half a panel fills the registers
        int64_t v = 0;
        for (; v + WIDE <= vectors; v += WIDE)
            products<6, WIDE>(tiles, a, b + v * LANES, channels, bias ? bias + v * LANES : nullptr, out + v * LANES);
        for (; v < vectors; v++)
            products<12, 1>(tiles, a, b + v * LANES, channels, bias ? bias + v * LANES : nullptr, out + v * LANES);
    }
}

struct Cells {
    vec a, b, c, d;
};

// A tile's way back from the frequency domain: A' m A.
inline Cells outputs_of(const float* m) {
    constexpr int64_t STEP = PRODUCTS_STEP;
    vec top[4], bottom[4];
    UNROLL for (int j = 0; j < 4; j++) {
        const vec p = load(m + j * STEP), q = load(m + (4 + j) * STEP), r = load(m + (8 + j) * STEP), s = load(m + (12 + j) * STEP);
        top[j] = p + (q + r);
        bottom[j] = (q - r) - s;
    }
    return {top[0] + (top[1] + top[2]), (top[1] - top[2]) - top[3], bottom[0] + (bottom[1] + bottom[2]),
            (bottom[1] - bottom[2]) - bottom[3]};
}

// Whole vectors, over the first filters of the next place, which are written later.
inline void store_pooled(const Group& group, int64_t tile, int64_t vector, int64_t columns, vec value) {
    float* y = group.y[tile] + vector * LANES;
    if (group.room[tile] >= (vector + 1) * LANES)
        store(y, value);
    else
        store_some(y, value, columns);
}

inline void pool_group(const Group& group, const float* products, int64_t vector, int64_t columns) {
    vec poison{};
    for (int64_t t = 0; t < group.count; t++) {
        const Cells cells = outputs_of(products + t * PRODUCTS_TILE);
        const Pooled out = pool(cells.a, cells.b, cells.c, cells.d, poison);
        store_pooled(group, t, vector, columns, out.value);
        if (group.winners[t]) store_winners(group.winners[t] + vector * LANES, out.winner);
    }
    if (!has_nan(poison)) return;
    for (int64_t t = 0; t < group.count; t++) {
        const Cells cells = outputs_of(products + t * PRODUCTS_TILE);
        const Pooled out = pool_exactly(cells.a, cells.b, cells.c, cells.d);
        store_pooled(group, t, vector, columns, out.value);
        if (group.winners[t]) store_winners(group.winners[t] + vector * LANES, out.winner);
    }
}

// A part's tiles in groups as equal as can be: a group of a single tile would take as long as one of six.
int64_t group_size(const PooledShape& s, const Share& units, int64_t bands) {
    int64_t tiles = 0;
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const Share rows(s.pooled_h, unit % bands, bands);
        tiles += (rows.end - rows.begin) * s.pooled_w;
    }
    const int64_t groups = most(1, (tiles + GROUP - 1) / GROUP);
    return most(1, (tiles + groups - 1) / groups);
}

void finish_group(const PooledForwardArgs& args, Group& group, const float* transformed, float* products) {
    const PooledShape& s = args.shape;
    int64_t offsets[GROUP];
    for (int64_t t = 0; t < group.count; t++) offsets[t] = t * s.channels;
    for (int64_t end = s.lanes() / PANEL; end > 0;) {    // the last filters first: store_pooled
        const int64_t wide = end % SIDE_BY_SIDE ? 1 : SIDE_BY_SIDE, panel = end -= wide;
        const int64_t vectors = least(wide * VECTORS, s.vectors() - panel * VECTORS);
        as_constant<SIDE_BY_SIDE>(wide, [&](auto number) {
            for (int64_t f = 0; f < FREQUENCIES; f++)
                times_frequency<number.value>(
                    vectors, group.count, transformed + f * transformed_step(s.channels), offsets,
                    args.weight + (panel * FREQUENCIES + f) * s.channels * PANEL, s.channels,
                    f == BIAS_FREQUENCY && args.bias ? args.bias + panel * PANEL : nullptr,
                    products + f * PRODUCTS_STEP);
        });
        for (int64_t v = vectors - 1; v >= 0; v--)
            pool_group(group, products + v * LANES, panel * VECTORS + v, s.filters - panel * PANEL - v * LANES);
    }
    group.count = 0;
}

}    // namespace

BEAK_EXPORT int64_t pooled_winograd_forward_scratch(const PooledForwardArgs* args) {
    const PooledShape& s = args->shape;
    const int64_t view = s.view_h(s.most_rows(args->bands)) * s.view_w() * s.channels;
    return (FREQUENCIES * (transformed_step(s.channels) + PRODUCTS_STEP) + view) * 4;
}

// At least LANES channels. Parts split images x bands; a tile's sums do not depend on its group.
BEAK_KERNEL(pooled_winograd_forward, PooledForwardArgs) {
    const PooledShape& s = args->shape;
    float* products = reinterpret_cast<float*>(scratch);
    float* transformed = products + FREQUENCIES * PRODUCTS_STEP;
    float* view = transformed + FREQUENCIES * transformed_step(s.channels);
    Group group;
    const Share units(s.images * args->bands, part, parts);
    const int64_t full = group_size(s, units, args->bands);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const Share rows(s.pooled_h, unit % args->bands, args->bands);
        const int64_t image = unit / args->bands;
        const float* pixels = args->x + image * s.image_floats();
        int64_t pitch = s.in_w * s.channels;
        if (s.needs_padding(rows.begin, rows.end - rows.begin)) {
            copy_view(s, pixels, rows.begin, rows.end - rows.begin, view);
            pixels = view;
            pitch = s.view_w() * s.channels;
        } else {
            pixels += (2 * rows.begin - s.pad_top) * pitch;
        }
        for (int64_t row = rows.begin; row < rows.end; row++, pixels += 2 * pitch)
            for (int64_t column = 0; column < s.pooled_w;) {
                const int64_t tiles = least(full - group.count, s.pooled_w - column);
                transform_tiles(pixels + column * 2 * s.channels, pitch, s.channels, tiles,
                                transformed + group.count * s.channels);
                for (int64_t t = 0; t < tiles; t++, column++, group.count++) {
                    const int64_t place = image * s.places() + row * s.pooled_w + column;
                    group.y[group.count] = args->y + place * s.filters;
                    group.room[group.count] = ((rows.end - row) * s.pooled_w - column) * s.filters;
                    group.winners[group.count] = args->winners ? args->winners + place * s.lanes() : nullptr;
                }
                if (group.count == full) finish_group(*args, group, transformed, products);
            }
    }
    if (group.count) finish_group(*args, group, transformed, products);
}
