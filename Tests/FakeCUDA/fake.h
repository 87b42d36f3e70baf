// What the parts of the fake share.
#pragma once
#include "include/FakeCUDA.h"
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace fake {
struct State {
    tb_fake_settings settings = {};
    tb_fake_counts counts = {};
    std::map<uint64_t, size_t> blocks;  // living memory
    std::map<uint64_t, size_t> pinned;  // page-locked memory of the host, which kernels reach as well
    int contexts = 0;                   // how often the context is held
    uintptr_t context = 1;              // the one that is held; the next has another number
    long captured = 0;                  // what was put into graphs so far
    int late = 0;                       // what work failed with that was not waited for yet
    std::set<std::string> missing;
    std::string complaint, answer;
    int lost = 0;  // what every call answers once the card is lost
};
extern State state;

// Work of a stream, and its name where the kinds of two graphs are compared.
struct Work { std::string name; std::function<int()> run; };
struct Stream {
    std::deque<Work> waiting;
    std::shared_ptr<std::vector<Work>> captured;  // null while nothing is captured
    bool isInvalid = false;                       // something failed in this capture
};
// Runs work, keeps it until somebody waits for it, or records it.
int submit(void *stream, std::string name, std::function<int()> work);

void drainAll();
long waitingWork();
bool isCapturing();
// What work failed with since the last wait.
int whatFailed();
void addStreams(tb_cuda_driver &driver);

// What a lost card answers to everything, and a driver to a thread that has no context; what it refuses while a stream is being captured.
#define NOT_LOST if (state.lost) return state.lost;
#define ALIVE NOT_LOST if (!hasContext()) return 201;
#define NO_CAPTURE(what) if (isCapturing()) { complain(std::string(what) + " while a stream is captured"); return 900; }

// Whether `bytes` from `address` on lie in one living block.
bool isLiving(uint64_t address, size_t bytes);
void complain(const std::string &text);
// Whether the calling thread has made the living context its own; complains where it has not.
bool hasContext();
}  // namespace fake
