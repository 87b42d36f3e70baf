// Where a token of a cache stands.
#pragma once
#include "common.cuh"

DEVICE i64 cache_offset(const tb_cuda_cache &cache, int head, int token) {
    return head * cache.head_stride + (token % cache.page_tokens) * cache.token_stride;
}
DEVICE i64 cache_page(const tb_cuda_cache &cache, int sequence, int token) {
    return (i64)sequence * cache.most_pages + token / cache.page_tokens;
}
