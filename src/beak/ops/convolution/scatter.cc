// The input gradient of a convolution, output by output: each adds its filters, times its gradient,
// onto the window that it looked at.
//
// The other way, a convolution of the padded gradient with turned filters (convolution.cc), computes
// every pixel from as many taps as the window has; near the border most of these meet only padding.
// With windows as large as the picture that is most of its work, and none of it here.
#include "tile.h"
#include "view.h"

namespace {

struct ScatterArgs {
    ConvolutionArgs forward;    // as forward ran; x, bias and y are not used; weight: turned filters
    const float* dy;
    float* dx;    // overwritten
};

// What the windows see: [height][width][channels] of a padded picture.
struct Seen {
    int64_t height, width;
    explicit Seen(const ConvolutionArgs& c) : height(span_h(c, c.out_h)), width(span_w(c)) {}
    bool inside(const ConvolutionArgs& c) const {
        return c.pad_top == 0 && c.pad_left == 0 && height <= c.in_h && width <= c.in_w;
    }
};

// The picture's part of what the windows saw; pixels that none saw get zero.
void cut_out(const ConvolutionArgs& c, const Seen& all, const float* pixels, float* dx) {
    memset(dx, 0, static_cast<size_t>(c.in_h * c.in_w * c.in_channels) * 4);
    const int64_t skip = most(0, -c.pad_left), start = most(0, c.pad_left);
    const int64_t count = least(c.in_w - skip, all.width - start);
    if (count <= 0) return;
    for (int64_t y = 0; y < c.in_h; y++)
        if (y + c.pad_top >= 0 && y + c.pad_top < all.height)
            memcpy(dx + (y * c.in_w + skip) * c.in_channels,
                   pixels + ((y + c.pad_top) * all.width + start) * c.in_channels,
                   static_cast<size_t>(count * c.in_channels) * 4);
}

// One image onto `pixels`, rows of `width` pixels.
void add_image(const ConvolutionArgs& c, const float* dy, const int64_t* offsets, float* pixels, int64_t width) {
    const int64_t channels = c.in_channels / c.groups, filters = c.out_channels / c.groups;
    const int64_t panels = (channels + PANEL - 1) / PANEL, taps = c.window_h * c.window_w, panel = taps * filters * PANEL;
    const Segments k{1, 0, 1, 0, filters};
    for (int64_t g = 0; g < c.groups; g++)
        by_panels(panels, [&](auto wide, int64_t p) {
            for (int64_t tap = 0; tap < taps; tap++) {
                const float* weight = c.weight + (g * panels + p) * panel + (taps - 1 - tap) * filters * PANEL;
                const int64_t down = tap / c.window_w * c.dilation_h, right = tap % c.window_w * c.dilation_w;
                for (int64_t row = 0; row < c.out_h; row++)
                    times_panels<wide.value>(
                        c.out_w, dy + row * c.out_w * c.out_channels + g * filters, offsets, k, weight, panel, nullptr,
                        true, false,
                        pixels + ((row * c.stride_h + down) * width + right) * c.in_channels + g * channels + p * PANEL,
                        c.stride_w * c.in_channels, channels - p * PANEL);
            }
        });
}

}    // namespace

BEAK_EXPORT int64_t convolution_scatter_scratch(const ScatterArgs* s) {
    const ConvolutionArgs& c = s->forward;
    const Seen all(c);
    return round_up(c.out_w, 8) * 8 + (all.inside(c) ? 0 : all.height * all.width * c.in_channels * 4);
}

// Parts split the images.
BEAK_KERNEL(convolution_scatter, ScatterArgs) {
    const ConvolutionArgs& c = args->forward;
    const Seen all(c);
    const bool inside = all.inside(c);
    int64_t* offsets = reinterpret_cast<int64_t*>(scratch);
    float* room = reinterpret_cast<float*>(offsets + round_up(c.out_w, 8));
    for (int64_t x = 0; x < c.out_w; x++) offsets[x] = x * c.out_channels;
    const int64_t size = c.in_h * c.in_w * c.in_channels;
    const Share images(c.images, part, parts);
    for (int64_t image = images.begin; image < images.end; image++) {
        float* dx = args->dx + image * size;
        float* pixels = inside ? dx : room;
        memset(pixels, 0, static_cast<size_t>(inside ? size : all.height * all.width * c.in_channels) * 4);
        add_image(c, args->dy + image * c.out_h * c.out_w * c.out_channels, offsets, pixels,
                  inside ? c.in_w : all.width);
        if (!inside) cut_out(c, all, pixels, dx);
    }
}
