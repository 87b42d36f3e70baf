// Where a token of a cache stands.
#pragma once
#include "common.cuh"

DEVICE i64 cache_offset(const tb_cuda_cache &cache, int head, int token) {
    return head * cache.head_stride + (token % cache.page_tokens) * cache.token_stride;
}
DEVICE i64 cache_page(const tb_cuda_cache &cache, int sequence, int token) {
    return (i64)sequence * cache.most_pages + token / cache.page_tokens;
}
// Where the keys and the values of one layer begin in a page.
DEVICE void *cache_keys(const tb_cuda_cache &cache, i64 page) { return (char *)cache.key_pages[page] + cache.key_offset; }
DEVICE void *cache_values(const tb_cuda_cache &cache, i64 page) { return (char *)cache.value_pages[page] + cache.value_offset; }
