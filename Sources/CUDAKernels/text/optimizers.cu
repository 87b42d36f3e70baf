// Update rules over flat groups of parameters. `clip` is a factor of the gradient that the card has computed itself, or null, so
// that no step waits for the host. AdamW moves 4 + 16 bytes a parameter besides the parameter itself: bound by memory.
#include "common.cuh"

// Elements `first` to `end` of a parameter, shared by the threads of a grid or of a block.
DEVICE void adamw_range(void *parameter, i32 parameterType, const void *gradient, i32 gradientType, f32 *first, f32 *second,
                        const tb_cuda_adamw &step, float scale, i64 start, i64 stride, i64 count) {
    bool isVector = is_aligned(parameter) && is_aligned(gradient) && is_aligned(first) && is_aligned(second);
    for (i64 i = start; i < count; i += stride) {
        float p[8], g[8], m[8], v[8];
        load_any(gradient, gradientType, i, count - i, isVector, g);
        load(first + i, count - i, isVector, m);
        load(second + i, count - i, isVector, v);
        load_any(parameter, parameterType, i, count - i, isVector, p);
#pragma unroll
        EIGHT {
            g[k] *= scale;
            m[k] += (1.0f - step.beta1) * (g[k] - m[k]);
            v[k] = step.beta2 * v[k] + (1.0f - step.beta2) * g[k] * g[k];
            p[k] = p[k] * step.decay - step.step_size * m[k] / (sqrtf(v[k]) * step.root_correction + step.epsilon);
        }
        store(first + i, count - i, isVector, m);
        store(second + i, count - i, isVector, v);
        store_any(parameter, parameterType, i, count - i, isVector, p);
    }
}

KERNEL(adamw)(void *parameter, i32 parameterType, const void *gradient, i32 gradientType, f32 *first, f32 *second, i64 count,
              tb_cuda_adamw step, const f32 *clip) {
    float scale = clip ? step.gradient_scale * *clip : step.gradient_scale;
    adamw_range(parameter, parameterType, gradient, gradientType, first, second, step, scale,
                ((i64)blockIdx.x * blockDim.x + threadIdx.x) * 8, (i64)gridDim.x * blockDim.x * 8, count);
}

// The member of a group that a block works for: the last whose blocks do not begin behind it.
DEVICE int member_of(const tb_cuda_adamw_member *members, int count, i64 block) {
    int low = 0, high = count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (members[middle].first_block <= block) low = middle;
        else high = middle - 1;
    }
    return low;
}

// The squares of all gradients of a group, a sum for each block.
KERNEL(squares_group)(const tb_cuda_adamw_member *members, i32 count, f64 *partials) {
    const tb_cuda_adamw_member &member = members[member_of(members, count, blockIdx.x)];
    const void *gradient = member.gradient;
    i64 begin = ((i64)blockIdx.x - member.first_block) * TB_MEMBER_BLOCK, end = min(member.count, begin + TB_MEMBER_BLOCK);
    bool isVector = is_aligned(gradient);
    f64 sum = 0;
    for (i64 i = begin + threadIdx.x * 8; i < end; i += blockDim.x * 8) {
        float x[8], part = 0;
        load_any(gradient, member.gradient_type, i, end - i, isVector, x);
#pragma unroll
        EIGHT part += x[k] * x[k];
        sum += part;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// A whole group by one launch. `clip` is what clip_factor made: below 0 for no update.
KERNEL(adamw_group)(const tb_cuda_adamw_member *members, i32 count, const f32 *clip) {
    if (*clip < 0) return;
    const tb_cuda_adamw_member &member = members[member_of(members, count, blockIdx.x)];
    tb_cuda_adamw step = member.step;
    i64 begin = ((i64)blockIdx.x - member.first_block) * TB_MEMBER_BLOCK, end = min(member.count, begin + TB_MEMBER_BLOCK);
    adamw_range(member.parameter, member.parameter_type, member.gradient, member.gradient_type, member.first, member.second, step,
                step.gradient_scale * *clip, begin + threadIdx.x * 8, blockDim.x * 8, end);
}

// direction = first / (sqrt(second) + epsilon) without correction of bias; direction may be gradient.
KERNEL(adam_direction)(const f32 *gradient, f32 *first, f32 *second, f32 *direction, i64 count, f32 beta1, f32 beta2, f32 epsilon) {
    bool isVector = is_aligned(gradient) && is_aligned(first) && is_aligned(second) && is_aligned(direction);
    FOR_EIGHTS(i, count) {
        float g[8], m[8], v[8];
        load(gradient + i, count - i, isVector, g);
        load(first + i, count - i, isVector, m);
        load(second + i, count - i, isVector, v);
#pragma unroll
        EIGHT {
            m[k] = beta1 * m[k] + (1.0f - beta1) * g[k];
            v[k] = beta2 * v[k] + (1.0f - beta2) * g[k] * g[k];
            g[k] = m[k] / (sqrtf(v[k]) + epsilon);
        }
        store(first + i, count - i, isVector, m);
        store(second + i, count - i, isVector, v);
        store(direction + i, count - i, isVector, g);
    }
}

// second = decay second + gain (gradient^2 + squareEpsilon); direction = gradient / (sqrt(second) + epsilon).
KERNEL(rms_direction)(const f32 *gradient, f32 *second, f32 *direction, i64 count, f32 decay, f32 gain, f32 squareEpsilon, f32 epsilon) {
    bool isVector = is_aligned(gradient) && is_aligned(second) && is_aligned(direction);
    FOR_EIGHTS(i, count) {
        float g[8], v[8];
        load(gradient + i, count - i, isVector, g);
        load(second + i, count - i, isVector, v);
#pragma unroll
        EIGHT {
            v[k] = decay * v[k] + gain * (g[k] * g[k] + squareEpsilon);
            g[k] = g[k] / (sqrtf(v[k]) + epsilon);
        }
        store(second + i, count - i, isVector, v);
        store(direction + i, count - i, isVector, g);
    }
}

// parameter = decay parameter - rate direction
KERNEL(descend)(void *parameter, i32 parameterType, const f32 *direction, i64 count, f32 rate, f32 decay) {
    bool isVector = is_aligned(parameter) && is_aligned(direction);
    FOR_EIGHTS(i, count) {
        float p[8], d[8];
        load_any(parameter, parameterType, i, count - i, isVector, p);
        load(direction + i, count - i, isVector, d);
#pragma unroll
        EIGHT p[k] = p[k] * decay - rate * d[k];
        store_any(parameter, parameterType, i, count - i, isVector, p);
    }
}

// MARK: Moments in 8 bits (Dettmers et al., 2021): a block of threads works on one block of 256 codes after the other.

enum { STATE_BLOCK = 256 };

struct MomentTables {
    float table[2][STATE_BLOCK], midpoints[2][STATE_BLOCK];
};

DEVICE void load_tables(MomentTables &tables, tb_cuda_moment first, tb_cuda_moment second) {
    int i = threadIdx.x;
    tables.table[0][i] = first.table[i];
    tables.table[1][i] = second.table[i];
    tables.midpoints[0][i] = i < STATE_BLOCK - 1 ? first.midpoints[i] : 0;
    tables.midpoints[1][i] = i < STATE_BLOCK - 1 ? second.midpoints[i] : 0;
    __syncthreads();
}

// The place of the nearest table entry: how many midpoints lie below.
DEVICE u8 nearest(const float *midpoints, float x) {
    int place = 0;
#pragma unroll
    for (int step = STATE_BLOCK / 2; step > 0; step /= 2) place += x > midpoints[place + step - 1] ? step : 0;
    return (u8)place;
}

// Both moments of one element take in its gradient and are stored again; returns first / (sqrt(second) root_correction + epsilon).
// All threads of the block come here.
DEVICE float advance(const MomentTables &tables, tb_cuda_moment first, tb_cuda_moment second, i64 block, i64 place, bool isThere, float g,
                     tb_cuda_adamw step) {
    float m = 0, v = 0;
    if (isThere) {
        m = step.beta1 * (tables.table[0][first.codes[place]] * first.scales[block]) + (1.0f - step.beta1) * g;
        v = step.beta2 * (tables.table[1][second.codes[place]] * second.scales[block]) + (1.0f - step.beta2) * g * g;
    }
    float top = block_maximum(fabsf(m)), high = block_maximum(fabsf(v));
    if (isThere) {
        first.codes[place] = nearest(tables.midpoints[0], m * (top > 0 ? 1.0f / top : 0.0f));
        second.codes[place] = nearest(tables.midpoints[1], v * (high > 0 ? 1.0f / high : 0.0f));
    }
    // Every thread has read the scales: block_maximum waits for all.
    if (threadIdx.x == 0) first.scales[block] = top, second.scales[block] = high;
    return m / (sqrtf(v) * step.root_correction + step.epsilon);
}

// The members of a group that have moments in 8 bits, by one launch. They follow the others in the list, whose blocks are `skipped`;
// `first` and `second` have the tables that all of them share.
KERNEL(adamw_8bit_group)(const tb_cuda_adamw_member *members, i32 count, i64 skipped, tb_cuda_moment first, tb_cuda_moment second,
                         const f32 *clip) {
    __shared__ MomentTables tables;
    if (*clip < 0) return;
    load_tables(tables, first, second);
    i64 number = skipped + blockIdx.x;
    const tb_cuda_adamw_member &member = members[member_of(members, count, number)];
    tb_cuda_adamw step = member.step;
    first.codes = member.first_codes, first.scales = member.first;
    second.codes = member.second_codes, second.scales = member.second;
    float scale = step.gradient_scale * *clip;
    i64 begin = (number - member.first_block) * TB_MEMBER_BLOCK, end = min(member.count, begin + TB_MEMBER_BLOCK);
    for (i64 block = begin / STATE_BLOCK; block * STATE_BLOCK < end; block++) {
        i64 place = block * STATE_BLOCK + threadIdx.x;
        bool isThere = place < end;
        float g = isThere ? value_at(member.gradient, member.gradient_type, place) * scale : 0.0f;
        float direction = advance(tables, first, second, block, place, isThere, g, step);
        if (isThere)
            put_at(member.parameter, member.parameter_type, place,
                   value_at(member.parameter, member.parameter_type, place) * step.decay - step.step_size * direction);
    }
}

KERNEL(adam_direction_8bit)(const f32 *gradient, tb_cuda_moment first, tb_cuda_moment second, f32 *direction, i64 count,
                            tb_cuda_adamw step) {
    __shared__ MomentTables tables;
    load_tables(tables, first, second);
    for (i64 block = blockIdx.x; block * STATE_BLOCK < count; block += gridDim.x) {
        i64 place = block * STATE_BLOCK + threadIdx.x;
        bool isThere = place < count;
        float g = isThere ? gradient[place] * step.gradient_scale : 0.0f;
        float result = advance(tables, first, second, block, place, isThere, g, step);
        if (isThere) direction[place] = result;
    }
}
