// The square around each box of a frame, grey, 64x64: one launch a frame, 16 blocks a box, an output
// pixel a thread.
//
// Positions are whole multiples of 1/64 of a pixel when shrinking, 1/128 when growing, so weights
// and sums are integers: no rounding but the two of reference.py, and the same bits as it.

#include "common.cuh"

constexpr int CROP = 64;
constexpr int ROWS = THREADS / CROP;   // of the crop, in a block
constexpr double FARTHEST = 8388608;   // 2**23: beyond it no box has a crop

struct Bgr {
    static constexpr int BYTES = 3;
    __device__ static unsigned grey(const uint8_t* p) {
        return (3735u * p[0] + 19235u * p[1] + 9798u * p[2] + 16384u) >> 15;
    }
};

struct FullLuma {
    static constexpr int BYTES = 1;
    __device__ static unsigned grey(const uint8_t* p) { return *p; }
};

struct Luma {  // 16 to 235
    static constexpr int BYTES = 1;
    __device__ static unsigned grey(const uint8_t* p) {
        const int level = (max(static_cast<int>(*p) - 16, 0) * 510 + 219) / 438;
        return static_cast<unsigned>(min(level, 255));
    }
};

// The pixels of the frame, along one axis, that one output pixel covers, and their weights.
struct Axis {
    int first, last;  // of the frame, both included
    int begin, end;   // shrinking: what is covered, in 1/64 of a pixel of the frame
    int edge;         // shrinking: the last pixel of the frame
    int share;        // growing: weight of `last`, of 128

    __device__ Axis(int start, int side, int out, int length) : edge(length - 1) {
        if (side > CROP) {
            begin = start * CROP + out * side;
            end = begin + side;
            first = clamp(floor_div(begin, CROP));
            last = clamp(floor_div(end - 1, CROP));
            share = 0;
        } else {
            const int centre = (2 * out + 1) * side - CROP;  // in 1/128 of a pixel of the square
            const int left = floor_div(centre, 2 * CROP);
            share = centre - left * 2 * CROP;
            first = clamp(start + max(left, 0));
            last = clamp(start + min(left + 1, side - 1));
            begin = end = 0;
        }
    }

    // When shrinking: a pixel at the edge of the frame stands for all that is beyond.
    __device__ unsigned weight(int at) const {
        const int from = at == 0 ? begin : max(begin, at * CROP);
        const int to = at == edge ? end : min(end, (at + 1) * CROP);
        return static_cast<unsigned>(to - from);
    }

    __device__ int clamp(int at) const { return min(max(at, 0), edge); }
    __device__ static int floor_div(int a, int b) { return a / b - (a % b < 0 ? 1 : 0); }
};

template <typename Format>
__device__ uint8_t shrink(const uint8_t* frame, int64_t pitch, const Axis& y, const Axis& x,
                          int side) {
    uint64_t sum = 0;
    for (int row = y.first; row <= y.last; row++) {
        const uint8_t* line = frame + row * pitch;
        unsigned of_row = 0;  // at most 255 * side < 2**32
        for (int column = x.first; column <= x.last; column++) {
            of_row += x.weight(column) * Format::grey(line + column * Format::BYTES);
        }
        sum += static_cast<uint64_t>(y.weight(row)) * of_row;
    }
    const uint64_t whole = static_cast<uint64_t>(side) * static_cast<uint64_t>(side);
    return static_cast<uint8_t>((2 * sum + whole) / (2 * whole));
}

template <typename Format>
__device__ uint8_t grow(const uint8_t* frame, int64_t pitch, const Axis& y, const Axis& x) {
    constexpr unsigned ONE = 2 * CROP;
    unsigned sum = ONE * ONE / 2;
    for (int i = 0; i < 2; i++) {
        const uint8_t* line = frame + (i ? y.last : y.first) * pitch;
        const unsigned of_row =
            (ONE - x.share) * Format::grey(line + x.first * Format::BYTES) +
            x.share * Format::grey(line + x.last * Format::BYTES);
        sum += (i ? y.share : ONE - y.share) * of_row;
    }
    return static_cast<uint8_t>(sum / (ONE * ONE));
}

template <typename Format>
__device__ void crop_resize_grey(const uint8_t* frame, int height, int width, int64_t pitch,
                                 const float* boxes, uint8_t* out) {
    __shared__ int square[3];  // x, y, side; a side of 0 is no crop
    const int item = blockIdx.x / (CROP / ROWS), part = blockIdx.x % (CROP / ROWS);
    if (threadIdx.x == 0) {
        // doubles, halves to even: as the reference
        const float* box = boxes + static_cast<size_t>(item) * 4;
        const double x0 = box[0], y0 = box[1], x1 = box[2], y1 = box[3];
        const bool near = fabs(x0) <= FARTHEST && fabs(y0) <= FARTHEST && fabs(x1) <= FARTHEST &&
                          fabs(y1) <= FARTHEST;  // false for NaN
        const double side = near ? fmax(1.0, rint(fmax(x1 - x0, y1 - y0))) : 0.0;
        square[0] = near ? static_cast<int>(rint((x0 + x1 - side) / 2)) : 0;
        square[1] = near ? static_cast<int>(rint((y0 + y1 - side) / 2)) : 0;
        square[2] = static_cast<int>(side);
    }
    __syncthreads();
    const int side = square[2];
    const int row = part * ROWS + threadIdx.x / CROP, column = threadIdx.x % CROP;
    uint8_t value = 0;
    if (side > 0) {
        const Axis y(square[1], side, row, height), x(square[0], side, column, width);
        value = side > CROP ? shrink<Format>(frame, pitch, y, x, side)
                            : grow<Format>(frame, pitch, y, x);
    }
    out[(static_cast<size_t>(item) * CROP + row) * CROP + column] = value;
}

#define KERNEL(NAME, FORMAT)                                                                  \
    extern "C" __global__ void __launch_bounds__(THREADS)                                     \
        NAME(const uint8_t* frame, int height, int width, long long pitch, const float* boxes, \
             uint8_t* out) {                                                                  \
        crop_resize_grey<FORMAT>(frame, height, width, pitch, boxes, out);                    \
    }

KERNEL(crop_resize_grey_bgr, Bgr)
KERNEL(crop_resize_grey_nv12, Luma)
KERNEL(crop_resize_grey_nv12_full, FullLuma)

#undef KERNEL
