/* Decodes a GPT on one core: the arithmetic of architectures/gpt.py in plain loops that a compiler vectorises.
 *
 * Nothing is allocated here and nothing is checked: reader.py owns every array and has looked at every size and id.
 *
 * All matrices are stored in panels, see products.h. Keys are such a matrix (head size, slots) and values (slots, head size),
 * so that attention is made of the same products as everything else.
 */
#include "products.h"

#include <math.h>
#if defined(EXACT)
#include <float.h>
#if FLT_EVAL_METHOD != 0
#error "this processor's floats are computed with more digits than they have"
#endif
#endif

enum { QUERY_ROWS = 12, MLP_ROWS = 128, NOTHING = -1 };
enum { GELU, GELU_TANH, RELU, RELU_SQUARED, SILU };

/* Floats, or rounded weights where there are scales. Pointers to what the settings leave out are NULL. library.py has
 * all structures field by field. */
typedef struct {
    const void *panels;
    const float *scales;
} Matrix;

typedef struct {
    Matrix query, key, value, projection; /* (C, H D), (C, K D) twice, (H D, C) */
    Matrix widen, gate, narrow;           /* (C, F) twice, (F, C); a gate only where the net has gates */
    const float *norm_1_weight, *norm_1_bias, *shift_1; /* (C), (C), (reach, C) */
    const float *query_bias, *key_bias, *value_bias, *projection_bias;
    const float *norm_2_weight, *norm_2_bias, *shift_2;
    const float *widen_bias, *gate_bias, *narrow_bias;
    const float *query_norm, *key_norm; /* (D) */
    int64_t window;                     /* tokens that a position sees, itself included */
} Layer;

typedef struct {
    int32_t vocab_size, block_size, n_layer, n_head, n_embd, token_shift, pair_rows, triple_rows;
    int32_t kv_heads, head_size, hidden_size, rope_pairs; /* K, D, F; the pairs of a head that RoPE turns */
    int32_t rmsnorm, qk_norm, embedding_norm, activation, has_gate, post_norm, parallel;
    int32_t slots, work_rows; /* a text's keys that are kept; rows that are read at once */
    float scale, epsilon;
    Matrix head;                          /* (C, V) */
    const float *embedding, *positions;   /* (V, C) or NULL: the head's columns; (T, C) */
    const double *frequencies;            /* (rope_pairs) */
    const float *pairs, *triples;         /* (pair_rows, C), (triple_rows, C) */
    const float *norm_weight, *norm_bias, *head_bias;
    const Layer *layers;
} Net;

/* A text that is being read. At position 0 it begins, whatever its memory holds. */
typedef struct {
    float *memory;
    int64_t position;      /* tokens so far */
    int32_t slot, last[2]; /* keys in the memory; the last two ids, the latest first */
} Text;

/* Reads `count` ids more of each text (n_texts, count), by the first `layers` layers. */
typedef struct {
    const Net *net;
    float *work;
    Text *const *texts;
    const int32_t *ids;
    float *logits; /* (n_texts, V rounded up) of the last ids; of every one with `every`; NULL: not asked for */
    int32_t n_texts, count, layers, every;
} Job;

/* Where a text's memory has what. */
typedef struct {
    float *keys, *values, *rows;
    ptrdiff_t positions, key_size, value_size, floats;
} Memory;

/* Where rows are worked on. */
typedef struct {
    float *x, *h, *beside, *q, *k, *v, *turns, *wide, *gates, *scores;
    ptrdiff_t stride, wide_stride, floats;
} Work;

#define TAKE(name, count) (m.name = end, end = end ? end + (count) : end, m.floats += (count))
static Memory memory_of(const Net *net, float *end) {
    Memory m;
    const ptrdiff_t C = net->n_embd, D = net->head_size, heads = (ptrdiff_t)net->n_layer * net->kv_heads;
    m.floats = 0;
    m.positions = padded(net->slots);
    m.key_size = D * m.positions;
    m.value_size = net->slots * padded(D);
    TAKE(keys, heads * m.key_size);
    TAKE(values, heads * m.value_size);
    TAKE(rows, padded((ptrdiff_t)net->n_layer * 2 * net->token_shift * C));
    return m;
}

static Work work_of(const Net *net, float *end) {
    Work m;
    const ptrdiff_t C = net->n_embd, heads = (ptrdiff_t)net->n_head * net->head_size, rows = net->work_rows;
    const ptrdiff_t wide_rows = rows < MLP_ROWS ? rows : MLP_ROWS;
    m.floats = 0;
    /* A head's last sums are written up to LANES - 1 numbers beyond its row's end. */
    m.stride = padded(C > heads ? C : heads) + LANES;
    m.wide_stride = padded(net->hidden_size) + LANES;
    TAKE(x, rows * m.stride);
    TAKE(h, rows * m.stride);
    TAKE(beside, net->parallel ? rows * m.stride : 0);
    TAKE(q, rows * m.stride);
    TAKE(k, rows * m.stride);
    TAKE(v, rows * m.stride);
    TAKE(turns, net->frequencies ? rows * padded(2 * net->rope_pairs) : 0);
    TAKE(wide, wide_rows * m.wide_stride);
    TAKE(gates, net->has_gate ? wide_rows * m.wide_stride : 0);
    TAKE(scores, QUERY_ROWS * padded(net->slots));
    return m;
}
#undef TAKE

/* out (rows, width) += a (rows, depth) times a matrix. */
static void apply(int wide, const Matrix *matrix, int rows, int depth, int width, const float *a, ptrdiff_t a_stride,
                  float *out, ptrdiff_t out_stride) {
    if (matrix->scales)
        multiply_rounded(wide, rows, depth, width, matrix->panels, matrix->scales, a, a_stride, out, out_stride);
    else multiply(wide, rows, 0, depth, width, matrix->panels, depth, width, a, a_stride, out, out_stride);
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

/* The tail of the normal distribution beyond x >= 0, where exp(-x^2 / 2) is `height`. Abramowitz and Stegun 7.1.26:
 * within 1e-7. */
INLINE float tail_below(float x, float height) {
    const float z = x * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z);
    const float sum = (((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f;
    return 0.5f * sum * t * height;
}

INLINE float normal_tail(float x) { return tail_below(x, exponential(-0.5f * x * x)); }

/* Both GELUs are relu(x) - |x| tail(|x|), and SiLU is relu(x) less what its sigmoid takes off. */
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
    } else if (kind == SILU) {
        SIMD for (int i = 0; i < count; i++) {
            const float size = fabsf(x[i]), e = exponential(-size);
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

/* The lanes' greatest and their sum, by halves. Each half has a loop of its own: compilers keep those in registers. */
INLINE float greatest_lane(float *lanes) {
    SIMD for (int j = 0; j < 8; j++) lanes[j] = lanes[j + 8] > lanes[j] ? lanes[j + 8] : lanes[j];
    SIMD for (int j = 0; j < 4; j++) lanes[j] = lanes[j + 4] > lanes[j] ? lanes[j + 4] : lanes[j];
    for (int j = 0; j < 2; j++) lanes[j] = lanes[j + 2] > lanes[j] ? lanes[j + 2] : lanes[j];
    return lanes[1] > lanes[0] ? lanes[1] : lanes[0];
}

INLINE float sum_of_lanes(float *lanes) {
    SIMD for (int j = 0; j < 8; j++) lanes[j] += lanes[j + 8];
    SIMD for (int j = 0; j < 4; j++) lanes[j] += lanes[j + 4];
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

/* The softmax of the scores from `first` to `seen`, without the division: returns what to multiply with afterwards, and
 * in `top` the greatest. The others up to `count` become zero: they are outside the window, or in the future. Whole
 * vectors are read, so the row has room for `seen` rounded up; lanes by hand, because compilers doubt a greatest of
 * floats. */
INLINE float softened(float *scores, int first, int seen, int count, float scale, float *top) {
    const int whole = (int)padded(seen);
    float lanes[LANES], sum[LANES] = {0};
    for (int i = 0; i < first; i++) scores[i] = -1e38f;
    for (int i = seen; i < whole; i++) scores[i] = -1e38f;
    for (int j = 0; j < LANES; j++) lanes[j] = scores[j];
    for (int i = LANES; i < whole; i += LANES)
        SIMD for (int j = 0; j < LANES; j++) lanes[j] = scores[i + j] > lanes[j] ? scores[i + j] : lanes[j];
    const float greatest = *top = greatest_lane(lanes);
    for (int i = 0; i < whole; i += LANES)
        SIMD for (int j = 0; j < LANES; j++) {
            scores[i + j] = exponential((scores[i + j] - greatest) * scale);
            sum[j] += scores[i + j];
        }
    for (int i = 0; i < first; i++) scores[i] = 0;
    for (int i = seen; i < count; i++) scores[i] = 0;
    return 1.0f / sum_of_lanes(sum);
}

HOT float soften(float *scores, int first, int seen, int count, float scale, float *top) {
    return softened(scores, first, seen, count, scale, top);
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

HOT void scale_by(float *to, const float *from, int n) {
    SIMD for (int i = 0; i < n; i++) to[i] *= from[i];
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

/* The embedding of a token, or its column of the head's panels where both are one. */
static void look_up(const Net *net, int id, float *x) {
    const int C = net->n_embd, V = (int)padded(net->vocab_size), panel = id / PANEL * PANEL;
    if (net->embedding) {
        memcpy(x, net->embedding + (ptrdiff_t)id * C, sizeof(float) * (size_t)C);
        return;
    }
    const int stride = smaller(PANEL, V - panel);
    const float *column = (const float *)net->head.panels + (ptrdiff_t)panel * C + (id - panel);
    for (int i = 0; i < C; i++) x[i] = column[(ptrdiff_t)i * stride];
}

/* x = what is known of each of a text's new tokens alone and of its position. */
static void embed(const Net *net, Text *text, const int32_t *ids, int count, float *x, ptrdiff_t stride) {
    const int C = net->n_embd;
    for (int row = 0; row < count; row++, x += stride) {
        look_up(net, ids[row], x);
        if (net->positions) add(x, net->positions + (text->position + row) * C, C);
        if (net->pairs) { /* architectures/ngrams.py; torch's integers wrap around, and shift with their sign */
            const int64_t first = ids[row] + (int64_t)1, second = text->last[0] + (int64_t)1;
            const int64_t third = text->last[1] + (int64_t)1;
            const uint64_t mixed = (uint64_t)third * 0x9E3779B1u + (uint64_t)second * 0x85EBCA77u +
                                   (uint64_t)first * 0xC2B2AE3Du;
            const int64_t pair = second * (net->vocab_size + (int64_t)1) + first, triple = (int64_t)mixed >> 7;
            add(x, net->pairs + modulo(pair, net->pair_rows) * C, C);
            add(x, net->triples + modulo(triple, net->triple_rows) * C, C);
        }
        if (net->embedding_norm) normalise(x, x, C, net->rmsnorm, net->epsilon, NULL, NULL);
        text->last[1] = text->last[0];
        text->last[0] = ids[row];
    }
}

/* Cosine and sine of an angle that is not below zero. Libraries differ in the last digit: with EXACT both are computed
 * here, after FreeBSD's k_cos.c and k_sin.c, from the nearest quarter turn. */
INLINE void cosine_and_sine(double angle, float *turn) {
#if defined(EXACT)
    const int64_t quarters = (int64_t)(angle * 0.63661977236758134 + 0.5);
    const double x = (angle - (double)quarters * 1.57079632673412561417) - (double)quarters * 6.07710050650619224932e-11;
    const double z = x * x;
    double c = 2.08757232129817482790e-9 + z * -1.13596475577881948265e-11;
    c = 2.48015872894767294178e-5 + z * (-2.75573143513906633035e-7 + z * c);
    c = 1.0 - 0.5 * z + z * z * (4.16666666666666019037e-2 + z * (-1.38888888888741095749e-3 + z * c));
    double s = -2.50507602534068634195e-8 + z * 1.58969099521155010221e-10;
    s = -1.98412698298579493134e-4 + z * (2.75573137070700676789e-6 + z * s);
    s = x + x * z * (-1.66666666666666324348e-1 + z * (8.33333333332248946124e-3 + z * s));
    const int swapped = (int)(quarters & 1);
    turn[0] = (float)((quarters + 1) & 2 ? -(swapped ? s : c) : (swapped ? s : c));
    turn[1] = (float)(quarters & 2 ? -(swapped ? c : s) : (swapped ? c : s));
#else
    turn[0] = (float)cos(angle);
    turn[1] = (float)sin(angle);
#endif
}

/* Cosine and sine of RoPE's angles (rope_pairs, 2) at a position: in doubles, for a text may be endless. */
static void turn_to(const Net *net, int64_t position, float *turn) {
    for (int i = 0; i < net->rope_pairs; i++) {
        cosine_and_sine((double)position * net->frequencies[i], turn + 2 * i);
    }
}

/* A row of queries or keys, (heads, D), is normed and turned to its position, head by head. */
static void prepare(const Net *net, float *row, int heads, const float *weight, const float *turn) {
    const int D = net->head_size;
    for (int head = 0; head < heads; head++, row += D) {
        if (net->qk_norm) normalise(row, row, D, net->rmsnorm, net->epsilon, weight, NULL);
        if (!net->frequencies) continue;
        for (int i = 0; i < 2 * net->rope_pairs; i += 2) {
            const float even = row[i], odd = row[i + 1];
            row[i] = even * turn[i] - odd * turn[i + 1];
            row[i + 1] = even * turn[i + 1] + odd * turn[i];
        }
    }
}

/* Makes room for `count` rows in a text that slides: keys and values that no new token sees are dropped, by whole
 * panels, and the others moved down. */
static void make_room(const Net *net, Text *text, int count) {
    if (text->slot + count <= net->slots) return;
    const Memory m = memory_of(net, text->memory);
    const int D = net->head_size, width = (int)padded(D), heads = net->n_layer * net->kv_heads;
    const int dropped = (text->slot - net->block_size + 1) / PANEL * PANEL, left = text->slot - dropped;
    const size_t columns = (size_t)(left + PANEL - 1) / PANEL * PANEL;
    for (int head = 0; head < heads; head++) {
        float *keys = m.keys + head * m.key_size, *values = m.values + head * m.value_size;
        memmove(keys, keys + (ptrdiff_t)dropped * D, sizeof(float) * columns * (size_t)D);
        for (int start = 0; start < D; start += PANEL) {
            const int stride = smaller(PANEL, width - start);
            float *panel = values + (ptrdiff_t)start * net->slots;
            memmove(panel, panel + (ptrdiff_t)dropped * stride, sizeof(float) * (size_t)left * (size_t)stride);
        }
    }
    text->slot = left;
}

/* Writes a head's new key and value at a slot. */
INLINE void remember_head(const Net *net, const Memory *m, float *keys, float *values, const float *k, const float *v,
                          ptrdiff_t slot) {
    const int D = net->head_size;
    const ptrdiff_t value_width = padded(D), panel = slot / PANEL * PANEL;
    const ptrdiff_t columns = m->positions - panel < PANEL ? m->positions - panel : PANEL;
    float *to = keys + panel * D + (slot - panel);
    for (int i = 0; i < D; i++) to[i * columns] = k[i];
    for (int start = 0; start < D; start += PANEL) {
        const ptrdiff_t width = value_width - start < PANEL ? value_width - start : PANEL;
        memcpy(values + start * net->slots + slot * width, v + start,
               sizeof(float) * (size_t)smaller(PANEL, D - start));
    }
}

/* Writes the keys and values of a text's new rows behind those it has. */
static void remember(const Net *net, const Memory *m, ptrdiff_t first_head, const float *k, const float *v,
                     ptrdiff_t stride, int count, int slot) {
    const int D = net->head_size;
    float *keys = m->keys + first_head * m->key_size, *values = m->values + first_head * m->value_size;
    for (int head = 0; head < net->kv_heads; head++, keys += m->key_size, values += m->value_size, k += D, v += D)
        for (int row = 0; row < count; row++)
            remember_head(net, m, keys, values, k + row * stride, v + row * stride, slot + row);
}

/* y (rows `from` to `count`, H D) = what a text's queries find among the `window` keys up to their own. */
static void attend(const Net *net, const Memory *m, ptrdiff_t first_head, int window, float *scores, int wide,
                   const float *q, float *y, ptrdiff_t stride, int from, int count, int slot) {
    const int D = net->head_size, P = (int)m->positions, width = (int)padded(D), group = net->n_head / net->kv_heads;
    float share[QUERY_ROWS], top_score;
    for (int head = 0; head < net->n_head; head++) {
        const float *keys = m->keys + (first_head + head / group) * m->key_size;
        const float *values = m->values + (first_head + head / group) * m->value_size;
        for (int start = from; start < count; start += QUERY_ROWS) {
            const int rows = smaller(QUERY_ROWS, count - start), first = slot + start - window + 1;
            const int top = first > 0 ? first / PANEL * PANEL : 0, all = slot + start + rows - top;
            const ptrdiff_t offset = start * stride + head * D;
            /* A lone query reads panels to their end: what it finds beyond the last key is not looked at. */
            const int seen = rows > 1 ? (int)padded(all) : smaller(P - top, (all + PANEL - 1) / PANEL * PANEL);
            begin(scores, P, rows, seen, NULL);
            multiply(wide, rows, 0, D, seen, keys + (ptrdiff_t)top * D, D, P - top, q + offset, stride,
                     scores, P);
            for (int row = 0; row < rows; row++)
                share[row] = soften(scores + (ptrdiff_t)row * P, first + row > 0 ? first + row - top : 0,
                                    slot + start + row + 1 - top, all, net->scale, &top_score);
            begin(y + offset, stride, rows, width, NULL);
            multiply(wide, rows, top, all, width, values, net->slots, width, scores, P, y + offset, stride);
            for (int row = 0; row < rows; row++)
                for (int i = 0; i < D; i++) y[offset + row * stride + i] *= share[row];
        }
    }
}

/* The same two for a text's lone new row, head by head: what is known of many texts is in no near cache, so each head
 * asks for the next one's keys and values, after the last head those of the next text, `next` floats away. */
HOT void attend_alone(const Net *net, const Memory *m, ptrdiff_t first_head, int window, ptrdiff_t next,
                      float *scores, const float *q, const float *k, const float *v, float *y, int slot) {
    const int D = net->head_size, width = (int)padded(D), P = (int)m->positions;
    const int group = net->n_head / net->kv_heads;
    const int first = smaller(slot, window - 1), top = (slot - first) / PANEL * PANEL;
    const int seen = slot + 1 - top, hidden = slot - first - top;
    float *keys = m->keys + first_head * m->key_size, *values = m->values + first_head * m->value_size, top_score;
    for (int head = 0; head < net->n_head; head++) {
        const int shared = head / group, last = head + 1 == net->n_head, moves = (head + 1) % group == 0;
        const ptrdiff_t key_ahead = last ? next - shared * m->key_size : moves ? m->key_size : 0;
        const ptrdiff_t value_ahead = last ? next - shared * m->value_size : moves ? m->value_size : 0;
        if (head % group == 0) remember_head(net, m, keys, values, k, v, slot);
        for (int column = 0; column < seen; column += PANEL) {
            const int stride = smaller(PANEL, P - top - column);
            const int strips = (smaller(PANEL, seen - column) + LANES - 1) / LANES;
            const float *panel = keys + (ptrdiff_t)(top + column) * D;
            float *to = scores + column;
            memset(to, 0, sizeof(float) * PANEL);
            switch (strips) {
                case 4: tile_1x64(D, panel, stride, key_ahead, q, 0, to, 0); break;
                case 3: tile_1x48(D, panel, stride, key_ahead, q, 0, to, 0); break;
                case 2: tile_1x32(D, panel, stride, key_ahead, q, 0, to, 0); break;
                default: tile_1x16(D, panel, stride, key_ahead, q, 0, to, 0);
            }
        }
        const float share = softened(scores, hidden, seen, seen, net->scale, &top_score);
        memset(y, 0, sizeof(float) * (size_t)width);
        for (int column = 0; column < width; column += PANEL) {
            const int stride = smaller(PANEL, width - column);
            const float *panel = values + (ptrdiff_t)column * net->slots + (ptrdiff_t)top * stride;
            switch (stride / LANES) {
                case 4: tile_1x64(seen, panel, stride, value_ahead, scores, 0, y + column, 0); break;
                case 3: tile_1x48(seen, panel, stride, value_ahead, scores, 0, y + column, 0); break;
                case 2: fold_32(seen, panel, value_ahead, scores, y + column); break;
                default: fold_16(seen, panel, value_ahead, scores, y + column);
            }
        }
        for (int i = 0; i < D; i++) y[i] *= share;
        if (moves) keys += m->key_size, values += m->value_size, k += D, v += D;
        q += D, y += D;
    }
}

/* to (rows `from` to `count`, C) = the norm of x. */
static void normed(const Net *net, const Work *w, float *to, int from, int count, const float *weight,
                   const float *bias) {
    for (int row = from; row < count; row++)
        normalise(w->x + row * w->stride, to + row * w->stride, net->n_embd, net->rmsnorm, net->epsilon, weight, bias);
}

/* to (rows `from` to `count`, C) = what a sublayer reads of x: its norm, or x itself where norms come after sublayers. */
static void sublayer_input(const Net *net, const Work *w, float *to, int from, int count, const float *weight,
                           const float *bias) {
    if (!net->post_norm) {
        normed(net, w, to, from, count, weight, bias);
        return;
    }
    for (int row = from; row < count; row++)
        memcpy(to + row * w->stride, w->x + row * w->stride, sizeof(float) * (size_t)net->n_embd);
}

/* x (rows `from` to `count`, C), to which a sublayer was added, is normed where norms come after sublayers. */
static void sublayer_output(const Net *net, const Work *w, int from, int count, const float *weight,
                            const float *bias) {
    for (int row = from; net->post_norm && row < count; row++)
        normalise(w->x + row * w->stride, w->x + row * w->stride, net->n_embd, net->rmsnorm, net->epsilon, weight,
                  bias);
}

/* How many floats a text's memory is, and the work. */
EXPORT int64_t gpt_memory_floats(const Net *net) { return memory_of(net, NULL).floats; }
EXPORT int64_t gpt_work_floats(const Net *net) { return work_of(net, NULL).floats; }

/* Makes a text a copy of another: the used part of its memory is copied. */
EXPORT void gpt_copy(const Net *net, const Text *from, Text *to) {
    const Memory m = memory_of(net, from->memory), copy = memory_of(net, to->memory);
    const ptrdiff_t D = net->head_size, width = padded(D), heads = (ptrdiff_t)net->n_layer * net->kv_heads;
    const ptrdiff_t panels = (from->slot + PANEL - 1) / PANEL * PANEL;
    const ptrdiff_t columns = panels < m.positions ? panels : m.positions;
    for (ptrdiff_t head = 0; head < heads; head++) {
        memcpy(copy.keys + head * m.key_size, m.keys + head * m.key_size, sizeof(float) * (size_t)(columns * D));
        for (ptrdiff_t start = 0; start < width; start += PANEL) {
            const ptrdiff_t at = head * m.value_size + start * net->slots;
            const ptrdiff_t stride = width - start < PANEL ? width - start : PANEL;
            memcpy(copy.values + at, m.values + at, sizeof(float) * (size_t)(from->slot * stride));
        }
    }
    memcpy(copy.rows, m.rows, sizeof(float) * (size_t)(m.floats - (m.rows - m.keys)));
    to->position = from->position;
    to->slot = from->slot;
    memcpy(to->last, from->last, sizeof to->last);
}

#ifndef SOURCE_MARK
#define SOURCE_MARK 0
#endif
/* What the library was built from, and the structures' sizes: to compare with those of the caller. */
EXPORT uint32_t gpt_source(void) { return SOURCE_MARK; }
EXPORT int64_t gpt_layout(void) {
    return ((int64_t)(sizeof(Net) * 1000 + sizeof(Layer)) * 1000 + (int64_t)sizeof(Job)) * 1000 + (int64_t)sizeof(Text);
}

/* Whether the library that was compiled for AVX2 should be loaded in place of this one: this one cannot use AVX2, and
 * the processor and the operating system can. By hand: compilers' own functions are stubs in some of their libraries. */
EXPORT int32_t gpt_prefers_avx2(void) {
#if IS_X86_64 && !HAS_COPIES && !defined(__AVX2__)
    enum { FMA = 1 << 12, SAVES_STATE = 1 << 27, AVX2 = 1 << 5, WIDE_STATE = 6 };
    uint32_t registers[4]; /* eax, ebx, ecx, edx */
    processor_features(0, registers);
    if (registers[0] < 7) return 0;
    processor_features(1, registers);
    if ((registers[2] & (FMA | SAVES_STATE)) != (FMA | SAVES_STATE)) return 0;
    if ((saved_state() & WIDE_STATE) != WIDE_STATE) return 0;
    processor_features(7, registers);
    return (registers[1] & AVX2) != 0;
#else
    return 0;
#endif
}

/* Reads on in every text of a job, and counts what it has read. */
EXPORT void gpt_read(const Job *job) {
    const Net *net = job->net;
    const Work w = work_of(net, job->work);
    const int C = net->n_embd, width = (int)padded(C), reach = net->token_shift;
    const int F = net->hidden_size, hidden = (int)padded(F), H = net->n_head, K = net->kv_heads, D = net->head_size;
    const int query_width = (int)padded((ptrdiff_t)H * D), key_width = (int)padded((ptrdiff_t)K * D);
    const int wide = WIDE_REGISTERS, count = job->count, rows = job->n_texts * count;
    const ptrdiff_t S = w.stride, turn_size = padded(2 * net->rope_pairs);
    /* Above the last layer only a lone text's last row is asked for. */
    const int trimmed = job->n_texts == 1 && !job->every;
    for (int index = 0; index < job->n_texts; index++) {
        Text *text = job->texts[index];
        if (!text->position) text->slot = 0, text->last[0] = text->last[1] = NOTHING;
        make_room(net, text, count);
        embed(net, text, job->ids + (ptrdiff_t)index * count, count, w.x + (ptrdiff_t)index * count * S, S);
        if (net->frequencies)
            for (int row = 0; row < count; row++)
                turn_to(net, text->position + row, w.turns + ((ptrdiff_t)index * count + row) * turn_size);
    }
    for (int index = 0; index < job->layers; index++) {
        const Layer *layer = net->layers + index;
        const int last = trimmed && index + 1 == net->n_layer;
        /* The last row's shift looks back at the rows before it. */
        const int from = last && count > reach ? count - 1 - reach : 0, asked = last ? count - 1 : 0;
        const ptrdiff_t first_head = (ptrdiff_t)index * K, past_1 = (ptrdiff_t)index * 2 * reach * C;
        const int window = (int)layer->window;
        float *mlp_input = net->parallel ? w.beside : w.h;
        sublayer_input(net, &w, w.h, 0, rows, layer->norm_1_weight, layer->norm_1_bias);
        if (net->parallel) sublayer_input(net, &w, w.beside, from, rows, layer->norm_2_weight, layer->norm_2_bias);
        for (int text = 0; reach && text < job->n_texts; text++)
            shift(w.h + (ptrdiff_t)text * count * S, S, count, layer->shift_1,
                  memory_of(net, job->texts[text]->memory).rows + past_1, reach, C, !job->texts[text]->position);
        begin(w.q + from * S, S, rows - from, query_width, layer->query_bias);
        begin(w.k, S, rows, key_width, layer->key_bias);
        begin(w.v, S, rows, key_width, layer->value_bias);
        apply(wide, &layer->query, rows - from, C, query_width, w.h + from * S, S, w.q + from * S, S);
        apply(wide, &layer->key, rows, C, key_width, w.h, S, w.k, S);
        apply(wide, &layer->value, rows, C, key_width, w.h, S, w.v, S);
        if (net->qk_norm || net->frequencies)
            for (int row = 0; row < rows; row++) {
                prepare(net, w.k + row * S, K, layer->key_norm, w.turns + row * turn_size);
                if (row >= from) prepare(net, w.q + row * S, H, layer->query_norm, w.turns + row * turn_size);
            }
        for (int text = 0; text < job->n_texts; text++) {
            const Memory m = memory_of(net, job->texts[text]->memory);
            const ptrdiff_t at = (ptrdiff_t)text * count * S;
            const int slot = job->texts[text]->slot;
            if (count == 1) {
                const ptrdiff_t next = job->texts[text + 1 < job->n_texts ? text + 1 : 0]->memory - m.keys;
                attend_alone(net, &m, first_head, window, next, w.scores, w.q + at, w.k + at, w.v + at, w.h + at, slot);
                continue;
            }
            remember(net, &m, first_head, w.k + at, w.v + at, S, count, slot);
            attend(net, &m, first_head, window, w.scores, wide, w.q + at, w.h + at, S, from, count, slot);
        }
        if (layer->projection_bias)
            for (int row = from; row < rows; row++) add(w.x + row * S, layer->projection_bias, C);
        apply(wide, &layer->projection, rows - from, H * D, width, w.h + from * S, S, w.x + from * S, S);
        sublayer_output(net, &w, from, rows, layer->norm_1_weight, layer->norm_1_bias);
        if (!net->parallel) sublayer_input(net, &w, w.h, from, rows, layer->norm_2_weight, layer->norm_2_bias);
        for (int text = 0; reach && text < job->n_texts; text++)
            shift(mlp_input + ((ptrdiff_t)text * count + from) * S, S, count - from, layer->shift_2,
                  memory_of(net, job->texts[text]->memory).rows + past_1 + (ptrdiff_t)reach * C, reach, C,
                  !job->texts[text]->position);
        for (int start = asked; start < rows; start += MLP_ROWS) {
            const int now = smaller(MLP_ROWS, rows - start);
            begin(w.wide, w.wide_stride, now, hidden, layer->widen_bias);
            apply(wide, &layer->widen, now, C, hidden, mlp_input + start * S, S, w.wide, w.wide_stride);
            if (net->has_gate) {
                begin(w.gates, w.wide_stride, now, hidden, layer->gate_bias);
                apply(wide, &layer->gate, now, C, hidden, mlp_input + start * S, S, w.gates, w.wide_stride);
            }
            float *activated = net->has_gate ? w.gates : w.wide;
            for (int row = 0; row < now; row++) activate(activated + row * w.wide_stride, hidden, net->activation);
            for (int row = 0; net->has_gate && row < now; row++)
                scale_by(w.wide + row * w.wide_stride, w.gates + row * w.wide_stride, hidden);
            if (layer->narrow_bias)
                for (int row = start; row < start + now; row++) add(w.x + row * S, layer->narrow_bias, C);
            apply(wide, &layer->narrow, now, F, width, w.wide, w.wide_stride, w.x + start * S, S);
        }
        sublayer_output(net, &w, asked, rows, layer->norm_2_weight, layer->norm_2_bias);
    }
    for (int index = 0; index < job->n_texts; index++) {
        job->texts[index]->position += count;
        job->texts[index]->slot += count;
    }
    if (!job->logits) return;
    const int V = (int)padded(net->vocab_size), step = job->every ? 1 : count, answers = rows / step;
    /* The rows that are asked for, one behind the other. */
    for (int row = 0; row < answers; row++)
        normalise(w.x + (row * (ptrdiff_t)step + step - 1) * S, w.h + row * S, C, net->rmsnorm, net->epsilon,
                  net->norm_weight, net->norm_bias);
    begin(job->logits, V, answers, V, net->head_bias);
    apply(wide, &net->head, answers, C, V, w.h, S, job->logits, V);
}

#if !defined(EXACT)
#include "learning.h"
#endif
