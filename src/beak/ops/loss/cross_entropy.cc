// Cross-entropy of logits, with class weights and label smoothing, as PyTorch's CrossEntropyLoss
// with the weighted mean: sum(losses) / total. If total is 0, gradients are 0 (PyTorch: NaN). A label
// outside the classes gives NaN.
#include "vectors.h"

namespace {

struct LabelWeightsArgs {
    const int32_t* labels;
    const float* class_weights;    // null: 1 each
    double* total;
    int64_t rows;
};
struct CrossEntropyArgs {
    const float* logits;
    const int32_t* labels;
    const float* class_weights;
    const double* total;
    double* losses;
    uint8_t* correct;
    float* dlogits;    // null: not wanted
    int64_t rows, classes;
    double smoothing;
};

// The row's largest logit, and the sum of e^(logit - largest).
struct Exponentials {
    float top;
    double sum;
};
inline Exponentials exponentials(const float* x, int64_t classes) {
    const float top = largest_of(x, classes);
    dvec sum{};
    by_lanes(0, classes, [&](int64_t c, int64_t n) {
        sum += widen(exponential(load_some_or(x + c, n, -INFINITE) - top));    // e^-infinity = 0 behind the end
    });
    return {top, sum_lanes(sum)};
}

// The first of the largest; a NaN is larger than all.
inline int64_t argmax(const float* x, int64_t classes) {
    int64_t best = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (x[c] != x[c]) return c;
        if (x[c] > x[best]) best = c;
    }
    return best;
}

inline vec weights_of(const CrossEntropyArgs& a, int64_t c, int64_t n) {
    return a.class_weights ? load_some(a.class_weights + c, n) : broadcast(1.0f);
}

// weight x loss, but a class of weight 0 counts nothing even where its loss is infinite.
inline double weighted(double weight, double loss) { return weight == 0 && loss == loss ? 0 : weight * loss; }
inline dvec_half weighted(dvec_half weight, dvec_half loss) {
    return ((weight == 0.0) & (loss == loss)) ? dvec_half{} : weight * loss;
}
inline dvec weighted(dvec weight, dvec loss) { return {weighted(weight.low, loss.low), weighted(weight.high, loss.high)}; }

// -sum over classes of weight x log probability, where log_sum is log(sum e^logit).
inline double smooth_loss(const CrossEntropyArgs& a, const float* x, double log_sum) {
    dvec sum{};
    by_lanes(0, a.classes, [&](int64_t c, int64_t n) {
        const dvec losses = everywhere(log_sum) - widen(load_some(x + c, n));
        sum += first_lanes(weighted(widen(weights_of(a, c, n)), losses), n);
    });
    return sum_lanes(sum);
}

// (probability x the weights' sum - weight) / total, where the weights are those of the loss:
// smoothing's, the same for each class but for its class weight, and the label's.
inline void write_gradient(const CrossEntropyArgs& a, const float* x, float* dx, int64_t label, double label_weight,
                           Exponentials e) {
    const double even = a.smoothing / static_cast<double>(a.classes);
    dvec weights{};
    by_lanes(0, a.classes, [&](int64_t c, int64_t n) {
        weights += first_lanes(widen(weights_of(a, c, n)), n);
    });
    const double all = even * sum_lanes(weights) + label_weight;
    const double one = *a.total == 0 ? 0 : 1 / *a.total;    // what one unit of weight is worth
    const double probability = all * one / e.sum, share = even * one;
    const double at_label = exponential(broadcast(x[label] - e.top))[0] * probability -
                            (share * (a.class_weights ? a.class_weights[label] : 1.0f) + label_weight * one);
    by_lanes(0, a.classes, [&](int64_t c, int64_t n) {
        const dvec p = widen(exponential(load_some(x + c, n) - e.top)) * everywhere(probability);
        store_some(dx + c, narrow(p - everywhere(share) * widen(weights_of(a, c, n))), n);
    });
    dx[label] = static_cast<float>(at_label);
}

}    // namespace

// total: the sum of the rows' class weights. One part does it.
BEAK_KERNEL(label_weights, LabelWeightsArgs) {
    if (part || !parts) return;
    double total = 0;
    for (int64_t row = 0; row < args->rows; row++)
        total += args->class_weights ? static_cast<double>(args->class_weights[args->labels[row]]) : 1.0;
    *args->total = total;
}

// losses: each example's, times its weight. correct: 1 where the first largest logit is the label's.
BEAK_KERNEL(cross_entropy, CrossEntropyArgs) {
    const CrossEntropyArgs& a = *args;
    const Share share(a.rows, part, parts);
    for (int64_t row = share.begin; row < share.end; row++) {
        const float* x = a.logits + row * a.classes;
        const int64_t label = a.labels[row];
        if (label < 0 || label >= a.classes) {
            a.losses[row] = NOT_A_NUMBER;
            a.correct[row] = 0;
            for (int64_t c = 0; a.dlogits && c < a.classes; c++) a.dlogits[row * a.classes + c] = static_cast<float>(NOT_A_NUMBER);
            continue;
        }
        const Exponentials e = exponentials(x, a.classes);
        const double log_sum = logarithm(e.sum) + e.top;
        const double label_weight = (1.0 - a.smoothing) * (a.class_weights ? a.class_weights[label] : 1.0f);
        double loss = weighted(label_weight, log_sum - x[label]);
        if (a.smoothing > 0) loss += a.smoothing / static_cast<double>(a.classes) * smooth_loss(a, x, log_sum);
        a.losses[row] = loss;
        a.correct[row] = argmax(x, a.classes) == label;
        if (a.dlogits) write_gradient(a, x, a.dlogits + row * a.classes, label, label_weight, e);
    }
}
