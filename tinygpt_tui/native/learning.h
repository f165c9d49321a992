/* Forward and backward of what lies between the matrix products while a net learns: norms, token shift, attention,
 * activations, dropout. Each goes over its numbers once or twice, where a framework's parts take five to ten passes.
 *
 * All arrays are whole (row after row), fp32, and owned by the caller (training/fused.py), who has checked all sizes.
 */
enum { QUERIES = 32 };

/* Each row of y (batch, T, C) is the norm of x's, times weight plus bias where there are such, plus shares (reach, C) of
 * the rows before it. `kept` (batch * T, 2) remembers mean and scale. */
HOT void norm_rows(const float *x, const float *weight, const float *bias, const float *shares, float *y, float *kept,
                   int batch, int T, int C, int reach, float epsilon) {
    for (int b = 0; b < batch; b++, x += (ptrdiff_t)T * C, y += (ptrdiff_t)T * C, kept += 2 * T) {
        for (int t = 0; t < T; t++) {
            const float *RESTRICT from = x + (ptrdiff_t)t * C;
            float *RESTRICT to = y + (ptrdiff_t)t * C;
            float mean = 0, square = 0;
            SUM_OF(mean) for (int i = 0; i < C; i++) mean += from[i];
            mean /= (float)C;
            SUM_OF(square) for (int i = 0; i < C; i++) square += (from[i] - mean) * (from[i] - mean);
            const float scale = 1.0f / sqrtf(square / (float)C + epsilon);
            kept[2 * t] = mean;
            kept[2 * t + 1] = scale;
            SIMD for (int i = 0; i < C; i++) to[i] = (from[i] - mean) * scale;
            if (weight) SIMD for (int i = 0; i < C; i++) to[i] *= weight[i];
            if (bias) SIMD for (int i = 0; i < C; i++) to[i] += bias[i];
        }
        for (int t = T - 1; t > 0; t--)
            for (int j = 1; j <= reach && j <= t; j++) {
                const float *RESTRICT share = shares + (j - 1) * C, *RESTRICT before = y + (ptrdiff_t)(t - j) * C;
                float *RESTRICT to = y + (ptrdiff_t)t * C;
                SIMD for (int i = 0; i < C; i++) to[i] += share[i] * before[i];
            }
    }
}

/* The gradient of norm_rows; those of weight, bias and shares are added to. `row` (2, C) is scratch. */
HOT void norm_rows_back(const float *x, const float *weight, const float *bias, const float *shares, const float *kept,
                        const float *gradient, float *to_x, float *to_weight, float *to_bias, float *to_shares,
                        float *row, int batch, int T, int C, int reach) {
    float *RESTRICT g = row, *RESTRICT n = row + C;
    for (int b = 0; b < batch; b++)
        for (int t = 0; t < T; t++) {
            const ptrdiff_t at = ((ptrdiff_t)b * T + t) * C;
            const float *RESTRICT from = x + at, mean = kept[2 * (b * T + t)], scale = kept[2 * (b * T + t) + 1];
            const float *RESTRICT down = gradient + at;
            SIMD for (int i = 0; i < C; i++) {
                n[i] = (from[i] - mean) * scale;
                g[i] = down[i];
            }
            for (int j = 1; j <= reach && t + j < T; j++) {
                const float *RESTRICT share = shares + (j - 1) * C, *RESTRICT later = down + (ptrdiff_t)j * C;
                float *RESTRICT to = to_shares + (j - 1) * C;
                SIMD for (int i = 0; i < C; i++) {
                    const float z = (weight ? n[i] * weight[i] : n[i]) + (bias ? bias[i] : 0);
                    g[i] += share[i] * later[i];
                    to[i] += later[i] * z;
                }
            }
            if (bias) SIMD for (int i = 0; i < C; i++) to_bias[i] += g[i];
            if (weight) SIMD for (int i = 0; i < C; i++) {
                to_weight[i] += g[i] * n[i];
                g[i] *= weight[i];
            }
            float sum = 0, product = 0;
            SUM_OF(sum) for (int i = 0; i < C; i++) sum += g[i];
            SUM_OF(product) for (int i = 0; i < C; i++) product += g[i] * n[i];
            sum /= (float)C;
            product /= (float)C;
            float *RESTRICT to = to_x + at;
            SIMD for (int i = 0; i < C; i++) to[i] = scale * (g[i] - sum - product * n[i]);
        }
}

EXPORT void learn_norm(const float *x, const float *weight, const float *bias, const float *shares, float *y, float *kept,
                       int32_t batch, int32_t T, int32_t C, int32_t reach, float epsilon) {
    norm_rows(x, weight, bias, shares, y, kept, batch, T, C, reach, epsilon);
}

EXPORT void learn_norm_back(const float *x, const float *weight, const float *bias, const float *shares,
                            const float *kept, const float *gradient, float *to_x, float *to_weight, float *to_bias,
                            float *to_shares, float *row, int32_t batch, int32_t T, int32_t C, int32_t reach) {
    norm_rows_back(x, weight, bias, shares, kept, gradient, to_x, to_weight, to_bias, to_shares, row, batch, T, C,
                   reach);
}

/* One net's attention: sizes, and where a head's parts are worked on. */
typedef struct {
    int32_t batch, T, n_head, head_size, reach, normed; /* reach: positions that are seen, at most T */
    float scale, epsilon;
    const float *turns; /* (T, D / 2, 2) cosine and sine, or NULL */
    float *work;        /* learn_attention_floats of them */
} Attention;

/* A head's parts: rows of `width` (D rounded up), or turned: rows of `stride` positions. */
typedef struct {
    float *q, *k, *v, *turned, *turned_v, *to_y, *to_q, *to_k, *to_v, *scores, *slopes, *turned_scores, *turned_slopes;
    float *kept;
    ptrdiff_t width, stride, floats;
} Head;

#define TAKE(name, count) (m.name = end, end = end ? end + (count) : end, m.floats += (count))
static Head head_of(const Attention *net, float *end) {
    Head m;
    m.floats = 0;
    m.width = padded(net->head_size);
    m.stride = padded(net->T) + LANES; /* not a power of two: rows would share few places of the first cache */
    const ptrdiff_t rows = m.stride * m.width;
    TAKE(q, rows);
    TAKE(k, rows);
    TAKE(v, rows);
    TAKE(turned, rows);
    TAKE(turned_v, rows);
    TAKE(to_y, rows);
    TAKE(to_q, rows);
    TAKE(to_k, rows);
    TAKE(to_v, rows);
    TAKE(scores, QUERIES * m.stride);
    TAKE(slopes, QUERIES * m.stride);
    TAKE(turned_scores, QUERIES * m.stride);
    TAKE(turned_slopes, QUERIES * m.stride);
    TAKE(kept, 4 * m.stride);
    return m;
}
#undef TAKE

/* to (T, width) = one head's rows of from (T, 3 C), normed and turned where the net does so; `kept` (T, 2) as above. */
HOT void take_head(const Attention *net, const float *from, ptrdiff_t from_stride, float *to, ptrdiff_t width,
                   float *kept, int shaped) {
    const int D = net->head_size;
    for (int t = 0; t < net->T; t++, from += from_stride, to += width) {
        float mean = 0, square = 0, scale = 1;
        if (shaped && net->normed) {
            SUM_OF(mean) for (int i = 0; i < D; i++) mean += from[i];
            mean /= (float)D;
            SUM_OF(square) for (int i = 0; i < D; i++) square += (from[i] - mean) * (from[i] - mean);
            scale = 1.0f / sqrtf(square / (float)D + net->epsilon);
            kept[2 * t] = mean;
            kept[2 * t + 1] = scale;
        }
        if (shaped && net->turns) {
            const float *RESTRICT turn = net->turns + (ptrdiff_t)t * D;
            SIMD for (int i = 0; i < D / 2; i++) {
                const float even = (from[2 * i] - mean) * scale, odd = (from[2 * i + 1] - mean) * scale;
                to[2 * i] = even * turn[2 * i] - odd * turn[2 * i + 1];
                to[2 * i + 1] = even * turn[2 * i + 1] + odd * turn[2 * i];
            }
        } else
            SIMD for (int i = 0; i < D; i++) to[i] = (from[i] - mean) * scale;
        for (int i = D; i < width; i++) to[i] = 0;
    }
}

/* The gradient of take_head; `gradient` (T, width) is changed. */
HOT void give_head(const Attention *net, const float *from, float *gradient, ptrdiff_t width, const float *kept,
                   float *to, ptrdiff_t stride, int shaped) {
    const int D = net->head_size;
    for (int t = 0; t < net->T; t++, from += stride, to += stride, gradient += width) {
        float *RESTRICT g = gradient;
        if (shaped && net->turns) {
            const float *RESTRICT turn = net->turns + (ptrdiff_t)t * D;
            SIMD for (int i = 0; i < D / 2; i++) {
                const float even = g[2 * i], odd = g[2 * i + 1];
                g[2 * i] = even * turn[2 * i] + odd * turn[2 * i + 1];
                g[2 * i + 1] = odd * turn[2 * i] - even * turn[2 * i + 1];
            }
        }
        if (shaped && net->normed) {
            const float mean = kept[2 * t], scale = kept[2 * t + 1];
            float sum = 0, product = 0;
            SUM_OF(sum) for (int i = 0; i < D; i++) sum += g[i];
            SUM_OF(product) for (int i = 0; i < D; i++) product += g[i] * (from[i] - mean);
            sum /= (float)D;
            product *= scale * scale / (float)D;
            SIMD for (int i = 0; i < D; i++) to[i] = scale * (g[i] - sum - product * (from[i] - mean));
        } else
            SIMD for (int i = 0; i < D; i++) to[i] = g[i];
    }
}

/* to (width, stride) = rows (count, width) turned over. */
HOT void turn_over(const float *rows, int count, ptrdiff_t width, float *to, ptrdiff_t stride) {
    for (int t = 0; t < count; t++)
        for (ptrdiff_t i = 0; i < width; i++) to[i * stride + t] = rows[t * width + i];
    for (ptrdiff_t i = 0; i < width; i++)
        for (ptrdiff_t t = count; t < stride; t++) to[i * stride + t] = 0;
}

/* out (rows, count) = a (rows, width) times columns `low` to `low + count` of w (width, stride). */
static void scores_of(int wide, const Head *m, int rows, const float *a, const float *w, int low, int count, float *out) {
    for (int r = 0; r < rows; r++) memset(out + r * m->stride, 0, sizeof(float) * (size_t)count);
    for (int column = 0; column < count; column += PANEL)
        multiply_block(wide, rows, (int)m->width, smaller(PANEL, count - column), w + low + column, m->stride, LANES, 0,
                       a, m->width, out + column, m->stride);
}

/* out (rows, width) += a (rows, depth; rows are `stride` apart) times w (depth, width). */
static void mix(int wide, const Head *m, int rows, int depth, const float *a, ptrdiff_t a_stride, const float *w,
                float *out) {
    for (ptrdiff_t column = 0; column < m->width; column += PANEL)
        multiply_block(wide, rows, depth, smaller(PANEL, (int)(m->width - column)), w + column, m->width, LANES, 0, a,
                       a_stride, out + column, m->width);
}

/* p = exp(scale * score - log_sum) and its slope by the score, for the keys from `first` to `seen`; zero elsewhere. */
HOT void slope_row(float *scores, float *slopes, int first, int seen, int count, float scale, float log_sum,
                   float mixed) {
    for (int i = 0; i < first; i++) scores[i] = slopes[i] = 0;
    SIMD for (int i = first; i < seen; i++) {
        const float power = scores[i] * scale - log_sum;
        scores[i] = exponential(power < 0 ? power : 0);
        slopes[i] = scores[i] * (slopes[i] - mixed) * scale;
    }
    for (int i = seen; i < count; i++) scores[i] = slopes[i] = 0;
}

/* to (count, QUERIES) = rows (queries, count) turned over. */
HOT void turn_block(const float *rows, int queries, int count, ptrdiff_t stride, float *to) {
    for (int i = 0; i < count; i += 8)
        for (int r = 0; r < queries; r++)
            for (int j = 0; j < 8; j++) to[(ptrdiff_t)(i + j) * QUERIES + r] = rows[r * stride + i + j];
}

HOT float dot(const float *a, const float *b, int n) {
    float sum = 0;
    SUM_OF(sum) for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

HOT void scaled(float *to, const float *from, int n, float by) {
    SIMD for (int i = 0; i < n; i++) to[i] = from[i] * by;
}

EXPORT int64_t learn_attention_floats(const Attention *net) { return head_of(net, NULL).floats; }

/* y (batch, T, C) of qkv (batch, T, 3 C); log_sums (batch, H, T) is kept for the way back. */
EXPORT void learn_attention(const Attention *net, const float *qkv, float *y, float *log_sums) {
    const Head m = head_of(net, net->work);
    const int T = net->T, D = net->head_size, wide = WIDE_REGISTERS;
    const ptrdiff_t C = (ptrdiff_t)net->n_head * D;
    for (int index = 0; index < net->batch * net->n_head; index++, log_sums += T) {
        const int b = index / net->n_head, h = index % net->n_head;
        const float *from = qkv + (ptrdiff_t)b * T * 3 * C + h * D;
        take_head(net, from, 3 * C, m.q, m.width, m.kept, 1);
        take_head(net, from + C, 3 * C, m.k, m.width, m.kept, 1);
        take_head(net, from + 2 * C, 3 * C, m.v, m.width, m.kept, 0);
        turn_over(m.k, T, m.width, m.turned, m.stride);
        for (int begin_at = 0; begin_at < T; begin_at += QUERIES) {
            const int rows = smaller(QUERIES, T - begin_at), oldest = begin_at - net->reach + 1;
            const int low = oldest > 0 ? oldest / LANES * LANES : 0, count = (int)padded(begin_at + rows - low);
            scores_of(wide, &m, rows, m.q + begin_at * m.width, m.turned, low, count, m.scores);
            float over[QUERIES];
            for (int r = 0; r < rows; r++) {
                const int seen = begin_at + r + 1 - low, first = smaller(seen, net->reach) == seen ? 0 : seen - net->reach;
                float top;
                over[r] = soften(m.scores + r * m.stride, first, seen, count, net->scale, &top);
                log_sums[begin_at + r] = top * net->scale - logf(over[r]);
            }
            memset(m.to_q, 0, sizeof(float) * (size_t)(rows * m.width));
            mix(wide, &m, rows, smaller(count, T - low), m.scores, m.stride, m.v + low * m.width, m.to_q);
            for (int r = 0; r < rows; r++)
                scaled(y + ((ptrdiff_t)b * T + begin_at + r) * C + h * D, m.to_q + r * m.width, D, over[r]);
        }
    }
}

/* The gradient of learn_attention: to_qkv (batch, T, 3 C) from that of y. */
EXPORT void learn_attention_back(const Attention *net, const float *qkv, const float *y, const float *log_sums,
                                 const float *gradient, float *to_qkv) {
    const Head m = head_of(net, net->work);
    const int T = net->T, D = net->head_size, wide = WIDE_REGISTERS;
    const ptrdiff_t C = (ptrdiff_t)net->n_head * D;
    const size_t rows_size = sizeof(float) * (size_t)(m.stride * m.width);
    for (int index = 0; index < net->batch * net->n_head; index++, log_sums += T) {
        const int b = index / net->n_head, h = index % net->n_head;
        const float *from = qkv + (ptrdiff_t)b * T * 3 * C + h * D, *out = y + (ptrdiff_t)b * T * C + h * D;
        float *to = to_qkv + (ptrdiff_t)b * T * 3 * C + h * D;
        take_head(net, from, 3 * C, m.q, m.width, m.kept, 1);
        take_head(net, from + C, 3 * C, m.k, m.width, m.kept + 2 * T, 1);
        take_head(net, from + 2 * C, 3 * C, m.v, m.width, m.kept, 0);
        take_head(net, gradient + (ptrdiff_t)b * T * C + h * D, C, m.to_y, m.width, m.kept, 0);
        turn_over(m.k, T, m.width, m.turned, m.stride);
        turn_over(m.v, T, m.width, m.turned_v, m.stride);
        memset(m.to_q, 0, rows_size);
        memset(m.to_k, 0, rows_size);
        memset(m.to_v, 0, rows_size);
        for (int begin_at = 0; begin_at < T; begin_at += QUERIES) {
            const int rows = smaller(QUERIES, T - begin_at), oldest = begin_at - net->reach + 1;
            const int low = oldest > 0 ? oldest / LANES * LANES : 0, count = (int)padded(begin_at + rows - low);
            const int keys = smaller(count, T - low);
            const float *q = m.q + begin_at * m.width, *to_y = m.to_y + begin_at * m.width;
            scores_of(wide, &m, rows, q, m.turned, low, count, m.scores);
            scores_of(wide, &m, rows, to_y, m.turned_v, low, count, m.slopes);
            for (int r = 0; r < rows; r++) {
                const int seen = begin_at + r + 1 - low, first = smaller(seen, net->reach) == seen ? 0 : seen - net->reach;
                slope_row(m.scores + r * m.stride, m.slopes + r * m.stride, first, seen, count, net->scale,
                          log_sums[begin_at + r], dot(to_y + r * m.width, out + (ptrdiff_t)(begin_at + r) * C, D));
            }
            turn_block(m.scores, rows, count, m.stride, m.turned_scores);
            turn_block(m.slopes, rows, count, m.stride, m.turned_slopes);
            mix(wide, &m, rows, keys, m.slopes, m.stride, m.k + low * m.width, m.to_q + begin_at * m.width);
            mix(wide, &m, keys, rows, m.turned_slopes, QUERIES, q, m.to_k + low * m.width);
            mix(wide, &m, keys, rows, m.turned_scores, QUERIES, to_y, m.to_v + low * m.width);
        }
        give_head(net, from, m.to_q, m.width, m.kept, to, 3 * C, 1);
        give_head(net, from + C, m.to_k, m.width, m.kept + 2 * T, to + C, 3 * C, 1);
        give_head(net, from + 2 * C, m.to_v, m.width, m.kept, to + 2 * C, 3 * C, 0);
    }
}

/* y (n) = the activation of x, and slopes (n) its slope there, which may be x itself, or NULL: not asked for. */
HOT void bend(const float *x, float *RESTRICT y, float *slopes, int64_t n, int kind) {
    if (kind == RELU_SQUARED) {
        SIMD for (int64_t i = 0; i < n; i++) {
            const float positive = x[i] > 0 ? x[i] : 0;
            y[i] = positive * positive;
            if (slopes) slopes[i] = 2 * positive;
        }
    } else {
        SIMD for (int64_t i = 0; i < n; i++) {
            const float size = fabsf(x[i]), height = exponential(-0.5f * size * size), tail = tail_below(size, height);
            const float below = x[i] > 0 ? 1.0f - tail : tail;
            y[i] = 0.5f * (x[i] + size) - size * tail;
            if (slopes) slopes[i] = below + x[i] * 0.39894228f * height;
        }
    }
}

EXPORT void learn_activation(const float *x, float *y, float *slopes, int64_t n, int32_t kind) {
    bend(x, y, slopes, n, kind);
}

/* to (n) = from where a hash of seed and place is not below `limit`, times `by`; plus `base` unless that is NULL. The
 * same call makes the way back, without base. The hash is MurmurHash3's finish. */
HOT void drop(const float *RESTRICT base, const float *RESTRICT from, float *RESTRICT to, int64_t n, uint32_t seed,
              uint32_t limit, float by) {
    if (base)
        SIMD for (int64_t i = 0; i < n; i++) {
            uint32_t x = (uint32_t)i * 0x9E3779B1u + seed;
            x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
            x = (x ^ (x >> 13)) * 0xC2B2AE35u;
            to[i] = base[i] + (((x ^ (x >> 16)) >> 1) >= limit ? from[i] * by : 0);
        }
    else
        SIMD for (int64_t i = 0; i < n; i++) {
            uint32_t x = (uint32_t)i * 0x9E3779B1u + seed;
            x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
            x = (x ^ (x >> 13)) * 0xC2B2AE35u;
            to[i] = ((x ^ (x >> 16)) >> 1) >= limit ? from[i] * by : 0;
        }
}

EXPORT void learn_drop(const float *base, const float *from, float *to, int64_t n, uint32_t seed, uint32_t limit,
                       float by) {
    drop(base, from, to, n, seed, limit, by);
}
