// Resizing one picture of bytes with prepared triangle weights: see reference.py for what it means.
#include "native.h"

namespace {

struct ResizeArgs {
    const uint8_t* pixels;      // (height, width, channels)
    uint8_t* out;               // channel planes, each of rows of which `new_width` bytes are written
    const int32_t* first_row;    // (new_height,)
    const int32_t* row_weights;    // (new_height, row_taps) in 4096ths
    const int32_t* first_column;    // (new_width,)
    const int32_t* column_weights;    // (new_width, column_taps)
    int64_t height, width, channels, new_height, new_width, row_taps, column_taps;
    int64_t row_stride, plane_stride;    // of out, in bytes
};

// Down the columns: one output row of all columns, kept in 16ths of a level.
void down(const ResizeArgs* a, int64_t row, int32_t* sums, uint16_t* between) {
    const int64_t n = a->width * a->channels;
    for (int64_t i = 0; i < n; i++) sums[i] = 128;
    const int32_t* weights = a->row_weights + row * a->row_taps;
    for (int64_t tap = 0; tap < a->row_taps; tap++) {
        const int32_t weight = weights[tap];
        if (!weight) continue;
        const uint8_t* from = a->pixels + (a->first_row[row] + tap) * n;
        for (int64_t i = 0; i < n; i++) sums[i] += weight * from[i];
    }
    for (int64_t i = 0; i < n; i++) between[i] = static_cast<uint16_t>(sums[i] >> 8);
}

void along(const ResizeArgs* a, const uint16_t* between, uint8_t* out) {
    const int64_t c = a->channels;
    for (int64_t x = 0; x < a->new_width; x++) {
        const int32_t* weights = a->column_weights + x * a->column_taps;
        const int64_t taps = least(a->column_taps, a->width - a->first_column[x]);
        const uint16_t* from = between + a->first_column[x] * c;
        for (int64_t channel = 0; channel < c; channel++) {
            int32_t sum = 1 << 15;
            for (int64_t tap = 0; tap < taps; tap++) sum += weights[tap] * from[tap * c + channel];
            out[channel * a->plane_stride + x] = static_cast<uint8_t>(sum >> 16);
        }
    }
}

}    // namespace

BEAK_EXPORT int64_t resize_scratch(const ResizeArgs* a) {
    return (a->width * a->channels + 16) * 6;
}

BEAK_KERNEL(resize_bytes, ResizeArgs) {
    const Share rows(args->new_height, part, parts);
    int32_t* sums = reinterpret_cast<int32_t*>(scratch);
    uint16_t* between = reinterpret_cast<uint16_t*>(sums + round_up(args->width * args->channels, 16));
    for (int64_t row = rows.begin; row < rows.end; row++) {
        down(args, row, sums, between);
        along(args, between, args->out + row * args->row_stride);
    }
}
