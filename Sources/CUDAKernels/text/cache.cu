// Keys and values into a cache of pages and out of it. Bound by memory, and small.
#include "paging.cuh"

// The sequence that row `row` belongs to.
DEVICE int sequence_of(const i32 *cumulative, int sequences, int row) {
    int low = 0, high = sequences - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (cumulative[middle] <= row) low = middle;
        else high = middle - 1;
    }
    return low;
}

// Rows of new keys and values go behind what each sequence has.
KERNEL(cache_append)(const E *keys, const E *values, i64 keyStride, i64 valueStride, const i32 *cumulative, tb_cuda_cache cache, i32 dimension) {
    int row = blockIdx.x, head = blockIdx.y, s = sequence_of(cumulative, cache.sequences, row);
    int token = cache.lengths[s] + row - cumulative[s];
    i64 page = cache_page(cache, s, token), offset = cache_offset(cache, head, token);
    const E *k = keys + row * keyStride + (i64)head * dimension, *v = values + row * valueStride + (i64)head * dimension;
    for (int i = threadIdx.x; i < dimension; i += blockDim.x) {
        put_at(cache_keys(cache, page), cache.type, offset + i, value(k[i]));
        put_at(cache_values(cache, page), cache.type, offset + i, value(v[i]));
    }
}

// All keys and values of some sequences as rows, for attention of several new tokens to a cache; keyCumulative [sequences + 1].
KERNEL(cache_gather)(tb_cuda_cache cache, const i32 *keyCumulative, E *keys, E *values, i64 keyStride, i64 valueStride, i32 dimension) {
    int row = blockIdx.x, head = blockIdx.y, s = sequence_of(keyCumulative, cache.sequences, row);
    int token = row - keyCumulative[s];
    i64 page = cache_page(cache, s, token), offset = cache_offset(cache, head, token);
    E *k = keys + row * keyStride + (i64)head * dimension, *v = values + row * valueStride + (i64)head * dimension;
    for (int i = threadIdx.x; i < dimension; i += blockDim.x) {
        put(k + i, value_at(cache_keys(cache, page), cache.type, offset + i));
        put(v + i, value_at(cache_values(cache, page), cache.type, offset + i));
    }
}
