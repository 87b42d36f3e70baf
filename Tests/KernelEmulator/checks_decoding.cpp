// What decoding needs: quantised weights, products of a few rows, caches, attention of one token, sampling.
#include "check.h"
#include <algorithm>
#include <map>
using namespace check;

namespace {
const int blockKinds[] = {TB_Q4_0, TB_Q4_1, TB_Q5_0, TB_Q5_1, TB_Q8_0, TB_Q2_K, TB_Q3_K, TB_Q4_K, TB_Q5_K, TB_Q6_K};

// A quantised weight for both sides.
struct Weight {
    Array codes{u8, 0}, table{f32, 16}, scales{f32, 1}, scaleCodes{u8, 1}, scaleTable{f32, 256}, zeros{bf16, 1}, groupOf{i32, 1};
    tb_quantized cpu = {};
    std::string name;

    tb_cuda_quantized card() {
        tb_cuda_quantized w = {};
        w.kind = cpu.kind, w.bits = cpu.bits, w.rows = cpu.rows, w.columns = cpu.columns, w.codes = cpu.codes, w.row_bytes = cpu.row_bytes;
        w.table = cpu.table, w.scales = cpu.scales, w.scale_codes = cpu.scale_codes, w.scale_table = cpu.scale_table, w.scale_offset = cpu.scale_offset;
        w.scale_block = cpu.scale_block, w.block = cpu.block, w.groups = cpu.groups, w.zeros = cpu.zeros, w.group_of = cpu.group_of;
        return w;
    }
    std::vector<float> values() {
        std::vector<float> all((size_t)(cpu.rows * cpu.columns));
        for (long r = 0; r < cpu.rows; r++) tb_dequantize(&cpu, r, 0, cpu.columns, &all[(size_t)(r * cpu.columns)]);
        return all;
    }
};
Array randomBytes(long count, unsigned seed) {
    std::mt19937 generator(seed);
    Array a(u8, count);
    for (auto &byte : a.bytes) byte = (unsigned char)(generator() >> 8);
    return a;
}
void blocks(Weight &w, int kind, long rows, long columns) {
    long elements = 0, bytes = 0;
    tb_block_layout(kind, &elements, &bytes);
    w.name = "blocks of kind " + std::to_string(kind);
    w.cpu.kind = kind, w.cpu.rows = rows, w.cpu.columns = columns, w.cpu.row_bytes = columns / elements * bytes;
    w.codes = randomBytes(rows * w.cpu.row_bytes, (unsigned)kind);
    // Halves of a size that cannot overflow: clear the high bit of their exponent everywhere they may stand.
    std::vector<long> halves = kind == TB_Q4_0 || kind == TB_Q5_0 || kind == TB_Q8_0 ? std::vector<long>{0} : kind == TB_Q4_1 || kind == TB_Q5_1 || kind == TB_Q4_K || kind == TB_Q5_K ? std::vector<long>{0, 2}
        : kind == TB_Q2_K ? std::vector<long>{80, 82} : kind == TB_Q3_K ? std::vector<long>{108} : std::vector<long>{208};
    for (long b = 0; b < rows * columns / elements; b++) for (long at : halves) w.codes.bytes[(size_t)(b * bytes + at + 1)] = (unsigned char)((w.codes.bytes[(size_t)(b * bytes + at + 1)] & 0x83) | 0x28);
    w.cpu.codes = w.codes.bytes.data();
}
void table4(Weight &w, long rows, long columns, long block, bool isDouble) {
    w.name = isDouble ? "a table with nested scales" : "a table";
    long count = rows * columns, numbers = (count + block - 1) / block;
    w.cpu.kind = TB_TABLE4, w.cpu.rows = rows, w.cpu.columns = columns, w.cpu.block = block;
    w.codes = randomBytes((count + 1) / 2, 3), w.table = random(f32, 16, 1, 4), w.scales = random(f32, isDouble ? (numbers + 15) / 16 : numbers, 1, 5);
    if (isDouble) {
        w.scaleCodes = randomBytes(numbers, 6), w.scaleTable = random(f32, 256, 1, 7);
        w.cpu.scale_codes = w.scaleCodes.bytes.data(), w.cpu.scale_table = w.scaleTable.floats(), w.cpu.scale_block = 16, w.cpu.scale_offset = 0.3f;
    }
    w.cpu.codes = w.codes.bytes.data(), w.cpu.table = w.table.floats(), w.cpu.scales = w.scales.floats();
}
void row8(Weight &w, long rows, long columns) {
    w.name = "bytes";
    w.cpu.kind = TB_ROW8, w.cpu.rows = rows, w.cpu.columns = w.cpu.row_bytes = columns;
    w.codes = randomBytes(rows * columns, 8), w.scales = random(f32, rows, 1, 9);
    w.cpu.codes = w.codes.bytes.data(), w.cpu.scales = w.scales.floats();
}
void grouped(Weight &w, long rows, long columns, int bits, long size, bool isScattered) {
    w.name = "groups of " + std::to_string(bits) + " bits" + (isScattered ? ", scattered" : "");
    long groups = (columns + size - 1) / size;
    w.cpu.kind = TB_GROUPED, w.cpu.rows = rows, w.cpu.columns = columns, w.cpu.row_bytes = (columns * bits + 7) / 8, w.cpu.bits = bits, w.cpu.block = size, w.cpu.groups = groups;
    w.codes = randomBytes(rows * w.cpu.row_bytes, 10), w.scales = random(f32, rows * groups, 1, 11), w.zeros = Array(bf16, rows * groups), w.groupOf = Array(randomIntegers(columns, (int)groups, 12));
    for (long i = 0; i < rows * groups; i++) w.zeros.halves()[i] = (uint16_t)(i % (1 << bits));
    w.cpu.codes = w.codes.bytes.data(), w.cpu.scales = w.scales.floats(), w.cpu.zeros = w.zeros.halves();
    if (isScattered) w.cpu.group_of = w.groupOf.integers();
}

void forEachWeight(const std::function<void(Weight &)> &body) {
    for (int kind : blockKinds) { Weight w; blocks(w, kind, 9, 512); body(w); }
    for (bool isDouble : {false, true}) { Weight w; table4(w, 9, 192, 64, isDouble); body(w); }
    { Weight w; table4(w, 7, 45, 64, true); body(w); }   // blocks cross rows, odd columns
    { Weight w; row8(w, 9, 200); body(w); }
    { Weight w; row8(w, 5, 37); body(w); }
    for (int bits : {2, 4, 8}) for (bool isScattered : {false, true}) { Weight w; grouped(w, 9, 256, bits, 32, isScattered); body(w); }
    { Weight w; grouped(w, 5, 50, 4, 20, false); body(w); }
}
}  // namespace

CHECK(dequantization, "quantised weights and embeddings as numbers") {
    forEachWeight([](Weight &w) {
        for (int type : {(int)f32, (int)bf16}) {
            std::vector<float> all = w.values();
            long rows = w.cpu.rows, columns = w.cpu.columns;
            Array to = zeros(type, rows * columns), some = zeros(type, 2 * columns);
            launch("dequantize", type, 0, Grid{2}, 256, 0, w.card(), 0LL, (long long)rows, to.data());
            expectClose(w.name.c_str(), to, all, 1e-6f);
            launch("dequantize", type, 0, Grid{1}, 256, 0, w.card(), 3LL, 2LL, some.data());
            expectClose("two rows", some, std::vector<float>(all.begin() + 3 * columns, all.begin() + 5 * columns), 1e-6f);
            Array tokens(std::vector<int32_t>{4, 0});
            launch("quantized_embedding", type, 0, Grid{2}, 128, 0, w.card(), tokens.data(), 2.0f, some.data(), 2LL);
            std::vector<float> lines(all.begin() + 4 * columns, all.begin() + 5 * columns);
            lines.insert(lines.end(), all.begin(), all.begin() + columns);
            for (auto &x : lines) x *= 2;
            expectClose("embedding", some, lines, 1e-6f);
        }
    });
}

static std::vector<float> product(const Array &x, long count, long stride, const std::vector<float> &w, long rows, long columns, const Array *bias, const Array *low, long lowStride, const Array *up, int rank) {
    std::vector<float> y;
    for (long m = 0; m < count; m++) for (long r = 0; r < rows; r++) {
        double sum = bias ? bias->get(r) : 0;
        for (long c = 0; c < columns; c++) sum += (double)x.get(m * stride + c) * w[(size_t)(r * columns + c)];
        if (low) for (int k = 0; k < rank; k++) sum += (double)low->get(m * lowStride + k) * up->get(r * rank + k);
        y.push_back((float)sum);
    }
    return y;
}

CHECK(products, "products of a few rows with dense weights") {
    for (int type : {(int)f32, (int)bf16}) for (int weightType : {(int)f32, (int)bf16, (int)f16}) for (long inputs : {64L, 1280L, 1500L, 77L}) {
        long outputs = 19;
        int rank = 40;
        Array x = random(type, 4 * inputs, 1, 1), w = random(weightType, outputs * inputs, 1, 2), bias = random(f32, outputs, 1, 3), low = random(f32, 4 * 48, 1, 4), up = random(f32, outputs * rank, 1, 5);
        std::vector<float> values = w.values();
        Array one = zeros(type, outputs), three = zeros(type, 3 * outputs);
        launch("gemv", type, 1, Grid{pieces(outputs, 8)}, 256, 0, x.data(), (long long)inputs, 1, w.data(), weightType, (long long)outputs, (long long)inputs, (void *)nullptr, 0, (void *)nullptr, 0LL, (void *)nullptr, 0, one.data(), (long long)outputs);
        expectClose("one row", one, product(x, 1, inputs, values, outputs, inputs, nullptr, nullptr, 0, nullptr, 0), 3e-5f);
        launch("gemv", type, 4, Grid{pieces(outputs, 8)}, 256, 0, x.data(), (long long)inputs, 3, w.data(), weightType, (long long)outputs, (long long)inputs, bias.data(), (int)f32, low.data(), 48LL, up.data(), rank, three.data(), (long long)outputs);
        expectClose("three rows", three, product(x, 3, inputs, values, outputs, inputs, &bias, &low, 48, &up, rank), 3e-5f);
    }
}

CHECK(quantizedProducts, "products of a few rows with quantised weights") {
    forEachWeight([](Weight &w) {
        for (int type : {(int)f32, (int)bf16}) {
            long rows = w.cpu.rows, columns = w.cpu.columns;
            int rank = 8;
            std::vector<float> values = w.values();
            Array x = random(type, 3 * columns, 1, 1), bias = random(bf16, rows, 1, 3), low = random(f32, 3 * rank, 1, 4), up = random(f32, rows * rank, 1, 5), one = zeros(type, rows), three = zeros(type, 3 * rows);
            launch("quantized_gemv", type, 1, Grid{pieces(rows, 8)}, 256, 0, x.data(), (long long)columns, 1, w.card(), (void *)nullptr, 0, (void *)nullptr, 0LL, (void *)nullptr, 0, one.data(), (long long)rows);
            expectClose(w.name.c_str(), one, product(x, 1, columns, values, rows, columns, nullptr, nullptr, 0, nullptr, 0), 3e-5f);
            launch("quantized_gemv", type, 4, Grid{pieces(rows, 8)}, 256, 0, x.data(), (long long)columns, 3, w.card(), bias.data(), (int)bf16, low.data(), (long long)rank, up.data(), rank, three.data(), (long long)rows);
            expectClose(w.name.c_str(), three, product(x, 3, columns, values, rows, columns, &bias, &low, rank, &up, rank), 3e-5f);
        }
    });
}

// Appends to caches of pages, gathers them, and lets one token attend to them.
static void decode(int type, int cacheType, int heads, int keyHeads, int D, int window, float softCap, bool hasSlopes, int splits) {
    const int pageTokens = 16, mostPages = 12;
    std::vector<int> lengths = {0, 37, 150};
    int S = (int)lengths.size();
    long pageSize = (long)keyHeads * pageTokens * D;
    Array keys = random(cacheType, S * mostPages * pageSize, 1.5f, 1), values = random(cacheType, S * mostPages * pageSize, 1, 2), before(i32, S);
    Array keyPages(i64, S * mostPages), valuePages(i64, S * mostPages);
    for (int i = 0; i < S * mostPages; i++) {
        int page = (i * 7) % (S * mostPages);  // pages in any order
        keyPages.longs()[i] = (int64_t)(uintptr_t)((char *)keys.data() + page * pageSize * sizeOf(cacheType) - 160);
        valuePages.longs()[i] = (int64_t)(uintptr_t)((char *)values.data() + page * pageSize * sizeOf(cacheType) - 32);
    }
    for (int s = 0; s < S; s++) before.integers()[s] = lengths[(size_t)s];
    tb_cuda_cache cache = {};
    cache.key_pages = (const long long *)keyPages.longs(), cache.value_pages = (const long long *)valuePages.longs(), cache.lengths = before.integers();
    // A layer's part of a page begins behind those of other layers.
    cache.key_offset = 160, cache.value_offset = 32;
    cache.head_stride = pageTokens * D, cache.token_stride = D, cache.most_pages = mostPages, cache.page_tokens = pageTokens, cache.type = cacheType, cache.sequences = S;
    auto place = [&](int s, int token, int head) { return (long)((s * mostPages + token / pageTokens) * 7 % (S * mostPages)) * pageSize + head * pageTokens * D + token % pageTokens * D; };

    // Two tokens for the first sequence, one for the others.
    Array newKeys = random(type, 4 * keyHeads * D, 1.5f, 3), newValues = random(type, 4 * keyHeads * D, 1, 4), starts(std::vector<int32_t>{0, 2, 3, 4});
    launch("cache_append", type, 0, Grid{4, (unsigned)keyHeads}, 128, 0, newKeys.data(), newValues.data(), (long long)(keyHeads * D), (long long)(keyHeads * D), starts.data(), cache, D);
    for (int row = 0; row < 4; row++) for (int h = 0; h < keyHeads; h++) for (int e = 0; e < D; e++) {
        int s = row < 2 ? 0 : row - 1, token = lengths[(size_t)s] + row - starts.integers()[s];
        Array rounded(cacheType, {newKeys.get((row * keyHeads + h) * D + e), newValues.get((row * keyHeads + h) * D + e)});
        if (keys.get(place(s, token, h) + e) != rounded.get(0) || values.get(place(s, token, h) + e) != rounded.get(1)) return fail("row %d of head %d was not appended", row, h);
    }
    lengths[0] = 1;
    before.integers()[0] = 1;

    std::vector<int32_t> all{0};
    for (int s = 0; s < S; s++) all.push_back(all.back() + lengths[(size_t)s] + 1);
    Array keyStarts(all), gatheredKeys = zeros(type, all.back() * keyHeads * D), gatheredValues = gatheredKeys;
    launch("cache_gather", type, 0, Grid{(unsigned)all.back(), (unsigned)keyHeads}, 128, 0, cache, keyStarts.data(), gatheredKeys.data(), gatheredValues.data(), (long long)(keyHeads * D), (long long)(keyHeads * D), D);
    std::vector<float> wantedKeys;
    for (int s = 0; s < S; s++) for (int t = 0; t <= lengths[(size_t)s]; t++) for (int h = 0; h < keyHeads; h++) for (int e = 0; e < D; e++) wantedKeys.push_back(keys.get(place(s, t, h) + e));
    expectClose("gathered keys", gatheredKeys, wantedKeys, 1e-6f);
    record(gatheredValues);

    Array query = random(type, S * heads * D, 1.5f, 5), slopes = random(f32, heads, 0.2f, 6), workspace = zeros(f32, (long)S * heads * splits * (D + 2)), result = zeros(type, S * heads * D);
    float scale = 1 / std::sqrt((float)D);
    launch("attention_decode", type, 0, Grid{(unsigned)splits, (unsigned)keyHeads * pieces(heads / keyHeads, 16), (unsigned)S}, 128, (unsigned)((16 * D + 16 * 64 + 64) * 4), query.data(), (long long)(heads * D), cache, hasSlopes ? slopes.data() : nullptr, heads, keyHeads, D, window, scale, softCap, workspace.data());
    launch("attention_decode_combine", type, 0, Grid{(unsigned)heads, (unsigned)S}, 128, 0, workspace.data(), splits, heads, D, result.data(), (long long)(heads * D));
    std::vector<float> w;
    for (int s = 0; s < S; s++) for (int h = 0; h < heads; h++) {
        int total = lengths[(size_t)s] + 1, kh = h / (heads / keyHeads);
        std::vector<double> p((size_t)total);
        double best = -INFINITY, sum = 0;
        for (int t = 0; t < total; t++) {
            double x = 0;
            for (int e = 0; e < D; e++) x += (double)query.get((s * heads + h) * D + e) * keys.get(place(s, t, kh) + e);
            x = x * scale + (hasSlopes ? slopes.get(h) * (float)(t - total + 1) : 0);
            if (softCap != 0) x = softCap * std::tanh(x / softCap);
            if (window && t <= total - 1 - window) x = -INFINITY;
            p[(size_t)t] = x, best = std::max(best, x);
        }
        for (auto &x : p) sum += x = std::exp(x - best);
        for (int e = 0; e < D; e++) {
            double o = 0;
            for (int t = 0; t < total; t++) o += p[(size_t)t] / sum * values.get(place(s, t, kh) + e);
            w.push_back((float)o);
        }
    }
    expectClose("attention of one token", result, w, 2e-5f);
}

CHECK(caches, "caches of pages and attention of one token to them") {
    decode(f32, f32, 4, 2, 64, 0, 0, false, 1);
    decode(bf16, bf16, 8, 2, 128, 0, 0, false, 4);
    decode(bf16, bf16, 6, 6, 80, 50, 0, false, 3);
    decode(f32, bf16, 10, 1, 96, 0, 5, true, 2);
    decode(f16, f16, 2, 1, 256, 40, 0, false, 5);
    // More query heads than a block serves.
    decode(f32, f32, 48, 1, 64, 0, 0, false, 2);
    decode(bf16, bf16, 42, 2, 32, 0, 3, true, 3);
}

// What steps hand on, for rows of which one number was drawn before.
struct Handed {
    Array tokens, positions, lengths, draws, seen, results, rules;
    tb_cuda_decoding state = {};

    Handed(long rows, long width, Array &uniforms, tb_cuda_sampling options)
        : tokens(zeros(i32, rows)), positions(constant(i32, rows, 7)), lengths(constant(i32, rows, 7)), draws(constant(i32, rows, 0)),
          seen(zeros(u8, rows * width)), results(i32, rows), rules(u8, rows * (long)sizeof options) {
        for (long row = 0; row < rows; row++) memcpy(rules.bytes.data() + row * (long)sizeof options, &options, sizeof options);
        state = {tokens.integers(), positions.integers(), lengths.integers(), uniforms.floats(), draws.integers(), seen.bytes.data(), results.integers(), 1, 0};
    }
    tb_cuda_sampling &rule(long row) { return ((tb_cuda_sampling *)rules.bytes.data())[row]; }
};

CHECK(argmax, "the first of the largest logits, the penalty of seen tokens, and what a step hands on") {
    for (int type : {(int)f32, (int)bf16}) {
        long width = 5003;
        Array logits = random(type, 4 * width, 8, 1), uniforms = zeros(f32, 4), history(std::vector<int32_t>{3, 17, 5002, -1, 5003});
        logits.set(4000, 20), logits.set(77, 20), logits.set(width + 5002, 30), logits.set(width + 9, 21), logits.set(2 * width, NAN), logits.set(3 * width + 1, 40);
        Handed handed(4, width, uniforms, {0, 1, 0, 0, 1.5f, 1});
        handed.rule(3).is_live = 0;
        launch("mark_seen", type, 0, Grid{1}, 256, 0, history.data(), 5LL, handed.seen.bytes.data() + width, (long long)width);
        launch("sample", type, 0, Grid{4}, 1024, 0, logits.data(), 4LL, (long long)width, handed.rules.data(), handed.state);
        // 30 / 1.5 is less than 21.
        expectEqual("argmax", handed.results, {77, 9, -1, 1});
        expectEqual("next tokens", handed.tokens, {77, 9, 0, 0});
        expectEqual("positions", handed.positions, {8, 8, 8, 7});
        expectEqual("lengths", handed.lengths, {8, 8, 8, 7});
        expectEqual("draws", handed.draws, {0, 0, 0, 0});
        long marked = 0;
        for (unsigned char byte : handed.seen.bytes) marked += byte;
        if (marked != 6 || !handed.seen.bytes[77] || !handed.seen.bytes[(size_t)width + 9] || !handed.seen.bytes[(size_t)width + 17]) fail("%ld tokens are seen", marked);
    }
}

CHECK(samples, "samples follow temperature, top-k, top-p and min-p, also among equals") {
    long width = 2000;
    const int draws = 64;
    for (int type : {(int)f32, (int)bf16}) {  // in bf16 many logits are equal
        Array line = random(type, width, 6, 1);
        for (tb_cuda_sampling options : {tb_cuda_sampling{0.8f, 1, 0, 0, 1, 1}, tb_cuda_sampling{0.7f, 1, 0, 20, 1, 1}, tb_cuda_sampling{1.0f, 0.6f, 0, 0, 1, 1}, tb_cuda_sampling{1.3f, 0.9f, 0, 50, 1, 1}, tb_cuda_sampling{0.9f, 1, 0.2f, 0, 1, 1}, tb_cuda_sampling{0.9f, 0.001f, 0, 0, 1, 1}, tb_cuda_sampling{1.1f, 0.8f, 0.1f, 40, 1, 1}}) {
            // The kept set by sorting, then the token at each place of the distribution in the order of tokens.
            std::vector<std::pair<float, int>> sorted;
            for (long i = 0; i < width; i++) sorted.push_back({line.get(i), (int)i});
            std::sort(sorted.begin(), sorted.end(), [](auto &a, auto &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
            if (options.top_k) {
                size_t count = (size_t)options.top_k;
                while (count < sorted.size() && sorted[count].first == sorted[(size_t)options.top_k - 1].first) count++;
                sorted.resize(count);
            }
            double whole = 0, above = 0;
            auto mass = [&](float x) { return std::exp((double)(x - sorted[0].first) / options.temperature); };
            for (auto &entry : sorted) whole += mass(entry.first);
            std::map<int, double> kept;
            for (auto &entry : sorted) {
                if (above / whole >= options.top_p) break;
                above += mass(entry.first);
                if (options.min_p > 0 && mass(entry.first) < options.min_p) break;
                kept[entry.second] = mass(entry.first);
            }
            double total = 0;
            for (auto &entry : kept) total += entry.second;
            Array logits(type, draws * width), uniforms(f32, draws);
            std::vector<float> wanted;
            for (int d = 0; d < draws; d++) {
                for (long i = 0; i < width; i++) logits.set(d * width + i, line.get(i));
                uniforms.set(d, ((float)d + 0.37f) / draws);
                double left = uniforms.get(d) * total;
                int token = -1;
                for (auto &entry : kept) {
                    token = entry.first;
                    if ((left -= entry.second) < 0) break;
                }
                wanted.push_back((float)token);
            }
            Handed handed(draws, width, uniforms, options);
            launch("sample", type, 0, Grid{draws}, 1024, 0, logits.data(), (long long)draws, (long long)width, handed.rules.data(), handed.state);
            expectEqual("tokens", handed.results, wanted);
            expectEqual("draws", handed.draws, std::vector<float>(draws, 1));
        }
    }
}
