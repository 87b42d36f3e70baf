// Fibers for the threads of one block at a time, blocks one after the other.
#include "emulation.h"
#include "include/KernelEmulator.h"
#include "registry.h"
#include <algorithm>
#include <mutex>
#include <random>
#include <string>
#include <sys/mman.h>
#include <vector>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

extern "C" unsigned char __start_emulated_shared[], __stop_emulated_shared[];

namespace emulation {
Extent threadPlace, blockPlace, blockExtent, gridExtent;
unsigned char *dynamicShared;

// MARK: Switching between fibers

#if defined(__x86_64__)
struct Context { void *stackPointer; };
extern "C" void emulated_switch(void **save, void *next);
asm(R"(
.text
.globl emulated_switch
.type emulated_switch, @function
emulated_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulated_switch, .-emulated_switch
)");
static void switchTo(Context &from, Context &to) { emulated_switch(&from.stackPointer, to.stackPointer); }
static void prepare(Context &context, unsigned char *stack, size_t bytes, void (*start)()) {
    void **top = (void **)(((uintptr_t)stack + bytes) & ~(uintptr_t)15);
    *--top = nullptr;  // the address that `start` would return to
    *--top = (void *)start;
    for (int i = 0; i < 6; i++) *--top = nullptr;
    context.stackPointer = top;
}
#else
struct Context { ucontext_t state; };
static void switchTo(Context &from, Context &to) { swapcontext(&from.state, &to.state); }
static void prepare(Context &context, unsigned char *stack, size_t bytes, void (*start)()) {
    getcontext(&context.state);
    context.state.uc_stack.ss_sp = stack;
    context.state.uc_stack.ss_size = bytes;
    context.state.uc_link = nullptr;
    makecontext(&context.state, start, 0);
}
#endif

// MARK: Threads

struct Copy { void *to; const void *from; bool isThere; };
struct Thread {
    Context context;
    bool isDone;
    unsigned exchanges, barriers;
    std::vector<std::vector<Copy>> groups;  // closed
    std::vector<Copy> open;
};
struct Warp {
    Given given[2][32];
    unsigned arrived[2];
    unsigned live;
};

static constexpr size_t stackBytes = 256 << 10;
static std::vector<Thread> threads;
static std::vector<unsigned char *> stacks;
static std::vector<Warp> warps;
static Context scheduler;
static unsigned current, liveThreads, barrierArrived, barrierRound;
static int barrierVotes, barrierResult;
static Call kernelCall;
static void **kernelParameters;
static bool moved;         // whether anything happened in this round of the scheduler
static bool copiesAtOnce;  // or as late as their wait allows

static void giveWay() {
    switchTo(threads[current].context, scheduler);
}
unsigned lane() { return current % 32; }

static void releaseBarrier() {
    if (barrierArrived == 0 || barrierArrived < liveThreads) return;
    barrierArrived = 0;
    barrierResult = barrierVotes;
    barrierVotes = 0;
    barrierRound++;
    moved = true;
}
int barrierOr(int mine) {
    unsigned round = barrierRound;
    barrierArrived++;
    barrierVotes |= mine != 0;
    moved = true;
    releaseBarrier();
    while (barrierRound == round) giveWay();
    return barrierResult;
}
void barrier() { barrierOr(0); }

const Given *exchange(const Given &mine) {
    Thread &thread = threads[current];
    Warp &warp = warps[current / 32];
    unsigned number = thread.exchanges++, side = number % 2;
    // The first to come clears the places: everybody has read what stood there, or they would not all have come to the last one.
    if (warp.arrived[side] >= warp.live) warp.arrived[side] = 0;
    warp.given[side][current % 32] = mine;
    warp.arrived[side]++;
    moved = true;
    while (warp.arrived[side] < warp.live) giveWay();
    return warp.given[side];
}

static void perform(const Copy &copy) {
    if (copy.isThere) memcpy(copy.to, copy.from, 16);
    else memset(copy.to, 0, 16);
}
void queueCopy(void *to, const void *from, bool isThere) {
    if (copiesAtOnce) return perform({to, from, isThere});
    threads[current].open.push_back({to, from, isThere});
}
void closeCopies() {
    Thread &thread = threads[current];
    thread.groups.push_back(std::move(thread.open));
    thread.open.clear();
}
void finishCopies(int pending) {
    auto &groups = threads[current].groups;
    while ((int)groups.size() > pending) {
        for (const Copy &copy : groups.front()) perform(copy);
        groups.erase(groups.begin());
    }
}

static void runThread() {
    kernelCall(kernelParameters);
    Thread &thread = threads[current];
    finishCopies(0);
    thread.isDone = true;
    moved = true;
    liveThreads--;
    warps[current / 32].live--;
    releaseBarrier();
    giveWay();
}

// MARK: Launching

static std::vector<Entry> &entries() {
    static std::vector<Entry> all;
    return all;
}
void enter(const char *name, int element, int variant, Call call) { entries().push_back({name, element, variant, call}); }

static const Entry *find(const char *name, int element, int variant) {
    for (const Entry &entry : entries())
        if (entry.element == element && entry.variant == variant && !strcmp(entry.name, name)) return &entry;
    return nullptr;
}

// False when all threads wait.
static bool runBlock(unsigned count, const std::vector<unsigned> &turns, bool isHasty) {
    threads.resize(count);
    while (stacks.size() < count)
        stacks.push_back((unsigned char *)mmap(nullptr, stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    warps.assign((count + 31) / 32, Warp());
    liveThreads = count;
    barrierArrived = 0;
    barrierVotes = 0;
    for (unsigned i = 0; i < count; i++) {
        Thread &thread = threads[i];
        thread.isDone = false;
        thread.exchanges = 0;
        thread.groups.clear();
        thread.open.clear();
        warps[i / 32].live++;
        prepare(thread.context, stacks[i], stackBytes, runThread);
    }
    while (liveThreads > 0) {
        bool anyMoved = false;
        for (unsigned start = 0; start < count; start += 32) {
            // A hasty warp runs until it must wait for others; otherwise all go step by step.
            do {
                moved = false;
                for (unsigned i = start; i < std::min(start + 32, count); i++) {
                    if (threads[turns[i]].isDone) continue;
                    current = turns[i];
                    threadPlace = {turns[i], 0, 0};
                    switchTo(scheduler, threads[turns[i]].context);
                }
                anyMoved |= moved;
            } while (moved && isHasty);
        }
        if (!anyMoved) return false;
    }
    return true;
}

// Numbers below `count` in the order's sequence; those of one group (a warp) stay together.
static std::vector<unsigned> sequence(unsigned count, unsigned group, int order) {
    unsigned groups = (count + group - 1) / group;
    std::vector<unsigned> chosen(groups), all;
    for (unsigned i = 0; i < groups; i++) chosen[i] = order == EMULATED_BACKWARD ? groups - 1 - i : i;
    std::mt19937 random(count);
    if (order == EMULATED_SHUFFLED) std::shuffle(chosen.begin(), chosen.end(), random);
    for (unsigned number : chosen) {
        unsigned first = number * group, end = std::min(first + group, count);
        std::vector<unsigned> members;
        for (unsigned i = first; i < end; i++) members.push_back(order == EMULATED_BACKWARD ? first + end - 1 - i : i);
        if (order == EMULATED_SHUFFLED) std::shuffle(members.begin(), members.end(), random);
        all.insert(all.end(), members.begin(), members.end());
    }
    return all;
}
}  // namespace emulation

using namespace emulation;

extern "C" int emulated_has(const char *kernel, int element, int variant) { return find(kernel, element, variant) != nullptr; }

extern "C" int emulated_launch(const char *kernel, int element, int variant, const unsigned grid[3], unsigned count, unsigned shared_bytes,
                               void **parameters, int order) {
    static std::mutex one;
    std::lock_guard<std::mutex> guard(one);
    const Entry *entry = find(kernel, element, variant);
    if (!entry) return 1;
    kernelCall = entry->call;
    kernelParameters = parameters;
    gridExtent = {grid[0], grid[1], grid[2]};
    blockExtent = {count, 1, 1};
    std::vector<unsigned> turns = sequence(count, 32, order), blocks = sequence(grid[0] * grid[1] * grid[2], 1, order);
    // Exactly what was asked for, so that an address sanitiser sees what lies beyond.
    unsigned char *memory = (unsigned char *)aligned_alloc(128, (shared_bytes + 127) / 128 * 128 + 128);
    dynamicShared = memory + ((shared_bytes + 127) / 128 * 128 + 128 - shared_bytes) / 128 * 128;
    copiesAtOnce = order == EMULATED_BACKWARD;
    int result = 0;
    for (unsigned block : blocks) {
        memset(__start_emulated_shared, 0xFF, __stop_emulated_shared - __start_emulated_shared);
        memset(dynamicShared, 0xFF, shared_bytes);
        blockPlace = {block % grid[0], block / grid[0] % grid[1], block / grid[0] / grid[1]};
        if (!runBlock(count, turns, order != EMULATED_FORWARD)) {
            result = 2;
            break;
        }
    }
    free(memory);
    return result;
}
