// Products of at most ROWS rows; included once for each.
#define JOIN_AGAIN(a, b) a##b
#define JOIN(a, b) JOIN_AGAIN(a, b)
#define DENSE JOIN(dense, ROWS)
#define QUANTIZED JOIN(quantized, ROWS)
namespace DENSE {
#include "gemv.cu"
}
namespace QUANTIZED {
#include "gemv_quantized.cu"
}
static emulation::Registration JOIN(denseIsHere, ROWS)("gemv", ELEMENT, ROWS, emulation::Caller<&DENSE::gemv>::call);
static emulation::Registration JOIN(quantizedIsHere, ROWS)("quantized_gemv", ELEMENT, ROWS, emulation::Caller<&QUANTIZED::quantized_gemv>::call);
#undef DENSE
#undef QUANTIZED
#undef ROWS
