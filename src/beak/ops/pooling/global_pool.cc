// Pooling over all places of an image: the largest and the mean of each channel.
#include "vectors.h"

namespace {

struct GlobalMaxForwardArgs {
    const float* x;
    float* y;
    int32_t* winner;
    int64_t images, places, channels;
};
struct GlobalMaxBackwardArgs {
    float* dx;
    const float* dy;
    const int32_t* winner;
    int64_t images, places, channels;
};
struct GlobalAvgForwardArgs {
    const float* x;
    float* y;
    int64_t images, places, channels;
};
struct GlobalAvgBackwardArgs {
    float* dx;
    const float* dy;
    int64_t images, places, channels;
};

}    // namespace

// winner, if wanted: the place of each maximum; the first of equals, the last NaN if there is one.
BEAK_KERNEL(global_max_forward, GlobalMaxForwardArgs) {
    const int64_t channels = args->channels;
    by_channel_blocks(args->images, channels, part, parts, [&](int64_t image, int64_t first, int64_t last) {
        const float* x = args->x + image * args->places * channels;
        by_lanes(first, last, [&](int64_t c, int64_t n) {
            vec best = broadcast(-INFINITE);
            ivec which{};
            for (int64_t place = 0; place < args->places; place++) {
                const vec v = load_some(x + place * channels + c, n);
                const ivec better = (v > best) | (v != v);
                best = select(better, v, best);
                which = select(better, ivec{} + static_cast<int32_t>(place), which);
            }
            store_some(args->y + image * channels + c, best, n);
            if (args->winner) memcpy(args->winner + image * channels + c, &which, static_cast<size_t>(n) * 4);
        });
    });
}

BEAK_KERNEL(global_max_backward, GlobalMaxBackwardArgs) {
    const int64_t channels = args->channels;
    by_channel_blocks(args->images, channels, part, parts, [&](int64_t image, int64_t first, int64_t last) {
        float* dx = args->dx + image * args->places * channels;
        by_lanes(first, last, [&](int64_t c, int64_t n) {
            const vec dy = load_some(args->dy + image * channels + c, n);
            ivec which{};
            memcpy(&which, args->winner + image * channels + c, static_cast<size_t>(n) * 4);
            for (int64_t place = 0; place < args->places; place++)
                store_some(dx + place * channels + c, select(which == static_cast<int32_t>(place), dy, vec{}), n);
        });
    });
}

BEAK_KERNEL(global_avg_forward, GlobalAvgForwardArgs) {
    const int64_t channels = args->channels;
    by_channel_blocks(args->images, channels, part, parts, [&](int64_t image, int64_t first, int64_t last) {
        const float* x = args->x + image * args->places * channels;
        by_lanes(first, last, [&](int64_t c, int64_t n) {
            dvec sum{};
            for (int64_t place = 0; place < args->places; place++) sum += widen(load_some(x + place * channels + c, n));
            store_some(args->y + image * channels + c, narrow(sum * everywhere(1.0 / static_cast<double>(args->places))), n);
        });
    });
}

BEAK_KERNEL(global_avg_backward, GlobalAvgBackwardArgs) {
    const int64_t channels = args->channels;
    by_channel_blocks(args->images, channels, part, parts, [&](int64_t image, int64_t first, int64_t last) {
        float* dx = args->dx + image * args->places * channels;
        by_lanes(first, last, [&](int64_t c, int64_t n) {
            const vec share = load_some(args->dy + image * channels + c, n) / static_cast<float>(args->places);
            for (int64_t place = 0; place < args->places; place++) store_some(dx + place * channels + c, share, n);
        });
    });
}
