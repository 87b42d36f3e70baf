// What the parts of the fake share.
#pragma once
#include "include/FakeCUDA.h"
#include <map>
#include <set>
#include <string>

namespace fake {
struct State {
    tb_fake_settings settings = {};
    tb_fake_counts counts = {};
    std::map<uint64_t, size_t> blocks;  // living memory
    std::set<std::string> missing;
    std::string complaint, answer;
    int lost = 0;  // what every call answers once the card is lost
};
extern State state;

// Whether `bytes` from `address` on lie in one living block.
bool isLiving(uint64_t address, size_t bytes);
void complain(const std::string &text);
}  // namespace fake
