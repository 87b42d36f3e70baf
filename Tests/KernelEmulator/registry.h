// Where each build of the kernels' text says what it has.
#pragma once
#include <utility>

namespace emulation {
typedef void (*Call)(void **parameters);
struct Entry { const char *name; int element, variant; Call call; };
void enter(const char *name, int element, int variant, Call call);

template <auto kernel> struct Caller;
template <class... Parameters, void (*kernel)(Parameters...)> struct Caller<kernel> {
    template <std::size_t... i> static void spread(void **parameters, std::index_sequence<i...>) { kernel(*(Parameters *)parameters[i]...); }
    static void call(void **parameters) { spread(parameters, std::index_sequence_for<Parameters...>()); }
};

struct Registration {
    Registration(const char *name, int element, int variant, Call call) { enter(name, element, variant, call); }
};
}  // namespace emulation
