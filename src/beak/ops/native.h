// What every kernel source includes: the calling convention and the vectors it computes with.
//
// A kernel is a plain C function
//     void name(const Args* args, int64_t part, int64_t parts, char* scratch)
// that does part `part` of `parts` of a call. Which part runs on which thread, and when, is the
// executor's affair (plan/executor.cc): parts must not write where another part reads or writes,
// and how a sum is split must follow from `parts` alone, never from the number of threads.
// `scratch` is 64-byte aligned memory of this thread, of the size that the call asked for.
//
// Tensors inside native plans are NHWC without padding between channels; a tensor of features is
// a 1x1 picture, a sequence (C, L) a picture of height 1. No templates of the standard library in
// kernel sources: the linker may merge one built for AVX-512 into the portable library.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BEAK_EXPORT extern "C" __attribute__((visibility("default")))
#define BEAK_KERNEL(name, Args) \
    BEAK_EXPORT void name(const Args* args, int64_t part, int64_t parts, [[maybe_unused]] char* scratch)
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));

inline vec load(const float* from) {
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}
inline void store(float* to, vec v) { memcpy(to, &v, sizeof v); }
inline vec broadcast(float x) { return x - vec{}; }    // x - 0 keeps the sign of -0 and every NaN

// The first `count` lanes (0..LANES) from memory, zeros behind them; nothing past them is read.
// (Copying a number of bytes known only at run time is a call, several times slower than this.)
inline vec load_some(const float* from, int64_t count) {
    if (count >= LANES) return load(from);
#if defined(__AVX512F__)
    return (vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#elif defined(__AVX__)
    return (vec)_mm256_maskload_ps(from, (__m256i)(ivec{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(count)));
#else
    vec v{};
    if (count > 0) v[0] = from[0];
    if (count > 1) v[1] = from[1];
    if (count > 2) v[2] = from[2];
    return v;
#endif
}
inline void store_some(float* to, vec v, int64_t count) {
    if (count >= LANES) return store(to, v);
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), (__m512)v);
#elif defined(__AVX__)
    _mm256_maskstore_ps(to, (__m256i)(ivec{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<int32_t>(count)), (__m256)v);
#else
    if (count > 0) to[0] = v[0];
    if (count > 1) to[1] = v[1];
    if (count > 2) to[2] = v[2];
#endif
}

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// body(Constant<n>{}) for a count n of 1 to MOST that is known only at run time: loops over it can then
// be unrolled, and their sums stay in registers.
template <int N>
struct Constant {
    static constexpr int value = N;
};
template <int MOST, class Body>
inline void as_constant(int64_t n, Body body) {
    if constexpr (MOST > 0) {
        if (n == MOST)
            body(Constant<MOST>{});
        else
            as_constant<MOST - 1>(n, body);
    }
}

// The half-open share [begin, end) of n things that part `part` of `parts` does.
struct Share {
    int64_t begin, end;
    Share(int64_t n, int64_t part, int64_t parts) : begin(n * part / parts), end(n * (part + 1) / parts) {}
};

}    // namespace
