// The driver: memory, copies, modules, launches.
#include "fake.h"
#include "CUDAKernels.h"
#include "KernelEmulator.h"
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <vector>

namespace fake {
State state;

static bool contains(const std::map<uint64_t, size_t> &blocks, uint64_t address, size_t bytes) {
    auto next = blocks.upper_bound(address);
    if (next == blocks.begin()) return false;
    --next;
    return address + bytes <= next->first + next->second;
}
bool isLiving(uint64_t address, size_t bytes) { return contains(state.blocks, address, bytes); }

void complain(const std::string &text) {
    state.counts.wild_addresses++;
    if (state.complaint.empty()) state.complaint = text;
}

static thread_local uintptr_t currentContext;
bool hasContext() {
    if (state.contexts > 0 && currentContext == state.context) return true;
    complain("a thread calls the driver without a context");
    return false;
}

struct Module { int element = 0, variant = 0; };
struct Function { std::string name; int element, variant; std::vector<std::string> parameters; unsigned sharedLimit; };

// Kernel -> its parameters, from the table that the host side and the kernels share.
static const std::map<std::string, std::vector<std::string>> &table() {
    static const auto parsed = [] {
        std::map<std::string, std::vector<std::string>> result;
        std::istringstream lines(tb_cuda_kernel_table());
        for (std::string line; std::getline(lines, line);) {
            if (line.empty() || line[0] == '#') continue;
            std::vector<std::string> fields;
            std::istringstream parts(line);
            for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
            if (fields.size() < 7) continue;
            std::vector<std::string> parameters;
            std::istringstream list(fields[6]);
            for (std::string parameter; std::getline(list, parameter, ',');) parameters.push_back(parameter);
            result[fields[0]] = parameters;
        }
        return result;
    }();
    return parsed;
}


static int init(unsigned) { return state.settings.device_count > 0 ? 0 : 100; }
static int driverVersion(int *version) { *version = state.settings.driver_version; return 0; }
static const char *nameOf(int error) {
    switch (error) {
    case 1: return "CUDA_ERROR_INVALID_VALUE";
    case 2: return "CUDA_ERROR_OUT_OF_MEMORY";
    case 100: return "CUDA_ERROR_NO_DEVICE";
    case 209: return "CUDA_ERROR_NO_BINARY_FOR_GPU";
    case 500: return "CUDA_ERROR_NOT_FOUND";
    case 700: return "CUDA_ERROR_ILLEGAL_ADDRESS";
    case 719: return "CUDA_ERROR_LAUNCH_FAILED";
    case 801: return "CUDA_ERROR_NOT_SUPPORTED";
    case 900: return "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED";
    case 901: return "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED";
    case 910: return "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE";
    default: return "CUDA_ERROR_UNKNOWN";
    }
}
static int errorName(int error, const char **name) { *name = nameOf(error); return 0; }
static int errorString(int error, const char **text) { *text = error == 2 ? "out of memory" : error == 719 ? "unspecified launch failure" : "a failure of the fake card"; return 0; }
static int deviceCount(int *count) { *count = state.settings.device_count; return 0; }
static int device(int *device, int ordinal) { *device = ordinal; return ordinal < state.settings.device_count ? 0 : 101; }
static int deviceName(char *name, int length, int) { snprintf(name, length, "Fake card"); return 0; }
static int attribute(int *value, int which, int) {
    switch (which) {
    case 75: *value = state.settings.architecture / 10; return 0;
    case 76: *value = state.settings.architecture % 10; return 0;
    case 16: *value = 4; return 0;
    case 97: *value = 227 << 10; return 0;
    case 36: *value = 2600000; return 0;
    case 37: *value = 5120; return 0;
    default: return 1;
    }
}
static int totalMemory(size_t *bytes, int) { *bytes = state.settings.memory_bytes; return 0; }
static int busIdentifier(char *text, int length, int) { snprintf(text, length, "0000:01:00.0"); return 0; }
static int retain(void **context, int) {
    if (state.contexts == 0) state.lost = 0;
    NOT_LOST
    state.contexts++;
    *context = (void *)state.context;
    return 0;
}
// A lost card's context goes with the last who holds it; the next one is fresh.
static int release(int) {
    if (--state.contexts <= 0) state.contexts = 0, state.lost = 0, state.late = 0, state.context++;
    return 0;
}
static int setCurrent(void *context) { NOT_LOST currentContext = (uintptr_t)context; return 0; }
static int synchronizeContext(void) {
    ALIVE NO_CAPTURE("a wait for the card")
    state.counts.waits++;
    drainAll();
    return whatFailed();
}

// MARK: Memory

static int memoryInfo(size_t *free, size_t *total) {
    ALIVE
    *total = state.settings.memory_bytes;
    *free = *total - state.counts.live_bytes;
    return 0;
}
static int allocate(tb_device_address *address, size_t bytes) {
    ALIVE NO_CAPTURE("cuMemAlloc")
    if (bytes == 0) return 1;
    if (state.counts.live_bytes + bytes > state.settings.memory_bytes) return 2;
    void *memory = aligned_alloc(512, (bytes + 511) / 512 * 512);
    if (!memory) return 2;
    // Rubbish that shows: not a number in every floating type.
    memset(memory, 0xFF, bytes);
    *address = (uint64_t)memory;
    state.blocks[*address] = bytes;
    state.counts.live_bytes += bytes;
    state.counts.peak_bytes = std::max(state.counts.peak_bytes, state.counts.live_bytes);
    state.counts.allocations++;
    state.counts.live_allocations++;
    return 0;
}
static int deallocate(tb_device_address address) {
    NO_CAPTURE("cuMemFree")
    auto found = state.blocks.find(address);
    if (found == state.blocks.end()) {
        complain("cuMemFree of an address that is not the beginning of living memory");
        return 1;
    }
    drainAll();
    state.counts.live_bytes -= found->second;
    state.counts.frees++;
    state.counts.live_allocations--;
    free((void *)address);
    state.blocks.erase(found);
    return state.lost;
}
static int allocateHost(void **address, size_t bytes) {
    ALIVE NO_CAPTURE("cuMemAllocHost")
    if (state.settings.has_no_pinned_memory) return 2;
    if (state.settings.pinned_bytes && state.counts.live_pinned + bytes > state.settings.pinned_bytes) return 2;
    *address = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!*address) return 2;
    memset(*address, 0xFF, bytes);
    state.pinned[(uint64_t)*address] = bytes;
    state.counts.live_pinned += bytes;
    return 0;
}
static int freeHost(void *address) {
    auto found = state.pinned.find((uint64_t)address);
    if (found == state.pinned.end()) {
        complain("cuMemFreeHost of an address that it did not give");
        return 1;
    }
    drainAll();
    state.counts.live_pinned -= found->second;
    state.pinned.erase(found);
    free(address);
    return 0;
}

static bool check(const char *what, uint64_t address, size_t bytes) {
    if (isLiving(address, bytes)) return true;
    complain(std::string(what) + ": " + std::to_string(bytes) + " bytes that are not in living memory");
    return false;
}
static int upload(tb_device_address to, const void *from, size_t bytes, void *stream) {
    ALIVE
    state.counts.uploads++;
    auto copy = [=](const void *from) {
        if (!check("upload", to, bytes)) return 1;
        memcpy((void *)to, from, bytes);
        return 0;
    };
    if (contains(state.pinned, (uint64_t)from, bytes)) return submit(stream, "upload", [=] { return copy(from); });
    if (((Stream *)stream)->captured) complain("an upload that is captured would read pageable memory at every replay");
    // Pageable memory has been read when the call returns.
    auto kept = std::make_shared<std::vector<char>>((const char *)from, (const char *)from + bytes);
    return submit(stream, "upload", [=] { return copy(kept->data()); });
}
static int download(void *to, tb_device_address from, size_t bytes, void *stream) {
    ALIVE
    state.counts.downloads++;
    return submit(stream, "download", [=] {
        if (!check("download", from, bytes)) return 1;
        memcpy(to, (void *)from, bytes);
        return 0;
    });
}
static int copy(tb_device_address to, tb_device_address from, size_t bytes, void *stream) {
    ALIVE
    return submit(stream, "copy", [=] {
        if (!check("copy to", to, bytes) || !check("copy from", from, bytes)) return 1;
        memmove((void *)to, (void *)from, bytes);
        return 0;
    });
}
static int fillBytes(tb_device_address to, unsigned char value, size_t count, void *stream) {
    ALIVE
    return submit(stream, "memset", [=] {
        if (!check("memset", to, count)) return 1;
        memset((void *)to, value, count);
        return 0;
    });
}
static int fillWords(tb_device_address to, unsigned value, size_t count, void *stream) {
    ALIVE
    return submit(stream, "memset", [=] {
        if (!check("memset", to, 4 * count)) return 1;
        for (size_t i = 0; i < count; i++) ((unsigned *)to)[i] = value;
        return 0;
    });
}

// MARK: Modules

static int loadModule(void **module, const void *image) {
    ALIVE NO_CAPTURE("cuModuleLoadData")
    if (state.settings.module_result) return state.settings.module_result;
    Module *made = new Module;
    if (sscanf((const char *)image, "fake cubin element %d variant %d", &made->element, &made->variant) != 2) {
        delete made;
        return 200;
    }
    *module = made;
    return 0;
}
static int unloadModule(void *module) { delete (Module *)module; return 0; }
static int function(void **function, void *module, const char *name) {
    ALIVE
    auto found = table().find(name);
    if (found == table().end()) return 500;
    Module *own = (Module *)module;
    // The driver keeps functions as long as their module; the fake keeps them for good.
    *function = new Function{name, own->element, own->variant, found->second, 48 << 10};
    return 0;
}
static int setFunctionAttribute(void *function, int attribute, int value) {
    ALIVE
    if (attribute != 8 || value < 0 || value > 227 << 10) return 1;
    ((Function *)function)->sharedLimit = (unsigned)value;
    return 0;
}

// Bytes of a parameter, by its type in the table.
static size_t sizeOf(const std::string &parameter) {
    if (parameter.find('*') != std::string::npos) return 8;
    if (parameter.find("tb_cuda_quantized") != std::string::npos) return sizeof(tb_cuda_quantized);
    if (parameter.find("tb_cuda_attention") != std::string::npos) return sizeof(tb_cuda_attention);
    if (parameter.find("tb_cuda_cache") != std::string::npos) return sizeof(tb_cuda_cache);
    if (parameter.find("tb_cuda_adamw") != std::string::npos) return sizeof(tb_cuda_adamw);
    if (parameter.find("tb_cuda_moment") != std::string::npos) return sizeof(tb_cuda_moment);
    if (parameter.find("tb_cuda_decoding") != std::string::npos) return sizeof(tb_cuda_decoding);
    return parameter.find("64") != std::string::npos ? 8 : 4;
}

struct Launch {
    Function function;
    unsigned grid[3], threads, sharedBytes;
    std::vector<std::vector<unsigned char>> values;

    int run() {
        state.counts.launches++;
        if (state.settings.fail_launch && state.counts.launches == state.settings.fail_launch) {
            if (state.settings.failure >= 700 || state.settings.failure == 46) state.lost = state.settings.failure;
            return state.settings.failure;
        }
        std::vector<void *> parameters;
        for (size_t i = 0; i < values.size(); i++) {
            parameters.push_back(values[i].data());
            if (function.parameters[i].find('*') == std::string::npos) continue;
            uint64_t address = *(uint64_t *)values[i].data();
            if (address && !isLiving(address, 1) && !contains(state.pinned, address, 1)) {
                complain(function.name + ": parameter " + function.parameters[i] + " is not in living memory");
                return state.lost = 700;
            }
        }
        int result = emulated_launch(
            function.name.c_str(), function.element, function.variant, grid, threads, sharedBytes, parameters.data(), state.settings.order);
        if (result) {
            complain(function.name + ": the emulator answers " + std::to_string(result));
            return state.lost = 719;
        }
        return 0;
    }
};

static int launch(void *handle, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,
                  unsigned sharedBytes, void *stream, void **parameters, void **) {
    ALIVE
    Function *function = (Function *)handle;
    if (gridX == 0 || gridY == 0 || gridZ == 0 || gridY > 65535 || gridZ > 65535 || blockX == 0 || blockX > 1024 || blockY != 1 || blockZ != 1) {
        complain(function->name + ": an impossible grid");
        return 1;
    }
    if (sharedBytes > function->sharedLimit) {
        complain(function->name + ": more shared memory than was asked for");
        return 1;
    }
    if (!emulated_has(function->name.c_str(), function->element, function->variant)) {
        state.missing.insert(function->name + " element " + std::to_string(function->element) + " variant " + std::to_string(function->variant));
        return 500;
    }
    // Parameters have been read when the call returns.
    auto made = std::make_shared<Launch>(Launch{*function, {gridX, gridY, gridZ}, blockX, sharedBytes, {}});
    for (size_t i = 0; i < function->parameters.size(); i++) {
        const unsigned char *from = (const unsigned char *)parameters[i];
        made->values.emplace_back(from, from + sizeOf(function->parameters[i]));
    }
    return submit(stream, function->name, [made] { return made->run(); });
}
}  // namespace fake

void tb_fake_start(tb_fake_settings settings) {
    if (!settings.driver_version) settings.driver_version = 12040;
    if (!settings.architecture) settings.architecture = 90;
    if (!settings.memory_bytes) settings.memory_bytes = (size_t)1 << 30;
    fake::state.settings = settings;
    fake::state.counts = {};
    fake::state.counts.live_allocations = (long)fake::state.blocks.size();
    for (auto &block : fake::state.blocks) fake::state.counts.live_bytes += block.second;
    fake::state.missing.clear();
    fake::state.complaint.clear();
    fake::state.lost = 0;
    fake::state.late = 0;
    fake::state.captured = 0;
    for (auto &block : fake::state.pinned) fake::state.counts.live_pinned += block.second;
}
tb_fake_counts tb_fake_read_counts(void) {
    tb_fake_counts counts = fake::state.counts;
    counts.waiting = fake::waitingWork();
    return counts;
}
const char *tb_fake_missing_kernels(void) {
    fake::state.answer.clear();
    for (auto &name : fake::state.missing) fake::state.answer += (fake::state.answer.empty() ? "" : ", ") + name;
    return fake::state.answer.c_str();
}
const char *tb_fake_complaint(void) { return fake::state.complaint.c_str(); }

tb_cuda_driver tb_fake_driver(void) {
    using namespace fake;
    tb_cuda_driver d = {};
    d.cuInit = init, d.cuDriverGetVersion = driverVersion, d.cuGetErrorName = errorName, d.cuGetErrorString = errorString;
    d.cuDeviceGetCount = deviceCount, d.cuDeviceGet = device, d.cuDeviceGetName = deviceName, d.cuDeviceGetAttribute = attribute;
    d.cuDeviceTotalMem_v2 = totalMemory, d.cuDeviceGetPCIBusId = busIdentifier;
    d.cuDevicePrimaryCtxRetain = retain, d.cuDevicePrimaryCtxRelease_v2 = release;
    d.cuCtxSetCurrent = setCurrent, d.cuCtxSynchronize = synchronizeContext;
    d.cuMemGetInfo_v2 = memoryInfo, d.cuMemAlloc_v2 = allocate, d.cuMemFree_v2 = deallocate;
    d.cuMemAllocHost_v2 = allocateHost, d.cuMemFreeHost = freeHost;
    d.cuMemcpyHtoDAsync_v2 = upload, d.cuMemcpyDtoHAsync_v2 = download, d.cuMemcpyDtoDAsync_v2 = copy;
    d.cuMemsetD8Async = fillBytes, d.cuMemsetD32Async = fillWords;
    addStreams(d);
    d.cuModuleLoadData = loadModule, d.cuModuleUnload = unloadModule, d.cuModuleGetFunction = function;
    d.cuFuncSetAttribute = setFunctionAttribute, d.cuLaunchKernel = launch;
    return d;
}
