/* Products of matrices, with a compiler's vectors: what gpt.c spends its time on.
 *
 * A matrix (height, width) is stored in panels of 64 columns, one after the other, each row-major; its width is rounded up
 * to 16 with zeros. One row of activations then streams a panel from memory in order, and many rows keep a tile of
 * sums in registers.
 *
 * With EXACT (build.py has the flags) every sum is added in the order of the source, no product is fused with a sum and
 * nothing comes from libm but square roots, which IEEE 754 defines: the same bits on every processor and by every
 * compiler.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
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
#if defined(EXACT)
#define SUM_OF(name)
#else
#define SUM_OF(name) PRAGMA(omp simd reduction(+ : name))
#endif
#if defined(__clang__)
#define UNROLLED PRAGMA(clang loop unroll(full))
#else
#define UNROLLED PRAGMA(GCC unroll 8)
#endif
#endif

#if defined(_M_X64) && !defined(__clang__)
#define IS_X86_64 1
INLINE void processor_features(int leaf, uint32_t registers[4]) { __cpuidex((int *)registers, leaf, 0); }
INLINE uint32_t saved_state(void) { return (uint32_t)_xgetbv(0); }
#elif defined(__x86_64__)
#define IS_X86_64 1
#include <cpuid.h>
INLINE void processor_features(int leaf, uint32_t registers[4]) {
    __cpuid_count(leaf, 0, registers[0], registers[1], registers[2], registers[3]);
}
INLINE uint32_t saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#else
#define IS_X86_64 0
#endif

/* One library for every x86-64: the loader picks the best copy of each hot function (needs glibc's ifunc). */
#if !defined(PORTABLE) && defined(__x86_64__) && defined(__GLIBC__) && !defined(__AVX2__)
#define HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) static
#define HAS_WIDE_REGISTERS __builtin_cpu_supports("avx512vl")
#define HAS_COPIES 1
#else
#define HAS_COPIES 0
#define HOT static
#if defined(__AVX512F__)
#define HAS_WIDE_REGISTERS 1
#else
#define HAS_WIDE_REGISTERS 0
#endif
#endif
#ifndef WIDE_REGISTERS
#define WIDE_REGISTERS HAS_WIDE_REGISTERS
#endif

enum { PANEL = 64, LANES = 16, DEPTH_BLOCK = 192, SHORT_BLOCK = 64, AHEAD = 1024, WIDE_ROWS = 4, NARROW_ROWS = 6, FEW_ROWS = 4, MANY_ROWS = 96 };

INLINE ptrdiff_t padded(ptrdiff_t n) { return (n + LANES - 1) / LANES * LANES; }
INLINE int smaller(int a, int b) { return a < b ? a : b; }

/* Adds a tile of a product: out (ROWS, WIDTH) += a (ROWS, depth) times w (depth, WIDTH). A single row waits for its
 * weights, so those of a page ahead are prefetched: a tenth faster if they are in the second cache. */
#define TILE(NAME, ROWS, WIDTH)                                                                                     \
    INLINE void NAME(int depth, const float *RESTRICT w, ptrdiff_t w_stride, ptrdiff_t ahead,                       \
                     const float *RESTRICT a, ptrdiff_t a_stride, float *RESTRICT out, ptrdiff_t out_stride) {      \
        float sum[ROWS][WIDTH];                                                                                     \
        for (int r = 0; r < ROWS; r++)                                                                              \
            for (int j = 0; j < WIDTH; j++) sum[r][j] = out[r * out_stride + j];                                    \
        for (int i = 0; i < depth; i++) {                                                                           \
            const float *row = w + i * w_stride;                                                                    \
            for (int j = 0; j < WIDTH; j += LANES) PREFETCH(row + j + ahead);                                       \
            UNROLLED for (int r = 0; r < ROWS; r++) {                                                               \
                const float number = a[r * a_stride + i];                                                           \
                SIMD for (int j = 0; j < WIDTH; j++) sum[r][j] += number * row[j];                                  \
            }                                                                                                       \
        }                                                                                                           \
        for (int r = 0; r < ROWS; r++)                                                                              \
            for (int j = 0; j < WIDTH; j++) out[r * out_stride + j] = sum[r][j];                                    \
    }
TILE(tile_4x64, 4, 64)
TILE(tile_3x64, 3, 64)
TILE(tile_2x64, 2, 64)
TILE(tile_1x64, 1, 64)
TILE(tile_1x48, 1, 48)
TILE(tile_1x32, 1, 32)
TILE(tile_6x16, 6, 16)
TILE(tile_5x16, 5, 16)
TILE(tile_4x16, 4, 16)
TILE(tile_3x16, 3, 16)
TILE(tile_2x16, 2, 16)
TILE(tile_1x16, 1, 16)

/* The same for one row and a panel of few columns: the rows of a panel follow one another, so that several of them are
 * a row of 64, and no sum waits for the one before. */
#define FOLD(NAME, WIDTH)                                                                                           \
    INLINE void NAME(int depth, const float *RESTRICT w, ptrdiff_t ahead, const float *RESTRICT a,                  \
                     float *RESTRICT out) {                                                                         \
        float sum[PANEL] = {0};                                                                                     \
        int i = 0;                                                                                                  \
        for (; i + PANEL / WIDTH <= depth; i += PANEL / WIDTH, w += PANEL) {                                        \
            for (int j = 0; j < PANEL; j += LANES) PREFETCH(w + j + ahead);                                         \
            UNROLLED for (int r = 0; r < PANEL / WIDTH; r++) {                                                      \
                const float number = a[i + r];                                                                      \
                SIMD for (int j = 0; j < WIDTH; j++) sum[r * WIDTH + j] += number * w[r * WIDTH + j];               \
            }                                                                                                       \
        }                                                                                                           \
        for (; i < depth; i++, w += WIDTH)                                                                          \
            SIMD for (int j = 0; j < WIDTH; j++) sum[j] += a[i] * w[j];                                             \
        for (int r = 0; r < PANEL / WIDTH; r++)                                                                     \
            SIMD for (int j = 0; j < WIDTH; j++) out[j] += sum[r * WIDTH + j];                                      \
    }
FOLD(fold_32, 32)
FOLD(fold_16, 16)

/* Adds a block of a product: out (rows, width) += a (rows, depth) times w (depth, width), width at most a panel's; its
 * strips of 16 columns are `strip` numbers apart. 4 x 64 sums fit the registers of AVX-512; 6 x 16 those of everything
 * else. Rows are shared out evenly: a lone one left over would wait for each of its sums. */
HOT void multiply_block(int wide_registers, int rows, int depth, int width, const float *w, ptrdiff_t w_stride,
                           ptrdiff_t strip, ptrdiff_t ahead, const float *a, ptrdiff_t a_stride, float *out,
                           ptrdiff_t out_stride) {
    if (rows == 1 && w_stride == width && width <= PANEL / 2) {
        if (width == LANES) fold_16(depth, w, ahead, a, out);
        else fold_32(depth, w, ahead, a, out);
        return;
    }
    const int whole = width == PANEL && (wide_registers || rows == 1), most = whole ? WIDE_ROWS : NARROW_ROWS;
#define USE(TILE_NAME) TILE_NAME(depth, w + j / LANES * strip, w_stride, ahead, from, a_stride, to, out_stride)
    for (int j = 0; j < width; j += whole ? PANEL : LANES)
        for (int row = 0, next; row < rows; row = next) {
            const int left = rows - row, turns = (left + most - 1) / most, now = (left + turns - 1) / turns;
            const float *from = a + row * a_stride;
            float *to = out + row * out_stride + j;
            next = row + now;
            if (whole) switch (now) {
                case 4: USE(tile_4x64); break;
                case 3: USE(tile_3x64); break;
                case 2: USE(tile_2x64); break;
                default: USE(tile_1x64);
            } else switch (now) {
                case 6: USE(tile_6x16); break;
                case 5: USE(tile_5x16); break;
                case 4: USE(tile_4x16); break;
                case 3: USE(tile_3x16); break;
                case 2: USE(tile_2x16); break;
                default: USE(tile_1x16);
            }
        }
#undef USE
}

/* out (rows, width) += a (rows, depth) times `depth` rows from `top` on and the first `width` columns of panels
 * (height, whole). */
HOT void multiply(int wide_registers, int rows, int top, int depth, int width, const float *panels, int height,
                  int whole, const float *a, ptrdiff_t a_stride, float *out, ptrdiff_t out_stride) {
    float block[DEPTH_BLOCK * PANEL];
    /* With many rows, a part of the panel that stays in the first cache is used for all of them. Strips of rows that are
     * far apart share few of that cache's places: where it pays they are first put together. */
    const int many = rows >= MANY_ROWS, together = many && !wide_registers;
    const int step = rows == 1 ? depth : many ? DEPTH_BLOCK : SHORT_BLOCK;
    for (int column = 0; column < width; column += PANEL) {
        const int stride = smaller(PANEL, whole - column), used = smaller(PANEL, width - column);
        const float *panel = panels + (ptrdiff_t)column * height + (ptrdiff_t)top * stride;
        for (int start = 0; start < depth; start += step) {
            const int deep = smaller(step, depth - start);
            const float *w = panel + (ptrdiff_t)start * stride;
            if (together)
                for (int i = 0; i < deep; i++)
                    for (int j = 0; j < used; j += LANES)
                        memcpy(block + j * deep + i * LANES, w + (ptrdiff_t)i * stride + j, sizeof(float) * LANES);
            multiply_block(wide_registers, rows, deep, used, together ? block : w, together ? LANES : stride,
                           together ? deep * LANES : LANES, together ? 0 : rows > 1 ? deep * stride : AHEAD,
                           a + start, a_stride, out + column, out_stride);
        }
    }
}

/* Rounded weights: a row of a panel is 16 words; the bytes of word j, from the lowest on, are columns j, 16 + j, 32 + j
 * and 48 + j. A byte is read with those below it as its fraction, which rounding took into account: a shift does for
 * each, and 16 lanes become numbers at once. The sums are to be multiplied by 2 ** -24 and by the column's scale. */
INLINE float rounded(uint32_t word, int byte) { return (float)(int32_t)(word << (24 - 8 * byte)); }

INLINE void rounded_row(int depth, const uint32_t *RESTRICT words, const float *RESTRICT a, float *RESTRICT out,
                        const float *RESTRICT scales, int width) {
    float first[LANES] = {0}, second[LANES] = {0}, third[LANES] = {0}, fourth[LANES] = {0};
    for (int i = 0; i < depth; i++, words += LANES) {
        const float number = a[i];
        PREFETCH(words + AHEAD);
        SIMD for (int j = 0; j < LANES; j++) {
            first[j] += number * rounded(words[j], 0);
            second[j] += number * rounded(words[j], 1);
            third[j] += number * rounded(words[j], 2);
            fourth[j] += number * rounded(words[j], 3);
        }
    }
    const float *parts[4] = {first, second, third, fourth};
    for (int start = 0; start < width; start += LANES)
        SIMD for (int j = 0; j < LANES; j++) out[start + j] += scales[start + j] * parts[start / LANES][j];
}

/* out (rows, width) += a (rows, depth) times panels of rounded weights (depth, width), each column with its scale
 * (width), 2 ** -24 included. Few rows use them as they are; for many a block of them is made whole first. */
HOT void multiply_rounded(int wide_registers, int rows, int depth, int width, const uint32_t *panels,
                          const float *scales, const float *a, ptrdiff_t a_stride, float *out, ptrdiff_t out_stride) {
    float block[DEPTH_BLOCK * PANEL];
    for (int column = 0; column < width; column += PANEL, panels += (ptrdiff_t)depth * LANES) {
        const int used = smaller(PANEL, width - column);
        if (rows <= FEW_ROWS) {
            for (int row = 0; row < rows; row++)
                rounded_row(depth, panels, a + row * a_stride, out + row * out_stride + column, scales + column, used);
            continue;
        }
        for (int start = 0; start < depth; start += DEPTH_BLOCK) {
            const int deep = smaller(DEPTH_BLOCK, depth - start);
            const int stride = wide_registers ? PANEL : LANES, strip = wide_registers ? LANES : deep * LANES;
            const uint32_t *words = panels + (ptrdiff_t)start * LANES;
            for (int i = 0; i < deep; i++, words += LANES)
                for (int byte = 0; byte * LANES < used; byte++) {
                    const float *scale = scales + column + byte * LANES;
                    float *to = block + byte * strip + i * stride;
                    SIMD for (int j = 0; j < LANES; j++) to[j] = scale[j] * rounded(words[j], byte);
                }
            multiply_block(wide_registers, rows, deep, used, block, stride, strip, 0, a + start, a_stride, out + column,
                           out_stride);
        }
    }
}
