// Winograd's algorithm along rows alone, F(7 - R, R) with R = 2 to 5, for windows of any height and
// width, stride 1: what forward and the gradients share.
//
// A tile is M = 7 - R neighbouring outputs of a row and the 6 inputs that they see. Rows of tiles and
// of filters are evaluated at the 6 points of Winograd<4> (winograd.h); there a convolution is a
// product, and what is summed over channels and over the window's rows a matrix product:
//     y = A' [(G g) * (B' x)],  dx = B [(G g) * (A dy)],  dg = G' [(A dy) * (B' x)].
// 6 products stand for M x R. A window wider than R columns is cut into pieces of R, the last one
// filled with zeros, whose sums are added: as if each were channels of its own, of a picture moved by
// R. A window's rows over the border are left out.
#pragma once
#include "vectors.h"
#include "winograd.h"

namespace {

constexpr int POINTS = 6;

template <int WIDTH>
struct Slide {
    static constexpr int R = WIDTH, M = POINTS + 1 - WIDTH;
    static constexpr float P = Winograd<4>::P, Q = Winograd<4>::Q;
    static constexpr float POWERS_P[5] = {1.0f, P, 0.5f, 0.5f * P, 0.25f};
    static constexpr float POWERS_Q[5] = {1.0f, Q, 2.0f, 2.0f * Q, 4.0f};

    static INLINE void data(const vec* d, vec* out) { Winograd<4>::data(d, out); }    // B'
    static INLINE void data_gradient(const vec* u, vec* d) {                          // B
        const vec even_p = u[1] + u[2], odd_p = u[1] - u[2], even_q = u[3] + u[4], odd_q = u[3] - u[4];
        d[0] = u[0];
        d[1] = u[5] - Q * odd_p - P * odd_q;
        d[2] = -2.5f * u[0] - 2.0f * even_p - 0.5f * even_q;
        d[3] = -2.5f * u[5] + P * odd_p + Q * odd_q;
        d[4] = u[0] + even_p + even_q;
        d[5] = u[5];
    }
    static INLINE void output(const vec* m, vec* y) {    // A'
        from_points<M>(m, 1.0f, 1.0f, y);
    }
    static INLINE void output_gradient(const vec* dy, vec* out) {    // A
        to_points<M>(dy, 1.0f, 1.0f, out);
    }
    static INLINE void filter(const vec* g, vec* u) {    // G
        to_points<R>(g, -2.0f / 3, 1.0f / 6, u);
    }
    static INLINE void filter_gradient(const vec* u, vec* g) {    // G'
        from_points<R>(u, -2.0f / 3, 1.0f / 6, g);
    }

private:
    // A polynomial of so many coefficients at the points, times `p` at +-P and `q` at +-Q.
    template <int COUNT>
    static INLINE void to_points(const vec* c, float p, float q, vec* out) {
        vec even_p{}, odd_p{}, even_q{}, odd_q{};
        UNROLL for (int k = 0; k < COUNT; k++) {
            (k % 2 ? odd_p : even_p) += p * POWERS_P[k] * c[k];
            (k % 2 ? odd_q : even_q) += q * POWERS_Q[k] * c[k];
        }
        out[0] = c[0];
        out[1] = even_p + odd_p;
        out[2] = even_p - odd_p;
        out[3] = even_q + odd_q;
        out[4] = even_q - odd_q;
        out[5] = c[COUNT - 1];
    }
    // The transposed sum.
    template <int COUNT>
    static INLINE void from_points(const vec* u, float p, float q, vec* c) {
        const vec even_p = u[1] + u[2], odd_p = u[1] - u[2], even_q = u[3] + u[4], odd_q = u[3] - u[4];
        UNROLL for (int k = 0; k < COUNT; k++)
            c[k] = (p * POWERS_P[k]) * (k % 2 ? odd_p : even_p) + (q * POWERS_Q[k]) * (k % 2 ? odd_q : even_q);
        c[0] += u[0];
        c[COUNT - 1] += u[5];
    }
};

// body(Slide<R>{}) for a piece's width known only at run time.
template <class Body>
inline void by_piece(int64_t width, Body body) {
    switch (width) {
        case 2: return body(Slide<2>{});
        case 3: return body(Slide<3>{});
        case 4: return body(Slide<4>{});
        default: return body(Slide<5>{});
    }
}

struct SlideShape {
    int64_t images, in_h, in_w, in_channels, out_h, out_w, out_channels;
    int64_t window_h, window_w, pad_top, pad_left;
    int64_t piece;    // R: columns of a piece of the window

    int64_t pieces() const { return (window_w + piece - 1) / piece; }
    int64_t image_floats() const { return in_h * in_w * in_channels; }
    int64_t out_floats() const { return out_h * out_w * out_channels; }
    // The window's rows [first, last) that lie in the picture, for a row of outputs.
    int64_t first_row(int64_t row) const { return most(0, pad_top - row); }
    int64_t last_row(int64_t row) const { return least(window_h, in_h + pad_top - row); }
};

// LINE for the tiles of a row, all channels: of tile t the FROM pixels from column t * M - pad on,
// point p to to[p * step + t * tile_step + 0..channels).
template <void (*LINE)(const vec*, vec*), int FROM, int M>
inline void transform_row(const float* row, int64_t width, int64_t channels, int64_t pad, int64_t tiles, float* to,
                          int64_t step, int64_t tile_step) {
    for (int64_t t = 0; t < tiles; t++, to += tile_step)
        by_lanes(0, channels, [&](int64_t c, int64_t n) INLINE_LAMBDA {
            vec d[FROM], out[POINTS];
            UNROLL for (int j = 0; j < FROM; j++) {
                const int64_t column = t * M - pad + j;
                d[j] = column >= 0 && column < width ? load_some(row + column * channels + c, n) : vec{};
            }
            LINE(d, out);
            UNROLL for (int p = 0; p < POINTS; p++) store_some(to + p * step + c, out[p], n);
        });
}

// Columns of a padded picture that the tiles of a row see.
template <class S>
int64_t columns_of(int64_t tiles) {
    return (tiles - 1) * S::M + POINTS;
}

// With so few channels a picture is turned first, so that transforms fill whole vectors.
inline bool is_turned(const SlideShape& s) { return s.in_channels < LANES; }

// Floats of a turned picture, none where it is not turned.
template <class S>
int64_t turned_floats(const SlideShape& s, int64_t tiles) {
    return is_turned(s) ? round_up(columns_of<S>(tiles) * s.in_h * s.pieces() * s.in_channels, PANEL) : 0;
}

// A padded picture as [column][row][piece][channel].
template <class S>
inline void turn_picture(const SlideShape& s, const float* image, int64_t tiles, float* to) {
    for (int64_t k = 0; k < columns_of<S>(tiles); k++)
        for (int64_t r = 0; r < s.in_h; r++)
            for (int64_t q = 0; q < s.pieces(); q++, to += s.in_channels) {
                const int64_t column = k - s.pad_left + q * S::R;
                const bool inside = column >= 0 && column < s.in_w;
                const float* from = image + (r * s.in_w + column) * s.in_channels;
                for (int64_t c = 0; c < s.in_channels; c++) to[c] = inside ? from[c] : 0.0f;
            }
}

// x of some images at the points: to[p * step] as [image][tile][row][piece][channel], so that what one
// output sees of a picture lies in one stretch. `turned` has room for turned_floats.
template <class S>
inline void transform_inputs(const SlideShape& s, const float* x, int64_t first, int64_t images, int64_t tiles,
                             float* turned, float* to, int64_t step) {
    const int64_t row_floats = s.pieces() * s.in_channels, tile = s.in_h * row_floats;
    for (int64_t i = 0; i < images; i++, to += tiles * tile) {
        const float* image = x + (first + i) * s.image_floats();
        if (is_turned(s)) {
            turn_picture<S>(s, image, tiles, turned);
            transform_row<S::data, POINTS, S::M>(turned, columns_of<S>(tiles), tile, 0, tiles, to, step, tile);
            continue;
        }
        for (int64_t r = 0; r < s.in_h; r++)
            for (int64_t q = 0; q < s.pieces(); q++)
                transform_row<S::data, POINTS, S::M>(image + r * s.in_w * s.in_channels, s.in_w, s.in_channels,
                                                     s.pad_left - q * S::R, tiles,
                                                     to + r * row_floats + q * s.in_channels, step, tile);
    }
}

}    // namespace
