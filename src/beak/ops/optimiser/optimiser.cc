// One step of SGD and Adam over flat parameters, with weight averaging; formulas as torch.optim.
#include "vectors.h"

namespace {

// settings, double[8], change from step to step and lie outside the arguments.
enum Setting { LEARNING_RATE, CORRECTION1, CORRECTION2, GRADIENT_SCALE, AVERAGE_DECAY, STEP, EPSILON_SCALE };

struct SgdArgs {
    float* parameters;
    const float* gradient;
    float *moment, *average;    // null: no momentum, no average
    const double* settings;
    int64_t count;
    double momentum;
    int64_t nesterov;
    double decay;
};
struct SgdRowsArgs {
    float* parameters;
    const float* gradient;
    float *moment, *average;
    const double* settings;
    const int32_t* listed;    // [count]: the rows that the batch touched
    const int64_t* count;
    int64_t* averaged;        // by row, the step that its average is up to date with
    int64_t row;
    double momentum;
    int64_t nesterov;
    double decay;
};
struct AdamArgs {
    float* parameters;
    const float* gradient;
    float *moment1, *moment2, *average;
    const double* settings;
    int64_t count;
    double beta1, beta2, epsilon, decay;
    int64_t decoupled;
};
struct AdamRowsArgs {
    float* parameters;
    const float* gradient;
    float *moment1, *moment2, *average;
    const double* settings;
    const int32_t* listed;    // [count]: the rows that the batch touched
    const int64_t* count;
    int64_t* averaged;        // by row, the step that its average is up to date with
    int64_t row;
    double beta1, beta2, epsilon, decay;
    int64_t decoupled;
};

template <class Args>
inline void follow(const Args& a, int64_t begin, int64_t end) {
    if (!a.average) return;
    const float keep = static_cast<float>(a.settings[AVERAGE_DECAY]);
    const float take = static_cast<float>(1.0 - a.settings[AVERAGE_DECAY]);
    by_lanes(begin, end, [&](int64_t i, int64_t n) {
        const vec part = keep * load_some(a.average + i, n);
        store_some(a.average + i, multiply_add(broadcast(take), load_some(a.parameters + i, n), part), n);
    });
}

template <class Args>
inline void sgd_step(const Args& a, int64_t begin, int64_t end) {
    const float rate = static_cast<float>(a.settings[LEARNING_RATE]), scale = static_cast<float>(a.settings[GRADIENT_SCALE]);
    const float decay = static_cast<float>(a.decay), momentum = static_cast<float>(a.momentum);
    by_lanes(begin, end, [&](int64_t i, int64_t n) {
        const vec p = load_some(a.parameters + i, n);
        vec step = multiply_add(broadcast(decay), p, scale * load_some(a.gradient + i, n));
        if (a.moment) {
            const vec m = momentum * load_some(a.moment + i, n) + step;
            store_some(a.moment + i, m, n);
            step = a.nesterov ? step + momentum * m : m;
        }
        store_some(a.parameters + i, p - rate * step, n);
    });
}

inline vec square_root(vec v) {
    UNROLL for (int i = 0; i < LANES; i++) v[i] = __builtin_sqrtf(v[i]);
    return v;
}

template <class Args>
inline void adam_step(const Args& a, int64_t begin, int64_t end) {
    const double learning_rate = a.settings[LEARNING_RATE];
    const float rate = static_cast<float>(learning_rate / a.settings[CORRECTION1]);
    const float root = static_cast<float>(1.0 / __builtin_sqrt(a.settings[CORRECTION2]));
    const float scale = static_cast<float>(a.settings[GRADIENT_SCALE]);
    const float epsilon = static_cast<float>(a.epsilon * a.settings[EPSILON_SCALE]);
    const float shrink = a.decoupled ? static_cast<float>(1.0 - learning_rate * a.decay) : 1.0f;
    const float decay = a.decoupled ? 0.0f : static_cast<float>(a.decay);
    const float beta2 = static_cast<float>(a.beta2);
    const float rest1 = static_cast<float>(1.0 - a.beta1), rest2 = static_cast<float>(1.0 - a.beta2);
    by_lanes(begin, end, [&](int64_t i, int64_t n) {
        const vec p = load_some(a.parameters + i, n);
        const vec g = multiply_add(broadcast(decay), p, scale * load_some(a.gradient + i, n));
        const vec before = load_some(a.moment1 + i, n);
        const vec m = before + rest1 * (g - before);
        const vec v = multiply_add(rest2 * g, g, beta2 * load_some(a.moment2 + i, n));
        store_some(a.moment1 + i, m, n);
        store_some(a.moment2 + i, v, n);
        store_some(a.parameters + i, shrink * p - rate * m / (root * square_root(v) + epsilon), n);
    });
}

// keep^steps by repeated squaring: the same bits everywhere.
inline double power(double keep, int64_t steps) {
    double result = 1;
    for (; steps > 0; steps /= 2, keep *= keep)
        if (steps % 2) result *= keep;
    return result;
}

// The average of a row whose weights have stood still for so many steps, in one go:
//     average = parameters + decay^steps (average - parameters)
template <class Args>
inline void catch_up(const Args& a, int64_t steps, int64_t begin, int64_t end) {
    if (steps <= 0) return;
    const float keep = static_cast<float>(power(a.settings[AVERAGE_DECAY], steps));
    by_lanes(begin, end, [&](int64_t i, int64_t n) {
        const vec p = load_some(a.parameters + i, n);
        store_some(a.average + i, p + keep * (load_some(a.average + i, n) - p), n);
    });
}

// Rows that no example touched keep weights and moments; their average follows when they are
// touched again (or read), so that a step's work does not grow with the rows.
template <class Args, class Step>
inline void by_listed_rows(const Args& a, int64_t part, int64_t parts, Step step) {
    const Share share(*a.count, part, parts);
    const int64_t now = static_cast<int64_t>(a.settings[STEP]);
    for (int64_t n = share.begin; n < share.end; n++) {
        const int64_t row = a.listed[n], begin = row * a.row, end = begin + a.row;
        if (a.average) {
            catch_up(a, now - 1 - a.averaged[row], begin, end);
            a.averaged[row] = now;
        }
        step(begin, end);
        follow(a, begin, end);
    }
}

}    // namespace

BEAK_KERNEL(sgd, SgdArgs) {
    const Share share = share_of_floats(args->count, part, parts);
    sgd_step(*args, share.begin, share.end);
    follow(*args, share.begin, share.end);
}

BEAK_KERNEL(sgd_rows, SgdRowsArgs) {
    by_listed_rows(*args, part, parts, [&](int64_t begin, int64_t end) { sgd_step(*args, begin, end); });
}

BEAK_KERNEL(adam, AdamArgs) {
    const Share share = share_of_floats(args->count, part, parts);
    adam_step(*args, share.begin, share.end);
    follow(*args, share.begin, share.end);
}

BEAK_KERNEL(adam_rows, AdamRowsArgs) {
    by_listed_rows(*args, part, parts, [&](int64_t begin, int64_t end) { adam_step(*args, begin, end); });
}
