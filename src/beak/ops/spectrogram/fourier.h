// A Fourier transform of complex numbers for LANES frames at once: one frame a lane, in place.
#pragma once
#include "vectors.h"

namespace {

struct Complex {
    vec re, im;
};

// The stages of decimation in frequency: what stood at n becomes frequency k at places[k].
struct Fourier {
    const int32_t* radices;
    const float* turns;    // pairs (cos, sin), see tables.py
    int64_t stages, size;

    static inline void put(vec* re, vec* im, int64_t at, vec x, vec y, const float* turn) {
        const vec c = broadcast(turn[0]), s = broadcast(turn[1]);
        re[at] = multiply_add(x, c, -(y * s));
        im[at] = multiply_add(x, s, y * c);
    }

    void run(vec* re, vec* im) const {
        const float* turn = turns;
        int64_t block = size;
        for (int64_t stage = 0; stage < stages; stage++) {
            const int64_t radix = radices[stage], m = block / radix;
            for (int64_t begin = 0; begin < size; begin += block)
                switch (radix) {
                    case 4: four(re + begin, im + begin, m, turn); break;
                    case 2: two(re + begin, im + begin, m, turn); break;
                    case 3: odd<3>(re + begin, im + begin, m, turn); break;
                    default: odd<5>(re + begin, im + begin, m, turn);
                }
            turn += 2 * m * (radix - 1);
            block = m;
        }
    }

    static void two(vec* re, vec* im, int64_t m, const float* turn) {
        for (int64_t j = 0; j < m; j++, turn += 2) {
            const vec x = re[j] - re[j + m], y = im[j] - im[j + m];
            re[j] = re[j] + re[j + m];
            im[j] = im[j] + im[j + m];
            put(re, im, j + m, x, y, turn);
        }
    }

    static void four(vec* re, vec* im, int64_t m, const float* turn) {
        for (int64_t j = 0; j < m; j++, turn += 6) {
            const vec ar = re[j] + re[j + 2 * m], ai = im[j] + im[j + 2 * m];
            const vec br = re[j] - re[j + 2 * m], bi = im[j] - im[j + 2 * m];
            const vec cr = re[j + m] + re[j + 3 * m], ci = im[j + m] + im[j + 3 * m];
            const vec dr = im[j + m] - im[j + 3 * m], di = re[j + 3 * m] - re[j + m];    // times -i
            re[j] = ar + cr;
            im[j] = ai + ci;
            put(re, im, j + m, br + dr, bi + di, turn);
            put(re, im, j + 2 * m, ar - cr, ai - ci, turn + 2);
            put(re, im, j + 3 * m, br - dr, bi - di, turn + 4);
        }
    }

    // A plain transform of three or five numbers.
    template <int R>
    static void odd(vec* re, vec* im, int64_t m, const float* turn) {
        constexpr float C5[5] = {1.0f, 0.309016994f, -0.809016994f, -0.809016994f, 0.309016994f};
        constexpr float S5[5] = {0.0f, -0.951056516f, -0.587785252f, 0.587785252f, 0.951056516f};
        constexpr float C3[3] = {1.0f, -0.5f, -0.5f};
        constexpr float S3[3] = {0.0f, -0.866025404f, 0.866025404f};
        for (int64_t j = 0; j < m; j++, turn += 2 * (R - 1)) {
            vec x[R], y[R];
            UNROLL for (int p = 0; p < R; p++) {
                x[p] = re[j + p * m];
                y[p] = im[j + p * m];
            }
            UNROLL for (int q = 0; q < R; q++) {
                vec sx = x[0], sy = y[0];
                UNROLL for (int p = 1; p < R; p++) {
                    const float c = R == 3 ? C3[p * q % 3] : C5[p * q % 5], s = R == 3 ? S3[p * q % 3] : S5[p * q % 5];
                    sx = multiply_add(x[p], broadcast(c), multiply_add(y[p], broadcast(-s), sx));
                    sy = multiply_add(x[p], broadcast(s), multiply_add(y[p], broadcast(c), sy));
                }
                if (q == 0) {
                    re[j] = sx;
                    im[j] = sy;
                } else {
                    put(re, im, j + q * m, sx, sy, turn + 2 * (q - 1));
                }
            }
        }
    }
};

}    // namespace
