// Batch normalisation over the channels of rows (images x places). Sums are double, one partial
// for each part of the rows, put together in order by the *_finish kernels.
#include "vectors.h"

namespace {

struct StatisticsArgs {
    const float* x;
    double* partials;    // [parts][2][channels]: mean, sum of squared deviations from it
    int64_t rows, channels;
};
struct FinishArgs {
    const double* partials;
    float *mean, *inverse, *running_mean, *running_var;    // running ones may be null
    int64_t partial_parts, rows, channels;
    double epsilon, momentum;
};
struct InverseArgs {
    const float* variance;
    float* inverse;
    int64_t channels;
    double epsilon;
};
struct ApplyArgs {
    const float* x;
    float* y;
    const float *mean, *inverse, *weight, *bias;
    int64_t rows, channels, function;
};
struct AddArgs {
    const float *x, *other;
    float* y;
    const float *mean, *inverse, *weight, *bias;
    int64_t rows, channels, function;
};

constexpr int64_t ROWS_AT_ONCE = 32;    // stay in the first cache while one block of channels is done

// body(first row, last row, c, n): the rows in small groups, in each the channels LANES at a time.
template <class Body>
inline void by_groups(Share rows, int64_t channels, Body body) {
    for (int64_t row = rows.begin; row < rows.end; row += ROWS_AT_ONCE)
        by_lanes(0, channels, [&](int64_t c, int64_t n) { body(row, least(row + ROWS_AT_ONCE, rows.end), c, n); });
}

// The output before a fused ReLU, of one block of channels; the same bits wherever it is computed,
// so that backward can ask x which places the ReLU cut instead of reading y.
struct Output {
    vec mean, slope, bias;
    template <class Args>
    Output(const Args& a, int64_t c, int64_t n)
        : mean(load_some(a.mean + c, n)), slope(load_some(a.inverse + c, n) * load_some(a.weight + c, n)),
          bias(load_some(a.bias + c, n)) {}
    vec of(vec x) const { return (x - mean) * slope + bias; }
    // dy', the gradient before the ReLU: that of places which it cut is 0.
    vec gradient(vec x, vec dy) const { return select(of(x) <= 0.0f, vec{}, dy); }
};

inline float inverse_of(double variance, double epsilon) {
    return static_cast<float>(1.0 / __builtin_sqrt(variance + epsilon));
}

}    // namespace

// Deviations from the part's first row are summed: it is near enough to the mean for double, since
// its own deviation from the mean is part of the variance.
BEAK_KERNEL(batch_norm_statistics, StatisticsArgs) {
    const int64_t channels = args->channels;
    const Share share(args->rows, part, parts);
    double* mean = args->partials + part * 2 * channels;
    double* squares = mean + channels;
    memset(mean, 0, static_cast<size_t>(2 * channels) * 8);
    if (share.begin == share.end) return;
    const float* first = args->x + share.begin * channels;
    by_groups(share, channels, [&](int64_t row, int64_t last, int64_t c, int64_t n) {
        const dvec shift = widen(load_some(first + c, n));
        dvec sum = load_doubles(mean + c, n), square = load_doubles(squares + c, n);
        for (; row < last; row++) {
            const dvec d = widen(load_some(args->x + row * channels + c, n)) - shift;
            sum += d;
            square += d * d;
        }
        store_doubles(mean + c, sum, n);
        store_doubles(squares + c, square, n);
    });
    const double rows = static_cast<double>(share.end - share.begin);
    for (int64_t c = 0; c < channels; c++) {
        const double off = mean[c] / rows, left = squares[c] - off * mean[c];
        mean[c] = first[c] + off;
        squares[c] = left < 0 ? 0 : left;
    }
}

// mean and 1 / sqrt(variance + epsilon) of all parts (Chan), and the running averages, into which
// the unbiased variance goes (of one row there is none: the running one stays).
BEAK_KERNEL(batch_norm_finish, FinishArgs) {
    const FinishArgs& a = *args;
    const Share share(a.channels, part, parts);
    for (int64_t c = share.begin; c < share.end; c++) {
        double rows = 0, mean = 0, squares = 0;
        for (int64_t p = 0; p < a.partial_parts; p++) {
            const Share those(a.rows, p, a.partial_parts);
            const double more = static_cast<double>(those.end - those.begin);
            if (more == 0) continue;
            const double off = a.partials[p * 2 * a.channels + c] - mean;
            squares += a.partials[(p * 2 + 1) * a.channels + c] + off * off * rows * more / (rows + more);
            mean += off * more / (rows + more);
            rows += more;
        }
        a.mean[c] = static_cast<float>(mean);
        a.inverse[c] = inverse_of(rows > 0 ? squares / rows : 0, a.epsilon);
        if (!a.running_mean || rows == 0) continue;
        a.running_mean[c] = static_cast<float>((1 - a.momentum) * a.running_mean[c] + a.momentum * mean);
        if (rows < 2) continue;
        const double unbiased = squares / (rows - 1);
        a.running_var[c] = static_cast<float>((1 - a.momentum) * a.running_var[c] + a.momentum * unbiased);
    }
}

BEAK_KERNEL(batch_norm_inverse, InverseArgs) {
    const Share share(args->channels, part, parts);
    for (int64_t c = share.begin; c < share.end; c++) args->inverse[c] = inverse_of(args->variance[c], args->epsilon);
}

// y = (x - mean) inverse weight + bias, then ReLU if function is 0. y may be x.
BEAK_KERNEL(batch_norm_apply, ApplyArgs) {
    const ApplyArgs& a = *args;
    by_groups(Share(a.rows, part, parts), a.channels, [&](int64_t row, int64_t last, int64_t c, int64_t n) {
        const Output output(a, c, n);
        for (; row < last; row++) {
            vec y = output.of(load_some(a.x + row * a.channels + c, n));
            if (a.function == 0) y = select(y <= 0.0f, vec{}, y);
            store_some(a.y + row * a.channels + c, y, n);
        }
    });
}

// The same plus another tensor, before the ReLU: what ends a residual block. y may be other.
BEAK_KERNEL(batch_norm_add, AddArgs) {
    const AddArgs& a = *args;
    by_groups(Share(a.rows, part, parts), a.channels, [&](int64_t row, int64_t last, int64_t c, int64_t n) {
        const Output output(a, c, n);
        for (; row < last; row++) {
            const int64_t at = row * a.channels + c;
            vec y = output.of(load_some(a.x + at, n)) + load_some(a.other + at, n);
            if (a.function == 0) y = select(y <= 0.0f, vec{}, y);
            store_some(a.y + at, y, n);
        }
    });
}

namespace {

struct BackwardSumsArgs {
    const float *x, *dy, *mean, *inverse, *weight, *bias;
    double* partials;    // [parts][2][channels]: sum of dy', sum of dy' x normalised x
    int64_t rows, channels, function;
};
struct AddSumsArgs {
    const float *x, *y, *dy, *mean, *inverse;
    float* g;            // dy', the gradient of both summands; may be dy
    double* partials;    // as above
    int64_t rows, channels;
};
struct BackwardFinishArgs {
    const double* partials;
    float *dweight, *dbias;
    int64_t partial_parts, channels;
};
struct BackwardApplyArgs {
    const float *x, *dy;
    float* dx;
    const float *mean, *inverse, *weight, *bias, *dweight, *dbias;
    int64_t rows, channels, function, training;
};

}    // namespace

BEAK_KERNEL(batch_norm_backward_sums, BackwardSumsArgs) {
    const BackwardSumsArgs& a = *args;
    double* sums = a.partials + part * 2 * a.channels;
    double* products = sums + a.channels;
    memset(sums, 0, static_cast<size_t>(2 * a.channels) * 8);
    by_groups(Share(a.rows, part, parts), a.channels, [&](int64_t row, int64_t last, int64_t c, int64_t n) {
        const vec mean = load_some(a.mean + c, n), inverse = load_some(a.inverse + c, n);
        const Output output(a, c, n);
        dvec sum = load_doubles(sums + c, n), product = load_doubles(products + c, n);
        for (; row < last; row++) {
            const int64_t at = row * a.channels + c;
            const vec x = load_some(a.x + at, n);
            vec dy = load_some(a.dy + at, n);
            if (a.function == 0) dy = output.gradient(x, dy);
            sum += widen(dy);
            product += widen(dy * ((x - mean) * inverse));
        }
        store_doubles(sums + c, sum, n);
        store_doubles(products + c, product, n);
    });
}

// Of batch_norm_add with a ReLU, whose output y says which places it cut: their dy' is 0.
BEAK_KERNEL(batch_norm_add_backward_sums, AddSumsArgs) {
    const AddSumsArgs& a = *args;
    double* sums = a.partials + part * 2 * a.channels;
    double* products = sums + a.channels;
    memset(sums, 0, static_cast<size_t>(2 * a.channels) * 8);
    by_groups(Share(a.rows, part, parts), a.channels, [&](int64_t row, int64_t last, int64_t c, int64_t n) {
        const vec mean = load_some(a.mean + c, n), inverse = load_some(a.inverse + c, n);
        dvec sum = load_doubles(sums + c, n), product = load_doubles(products + c, n);
        for (; row < last; row++) {
            const int64_t at = row * a.channels + c;
            const vec dy = select(load_some(a.y + at, n) <= 0.0f, vec{}, load_some(a.dy + at, n));
            store_some(a.g + at, dy, n);
            sum += widen(dy);
            product += widen(dy * ((load_some(a.x + at, n) - mean) * inverse));
        }
        store_doubles(sums + c, sum, n);
        store_doubles(products + c, product, n);
    });
}

// Also finishes layer_norm_backward, whose partials lie alike.
BEAK_KERNEL(batch_norm_backward_finish, BackwardFinishArgs) {
    const int64_t channels = args->channels;
    const Share share(channels, part, parts);
    for (int64_t c = share.begin; c < share.end; c++) {
        double dbias = 0, dweight = 0;
        for (int64_t p = 0; p < args->partial_parts; p++) {
            dbias += args->partials[p * 2 * channels + c];
            dweight += args->partials[(p * 2 + 1) * channels + c];
        }
        args->dbias[c] = static_cast<float>(dbias);
        args->dweight[c] = static_cast<float>(dweight);
    }
}

// dx may be dy. training 0: mean and inverse are constants, dweight and dbias are not read.
BEAK_KERNEL(batch_norm_backward_apply, BackwardApplyArgs) {
    const BackwardApplyArgs& a = *args;
    const float rows = static_cast<float>(a.rows);
    by_groups(Share(a.rows, part, parts), a.channels, [&](int64_t row, int64_t last, int64_t c, int64_t n) {
        const vec mean = load_some(a.mean + c, n), inverse = load_some(a.inverse + c, n);
        const Output output(a, c, n);
        const vec offset = a.training ? load_some(a.dbias + c, n) / rows : vec{};
        const vec tilt = a.training ? inverse * load_some(a.dweight + c, n) / rows : vec{};
        for (; row < last; row++) {
            const int64_t at = row * a.channels + c;
            const vec x = load_some(a.x + at, n);
            vec g = load_some(a.dy + at, n);
            if (a.function == 0) g = output.gradient(x, g);
            if (a.training) g = g - offset - (x - mean) * tilt;
            store_some(a.dx + at, output.slope * g, n);
        }
    });
}
