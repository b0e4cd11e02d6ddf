// A CUDA driver whose one device is the host: the calls that kernels/driver.py makes, on the kernels'
// own sources. Streams do their work at once; a capture records it and a graph does it again.

#include "emulation.h"

#include "crop_resize_grey.cu"
#include "rp_likelihood.cu"
#include "sample_latents.cu"
#include "track_argmax.cu"

#include <chrono>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace {

enum Status { OK = 0, INVALID_VALUE = 1, NOT_FOUND = 500, NO_DEVICE = 100, OUT_OF_MEMORY = 2,
              CAPTURE = 900, LAUNCH_FAILED = 719 };

using Work = std::function<void()>;
using Bound = std::function<Work(void**)>;  // copies the arguments, as a launch does

// The first sizeof(T) bytes at each pointer are an argument: the order is the kernel's own.
template <typename... Types, size_t... I>
Work bound(void (*kernel)(Types...), void** args, std::index_sequence<I...>) {
    std::tuple<Types...> copy{*static_cast<std::remove_reference_t<Types>*>(args[I])...};
    return [kernel, copy] { std::apply(kernel, copy); };
}
template <typename... Types>
Bound bindable(void (*kernel)(Types...)) {
    return [kernel](void** args) { return bound(kernel, args, std::index_sequence_for<Types...>{}); };
}

#define ENTRY(NAME) {#NAME, bindable(NAME)}
std::map<std::string, Bound> kernels = {
    ENTRY(rp_likelihood_u8_f16),  ENTRY(rp_likelihood_u8_f32),  ENTRY(rp_likelihood_f16_f16),
    ENTRY(rp_likelihood_f16_f32), ENTRY(rp_likelihood_f32_f16), ENTRY(rp_likelihood_f32_f32),
    ENTRY(sample_latents_f16),    ENTRY(sample_latents_f32),    ENTRY(crop_resize_grey_bgr),
    ENTRY(crop_resize_grey_nv12), ENTRY(crop_resize_grey_nv12_full), ENTRY(track_argmax),
};

struct EmulatedStream {
    bool capturing = false;
    std::vector<Work> recorded;
};
using Graph = std::vector<Work>;
using Clock = std::chrono::steady_clock;

std::string last_error;
bool anyone_captures = false;
int devices = 1;

int run(void* stream, Work work) {
    auto* s = static_cast<EmulatedStream*>(stream);
    if (s && s->capturing) {
        s->recorded.push_back(std::move(work));
        return OK;
    }
    try {
        work();
    } catch (const std::exception& error) {
        last_error = error.what();
        return LAUNCH_FAILED;
    }
    return OK;
}

int copy(void* to, const void* from, size_t bytes, void* stream) {
    return run(stream, [=] { std::memcpy(to, from, bytes); });
}

}  // namespace

extern "C" {

// for tests
void emulation_order(int order) { emulation::order = order; }
void emulation_barriers(int on) { emulation::barriers = on; }
void emulation_devices(int count) { devices = count; }
const char* emulation_error() { return last_error.c_str(); }

int cuInit(unsigned) { return devices ? OK : NO_DEVICE; }
int cuDriverGetVersion(int* version) { return *version = 13000, OK; }
int cuGetErrorName(int status, const char** name) {
    static const std::map<int, const char*> names = {
        {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
        {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
        {NO_DEVICE, "CUDA_ERROR_NO_DEVICE"},
        {NOT_FOUND, "CUDA_ERROR_NOT_FOUND"},
        {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED"},
        {CAPTURE, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
    };
    const auto found = names.find(status);
    if (found == names.end()) return INVALID_VALUE;
    return *name = found->second, OK;
}
int cuDeviceGetCount(int* count) { return *count = devices, OK; }
int cuDeviceGet(int* device, int index) { return *device = index, OK; }
int cuDeviceGetName(char* name, int length, int) {
    return std::strncpy(name, "emulated on the host", static_cast<size_t>(length)), OK;
}
int cuDeviceGetAttribute(int* value, int which, int) {
    switch (which) {
        case 16: return *value = 2, OK;  // multiprocessors
        case 75: return *value = 8, OK;  // compute capability
        case 76: return *value = 7, OK;
        default: return INVALID_VALUE;
    }
}
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &devices, OK; }
int cuCtxSetCurrent(void*) { return OK; }
int cuCtxGetCurrent(void** context) { return *context = nullptr, OK; }
int cuCtxGetDevice(int* device) { return *device = 0, OK; }
int cuCtxSynchronize() { return OK; }

int cuMemAlloc_v2(void** ptr, size_t bytes) {
    if (anyone_captures) return CAPTURE;
    *ptr = std::malloc(bytes);
    return *ptr ? OK : OUT_OF_MEMORY;
}
int cuMemFree_v2(void* ptr) { return std::free(ptr), OK; }
int cuMemAllocHost_v2(void** ptr, size_t bytes) { return cuMemAlloc_v2(ptr, bytes); }
int cuMemFreeHost(void* ptr) { return std::free(ptr), OK; }
int cuMemsetD8_v2(void* ptr, unsigned char value, size_t bytes) {
    return std::memset(ptr, value, bytes), OK;
}
int cuMemcpyHtoD_v2(void* to, const void* from, size_t n) { return copy(to, from, n, nullptr); }
int cuMemcpyDtoH_v2(void* to, const void* from, size_t n) { return copy(to, from, n, nullptr); }
int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t n, void* s) {
    return copy(to, from, n, s);
}
int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t n, void* s) {
    return copy(to, from, n, s);
}
int cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t n, void* s) {
    return copy(to, from, n, s);
}

int cuStreamCreate(void** stream, unsigned) { return *stream = new EmulatedStream, OK; }
int cuLaunchHostFunc(void* stream, void (*function)(void*), void* data) {
    return run(stream, [=] { function(data); });
}
int cuStreamDestroy_v2(void* stream) { return delete static_cast<EmulatedStream*>(stream), OK; }
int cuStreamSynchronize(void* stream) {
    return stream && static_cast<EmulatedStream*>(stream)->capturing ? CAPTURE : OK;
}
int cuStreamBeginCapture_v2(void* stream, int) {
    return static_cast<EmulatedStream*>(stream)->capturing = anyone_captures = true, OK;
}
int cuStreamEndCapture(void* stream, void** graph) {
    auto* s = static_cast<EmulatedStream*>(stream);
    s->capturing = anyone_captures = false;
    *graph = new Graph(std::move(s->recorded));
    s->recorded.clear();
    return OK;
}
int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
    return *executable = new Graph(*static_cast<Graph*>(graph)), OK;
}
int cuGraphLaunch(void* executable, void* stream) {
    for (const Work& work : *static_cast<Graph*>(executable)) {
        if (const int status = run(stream, work)) return status;
    }
    return OK;
}
int cuGraphDestroy(void* graph) { return delete static_cast<Graph*>(graph), OK; }
int cuGraphExecDestroy(void* graph) { return delete static_cast<Graph*>(graph), OK; }

int cuEventCreate(void** event, unsigned) { return *event = new Clock::time_point, OK; }
int cuEventDestroy_v2(void* event) { return delete static_cast<Clock::time_point*>(event), OK; }
int cuEventRecord(void* event, void*) {
    return *static_cast<Clock::time_point*>(event) = Clock::now(), OK;
}
int cuEventSynchronize(void*) { return OK; }
int cuEventElapsedTime(float* ms, void* from, void* to) {
    const auto span = *static_cast<Clock::time_point*>(to) - *static_cast<Clock::time_point*>(from);
    return *ms = std::chrono::duration<float, std::milli>(span).count(), OK;
}

int cuModuleLoadData(void** module, const void*) { return *module = &kernels, OK; }
int cuModuleGetFunction(void** function, void*, const char* name) {
    const auto found = kernels.find(name);
    if (found == kernels.end()) return NOT_FOUND;
    return *function = &found->second, OK;
}
int cuFuncGetAttribute(int* value, int, void*) { return *value = 0, OK; }
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void* stream, void** args, void**) {
    if (!gx || gy != 1 || gz != 1 || !bx || by != 1 || bz != 1 || shared) return INVALID_VALUE;
    Work work = (*static_cast<Bound*>(function))(args);
    return run(stream, [=] { emulation::launch(gx, bx, work); });
}

}  // extern "C"
