// Half precision for the host: the part of CUDA's cuda_fp16.h that the kernels use (IEEE 754
// binary16, rounding to nearest, halves to even).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

struct __half {
    uint16_t bits;
};

inline __half __ushort_as_half(unsigned short bits) { return {bits}; }

inline float __half2float(__half half) {
    const int exponent = half.bits >> 10 & 31, fraction = half.bits & 1023;
    float value = NAN;
    if (exponent < 31) {
        value = exponent ? std::ldexp(1024.0f + fraction, exponent - 25)
                         : std::ldexp(static_cast<float>(fraction), -24);
    } else if (fraction == 0) {
        value = INFINITY;
    }
    return half.bits & 0x8000 ? -value : value;
}

inline __half __float2half_rn(float value) {
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    if (std::isnan(value)) return {0x7fff};
    const float size = std::fabs(value);
    if (size >= 65520.0f) return {static_cast<uint16_t>(sign | 0x7c00)};
    int exponent = 0;
    std::frexp(size, &exponent);  // size = f * 2**exponent, f from 1/2 to 1
    exponent = exponent < -13 || size == 0 ? -13 : exponent;
    // nearbyint rounds halves to even; a fraction of 2048 carries into the exponent by itself
    const int fraction = static_cast<int>(std::nearbyint(std::ldexp(size, 11 - exponent)));
    return {static_cast<uint16_t>(sign | ((exponent + 13) * 1024 + fraction))};
}
