// Activation functions, element by element; the codes are the places in FUNCTIONS of kernels.py.
#include "vectors.h"

namespace {

enum Function { RELU, LEAKY_RELU, GELU, SILU, HARD_SWISH, TANH, SIGMOID };
struct ForwardArgs {
    const float* x;
    float* y;
    int64_t count, function;
    double slope;    // of leaky_relu
};
struct BackwardArgs {
    const float *x, *y, *dy;
    float* dx;
    int64_t count, function;
    double slope;
};

template <class F>
inline void map(const ForwardArgs& a, Share share, F f) {
    by_lanes(share.begin, share.end, [&](int64_t i, int64_t n) { store_some(a.y + i, f(load_some(a.x + i, n)), n); });
}

// f(v, dy) -> dx, where v is the value before or after the function, whichever the slope needs.
template <class F>
inline void map_back(const float* v, const BackwardArgs& a, Share share, F f) {
    by_lanes(share.begin, share.end, [&](int64_t i, int64_t n) {
        store_some(a.dx + i, f(load_some(v + i, n), load_some(a.dy + i, n)), n);
    });
}

inline vec hard_swish(vec x) {
    vec t = x + 3.0f;
    t = select(t < 0.0f, vec{}, t);
    return x * select(t > 6.0f, broadcast(6.0f), t) / 6.0f;
}
inline vec hard_swish_slope(vec x) {
    const vec inside = x * 0.33333334f + 0.5f;
    return select(x <= -3.0f, vec{}, select(x >= 3.0f, broadcast(1.0f), inside));
}
inline vec silu_slope(vec x) {
    const vec s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}
inline vec gelu_slope(vec x) {
    const vec density = 0.39894228f * exponential(-0.5f * x * x);
    return normal_probability(x) + x * density;
}

}    // namespace

// y may be x. NaN stays NaN.
BEAK_KERNEL(activation_forward, ForwardArgs) {
    const ForwardArgs& a = *args;
    const Share share = share_of_floats(a.count, part, parts);
    const float slope = static_cast<float>(a.slope);
    switch (a.function) {
        case RELU: return map(a, share, [](vec x) { return select(x <= 0.0f, vec{}, x); });
        case LEAKY_RELU: return map(a, share, [=](vec x) { return select(x > 0.0f, x, slope * x); });
        case GELU: return map(a, share, [](vec x) { return x * normal_probability(x); });
        case SILU: return map(a, share, [](vec x) { return x / (1.0f + exponential(-x)); });
        case HARD_SWISH: return map(a, share, hard_swish);
        case TANH: return map(a, share, hyperbolic_tangent);
        case SIGMOID: return map(a, share, sigmoid);
    }
}

// dx may be dy. x is read for gelu, silu and hard_swish only, y for the others only.
BEAK_KERNEL(activation_backward, BackwardArgs) {
    const BackwardArgs& a = *args;
    const Share share = share_of_floats(a.count, part, parts);
    const float slope = static_cast<float>(a.slope);
    switch (a.function) {
        case RELU: return map_back(a.y, a, share, [](vec y, vec dy) { return select(y <= 0.0f, vec{}, dy); });
        case LEAKY_RELU: return map_back(a.y, a, share, [=](vec y, vec dy) { return select(y > 0.0f, dy, slope * dy); });
        case GELU: return map_back(a.x, a, share, [](vec x, vec dy) { return dy * gelu_slope(x); });
        case SILU: return map_back(a.x, a, share, [](vec x, vec dy) { return dy * silu_slope(x); });
        case HARD_SWISH: return map_back(a.x, a, share, [](vec x, vec dy) { return dy * hard_swish_slope(x); });
        case TANH: return map_back(a.y, a, share, [](vec y, vec dy) { return dy * (1.0f - y * y); });
        case SIGMOID: return map_back(a.y, a, share, [](vec y, vec dy) { return dy * ((1.0f - y) * y); });
    }
}
