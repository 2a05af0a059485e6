// Convolution of stride 1, bias, ReLU and max pooling 2x2 in one: what its kernels share.
//
// Only outputs that the pool uses are computed, and nothing between input and pooled output is
// written. What backward needs is one byte a pooled value, the winner:
//     winners[images][pooled_h][pooled_w][filters rounded up to 16]
// 0-3 is the cell of the pool's window that won (row by row; of equals the first, the last NaN
// before every number, as max_pool_forward), DEAD a pooled value that the ReLU cut off (no gradient passes). Bytes
// behind the last filter are written but mean nothing.
#pragma once
#include "tile.h"
#include "transpose.h"
#include "vectors.h"

namespace {

constexpr int32_t DEAD = 4;

struct PooledShape {
    int64_t images, in_h, in_w, channels, pooled_h, pooled_w, filters, window_h, window_w, pad_top, pad_left;

    int64_t places() const { return pooled_h * pooled_w; }
    int64_t lanes() const { return round_up(filters, PANEL); }    // a place's winners
    int64_t vectors() const { return (filters + LANES - 1) / LANES; }
    int64_t taps() const { return window_h * window_w; }
    int64_t image_floats() const { return in_h * in_w * channels; }
    // What the windows of so many pooled rows see of a padded picture.
    int64_t view_h(int64_t rows) const { return 2 * rows + window_h - 1; }
    int64_t view_h() const { return view_h(pooled_h); }
    int64_t view_w() const { return 2 * pooled_w + window_w - 1; }
    bool needs_padding(int64_t first_row, int64_t rows) const {
        return pad_left || view_w() > in_w || 2 * first_row < pad_top ||
               2 * first_row - pad_top + view_h(rows) > in_h;
    }
    int64_t most_rows(int64_t bands) const { return (pooled_h + bands - 1) / bands; }
};

// body(view row, picture row, view column, picture column, pixels): a view's stretches of pixels
// that lie in the picture; pixels is 0 for rows of padding alone.
template <class Body>
inline void by_view_rows(const PooledShape& s, int64_t first_row, int64_t rows, Body body) {
    const int64_t top = 2 * first_row - s.pad_top, skip = most(0, -s.pad_left), start = most(0, s.pad_left);
    const int64_t count = most(0, least(s.in_w - skip, s.view_w() - start));
    for (int64_t row = 0; row < s.view_h(rows); row++) {
        const int64_t y = top + row;
        body(row, y, start, skip, y < 0 || y >= s.in_h ? 0 : count);
    }
}

// The padded view of a band of pooled rows, in scratch: [view_h][view_w][channels].
inline void copy_view(const PooledShape& s, const float* image, int64_t first_row, int64_t rows, float* view) {
    const int64_t pitch = s.view_w() * s.channels;
    by_view_rows(s, first_row, rows, [&](int64_t row, int64_t y, int64_t start, int64_t skip, int64_t pixels) {
        float* to = view + row * pitch;
        if (pixels == 0) {
            memset(to, 0, static_cast<size_t>(pitch) * 4);
            return;
        }
        memset(to, 0, static_cast<size_t>(start * s.channels) * 4);
        memcpy(to + start * s.channels, image + (y * s.in_w + skip) * s.channels,
               static_cast<size_t>(pixels * s.channels) * 4);
        memset(to + (start + pixels) * s.channels, 0, static_cast<size_t>(pitch - (start + pixels) * s.channels) * 4);
    });
}

struct Pooled {
    vec value;
    ivec winner;
};

// The four cells of a window to its pooled value. `poison` becomes NaN where a cell may be NaN or
// infinite: then pool_exactly has to be asked again, for this one may have lost a NaN.
inline Pooled pool(vec a, vec b, vec c, vec d, vec& poison) {
    poison += ((a + b) + (c + d)) * 0.0f;
    const vec top = select(b > a, b, a), bottom = select(d > c, d, c), best = select(bottom > top, bottom, top);
    const ivec not_a = a != best, not_b = not_a & (b != best), not_c = not_b & (c != best);
    const ivec dead = best <= 0.0f, cell = not_a + not_b + not_c;    // 0 to -3
    return {(vec)((ivec)best & ~dead), -((cell & ~dead) + (dead << 2))};
}

inline Pooled pool_exactly(vec a, vec b, vec c, vec d) {
    const vec cells[4] = {a, b, c, d};
    vec best = a;
    ivec winner{};
    UNROLL for (int i = 1; i < 4; i++) {
        const ivec better = (cells[i] > best) | (cells[i] != cells[i]);
        best = select(better, cells[i], best);
        winner = select(better, ivec{} + i, winner);
    }
    const ivec dead = best <= 0.0f;
    return {select(dead, vec{}, best), select(dead, ivec{} + DEAD, winner)};
}

inline bool has_nan(vec v) {
    bool found = false;
    for (int i = 0; i < LANES; i++) found |= v[i] != v[i];
    return found;
}

// Lane i becomes lane index[i] of v, counted modulo the lanes. (Clang has no __builtin_shuffle.)
inline vec shuffle(vec v, ivec index) {
#if !defined(__clang__)
    return __builtin_shuffle(v, index);
#elif defined(__AVX512F__)
    return (vec)_mm512_permutexvar_ps((__m512i)index, (__m512)v);
#elif defined(__AVX2__)
    return (vec)_mm256_permutevar8x32_ps((__m256)v, (__m256i)index);
#else
    vec out{};
    UNROLL for (int i = 0; i < LANES; i++) out[i] = v[index[i] & (LANES - 1)];
    return out;
#endif
}

// Winners' bytes to and from lanes. (g++ 12 takes __builtin_convertvector apart, byte by byte.)
typedef uint8_t bytes_of_vec __attribute__((vector_size(LANES * 4)));
typedef int64_t wide_lanes __attribute__((vector_size(LANES * 4)));

inline bytes_of_vec shuffle_bytes(bytes_of_vec v, bytes_of_vec from) {
#if defined(__clang__)
    bytes_of_vec out{};
    UNROLL for (int i = 0; i < LANES * 4; i++) out[i] = v[from[i]];
    return out;
#else
    return __builtin_shuffle(v, from);
#endif
}
inline void store_winners(uint8_t* to, ivec winner) {
#if defined(__AVX512F__)
    const __m128i packed = _mm512_maskz_cvtepi32_epi8(0xffff, (__m512i)winner);    // without a mask g++ 12 warns
    memcpy(to, &packed, LANES);
#else
    bytes_of_vec low_bytes{};
    UNROLL for (int i = 0; i < LANES; i++) low_bytes[i] = static_cast<uint8_t>(4 * i);
    const bytes_of_vec packed = shuffle_bytes((bytes_of_vec)winner, low_bytes);
    memcpy(to, &packed, LANES);
#endif
}
inline ivec load_winners(const uint8_t* from) {
#if defined(__AVX512F__)
    __m128i v;
    memcpy(&v, from, LANES);
    return (ivec)_mm512_maskz_cvtepu8_epi32(0xffff, v);
#else
    bytes_of_vec repeated, spread{};
    if constexpr (LANES == 8) {
        int64_t all;
        memcpy(&all, from, 8);
        repeated = (bytes_of_vec)(wide_lanes{} + all);
    } else {
        int32_t all;
        memcpy(&all, from, 4);
        repeated = (bytes_of_vec)(ivec{} + all);
    }
    UNROLL for (int i = 0; i < LANES * 4; i++) spread[i] = static_cast<uint8_t>(i / 16 * 16 + i / 4 % 8);
    return (ivec)shuffle_bytes(repeated, spread) & 0xff;
#endif
}

}    // namespace
