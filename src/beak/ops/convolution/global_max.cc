// Convolution + bias + ReLU + maximum over all places: each output is summed directly, as
// convolution_forward does it, and none of them is written.
#include "global_max.h"

namespace {

struct GlobalMaxConvolutionArgs {
    const float* x;
    const float* weight;    // panels [filters / 16][window_h * window_w * channels][16]
    const float* bias;      // padded to whole panels, or null
    float* y;               // [images][filters]
    int32_t* winners;       // null: not wanted
    GlobalMaxShape shape;
    int64_t relu;
};

// How many rows a tile of V vectors has: at least eight sums that do not wait for each other.
constexpr int rows_of(int v) { return v == VECTORS || ROWS * VECTORS / v < 8 ? ROWS * VECTORS / v : 8; }

template <int V>
struct Largest {
    vec value[V];
    ivec place[V];
};

// R places times V vectors of filters; `first` is the first place's number.
template <int R, int V>
inline __attribute__((always_inline)) void tile_largest(const float* a, const int64_t* offsets, const Segments& k,
                                                        const float* b, const float* bias, int64_t first,
                                                        Largest<V>& best) {
    vec sum[R][V];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) sum[r][v] = bias ? load(bias + v * LANES) : vec{};
    sum_rows(a, offsets, k, b, 0, sum);
    UNROLL for (int v = 0; v < V; v++) {
        vec value = best.value[v];
        ivec place = best.place[v];
        UNROLL for (int r = 0; r < R; r++) {
            const ivec better = (sum[r][v] > value) | (sum[r][v] != sum[r][v]);
            value = select(better, sum[r][v], value);
            place = select(better, ivec{} + static_cast<int32_t>(first + r), place);
        }
        best.value[v] = value;
        best.place[v] = place;
    }
}

// The first V vectors of one panel over all places of one image.
template <int V>
void panel_largest(const GlobalMaxConvolutionArgs& args, int64_t image, int64_t panel, const float* pixels,
                   const int64_t* offsets, const Segments& k) {
    const GlobalMaxShape& s = args.shape;
    const float* b = args.weight + panel * s.terms() * PANEL;
    const float* bias = args.bias ? args.bias + panel * PANEL : nullptr;
    Largest<V> best;
    UNROLL for (int v = 0; v < V; v++) best.value[v] = broadcast(-INFINITE), best.place[v] = ivec{};
    constexpr int R = rows_of(V);
    int64_t place = 0;
    for (; place + R <= s.places(); place += R) tile_largest<R, V>(pixels, offsets + place, k, b, bias, place, best);
    as_constant<R - 1>(s.places() - place, [&](auto left) {
        tile_largest<left.value, V>(pixels, offsets + place, k, b, bias, place, best);
    });
    const int64_t to = image * s.filters + panel * PANEL, columns = s.filters - panel * PANEL;
    UNROLL for (int v = 0; v < V; v++) {
        const int64_t count = least(LANES, columns - v * LANES);
        if (count <= 0) break;
        vec value = best.value[v];
        ivec place_of = best.place[v];
        if (args.relu) {
            place_of = select(value <= 0.0f, ivec{} + DEAD, place_of);
            value = value < vec{} ? vec{} : value;    // NaN passes
        }
        store_some(args.y + to + v * LANES, value, count);
        if (args.winners) store_some((float*)(args.winners + to + v * LANES), (vec)place_of, count);
    }
}

// The whole padded picture, as the windows see it.
void copy_padded(const GlobalMaxShape& s, const float* image, float* to) {
    const int64_t row = s.view_w() * s.channels, skip = most(0, -s.pad_left), start = most(0, s.pad_left);
    const int64_t pixels = most(0, least(s.in_w - skip, s.view_w() - start));
    memset(to, 0, static_cast<size_t>(s.view_h() * row) * 4);
    for (int64_t y = 0; y < s.view_h(); y++) {
        const int64_t from = y - s.pad_top;
        if (from >= 0 && from < s.in_h && pixels)
            memcpy(to + y * row + start * s.channels, image + (from * s.in_w + skip) * s.channels,
                   static_cast<size_t>(pixels * s.channels) * 4);
    }
}

}    // namespace

BEAK_EXPORT int64_t global_max_convolution_scratch(const GlobalMaxConvolutionArgs* args) {
    const GlobalMaxShape& s = args->shape;
    return round_up(s.places(), 8) * 8 + (s.needs_padding() ? s.view_h() * s.view_w() * s.channels * 4 : 0);
}

// Parts split images x panels of filters.
BEAK_KERNEL(global_max_convolution, GlobalMaxConvolutionArgs) {
    const GlobalMaxShape& s = args->shape;
    const bool padded = s.needs_padding();
    const int64_t width = padded ? s.view_w() : s.in_w, row = width * s.channels;
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* view = reinterpret_cast<float*>(offsets + round_up(s.places(), 8));
    for (int64_t y = 0, i = 0; y < s.out_h; y++)
        for (int64_t x = 0; x < s.out_w; x++, i++) offsets[i] = y * s.stride_h * row + x * s.stride_w * s.channels;
    const bool whole_rows = s.dilation_w == 1;    // a window's row lies in one piece
    const Segments k{s.window_h, s.dilation_h * row, whole_rows ? 1 : s.window_w, s.dilation_w * s.channels,
                     whole_rows ? s.window_w * s.channels : s.channels};
    int64_t copied = -1;
    const Share units(s.images * s.panels(), part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t image = unit / s.panels(), panel = unit % s.panels();
        const float* pixels = args->x + image * s.image_floats();
        if (padded) {
            if (copied != image) copy_padded(s, pixels, view);
            copied = image;
            pixels = view;
        }
        const int64_t vectors = (s.filters - panel * PANEL + LANES - 1) / LANES;    // that hold its filters
        as_constant<VECTORS>(least(vectors, VECTORS),
                             [&](auto v) { panel_largest<v.value>(*args, image, panel, pixels, offsets, k); });
    }
}
