#define _GNU_SOURCE
#include "CCUDA.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static _Thread_local uint64_t context_owner;

uint64_t tb_context_owner(void) { return context_owner; }
void tb_set_context_owner(uint64_t owner) { context_owner = owner; }

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

#define TB_FIND_IF_THERE(result, name, parameters)              \
    {                                                           \
        void *address = dlsym(library, #name);                  \
        memcpy(&table->name, &address, sizeof address);         \
    }

// Fills a table; returns the first name that the library lacks.
#define TB_LOADER(loader, type, FUNCTIONS)                      \
    const char *loader(void *library, type *table) {            \
        const char *missing = NULL;                             \
        FUNCTIONS(TB_FIND)                                      \
        return missing;                                         \
    }

const char *tb_cuda_driver_load(void *library, tb_cuda_driver *table) {
    const char *missing = NULL;
    TB_CUDA_DRIVER_FUNCTIONS(TB_FIND)
    TB_CUDA_GRAPH_FUNCTIONS(TB_FIND_IF_THERE)
    return missing;
}
TB_LOADER(tb_nvrtc_load, tb_nvrtc, TB_NVRTC_FUNCTIONS)
TB_LOADER(tb_cublaslt_load, tb_cublaslt, TB_CUBLASLT_FUNCTIONS)
TB_LOADER(tb_nvml_load, tb_nvml, TB_NVML_FUNCTIONS)
