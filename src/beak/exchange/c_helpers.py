"""The C functions that layers are made of; a file gets those that its network needs."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "conv": """
/* Filters over a map: (channels, height, width) -> (filters, rows, columns). */
static void conv(const float *in, float *out, const float *weight, const float *bias,
                 int channels, int height, int width, int filters, int rows, int columns,
                 int kernel_h, int kernel_w, int stride_h, int stride_w, int top, int left,
                 int dilation_h, int dilation_w, int groups)
{
    int each = channels / groups;
    int f, y, x, c, i, j;
    for (f = 0; f < filters; f++) {
        const float *taps = weight + (long)f * each * kernel_h * kernel_w;
        const float *maps = in + (long)(f / (filters / groups)) * each * height * width;
        for (y = 0; y < rows; y++)
            for (x = 0; x < columns; x++) {
                float sum = bias ? bias[f] : 0.0f;
                for (c = 0; c < each; c++)
                    for (i = 0; i < kernel_h; i++) {
                        int row = y * stride_h - top + i * dilation_h;
                        if (row < 0 || row >= height)
                            continue;
                        for (j = 0; j < kernel_w; j++) {
                            int column = x * stride_w - left + j * dilation_w;
                            if (column >= 0 && column < width)
                                sum += taps[(c * kernel_h + i) * kernel_w + j]
                                       * maps[((long)c * height + row) * width + column];
                        }
                    }
                out[((long)f * rows + y) * columns + x] = sum;
            }
    }
}
""",
    "pool": """
/* The largest number (mean = 0) or the mean of each window; padding counts for nothing. */
static void pool(const float *in, float *out, int channels, int height, int width, int rows,
                 int columns, int window_h, int window_w, int stride_h, int stride_w, int top,
                 int left, int mean)
{
    int c, y, x, row, column;
    for (c = 0; c < channels; c++)
        for (y = 0; y < rows; y++)
            for (x = 0; x < columns; x++) {
                float found = 0.0f;
                int count = 0;
                for (row = y * stride_h - top; row < y * stride_h - top + window_h; row++)
                    for (column = x * stride_w - left; column < x * stride_w - left + window_w;
                         column++)
                        if (row >= 0 && row < height && column >= 0 && column < width) {
                            float value = in[((long)c * height + row) * width + column];
                            if (mean)
                                found += value;
                            else if (!count || value > found)
                                found = value;
                            count++;
                        }
                out[((long)c * rows + y) * columns + x] = mean ? found / (float)count : found;
            }
}
""",
    "pad": """
/* Zeros about a map; rows and columns before the first (top, left below 0) are cut off. */
static void pad(const float *in, float *out, int channels, int height, int width, int rows,
                int columns, int top, int left)
{
    int c, y, x;
    for (c = 0; c < channels; c++)
        for (y = -top; y < rows - top; y++)
            for (x = -left; x < columns - left; x++)
                *out++ = y >= 0 && y < height && x >= 0 && x < width
                         ? in[((long)c * height + y) * width + x] : 0.0f;
}
""",
    "upsample_nearest": """
/* Each number several times, down and across. */
static void upsample_nearest(const float *in, float *out, int channels, int height, int width,
                             int down, int across)
{
    int c, y, x;
    for (c = 0; c < channels; c++)
        for (y = 0; y < height * down; y++)
            for (x = 0; x < width * across; x++)
                *out++ = in[((long)c * height + y / down) * width + x / across];
}
""",
    "upsample_bilinear": """
/* What lies between the middles of neighbours; the outermost number beyond the outermost middle. */
static void upsample_bilinear(const float *in, float *out, int channels, int height, int width,
                              int down, int across)
{
    int c, y, x;
    for (c = 0; c < channels; c++)
        for (y = 0; y < height * down; y++)
            for (x = 0; x < width * across; x++) {
                const float *map = in + (long)c * height * width;
                float row = ((float)y + 0.5f) / (float)down - 0.5f;
                float column = ((float)x + 0.5f) / (float)across - 0.5f;
                int top, left, bottom, right;
                row = row < 0.0f ? 0.0f : row > (float)(height - 1) ? (float)(height - 1) : row;
                column = column < 0.0f ? 0.0f
                         : column > (float)(width - 1) ? (float)(width - 1) : column;
                top = (int)row;
                left = (int)column;
                bottom = top + 1 < height ? top + 1 : top;
                right = left + 1 < width ? left + 1 : left;
                row -= (float)top;
                column -= (float)left;
                *out++ = (1.0f - row) * ((1.0f - column) * map[top * width + left]
                                         + column * map[top * width + right])
                         + row * ((1.0f - column) * map[bottom * width + left]
                                  + column * map[bottom * width + right]);
            }
}
""",
    "reshape_last": """
/* Another shape, the numbers counted with the channels last on both sides. */
static void reshape_last(const float *in, float *out, int channels, int places, int filters,
                         int spots)
{
    int i;
    for (i = 0; i < channels * places; i++)
        out[(long)(i % filters) * spots + i / filters]
            = in[(long)(i % channels) * places + i / channels];
}
""",
    "dense": """
/* Every output from every input; weight (units, inputs). */
static void dense(const float *in, float *out, const float *weight, const float *bias,
                  int inputs, int units)
{
    int u, i;
    for (u = 0; u < units; u++) {
        float sum = bias ? bias[u] : 0.0f;
        for (i = 0; i < inputs; i++)
            sum += weight[(long)u * inputs + i] * in[i];
        out[u] = sum;
    }
}
""",
    "scale": """
/* Each channel times its gain, plus its offset. */
static void scale(const float *in, float *out, const float *gain, const float *offset,
                  int channels, int places)
{
    int c, p;
    for (c = 0; c < channels; c++)
        for (p = 0; p < places; p++)
            out[(long)c * places + p] = in[(long)c * places + p] * gain[c] + offset[c];
}
""",
    "layer_norm": """
/* At each place the channels to mean 0 and variance 1, then scaled and shifted. */
static void layer_norm(const float *in, float *out, const float *weight, const float *bias,
                       int channels, int places, float epsilon)
{
    int c, p;
    for (p = 0; p < places; p++) {
        float mean = 0.0f, spread = 0.0f, factor;
        for (c = 0; c < channels; c++)
            mean += in[(long)c * places + p];
        mean /= (float)channels;
        for (c = 0; c < channels; c++) {
            float apart = in[(long)c * places + p] - mean;
            spread += apart * apart;
        }
        factor = 1.0f / sqrtf(spread / (float)channels + epsilon);
        for (c = 0; c < channels; c++)
            out[(long)c * places + p] =
                (in[(long)c * places + p] - mean) * factor * weight[c] + bias[c];
    }
}
""",
    "embedding": """
/* A vector for each word number: (places) -> (dimensions, places). */
static void embedding(const int *in, float *out, const float *weight, int places, int dimensions)
{
    int d, p;
    for (d = 0; d < dimensions; d++)
        for (p = 0; p < places; p++)
            out[(long)d * places + p] = weight[(long)in[p] * dimensions + d];
}
""",
    "position_bias": """
/* One bias for each place, the same for all channels. */
static void position_bias(const float *in, float *out, const float *bias, int channels, int places)
{
    int c, p;
    for (c = 0; c < channels; c++)
        for (p = 0; p < places; p++)
            out[(long)c * places + p] = in[(long)c * places + p] + bias[p];
}
""",
    "add": """
static void add(const float *in, float *out, int count)
{
    int i;
    for (i = 0; i < count; i++)
        out[i] += in[i];
}
""",
    "multiply": """
/* One factor for each number, or (places > 1) for each channel. */
static void multiply(const float *in, float *out, int channels, int places)
{
    int c, p;
    for (c = 0; c < channels; c++)
        for (p = 0; p < places; p++)
            out[(long)c * places + p] *= in[c];
}
""",
    "fill": """
/* Each channel's number at all of its places. */
static void fill(const float *in, float *out, int channels, int places)
{
    int c, p;
    for (c = 0; c < channels; c++)
        for (p = 0; p < places; p++)
            out[(long)c * places + p] = in[c];
}
""",
    "softmax": """
/* At each place, the channels as shares of 1. */
static void softmax(float *x, int channels, int places)
{
    int c, p;
    for (p = 0; p < places; p++) {
        float most = x[p], sum = 0.0f;
        for (c = 1; c < channels; c++)
            if (x[(long)c * places + p] > most)
                most = x[(long)c * places + p];
        for (c = 0; c < channels; c++) {
            x[(long)c * places + p] = expf(x[(long)c * places + p] - most);
            sum += x[(long)c * places + p];
        }
        for (c = 0; c < channels; c++)
            x[(long)c * places + p] /= sum;
    }
}
""",
    "log_mel": """
/* Samples as (frames, bands): power by Fourier transform, bands, logarithm. */
static void log_mel(const float *in, float *out, const float *window, const float *cosine,
                    const float *sine, const int *first, const int *taps, const float *weight,
                    float *power, int frames, int hop, int fft, int bands, int most)
{
    int t, f, n, b;
    for (t = 0; t < frames; t++) {
        for (f = 0; f <= fft / 2; f++) {
            float real = 0.0f, imaginary = 0.0f;
            for (n = 0; n < fft; n++) {
                float value = in[(long)t * hop + n] * window[n];
                int turn = (int)((long)f * n % fft);
                real += value * cosine[turn];
                imaginary += value * sine[turn];
            }
            power[f] = real * real + imaginary * imaginary;
        }
        for (b = 0; b < bands; b++) {
            float sum = 0.0f;
            for (n = 0; n < taps[b]; n++)
                sum += weight[b * most + n] * power[first[b] + n];
            out[(long)t * bands + b] = logf(sum + 1e-6f);
        }
    }
}
""",
    "leak": """
static void leak(float *x, int count, float slope)
{
    int i;
    for (i = 0; i < count; i++)
        x[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}
""",
}
"""Name -> its text."""

FUNCTIONS: dict[str, str] = {
    "relu": "value > 0.0f ? value : 0.0f",
    "leaky_relu": "value > 0.0f ? value : 0.01f * value",
    "gelu": "0.5f * value * (1.0f + erff(value * 0.70710678f))",
    "silu": "value / (1.0f + expf(-value))",
    "hard_swish": "value <= -3.0f ? 0.0f : value >= 3.0f ? value : value * (value + 3.0f) / 6.0f",
    "tanh": "tanhf(value)",
    "sigmoid": "1.0f / (1.0f + expf(-value))",
}
"""Activation -> C; softmax is a helper of its own."""


def function_text(name: str) -> str:
    """The C function that applies an activation to each number."""
    return f"""
static void apply_{name}(float *x, int count)
{{
    int i;
    for (i = 0; i < count; i++) {{
        float value = x[i];
        x[i] = {FUNCTIONS[name]};
    }}
}}
"""
