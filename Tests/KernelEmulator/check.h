// What the comparisons are written with: arrays of a storage type, launches, expectations. A check runs once for each order of the
// threads, and what it computes must be the same to the bit in all of them.
#pragma once
#include "CUDAKernels.h"
#include "CKernels.h"
#include "include/KernelEmulator.h"
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace check {

enum Type { f32 = 0, bf16 = 1, f16 = 2, i32 = 3, i64 = 4, u8 = 5, f64 = 6 };
inline const char *nameOf(int type) { return type == f32 ? "f32" : type == bf16 ? "bf16" : "f16"; }
inline int sizeOf(int type) { return type == bf16 || type == f16 ? 2 : type == u8 ? 1 : type == i64 || type == f64 ? 8 : 4; }

// Memory of exactly its size, in one of the types.
struct Array {
    int type;
    long count;
    std::vector<unsigned char> bytes;

    Array(int type, long count) : type(type), count(count), bytes((size_t)(count * sizeOf(type))) {}
    Array(int type, const std::vector<float> &values) : Array(type, (long)values.size()) {
        for (long i = 0; i < count; i++) set(i, values[(size_t)i]);
    }
    Array(const std::vector<int32_t> &values) : Array(i32, (long)values.size()) { memcpy(data(), values.data(), bytes.size()); }

    void *data() { return bytes.data(); }
    float *floats() { return (float *)bytes.data(); }
    double *doubles() { return (double *)bytes.data(); }
    int32_t *integers() { return (int32_t *)bytes.data(); }
    int64_t *longs() { return (int64_t *)bytes.data(); }
    uint16_t *halves() { return (uint16_t *)bytes.data(); }
    float get(long i) const;
    void set(long i, float x);
    std::vector<float> values() const {
        std::vector<float> all((size_t)count);
        for (long i = 0; i < count; i++) all[(size_t)i] = get(i);
        return all;
    }
    Array as(int other) const { return Array(other, values()); }
};

// Numbers in (-scale, scale), always the same for a seed; rounded to the type.
Array random(int type, long count, float scale, unsigned seed);
Array zeros(int type, long count);
Array constant(int type, long count, float x);
std::vector<int32_t> randomIntegers(long count, int below, unsigned seed);

extern int order;
extern std::string failure;
void fail(const char *format, ...);
void record(const Array &a);

struct Grid { unsigned x = 1, y = 1, z = 1; };
inline unsigned pieces(long count, long size) { return (unsigned)((count + size - 1) / size); }

inline void launchWith(const char *kernel, int element, int variant, Grid grid, unsigned threads, unsigned shared, std::vector<void *> list) {
    unsigned extent[3] = {grid.x, grid.y, grid.z};
    int result = emulated_launch(kernel, element, variant, extent, threads, shared, list.data(), order);
    if (result == 1) fail("no kernel %s for element %d and variant %d", kernel, element, variant);
    if (result == 2) fail("%s: threads wait for each other for ever", kernel);
}
template <class... Values> void launch(const char *kernel, int element, int variant, Grid grid, unsigned threads, unsigned shared, Values... values) {
    launchWith(kernel, element, variant, grid, threads, shared, {(void *)&values...});
}

// f32 within `tolerance` of the largest number; 16-bit types by the cosine (0.999) and within a few roundings of the largest.
void expectClose(const char *what, const Array &seen, const std::vector<float> &wanted, float tolerance = 1e-5f);
void expectEqual(const char *what, const Array &seen, const std::vector<float> &wanted);

struct Entry { const char *name; void (*body)(); };
std::vector<Entry> &entries();
struct Registration { Registration(const char *name, void (*body)()) { entries().push_back({name, body}); } };

#define CHECK(identifier, name) \
    static void identifier(); \
    static check::Registration identifier##_is_here(name, identifier); \
    static void identifier()

}  // namespace check
