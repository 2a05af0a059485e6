// Log-mel spectrograms, LANES frames at a time, and their gradient by the samples: see reference.py.
#include "fourier.h"

namespace {

struct LogMelArgs {
    const float* samples;    // (images, length)
    const float* dy;         // (images, frames, bands); backward only
    float* out;              // (images, frames, bands), or the gradient (images, length)
    const float* window;     // (fft,), and the other tables of tables.py
    const int32_t* radices;
    const float* turns;
    const int32_t* places;
    const float* halves;
    const int32_t* first;
    const int32_t* taps;
    const float* weights;    // (bands, row)
    int64_t images, length, frames, fft, hop, bands, row, stages;
    double floor;

    int64_t half() const { return fft / 2; }
    int64_t bins() const { return fft / 2 + 1; }
    int64_t groups() const { return (frames + LANES - 1) / LANES; }
    Fourier fourier() const { return {radices, turns, stages, fft / 2}; }
};

// ln x of positive floats, right to 2 units in the last place (Cephes' polynomial); infinity and NaN stay.
inline vec natural_log(vec x) {
    const ivec bits = (ivec)x;
    ivec exponent = (bits >> 23) - 126;
    vec m = (vec)((bits & 0x007fffff) | 0x3f000000);
    const ivec small = m < 0.707106781f;
    exponent = exponent + small;    // a mask is -1
    m = select(small, m + m, m) - 1.0f;
    const vec z = m * m;
    vec p = broadcast(7.0376836292e-2f);
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    const vec e = __builtin_convertvector(exponent, vec);
    const vec y = m * z * p + e * -2.12194440e-4f - 0.5f * z;
    return select(x < INFINITE, m + y + e * 0.693359375f, x);
}

// One sample of LANES frames, hop apart; frames behind the last one repeat it.
struct Gather {
    ivec at;
    Gather(int64_t hop, int64_t count) {
        UNROLL for (int i = 0; i < LANES; i++) at[i] = static_cast<int32_t>(least(i, count - 1) * hop);
    }
    vec from(const float* x) const {
#if defined(__AVX512F__)
        return (vec)_mm512_mask_i32gather_ps(__m512{}, 0xffff, (__m512i)at, x, 4);    // all: g++ 12 warns of the plain one
#elif defined(__AVX2__)
        return (vec)_mm256_i32gather_ps(x, (__m256i)at, 4);
#else
        vec v{};
        UNROLL for (int i = 0; i < LANES; i++) v[i] = x[at[i]];
        return v;
#endif
    }
};

// The samples under the window as fft/2 complex numbers, transformed.
void transform(const LogMelArgs* a, const float* x, const Gather& gather, vec* re, vec* im) {
    for (int64_t n = 0; n < a->half(); n++) {
        const float w0 = a->window[2 * n], w1 = a->window[2 * n + 1];
        re[n] = w0 != 0 ? gather.from(x + 2 * n) * w0 : vec{};    // beside the window nothing is read
        im[n] = w1 != 0 ? gather.from(x + 2 * n + 1) * w1 : vec{};
    }
    a->fourier().run(re, im);
}

// Frequencies k and fft/2 - k of the real samples from the half transform: body(k, X[k], X[fft/2 - k]).
template <class Body>
inline void by_pairs(const LogMelArgs* a, const vec* re, const vec* im, Body body) {
    const int64_t half = a->half();
    for (int64_t k = 0; 2 * k <= half; k++) {
        const int64_t p = a->places[k], q = a->places[k ? half - k : 0];
        const vec er = 0.5f * (re[p] + re[q]), ei = 0.5f * (im[p] - im[q]);
        const vec or_ = 0.5f * (im[p] + im[q]), oi = 0.5f * (re[q] - re[p]);
        const vec c = broadcast(a->halves[2 * k]), s = broadcast(a->halves[2 * k + 1]);
        const vec tr = multiply_add(or_, c, -(oi * s)), ti = multiply_add(or_, s, oi * c);
        body(k, Complex{er + tr, ei + ti}, Complex{er - tr, ti - ei});
    }
}

inline vec power(Complex x) { return multiply_add(x.re, x.re, x.im * x.im); }

inline vec band_sum(const LogMelArgs* a, int64_t band, const vec* powers) {
    const float* w = a->weights + band * a->row;
    const vec* p = powers + a->first[band];
    vec sum{};
    for (int64_t t = 0; t < a->taps[band]; t++) sum = multiply_add(p[t], broadcast(w[t]), sum);
    return sum;
}

void forward_group(const LogMelArgs* a, int64_t image, int64_t frame, vec* re) {
    vec* im = re + a->half();
    vec* powers = im + a->half();
    const int64_t count = least(LANES, a->frames - frame);
    const float* x = a->samples + image * a->length + frame * a->hop;
    transform(a, x, Gather(a->hop, count), re, im);
    by_pairs(a, re, im, [&](int64_t k, Complex low, Complex high) {
        powers[k] = power(low);
        powers[a->half() - k] = power(high);
    });
    const float floor = static_cast<float>(a->floor);
    float* out = a->out + (image * a->frames + frame) * a->bands;
    for (int64_t band = 0; band < a->bands; band++) {
        const vec y = natural_log(band_sum(a, band, powers) + floor);
        for (int64_t i = 0; i < count; i++) out[i * a->bands + band] = y[i];
    }
}

// The gradient by each frequency's power: what each band passes on.
void power_gradients(const LogMelArgs* a, const float* dy, int64_t count, const vec* powers, vec* slopes) {
    const float floor = static_cast<float>(a->floor);
    for (int64_t k = 0; k < a->bins(); k++) slopes[k] = vec{};
    for (int64_t band = 0; band < a->bands; band++) {
        vec by_mel{};
        for (int64_t i = 0; i < count; i++) by_mel[i] = dy[i * a->bands + band];
        by_mel = by_mel / (band_sum(a, band, powers) + floor);
        const float* w = a->weights + band * a->row;
        for (int64_t t = 0; t < a->taps[band]; t++) {
            vec& slope = slopes[a->first[band] + t];
            slope = multiply_add(by_mel, broadcast(w[t]), slope);
        }
    }
}

// Back from frequencies H[k] (k up to fft/2, those above mirrored) to real numbers: prepares the
// complex numbers whose transform, with real and imaginary parts changed over, holds them in pairs.
void halve(const LogMelArgs* a, const Complex* h, vec* re, vec* im) {
    const int64_t half = a->half();
    for (int64_t k = 0; k < half; k++) {
        const Complex low = h[k], high = h[half - k];
        const vec er = low.re + high.re, ei = low.im - high.im;
        const vec dr = low.re - high.re, di = low.im + high.im;
        const bool mirrored = 2 * k > half;    // e^(i(pi - t)) = -cos t + i sin t
        const float c = a->halves[2 * (mirrored ? half - k : k)], s = -a->halves[2 * (mirrored ? half - k : k) + 1];
        const vec cos = broadcast(mirrored ? -c : c), sin = broadcast(s);
        const vec orr = multiply_add(dr, cos, -(di * sin)), oii = multiply_add(dr, sin, di * cos);
        re[k] = er - oii;
        im[k] = ei + orr;
    }
}

void backward_group(const LogMelArgs* a, int64_t image, int64_t frame, vec* re) {
    const int64_t half = a->half(), count = least(LANES, a->frames - frame);
    vec* im = re + half;
    vec* powers = im + half;
    vec* slopes = powers + a->bins();
    Complex* spectrum = reinterpret_cast<Complex*>(slopes + a->bins());
    transform(a, a->samples + image * a->length + frame * a->hop, Gather(a->hop, count), re, im);
    by_pairs(a, re, im, [&](int64_t k, Complex low, Complex high) {
        spectrum[half - k] = high;
        spectrum[k] = low;
        powers[k] = power(low);
        powers[half - k] = power(high);
    });
    power_gradients(a, a->dy + (image * a->frames + frame) * a->bands, count, powers, slopes);
    for (int64_t k = 0; k <= half; k++) {
        const bool alone = k == 0 || k == half;    // the others share their gradient with a mirror image
        const vec slope = slopes[k] * (alone ? 2.0f : 1.0f);
        spectrum[k] = {spectrum[k].re * slope, alone ? vec{} : spectrum[k].im * slope};
    }
    halve(a, spectrum, re, im);
    a->fourier().run(im, re);
    for (int64_t i = 0; i < count; i++) {
        float* to = a->out + image * a->length + (frame + i) * a->hop;
        for (int64_t n = 0; n < half; n++) {
            const int64_t at = a->places[n];
            to[2 * n] += re[at][i] * a->window[2 * n];
            to[2 * n + 1] += im[at][i] * a->window[2 * n + 1];
        }
    }
}

}    // namespace

BEAK_EXPORT int64_t log_mel_scratch(const LogMelArgs* a) {
    return (a->fft + 4 * a->bins() + 2) * static_cast<int64_t>(sizeof(vec));
}

BEAK_KERNEL(log_mel_forward, LogMelArgs) {
    const Share share(args->images * args->groups(), part, parts);
    for (int64_t i = share.begin; i < share.end; i++)
        forward_group(args, i / args->groups(), i % args->groups() * LANES, reinterpret_cast<vec*>(scratch));
}

// A part does whole images: frames overlap, and their gradients are added in the frames' order.
BEAK_KERNEL(log_mel_backward, LogMelArgs) {
    const Share share(args->images, part, parts);
    for (int64_t image = share.begin; image < share.end; image++) {
        memset(args->out + image * args->length, 0, static_cast<size_t>(args->length) * sizeof(float));
        for (int64_t frame = 0; frame < args->frames; frame += LANES)
            backward_group(args, image, frame, reinterpret_cast<vec*>(scratch));
    }
}
