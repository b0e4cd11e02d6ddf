// What the kernels share: block shape, types of elements, loads of 128 bits.
#pragma once

#include <cuda_fp16.h>
#include <stddef.h>
#include <stdint.h>

constexpr int THREADS = 256;  // in a block; device.py launches as many
constexpr int WARP = 32;
constexpr int WARPS = THREADS / WARP;
constexpr unsigned ALL_LANES = 0xffffffffu;

__device__ inline float to_float(uint8_t value) { return value; }
__device__ inline float to_float(__half value) { return __half2float(value); }
__device__ inline float to_float(float value) { return value; }

template <typename T>
__device__ T from_float(float value);
template <>
__device__ inline __half from_float<__half>(float value) { return __float2half_rn(value); }
template <>
__device__ inline float from_float<float>(float value) { return value; }

// Elements of a load of 128 bits.
template <typename T>
constexpr int VECTOR = 16 / sizeof(T);

__device__ inline void unpack(uint4 bits, float (&out)[4]) {
    out[0] = __uint_as_float(bits.x);
    out[1] = __uint_as_float(bits.y);
    out[2] = __uint_as_float(bits.z);
    out[3] = __uint_as_float(bits.w);
}

__device__ inline void unpack(uint4 bits, float (&out)[8]) {
    const unsigned words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        out[2 * i] = __half2float(__ushort_as_half(static_cast<unsigned short>(words[i])));
        out[2 * i + 1] = __half2float(__ushort_as_half(static_cast<unsigned short>(words[i] >> 16)));
    }
}

// Load 128 bits that are used once; `from` lies on a multiple of 16 bytes.
__device__ inline uint4 load_once(const void* from) {
    return __ldcs(reinterpret_cast<const uint4*>(from));
}

__device__ inline unsigned misalignment(const void* pointer) {
    return static_cast<unsigned>(reinterpret_cast<uintptr_t>(pointer) & 15u);
}

__device__ inline float warp_sum(float value) {
#pragma unroll
    for (int lanes = WARP / 2; lanes; lanes /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, lanes);
    }
    return value;
}
