// Losses and optimizers: against the functions of CKernels.
#include "check.h"
using namespace check;

CHECK(crossEntropies, "cross-entropy of rows of logits and its gradient in their place") {
    for (int type : {(int)f32, (int)bf16, (int)f16}) {
        for (long width : {33L, 4096L, 10001L}) {
            for (float smoothing : {0.0f, 0.1f}) {
                for (int mode = 0; mode < 3; mode++) {  // no gradient, one weight, a weight for each row
                    long rows = 4, n = rows * width;
                    Array logits = random(type, n, 8, 1), weights = random(f32, rows, 1, 2), targets(randomIntegers(rows, (int)width, 3)), losses(f32, rows), lse(f32, rows), hits(i32, rows);
                    long largest = 0;
                    for (long i = 0; i < width; i++) if (logits.get(i) > logits.get(largest)) largest = i;
                    targets.integers()[0] = (int32_t)largest;
                    std::vector<float> x = logits.values(), w((size_t)rows), s((size_t)rows), h((size_t)rows);
                    for (long r = 0; r < rows; r++) {
                        int32_t best, target = targets.integers()[r];
                        float sum, *line = &x[(size_t)(r * width)];
                        s[(size_t)r] = tb_log_sum_exp(line, width, &best, &sum);
                        w[(size_t)r] = s[(size_t)r] - (1 - smoothing) * line[target] - (smoothing == 0 ? 0 : smoothing * sum / (float)width);
                        h[(size_t)r] = best == target;
                        if (mode) tb_cross_entropy_gradient(line, width, s[(size_t)r], target, mode == 1 ? 0.5f : weights.get(r), smoothing);
                    }
                    launch("cross_entropy", type, 0, Grid{(unsigned)rows}, 512, 0, logits.data(), targets.data(), 0.5f, mode == 2 ? weights.data() : nullptr, mode > 0 ? 1 : 0, smoothing, losses.data(), lse.data(), hits.data(), (long long)rows, (long long)width);
                    expectClose("losses", losses, w);
                    expectClose("log-sum-exp", lse, s);
                    expectEqual("hits", hits, h);
                    expectClose("logits", logits, x);
                    Array loss(f64, 1), correct(i64, 1);
                    loss.doubles()[0] = 1, correct.longs()[0] = 5;
                    launch("loss_sums", type, 0, Grid{1}, 256, 0, losses.data(), hits.data(), (long long)rows, loss.data(), correct.data(), 1);
                    double total = 1;
                    float right = 5;
                    for (long r = 0; r < rows; r++) total += losses.get(r), right += h[(size_t)r];
                    expectClose("sum of losses", loss, {(float)total}, 1e-6f);
                    expectEqual("hits' sum", correct, {right});
                }
            }
        }
    }
}

static tb_adamw_step cpuStep(tb_cuda_adamw s) { return {s.beta1, s.beta2, s.epsilon, s.step_size, s.root_correction, s.decay, s.gradient_scale}; }

CHECK(adamw, "AdamW of f32 and bf16 parameters with a factor from the card") {
    long n = 3001;
    tb_cuda_adamw step = {0.9f, 0.999f, 1e-8f, 0.01f, 1.3f, 0.999f, 0.5f};
    for (int type : {(int)f32, (int)bf16}) {
        for (int gradientType : {(int)f32, (int)bf16}) {
            for (bool clips : {false, true}) {
                Array p = random(type, n, 1, 1), g = random(gradientType, n, 1, 2), m = random(f32, n, 0.1f, 3), v = random(f32, n, 0.1f, 4), clip = constant(f32, 1, 0.25f);
                for (long i = 0; i < n; i++) v.set(i, std::fabs(v.get(i)));
                Array cp = p, cm = m, cv = v;
                std::vector<float> gradient = g.values();
                tb_adamw_step cpu = cpuStep(step);
                if (clips) cpu.gradient_scale *= 0.25f;
                if (type == f32) tb_adamw(cp.floats(), gradient.data(), cm.floats(), cv.floats(), n, cpu);
                else tb_adamw_bf16(cp.halves(), gradient.data(), cm.floats(), cv.floats(), n, cpu);
                launch("adamw", f32, 0, Grid{2}, 256, 0, p.data(), type, g.data(), gradientType, m.data(), v.data(), (long long)n, step, clips ? clip.data() : nullptr);
                expectClose("parameter", p, cp.values());
                expectClose("first", m, cm.values());
                expectClose("second", v, cv.values());
            }
        }
    }
}

CHECK(adamwGroup, "AdamW of a group of parameters by one launch, and the squares of its gradients") {
    const long counts[] = {5, TB_MEMBER_BLOCK, 2 * TB_MEMBER_BLOCK + 77, 3001};
    for (float factor : {0.25f, -1.0f}) {
        std::vector<Array> arrays;  // parameter, gradient, moments of each member
        Array members(u8, 4 * (long)sizeof(tb_cuda_adamw_member)), clip = constant(f32, 1, factor);
        long blocks = 0;
        for (int i = 0; i < 4; i++) {
            long n = counts[i];
            arrays.push_back(random(i % 2 ? bf16 : f32, n, 1, 1 + i)), arrays.push_back(random(f32, n, 1, 11 + i));
            arrays.push_back(random(f32, n, 0.1f, 21 + i)), arrays.push_back(random(f32, n, 0.1f, 31 + i));
            for (long k = 0; k < n; k++) arrays.back().set(k, std::fabs(arrays.back().get(k)));
        }
        std::vector<Array> wanted = arrays;
        double squares = 0;
        for (int i = 0; i < 4; i++) {
            Array *of = &arrays[(size_t)(4 * i)], *w = &wanted[(size_t)(4 * i)];
            long n = counts[i];
            tb_cuda_adamw step = {0.9f, 0.999f, 1e-8f, 0.01f * (float)(i + 1), 1.3f, 0.999f, 1};
            tb_cuda_adamw_member member = {of[0].data(), of[1].data(), of[2].floats(), of[3].floats(), nullptr, nullptr, n, blocks, of[0].type, f32, step, 0};
            memcpy(members.bytes.data() + i * (long)sizeof member, &member, sizeof member);
            blocks += (n + TB_MEMBER_BLOCK - 1) / TB_MEMBER_BLOCK;
            squares += tb_sum_of_squares(of[1].floats(), n);
            if (factor < 0) continue;
            tb_adamw_step cpu = cpuStep(step);
            cpu.gradient_scale = factor;
            if (of[0].type == f32) tb_adamw(w[0].floats(), w[1].floats(), w[2].floats(), w[3].floats(), n, cpu);
            else tb_adamw_bf16(w[0].halves(), w[1].floats(), w[2].floats(), w[3].floats(), n, cpu);
        }
        Array partials(f64, blocks), sum(f64, 1);
        launch("squares_group", f32, 0, Grid{(unsigned)blocks}, 256, 0, members.data(), 4, partials.data());
        launch("sum_finish", f32, 0, Grid{1}, 256, 0, partials.data(), (long long)blocks, sum.data(), 0);
        expectClose("squares of the group", sum, {(float)squares}, 1e-6f);
        launch("adamw_group", f32, 0, Grid{(unsigned)blocks}, 256, 0, members.data(), 4, clip.data());
        for (size_t i = 0; i < arrays.size(); i++) expectClose("member of the group", arrays[i], wanted[i].values());
    }
}

CHECK(directions, "directions and descent of the other rules") {
    long n = 3001;
    Array g = random(f32, n, 1, 2), m = random(f32, n, 0.1f, 3), v = random(f32, n, 0.1f, 4), d = zeros(f32, n);
    for (long i = 0; i < n; i++) v.set(i, std::fabs(v.get(i)));
    Array cm = m, cv = v, cd = d;
    tb_adam_direction(g.floats(), cm.floats(), cv.floats(), cd.floats(), n, 0.9f, 0.99f, 1e-6f);
    launch("adam_direction", f32, 0, Grid{2}, 256, 0, g.data(), m.data(), v.data(), d.data(), (long long)n, 0.9f, 0.99f, 1e-6f);
    expectClose("direction", d, cd.values());
    expectClose("first", m, cm.values());
    expectClose("second", v, cv.values());
    tb_rms_direction(g.floats(), cv.floats(), cd.floats(), n, 0.9f, 0.1f, 1e-30f, 1e-8f);
    launch("rms_direction", f32, 0, Grid{2}, 256, 0, g.data(), v.data(), d.data(), (long long)n, 0.9f, 0.1f, 1e-30f, 1e-8f);
    expectClose("root mean square direction", d, cd.values());
    for (int type : {(int)f32, (int)bf16}) {
        Array p = random(type, n, 1, 1), cp = p;
        if (type == f32) tb_descend(cp.floats(), cd.floats(), n, 0.01f, 0.99f);
        else tb_descend_bf16(cp.halves(), cd.floats(), n, 0.01f, 0.99f);
        launch("descend", f32, 0, Grid{2}, 256, 0, p.data(), type, d.data(), (long long)n, 0.01f, 0.99f);
        expectClose("descend", p, cp.values());
    }
}

CHECK(eightBits, "Adam with moments in 8 bits") {
    long n = 1000, blocks = 4;
    tb_cuda_adamw step = {0.9f, 0.999f, 1e-8f, 0.01f, 1.3f, 0.999f, 0.5f};
    Array table1(f32, 256), table2(f32, 256), middle1(f32, 255), middle2(f32, 255);
    for (int i = 0; i < 256; i++) table1.set(i, ((float)i - 128) / 128 * std::fabs(((float)i - 128) / 128)), table2.set(i, (float)(i * i) / 65025.0f);
    for (int i = 0; i < 255; i++) middle1.set(i, (table1.get(i) + table1.get(i + 1)) / 2), middle2.set(i, (table2.get(i) + table2.get(i + 1)) / 2);
    Array codes1(u8, n), codes2(u8, n), scales1 = random(f32, blocks, 0.1f, 5), scales2 = random(f32, blocks, 0.1f, 6);
    for (long i = 0; i < n; i++) codes1.bytes[(size_t)i] = (unsigned char)(i * 7), codes2.bytes[(size_t)i] = (unsigned char)(i * 11);
    for (long b = 0; b < blocks; b++) scales1.set(b, std::fabs(scales1.get(b))), scales2.set(b, std::fabs(scales2.get(b)));
    Array g = random(f32, n, 1, 2), d = zeros(f32, n), cd = d;
    Array k1 = codes1, k2 = codes2, s1 = scales1, s2 = scales2;
    tb_state_8bit cpu1 = {k1.bytes.data(), s1.floats(), table1.floats(), middle1.floats()}, cpu2 = {k2.bytes.data(), s2.floats(), table2.floats(), middle2.floats()};
    tb_adam_8bit_direction(g.floats(), cpu1, cpu2, cd.floats(), n, cpuStep(step));
    Array startCodes1 = codes1, startCodes2 = codes2, startScales1 = scales1, startScales2 = scales2;
    tb_cuda_moment first = {codes1.bytes.data(), scales1.floats(), table1.floats(), middle1.floats()}, second = {codes2.bytes.data(), scales2.floats(), table2.floats(), middle2.floats()};
    launch("adam_direction_8bit", f32, 0, Grid{2}, 256, 0, g.data(), first, second, d.data(), (long long)n, step);
    auto compare = [&]() {
        expectClose("scales of the first moment", scales1, s1.values());
        expectClose("scales of the second moment", scales2, s2.values());
        // A last bit may move a number over a midpoint.
        long different = 0;
        for (long i = 0; i < n; i++) {
            if (std::abs((int)codes1.bytes[(size_t)i] - k1.bytes[(size_t)i]) > 1 || std::abs((int)codes2.bytes[(size_t)i] - k2.bytes[(size_t)i]) > 1) fail("code %ld", i);
            different += codes1.bytes[(size_t)i] != k1.bytes[(size_t)i] || codes2.bytes[(size_t)i] != k2.bytes[(size_t)i];
        }
        if (different > n / 100) fail("%ld codes differ", different);
        record(codes1), record(codes2);
    };
    expectClose("direction", d, cd.values());
    compare();
    codes1 = startCodes1, codes2 = startCodes2, scales1 = startScales1, scales2 = startScales2;
    first = {codes1.bytes.data(), scales1.floats(), table1.floats(), middle1.floats()}, second = {codes2.bytes.data(), scales2.floats(), table2.floats(), middle2.floats()};
    Array p = random(bf16, n, 1, 8), clip = constant(f32, 1, 1);
    std::vector<float> w = p.values();
    for (long i = 0; i < n; i++) w[(size_t)i] = w[(size_t)i] * step.decay - step.step_size * cd.get(i);
    // As the second of its kind in a group, behind five blocks of others.
    Array other = zeros(f32, TB_MEMBER_BLOCK), codes(u8, TB_MEMBER_BLOCK), scales = zeros(f32, TB_MEMBER_BLOCK / 256), members(u8, 2 * (long)sizeof(tb_cuda_adamw_member));
    tb_cuda_adamw_member list[] = {
        {other.data(), other.data(), scales.floats(), scales.floats(), codes.bytes.data(), codes.bytes.data(), TB_MEMBER_BLOCK, 5, f32, f32, step, 0},
        {p.data(), g.data(), scales1.floats(), scales2.floats(), codes1.bytes.data(), codes2.bytes.data(), n, 6, bf16, f32, step, 0}};
    memcpy(members.bytes.data(), list, sizeof list);
    tb_cuda_moment tables1 = {nullptr, nullptr, table1.floats(), middle1.floats()}, tables2 = {nullptr, nullptr, table2.floats(), middle2.floats()};
    Array before = p, closed = constant(f32, 1, -1);
    launch("adamw_8bit_group", f32, 0, Grid{2}, 256, 0, members.data(), 2, 5LL, tables1, tables2, closed.data());
    expectEqual("parameter behind a closed gate", p, before.values());
    launch("adamw_8bit_group", f32, 0, Grid{2}, 256, 0, members.data(), 2, 5LL, tables1, tables2, clip.data());
    expectClose("parameter", p, w);
    compare();
}

CHECK(oddLogits, "logits that are ruled out count for nothing, and one that is no number makes the loss none") {
    for (int type : {(int)f32, (int)bf16}) {
        long width = 5000;
        Array logits = random(type, 2 * width, 4, 1), targets(std::vector<int32_t>{4900, 4900}), losses(f32, 2), lse(f32, 2), hits(i32, 2);
        for (long i = 0; i < 4200; i++) logits.set(i, -INFINITY);
        logits.set(width + 17, NAN);
        double sum = 0;
        for (long i = 4200; i < width; i++) sum += std::exp((double)logits.get(i));
        float target = logits.get(4900);
        launch("cross_entropy", type, 0, Grid{2}, 512, 0, logits.data(), targets.data(), 1.0f, (void *)nullptr, 1, 0.0f, losses.data(), lse.data(), hits.data(), 2LL, (long long)width);
        if (!(std::fabs(losses.get(0) - (std::log(sum) - target)) < 1e-4)) fail("a loss of %f for %f", losses.get(0), std::log(sum) - target);
        if (logits.get(0) != 0) fail("a gradient of %f where there is no probability", logits.get(0));
        if (losses.get(1) == losses.get(1)) fail("a loss of %f with a logit that is no number", losses.get(1));
    }
}
