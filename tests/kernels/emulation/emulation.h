// CUDA for the host, so that the kernels' own sources run in tests without a GPU.
//
// The threads of a block are fibres, in an order that the test chooses; a barrier or a shuffle hands
// over to the next one. Blocks run one after the other. What does not come together (a barrier that
// some threads never reach, a shuffle of lanes that have left) is an error. Shared memory is static,
// so an address sanitizer sees accesses beyond it, as it does for device memory, which is malloc's.
#pragma once

#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct Index {
    unsigned x;
};
inline Index threadIdx, blockIdx, gridDim;

namespace emulation {

constexpr size_t STACK_BYTES = 1 << 17;
constexpr int WARP_LANES = 32;

inline int order = 0;  // 0 forwards, 1 backwards, else a seed
inline bool barriers = true;

#ifdef __SANITIZE_ADDRESS__
extern "C" void __sanitizer_start_switch_fiber(void**, const void*, size_t);
extern "C" void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
#endif

struct Barrier {
    int live = 0, waiting = 0;
    unsigned generation = 0;

    void leave() {
        live--;
        release();
    }
    void release() {
        if (waiting > 0 && waiting == live) {
            waiting = 0;
            generation++;
        }
    }
};

struct Fibre {
    ucontext_t context{};
    std::unique_ptr<char[]> stack{new char[STACK_BYTES]};
    bool done = false;
    void* fake_stack = nullptr;
    unsigned shuffles = 0;
};

struct Block {
    std::vector<Fibre> fibres;
    Barrier all;
    std::vector<Barrier> warps;
    std::vector<uint32_t> exchange;  // [2, threads]
    ucontext_t scheduler{};
    void* scheduler_fake_stack = nullptr;
    const void* scheduler_stack = nullptr;
    size_t scheduler_stack_bytes = 0;
    std::function<void()> body;
    bool moved = false;
    std::exception_ptr error;
};
inline Block block;

inline void to_scheduler(Fibre& from, bool last) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, block.scheduler_stack,
                                   block.scheduler_stack_bytes);
#endif
    (void)last;
    swapcontext(&from.context, &block.scheduler);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from.fake_stack, &block.scheduler_stack,
                                    &block.scheduler_stack_bytes);
#endif
}

inline void to_fibre(unsigned index) {
    Fibre& to = block.fibres[index];
    threadIdx.x = index;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&block.scheduler_fake_stack, to.stack.get(), STACK_BYTES);
#endif
    swapcontext(&block.scheduler, &to.context);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(block.scheduler_fake_stack, nullptr, nullptr);
#endif
}

inline void fibre_main() {
    const unsigned me = threadIdx.x;
    Fibre& fibre = block.fibres[me];
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(nullptr, &block.scheduler_stack,
                                    &block.scheduler_stack_bytes);
#endif
    try {
        block.body();
    } catch (...) {
        block.error = std::current_exception();
    }
    fibre.done = block.moved = true;
    block.all.leave();
    block.warps[me / WARP_LANES].leave();
    to_scheduler(fibre, true);
}

inline void wait(Barrier& barrier) {
    const unsigned me = threadIdx.x, generation = barrier.generation;
    barrier.waiting++;
    block.moved = true;
    barrier.release();
    while (barrier.generation == generation) to_scheduler(block.fibres[me], false);
    block.moved = true;
}

inline void wait_warp(unsigned mask) {
    Barrier& warp = block.warps[threadIdx.x / WARP_LANES];
    if (mask != 0xffffffffu || warp.live != WARP_LANES) {
        throw std::runtime_error("lanes that have left the warp take part");
    }
    wait(warp);
}

inline std::vector<unsigned> sequence(unsigned count, unsigned salt) {
    std::vector<unsigned> all(count);
    std::iota(all.begin(), all.end(), 0u);
    if (order == 1) std::reverse(all.begin(), all.end());
    if (order > 1) {
        std::mt19937 random(static_cast<unsigned>(order) * 65537u + salt);
        for (unsigned i = count; i > 1; i--) std::swap(all[i - 1], all[random() % i]);
    }
    return all;
}

// Run a kernel; throws if its threads get stuck.
inline void launch(unsigned blocks, unsigned threads, std::function<void()> body) {
    if (threads % WARP_LANES) throw std::runtime_error("whole warps only");
    block.body = std::move(body);
    block.fibres.resize(threads);
    block.exchange.assign(2 * threads, 0);
    block.warps.resize(threads / WARP_LANES);
    block.error = nullptr;
    gridDim.x = blocks;
    const std::vector<unsigned> turns = sequence(threads, 1);
    for (const unsigned index : sequence(blocks, 0)) {
        blockIdx.x = index;
        block.all = Barrier{static_cast<int>(threads)};
        for (Barrier& warp : block.warps) warp = Barrier{WARP_LANES};
        for (Fibre& fibre : block.fibres) {
            fibre.done = false;
            fibre.fake_stack = nullptr;
            fibre.shuffles = 0;
            getcontext(&fibre.context);
            fibre.context.uc_stack.ss_sp = fibre.stack.get();
            fibre.context.uc_stack.ss_size = STACK_BYTES;
            fibre.context.uc_link = nullptr;
            makecontext(&fibre.context, fibre_main, 0);
        }
        do {
            block.moved = false;
            for (const unsigned turn : turns) {
                if (!block.fibres[turn].done) to_fibre(turn);
            }
            if (block.error) std::rethrow_exception(block.error);
        } while (block.moved);
        if (block.all.live) throw std::runtime_error("threads wait for others that never come");
    }
}

}  // namespace emulation

inline void __syncthreads() {
    if (emulation::barriers) emulation::wait(emulation::block.all);
}
inline void __syncwarp(unsigned mask = 0xffffffffu) { emulation::wait_warp(mask); }
inline void __threadfence() {}

template <typename T>
T exchange_lanes(unsigned mask, T value, unsigned lane_from) {
    static_assert(sizeof(T) == 4, "one register");
    emulation::Block& block = emulation::block;
    const unsigned me = threadIdx.x;
    // two buffers in turn: no lane can be two shuffles ahead of another
    uint32_t* slots = block.exchange.data() + (block.fibres[me].shuffles++ % 2) * block.fibres.size();
    std::memcpy(&slots[me], &value, 4);
    emulation::wait_warp(mask);
    std::memcpy(&value, &slots[me / 32 * 32 + lane_from % 32], 4);
    return value;
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
    return exchange_lanes(mask, value, threadIdx.x % 32 ^ static_cast<unsigned>(lanes));
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int lane) {
    return exchange_lanes(mask, value, static_cast<unsigned>(lane));
}

inline unsigned atomicAdd(unsigned* at, unsigned value) {
    const unsigned before = *at;
    *at += value;
    return before;
}

template <typename T>
T __ldcs(const T* from) { return *from; }
template <typename T>
T __ldcg(const T* from) { return *from; }

inline float __uint_as_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
