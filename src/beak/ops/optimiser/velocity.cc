// Gradient descent whose velocity holds the learning rate of its day, and RMSprop: as Keras.
#include "vectors.h"

namespace {

enum Setting { LEARNING_RATE, GRADIENT_SCALE = 3 };

struct VelocityArgs {
    float* parameters;
    const float* gradient;
    float* moment;
    const double* settings;
    int64_t count;
    double momentum;
    int64_t nesterov;
};
struct RmspropArgs {
    float* parameters;
    const float* gradient;
    float *moment1, *moment2, *mean;    // velocity (null: no momentum), mean square, mean (null: not centred)
    const double* settings;
    int64_t count;
    double rho, momentum, epsilon;
};

inline vec square_root(vec v) {
    UNROLL for (int i = 0; i < LANES; i++) v[i] = __builtin_sqrtf(v[i]);
    return v;
}

}    // namespace

BEAK_KERNEL(velocity, VelocityArgs) {
    const VelocityArgs& a = *args;
    const Share share = share_of_floats(a.count, part, parts);
    const float rate = static_cast<float>(a.settings[LEARNING_RATE] * a.settings[GRADIENT_SCALE]);
    const float momentum = static_cast<float>(a.momentum);
    by_lanes(share.begin, share.end, [&](int64_t i, int64_t n) {
        const vec step = rate * load_some(a.gradient + i, n);
        const vec m = momentum * load_some(a.moment + i, n) - step;
        store_some(a.moment + i, m, n);
        store_some(a.parameters + i, load_some(a.parameters + i, n) + (a.nesterov ? momentum * m - step : m), n);
    });
}

BEAK_KERNEL(rmsprop, RmspropArgs) {
    const RmspropArgs& a = *args;
    const Share share = share_of_floats(a.count, part, parts);
    const float rate = static_cast<float>(a.settings[LEARNING_RATE]), scale = static_cast<float>(a.settings[GRADIENT_SCALE]);
    const float rho = static_cast<float>(a.rho), rest = static_cast<float>(1.0 - a.rho);
    const float momentum = static_cast<float>(a.momentum), epsilon = static_cast<float>(a.epsilon);
    by_lanes(share.begin, share.end, [&](int64_t i, int64_t n) {
        const vec g = scale * load_some(a.gradient + i, n);
        const vec square = multiply_add(rest * g, g, rho * load_some(a.moment2 + i, n));
        store_some(a.moment2 + i, square, n);
        vec spread = square;
        if (a.mean) {
            const vec mean = rho * load_some(a.mean + i, n) + rest * g;
            store_some(a.mean + i, mean, n);
            spread = square - mean * mean;
        }
        vec step = rate * g / square_root(spread + broadcast(epsilon));
        if (a.moment1) {
            step = momentum * load_some(a.moment1 + i, n) + step;
            store_some(a.moment1 + i, step, n);
        }
        store_some(a.parameters + i, load_some(a.parameters + i, n) - step, n);
    });
}
