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

constexpr int64_t FAR = 1 << 20;    // places further out than this are as far out as this

inline int64_t floor_of(float x) {
    if (!(x > -FAR)) return -FAR;    // a NaN ends here too
    if (x >= FAR) return FAR;
    const int64_t whole = static_cast<int64_t>(x);
    return whole - (x < static_cast<float>(whole));
}

// Where a place's four neighbours lie in a channel's plane, -1 for "background", and their weights.
struct Neighbours {
    int64_t at[4];
    float weight[4];
};

inline Neighbours neighbours(const WarpArgs* a, float x, float y) {
    const int64_t left = floor_of(x), top = floor_of(y);
    const float right_part = x - static_cast<float>(left), low_part = y - static_cast<float>(top);
    Neighbours n;
    n.weight[0] = (1 - low_part) * (1 - right_part);
    n.weight[1] = (1 - low_part) * right_part;
    n.weight[2] = low_part * (1 - right_part);
    n.weight[3] = low_part * right_part;
    if (left >= 0 && top >= 0 && left + 1 < a->width && top + 1 < a->height) {
        const int64_t first = top * a->width + left;
        n.at[0] = first;
        n.at[1] = first + 1;
        n.at[2] = first + a->width;
        n.at[3] = first + a->width + 1;
        return n;
    }
    for (int64_t i = 0; i < 4; i++) {
        const int64_t row = top + i / 2, column = left + i % 2;
        const int64_t inside_row = most(0, least(row, a->height - 1));
        const int64_t inside_column = most(0, least(column, a->width - 1));
        const bool outside = row != inside_row || column != inside_column;
        n.at[i] = outside && a->background >= 0 ? -1 : inside_row * a->width + inside_column;
        // A weight of 0 or 1 at a far place must not become NaN or spill: it is cut to 0..1.
        n.weight[i] = n.weight[i] > 0 ? (n.weight[i] < 1 ? n.weight[i] : 1) : 0;
    }
    return n;
}

inline float value_at(const uint8_t* plane, const Neighbours& n, float background) {
    float value = 0;
    UNROLL for (int i = 0; i < 4; i++)
        value += n.weight[i] * (n.at[i] >= 0 ? static_cast<float>(plane[n.at[i]]) : background);
    return value;
}

inline float cut(float value) { return value > 0 ? (value < 255 ? value : 255) : 0; }

void warp_one(const WarpArgs* a, int64_t example) {
    const int64_t c = a->channels, plane = a->height * a->width;
    const uint8_t* picture = a->pictures + a->rows[example] * c * plane;
    const float* m = a->places + example * 6;
    const float* colours = a->colours + example * c * (c + 1);
    float* out = a->out + example * c * plane;
    const float background = static_cast<float>(a->background);
    for (int64_t row = 0; row < a->height; row++) {
        for (int64_t column = 0; column < a->width; column++) {
            const float fx = static_cast<float>(column), fy = static_cast<float>(row);
            const Neighbours n =
                neighbours(a, m[0] * fx + m[1] * fy + m[2], m[3] * fx + m[4] * fy + m[5]);
            float* to = out + row * a->width + column;
            if (c == 1) {
                const float mixed = cut(colours[0] * value_at(picture, n, background) + colours[1]);
                *to = mixed * a->gain[0] + a->offset[0];
            } else if (c == 3) {
                float values[3];
                UNROLL for (int i = 0; i < 3; i++)
                    values[i] = value_at(picture + i * plane, n, background);
                UNROLL for (int i = 0; i < 3; i++) {
                    const float* mix = colours + i * 4;
                    const float mixed =
                        cut(mix[0] * values[0] + mix[1] * values[1] + mix[2] * values[2] + mix[3]);
                    to[i * plane] = mixed * a->gain[i] + a->offset[i];
                }
            } else {
                for (int64_t i = 0; i < c; i++) {
                    float sum = colours[i * (c + 1) + c];
                    for (int64_t j = 0; j < c; j++)
                        sum += colours[i * (c + 1) + j] * value_at(picture + j * plane, n, background);
                    to[i * plane] = cut(sum) * a->gain[i] + a->offset[i];
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

BEAK_KERNEL(warp_bytes, WarpArgs) {
    const Share share(args->batch, part, parts);
    for (int64_t example = share.begin; example < share.end; example++) warp_one(args, example);
}
