// Weight and bias gradients of convolution + ReLU + max pooling 2x2, for few input channels: vectors of
// filters go over all places, and a permutation picks the pixel that each filter's winner looked at.
#include "pooled_gradient.h"

namespace {

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

// The pixel of a quad that each lane's winner picks. Reading no more than the quad keeps the load
// within a cache line.
inline vec pick(const float* quad, ivec winner) {
#if defined(__AVX512F__)
    return (vec)_mm512_maskz_permutevar_ps(0xffff, _mm512_maskz_broadcast_f32x4(0xffff, _mm_loadu_ps(quad)), (__m512i)winner);
#elif defined(__AVX__)
    return (vec)_mm256_permutevar_ps(_mm256_broadcast_ps(reinterpret_cast<const __m128*>(quad)), (__m256i)winner);
#else
    return shuffle(load(quad), winner);
#endif
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
                    sum[h][w] += pick(place + h * pitch + w * 4, winner) * g;
        }
    }
    UNROLL for (int h = 0; h < HIGH; h++)
        UNROLL for (int w = 0; w < WIDE; w++) store(sums + (h * WIDE + w) * tap_step, sum[h][w]);
    if (bias) store(bias, load(bias) + bias_sum);
}

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
