// The weight gradient by Winograd's algorithm along rows (slide.h): rows of x and of dy are
// transformed, multiplied and added up at each point and row of the window, and the sums transformed
// back once.
#include "slide.h"

namespace {

struct SlideGradientArgs {
    const float* x;
    const float* dy;
    float* partials;    // [parts][stride]: a part's sums, filters as forward has them, then bias
    SlideShape shape;
    int64_t together;    // so many images are transformed before they are multiplied
    int64_t stride, bias_at;    // bias_at: where the bias sums begin in a part, or -1
};

template <class S>
struct Gather {
    const SlideGradientArgs& a;
    const SlideShape& s;
    int64_t tiles, panels, row_floats, tile, step, terms, gradient_step, window;

    explicit Gather(const SlideGradientArgs& args)
        : a(args), s(args.shape), tiles((s.out_w + S::M - 1) / S::M), panels(panels_of(s.out_channels)),
          row_floats(s.pieces() * s.in_channels), tile(s.in_h * row_floats),
          step(round_up(a.together * tiles * tile, PANEL)), terms(s.out_h * a.together * tiles),
          gradient_step(terms * panels * PANEL), window(s.window_h * row_floats * PANEL) {}
    int64_t offset_bytes() const { return round_up(terms, 8) * 8; }
    int64_t sum_floats() const { return panels * POINTS * window; }
    int64_t turned() const { return turned_floats<S>(s, tiles); }
    int64_t bytes() const { return offset_bytes() + (sum_floats() + POINTS * (step + gradient_step) + turned()) * 4; }

    // dy of some images, panels side by side as they are multiplied: [point][panels / P][row][image][tile][P * 16];
    // the sums of its pixels are added to `bias`.
    void transform_gradients(int64_t first, int64_t images, float* to, float* bias) const {
        const int64_t each = images * tiles;
        by_panels(panels, [&](auto wide, int64_t panel) {
            constexpr int64_t COLUMNS = wide.value * PANEL;
            const int64_t filters = least(COLUMNS, s.out_channels - panel * PANEL);
            float* block = to + panel * PANEL * s.out_h * each;
            for (int64_t r = 0; r < s.out_h; r++)
                for (int64_t i = 0; i < images; i++) {
                    const float* row = a.dy + (first + i) * s.out_floats() + r * s.out_w * s.out_channels + panel * PANEL;
                    transform_panels(row, filters, COLUMNS, block + (r * each + i * tiles) * COLUMNS,
                                     bias ? bias + panel * PANEL : nullptr);
                }
        });
    }

    void transform_panels(const float* row, int64_t filters, int64_t columns, float* to, float* bias) const {
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t lanes = most(0, filters - c);
            vec sum{};
            for (int64_t t = 0; t < tiles; t++) {
                vec d[S::M], out[POINTS];
                UNROLL for (int j = 0; j < S::M; j++) {
                    const int64_t column = t * S::M + j;
                    d[j] = column < s.out_w && lanes ? load_some(row + column * s.out_channels + c, lanes) : vec{};
                    sum += d[j];
                }
                S::output_gradient(d, out);
                UNROLL for (int p = 0; p < POINTS; p++) store(to + p * gradient_step + t * columns + c, out[p]);
            }
            if (bias) store(bias + c, load(bias + c) + sum);
        }
    }

    // The outputs' rows [begin, end) at which a row of the window lies in the picture.
    struct Rows {
        int64_t begin, end;
        bool operator==(const Rows& other) const { return begin == other.begin && end == other.end; }
    };
    Rows rows_at(int64_t k) const { return {most(0, s.pad_top - k), least(s.out_h, s.in_h + s.pad_top - k)}; }

    // The products of all pairs of rows that the window brings together, added to the sums
    // [panel][point][row of the window][piece][channel][16].
    void multiply(int64_t images, const float* inputs, const float* gradients, const int64_t* offsets, float* sums) const {
        const int64_t each = images * tiles;
        by_panels(panels, [&](auto wide, int64_t panel) {
            constexpr int P = wide.value;
            for (int64_t k = 0; k < s.window_h;) {
                const Rows rows = rows_at(k);
                int64_t last = k + 1;    // rows of the window that meet the same rows of outputs go together
                while (last < s.window_h && rows_at(last) == rows) last++;
                for (int64_t p = 0; p < POINTS && rows.begin < rows.end; p++)
                    outer_product<P>((last - k) * row_floats, (rows.end - rows.begin) * each,
                                     inputs + p * step + (k - s.pad_top) * row_floats, offsets + rows.begin * each,
                                     gradients + p * gradient_step + panel * PANEL * s.out_h * each +
                                         rows.begin * each * P * PANEL,
                                     sums + (panel * POINTS + p) * window + k * row_floats * PANEL, POINTS * window);
                k = last;
            }
        });
    }

    // The sums back to the taps of each filter.
    void write_filters(const float* sums, float* to) const {
        const int64_t channels = s.in_channels * PANEL;
        for (int64_t panel = 0; panel < panels; panel++)
            for (int64_t k = 0; k < s.window_h; k++)
                for (int64_t q = 0; q < s.pieces(); q++)
                    for (int64_t c = 0; c < channels; c += LANES) {
                        vec u[POINTS], g[S::R];
                        UNROLL for (int p = 0; p < POINTS; p++)
                            u[p] = load(sums + (panel * POINTS + p) * window + (k * s.pieces() + q) * channels + c);
                        S::filter_gradient(u, g);
                        UNROLL for (int j = 0; j < S::R; j++) {
                            const int64_t column = q * S::R + j;
                            if (column < s.window_w)
                                store(to + ((panel * s.window_h + k) * s.window_w + column) * channels + c, g[j]);
                        }
                    }
    }

    void run(const Share& images, float* partial, char* scratch) const {
        int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
        float* sums = reinterpret_cast<float*>(scratch + offset_bytes());
        float* inputs = sums + sum_floats();
        float* gradients = inputs + POINTS * step;
        float* room = gradients + POINTS * gradient_step;
        float* bias = a.bias_at >= 0 ? partial + a.bias_at : nullptr;
        memset(sums, 0, static_cast<size_t>(sum_floats()) * 4);
        if (bias) memset(bias, 0, static_cast<size_t>(panels * PANEL) * 4);
        for (int64_t first = images.begin; first < images.end; first += a.together) {
            const int64_t count = least(a.together, images.end - first);
            int64_t* offset = offsets;
            for (int64_t r = 0; r < s.out_h; r++)
                for (int64_t t = 0; t < count * tiles; t++) *offset++ = t * tile + r * row_floats;
            transform_inputs<S>(s, a.x, first, count, tiles, room, inputs, step);
            transform_gradients(first, count, gradients, bias);
            multiply(count, inputs, gradients, offsets, sums);
        }
        write_filters(sums, partial);
    }
};

}    // namespace

BEAK_EXPORT int64_t winograd_slide_weight_gradient_scratch(const SlideGradientArgs* a) {
    int64_t bytes = 0;
    by_piece(a->shape.piece, [&](auto s) { bytes = Gather<decltype(s)>(*a).bytes(); });
    return bytes;
}

// Parts split the images.
BEAK_KERNEL(winograd_slide_weight_gradient, SlideGradientArgs) {
    const Share images(args->shape.images, part, parts);
    by_piece(args->shape.piece, [&](auto s) {
        Gather<decltype(s)>(*args).run(images, args->partials + part * args->stride, scratch);
    });
}
