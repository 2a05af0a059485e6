// Convolution of a sequence + bias + ReLU + maximum over all places by Winograd's F(7 - r, r): six
// products give the 7 - r outputs of a window of r = 2 to 5 places, at the points 0, 1, -1, 2, -2
// and infinity (Toom-Cook). The transform of the input is the same for all of these windows:
//     y = A^T [(G g) . (B^T d)],  B^T as in Lavin & Gray, arXiv 1509.09308, for F(4, 3)
#include "global_max.h"

namespace {

constexpr int POINTS = 6;

// Images whose tiles go through a panel of filters together: so many that few register tiles are
// less than full, so few that they stay in the second cache.
constexpr int64_t GROUP = LANES == 16 ? 4 : 3;

struct PrepareArgs {
    const float* weight;    // panels [filters / 16][window * channels][16]
    float* prepared;        // [filters / 16][POINTS][channels][16]
    int64_t window, channels, filters;
};

struct SequenceMaxArgs {
    const float* x;
    const float* prepared;
    const float* bias;    // padded to whole panels, or null
    float* y;             // [images][filters]
    int32_t* winners;     // null: not wanted
    GlobalMaxShape shape;
    int64_t relu;

    int64_t side() const { return POINTS + 1 - shape.window_w; }    // outputs of a tile
    int64_t tiles() const { return (shape.out_w + side() - 1) / side(); }
    int64_t rows() const { return GROUP * tiles(); }
    int64_t groups() const { return (shape.images + GROUP - 1) / GROUP; }
};

// B^T d for all tiles of an image: to[point][tile][channel], points `step` floats apart.
void transform_input(const SequenceMaxArgs& args, const float* image, const float* zeros, float* to, int64_t step) {
    const GlobalMaxShape& s = args.shape;
    for (int64_t t = 0; t < args.tiles(); t++, to += s.channels) {
        const float* row[POINTS];
        for (int64_t j = 0; j < POINTS; j++) {
            const int64_t place = t * args.side() + j - s.pad_left;
            row[j] = place >= 0 && place < s.in_w ? image + place * s.channels : zeros;
        }
        by_lanes(0, s.channels, [&](int64_t c, int64_t n) {
            vec d[POINTS];
            UNROLL for (int j = 0; j < POINTS; j++) d[j] = load_some(row[j] + c, n);
            const vec far = d[4] - 4.0f * d[2], near = d[4] - d[2];
            const vec odd = d[3] - 4.0f * d[1], twice = 2.0f * (d[3] - d[1]);
            store_some(to + c, 4.0f * d[0] - 5.0f * d[2] + d[4], n);
            store_some(to + step + c, far + odd, n);
            store_some(to + 2 * step + c, far - odd, n);
            store_some(to + 3 * step + c, near + twice, n);
            store_some(to + 4 * step + c, near - twice, n);
            store_some(to + 5 * step + c, 4.0f * d[1] - 5.0f * d[3] + d[5], n);
        });
    }
}

// The maximum over one image's tiles of A^T m + bias; points of m lie `step` floats apart, tiles
// `tile_step`. `side` outputs a tile.
template <int SIDE>
void largest(const SequenceMaxArgs& args, int64_t image, int64_t panel, const float* m, int64_t step,
             int64_t tile_step) {
    const GlobalMaxShape& s = args.shape;
    for (int64_t lane = 0; lane < PANEL && panel * PANEL + lane < s.filters; lane += LANES) {
        vec best = broadcast(-INFINITE);
        ivec where{};
        const vec bias = args.bias ? load(args.bias + panel * PANEL + lane) : vec{};
        const auto offer = [&](vec value, int64_t place) __attribute__((always_inline)) {
            if (place >= s.out_w) return;
            const ivec better = (value > best) | (value != value);
            best = select(better, value, best);
            where = select(better, ivec{} + static_cast<int32_t>(place), where);
        };
        const float* from = m + lane;
        for (int64_t t = 0; t < args.tiles(); t++, from += tile_step) {
            vec p[POINTS];
            UNROLL for (int i = 0; i < POINTS; i++) p[i] = load(from + i * step);
            const vec ones = p[1] + p[2], twos = p[3] + p[4], one = p[1] - p[2], two = p[3] - p[4];
            const vec outputs[5] = {p[0] + ones + twos, one + 2.0f * two, ones + 4.0f * twos, one + 8.0f * two,
                                    ones + 16.0f * twos};
            UNROLL for (int k = 0; k < SIDE; k++)
                offer(bias + (k == SIDE - 1 ? outputs[k] + p[5] : outputs[k]), t * SIDE + k);
        }
        if (args.relu) {
            where = select(best <= 0.0f, ivec{} + DEAD, where);
            best = best < vec{} ? vec{} : best;    // NaN passes
        }
        const int64_t to = image * s.filters + panel * PANEL + lane;
        const int64_t count = least(LANES, s.filters - panel * PANEL - lane);
        store_some(args.y + to, best, count);
        if (args.winners) store_some((float*)(args.winners + to), (vec)where, count);
    }
}

}    // namespace

// G g. Parts split panels x channels.
BEAK_KERNEL(global_max_winograd_prepare, PrepareArgs) {
    const PrepareArgs& a = *args;
    const Share units((a.filters + PANEL - 1) / PANEL * a.channels, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t panel = unit / a.channels, channel = unit % a.channels;
        const float* from = a.weight + (panel * a.window * a.channels + channel) * PANEL;
        float* to = a.prepared + (panel * POINTS * a.channels + channel) * PANEL;
        for (int lane = 0; lane < PANEL; lane += LANES) {
            vec g[5] = {};
            for (int64_t j = 0; j < a.window; j++) g[j] = load(from + j * a.channels * PANEL + lane);
            const vec even = g[0] + g[2] + g[4], odd = g[1] + g[3];
            const vec even2 = g[0] + 4.0f * g[2] + 16.0f * g[4], odd2 = 2.0f * g[1] + 8.0f * g[3];
            const vec out[POINTS] = {0.25f * g[0], (even + odd) * (-1.0f / 6), (even - odd) * (-1.0f / 6),
                                     (even2 + odd2) * (1.0f / 24), (even2 - odd2) * (1.0f / 24),
                                     load(from + (a.window - 1) * a.channels * PANEL + lane)};
            UNROLL for (int i = 0; i < POINTS; i++) store(to + i * a.channels * PANEL + lane, out[i]);
        }
    }
}

BEAK_EXPORT int64_t global_max_winograd_scratch(const SequenceMaxArgs* args) {
    const int64_t rows = round_up(args->rows(), 8), channels = round_up(args->shape.channels, 16);
    return rows * 8 + (rows * POINTS * WIDE * PANEL + channels + POINTS * args->rows() * args->shape.channels) * 4;
}

// Parts split groups of images x groups of panels of filters.
BEAK_KERNEL(global_max_winograd, SequenceMaxArgs) {
    const GlobalMaxShape& s = args->shape;
    const int64_t rows = args->rows(), step = rows * s.channels, channels = round_up(s.channels, 16);
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* products = reinterpret_cast<float*>(offsets + round_up(rows, 8));    // [POINTS][rows][panels x 16]
    float* zeros = products + POINTS * round_up(rows, 8) * WIDE * PANEL;
    float* transformed = zeros + channels;    // [POINTS][rows][channels]
    for (int64_t r = 0; r < rows; r++) offsets[r] = r * s.channels;
    memset(zeros, 0, static_cast<size_t>(channels) * 4);
    const Segments k{1, 0, 1, 0, s.channels};
    int64_t ready = -1;
    const int64_t blocks = (s.panels() + WIDE - 1) / WIDE;
    const Share units(args->groups() * blocks, part, parts);
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t first = unit / blocks * GROUP;
        const int64_t images = least(GROUP, s.images - first), used = images * args->tiles();
        if (ready != first)
            for (int64_t i = 0; i < images; i++)
                transform_input(*args, args->x + (first + i) * s.image_floats(), zeros,
                                transformed + i * args->tiles() * s.channels, step);
        ready = first;
        const Share panels(s.panels(), unit % blocks, blocks);
        as_constant<WIDE>(panels.end - panels.begin, [&](auto wide) {
            constexpr int P = wide.value;
            const int64_t apart = rows * P * PANEL, prepared = s.channels * PANEL;
            for (int64_t point = 0; point < POINTS; point++)
                times_panels_in_pieces<P>(used, transformed + point * step, offsets, k,
                                          args->prepared + (panels.begin * POINTS + point) * prepared,
                                          POINTS * prepared, nullptr, false, products + point * apart, P * PANEL,
                                          P * PANEL);
            for (int64_t i = 0; i < images; i++)
                for (int p = 0; p < P; p++) {
                    const float* m = products + (i * args->tiles() * P + p) * PANEL;
                    const auto take = [&](auto side) {
                        largest<side.value>(*args, first + i, panels.begin + p, m, apart, P * PANEL);
                    };
                    switch (args->side()) {
                        case 2: take(Constant<2>{}); break;
                        case 3: take(Constant<3>{}); break;
                        case 4: take(Constant<4>{}); break;
                        default: take(Constant<5>{});
                    }
                }
        });
    }
}
