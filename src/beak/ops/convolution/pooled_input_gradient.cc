// Input gradient of convolution + ReLU + max pooling 2x2: each winner adds its filter, times its
// gradient, onto the window that it looked at. At most one output in four is a winner.
#include "pooled.h"

namespace {

// A filter's row (window_w x channels neighbouring floats) is cut into blocks of at most this many
// vectors: as many sums stay in registers.
constexpr int MOST_VECTORS = LANES == 16 ? 16 : 12;

// Packed weights: [window_h][blocks][filters][vectors of the block * LANES], zeros behind a row's end.
struct Rows {
    int64_t length, vectors, blocks, block_vectors;
    Rows(int64_t window_w, int64_t channels)
        : length(window_w * channels),
          vectors((length + LANES - 1) / LANES),
          blocks((vectors + MOST_VECTORS - 1) / MOST_VECTORS),
          block_vectors((vectors + blocks - 1) / blocks) {}
    int64_t first_of(int64_t block) const { return least(vectors, block * block_vectors); }
    int64_t vectors_of(int64_t block) const { return first_of(block + 1) - first_of(block); }
};

struct PrepareArgs {
    const float* weight;    // panels [filters / 16][window_h * window_w * channels][16]
    float* packed;          // room for window_h * filters * (window_w * channels rounded up to 16)
    int64_t channels, filters, window_h, window_w;
};

// One block of one row of four filters (or fewer) out of their panel.
void pack_filters(const float* panel, int64_t filters, int64_t length, int64_t width, float* to) {
    transpose(panel, length, filters, PANEL, to, width);
    for (int64_t f = 0; f < filters; f++)
        for (int64_t j = length; j < width; j++) to[f * width + j] = 0;
}

}    // namespace

// Parts split the rows of the window.
BEAK_KERNEL(pooled_input_gradient_prepare, PrepareArgs) {
    const Rows rows(args->window_w, args->channels);
    const Share share(args->window_h, part, parts);
    for (int64_t row = share.begin; row < share.end; row++)
        for (int64_t block = 0; block < rows.blocks; block++) {
            const int64_t first = rows.first_of(block) * LANES, width = rows.vectors_of(block) * LANES;
            float* to = args->packed + (row * rows.vectors * LANES + first) * args->filters;
            for (int64_t f = 0; f < args->filters; f += 4)
                pack_filters(args->weight + ((f / PANEL * args->window_h + row) * rows.length + first) * PANEL + f % PANEL,
                             least(4, args->filters - f), least(width, rows.length - first), width, to + f * width);
        }
}

namespace {

struct PooledInputGradientArgs {
    const float* dy;            // of the pooled output
    const uint8_t* winners;
    const float* weight;        // as pooled_input_gradient_prepare packs it
    float* dx;                  // overwritten
    PooledShape shape;
};

struct Live {
    int32_t filter;
    float gradient;
};

// The live filters of an image by place and cell: those of cell c at place p are
// live[starts[4 * p + c]] up to live[starts[4 * p + c + 1]], filters in order.
void list_live(const PooledShape& s, const float* dy, const uint8_t* winners, Live* live, int32_t* starts) {
    // Four counters of 16 bits in one register; a dead one counts nothing.
    constexpr uint64_t ONE[DEAD + 1] = {1, 1ull << 16, 1ull << 32, 1ull << 48, 0};
    constexpr int SHIFT[DEAD + 1] = {0, 16, 32, 48, 48};
    int32_t start = 0;
    for (int64_t place = 0; place < s.places(); place++, dy += s.filters, winners += s.lanes()) {
        uint64_t counts = 0, cursors = 0;
        for (int64_t f = 0; f < s.filters; f++) counts += ONE[winners[f]];
        Live* here = live + start;
        int32_t length = 0;
        for (int cell = 0; cell < 4; cell++) {
            starts[4 * place + cell] = start + length;
            cursors |= static_cast<uint64_t>(length) << SHIFT[cell];
            length += static_cast<int32_t>(counts >> SHIFT[cell] & 0xffff);
        }
        for (int64_t f = 0; f < s.filters; f++) {    // a dead one is overwritten by what comes next
            here[cursors >> SHIFT[winners[f]] & 0xffff] = {static_cast<int32_t>(f), dy[f]};
            cursors += ONE[winners[f]];
        }
        start += length;
    }
    starts[4 * s.places()] = start;
}

// One block of a row of the window: to += sum over the live filters of gradient x weights. Lanes of
// the last vector that `last` masks out belong to other pixels and get nothing.
template <int V>
inline void add_row(const float* weight, const Live* live, int64_t count, ivec last, float* to) {
    vec sum[V];
    UNROLL for (int v = 0; v < V; v++) sum[v] = vec{};
    for (int64_t i = 0; i < count; i++) {
        const float* row = weight + live[i].filter * int64_t{V * LANES};
        const vec g = broadcast(live[i].gradient);
        UNROLL for (int v = 0; v < V; v++) sum[v] += load(row + v * LANES) * g;
    }
    sum[V - 1] = (vec)((ivec)sum[V - 1] & last);
    UNROLL for (int v = 0; v < V; v++) store(to + v * LANES, load(to + v * LANES) + sum[v]);
}

struct Picture {
    const PooledShape& shape;
    const Live* live;
    const int32_t* starts;
    float* pixels;    // [view_h][view_w][channels] and LANES more
};

// One block of one row of the window for all winners of an image. Neighbouring windows, and the
// cells of one, overlap: they are kept apart in time, since a load waits long for a store that it
// only partly overlaps.
template <int V>
void add_block(const Picture& p, int64_t row, int64_t first, ivec last, const float* weight) {
    const PooledShape& s = p.shape;
    const int64_t pitch = s.view_w() * s.channels;
    for (int64_t cell = 0; cell < 4; cell++)
        for (int64_t odd = 0; odd < 2; odd++)
            for (int64_t y = 0; y < s.pooled_h; y++) {
                float* to = p.pixels + (2 * y + cell / 2 + row) * pitch + cell % 2 * s.channels + first;
                for (int64_t x = odd; x < s.pooled_w; x += 2) {
                    const int32_t* start = p.starts + (y * s.pooled_w + x) * 4 + cell;
                    if (start[1] > start[0])
                        add_row<V>(weight, p.live + start[0], start[1] - start[0], last, to + x * 2 * s.channels);
                }
            }
}

// The picture's part of a view; pixels that no window saw get zero.
void cut_out(const PooledShape& s, const float* view, float* dx) {
    memset(dx, 0, static_cast<size_t>(s.image_floats()) * 4);
    by_view_rows(s, 0, s.pooled_h, [&](int64_t row, int64_t y, int64_t start, int64_t skip, int64_t pixels) {
        if (pixels)
            memcpy(dx + (y * s.in_w + skip) * s.channels, view + (row * s.view_w() + start) * s.channels,
                   static_cast<size_t>(pixels * s.channels) * 4);
    });
}

int64_t view_floats(const PooledShape& s) { return round_up(s.view_h() * s.view_w() * s.channels + LANES, 16); }

}    // namespace

BEAK_EXPORT int64_t pooled_input_gradient_scratch(const PooledInputGradientArgs* args) {
    const PooledShape& s = args->shape;
    return view_floats(s) * 4 + (s.places() * s.filters + 1) * 8 + (4 * s.places() + 1) * 4;
}

// Parts split the images. At most 65,535 filters.
BEAK_KERNEL(pooled_input_gradient, PooledInputGradientArgs) {
    const PooledShape& s = args->shape;
    const Rows rows(s.window_w, s.channels);
    float* view = reinterpret_cast<float*>(scratch);
    Live* live = reinterpret_cast<Live*>(view + view_floats(s));
    int32_t* starts = reinterpret_cast<int32_t*>(live + s.places() * s.filters + 1);
    const int64_t rest = rows.length - (rows.vectors - 1) * LANES;
    const ivec everything = ivec{} - 1, rest_of_row = lane_numbers() < static_cast<int32_t>(rest);
    const Picture picture{s, live, starts, view};
    const Share images(s.images, part, parts);
    for (int64_t image = images.begin; image < images.end; image++) {
        memset(view, 0, static_cast<size_t>(view_floats(s)) * 4);
        list_live(s, args->dy + image * s.places() * s.filters, args->winners + image * s.places() * s.lanes(), live,
                  starts);
        for (int64_t row = 0; row < s.window_h; row++)
            for (int64_t block = 0; block < rows.blocks; block++) {
                const int64_t first = rows.first_of(block) * LANES;
                const ivec last = block + 1 == rows.blocks ? rest_of_row : everything;
                const float* weight = args->weight + (row * rows.vectors * LANES + first) * s.filters;
                as_constant<MOST_VECTORS>(rows.vectors_of(block),
                                          [&](auto v) { add_block<v.value>(picture, row, first, last, weight); });
            }
        cut_out(s, view, args->dx + image * s.image_floats());
    }
}
