// Attention over streams of sequences, forward and backward: against the plain sums in f64.
#include "check.h"
using namespace check;

namespace {
struct Case {
    const char *name;
    std::vector<int> lengths;
    int heads, keyHeads, dimension;
    bool isCausal = true;
    int window = 0;
    float softCap = 0;
    bool hasSlopes = false;
    int extraKeys = 0;  // keys that each sequence has before its queries; forward only
};

struct Result { std::vector<float> output, lse, dq, dk, dv; };

bool sees(const Case &c, int query, int key, int count) {
    return key < count && (!c.isCausal || key <= query) && (!c.window || key > query - c.window);
}

Result plain(const Case &c, const Array &queries, const Array &keyRows, const Array &valueRows, const Array *gradient, const Array &slopes, float scale) {
    std::vector<float> q = queries.values(), k = keyRows.values(), v = valueRows.values(), d = gradient ? gradient->values() : q;
    int T = 0, D = c.dimension, group = c.heads / c.keyHeads;
    for (int length : c.lengths) T += length;
    Result r;
    r.output.resize(q.size()), r.lse.resize((size_t)(c.heads * T));
    std::vector<double> dq(q.size()), dk(k.size()), dv(v.size());
    int start = 0, keyStart = 0;
    for (int length : c.lengths) {
        int keys = length + c.extraKeys;
        for (int h = 0; h < c.heads; h++) {
            int kh = h / group;
            for (int i = 0; i < length; i++) {
                long row = ((long)(start + i) * c.heads + h) * D;
                std::vector<double> s((size_t)keys), slope((size_t)keys, 1);
                double best = -INFINITY, sum = 0, delta = 0;
                int place = i + c.extraKeys;
                for (int j = 0; j < keys; j++) {
                    long at = ((long)(keyStart + j) * c.keyHeads + kh) * D;
                    double x = 0;
                    for (int e = 0; e < D; e++) x += (double)q[(size_t)(row + e)] * k[(size_t)(at + e)];
                    x = x * scale + (c.hasSlopes ? slopes.get(h) * (float)(j - place) : 0);
                    if (c.softCap != 0) {
                        double t = std::tanh(x / c.softCap);
                        x = c.softCap * t, slope[(size_t)j] = 1 - t * t;
                    }
                    s[(size_t)j] = sees(c, place, j, keys) ? x : -INFINITY;
                    best = std::max(best, s[(size_t)j]);
                }
                for (auto &x : s) sum += x = std::exp(x - best);
                for (int e = 0; e < D; e++) {
                    double o = 0;
                    for (int j = 0; j < keys; j++) o += s[(size_t)j] / sum * v[(size_t)(((long)(keyStart + j) * c.keyHeads + kh) * D + e)];
                    r.output[(size_t)(row + e)] = (float)o;
                    if (gradient) delta += o * d[(size_t)(row + e)];
                }
                r.lse[(size_t)(h * T + start + i)] = (float)(best + std::log(sum));
                if (!gradient) continue;
                for (int j = 0; j < keys; j++) {
                    if (s[(size_t)j] == 0) continue;
                    long at = ((long)(keyStart + j) * c.keyHeads + kh) * D;
                    double p = s[(size_t)j] / sum, dp = 0;
                    for (int e = 0; e < D; e++) dp += (double)d[(size_t)(row + e)] * v[(size_t)(at + e)], dv[(size_t)(at + e)] += p * d[(size_t)(row + e)];
                    double ds = p * (dp - delta) * slope[(size_t)j] * scale;
                    for (int e = 0; e < D; e++) dq[(size_t)(row + e)] += ds * k[(size_t)(at + e)], dk[(size_t)(at + e)] += ds * q[(size_t)(row + e)];
                }
            }
        }
        start += length, keyStart += keys;
    }
    r.dq.assign(dq.begin(), dq.end()), r.dk.assign(dk.begin(), dk.end()), r.dv.assign(dv.begin(), dv.end());
    return r;
}

void run(const Case &c, int type, bool isPlain) {
    int T = 0, K = 0, D = c.dimension, S = (int)c.lengths.size();
    std::vector<int32_t> cumulative{0}, keyCumulative{0};
    for (int length : c.lengths) cumulative.push_back(T += length), keyCumulative.push_back(K += length + c.extraKeys);
    Array q = random(type, (long)T * c.heads * D, 1.5f, 1), k = random(type, (long)K * c.keyHeads * D, 1.5f, 2), v = random(type, (long)K * c.keyHeads * D, 1, 3);
    Array d = random(type, q.count, 1, 4), slopes = random(f32, c.heads, 0.2f, 5), starts(cumulative), keyStarts(keyCumulative);
    float scale = 1 / std::sqrt((float)D);
    static std::vector<std::pair<std::string, Result>> known;  // the orders of threads share a reference
    std::string key = std::string(c.name) + " " + nameOf(type) + (isPlain ? " plain " : " tensor cores ") + std::to_string(D);
    const Result *wanted = nullptr;
    for (auto &entry : known) if (entry.first == key) wanted = &entry.second;
    if (!wanted) known.push_back({key, plain(c, q, k, v, c.extraKeys ? nullptr : &d, slopes, scale)}), wanted = &known.back().second;

    Array output = zeros(type, q.count), lse = zeros(f32, (long)c.heads * T), delta = zeros(f32, (long)c.heads * T);
    Array dq = zeros(type, q.count), dk = zeros(type, k.count), dv = zeros(type, v.count);
    tb_cuda_attention a = {};
    a.query = q.data(), a.key = k.data(), a.value = v.data(), a.result = output.data(), a.log_sum_exp = lse.floats();
    a.gradient = d.data(), a.delta = delta.floats(), a.query_gradient = dq.data(), a.key_gradient = dk.data(), a.value_gradient = dv.data();
    a.cumulative = starts.integers(), a.key_cumulative = c.extraKeys ? keyStarts.integers() : nullptr, a.slopes = c.hasSlopes ? slopes.floats() : nullptr;
    a.query_stride = a.result_stride = a.gradient_stride = a.query_gradient_stride = c.heads * D;
    a.key_stride = a.value_stride = a.key_gradient_stride = a.value_gradient_stride = c.keyHeads * D;
    a.sequences = S, a.tokens = T, a.heads = c.heads, a.key_value_heads = c.keyHeads, a.dimension = D, a.window = c.window, a.is_causal = c.isCausal;
    a.scale = scale, a.soft_cap = c.softCap;

    int width = D, queries = D <= 128 ? 128 : 64, tile = D <= 128 ? 64 : 32;
    std::string label = key + ": ";
    float tolerance = type == f32 ? 3e-5f : 0.02f;
    if (isPlain) launch("plain_attention_forward", type, 0, Grid{(unsigned)(T / 16 + S), (unsigned)c.heads}, 128, (unsigned)((64 * (D + 1) + 16 * D) * 4), a);
    else launch("attention_forward", type, D, Grid{(unsigned)(T / queries + S), (unsigned)c.heads}, 128, (unsigned)((queries + 4 * tile) * width * 2), a);
    expectClose((label + "result").c_str(), output, wanted->output, tolerance);
    expectClose((label + "log-sum-exp").c_str(), lse, wanted->lse, type == f32 ? 1e-5f : 2e-3f);
    if (c.extraKeys || !failure.empty()) return;
    launch("attention_delta", type, 0, Grid{pieces(T, 4), (unsigned)c.heads}, 128, 0, a);
    if (isPlain) {
        unsigned shared = (unsigned)((64 * (D + 1) + 32 * D) * 4);
        launch("plain_attention_backward_keys", type, 0, Grid{(unsigned)(T / 16 + S), (unsigned)c.keyHeads}, 128, shared, a);
        launch("plain_attention_backward_queries", type, 0, Grid{(unsigned)(T / 16 + S), (unsigned)c.heads}, 128, shared, a);
    } else {
        unsigned shared = (unsigned)(6 * tile * width * 2);
        launch("attention_backward_keys", type, D, Grid{(unsigned)(T / tile + S), (unsigned)c.keyHeads, D > 128 ? 2u : 1u}, (unsigned)(2 * tile), shared + (unsigned)(16 * tile), a);
        launch("attention_backward_queries", type, D, Grid{(unsigned)(T / tile + S), (unsigned)c.heads}, (unsigned)(2 * tile), shared, a);
    }
    expectClose((label + "value's gradient").c_str(), dv, wanted->dv, tolerance);
    expectClose((label + "key's gradient").c_str(), dk, wanted->dk, tolerance);
    expectClose((label + "query's gradient").c_str(), dq, wanted->dq, tolerance);
}

std::vector<Case> cases(int dimension) {
    return {
        {"causal", {1, 70, 150, 33}, 4, 2, dimension},
        {"window", {140, 5, 200}, 2, 1, dimension, true, 40},
        {"soft cap", {70, 20}, 2, 2, dimension, true, 0, 3.0f},
        {"slopes and cap", {90}, 4, 1, dimension, true, 64, 5.0f, true},
        {"both ways", {130, 64}, 2, 2, dimension, false},
        {"keys before the queries", {3, 65}, 2, 1, dimension, true, 0, 0, false, 100},
        {"long enough for all warps of several tiles", {250}, 1, 1, dimension},
        {"window over keys before", {40}, 2, 1, dimension, true, 50, 0, false, 77},
    };
}
}  // namespace

CHECK(attention64, "attention on tensor cores, 64 columns a head") {
    for (auto &c : cases(64)) run(c, bf16, false);
    run(cases(64)[0], f16, false);
}
CHECK(attention16, "attention on tensor cores, 16 and 32 columns a head") {
    run(cases(16)[3], bf16, false);
    run(cases(32)[0], bf16, false);
}
CHECK(attention80, "attention on tensor cores, 80 columns a head") {
    run(cases(80)[0], bf16, false);
    run(cases(80)[3], f16, false);
}
CHECK(attention128, "attention on tensor cores, 128 columns a head") {
    run(cases(128)[0], bf16, false);
    run(cases(128)[3], bf16, false);
    run(cases(128)[6], bf16, false);
    run(cases(128)[7], bf16, false);
}
CHECK(attention256, "attention on tensor cores, 256 columns a head") {
    run(cases(256)[0], bf16, false);
    run(cases(256)[1], bf16, false);
}
CHECK(plainAttention, "attention without tensor cores") {
    for (auto &c : cases(20)) run(c, f32, true);
    run(cases(72)[0], bf16, true);
    run(cases(33)[3], f16, true);
    run({"wide", {40}, 1, 1, 256}, f32, true);
}
