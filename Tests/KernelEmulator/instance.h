// All kernels for one type of elements. Each file is in a namespace of its own; what they share is included outside of them.
#include "emulation.h"
#include "registry.h"
#include "common.cuh"

#define ENTER(space, kernel, variant) \
    static emulation::Registration kernel##_##variant##_is_here(#kernel, ELEMENT, variant, emulation::Caller<&space::kernel>::call);

namespace elementwise {
#include "elementwise.cu"
}
ENTER(elementwise, fill, 0)
ENTER(elementwise, scale, 0)
ENTER(elementwise, add, 0)
ENTER(elementwise, accumulate, 0)
ENTER(elementwise, accumulate_wide, 0)
ENTER(elementwise, multiply, 0)
ENTER(elementwise, dropout, 0)
ENTER(elementwise, soft_cap, 0)
ENTER(elementwise, uniform_noise, 0)
namespace casts {
#include "casts.cu"
}
ENTER(casts, convert, 0)
namespace activations {
#include "activations.cu"
}
ENTER(activations, activation, 0)
ENTER(activations, activation_backward, 0)
ENTER(activations, gated_activation, 0)
ENTER(activations, gated_activation_backward, 0)
namespace sums {
#include "sums.cu"
}
ENTER(sums, sum_of_squares_partial, 0)
ENTER(sums, dot_partial, 0)
ENTER(sums, sum_finish, 0)
ENTER(sums, clip_factor, 0)
ENTER(sums, row_dots, 0)
ENTER(sums, row_squares, 0)
ENTER(sums, column_dots_partial, 0)
ENTER(sums, column_sums_finish, 0)
namespace columns {
#include "columns.cu"
}
ENTER(columns, scale_rows, 0)
ENTER(columns, scale_columns, 0)
ENTER(columns, copy_columns, 0)
ENTER(columns, inverse_updated_norms, 0)
ENTER(columns, softmax, 0)
ENTER(columns, softmax_backward, 0)
namespace rows {
#include "rows.cu"
}
ENTER(rows, embedding, 0)
ENTER(rows, select_rows, 0)
ENTER(rows, add_rows, 0)
namespace norms {
#include "norms.cu"
}
ENTER(norms, rms_norm, 0)
ENTER(norms, rms_norm_again, 0)
ENTER(norms, rms_norm_backward, 0)
ENTER(norms, layer_norm, 0)
ENTER(norms, layer_norm_backward, 0)
namespace rotation {
#include "rotary.cu"
}
ENTER(rotation, rotary, 0)
namespace losses {
#include "losses.cu"
}
ENTER(losses, cross_entropy, 0)
ENTER(losses, loss_sums, 0)
namespace optimizers {
#include "optimizers.cu"
}
ENTER(optimizers, adamw, 0)
ENTER(optimizers, squares_group, 0)
ENTER(optimizers, adamw_group, 0)
ENTER(optimizers, adam_direction, 0)
ENTER(optimizers, adamw_8bit_group, 0)
ENTER(optimizers, adam_direction_8bit, 0)
ENTER(optimizers, rms_direction, 0)
ENTER(optimizers, descend, 0)
namespace delta {
#include "attention_delta.cu"
}
ENTER(delta, attention_delta, 0)
#include "sequences.cuh"
namespace plainAttention {
#include "attention_plain.cu"
}
ENTER(plainAttention, plain_attention_forward, 0)
ENTER(plainAttention, plain_attention_backward_queries, 0)
ENTER(plainAttention, plain_attention_backward_keys, 0)
// f16 differs from bf16 in the product alone: two of the dimensions say enough.
#if ELEMENT != 0
#include "tiles.cuh"
#define HEAD_DIMENSION 64
#include "attention_instance.h"
#define HEAD_DIMENSION 80
#include "attention_instance.h"
#endif
#if ELEMENT == 1
#define HEAD_DIMENSION 16
#include "attention_instance.h"
#define HEAD_DIMENSION 32
#include "attention_instance.h"
#define HEAD_DIMENSION 128
#include "attention_instance.h"
#define HEAD_DIMENSION 256
#include "attention_instance.h"
#endif
#include "gemv.cuh"
#include "paging.cuh"
#include "quantized.cuh"
#include "sequences.cuh"
namespace dequantization {
#include "dequantize.cu"
}
ENTER(dequantization, dequantize, 0)
ENTER(dequantization, quantized_embedding, 0)
namespace caching {
#include "cache.cu"
}
ENTER(caching, cache_append, 0)
ENTER(caching, cache_gather, 0)
namespace decoding {
#include "decode.cu"
}
ENTER(decoding, attention_decode, 0)
ENTER(decoding, attention_decode_combine, 0)
namespace experts {
#include "experts.cu"
}
ENTER(experts, expert_route, 0)
ENTER(experts, expert_group, 0)
ENTER(experts, expert_combine, 0)
namespace sampling {
#include "sampling.cu"
}
ENTER(sampling, sample, 0)
ENTER(sampling, mark_seen, 0)
namespace orthogonal {
#include "rotations.cu"
}
ENTER(orthogonal, cayley_rotations, 0)
ENTER(orthogonal, cayley_rotations_backward, 0)
ENTER(orthogonal, rotate_blocks, 0)
ENTER(orthogonal, rotation_gradient, 0)
#define ROWS 1
#include "rows_instance.h"
#define ROWS 2
#include "rows_instance.h"
#define ROWS 4
#include "rows_instance.h"
#define ROWS 8
#include "rows_instance.h"
