// Convolution forward and the gradient of its input by Winograd's algorithm along rows (slide.h), and
// the filters made ready for them.
#include "slide.h"
#include "transpose.h"

namespace {

struct SlideFilterArgs {
    const float* weight;    // panels [filters / 16][window_h x window_w x channels][16]
    float* prepared;        // [panels][point][row][piece x channels][16]; turned [pieces][panels][point][row][filters][16]
    int64_t channels, filters, window_h, window_w, piece;
    int64_t turned;    // 0: panels of filters; 1: rows reversed, channels and filters exchanged

    int64_t pieces() const { return (window_w + piece - 1) / piece; }
    int64_t panels() const { return panels_of(turned ? channels : filters); }
};

// One piece of one row of the window: its terms at the points, `step` apart.
template <class S>
void prepare_row(const SlideFilterArgs& f, int64_t panel, int64_t row, int64_t q, float* to, int64_t step) {
    const int64_t terms = f.turned ? f.filters : f.channels, taps = least(S::R, f.window_w - q * S::R);
    alignas(64) float turned[S::R * PANEL * PANEL];
    for (int64_t first = 0; first < terms; first += PANEL) {
        const int64_t count = least(PANEL, terms - first);
        const int64_t tap = ((panel * f.window_h + row) * f.window_w + q * S::R) * f.channels;
        const float* from = f.weight + (tap + first) * PANEL;
        int64_t tap_step = f.channels * PANEL;
        if (f.turned) {
            const int64_t lanes = least(PANEL, f.channels - panel * PANEL);
            const int64_t place = (first / PANEL + 1) * f.window_h - 1 - row;
            if (lanes < PANEL) memset(turned, 0, sizeof turned);
            for (int64_t j = 0; j < taps; j++)
                transpose(f.weight + ((place * f.window_w + q * S::R + j) * f.channels + panel * PANEL) * PANEL, lanes,
                          count, PANEL, turned + j * PANEL * PANEL, PANEL);
            from = turned, tap_step = PANEL * PANEL;
        }
        for (int64_t k = 0; k < count; k++, to += PANEL)
            for (int64_t lane = 0; lane < PANEL; lane += LANES) {
                vec g[S::R], u[POINTS];
                UNROLL for (int j = 0; j < S::R; j++)
                    g[j] = j < taps ? load(from + j * tap_step + k * PANEL + lane) : vec{};
                S::filter(g, u);
                UNROLL for (int p = 0; p < POINTS; p++) store(to + p * step + lane, u[p]);
            }
    }
}

template <class S>
void prepare(const SlideFilterArgs& f, const Share& units) {
    const int64_t pieces = f.pieces(), panels = f.panels();
    const int64_t row_floats = (f.turned ? f.filters : pieces * f.channels) * PANEL, step = f.window_h * row_floats;
    for (int64_t unit = units.begin; unit < units.end; unit++) {
        const int64_t panel = unit / f.window_h, row = unit % f.window_h;
        for (int64_t q = 0; q < pieces; q++) {
            const int64_t block = f.turned ? q * panels + panel : panel;
            const int64_t behind = f.turned ? 0 : q * f.channels * PANEL;
            prepare_row<S>(f, panel, row, q, f.prepared + block * POINTS * step + row * row_floats + behind, step);
        }
    }
}

struct SlideArgs {
    const float* x;
    const float* prepared;
    const float* bias;    // in panels, or null
    float* y;
    SlideShape shape;
    int64_t relu;
    // So many images go through the filters together; their panels are cut into so many groups.
    int64_t together, groups;
};

constexpr int64_t MOST_ROWS = 96;    // of the products that lie in the cache until they are transformed back

// Forward, or with BACK the gradient of the input: then x is the gradient of the output, tiles lie
// along its rows, the filters are turned and pad_top is window_h - 1 less forward's.
template <class S, bool BACK>
struct Walk {
    const SlideArgs& a;
    const SlideShape& s;
    int64_t tiles, row_floats, tile, source, step, run_rows, rows;

    explicit Walk(const SlideArgs& args)
        : a(args), s(args.shape), tiles(((BACK ? s.in_w : s.out_w) + S::M - 1) / S::M),
          row_floats(BACK ? s.in_channels : s.pieces() * s.in_channels), tile(s.in_h * row_floats),
          source(tiles * tile), step(a.together * source),
          run_rows(most(1, least(s.out_h, MOST_ROWS / (a.together * tiles)))), rows(run_rows * a.together * tiles) {}
    int64_t offset_bytes() const { return round_up(rows, 8) * 8; }
    int64_t product_floats() const { return POINTS * rows * WIDE * PANEL; }
    int64_t turned() const { return BACK ? 0 : turned_floats<S>(s, tiles); }
    int64_t bytes() const { return offset_bytes() + (product_floats() + turned() + POINTS * step) * 4; }

    // So many images at the points: [point][image][tile][row][term].
    void transform(int64_t first, int64_t images, float* room, float* to) const {
        if constexpr (!BACK) return transform_inputs<S>(s, a.x, first, images, tiles, room, to, step);
        for (int64_t i = 0; i < images; i++)
            for (int64_t r = 0; r < s.in_h; r++)
                transform_row<S::output_gradient, S::M, S::M>(
                    a.x + (first + i) * s.image_floats() + r * s.in_w * s.in_channels, s.in_w, s.in_channels, 0, tiles,
                    to + i * source + r * row_floats, step, tile);
    }

    // Of one row of outputs P panels from the products [point][tile][P * 16], points `apart` floats
    // apart. A piece of the input's gradient is added where it lies, the first one to zeros.
    template <int P>
    void write_row(const float* products, int64_t apart, int64_t panel, int64_t q, float* row) const {
        const int64_t columns = least(P * PANEL, s.out_channels - panel * PANEL);
        by_lanes(0, columns, [&](int64_t c, int64_t n) INLINE_LAMBDA {
            const vec bias = a.bias ? load(a.bias + panel * PANEL + c) : vec{};
            float* to = row + panel * PANEL + c;
            if (BACK && q == 0)
                for (int64_t x = 0; x < s.out_w; x++) store_some(to + x * s.out_channels, vec{}, n);
            for (int64_t t = 0; t < tiles; t++) {
                vec m[POINTS], out[POINTS];
                UNROLL for (int p = 0; p < POINTS; p++) m[p] = load(products + p * apart + t * P * PANEL + c);
                if constexpr (BACK)
                    S::data_gradient(m, out);
                else
                    S::output(m, out);
                UNROLL for (int j = 0; j < (BACK ? POINTS : S::M); j++) {
                    const int64_t column = t * S::M + j + (BACK ? q * S::R - s.pad_left : 0);
                    if (column < 0 || column >= s.out_w) continue;
                    float* place = to + column * s.out_channels;
                    vec v = out[j] + (BACK ? load_some(place, n) : bias);
                    if (a.relu) v = v < vec{} ? vec{} : v;    // NaN passes, as in PyTorch
                    store_some(place, v, n);
                }
            }
        });
    }

    // All outputs of a group of images, P panels.
    template <int P>
    void multiply(int64_t first, int64_t images, int64_t panel, const float* sources, int64_t* offsets,
                  float* products) const {
        const int64_t window = s.window_h * row_floats * PANEL, each = images * tiles;
        for (int64_t row = 0; row < s.out_h;) {
            const int64_t begin = s.first_row(row), end = s.last_row(row);
            int64_t last = row + 1;    // rows that see the same rows of the window go together
            while (last < least(s.out_h, row + run_rows) && s.first_row(last) == begin && s.last_row(last) == end) last++;
            int64_t* offset = offsets;
            for (int64_t r = row; r < last; r++)
                for (int64_t t = 0; t < each; t++) *offset++ = t * tile + (r + begin - s.pad_top) * row_floats;
            const int64_t count = (last - row) * each, apart = count * P * PANEL;
            const Segments k{1, 0, 1, 0, most(0, end - begin) * row_floats};
            for (int64_t q = 0; q < (BACK ? s.pieces() : 1); q++) {
                const float* prepared = a.prepared + ((q * panels_of(s.out_channels) + panel) * POINTS) * window;
                for (int64_t p = 0; p < POINTS; p++)
                    times_panels_in_pieces<P>(count, sources + p * step, offsets, k,
                                              prepared + p * window + begin * row_floats * PANEL, POINTS * window,
                                              nullptr, false, products + p * apart, P * PANEL, P * PANEL);
                for (int64_t r = row; r < last; r++)
                    for (int64_t i = 0; i < images; i++)
                        write_row<P>(products + ((r - row) * each + i * tiles) * P * PANEL, apart, panel, q,
                                     a.y + (first + i) * s.out_floats() + r * s.out_w * s.out_channels);
            }
            row = last;
        }
    }

    void run(const Share& units, char* scratch) const {
        int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
        float* products = reinterpret_cast<float*>(scratch + offset_bytes());
        float* room = products + product_floats();
        float* sources = room + turned();
        int64_t ready = -1;
        for (int64_t unit = units.begin; unit < units.end; unit++) {
            const int64_t first = unit / a.groups * a.together, images = least(a.together, s.images - first);
            if (ready != first) transform(first, images, room, sources);
            ready = first;
            const Share panels(panels_of(s.out_channels), unit % a.groups, a.groups);
            by_panels(panels.end - panels.begin, [&](auto wide, int64_t p) {
                multiply<wide.value>(first, images, panels.begin + p, sources, offsets, products);
            });
        }
    }
};

Share units_of(const SlideArgs& a, int64_t part, int64_t parts) {
    return Share((a.shape.images + a.together - 1) / a.together * a.groups, part, parts);
}

template <bool BACK>
int64_t scratch_bytes(const SlideArgs& a) {
    int64_t bytes = 0;
    by_piece(a.shape.piece, [&](auto s) { bytes = Walk<decltype(s), BACK>(a).bytes(); });
    return bytes;
}

}    // namespace

// Parts split panels x rows of the window.
BEAK_KERNEL(winograd_slide_prepare, SlideFilterArgs) {
    const Share units(args->panels() * args->window_h, part, parts);
    by_piece(args->piece, [&](auto s) { prepare<decltype(s)>(*args, units); });
}

BEAK_EXPORT int64_t winograd_slide_forward_scratch(const SlideArgs* a) { return scratch_bytes<false>(*a); }
BEAK_EXPORT int64_t winograd_slide_input_gradient_scratch(const SlideArgs* a) { return scratch_bytes<true>(*a); }

// Parts split groups of images x groups of panels.
BEAK_KERNEL(winograd_slide_forward, SlideArgs) {
    by_piece(args->shape.piece,
             [&](auto s) { Walk<decltype(s), false>(*args).run(units_of(*args, part, parts), scratch); });
}
BEAK_KERNEL(winograd_slide_input_gradient, SlideArgs) {
    by_piece(args->shape.piece,
             [&](auto s) { Walk<decltype(s), true>(*args).run(units_of(*args, part, parts), scratch); });
}
