/* Decodes a GPT on one core: the arithmetic of architectures/gpt.py in plain loops that a compiler vectorises.
 *
 * Nothing is allocated here and nothing is checked: engine.py owns every array and has looked at every size and id.
 *
 * A matrix (height, width) lies in panels of 64 columns, one after the other, each row-major; its width is rounded up
 * to 16 with zeros. One row of activations then streams a panel from memory in order, and many rows keep a tile of
 * sums in registers. Keys are such a matrix (head size, positions) and values (positions, head size), so that attention
 * is made of the same products as everything else.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define EXPORT __declspec(dllexport)
#define INLINE static __forceinline
#define RESTRICT __restrict
#define SIMD
#define SUM_OF(name)
#define UNROLLED
#define PREFETCH(address)
#else
#define PRAGMA(text) _Pragma(#text)
#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((always_inline))
#define RESTRICT restrict
#define SIMD PRAGMA(omp simd)
#define PREFETCH(address) __builtin_prefetch(address)
#define SUM_OF(name) PRAGMA(omp simd reduction(+ : name))
#if defined(__clang__)
#define UNROLLED PRAGMA(clang loop unroll(full))
#else
#define UNROLLED PRAGMA(GCC unroll 8)
#endif
#endif

/* One library for every x86-64: the loader picks the best copy of each hot function (needs glibc's ifunc). */
#if !defined(PORTABLE) && defined(__x86_64__) && defined(__GLIBC__) && !defined(__AVX2__)
#define HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) static
#define WIDE_REGISTERS __builtin_cpu_supports("avx512vl")
#else
#define HOT static
#if defined(__AVX512F__)
#define WIDE_REGISTERS 1
#else
#define WIDE_REGISTERS 0
#endif
#endif

enum { PANEL = 64, LANES = 16, DEPTH_BLOCK = 128, AHEAD = 1024, QUERY_ROWS = 12, MLP_ROWS = 128, NOTHING = -1 };
enum { GELU, GELU_TANH, RELU, RELU_SQUARED };

/* Pointers to what the settings leave out are NULL. library.py has both structures field by field. */
typedef struct {
    const float *norm_1_weight, *norm_1_bias, *shift_1; /* (C), (C), (reach, C) */
    const float *query, *key, *value;                   /* panels (C, C) each */
    const float *query_bias, *key_bias, *value_bias;
    const float *projection, *projection_bias;          /* panels (C, C) */
    const float *norm_2_weight, *norm_2_bias, *shift_2;
    const float *widen, *widen_bias;                    /* panels (C, 4 C) */
    const float *narrow, *narrow_bias;                  /* panels (4 C, C) */
} Layer;

typedef struct {
    int32_t vocab_size, block_size, n_layer, n_head, n_embd, token_shift, pair_rows, triple_rows;
    int32_t rmsnorm, qk_norm, embedding_norm, activation;
    float scale, epsilon;
    const float *embedding, *positions, *turns; /* (V, C), (T, C), (T, D / 2, 2) */
    const float *pairs, *triples;               /* (pair_rows, C), (triple_rows, C) */
    const float *norm_weight, *norm_bias;
    const float *head, *head_bias;              /* panels (C, V) */
    const Layer *layers;
} Net;

/* Where a memory's parts lie; `x` and those after it are only used while reading. */
typedef struct {
    float *keys, *values, *rows, *x, *h, *q, *k, *v, *wide, *scores;
    ptrdiff_t stride, wide_stride, positions, key_size, value_size, floats;
} Parts;

INLINE ptrdiff_t padded(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }
INLINE int smaller(int a, int b) { return a < b ? a : b; }

static Parts parts_of(const Net *net, float *memory) {
    Parts p;
    const ptrdiff_t C = net->n_embd, T = net->block_size, D = C / net->n_head;
    const ptrdiff_t heads = (ptrdiff_t)net->n_layer * net->n_head;
    float *end = memory;
#define TAKE(name, count) (p.name = end, end = memory ? end + (count) : end, p.floats += (count))
    p.floats = 0;
    p.positions = padded(T);
    p.key_size = D * p.positions;
    p.value_size = T * padded(D);
    /* A head's last sums are written up to LANES - 1 numbers beyond its row's end. */
    p.stride = padded(C) + LANES;
    p.wide_stride = padded(4 * C) + LANES;
    TAKE(keys, heads * p.key_size);
    TAKE(values, heads * p.value_size);
    TAKE(rows, padded((ptrdiff_t)net->n_layer * 2 * net->token_shift * C));
    TAKE(x, T * p.stride);
    TAKE(h, T * p.stride);
    TAKE(q, T * p.stride);
    TAKE(k, T * p.stride);
    TAKE(v, T * p.stride);
    TAKE(wide, (T < MLP_ROWS ? T : MLP_ROWS) * p.wide_stride);
    TAKE(scores, QUERY_ROWS * p.positions);
#undef TAKE
    return p;
}

/* Adds a tile of a product: out (ROWS, WIDTH) += a (ROWS, depth) times w (depth, WIDTH). A single row waits for its
 * weights, so those of a page ahead are asked for: a tenth faster where they lie in the second cache. */
#define TILE(NAME, ROWS, WIDTH)                                                                                     \
    INLINE void NAME(int depth, const float *RESTRICT w, ptrdiff_t w_stride, const float *RESTRICT a,               \
                     ptrdiff_t a_stride, float *RESTRICT out, ptrdiff_t out_stride) {                               \
        float sum[ROWS][WIDTH];                                                                                     \
        for (int r = 0; r < ROWS; r++)                                                                              \
            for (int j = 0; j < WIDTH; j++) sum[r][j] = out[r * out_stride + j];                                    \
        for (int i = 0; i < depth; i++) {                                                                           \
            const float *row = w + i * w_stride;                                                                    \
            if (ROWS == 1 && WIDTH == PANEL)                                                                        \
                for (int j = 0; j < WIDTH; j += LANES) PREFETCH(row + j + AHEAD);                                   \
            UNROLLED for (int r = 0; r < ROWS; r++) {                                                               \
                const float number = a[r * a_stride + i];                                                           \
                SIMD for (int j = 0; j < WIDTH; j++) sum[r][j] += number * row[j];                                  \
            }                                                                                                       \
        }                                                                                                           \
        for (int r = 0; r < ROWS; r++)                                                                              \
            for (int j = 0; j < WIDTH; j++) out[r * out_stride + j] = sum[r][j];                                    \
    }
TILE(tile_4x64, 4, 64)
TILE(tile_1x64, 1, 64)
TILE(tile_6x16, 6, 16)
TILE(tile_1x16, 1, 16)

/* out (rows, width) += a (rows, depth) times the first `depth` rows and `width` columns of panels (height, whole).
 * 4 x 64 sums fit the registers of AVX-512; 6 x 16 those of everything else. */
HOT void multiply(int wide_registers, int rows, int depth, int width, const float *panels, int height, int whole,
                  const float *a, ptrdiff_t a_stride, float *out, ptrdiff_t out_stride) {
    for (int column = 0; column < width; column += PANEL) {
        const float *panel = panels + (ptrdiff_t)column * height;
        const int stride = smaller(PANEL, whole - column), used = smaller(PANEL, width - column);
        /* With many rows, a part of the panel that stays in the first cache is used for all of them. */
        const int step = rows > 1 ? DEPTH_BLOCK : depth;
        for (int start = 0; start < depth; start += step) {
            const int deep = smaller(step, depth - start);
            const float *w = panel + (ptrdiff_t)start * stride;
            for (int row = 0, next; row < rows; row = next) {
                const float *from = a + row * a_stride + start;
                float *to = out + row * out_stride + column;
                if (wide_registers && used == PANEL && row + 4 <= rows) {
                    tile_4x64(deep, w, stride, from, a_stride, to, out_stride);
                    next = row + 4;
                } else if (row + 6 <= rows) {
                    for (int j = 0; j < used; j += LANES)
                        tile_6x16(deep, w + j, stride, from, a_stride, to + j, out_stride);
                    next = row + 6;
                } else {
                    if (used == PANEL) tile_1x64(deep, w, stride, from, 0, to, 0);
                    else
                        for (int j = 0; j < used; j += LANES) tile_1x16(deep, w + j, stride, from, 0, to + j, 0);
                    next = row + 1;
                }
            }
        }
    }
}

/* exp of a number that is not above zero, within 2e-7 of its size, by powers of two and a polynomial: libm's does not
 * vectorise, and neither would branches. */
INLINE float exponential(float x) {
    x = x > -87.0f ? x : -87.0f;
    const int32_t power = (int32_t)(x * 1.44269504f + 128.5f) - 128; /* the nearest: the sum is above zero */
    const float rest = (x - (float)power * 0.693359375f) + (float)power * 2.12194440e-4f;
    float sum = 1.9875691500e-4f;
    sum = sum * rest + 1.3981999507e-3f;
    sum = sum * rest + 8.3334519073e-3f;
    sum = sum * rest + 4.1665795894e-2f;
    sum = sum * rest + 1.6666665459e-1f;
    sum = sum * rest + 5.0000001201e-1f;
    sum = sum * rest * rest + rest + 1.0f;
    const int32_t bits = (power + 127) * (1 << 23);
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

/* The tail of the normal distribution beyond x >= 0. Abramowitz and Stegun 7.1.26: within 1e-7. */
INLINE float normal_tail(float x) {
    const float z = x * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z);
    const float sum = (((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f;
    return 0.5f * sum * t * exponential(-z * z);
}

/* Both GELUs are relu(x) - |x| tail(|x|). */
HOT void activate(float *x, int count, int kind) {
    if (kind == GELU) {
        SIMD for (int i = 0; i < count; i++) {
            const float size = fabsf(x[i]);
            x[i] = 0.5f * (x[i] + size) - size * normal_tail(size);
        }
    } else if (kind == GELU_TANH) {
        SIMD for (int i = 0; i < count; i++) {
            const float size = fabsf(x[i]), e = exponential(-1.59576912f * (size + 0.044715f * size * size * size));
            x[i] = 0.5f * (x[i] + size) - size * e / (1.0f + e);
        }
    } else {
        SIMD for (int i = 0; i < count; i++) x[i] = x[i] > 0 ? x[i] : 0;
        if (kind == RELU_SQUARED) SIMD for (int i = 0; i < count; i++) x[i] *= x[i];
    }
}

/* to (n) = the norm of from (n); both may be the same. */
HOT void normalise(const float *from, float *to, int n, int rmsnorm, float epsilon, const float *weight,
                   const float *bias) {
    float mean = 0, square = 0;
    if (!rmsnorm) {
        SUM_OF(mean) for (int i = 0; i < n; i++) mean += from[i];
        mean /= (float)n;
    }
    SUM_OF(square) for (int i = 0; i < n; i++) square += (from[i] - mean) * (from[i] - mean);
    const float scale = 1.0f / sqrtf(square / (float)n + epsilon);
    SIMD for (int i = 0; i < n; i++) to[i] = (from[i] - mean) * scale;
    if (weight) SIMD for (int i = 0; i < n; i++) to[i] *= weight[i];
    if (bias) SIMD for (int i = 0; i < n; i++) to[i] += bias[i];
}

/* The softmax of the first `seen` scores, but for the division: returns what to multiply with afterwards. The scores up
 * to `count` become zero: they lie in the future. Whole vectors are read, so the row has room for `seen` rounded up;
 * lanes by hand, because compilers doubt a greatest of floats. */
HOT float soften(float *scores, int seen, int count, float scale) {
    const int whole = (int)padded(seen);
    float top[LANES], sum[LANES] = {0};
    for (int i = seen; i < whole; i++) scores[i] = -1e38f;
    for (int j = 0; j < LANES; j++) top[j] = scores[j];
    for (int i = LANES; i < whole; i += LANES)
        SIMD for (int j = 0; j < LANES; j++) top[j] = scores[i + j] > top[j] ? scores[i + j] : top[j];
    for (int half = LANES / 2; half; half /= 2)
        for (int j = 0; j < half; j++) top[j] = top[j + half] > top[j] ? top[j + half] : top[j];
    const float greatest = top[0];
    for (int i = 0; i < whole; i += LANES)
        SIMD for (int j = 0; j < LANES; j++) {
            scores[i + j] = exponential((scores[i + j] - greatest) * scale);
            sum[j] += scores[i + j];
        }
    for (int i = seen; i < count; i++) scores[i] = 0;
    for (int half = LANES / 2; half; half /= 2)
        for (int j = 0; j < half; j++) sum[j] += sum[j + half];
    return 1.0f / sum[0];
}

/* Each channel adds its shares of the `reach` rows before; `past` (reach, C) keeps the last ones of `h` as they came.
 * Settings allow a reach of 3 and a width of 4096. */
HOT void shift(float *h, ptrdiff_t stride, int count, const float *shares, float *past, int reach, int C,
               int beginning) {
    float last[3 * 4096];
    if (beginning) memset(past, 0, sizeof(float) * (size_t)(reach * C));
    for (int j = 0; j < reach; j++) {
        const int row = count - reach + j;
        memcpy(last + j * C, row < 0 ? past + (row + reach) * C : h + row * stride, sizeof(float) * (size_t)C);
    }
    for (int row = count - 1; row >= 0; row--)
        for (int j = 1; j <= reach; j++) {
            const float *RESTRICT before = row >= j ? h + (row - j) * stride : past + (reach + row - j) * C;
            const float *RESTRICT share = shares + (j - 1) * C;
            float *RESTRICT to = h + row * stride;
            SIMD for (int i = 0; i < C; i++) to[i] += share[i] * before[i];
        }
    memcpy(past, last, sizeof(float) * (size_t)(reach * C));
}

HOT void add(float *to, const float *from, int n) {
    SIMD for (int i = 0; i < n; i++) to[i] += from[i];
}

/* Rows of `to` begin a sum: at the bias, or at zero. */
static void begin(float *to, ptrdiff_t stride, int rows, ptrdiff_t width, const float *bias) {
    for (int row = 0; row < rows; row++) {
        if (bias) memcpy(to + row * stride, bias, sizeof(float) * (size_t)width);
        else memset(to + row * stride, 0, sizeof(float) * (size_t)width);
    }
}

/* Modulo as Python and torch have it: never negative. */
static int64_t modulo(int64_t a, int64_t n) { return a % n < 0 ? a % n + n : a % n; }

/* x = what is known of each token alone and of where it stands. */
static void embed(const Net *net, const int32_t *ids, int count, int seen, float *x, ptrdiff_t stride) {
    const int C = net->n_embd;
    for (int row = 0; row < count; row++, x += stride) {
        const int at = seen + row;
        memcpy(x, net->embedding + (ptrdiff_t)ids[at] * C, sizeof(float) * (size_t)C);
        if (net->positions) add(x, net->positions + (ptrdiff_t)at * C, C);
        if (net->pairs) { /* architectures/ngrams.py; torch's integers wrap around, and shift with their sign */
            const int64_t first = ids[at] + (int64_t)1, second = (at >= 1 ? ids[at - 1] : NOTHING) + (int64_t)1;
            const int64_t third = (at >= 2 ? ids[at - 2] : NOTHING) + (int64_t)1;
            const uint64_t mixed = (uint64_t)third * 0x9E3779B1u + (uint64_t)second * 0x85EBCA77u +
                                   (uint64_t)first * 0xC2B2AE3Du;
            const int64_t pair = second * (net->vocab_size + (int64_t)1) + first, triple = (int64_t)mixed >> 7;
            add(x, net->pairs + modulo(pair, net->pair_rows) * C, C);
            add(x, net->triples + modulo(triple, net->triple_rows) * C, C);
        }
        if (net->embedding_norm) normalise(x, x, C, net->rmsnorm, net->epsilon, NULL, NULL);
    }
}

/* A row of queries or keys, (H, D), is normed and turned to its position, head by head. */
static void prepare(const Net *net, float *row, int at) {
    const int D = net->n_embd / net->n_head;
    for (int head = 0; head < net->n_head; head++, row += D) {
        if (net->qk_norm) normalise(row, row, D, net->rmsnorm, net->epsilon, NULL, NULL);
        if (!net->turns) continue;
        const float *turn = net->turns + (ptrdiff_t)at * D;
        for (int i = 0; i < D; i += 2) {
            const float even = row[i], odd = row[i + 1];
            row[i] = even * turn[i] - odd * turn[i + 1];
            row[i + 1] = even * turn[i + 1] + odd * turn[i];
        }
    }
}

/* Writes the keys and values of `count` rows behind the `seen` ones. */
static void remember(const Net *net, const Parts *p, float *keys, float *values, int count, int seen) {
    const int D = net->n_embd / net->n_head;
    const ptrdiff_t T = net->block_size, value_width = padded(D);
    for (int head = 0; head < net->n_head; head++, keys += p->key_size, values += p->value_size)
        for (int row = 0; row < count; row++) {
            const ptrdiff_t at = seen + row, panel = at / PANEL * PANEL;
            const ptrdiff_t stride = p->positions - panel < PANEL ? p->positions - panel : PANEL;
            const float *k = p->k + row * p->stride + head * D, *v = p->v + row * p->stride + head * D;
            float *to = keys + panel * D + (at - panel);
            for (int i = 0; i < D; i++) to[i * stride] = k[i];
            for (int start = 0; start < D; start += PANEL) {
                const ptrdiff_t width = value_width - start < PANEL ? value_width - start : PANEL;
                float *RESTRICT into = values + start * T + at * width;
                SIMD for (int i = 0; i < smaller(PANEL, D - start); i++) into[i] = v[start + i];
            }
        }
}

/* y (rows `from` to `count`, C) = what the queries in p->q find among all positions so far. */
static void attend(const Net *net, const Parts *p, int wide, const float *keys, const float *values, int from,
                   int count, int seen, float *y) {
    const int D = net->n_embd / net->n_head, T = net->block_size, P = (int)p->positions;
    float share[QUERY_ROWS];
    for (int head = 0; head < net->n_head; head++, keys += p->key_size, values += p->value_size)
        for (int start = from; start < count; start += QUERY_ROWS) {
            const int rows = smaller(QUERY_ROWS, count - start), all = seen + start + rows;
            const ptrdiff_t offset = start * p->stride + head * D;
            begin(p->scores, P, rows, padded(all), NULL);
            multiply(wide, rows, D, (int)padded(all), keys, D, P, p->q + offset, p->stride, p->scores, P);
            for (int row = 0; row < rows; row++)
                share[row] = soften(p->scores + (ptrdiff_t)row * P, seen + start + row + 1, all, net->scale);
            begin(y + offset, p->stride, rows, padded(D), NULL);
            multiply(wide, rows, all, (int)padded(D), values, T, (int)padded(D), p->scores, P, y + offset, p->stride);
            for (int row = 0; row < rows; row++)
                for (int i = 0; i < D; i++) y[offset + row * p->stride + i] *= share[row];
        }
}

/* h (rows, C) = the norm of x. */
static void normed(const Net *net, const Parts *p, int from, int count, const float *weight, const float *bias) {
    for (int row = from; row < count; row++)
        normalise(p->x + row * p->stride, p->h + row * p->stride, net->n_embd, net->rmsnorm, net->epsilon, weight,
                  bias);
}

/* How many floats a memory is, zero at first. */
EXPORT int64_t gpt_memory_floats(const Net *net) { return parts_of(net, NULL).floats; }

#ifndef SOURCE_MARK
#define SOURCE_MARK 0
#endif
/* What the library was built from, and the structures' sizes: to compare with those of the caller. */
EXPORT uint32_t gpt_source(void) { return SOURCE_MARK; }
EXPORT int32_t gpt_layout(void) { return (int32_t)(sizeof(Net) * 1000 + sizeof(Layer)); }

/* Reads ids[seen .. seen + count) after the `seen` ones that `memory` holds; logits (V, rounded up) are the last's. */
EXPORT void gpt_read(const Net *net, float *memory, const int32_t *ids, int32_t count, int32_t seen, float *logits) {
    const Parts p = parts_of(net, memory);
    const int C = net->n_embd, width = (int)padded(C), hidden = (int)padded(4 * C), reach = net->token_shift;
    const int wide = WIDE_REGISTERS;
    const ptrdiff_t S = p.stride;
    embed(net, ids, count, seen, p.x, S);
    for (int index = 0; index < net->n_layer; index++) {
        const Layer *layer = net->layers + index;
        float *keys = p.keys + index * p.key_size * net->n_head;
        float *values = p.values + index * p.value_size * net->n_head;
        float *past = p.rows + (ptrdiff_t)index * 2 * reach * C;
        /* Above the last layer only the last row is asked for; its shift looks back at the rows before. */
        const int from = index + 1 < net->n_layer || count <= reach ? 0 : count - 1 - reach;
        const int asked = index + 1 < net->n_layer ? 0 : count - 1;
        normed(net, &p, 0, count, layer->norm_1_weight, layer->norm_1_bias);
        if (reach) shift(p.h, S, count, layer->shift_1, past, reach, C, seen == 0);
        begin(p.q + from * S, S, count - from, width, layer->query_bias);
        begin(p.k, S, count, width, layer->key_bias);
        begin(p.v, S, count, width, layer->value_bias);
        multiply(wide, count - from, C, width, layer->query, C, width, p.h + from * S, S, p.q + from * S, S);
        multiply(wide, count, C, width, layer->key, C, width, p.h, S, p.k, S);
        multiply(wide, count, C, width, layer->value, C, width, p.h, S, p.v, S);
        if (net->qk_norm || net->turns)
            for (int row = 0; row < count; row++) {
                prepare(net, p.k + row * S, seen + row);
                if (row >= from) prepare(net, p.q + row * S, seen + row);
            }
        remember(net, &p, keys, values, count, seen);
        attend(net, &p, wide, keys, values, from, count, seen, p.h);
        if (layer->projection_bias)
            for (int row = from; row < count; row++) add(p.x + row * S, layer->projection_bias, C);
        multiply(wide, count - from, C, width, layer->projection, C, width, p.h + from * S, S, p.x + from * S, S);
        normed(net, &p, from, count, layer->norm_2_weight, layer->norm_2_bias);
        if (reach) shift(p.h + from * S, S, count - from, layer->shift_2, past + reach * C, reach, C, seen == 0);
        for (int start = asked; start < count; start += MLP_ROWS) {
            const int rows = smaller(MLP_ROWS, count - start);
            begin(p.wide, p.wide_stride, rows, hidden, layer->widen_bias);
            multiply(wide, rows, C, hidden, layer->widen, C, hidden, p.h + start * S, S, p.wide, p.wide_stride);
            for (int row = 0; row < rows; row++) activate(p.wide + row * p.wide_stride, hidden, net->activation);
            if (layer->narrow_bias)
                for (int row = start; row < start + rows; row++) add(p.x + row * S, layer->narrow_bias, C);
            multiply(wide, rows, 4 * C, width, layer->narrow, 4 * C, width, p.wide, p.wide_stride, p.x + start * S, S);
        }
    }
    normed(net, &p, count - 1, count, net->norm_weight, net->norm_bias);
    const int V = (int)padded(net->vocab_size);
    begin(logits, V, 1, V, net->head_bias);
    multiply(wide, 1, C, V, net->head, C, V, p.h + (count - 1) * S, S, logits, V);
}
