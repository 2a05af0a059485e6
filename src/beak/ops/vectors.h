// What the kernels of several families share beyond native.h: choosing lanes, sums in double,
// walks over channels, and exponential functions that are right to a few units in the last place.
#pragma once
#include "native.h"
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace {

// As many doubles as a vec has floats, in two registers. (As one vector g++ 12 would convert it lane
// by lane, eight times slower.)
typedef float vec_half __attribute__((vector_size(LANES * 2)));
typedef double dvec_half __attribute__((vector_size(LANES * 4)));
struct dvec {
    dvec_half low, high;
};
inline dvec operator+(dvec a, dvec b) { return {a.low + b.low, a.high + b.high}; }
inline dvec operator-(dvec a, dvec b) { return {a.low - b.low, a.high - b.high}; }
inline dvec operator*(dvec a, dvec b) { return {a.low * b.low, a.high * b.high}; }
inline dvec everywhere(double x) { return {x - dvec_half{}, x - dvec_half{}}; }
inline dvec& operator+=(dvec& a, dvec b) { return a = a + b; }

inline dvec widen(vec v) {
    vec_half half[2];
    memcpy(half, &v, sizeof v);
    return {__builtin_convertvector(half[0], dvec_half), __builtin_convertvector(half[1], dvec_half)};
}
inline vec narrow(dvec v) {
    const vec_half half[2] = {__builtin_convertvector(v.low, vec_half), __builtin_convertvector(v.high, vec_half)};
    vec both;
    memcpy(&both, half, sizeof both);
    return both;
}

constexpr float INFINITE = __builtin_inff();
constexpr double NOT_A_NUMBER = __builtin_nan("");

inline vec select(ivec mask, vec yes, vec no) { return mask ? yes : no; }
inline ivec select(ivec mask, ivec yes, ivec no) { return mask ? yes : no; }

inline vec magnitude(vec x) { return (vec)((ivec)x & 0x7fffffff); }
inline vec with_sign_of(vec size, vec sign) {
    return (vec)(((ivec)size & 0x7fffffff) | ((ivec)sign & static_cast<int32_t>(0x80000000u)));
}

// a * b + c, rounded once where the CPU can. For sums of two products: left alone, the compiler
// fuses the one here and the other there, and equal sums differ between two copies of the code.
inline vec multiply_add(vec a, vec b, vec c) {
#if defined(__AVX512F__)
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

inline ivec lane_numbers() {
    ivec v{};
    UNROLL for (int i = 0; i < LANES; i++) v[i] = i;
    return v;
}

// As load_some, with `fill` in the lanes that are not there.
inline vec load_some_or(const float* from, int64_t count, float fill) {
    if (count >= LANES) return load(from);
    return select(lane_numbers() < static_cast<int32_t>(count), load_some(from, count), broadcast(fill));
}

inline double sum_lanes(dvec v) {
    const dvec_half both = v.low + v.high;
    double sum = 0;
    UNROLL for (int i = 0; i < LANES / 2; i++) sum += both[i];
    return sum;
}
inline float largest_lane(vec v) {
    float best = v[0];
    UNROLL for (int i = 1; i < LANES; i++) best = v[i] > best ? v[i] : best;
    return best;
}

// The first `count` lanes of a dvec from memory, zeros behind them; and back.
inline dvec load_doubles(const double* from, int64_t count) {
    dvec v;
    if (count >= LANES) {
        memcpy(&v, from, sizeof v);
        return v;
    }
    double lanes[LANES] = {};
    for (int64_t i = 0; i < count; i++) lanes[i] = from[i];
    memcpy(&v, lanes, sizeof v);
    return v;
}
inline void store_doubles(double* to, dvec v, int64_t count) {
    if (count >= LANES) {
        memcpy(to, &v, sizeof v);
        return;
    }
    double lanes[LANES];
    memcpy(lanes, &v, sizeof v);
    for (int64_t i = 0; i < count; i++) to[i] = lanes[i];
}

inline dvec first_lanes(dvec v, int64_t count) {
    if (count >= LANES) return v;
    double lanes[LANES] = {};
    store_doubles(lanes, v, count);
    return load_doubles(lanes, LANES);
}

// body(i, n) for i = begin, begin + LANES, ...: n lanes are there, fewer than LANES only at the end.
template <class Body>
inline void by_lanes(int64_t begin, int64_t end, Body body) {
    int64_t i = begin;
    for (; i + LANES <= end; i += LANES) body(i, int64_t{LANES});
    if (i < end) body(i, end - i);
}

// The largest of so many floats, -infinity of none; NaNs are passed over.
inline float largest_of(const float* x, int64_t count) {
    vec best = broadcast(-INFINITE);
    by_lanes(0, count, [&](int64_t i, int64_t n) {
        const vec v = load_some_or(x + i, n, -INFINITE);
        best = select(v > best, v, best);
    });
    return largest_lane(best);
}

// A part's share of `count` floats, in whole cache lines so that two parts seldom write to one.
inline Share share_of_floats(int64_t count, int64_t part, int64_t parts) {
    Share share(round_up(count, 16) / 16, part, parts);
    share.begin *= 16;
    share.end = least(share.end * 16, count);
    return share;
}

// A part's share of images x blocks of channels: body(image, first channel, channel behind the last).
// Each such piece is computed alike whatever the parts are.
constexpr int64_t CHANNEL_BLOCK = 64;
template <class Body>
inline void by_channel_blocks(int64_t images, int64_t channels, int64_t part, int64_t parts, Body body) {
    const int64_t blocks = (channels + CHANNEL_BLOCK - 1) / CHANNEL_BLOCK;
    const Share share(images * blocks, part, parts);
    for (int64_t i = share.begin; i < share.end; i++) {
        const int64_t first = i % blocks * CHANNEL_BLOCK;
        body(i / blocks, first, least(first + CHANNEL_BLOCK, channels));
    }
}

// e^x: NaN stays NaN, overflow is infinity. What would be less than 1.2e-38 is 0: denormal numbers
// cost a hundred times the rest.
inline vec exponential(vec x) {
    const float magic = 12582912.0f;    // 1.5 * 2^23: adding it rounds to an integer in the low bits
    vec t = select(x > 89.0f, broadcast(89.0f), x);
    t = select(t < -87.3f, broadcast(-87.3f), t);
    const vec shifted = t * 1.44269504f + magic;
    const vec n = shifted - magic;
    const vec r = t - n * 0.693359375f + n * 2.12194440e-4f;
    vec p = broadcast(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    const ivec k = (ivec)shifted - (ivec)broadcast(magic);
    const ivec half = k >> 1;    // 2^k in two factors, as 2^128 is not a float
    return select(x < -87.3f, vec{}, p * (vec)((half + 127) << 23) * (vec)((k - half + 127) << 23));
}

inline vec sigmoid(vec x) { return 1.0f / (1.0f + exponential(-x)); }

inline vec hyperbolic_tangent(vec x) {
    const vec size = magnitude(x);
    const vec z = size * size;
    vec p = broadcast(-5.70498872745e-3f);
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const vec near = p * z * size + size;
    const vec far = 1.0f - 2.0f / (exponential(2.0f * size) + 1.0f);
    return with_sign_of(select(size < 0.625f, near, far), x);
}

// The normal distribution's P(X <= x) = (1 + erf(x / sqrt 2)) / 2; the tails are not 1 - (1 - tail).
// The two polynomials are N. Juffa's for erff (each below 1 ulp), behind one another at 475/512.
inline vec normal_probability(vec x) {
    const vec z = x * 0.70710678f;
    const vec size = magnitude(z);
    const vec t = select(size > 4.0f, broadcast(4.0f), size);
    const vec s = z * z;
    vec near = broadcast(-5.96761703e-4f);
    near = near * s + 4.99119423e-3f;
    near = near * s - 2.67681349e-2f;
    near = near * s + 1.12819925e-1f;
    near = near * s - 3.76125336e-1f;
    near = near * s + 1.28379166e-1f;
    near = near * z + z;
    vec far = -1.72853470e-5f * t + 3.83197126e-4f;
    far = far * (t * t) + (-3.88396438e-3f * t + 2.42546219e-2f);
    far = far * t - 1.06777877e-1f;
    far = far * t - 6.34846687e-1f;
    far = far * t - 1.28717512e-1f;
    const vec tail = select(size > 4.0f, vec{}, 0.5f * exponential(far * t - t));
    const vec outside = select(z > 0.0f, 1.0f - tail, tail);
    return select(size > 0.927734375f, outside, 0.5f + 0.5f * near);
}

// The natural logarithm of a positive finite normal double (the method of fdlibm's log); NaN and
// infinity stay. Our own, so that the result does not hang on the C library's version.
inline double logarithm(double x) {
    if (!(x < __builtin_inf())) return x;
    uint64_t bits;
    memcpy(&bits, &x, 8);
    int64_t k = static_cast<int64_t>(bits >> 52) - 1023;
    bits = (bits & 0xfffffffffffffull) | (1023ull << 52);
    double m;
    memcpy(&m, &bits, 8);
    if (m > 1.4142135623730951) {
        m *= 0.5;
        k++;
    }
    const double f = m - 1, s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    double r = 1.479819860511658591e-01;
    r = r * z + 1.531383769920937332e-01;
    r = r * z + 1.818357216161805012e-01;
    r = r * z + 2.222219843214978396e-01;
    r = r * z + 2.857142874366239149e-01;
    r = r * z + 3.999999999940941908e-01;
    r = r * z + 6.666666666666735130e-01;
    const double n = static_cast<double>(k);
    return n * 6.93147180369123816490e-01 - ((half - (s * (half + r * z) + n * 1.90821492927058770002e-10)) - f);
}

}    // namespace
