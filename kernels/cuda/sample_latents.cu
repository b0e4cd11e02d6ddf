// z[n, l, d] = mu[n, d] + exp(log_var[n, d] / 2) * noise[l, d], an element a thread.
//
// A face has 128 latents: ten samples of sixteen faces are 80 kB, so this is bound by its launch.

#include "common.cuh"

template <typename T>
__device__ void sample_latents(const T* mu, const T* log_var, const float* noise, T* z, int n,
                               int samples, int d) {
    const int64_t all = static_cast<int64_t>(n) * samples * d;
    const int64_t step = static_cast<int64_t>(gridDim.x) * THREADS;
    for (int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x; i < all; i += step) {
        const int64_t row = i / d, k = i % d;  // row = item * samples + sample
        const int64_t from = row / samples * d + k;
        const float sigma = expf(0.5f * to_float(log_var[from]));
        z[i] = from_float<T>(fmaf(sigma, noise[row % samples * d + k], to_float(mu[from])));
    }
}

#define KERNEL(NAME, T)                                                                       \
    extern "C" __global__ void __launch_bounds__(THREADS)                                     \
        NAME(const T* mu, const T* log_var, const float* noise, T* z, int n, int samples, int d) { \
        sample_latents(mu, log_var, noise, z, n, samples, d);                                 \
    }

KERNEL(sample_latents_f16, __half)
KERNEL(sample_latents_f32, float)

#undef KERNEL
