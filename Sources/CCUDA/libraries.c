#define _GNU_SOURCE
#include "CCUDA.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void copy_text(char *to, size_t capacity, const char *from) {
    if (!to || capacity == 0) return;
    snprintf(to, capacity, "%s", from ? from : "");
}

void *tb_library_open(const char *path, char *reason, size_t capacity) {
    copy_text(reason, capacity, "");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) copy_text(reason, capacity, dlerror());
    return library;
}

void tb_library_close(void *library) {
    if (library) dlclose(library);
}

int tb_library_path(void *library, const char *symbol, char *path, size_t capacity) {
    Dl_info information;
    void *address = library ? dlsym(library, symbol) : NULL;
    if (!address || !dladdr(address, &information) || !information.dli_fname) return 0;
    copy_text(path, capacity, information.dli_fname);
    return 1;
}

// A function pointer and a data pointer have one size on every system with dlsym; ISO C has no cast between them.
#define TB_FIND(result, name, parameters)                       \
    {                                                           \
        void *address = dlsym(library, #name);                  \
        if (!address && !missing) missing = #name;              \
        memcpy(&table->name, &address, sizeof address);         \
    }

const char *tb_cuda_driver_load(void *library, tb_cuda_driver *table) {
    const char *missing = NULL;
    TB_CUDA_DRIVER_FUNCTIONS(TB_FIND)
    return missing;
}

const char *tb_nvrtc_load(void *library, tb_nvrtc *table) {
    const char *missing = NULL;
    TB_NVRTC_FUNCTIONS(TB_FIND)
    return missing;
}

const char *tb_cublaslt_load(void *library, tb_cublaslt *table) {
    const char *missing = NULL;
    TB_CUBLASLT_FUNCTIONS(TB_FIND)
    return missing;
}

const char *tb_nvml_load(void *library, tb_nvml *table) {
    const char *missing = NULL;
    TB_NVML_FUNCTIONS(TB_FIND)
    return missing;
}
