// Conversions between the floating types, rounding to nearest with ties to even. 2 to 8 bytes an element, bound by memory.
#include "common.cuh"

template <class From, class To> DEVICE void convert_all(const From *from, To *to, i64 count) {
    bool isVector = is_aligned(from) && is_aligned(to);
    FOR_EIGHTS(i, count) {
        float x[8];
        load(from + i, count - i, isVector, x);
        store(to + i, count - i, isVector, x);
    }
}

template <class From> DEVICE void convert_from(const From *from, void *to, i32 toType, i64 count) {
    if (toType == BFLOAT16) return convert_all(from, (bf16 *)to, count);
    if (toType == FLOAT16) return convert_all(from, (f16 *)to, count);
    convert_all(from, (float *)to, count);
}

KERNEL(convert)(const void *from, i32 fromType, void *to, i32 toType, i64 count) {
    if (fromType == BFLOAT16) return convert_from((const bf16 *)from, to, toType, count);
    if (fromType == FLOAT16) return convert_from((const f16 *)from, to, toType, count);
    convert_from((const float *)from, to, toType, count);
}
