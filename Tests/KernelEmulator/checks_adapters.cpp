// Mixtures of experts and rotations in blocks.
#include "check.h"
#include <algorithm>
#include <numeric>
using namespace check;

CHECK(expertChoice, "experts: choice, grouping and combination") {
    for (int type : {(int)f32, (int)bf16}) {
        int tokens = 150, experts = 60, count = 4;
        long width = 72;
        Array logits = random(type, tokens * experts, 2, 1), chosen(i32, tokens * count), weights(f32, tokens * count);
        logits.set(5, logits.get(6));
        std::vector<float> choice, normalised, share;
        for (int t = 0; t < tokens; t++) {
            std::vector<int> order((size_t)experts);
            std::iota(order.begin(), order.end(), 0);
            std::sort(order.begin(), order.end(), [&](int a, int b) {
                float x = logits.get(t * experts + a), y = logits.get(t * experts + b);
                return x != y ? x > y : a < b;
            });
            double sum = 0, kept = 0;
            for (int e = 0; e < experts; e++) sum += std::exp((double)logits.get(t * experts + e));
            for (int n = 0; n < count; n++) kept += std::exp((double)logits.get(t * experts + order[(size_t)n]));
            for (int n = 0; n < count; n++) {
                choice.push_back((float)order[(size_t)n]);
                share.push_back((float)(std::exp((double)logits.get(t * experts + order[(size_t)n])) / sum));
                normalised.push_back((float)(std::exp((double)logits.get(t * experts + order[(size_t)n])) / kept));
            }
        }
        for (int isNormalised : {0, 1}) {
            launch("expert_route", type, 0, Grid{(unsigned)tokens}, 128, (unsigned)(4 * experts), logits.data(), (long long)tokens, experts, count, isNormalised, chosen.data(), weights.data());
            expectEqual("choice", chosen, choice);
            expectClose("weights", weights, isNormalised ? normalised : share);
        }
        // Nothing is used beyond its end, whatever the logits are.
        Array odd = logits, places1(i32, tokens * count), shares(f32, tokens * count);
        for (int e = 0; e < experts; e++) odd.set(e, NAN), odd.set(experts + e, -INFINITY), odd.set(2 * experts + e, e == 7 ? 1 : NAN);
        launch("expert_route", type, 0, Grid{3}, 128, (unsigned)(4 * experts), odd.data(), 3LL, experts, count, 0, places1.data(), shares.data());
        for (int i = 0; i < 3 * count; i++) if (places1.integers()[i] < 0 || places1.integers()[i] >= experts) fail("expert %d of %d", places1.integers()[i], experts);
        if (places1.integers()[2 * count] != 7 || shares.get(0) == shares.get(0)) fail("expert %d with a share of %f", places1.integers()[2 * count], shares.get(0));
        int pairs = tokens * count;
        Array loads(i32, experts), starts(i32, experts), sortedTokens(i32, pairs), places(i32, pairs), slots(i32, pairs);
        launch("expert_group", type, 0, Grid{1}, 256, (unsigned)(260 * experts), chosen.data(), pairs, experts, count, loads.data(), starts.data(), sortedTokens.data(), places.data(), slots.data());
        std::vector<int> order((size_t)pairs);
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](int a, int b) { return choice[(size_t)a] != choice[(size_t)b] ? choice[(size_t)a] < choice[(size_t)b] : a < b; });
        std::vector<float> l((size_t)experts), s((size_t)experts), tk, pl, sl((size_t)pairs);
        for (float e : choice) l[(size_t)e]++;
        for (int e = 1; e < experts; e++) s[(size_t)e] = s[(size_t)e - 1] + l[(size_t)e - 1];
        for (int i = 0; i < pairs; i++) tk.push_back((float)(order[(size_t)i] / count)), pl.push_back((float)order[(size_t)i]), sl[(size_t)order[(size_t)i]] = (float)i;
        expectEqual("loads", loads, l);
        expectEqual("starts", starts, s);
        expectEqual("tokens", sortedTokens, tk);
        expectEqual("places", places, pl);
        expectEqual("slots", slots, sl);
        Array outputs = random(type, pairs * width, 1, 2), result = zeros(type, tokens * width);
        for (bool isWeighted : {true, false}) {
            std::vector<float> w((size_t)(tokens * width));
            for (int i = 0; i < pairs; i++) for (long c = 0; c < width; c++) w[(size_t)(i / count * width + c)] += (isWeighted ? weights.get(i) : 1) * outputs.get((long)sl[(size_t)i] * width + c);
            launch("expert_combine", type, 0, Grid{(unsigned)tokens}, 128, 0, outputs.data(), slots.data(), isWeighted ? weights.data() : nullptr, count, result.data(), (long long)tokens, (long long)width);
            expectClose("combination", result, w);
        }
    }
}

namespace {
typedef std::vector<double> Matrix;
Matrix times(const Matrix &a, bool at, const Matrix &b, bool bt, int n) {
    Matrix c((size_t)(n * n));
    for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) for (int k = 0; k < n; k++) c[(size_t)(i * n + j)] += a[(size_t)(at ? k * n + i : i * n + k)] * b[(size_t)(bt ? j * n + k : k * n + j)];
    return c;
}
Matrix inverseOf(Matrix a, int n) {
    Matrix r((size_t)(n * n));
    for (int i = 0; i < n; i++) r[(size_t)(i * n + i)] = 1;
    for (int p = 0; p < n; p++) {
        int best = p;
        for (int i = p; i < n; i++) if (std::fabs(a[(size_t)(i * n + p)]) > std::fabs(a[(size_t)(best * n + p)])) best = i;
        for (int j = 0; j < n; j++) std::swap(a[(size_t)(p * n + j)], a[(size_t)(best * n + j)]), std::swap(r[(size_t)(p * n + j)], r[(size_t)(best * n + j)]);
        double f = 1 / a[(size_t)(p * n + p)];
        for (int j = 0; j < n; j++) a[(size_t)(p * n + j)] *= f, r[(size_t)(p * n + j)] *= f;
        for (int i = 0; i < n; i++) if (i != p) { double g = a[(size_t)(i * n + p)]; for (int j = 0; j < n; j++) a[(size_t)(i * n + j)] -= g * a[(size_t)(p * n + j)], r[(size_t)(i * n + j)] -= g * r[(size_t)(p * n + j)]; }
    }
    return r;
}
Matrix skew(const std::vector<double> &generator, int n) {
    Matrix q((size_t)(n * n));
    int place = 0;
    for (int i = 0; i < n; i++) for (int j = i + 1; j < n; j++) q[(size_t)(i * n + j)] = generator[(size_t)place], q[(size_t)(j * n + i)] = -generator[(size_t)place++];
    return q;
}
std::vector<double> coefficients(int terms) {
    if (terms <= 1) return {1};
    if (terms == 2) return {1, 2};
    std::vector<double> c{1, 2, 2};
    for (int i = 0; i < terms - 4; i++) c.push_back(2);
    c.push_back(1);
    return c;
}
Matrix rotationOf(const std::vector<double> &generator, int n, int terms) {
    Matrix q = skew(generator, n), unit((size_t)(n * n)), result = unit, power = unit;
    for (int i = 0; i < n; i++) unit[(size_t)(i * n + i)] = 1;
    if (terms == 0) {
        Matrix a = unit, b = unit;
        for (size_t i = 0; i < a.size(); i++) a[i] -= q[i], b[i] += q[i];
        return times(a, false, inverseOf(b, n), false, n);
    }
    power = unit;
    for (double c : coefficients(terms)) {
        for (size_t i = 0; i < result.size(); i++) result[i] += c * power[i];
        power = times(power, false, q, false, n);
    }
    return result;
}
}  // namespace

CHECK(cayley, "rotations by Cayley's transform and their gradients by finite differences") {
    for (int n : {1, 5, 16}) for (int terms : {0, 1, 2, 3, 5, 6}) {
        int blocks = 3, width = n * (n - 1) / 2, area = n * n;
        Array generators = random(f32, std::max(1, blocks * width), 0.3f, 1), rotations = zeros(f32, blocks * area), d = random(f32, blocks * area, 1, 2), result = random(f32, std::max(1, blocks * width), 1, 3), workspace = zeros(f32, blocks * 8 * area);
        std::vector<float> w, g = result.values();
        for (int b = 0; b < blocks; b++) {
            std::vector<double> generator;
            for (int i = 0; i < width; i++) generator.push_back(generators.get(b * width + i));
            for (double x : rotationOf(generator, n, terms)) w.push_back((float)x);
            for (int i = 0; i < width; i++) {
                auto at = [&](double h) {
                    std::vector<double> moved = generator;
                    moved[(size_t)i] += h;
                    Matrix r = rotationOf(moved, n, terms);
                    double sum = 0;
                    for (int k = 0; k < area; k++) sum += r[(size_t)k] * d.get(b * area + k);
                    return sum;
                };
                g[(size_t)(b * width + i)] += (float)((at(1e-5) - at(-1e-5)) / 2e-5);
            }
        }
        launch("cayley_rotations", f32, 0, Grid{(unsigned)blocks}, 256, (unsigned)(4 * (4 * area + 2 * n)), generators.data(), n, terms, rotations.data());
        expectClose("rotations", rotations, w, 2e-5f);
        launch("cayley_rotations_backward", f32, 0, Grid{(unsigned)blocks}, 256, (unsigned)(4 * (6 * area + 2 * n)), d.data(), generators.data(), n, terms, workspace.data(), result.data(), 1);
        expectClose("gradient", result, g, 1e-4f);
    }
}

CHECK(turning, "products with blocks of rotations") {
    for (int type : {(int)f32, (int)bf16}) for (int isShared : {0, 1}) {
        int n = 12, blocks = 5;
        long rows = 70, width = n * blocks;
        Array x = random(type, rows * width, 1, 1), d = random(type, rows * width, 1, 2), r = random(f32, (isShared ? 1 : blocks) * n * n, 1, 3), y = zeros(type, rows * width), g = zeros(f32, r.count);
        std::vector<float> gradient((size_t)r.count);
        for (int isTransposed : {0, 1}) {
            std::vector<float> w((size_t)(rows * width));
            for (long t = 0; t < rows; t++) for (int b = 0; b < blocks; b++) for (int j = 0; j < n; j++) for (int k = 0; k < n; k++) {
                long matrix = isShared ? 0 : (long)b * n * n;
                w[(size_t)(t * width + b * n + j)] += x.get(t * width + b * n + k) * r.get(matrix + (isTransposed ? j * n + k : k * n + j));
                if (!isTransposed) gradient[(size_t)(matrix + k * n + j)] += x.get(t * width + b * n + k) * d.get(t * width + b * n + j);
            }
            launch("rotate_blocks", f32, 0, Grid{(unsigned)blocks, 2}, 256, (unsigned)(4 * n * n), x.data(), type, r.data(), isShared, isTransposed, y.data(), (long long)rows, (long long)width, n);
            expectClose("turned", y, w);
        }
        launch("rotation_gradient", f32, 0, Grid{(unsigned)(isShared ? 1 : blocks)}, 256, (unsigned)(4 * 2 * 32 * n), x.data(), type, d.data(), g.data(), isShared, (long long)rows, (long long)width, n);
        expectClose("gradient", g, gradient, 1e-4f);
    }
}
