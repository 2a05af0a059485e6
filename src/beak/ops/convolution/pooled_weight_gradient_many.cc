// Weight and bias gradients of convolution + ReLU + max pooling 2x2, for many input channels: a list
// of live places for each filter, and vectors of channels that are added up along it.
#include "pooled_gradient.h"

namespace {

struct Live {
    int32_t offset;    // of the winner's window in a block of channels
    float gradient;
};

// Window rows [0, HIGH) of one filter and one block of LANES channels, over the live places.
template <int HIGH, int WIDE>
inline void add_live(const float* block, int64_t pitch, const Live* live, int64_t count, float* sums) {
    vec sum[HIGH][WIDE];
    const float* row[HIGH];
    UNROLL for (int h = 0; h < HIGH; h++) {
        row[h] = block + h * pitch;
        UNROLL for (int w = 0; w < WIDE; w++) sum[h][w] = vec{};
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t offset = live[i].offset;
        const vec g = broadcast(live[i].gradient);
        UNROLL for (int h = 0; h < HIGH; h++)
            UNROLL for (int w = 0; w < WIDE; w++) sum[h][w] += load(row[h] + offset + w * LANES) * g;
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
                transpose(from, least(4, s.filters - f), least(4, s.channels - c), taps * LANES, to, PANEL);
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
