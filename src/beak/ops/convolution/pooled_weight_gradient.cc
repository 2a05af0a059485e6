// Weight and bias gradients of convolution + ReLU + max pooling 2x2: only winners are visited.
//
// After ReLU and pooling at most one output in four has a gradient. Two ways to walk over them: for
// few input channels vectors of filters, a permutation picks each filter's pixel; for many channels
// a list of live places for each filter, vectors of channels.
//
// A part's sums leave in panels [filters / 16][window_h * window_w * channels][16], then the bias.
#include "pooled.h"

namespace {

struct PooledWeightGradientArgs {
    const float* x;
    const float* dy;             // of the pooled output
    const uint8_t* winners;
    float* partials;             // [parts][stride]
    PooledShape shape;
    int64_t stride, bias_at;     // where the bias sums begin in a part, or -1
};

// dy of LANES filters where they are alive. Reads up to `room` floats, so that lanes behind
// the last filter may be those of the next place: they are zeroed.
inline vec live_gradient(const float* dy, ivec winner, int64_t room, int64_t columns) {
    const vec g = room >= LANES ? load(dy) : load_some(dy, most(0, room));
    const ivec off = (winner >= DEAD) | (lane_numbers() >= static_cast<int32_t>(least(columns, LANES)));
    return select(off, vec{}, g);
}

// ---- Few channels.

// Quads of a channel's picture: [view_h - 1][view_w - 1][4], a pixel and its three neighbours to
// the right and below, so that a winner's number picks its own pixel.
void make_quads(const float* view, int64_t pitch, int64_t channels, int64_t rows, int64_t columns, float* quads) {
    for (int64_t y = 0; y < rows; y++, view += pitch)
        for (int64_t x = 0; x < columns; x++, quads += 4) {
            const float* pixel = view + x * channels;
            if (channels == 1) {
                memcpy(quads, pixel, 8);
                memcpy(quads + 2, pixel + pitch, 8);
            } else {
                quads[0] = pixel[0], quads[1] = pixel[channels];
                quads[2] = pixel[pitch], quads[3] = pixel[pitch + channels];
            }
        }
}

// Window rows [first_row, first_row + HIGH) of one vector of filters, over all places of an image.
template <int HIGH, int WIDE>
void add_few(const PooledShape& s, const float* dy, const uint8_t* winners, const float* quads, int64_t first_row,
             int64_t vector, float* sums, int64_t tap_step, float* bias) {
    vec sum[HIGH][WIDE], bias_sum{};
    UNROLL for (int h = 0; h < HIGH; h++)
        UNROLL for (int w = 0; w < WIDE; w++) sum[h][w] = load(sums + (h * WIDE + w) * tap_step);
    const int64_t pitch = (s.view_w() - 1) * 4, columns = s.filters - vector * LANES;
    int64_t room = s.places() * s.filters - vector * LANES;
    dy += vector * LANES;
    winners += vector * LANES;
    for (int64_t y = 0; y < s.pooled_h; y++) {
        const float* place = quads + (2 * y + first_row) * pitch;
        for (int64_t x = 0; x < s.pooled_w; x++, place += 8, dy += s.filters, room -= s.filters, winners += s.lanes()) {
            const ivec winner = load_winners(winners);
            const vec g = live_gradient(dy, winner, room, columns);
            bias_sum += g;
            UNROLL for (int h = 0; h < HIGH; h++)
                UNROLL for (int w = 0; w < WIDE; w++)
                    sum[h][w] += __builtin_shuffle(load(place + h * pitch + w * 4), winner) * g;
        }
    }
    UNROLL for (int h = 0; h < HIGH; h++)
        UNROLL for (int w = 0; w < WIDE; w++) store(sums + (h * WIDE + w) * tap_step, sum[h][w]);
    if (bias) store(bias, load(bias) + bias_sum);
}

// ---- Many channels.

struct Live {
    int32_t offset;    // of the winner's window in a block of channels
    float gradient;
};

// Window rows [0, HIGH) of one filter and one block of LANES channels, over the live places.
template <int HIGH, int WIDE>
inline void add_live(const float* block, int64_t pitch, const Live* live, int64_t count, float* sums) {
    vec sum[HIGH][WIDE];
    UNROLL for (int h = 0; h < HIGH; h++)
        UNROLL for (int w = 0; w < WIDE; w++) sum[h][w] = vec{};
    for (int64_t i = 0; i < count; i++) {
        const float* top = block + live[i].offset;
        const vec g = broadcast(live[i].gradient);
        UNROLL for (int h = 0; h < HIGH; h++)
            UNROLL for (int w = 0; w < WIDE; w++) sum[h][w] += load(top + h * pitch + w * LANES) * g;
    }
    UNROLL for (int h = 0; h < HIGH; h++)
        UNROLL for (int w = 0; w < WIDE; w++) {
            float* to = sums + (h * WIDE + w) * LANES;
            store(to, load(to) + sum[h][w]);
        }
}

// A picture in blocks of channels: [channels / LANES][view_h][view_w][LANES]. Lanes behind the last
// channel hold rubbish, and so do the sums over them.
void make_blocks(const PooledShape& s, const float* image, float* blocks) {
    const int64_t row_floats = s.view_w() * LANES, block_floats = s.view_h() * row_floats;
    for (int64_t c = 0; c < s.channels; c += LANES, blocks += block_floats)
        by_view_rows(s, 0, s.pooled_h, [&](int64_t row, int64_t y, int64_t start, int64_t skip, int64_t pixels) {
            float* to = blocks + row * row_floats;
            if (pixels < s.view_w()) memset(to, 0, static_cast<size_t>(row_floats) * 4);
            int64_t at = (y * s.in_w + skip) * s.channels + c;
            to += start * LANES;
            for (int64_t i = 0; i < pixels; i++, to += LANES, at += s.channels) {
                const int64_t room = s.image_floats() - at;
                store(to, room >= LANES ? load(image + at) : load_some(image + at, room));
            }
        });
}

// The live places of every filter, in order: lists[filter][places], counts[filter].
void list_live(const PooledShape& s, const float* dy, const uint8_t* winners, Live* lists, int32_t* counts) {
    const int64_t pitch = s.view_w() * LANES, places = s.places();
    const int64_t cells[DEAD + 1] = {0, LANES, pitch, pitch + LANES, 0};
    memset(counts, 0, static_cast<size_t>(s.filters) * 4);
    for (int64_t place = 0; place < places; place++, dy += s.filters, winners += s.lanes()) {
        const int64_t corner = place / s.pooled_w * 2 * pitch + place % s.pooled_w * 2 * LANES;
        for (int64_t f = 0; f < s.filters; f++) {    // written always, counted if alive: no branch
            const uint8_t winner = winners[f];
            lists[f * places + counts[f]] = {static_cast<int32_t>(corner + cells[winner]), dy[f]};
            counts[f] += winner < DEAD;
        }
    }
}

void add_bias(const PooledShape& s, const float* dy, const uint8_t* winners, float* bias) {
    for (int64_t v = 0; v < s.vectors(); v++) {
        vec sum = load(bias + v * LANES);
        for (int64_t place = 0; place < s.places(); place++)
            sum += live_gradient(dy + place * s.filters + v * LANES,
                                 load_winners(winners + place * s.lanes() + v * LANES),
                                 (s.places() - place) * s.filters - v * LANES, s.filters - v * LANES);
        store(bias + v * LANES, sum);
    }
}

// sums[channels / LANES][filters][taps][LANES] to panels [filters / 16][taps][channels][16].
void to_panels(const PooledShape& s, const float* sums, float* panels) {
    const int64_t taps = s.taps();
    for (int64_t f = 0; f < s.filters; f += 4)
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t c = 0; c < s.channels; c += 4) {
                const float* from = sums + ((c / LANES * s.filters + f) * taps + tap) * LANES + c % LANES;
                float* to = panels + ((f / PANEL * taps + tap) * s.channels + c) * PANEL + f % PANEL;
                if (f + 4 <= s.filters && c + 4 <= s.channels)
                    transpose_quads(from, taps * LANES, to, PANEL);
                else
                    for (int64_t i = 0; i < least(4, s.channels - c); i++)
                        for (int64_t j = 0; j < least(4, s.filters - f); j++)
                            to[i * PANEL + j] = from[j * taps * LANES + i];
            }
}

// Where things lie in the scratch memory of pooled_weight_gradient_many, in floats.
struct ManyScratch {
    int64_t blocks, sums, lists, counts, end;
    explicit ManyScratch(const PooledShape& s) {
        const int64_t channel_blocks = (s.channels + LANES - 1) / LANES;
        blocks = 0;
        sums = blocks + channel_blocks * s.view_h() * s.view_w() * LANES;
        lists = sums + channel_blocks * s.filters * s.taps() * LANES;
        counts = lists + 2 * (s.filters * s.places() + 1);
        end = counts + s.filters;
    }
};

}    // namespace

BEAK_EXPORT int64_t pooled_weight_gradient_few_scratch(const PooledWeightGradientArgs* args) {
    const PooledShape& s = args->shape;
    const int64_t quads = (s.view_h() - 1) * (s.view_w() - 1) * 4 + LANES;
    return (quads + s.view_h() * s.view_w() * s.channels) * 4;
}

// Windows 3x3 and 5x5. Parts split the images.
BEAK_KERNEL(pooled_weight_gradient_few, PooledWeightGradientArgs) {
    const PooledShape& s = args->shape;
    float* quads = reinterpret_cast<float*>(scratch);
    float* padded = quads + (s.view_h() - 1) * (s.view_w() - 1) * 4 + LANES;
    float* sums = args->partials + part * args->stride;
    memset(sums, 0, static_cast<size_t>(args->stride) * 4);
    const int64_t tap_step = s.channels * PANEL, row_step = s.window_w * tap_step;
    const Share images(s.images, part, parts);
    for (int64_t image = images.begin; image < images.end; image++) {
        const float* view = args->x + image * s.image_floats();
        int64_t pitch = s.in_w * s.channels;
        if (s.needs_padding(0, s.pooled_h)) {
            copy_view(s, view, 0, s.pooled_h, padded);
            view = padded;
            pitch = s.view_w() * s.channels;
        }
        const float* dy = args->dy + image * s.places() * s.filters;
        const uint8_t* winners = args->winners + image * s.places() * s.lanes();
        for (int64_t c = 0; c < s.channels; c++) {
            make_quads(view + c, pitch, s.channels, s.view_h() - 1, s.view_w() - 1, quads);
            for (int64_t v = 0; v < s.vectors(); v++) {
                float* to = sums + (v / VECTORS * s.taps() * s.channels + c) * PANEL + v % VECTORS * LANES;
                float* bias = c == 0 && args->bias_at >= 0 ? sums + args->bias_at + v * LANES : nullptr;
                if (s.window_h == 3) {
                    add_few<3, 3>(s, dy, winners, quads, 0, v, to, tap_step, bias);
                } else {
                    add_few<2, 5>(s, dy, winners, quads, 0, v, to, tap_step, bias);
                    add_few<2, 5>(s, dy, winners, quads, 2, v, to + 2 * row_step, tap_step, nullptr);
                    add_few<1, 5>(s, dy, winners, quads, 4, v, to + 4 * row_step, tap_step, nullptr);
                }
            }
        }
    }
}

BEAK_EXPORT int64_t pooled_weight_gradient_many_scratch(const PooledWeightGradientArgs* args) {
    return ManyScratch(args->shape).end * 4;
}

// Windows 3x3 and 5x5. Parts split the images.
BEAK_KERNEL(pooled_weight_gradient_many, PooledWeightGradientArgs) {
    const PooledShape& s = args->shape;
    const ManyScratch at(s);
    float* room = reinterpret_cast<float*>(scratch);
    float *blocks = room + at.blocks, *sums = room + at.sums;
    Live* lists = reinterpret_cast<Live*>(room + at.lists);
    int32_t* counts = reinterpret_cast<int32_t*>(room + at.counts);
    float* partial = args->partials + part * args->stride;
    memset(partial, 0, static_cast<size_t>(args->stride) * 4);
    memset(sums, 0, static_cast<size_t>(at.lists - at.sums) * 4);
    const int64_t pitch = s.view_w() * LANES;
    const Share images(s.images, part, parts);
    for (int64_t image = images.begin; image < images.end; image++) {
        const float* dy = args->dy + image * s.places() * s.filters;
        const uint8_t* winners = args->winners + image * s.places() * s.lanes();
        make_blocks(s, args->x + image * s.image_floats(), blocks);
        list_live(s, dy, winners, lists, counts);
        if (args->bias_at >= 0) add_bias(s, dy, winners, partial + args->bias_at);
        float* sum = sums;
        for (int64_t c = 0; c < s.channels; c += LANES) {
            const float* block = blocks + c * s.view_h() * s.view_w();
            for (int64_t f = 0; f < s.filters; f++, sum += s.taps() * LANES) {
                const Live* live = lists + f * s.places();
                if (s.window_h == 3) {
                    add_live<3, 3>(block, pitch, live, counts[f], sum);
                } else {
                    add_live<2, 5>(block, pitch, live, counts[f], sum);
                    add_live<2, 5>(block + 2 * pitch, pitch, live, counts[f], sum + 10 * LANES);
                    add_live<1, 5>(block + 4 * pitch, pitch, live, counts[f], sum + 20 * LANES);
                }
            }
        }
    }
    to_panels(s, sums, partial);
}
