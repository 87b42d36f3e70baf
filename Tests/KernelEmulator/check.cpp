#include "check.h"
#include <algorithm>
#include <cstdarg>

namespace check {
int order;
std::string failure;
static std::vector<std::vector<unsigned char>> recorded;

float Array::get(long i) const {
    float x = 0;
    if (type == f32) memcpy(&x, &bytes[(size_t)i * 4], 4);
    else if (type == bf16) tb_widen_bf16((const uint16_t *)bytes.data() + i, &x, 1);
    else if (type == f16) tb_widen_f16((const uint16_t *)bytes.data() + i, &x, 1);
    else if (type == i32) x = (float)((const int32_t *)bytes.data())[i];
    else if (type == i64) x = (float)((const int64_t *)bytes.data())[i];
    else if (type == f64) x = (float)((const double *)bytes.data())[i];
    else x = bytes[(size_t)i];
    return x;
}
void Array::set(long i, float x) {
    if (type == f32) memcpy(&bytes[(size_t)i * 4], &x, 4);
    else if (type == bf16) tb_narrow_bf16(&x, halves() + i, 1);
    else if (type == f16) tb_narrow_f16(&x, halves() + i, 1);
    else if (type == i32) integers()[i] = (int32_t)x;
    else if (type == i64) longs()[i] = (int64_t)x;
    else if (type == f64) doubles()[i] = x;
    else bytes[(size_t)i] = (unsigned char)x;
}

Array random(int type, long count, float scale, unsigned seed) {
    std::mt19937 generator(seed);
    Array result(type, count);
    for (long i = 0; i < count; i++) result.set(i, scale * ((float)(generator() >> 8) / 8388608.0f - 1.0f));
    return result;
}
Array zeros(int type, long count) { return constant(type, count, 0); }
Array constant(int type, long count, float x) {
    Array result(type, count);
    for (long i = 0; i < count; i++) result.set(i, x);
    return result;
}
std::vector<int32_t> randomIntegers(long count, int below, unsigned seed) {
    std::mt19937 generator(seed);
    std::vector<int32_t> result((size_t)count);
    for (auto &x : result) x = (int32_t)(generator() % (unsigned)below);
    return result;
}

void fail(const char *format, ...) {
    if (!failure.empty()) return;
    char text[400];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    failure = text;
}
void record(const Array &a) { recorded.push_back(a.bytes); }

void expectClose(const char *what, const Array &seen, const std::vector<float> &wanted, float tolerance) {
    record(seen);
    if ((long)wanted.size() != seen.count) return fail("%s: %ld numbers, expected %zu", what, seen.count, wanted.size());
    double largest = 0, worst = 0, dot = 0, a = 0, b = 0;
    long place = 0;
    for (long i = 0; i < seen.count; i++) {
        double x = seen.get(i), y = wanted[(size_t)i], difference = std::fabs(x - y);
        if (!(difference <= 1e30)) return fail("%s: element %ld is %g, expected %g", what, i, x, y);
        largest = std::max(largest, std::fabs(y));
        if (difference > worst) worst = difference, place = i;
        dot += x * y, a += x * x, b += y * y;
    }
    bool isHalf = seen.type == bf16 || seen.type == f16;
    double bound = isHalf ? std::max(0.016, (double)tolerance) : tolerance;
    if (worst > bound * std::max(largest, 1e-6))
        return fail("%s: element %ld is %.7g, expected %.7g (largest %.3g)", what, place, seen.get(place), wanted[(size_t)place], largest);
    if (isHalf && seen.count > 8 && a > 0 && b > 0 && dot / std::sqrt(a * b) < 0.9995) fail("%s: cosine %.6f", what, dot / std::sqrt(a * b));
}
void expectEqual(const char *what, const Array &seen, const std::vector<float> &wanted) {
    record(seen);
    if ((long)wanted.size() != seen.count) return fail("%s: %ld numbers, expected %zu", what, seen.count, wanted.size());
    for (long i = 0; i < seen.count; i++)
        if (seen.get(i) != wanted[(size_t)i]) return fail("%s: element %ld is %.9g, expected %.9g", what, i, seen.get(i), wanted[(size_t)i]);
}

std::vector<Entry> &entries() {
    static std::vector<Entry> all;
    return all;
}
}  // namespace check

using namespace check;

extern "C" int kernel_check_count(void) { return (int)entries().size(); }
extern "C" const char *kernel_check_name(int index) { return entries()[(size_t)index].name; }
extern "C" const char *kernel_check_run(int index) {
    std::vector<std::vector<unsigned char>> first;
    failure.clear();
    for (order = EMULATED_FORWARD; order <= EMULATED_SHUFFLED; order++) {
        recorded.clear();
        entries()[(size_t)index].body();
        if (!failure.empty()) return failure.c_str();
        if (order == EMULATED_FORWARD) first = recorded;
        else if (first != recorded) fail("the result depends on the order of the threads");
    }
    return failure.empty() ? nullptr : failure.c_str();
}
