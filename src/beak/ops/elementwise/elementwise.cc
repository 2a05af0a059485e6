// Sums and products of whole tensors, and work on channels: scaling, copying, summing.
#include "vectors.h"

namespace {

struct PairArgs {
    const float *a, *b;
    float* y;
    int64_t count;
};
struct MultiplyChannelsArgs {
    const float *x, *scale;
    float* y;
    int64_t images, places, channels;
};
struct MultiplyChannelsBackwardArgs {
    const float *x, *scale, *dy;
    float *dx, *dscale;
    int64_t images, places, channels;
};
struct CopyChannelsArgs {
    const float* x;
    float* y;
    int64_t rows, x_channels, y_channels, x_offset, y_offset, count;
};
struct PositionBiasArgs {
    const float *x, *bias;
    float* y;
    int64_t images, places, channels;
};
struct PositionBiasBackwardArgs {
    const float* dy;
    float* dbias;
    int64_t images, places, channels;
};
struct SumPartsArgs {
    const float* partials;
    float* y;
    int64_t partial_parts, count, stride;
};
struct FillArgs {
    float* y;
    int64_t count;
};

template <class F>
inline void map_pairs(const PairArgs& a, Share share, F f) {
    by_lanes(share.begin, share.end, [&](int64_t i, int64_t n) {
        store_some(a.y + i, f(load_some(a.a + i, n), load_some(a.b + i, n)), n);
    });
}

}    // namespace

// y may be a or b, and b may be a.
BEAK_KERNEL(add, PairArgs) {
    map_pairs(*args, share_of_floats(args->count, part, parts), [](vec a, vec b) { return a + b; });
}
// The sum, then ReLU: what ends a residual block.
BEAK_KERNEL(add_relu, PairArgs) {
    map_pairs(*args, share_of_floats(args->count, part, parts), [](vec a, vec b) {
        const vec sum = a + b;
        return select(sum <= 0.0f, vec{}, sum);
    });
}
BEAK_KERNEL(multiply, PairArgs) {
    map_pairs(*args, share_of_floats(args->count, part, parts), [](vec a, vec b) { return a * b; });
}

// Each channel of each image times one number; y may be x.
BEAK_KERNEL(multiply_channels, MultiplyChannelsArgs) {
    const int64_t channels = args->channels;
    const Share share(args->images * args->places, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const float* scale = args->scale + row / args->places * channels;
        const float* x = args->x + row * channels;
        float* y = args->y + row * channels;
        by_lanes(0, channels, [&](int64_t c, int64_t n) { store_some(y + c, load_some(x + c, n) * load_some(scale + c, n), n); });
    }
}

// dx may be dy. dscale: the sum over places of x dy.
BEAK_KERNEL(multiply_channels_backward, MultiplyChannelsBackwardArgs) {
    const int64_t channels = args->channels;
    by_channel_blocks(args->images, channels, part, parts, [&](int64_t image, int64_t first, int64_t last) {
        const int64_t start = image * args->places * channels;
        by_lanes(first, last, [&](int64_t c, int64_t n) {
            const vec scale = load_some(args->scale + image * channels + c, n);
            dvec sum{};
            for (int64_t at = start + c; at < start + c + args->places * channels; at += channels) {
                const vec dy = load_some(args->dy + at, n);
                sum += widen(load_some(args->x + at, n)) * widen(dy);
                store_some(args->dx + at, dy * scale, n);
            }
            store_some(args->dscale + image * channels + c, narrow(sum), n);
        });
    });
}

// Of each row `count` channels from x_offset on to y_offset on; what y has beside them stays.
BEAK_KERNEL(copy_channels, CopyChannelsArgs) {
    const CopyChannelsArgs& a = *args;
    const Share share(a.rows, part, parts);
    for (int64_t row = share.begin; row < share.end; row++)
        memcpy(a.y + row * a.y_channels + a.y_offset, a.x + row * a.x_channels + a.x_offset,
               static_cast<size_t>(a.count) * 4);
}

// To each place its own number, the same for all channels and images; y may be x.
BEAK_KERNEL(position_bias, PositionBiasArgs) {
    const int64_t channels = args->channels;
    const Share share(args->images * args->places, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const vec bias = broadcast(args->bias[row % args->places]);
        const float* x = args->x + row * channels;
        float* y = args->y + row * channels;
        by_lanes(0, channels, [&](int64_t c, int64_t n) { store_some(y + c, load_some(x + c, n) + bias, n); });
    }
}

// dbias: the sum over images and channels.
BEAK_KERNEL(position_bias_backward, PositionBiasBackwardArgs) {
    const int64_t channels = args->channels;
    const Share share(args->places, part, parts);
    for (int64_t place = share.begin; place < share.end; place++) {
        dvec sum{};
        for (int64_t image = 0; image < args->images; image++) {
            const float* dy = args->dy + (image * args->places + place) * channels;
            by_lanes(0, channels, [&](int64_t c, int64_t n) { sum += widen(load_some(dy + c, n)); });
        }
        args->dbias[place] = static_cast<float>(sum_lanes(sum));
    }
}

// y = the sum of partials[0], partials[1], ... in this order; partials lie `stride` floats apart.
BEAK_KERNEL(sum_parts, SumPartsArgs) {
    const Share share = share_of_floats(args->count, part, parts);
    by_lanes(share.begin, share.end, [&](int64_t i, int64_t n) {
        dvec sum{};
        for (int64_t p = 0; p < args->partial_parts; p++) sum += widen(load_some(args->partials + p * args->stride + i, n));
        store_some(args->y + i, narrow(sum), n);
    });
}

BEAK_KERNEL(fill_zero, FillArgs) {
    const Share share = share_of_floats(args->count, part, parts);
    if (share.begin < share.end) memset(args->y + share.begin, 0, static_cast<size_t>(share.end - share.begin) * 4);
}
