// What a kernel's speed is measured against (test_speed_floor.py): one scalar sum after the other.
#include <cstdint>

// y[n][out][out][filters] = the sums over x[n][side][side][channels] and w[filters][k][k][channels],
// without padding.
extern "C" void plain_convolution(const float* x, const float* w, float* y, int64_t images, int64_t side,
                                  int64_t channels, int64_t filters, int64_t k) {
    const int64_t out = side - k + 1;
    for (int64_t n = 0; n < images; n++)
        for (int64_t row = 0; row < out; row++)
            for (int64_t column = 0; column < out; column++)
                for (int64_t f = 0; f < filters; f++) {
                    float sum = 0;
                    for (int64_t i = 0; i < k; i++)
                        for (int64_t j = 0; j < k * channels; j++)
                            sum += x[((n * side + row + i) * side + column) * channels + j] *
                                   w[(f * k + i) * k * channels + j];
                    *y++ = sum;
                }
}

// ReLU and the largest of each 2x2 window of y[n][side][side][filters], side even.
extern "C" void plain_pool(const float* y, float* pooled, int64_t images, int64_t side, int64_t filters) {
    for (int64_t n = 0; n < images; n++)
        for (int64_t row = 0; row < side; row += 2)
            for (int64_t column = 0; column < side; column += 2)
                for (int64_t f = 0; f < filters; f++) {
                    float best = 0;
                    for (int64_t cell = 0; cell < 4; cell++) {
                        const int64_t place = (n * side + row + cell / 2) * side + column + cell % 2;
                        if (y[place * filters + f] > best) best = y[place * filters + f];
                    }
                    *pooled++ = best;
                }
}
