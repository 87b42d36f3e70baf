// What attention's way back needs first: delta [heads, tokens], the sum of gradient * result over a head's columns. A warp has a
// token and a head; both are read once.
#include "common.cuh"

KERNEL(attention_delta)(tb_cuda_attention a) {
    int token = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, head = blockIdx.y, lane = threadIdx.x % 32;
    if (token >= a.tokens) return;
    const E *d = (const E *)a.gradient + (i64)token * a.gradient_stride + (i64)head * a.dimension;
    const E *o = (const E *)a.result + (i64)token * a.result_stride + (i64)head * a.dimension;
    float sum = 0;
    for (int i = lane; i < a.dimension; i += 32) sum += value(d[i]) * value(o[i]);
    sum = warp_sum(sum);
    if (lane == 0) a.delta[(i64)head * a.tokens + token] = sum;
}
