// The run-time compiler, cuBLASLt and NVML.
#include "fake.h"
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda, const float *b,
                            int ldb, float beta, float *c, int ldc);

namespace fake {
// MARK: Compiler. Its machine code names the type of elements and the variant that the emulator was built for.

struct Program { std::string cubin, log; };

static int compilerVersion(int *major, int *minor) { *major = 12, *minor = 4; return 0; }
static const char *compilerError(int error) { return error == 6 ? "NVRTC_ERROR_COMPILATION" : "an error of the fake compiler"; }
static int createProgram(void **program, const char *source, const char *, int headers, const char *const *texts, const char *const *names) {
    if (!source || (headers > 0 && (!texts || !names))) return 3;
    *program = new Program;
    return 0;
}
static int destroyProgram(void **program) { delete (Program *)*program; *program = nullptr; return 0; }
static int compileProgram(void *program, int count, const char *const *options) {
    Program *own = (Program *)program;
    if (state.settings.compile_result) {
        own->log = "kernel.cu(1): error: the fake compiler was told to fail";
        return state.settings.compile_result;
    }
    int element = 0, variant = 0;
    bool hasTarget = false;
    for (int i = 0; i < count; i++) {
        std::string option = options[i];
        auto number = [&](const char *prefix, int &to) {
            if (option.rfind(prefix, 0) == 0) to = atoi(option.c_str() + strlen(prefix));
        };
        number("-DELEMENT=", element);
        number("-DHEAD_DIMENSION=", variant);
        number("-DROWS=", variant);
        if (option.rfind("--gpu-architecture=sm_", 0) == 0) hasTarget = true;
    }
    if (!hasTarget) return 5;
    state.counts.compilations++;
    own->cubin = "fake cubin element " + std::to_string(element) + " variant " + std::to_string(variant);
    return 0;
}
static int cubinSize(void *program, size_t *bytes) { *bytes = ((Program *)program)->cubin.size() + 1; return 0; }
static int cubin(void *program, char *to) { memcpy(to, ((Program *)program)->cubin.c_str(), ((Program *)program)->cubin.size() + 1); return 0; }
static int logSize(void *program, size_t *bytes) { *bytes = ((Program *)program)->log.size() + 1; return 0; }
static int log(void *program, char *to) { memcpy(to, ((Program *)program)->log.c_str(), ((Program *)program)->log.size() + 1); return 0; }
static const int architectures[] = {80, 86, 89, 90};
static int architectureCount(int *count) { *count = 4; return 0; }
static int supported(int *to) { memcpy(to, architectures, sizeof architectures); return 0; }

// MARK: Products

struct Layout { int type; uint64_t rows, columns; int64_t leading; };
struct Description { int transA = 0, transB = 0, epilogue = 1; uint64_t bias = 0; };

static size_t productsVersion(void) { return 120405; }
static int createHandle(void **handle) { *handle = &state; return state.settings.products_result; }
static int destroyHandle(void *) { return state.lost || hasContext() ? 0 : 1; }
static int createDescription(void **to, int compute, int scale) {
    if ((compute != 68 && compute != 77) || scale != 0) return 7;
    *to = new Description;
    return 0;
}
static int destroyDescription(void *description) { delete (Description *)description; return 0; }
static int describe(void *description, int attribute, const void *value, size_t bytes) {
    Description *own = (Description *)description;
    if (attribute == 3 && bytes == 4) own->transA = *(const int *)value;
    else if (attribute == 4 && bytes == 4) own->transB = *(const int *)value;
    else if (attribute == 7 && bytes == 4) own->epilogue = *(const int *)value;
    else if (attribute == 8 && bytes == 8) own->bias = *(const uint64_t *)value;
    else return 7;
    return 0;
}
static int createLayout(void **to, int type, uint64_t rows, uint64_t columns, int64_t leading) {
    if (leading < (int64_t)rows || (type != 0 && type != 2 && type != 14)) return 7;
    *to = new Layout{type, rows, columns, leading};
    return 0;
}
static int destroyLayout(void *layout) { delete (Layout *)layout; return 0; }
static int setLayout(void *, int, const void *, size_t) { return 7; }
static int createPreference(void **to) { *to = new int(0); return 0; }
static int destroyPreference(void *preference) { delete (int *)preference; return 0; }
static int prefer(void *, int attribute, const void *, size_t bytes) { return (attribute == 1 && bytes == 8) || (attribute >= 5 && attribute <= 8 && bytes == 4) ? 0 : 7; }
static int heuristic(void *, void *description, void *a, void *b, void *c, void *d, void *, int wanted, tb_matmul_heuristic *results, int *found) {
    *found = 0;
    int factors = ((Layout *)a)->type, result = ((Layout *)c)->type;
    if (((Layout *)b)->type != factors || c != d || wanted < 1) return 15;
    // f32 factors have an f32 result; those of 16 bits their own type or f32.
    if (result != 0 && result != factors) return 15;
    Description *how = (Description *)description;
    if (how->epilogue == 4 && !how->bias) {
        complain("a product is looked for whose bias points nowhere");
        return 15;
    }
    memset(results, 0, sizeof *results);
    *found = 1;
    return 0;
}

static size_t width(int type) { return type == 0 ? 4 : 2; }
static float number(const void *from, int type, size_t i) {
    if (type == 0) return ((const float *)from)[i];
    uint16_t bits = ((const uint16_t *)from)[i];
    float x;
    if (type == 14) {
        uint32_t wide = (uint32_t)bits << 16;
        memcpy(&x, &wide, 4);
        return x;
    }
    _Float16 half;
    memcpy(&half, &bits, 2);
    return (float)half;
}
static void put(void *to, int type, size_t i, float x) {
    if (type == 0) { ((float *)to)[i] = x; return; }
    uint16_t bits;
    if (type == 14) {
        uint32_t wide;
        memcpy(&wide, &x, 4);
        bits = std::isnan(x) ? 0x7FC0 : (uint16_t)((wide + 0x7FFF + (wide >> 16 & 1)) >> 16);
    } else {
        _Float16 half = (_Float16)x;
        memcpy(&bits, &half, 2);
    }
    ((uint16_t *)to)[i] = bits;
}
static bool reaches(const char *what, const void *address, const Layout *layout) {
    size_t bytes = ((size_t)(layout->columns - 1) * layout->leading + layout->rows) * width(layout->type);
    if (isLiving((uint64_t)address, bytes)) return true;
    complain(std::string("a product's ") + what + " is not in living memory");
    return false;
}
static std::vector<float> widened(const void *from, const Layout *layout) {
    std::vector<float> result(layout->rows * layout->columns);
    for (uint64_t j = 0; j < layout->columns; j++)
        for (uint64_t i = 0; i < layout->rows; i++) result[j * layout->rows + i] = number(from, layout->type, j * layout->leading + i);
    return result;
}

struct Product {
    Description description;
    Layout aLayout, bLayout, cLayout;
    const void *a, *b;
    void *d, *workspace;
    float scale, keep;
    size_t workspaceBytes;

    int run() const {
        const Description *how = &description;
        const Layout *first = &aLayout, *second = &bLayout, *result = &cLayout;
        if (!reaches("first factor", a, first) || !reaches("second factor", b, second) || !reaches("result", d, result)
            || !isLiving((uint64_t)workspace, workspaceBytes))
            return 7;
        uint64_t m = how->transA ? first->columns : first->rows, k = how->transA ? first->rows : first->columns;
        uint64_t n = how->transB ? second->rows : second->columns, inner = how->transB ? second->columns : second->rows;
        if (k != inner || m != result->rows || n != result->columns) return 7;
        state.counts.products++;
        std::vector<float> left = widened(a, first), right = widened(b, second), sum(m * n, 0.0f);
        if (keep != 0) sum = widened(d, result);
        cblas_sgemm(102, how->transA ? 112 : 111, how->transB ? 112 : 111, (int)m, (int)n, (int)k, scale, left.data(), (int)first->rows, right.data(),
                    (int)second->rows, keep, sum.data(), (int)m);
        bool hasBias = how->epilogue == 4;
        if (hasBias && !isLiving(how->bias, m * width(result->type))) {
            complain("a product's bias is not in living memory");
            return 7;
        }
        for (uint64_t j = 0; j < n; j++)
            for (uint64_t i = 0; i < m; i++)
                put(d, result->type, j * result->leading + i, sum[j * m + i] + (hasBias ? number((const void *)how->bias, result->type, i) : 0.0f));
        return 0;
    }
};

static int multiply(void *, void *description, const void *alpha, const void *a, void *aLayout, const void *b, void *bLayout, const void *beta,
                    const void *c, void *cLayout, void *d, void *dLayout, const void *, void *workspace, size_t workspaceBytes, void *stream) {
    if (state.lost || !hasContext()) return 13;
    if (c != d || cLayout != dLayout) return 7;
    // Descriptions and factors have been read when the call returns.
    Product product = {*(Description *)description, *(Layout *)aLayout, *(Layout *)bLayout, *(Layout *)cLayout, a, b, d, workspace,
                       *(const float *)alpha, *(const float *)beta, workspaceBytes};
    return submit(stream, "product", [product] { return product.run(); });
}

// MARK: Management

static int start(void) { return state.settings.device_count > 0 ? 0 : 9; }
static int stop(void) { return 0; }
static const char *managementError(int) { return "an error of the fake"; }
static int systemVersion(char *to, unsigned length) { snprintf(to, length, "550.54.15"); return 0; }
static int managedCount(unsigned *count) { *count = (unsigned)state.settings.device_count; return 0; }
static int byIndex(unsigned index, void **device) { *device = &state; return index < (unsigned)state.settings.device_count ? 0 : 6; }
static int byBus(const char *, void **device) { *device = &state; return 0; }
static int managedName(void *, char *to, unsigned length) { snprintf(to, length, "Fake card"); return 0; }
static int utilisation(void *, tb_nvml_utilization *to) { *to = {73, 41}; return 0; }
static int managedMemory(void *, tb_nvml_memory *to) {
    *to = {state.settings.memory_bytes, state.settings.memory_bytes - state.counts.live_bytes, state.counts.live_bytes};
    return 0;
}
static int temperature(void *, int sensor, unsigned *to) { *to = 61; return sensor == 0 ? 0 : 2; }
static int power(void *, unsigned *to) { *to = 512300; return 0; }
static int powerLimit(void *, unsigned *to) { *to = 700000; return 0; }
static int clockNow(void *, int which, unsigned *to) { *to = which == 2 ? 2619 : 1755; return 0; }
static int clockMost(void *, int, unsigned *to) { *to = 1980; return 0; }
}  // namespace fake

tb_nvrtc tb_fake_compiler(void) {
    using namespace fake;
    return {compilerVersion, compilerError, createProgram, destroyProgram, compileProgram, cubinSize, cubin, logSize, log, architectureCount, supported};
}
tb_cublaslt tb_fake_products(void) {
    using namespace fake;
    return {productsVersion, createHandle, destroyHandle, multiply, createDescription, destroyDescription, describe, createLayout, destroyLayout,
            setLayout, createPreference, destroyPreference, prefer, heuristic};
}
tb_nvml tb_fake_management(void) {
    using namespace fake;
    return {start, stop, managementError, systemVersion, managedCount, byIndex, byBus, managedName, utilisation, managedMemory, temperature, power,
            powerLimit, clockNow, clockMost};
}
