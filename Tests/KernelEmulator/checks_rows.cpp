// Elementwise kernels, sums, columns, rows, norms, rotations of pairs: against the functions of CKernels.
#include "check.h"
using namespace check;

static const int allTypes[] = {f32, bf16, f16};

CHECK(elementwise, "fill, scale, add, accumulate and multiply") {
    for (int type : allTypes) {
        for (long n : {1L, 37L, 4099L}) {
            Array a = random(type, n, 2, 1), b = random(type, n, 2, 2), to = zeros(type, n);
            std::vector<float> x = a.values(), y = b.values(), w = x;
            Grid grid{2};
            launch("fill", type, 0, grid, 256, 0, to.data(), 1.5f, (long long)n);
            expectEqual("fill", to, std::vector<float>((size_t)n, 1.5f));
            launch("scale", type, 0, grid, 256, 0, a.data(), 0.5f, to.data(), (long long)n);
            tb_scale(x.data(), w.data(), 0.5f, n);
            expectClose("scale", to, w);
            launch("add", type, 0, grid, 256, 0, a.data(), b.data(), to.data(), (long long)n);
            tb_add(x.data(), y.data(), w.data(), n);
            expectClose("add", to, w);
            launch("multiply", type, 0, grid, 256, 0, a.data(), b.data(), to.data(), (long long)n);
            tb_multiply(x.data(), y.data(), w.data(), n);
            expectClose("multiply", to, w);
            to = b, w = y;
            launch("accumulate", type, 0, grid, 256, 0, a.data(), -0.25f, to.data(), (long long)n);
            tb_accumulate(x.data(), w.data(), -0.25f, n);
            expectClose("accumulate", to, w);
            Array wide = b.as(f32);
            launch("accumulate_wide", type, 0, grid, 256, 0, a.data(), -0.25f, wide.data(), (long long)n);
            expectClose("accumulate_wide", wide, w);
        }
    }
}

CHECK(unaligned, "arrays that begin anywhere") {
    for (int type : allTypes) {
        long n = 1003;
        Array a = random(type, n, 2, 1), to = zeros(type, n);
        std::vector<float> w = a.values();
        for (long i = 0; i < n - 1; i++) w[(size_t)i] = i == 0 ? 0 : a.get(i + 1) * 2;
        w[(size_t)n - 1] = 0;
        int size = sizeOf(type);
        launch("scale", type, 0, Grid{1}, 256, 0, (char *)a.data() + 2 * size, 2.0f, (char *)to.data() + size, (long long)(n - 2));
        expectClose("scale", to, w);
    }
}

CHECK(dropout, "dropout's mask is the CPU's") {
    for (int type : allTypes) {
        long n = 5000;
        Array a = random(type, n, 1, 3), to = zeros(type, n);
        std::vector<float> x = a.values(), w = x;
        unsigned long long seed = 0x123456789ABCDEFull;
        launch("dropout", type, 0, Grid{2}, 256, 0, a.data(), to.data(), (long long)n, seed, 0.25f);
        tb_dropout(x.data(), w.data(), n, seed, 0, 0.25f);
        for (long i = 0; i < n; i++)
            if ((w[(size_t)i] == 0) != (to.get(i) == 0)) fail("element %ld is %g, expected %g", i, to.get(i), w[(size_t)i]);
        expectClose("dropout", to, w);
    }
}

CHECK(caps, "soft caps and noise") {
    for (int type : allTypes) {
        long rows = 7, width = 130, n = rows * width;
        Array a = random(type, n, 60, 3), y = zeros(type, n), slopes = zeros(type, n), bounds = random(f32, rows, 1, 5);
        std::vector<float> x = a.values(), w = x, s = x;
        launch("soft_cap", type, 0, Grid{1}, 256, 0, a.data(), y.data(), slopes.data(), 30.0f, (long long)n);
        tb_soft_cap(x.data(), w.data(), s.data(), 30, n);
        expectClose("soft_cap", y, w);
        expectClose("slopes", slopes, s);
        launch("soft_cap", type, 0, Grid{1}, 256, 0, a.data(), y.data(), (void *)nullptr, 30.0f, (long long)n);
        expectClose("soft_cap without slopes", y, w);
        unsigned long long seed = 99;
        launch("uniform_noise", type, 0, Grid{1}, 256, 0, a.data(), bounds.data(), seed, y.data(), (long long)rows, (long long)width);
        for (long i = 0; i < n; i++) {
            uint64_t mixed = seed + (uint64_t)(i + 1) * 0x9E3779B97F4A7C15ull;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ull;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBull;
            float unit = (float)((mixed ^ (mixed >> 31)) >> 40) * 0x1p-24f;
            w[(size_t)i] = x[(size_t)i] + bounds.get(i / width) * (2 * unit - 1);
        }
        expectClose("uniform_noise", y, w);
    }
}

CHECK(casts, "conversions between the floating types") {
    for (int from : allTypes) {
        for (int to : allTypes) {
            Array a = random(from, 1001, 100, 4), b = zeros(to, 1001);
            launch("convert", f32, 0, Grid{2}, 256, 0, a.data(), from, b.data(), to, 1001LL);
            expectEqual("convert", b, a.as(to).values());
        }
    }
}

CHECK(activations, "activations with and without gates, forward and backward") {
    for (int type : allTypes) {
        for (int kind = 0; kind < 3; kind++) {
            long rows = 5, width = 72, n = rows * width;
            Array gate = random(type, n, 4, 1), up = random(type, n, 2, 2), d = random(type, n, 1, 3), y = zeros(type, n);
            std::vector<float> g = gate.values(), u = up.values(), dy = d.values(), w = g, dg = g, du = u, ones((size_t)n, 1.0f);
            tb_gated(g.data(), u.data(), w.data(), n, kind);
            launch("gated_activation", type, 0, Grid{1}, 256, 0, gate.data(), up.data(), y.data(), (long long)rows, (long long)width, (long long)width, (long long)width, kind);
            expectClose("gated", y, w);
            // As columns of one matrix [rows, 2 width].
            Array both = zeros(type, 2 * n), bothGradients = zeros(type, 2 * n);
            for (long i = 0; i < n; i++) both.set(i / width * 2 * width + i % width, gate.get(i)), both.set(i / width * 2 * width + width + i % width, up.get(i));
            char *half = (char *)both.data() + width * sizeOf(type), *gradientHalf = (char *)bothGradients.data() + width * sizeOf(type);
            launch("gated_activation", type, 0, Grid{1}, 256, 0, both.data(), half, y.data(), (long long)rows, (long long)width, (long long)(2 * width), (long long)(2 * width), kind);
            expectClose("gated columns", y, w);
            tb_gated_backward(dy.data(), g.data(), u.data(), dg.data(), du.data(), n, kind);
            launch("gated_activation_backward", type, 0, Grid{1}, 256, 0, d.data(), both.data(), half, bothGradients.data(), gradientHalf, (long long)rows, (long long)width,
                   (long long)(2 * width), (long long)(2 * width), (long long)(2 * width), (long long)(2 * width), kind);
            std::vector<float> wanted((size_t)(2 * n));
            for (long i = 0; i < n; i++) wanted[(size_t)(i / width * 2 * width + i % width)] = dg[(size_t)i], wanted[(size_t)(i / width * 2 * width + width + i % width)] = du[(size_t)i];
            expectClose("gated backward", bothGradients, wanted, 2e-5f);
            Array inGate = gate, inUp = up;
            launch("gated_activation_backward", type, 0, Grid{1}, 256, 0, d.data(), inGate.data(), inUp.data(), inGate.data(), inUp.data(), (long long)rows, (long long)width,
                   (long long)width, (long long)width, (long long)width, (long long)width, kind);
            expectClose("gate's gradient in place", inGate, dg, 2e-5f);
            expectClose("up's gradient in place", inUp, du, 2e-5f);
            tb_gated(g.data(), ones.data(), w.data(), n, kind);
            launch("activation", type, 0, Grid{1}, 256, 0, gate.data(), y.data(), (long long)n, kind);
            expectClose("activation", y, w);
            tb_gated_backward(dy.data(), g.data(), ones.data(), dg.data(), du.data(), n, kind);
            launch("activation_backward", type, 0, Grid{1}, 256, 0, d.data(), gate.data(), y.data(), (long long)n, kind);
            expectClose("activation backward", y, dg, 2e-5f);
        }
    }
}

CHECK(sums, "sums of squares, products, and the clip factor") {
    for (int type : allTypes) {
        long n = 10007;
        Array a = random(type, n, 1, 1), b = random(type, n, 1, 2), partials(f64, 3), result(f64, 1), factor(f32, 1), norm(f32, 1);
        std::vector<float> x = a.values(), y = b.values();
        launch("sum_of_squares_partial", type, 0, Grid{3}, 256, 0, a.data(), (long long)n, partials.data());
        launch("sum_finish", type, 0, Grid{1}, 256, 0, partials.data(), 3LL, result.data(), 0);
        double squares = tb_sum_of_squares(x.data(), n);
        expectClose("sum of squares", result, {(float)squares}, 1e-6f);
        launch("sum_finish", type, 0, Grid{1}, 256, 0, partials.data(), 3LL, result.data(), 1);
        expectClose("twice the sum", result, {(float)(2 * squares)}, 1e-6f);
        Array gate = zeros(i32, 1);
        norm = Array(f64, 1);
        launch("clip_factor", type, 0, Grid{1}, 1, 0, result.data(), 0.5, 2.0, factor.data(), norm.data(), gate.data());
        expectClose("norm", norm, {(float)(std::sqrt(2 * squares) / 2)}, 1e-6f);
        expectClose("clip factor", factor, {(float)(1 / (std::sqrt(2 * squares) / 2 + 1e-6))}, 1e-6f);
        launch("clip_factor", type, 0, Grid{1}, 1, 0, result.data(), 1.0, 0.0, factor.data(), norm.data(), gate.data());
        expectEqual("no clipping", factor, {1});
        // A norm that is no number closes the gate, and it stays closed.
        Array infinite(f64, 1);
        infinite.doubles()[0] = INFINITY;
        launch("clip_factor", type, 0, Grid{1}, 1, 0, infinite.data(), 1.0, 1.0, factor.data(), norm.data(), gate.data());
        expectEqual("factor of an infinite norm", factor, {-1});
        launch("clip_factor", type, 0, Grid{1}, 1, 0, result.data(), 1.0, 0.0, factor.data(), norm.data(), gate.data());
        expectEqual("factor behind a closed gate", factor, {-1});
        launch("dot_partial", type, 0, Grid{3}, 256, 0, a.data(), b.data(), (long long)n, partials.data());
        launch("sum_finish", type, 0, Grid{1}, 256, 0, partials.data(), 3LL, result.data(), 0);
        double dot = 0;
        for (long i = 0; i < n; i++) dot += (double)x[(size_t)i] * y[(size_t)i];
        if (std::fabs(result.doubles()[0] - dot) > 1e-6 * squares) fail("dot %g, expected %g", result.doubles()[0], dot);
    }
}

CHECK(rowsAndColumns, "rows and columns: products, squares, factors, copies") {
    for (int type : allTypes) {
        long rows = 37, width = 300, n = rows * width;
        Array a = random(type, n, 1, 1), b = random(type, n, 1, 2), each(type, rows), floats(f32, rows);
        std::vector<float> x = a.values(), y = b.values(), w((size_t)rows), squares((size_t)rows), columns((size_t)width), direct((size_t)n);
        for (long r = 0; r < rows; r++) w[(size_t)r] = (float)tb_dot(&x[(size_t)(r * width)], &y[(size_t)(r * width)], width), squares[(size_t)r] = (float)tb_sum_of_squares(&x[(size_t)(r * width)], width);
        launch("row_dots", type, 0, Grid{(unsigned)rows}, 256, 0, a.data(), b.data(), each.data(), (long long)rows, (long long)width);
        expectClose("row_dots", each, w);
        launch("row_squares", f32, 0, Grid{(unsigned)rows}, 256, 0, a.data(), type, floats.data(), (long long)rows, (long long)width, 0);
        expectClose("row_squares", floats, squares);
        launch("row_squares", f32, 0, Grid{(unsigned)rows}, 256, 0, a.data(), type, floats.data(), (long long)rows, (long long)width, 1);
        std::vector<float> inverse = squares, mean = squares;
        for (auto &s : inverse) s = 1 / std::sqrt(s);
        for (auto &s : mean) s /= (float)width;
        expectClose("inverse norms", floats, inverse);
        launch("row_squares", f32, 0, Grid{(unsigned)rows}, 256, 0, a.data(), type, floats.data(), (long long)rows, (long long)width, 2);
        expectClose("mean squares", floats, mean);

        Array rowFactors = random(f32, rows, 1, 7), rowShifts = random(f32, rows, 1, 8), partials(f32, 4 * width), result = random(f32, width, 1, 9), factors = random(type, width, 1, 10);
        Grid grid{pieces(width, 256), 4};
        launch("column_dots_partial", type, 0, grid, 256, 0, a.data(), b.data(), rowFactors.data(), rowShifts.data(), (long long)rows, (long long)width, partials.data());
        for (long c = 0; c < width; c++) {
            double sum = 0;
            for (long r = 0; r < rows; r++) sum += (double)x[(size_t)(r * width + c)] * (y[(size_t)(r * width + c)] - rowShifts.get(r)) * rowFactors.get(r);
            columns[(size_t)c] = result.get(c) + 0.5f * factors.get(c) * (float)sum;
        }
        launch("column_sums_finish", type, 0, Grid{pieces(width, 256)}, 256, 0, partials.data(), 4LL, (long long)width, factors.data(), type, 0.5f, result.data(), 1);
        expectClose("column products", result, columns);
        launch("column_dots_partial", type, 0, grid, 256, 0, a.data(), (void *)nullptr, (void *)nullptr, (void *)nullptr, (long long)rows, (long long)width, partials.data());
        std::fill(columns.begin(), columns.end(), 0.0f);
        tb_add_column_sums(x.data(), rows, width, width, columns.data());
        launch("column_sums_finish", type, 0, Grid{pieces(width, 256)}, 256, 0, partials.data(), 4LL, (long long)width, (void *)nullptr, 0, 1.0f, result.data(), 0);
        expectClose("column sums", result, columns);

        Array to = zeros(type, n), offsets = random(f32, width, 1, 11);
        for (long i = 0; i < n; i++) direct[(size_t)i] = x[(size_t)i] * rowFactors.get(i / width);
        launch("scale_rows", type, 0, Grid{2}, 256, 0, a.data(), rowFactors.data(), (int)f32, to.data(), (long long)rows, (long long)width);
        expectClose("scale_rows", to, direct);
        for (long i = 0; i < n; i++) direct[(size_t)i] = x[(size_t)i] * factors.get(i % width) + offsets.get(i % width);
        launch("scale_columns", type, 0, Grid{2}, 256, 0, a.data(), factors.data(), type, offsets.data(), (int)f32, to.data(), (long long)rows, (long long)width);
        expectClose("scale_columns", to, direct);
        Array wide = zeros(type, rows * 400);
        launch("copy_columns", type, 0, Grid{2}, 256, 0, a.data(), wide.data(), (long long)rows, (long long)width, 400LL, 8LL, 104LL, 96LL);
        std::vector<float> copied((size_t)(rows * 400));
        for (long r = 0; r < rows; r++) for (long c = 0; c < 96; c++) copied[(size_t)(r * 400 + 104 + c)] = x[(size_t)(r * width + 8 + c)];
        expectEqual("copy_columns", wide, copied);
    }
}

CHECK(softmaxes, "softmax of rows and its gradient; lengths of updated rows") {
    for (int type : allTypes) {
        for (long width : {5L, 64L, 1000L}) {
            long rows = 6, n = rows * width;
            Array a = random(type, n, 5, 1), d = random(type, n, 1, 2), p = zeros(type, n), dx = zeros(type, n);
            std::vector<float> x = a.values(), w = x;
            for (long r = 0; r < rows; r++) {
                float maximum = -INFINITY, sum = 0;
                tb_online_softmax(&w[(size_t)(r * width)], 0, width, width, 0, &maximum, &sum);
                tb_scale(&w[(size_t)(r * width)], &w[(size_t)(r * width)], 1 / sum, width);
            }
            launch("softmax", type, 0, Grid{(unsigned)rows}, 256, 0, a.data(), p.data(), (long long)rows, (long long)width);
            expectClose("softmax", p, w);
            std::vector<float> g((size_t)n);
            for (long r = 0; r < rows; r++) {
                double mean = 0;
                for (long c = 0; c < width; c++) mean += (double)d.get(r * width + c) * p.get(r * width + c);
                for (long c = 0; c < width; c++) g[(size_t)(r * width + c)] = p.get(r * width + c) * (d.get(r * width + c) - (float)mean);
            }
            launch("softmax_backward", type, 0, Grid{(unsigned)rows}, 256, 0, d.data(), p.data(), dx.data(), (long long)rows, (long long)width);
            expectClose("softmax backward", dx, g, 2e-5f);
        }
        long outputs = 70, rank = 4;
        Array squares = random(f32, outputs, 0.5f, 1), up = random(f32, outputs * rank, 0.3f, 2), cross = random(type, rank * outputs, 0.3f, 3), gram = random(f32, outputs * rank, 0.3f, 4), result(f32, outputs);
        for (long j = 0; j < outputs; j++) squares.set(j, j == 3 ? 0 : squares.get(j) + 3);
        for (long r = 0; r < rank; r++) up.set(3 * rank + r, 0);
        std::vector<float> w((size_t)outputs);
        for (long j = 0; j < outputs; j++) {
            float sum = squares.get(j);
            for (long r = 0; r < rank; r++) sum += up.get(j * rank + r) * (2 * 0.7f * cross.get(r * outputs + j) + 0.7f * 0.7f * gram.get(j * rank + r));
            w[(size_t)j] = sum > 0 ? 1 / std::sqrt(sum) : 0;
        }
        launch("inverse_updated_norms", type, 0, Grid{1}, 256, 0, squares.data(), up.data(), (int)f32, cross.data(), gram.data(), 0.7f, result.data(), (long long)outputs, (long long)rank);
        expectClose("inverse_updated_norms", result, w);
    }
}

CHECK(indexed, "embeddings, selected rows and sums into rows in order") {
    for (int type : allTypes) {
        for (int tableType : allTypes) {
            long vocabulary = 50, width = 72, rows = 300;
            Array table = random(tableType, vocabulary * width, 1, 1), y = zeros(type, rows * width), tokens(randomIntegers(rows, (int)vocabulary, 2));
            std::vector<float> w((size_t)(rows * width));
            for (long i = 0; i < rows * width; i++) w[(size_t)i] = 1.5f * table.get(tokens.integers()[i / width] * width + i % width);
            launch("embedding", type, 0, Grid{(unsigned)rows}, 128, 0, table.data(), tableType, tokens.data(), 1.5f, y.data(), (long long)rows, (long long)width);
            expectClose("embedding", y, w);
            Array d = random(type, rows * width, 1, 3), sums = random(tableType, vocabulary * width, 1, 4);
            std::vector<float> s = sums.values(), from = d.values();
            for (long r = 0; r < rows; r++) tb_accumulate(&from[(size_t)(r * width)], &s[(size_t)(tokens.integers()[r] * width)], 0.5f, width);
            launch("add_rows", type, 0, Grid{(unsigned)rows, pieces(width, 512)}, 128, 0, d.data(), tokens.data(), 0.5f, sums.data(), tableType, (long long)rows, (long long)width);
            expectClose("add_rows", sums, s, 1e-6f);
        }
        Array from = random(type, 9 * 33, 1, 5), to = zeros(type, 4 * 33), indices(std::vector<int32_t>{8, 0, 3, 3});
        std::vector<float> w;
        for (int r : {8, 0, 3, 3}) for (int c = 0; c < 33; c++) w.push_back(from.get(r * 33 + c));
        launch("select_rows", type, 0, Grid{4}, 128, 0, from.data(), indices.data(), to.data(), 4LL, 33LL);
        expectEqual("select_rows", to, w);
        Array wideFrom = random(type, 5 * 1100, 1, 6), wideTo = zeros(f32, 2 * 1100), which(std::vector<int32_t>{1, 0, 1, 1, 0});
        std::vector<float> sum(2 * 1100);
        for (int r = 0; r < 5; r++) for (int c = 0; c < 1100; c++) sum[(size_t)(which.integers()[r] * 1100 + c)] += wideFrom.get(r * 1100 + c);
        launch("add_rows", type, 0, Grid{5, 3}, 128, 0, wideFrom.data(), which.data(), 1.0f, wideTo.data(), (int)f32, 5LL, 1100LL);
        expectClose("wide add_rows", wideTo, sum, 1e-6f);
    }
}

CHECK(rmsNorms, "root mean square norms, with residual, again and backward") {
    for (int type : allTypes) {
        for (int weightType : {(int)f32, (int)bf16}) {
            for (long width : {64L, 100L, 9000L}) {
                long rows = 3, n = rows * width;
                Array x = random(type, n, 2, 1), residual = random(type, n, 1, 2), weight = random(weightType, width, 1, 3), y = zeros(type, n), sum = zeros(type, n), inverse(f32, rows);
                std::vector<float> v = x.values(), wt = weight.values(), w((size_t)n), inv((size_t)rows);
                Grid grid{(unsigned)rows};
                tb_rms_norm(v.data(), wt.data(), 1, 1e-5f, rows, width, w.data(), inv.data());
                launch("rms_norm", type, 0, grid, 256, 0, x.data(), (void *)nullptr, weight.data(), weightType, 1e-5f, 1.0f, (void *)nullptr, y.data(), inverse.data(), (long long)rows, (long long)width);
                expectClose("rms_norm", y, w);
                expectClose("inverse", inverse, inv);
                launch("rms_norm_again", type, 0, grid, 256, 0, x.data(), weight.data(), weightType, 1.0f, inverse.data(), y.data(), (long long)rows, (long long)width);
                expectClose("rms_norm_again", y, w);
                launch("rms_norm", type, 0, grid, 256, 0, x.data(), residual.data(), weight.data(), weightType, 1e-5f, 1.0f, sum.data(), y.data(), inverse.data(), (long long)rows, (long long)width);
                Array together(type, n);
                for (long i = 0; i < n; i++) together.set(i, x.get(i) + residual.get(i));
                expectEqual("sum with the residual", sum, together.values());
                v = together.values();
                tb_rms_norm(v.data(), wt.data(), 1, 1e-5f, rows, width, w.data(), inv.data());
                expectClose("norm of the sum", y, w);
                Array d = random(type, n, 1, 4), dx = random(type, n, 1, 5);
                std::vector<float> dy = d.values(), into = dx.values(), weightGradient((size_t)width);
                tb_rms_norm_backward(dy.data(), v.data(), wt.data(), 1, inv.data(), rows, width, 1, into.data(), weightGradient.data());
                launch("rms_norm_backward", type, 0, grid, 256, 0, d.data(), sum.data(), weight.data(), weightType, 1.0f, inverse.data(), dx.data(), 1, (long long)rows, (long long)width);
                expectClose("rms_norm_backward", dx, into);
                std::vector<float> zero((size_t)n);
                tb_rms_norm_backward(dy.data(), v.data(), wt.data(), 1, inv.data(), rows, width, 0, zero.data(), nullptr);
                launch("rms_norm_backward", type, 0, grid, 256, 0, d.data(), sum.data(), weight.data(), weightType, 1.0f, inverse.data(), dx.data(), 0, (long long)rows, (long long)width);
                expectClose("rms_norm_backward alone", dx, zero);
                Array partials(f32, 2 * width), result = zeros(f32, width);
                launch("column_dots_partial", type, 0, Grid{pieces(width, 256), 2}, 256, 0, d.data(), sum.data(), inverse.data(), (void *)nullptr, (long long)rows, (long long)width, partials.data());
                launch("column_sums_finish", type, 0, Grid{pieces(width, 256)}, 256, 0, partials.data(), 2LL, (long long)width, (void *)nullptr, 0, 1.0f, result.data(), 0);
                expectClose("weight's gradient", result, weightGradient);
            }
        }
    }
}

CHECK(layerNorms, "layer norms, with residual and backward") {
    for (int type : allTypes) {
        for (long width : {64L, 100L, 9000L}) {
            long rows = 3, n = rows * width;
            Array x = random(type, n, 2, 1), residual = random(type, n, 1, 2), weight = random(f32, width, 1, 3), bias = random(bf16, width, 1, 6), y = zeros(type, n), sum = zeros(type, n), means(f32, rows), inverse(f32, rows);
            std::vector<float> v = x.values(), wt = weight.values(), bs = bias.values(), w((size_t)n), mean((size_t)rows), inv((size_t)rows);
            Grid grid{(unsigned)rows};
            tb_layer_norm(v.data(), wt.data(), bs.data(), 1e-5f, rows, width, w.data(), mean.data(), inv.data());
            launch("layer_norm", type, 0, grid, 256, 0, x.data(), (void *)nullptr, weight.data(), (int)f32, bias.data(), (int)bf16, 1e-5f, (void *)nullptr, y.data(), means.data(), inverse.data(), (long long)rows, (long long)width);
            expectClose("layer_norm", y, w);
            expectClose("inverse", inverse, inv);
            expectClose("means", means, mean, 1e-4f);
            Array d = random(type, n, 1, 4), dx = random(type, n, 1, 5);
            std::vector<float> dy = d.values(), into = dx.values(), weightGradient((size_t)width), biasGradient((size_t)width);
            tb_layer_norm_backward(dy.data(), v.data(), wt.data(), mean.data(), inv.data(), rows, width, 1, into.data(), weightGradient.data(), biasGradient.data());
            launch("layer_norm_backward", type, 0, grid, 256, 0, d.data(), x.data(), weight.data(), (int)f32, means.data(), inverse.data(), dx.data(), 1, (long long)rows, (long long)width);
            expectClose("layer_norm_backward", dx, into);
            Array partials(f32, 2 * width), result = zeros(f32, width);
            launch("column_dots_partial", type, 0, Grid{pieces(width, 256), 2}, 256, 0, d.data(), x.data(), inverse.data(), means.data(), (long long)rows, (long long)width, partials.data());
            launch("column_sums_finish", type, 0, Grid{pieces(width, 256)}, 256, 0, partials.data(), 2LL, (long long)width, (void *)nullptr, 0, 1.0f, result.data(), 0);
            expectClose("weight's gradient", result, weightGradient);
            launch("layer_norm", type, 0, grid, 256, 0, x.data(), residual.data(), weight.data(), (int)f32, bias.data(), (int)bf16, 1e-5f, sum.data(), y.data(), means.data(), inverse.data(), (long long)rows, (long long)width);
            Array together(type, n);
            for (long i = 0; i < n; i++) together.set(i, x.get(i) + residual.get(i));
            expectEqual("sum with the residual", sum, together.values());
            v = together.values();
            tb_layer_norm(v.data(), wt.data(), bs.data(), 1e-5f, rows, width, w.data(), mean.data(), inv.data());
            expectClose("norm of the sum", y, w);
        }
    }
}

CHECK(rotations, "rotary embedding, split and interleaved, there and back") {
    for (int type : allTypes) {
        for (int interleaved = 0; interleaved < 2; interleaved++) {
            for (int half : {16, 12, 5}) {
                int heads = 3, dimension = 40;
                long rows = 4, width = heads * dimension, stride = width + 24;
                Array x = random(type, rows * stride, 1, 1), cosines = random(f32, 20 * half, 1, 2), sines = random(f32, 20 * half, 1, 3), y = zeros(type, rows * width), positions(std::vector<int32_t>{3, 0, 19, 7});
                for (float sign : {1.0f, -1.0f}) {
                    std::vector<float> from((size_t)(rows * width)), w = from;
                    for (long i = 0; i < rows * width; i++) from[(size_t)i] = x.get(i / width * stride + i % width);
                    tb_rotary(from.data(), w.data(), rows, heads, dimension, half, interleaved, cosines.floats(), sines.floats(), positions.integers(), sign);
                    launch("rotary", type, 0, Grid{1}, 256, 0, x.data(), y.data(), cosines.data(), sines.data(), positions.data(), (long long)rows, heads, dimension, half, interleaved, sign, (long long)stride, (long long)width);
                    expectClose("rotary", y, w);
                }
                Array place = Array(type, Array(x).values());
                std::vector<float> w = x.values();
                for (long r = 0; r < rows; r++) tb_rotary(&w[(size_t)(r * stride)], &w[(size_t)(r * stride)], 1, heads, dimension, half, interleaved, cosines.floats(), sines.floats(), positions.integers() + r, 1);
                launch("rotary", type, 0, Grid{1}, 256, 0, place.data(), place.data(), cosines.data(), sines.data(), positions.data(), (long long)rows, heads, dimension, half, interleaved, 1.0f, (long long)stride, (long long)stride);
                expectClose("rotary in place", place, w);
            }
        }
    }
}
