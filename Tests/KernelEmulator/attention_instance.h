// The kernels of attention on tensor cores for one HEAD_DIMENSION; included once for each.
#define JOIN_AGAIN(a, b) a##b
#define JOIN(a, b) JOIN_AGAIN(a, b)
#define FORWARD JOIN(forward, HEAD_DIMENSION)
#define BACKWARD JOIN(backward, HEAD_DIMENSION)
namespace FORWARD {
#include "attention.cu"
}
namespace BACKWARD {
#include "attention_backward.cu"
}
static emulation::Registration JOIN(forwardIsHere, HEAD_DIMENSION)("attention_forward", ELEMENT, HEAD_DIMENSION, emulation::Caller<&FORWARD::attention_forward>::call);
static emulation::Registration JOIN(keysIsHere, HEAD_DIMENSION)("attention_backward_keys", ELEMENT, HEAD_DIMENSION, emulation::Caller<&BACKWARD::attention_backward_keys>::call);
static emulation::Registration JOIN(queriesIsHere, HEAD_DIMENSION)("attention_backward_queries", ELEMENT, HEAD_DIMENSION, emulation::Caller<&BACKWARD::attention_backward_queries>::call);
#undef FORWARD
#undef BACKWARD
#undef HEAD_DIMENSION
