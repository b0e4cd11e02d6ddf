// log RP = log mean_l prod_pixels N(x | mu_l, sigma_l), in one pass over mu and log_var.
//
// A block takes one item, or with `split` above 1 a part of its samples. Its threads keep x in
// registers and stream through mu and log_var; each warp sums by butterfly, the warps' sums meet in
// shared memory once every 32 samples, and the first warp folds them into a log-sum-exp. When an
// item is split, its last block to finish does that for all. The order of every sum is fixed: the
// same input gives the same bits.
//
// Sums are fp32. A thread adds p / 256 terms and 8 levels follow, so the error is at most about
// (p / 256 + 8) * 6e-8 of the sum of the terms' magnitudes.

#include "common.cuh"

constexpr int HELD = 16;                    // pixels of x that a thread keeps in registers
constexpr int TOGETHER = 2;                 // vectors of mu, and of log_var, on their way at once
constexpr float HALF_LOG_2PI = 0.91893853f;
constexpr float MOST_EXP = 88.0f;           // exp() of more is no fp32 number

// -2 log N(x | mu, exp(log_var)), less log 2 pi. The clamp keeps 0 * exp() from being NaN.
__device__ inline float term(float x, float mu, float log_var) {
    const float deviation = (x - mu) * expf(fminf(-0.5f * log_var, MOST_EXP));
    return fmaf(deviation, deviation, log_var);
}

// value / 255, rounded as a division is, without its slow path (Markstein's correction).
__device__ inline float pixel(uint8_t value) {
    constexpr float INVERSE = 1.0f / 255.0f;
    const float quotient = value * INVERSE;
    return fmaf(fmaf(-255.0f, quotient, value), INVERSE, quotient);
}
__device__ inline float pixel(__half value) { return __half2float(value); }
__device__ inline float pixel(float value) { return value; }

// The sum of the terms of one vector.
template <typename M>
__device__ inline float terms(const float* x, uint4 mu, uint4 log_var) {
    float mus[VECTOR<M>], log_vars[VECTOR<M>], sum = 0;
    unpack(mu, mus);
    unpack(log_var, log_vars);
#pragma unroll
    for (int i = 0; i < VECTOR<M>; i++) sum += term(x[i], mus[i], log_vars[i]);
    return sum;
}

// What this thread adds to the sum over one row of any length and alignment: single elements up to
// the first multiple of 16 bytes, vectors, single elements. Rows that are never aligned together
// have no vectors.
template <typename X, typename M>
__device__ float any_row(const X* x, const M* mu, const M* log_var, int first, int pixels) {
    constexpr int N = VECTOR<M>;
    const int me = threadIdx.x;
    const unsigned off = misalignment(mu + first);
    const int gap = static_cast<int>((16u - off) % 16u / sizeof(M));
    const bool together = off == misalignment(log_var + first);
    const int body = together ? min(first + gap, pixels) : pixels;
    const int tail = body + (pixels - body) / N * N;
    float sum = 0;
#pragma unroll 1
    for (int i = first + me; i < body; i += THREADS) {
        sum += term(pixel(x[i]), to_float(mu[i]), to_float(log_var[i]));
    }
#pragma unroll 1
    for (int i = body + me * N; i < tail; i += THREADS * N) {
        float xs[N];
#pragma unroll
        for (int k = 0; k < N; k++) xs[k] = pixel(x[i + k]);
        sum += terms<M>(xs, load_once(mu + i), load_once(log_var + i));
    }
#pragma unroll 1
    for (int i = tail + me; i < pixels; i += THREADS) {
        sum += term(pixel(x[i]), to_float(mu[i]), to_float(log_var[i]));
    }
    return sum;
}

// log sum_l exp(each_l), streamed. NaN stays NaN; -inf adds nothing.
struct LogSumExp {
    float best = -INFINITY;
    float sum = 0;

    __device__ static float scale(float from, float to) { return from == to ? 1 : expf(from - to); }

    __device__ void add(float each) {
        if (each > best) {
            sum = sum * scale(best, each) + 1;
            best = each;
        } else {
            sum += scale(each, best);
        }
    }

    __device__ void merge_warp() {
#pragma unroll
        for (int lanes = WARP / 2; lanes; lanes /= 2) {
            const float other_best = __shfl_xor_sync(ALL_LANES, best, lanes);
            const float other_sum = __shfl_xor_sync(ALL_LANES, sum, lanes);
            const float top = fmaxf(best, other_best);
            sum = sum * scale(best, top) + other_sum * scale(other_best, top);
            best = top;
        }
    }
};

// workspace: [n, 1 + samples], of each item a ticket, 0 before and after, and its densities; so
// it serves fewer items too. Used if split > 1.
template <typename X, typename M>
__device__ void rp_likelihood(const X* x, const M* mu, const M* log_var, float* out,
                              unsigned* workspace, int samples, int pixels, int split) {
    constexpr int N = VECTOR<M>, ROUNDS = HELD / N;
    __shared__ float warp_sums[WARPS][WARP];
    const int me = threadIdx.x, lane = me % WARP, warp = me / WARP;
    const int item = blockIdx.x / split, part = blockIdx.x % split;
    const int begin = static_cast<int>(static_cast<int64_t>(samples) * part / split);
    const int end = static_cast<int>(static_cast<int64_t>(samples) * (part + 1) / split);
    const size_t row = static_cast<size_t>(item) * samples;
    workspace += row + item;
    float* densities = reinterpret_cast<float*>(workspace + 1);
    x += static_cast<size_t>(item) * pixels;
    mu += row * pixels;
    log_var += row * pixels;

    // every row starts on 16 bytes: the first THREADS * HELD pixels of x stay in registers
    const bool aligned = (misalignment(mu) | misalignment(log_var)) == 0 && pixels % N == 0;
    const int held_pixels = aligned ? min(pixels, THREADS * HELD) : 0;
    float held[HELD];
#pragma unroll
    for (int r = 0; r < ROUNDS; r++) {
        const int at = (r * THREADS + me) * N;
#pragma unroll
        for (int k = 0; k < N; k++) held[r * N + k] = at < held_pixels ? pixel(x[at + k]) : 0.0f;
    }

    LogSumExp total;
    for (int first = begin; first < end; first += WARP) {
        const int many = min(WARP, end - first);
        for (int j = 0; j < many; j++) {
            const size_t start = static_cast<size_t>(first + j) * pixels;
            float sum = 0;
#pragma unroll
            for (int r = 0; r < ROUNDS; r += TOGETHER) {
                uint4 mus[TOGETHER], log_vars[TOGETHER];
#pragma unroll
                for (int i = 0; i < TOGETHER; i++) {
                    const int at = ((r + i) * THREADS + me) * N;
                    if (at < held_pixels) {
                        mus[i] = load_once(mu + start + at);
                        log_vars[i] = load_once(log_var + start + at);
                    }
                }
#pragma unroll
                for (int i = 0; i < TOGETHER; i++) {
                    if (((r + i) * THREADS + me) * N < held_pixels) {
                        sum += terms<M>(held + (r + i) * N, mus[i], log_vars[i]);
                    }
                }
            }
            if (held_pixels < pixels) {
                sum += any_row(x, mu + start, log_var + start, held_pixels, pixels);
            }
            sum = warp_sum(sum);
            if (lane == 0) warp_sums[warp][j] = sum;
        }
        __syncthreads();
        if (warp == 0 && lane < many) {
            float sum = 0;
            for (int w = 0; w < WARPS; w++) sum += warp_sums[w][lane];
            // a variance of 0 has no density
            const float each = sum == -INFINITY ? NAN : -0.5f * sum - HALF_LOG_2PI * pixels;
            if (split > 1) {
                densities[first + lane] = each;
            } else {
                total.add(each);
            }
        }
        if (first + WARP < end) __syncthreads();
    }
    if (warp != 0) return;

    if (split > 1) {
        unsigned ticket = 0;
        __threadfence();
        __syncwarp();
        if (lane == 0) ticket = atomicAdd(workspace, 1u);
        ticket = __shfl_sync(ALL_LANES, ticket, 0);
        if (ticket != static_cast<unsigned>(split - 1)) return;
        __threadfence();
        for (int l = lane; l < samples; l += WARP) total.add(__ldcg(&densities[l]));
        if (lane == 0) *workspace = 0;
    }
    total.merge_warp();
    if (lane == 0) out[item] = total.best + logf(total.sum / static_cast<float>(samples));
}

#define KERNEL(NAME, X, M)                                                                    \
    extern "C" __global__ void __launch_bounds__(THREADS, 4)                                  \
        NAME(const X* x, const M* mu, const M* log_var, float* out, unsigned* workspace,      \
             int samples, int pixels, int split) {                                            \
        rp_likelihood(x, mu, log_var, out, workspace, samples, pixels, split);                \
    }

KERNEL(rp_likelihood_u8_f16, uint8_t, __half)
KERNEL(rp_likelihood_u8_f32, uint8_t, float)
KERNEL(rp_likelihood_f16_f16, __half, __half)
KERNEL(rp_likelihood_f16_f32, __half, float)
KERNEL(rp_likelihood_f32_f16, float, __half)
KERNEL(rp_likelihood_f32_f32, float, float)

#undef KERNEL
