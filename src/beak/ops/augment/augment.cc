// Moving and recolouring a batch of pictures of bytes into the network's input: see reference.py.
#include "native.h"

namespace {

struct WarpArgs {
    const uint8_t* pictures;    // (any number, channels, height, width)
    const int64_t* rows;        // (batch,) which picture each example is
    const float* places;        // (batch, 2, 3)
    const float* colours;       // (batch, channels, channels + 1)
    const int64_t* erased;      // (batch, 4) first row, first column, row and column behind the last
    const float* gain;          // (channels,)
    const float* offset;        // (channels,)
    float* out;                 // (batch, channels, height, width)
    int64_t batch, channels, height, width, background;    // background -1: the edge goes on
};

constexpr int BLOCK = 64;            // columns that are worked on together
constexpr float FAR = 1 << 20;       // places further out than this are as far out as this

// For BLOCK output columns: where the four neighbours lie in a channel's plane, their weights, and
// what the background adds for those that lie outside (their own weight is then 0).
struct Neighbours {
    int32_t at[4][BLOCK];
    float weight[4][BLOCK];
    float fill[BLOCK];
};

inline float within(float x, float low, float high) { return x > low ? (x < high ? x : high) : low; }
inline int32_t within(int32_t x, int32_t low, int32_t high) {
    x = x > low ? x : low;
    return x < high ? x : high;
}
inline int32_t floor_of(float x) {
    const int32_t whole = static_cast<int32_t>(x);
    return whole - (x < static_cast<float>(whole));
}

void find(const WarpArgs* a, const float* m, float row, int64_t first, int64_t count,
          Neighbours* __restrict n) {
    const int32_t height = static_cast<int32_t>(a->height), width = static_cast<int32_t>(a->width);
    const float background = a->background >= 0 ? static_cast<float>(a->background) : 0;
    const float keep = a->background >= 0 ? 0.f : 1.f;    // the weight of a neighbour outside
    const float x0 = m[1] * row + m[2], y0 = m[4] * row + m[5], dx = m[0], dy = m[3];
    for (int32_t i = 0; i < static_cast<int32_t>(count); i++) {
        const float column = static_cast<float>(static_cast<int32_t>(first) + i);
        const float x = within(dx * column + x0, -FAR, FAR);    // a NaN ends at -FAR
        const float y = within(dy * column + y0, -FAR, FAR);
        const int32_t left = floor_of(x), top = floor_of(y);
        const float right_part = x - static_cast<float>(left), low_part = y - static_cast<float>(top);
        const int32_t x1 = within(left, 0, width - 1), x2 = within(left + 1, 0, width - 1);
        const int32_t y1 = within(top, 0, height - 1), y2 = within(top + 1, 0, height - 1);
        const float in_x1 = x1 == left ? 1.f : keep, in_x2 = x2 == left + 1 ? 1.f : keep;
        const float in_y1 = y1 == top ? 1.f : keep, in_y2 = y2 == top + 1 ? 1.f : keep;
        const float w1 = (1 - right_part) * in_x1, w2 = right_part * in_x2;
        const float v1 = (1 - low_part) * in_y1, v2 = low_part * in_y2;
        n->at[0][i] = y1 * width + x1;
        n->at[1][i] = y1 * width + x2;
        n->at[2][i] = y2 * width + x1;
        n->at[3][i] = y2 * width + x2;
        n->weight[0][i] = v1 * w1;
        n->weight[1][i] = v1 * w2;
        n->weight[2][i] = v2 * w1;
        n->weight[3][i] = v2 * w2;
        n->fill[i] = background * (1 - (v1 + v2) * (w1 + w2));
    }
}

// Floats, not bytes: of those a vector of neighbours can be gathered.
void read(const float* __restrict plane, const Neighbours* __restrict n, int64_t count,
          float* __restrict values) {
    for (int64_t i = 0; i < count; i++) {
        const float upper = n->weight[0][i] * plane[n->at[0][i]] + n->weight[1][i] * plane[n->at[1][i]];
        const float lower = n->weight[2][i] * plane[n->at[2][i]] + n->weight[3][i] * plane[n->at[3][i]];
        values[i] = upper + lower + n->fill[i];
    }
}

template <int64_t c>
void warp_one(const WarpArgs* a, int64_t example, float* __restrict picture) {
    const int64_t plane = a->height * a->width;
    const uint8_t* __restrict bytes = a->pictures + a->rows[example] * c * plane;
    for (int64_t i = 0; i < c * plane; i++) picture[i] = bytes[i];
    const float* colours = a->colours + example * c * (c + 1);
    float* out = a->out + example * c * plane;
    Neighbours n;
    float values[c][BLOCK];
    for (int64_t row = 0; row < a->height; row++) {
        for (int64_t first = 0; first < a->width; first += BLOCK) {
            const int64_t count = least(BLOCK, a->width - first);
            // Whole vectors: what lies beyond the width is found and read inside, and not written.
            const int64_t whole = (count + 15) / 16 * 16;
            find(a, a->places + example * 6, static_cast<float>(row), first, whole, &n);
            for (int64_t i = 0; i < c; i++) read(picture + i * plane, &n, whole, values[i]);
            for (int64_t i = 0; i < c; i++) {
                float mix[c + 1];
                UNROLL for (int64_t j = 0; j <= c; j++) mix[j] = colours[i * (c + 1) + j];
                const float gain = a->gain[i], offset = a->offset[i];
                float* __restrict to = out + i * plane + row * a->width + first;
                for (int64_t x = 0; x < count; x++) {
                    float sum = mix[c];
                    UNROLL for (int64_t j = 0; j < c; j++) sum += mix[j] * values[j][x];
                    to[x] = within(sum, 0.f, 255.f) * gain + offset;
                }
            }
        }
    }
    const int64_t* e = a->erased + example * 4;
    for (int64_t i = 0; i < c; i++)
        for (int64_t row = most(0, e[0]); row < least(a->height, e[2]); row++)
            for (int64_t column = most(0, e[1]); column < least(a->width, e[3]); column++)
                out[i * plane + row * a->width + column] = 0;
}

}    // namespace

BEAK_EXPORT int64_t warp_scratch(const WarpArgs* a) {
    return a->channels * a->height * a->width * static_cast<int64_t>(sizeof(float));
}

BEAK_KERNEL(warp_bytes, WarpArgs) {
    const Share share(args->batch, part, parts);
    float* picture = reinterpret_cast<float*>(scratch);
    for (int64_t example = share.begin; example < share.end; example++) switch (args->channels) {
        case 1: warp_one<1>(args, example, picture); break;
        case 2: warp_one<2>(args, example, picture); break;
        case 3: warp_one<3>(args, example, picture); break;
        default: warp_one<4>(args, example, picture);
        }
}
