/// `tuneboard-bench train`: optimiser steps of LoRA or full training on random tokens, every one with loss, beside the machine's
/// speed at plain matrix products in the same run.
///
/// FLOPs are counted, not estimated from time: a frozen weight costs 2 per token and element forward and 2 for the gradient of its
/// input; a trained one 2 more for its own; causal attention half of its square, and three and a half times the forward in all.

import COpenBLAS
import Datasets
import Formats
import Glibc
import Models
import Platform
import Tensors
import Training

struct TrainBenchmark {
    private let shape: BenchModel
    private let batch: Int
    private let length: Int
    private let rank: Int
    private let isLora: Bool
    private let threads: Int
    private let steps: Int
    private let warmup: Int
    private let dtype: DType
    private let recomputes: Bool

    static let argumentNames = BenchModel.argumentNames + [
        "batch", "length", "rank", "method", "threads", "steps", "warmup", "dtype", "checkpointing",
    ]

    init(_ arguments: BenchArguments) {
        shape = BenchModel(arguments)
        batch = arguments.integer("batch", 4)
        length = arguments.integer("length", 256)
        rank = arguments.integer("rank", 8)
        isLora = arguments.text("method", "lora") == "lora"
        threads = arguments.integer("threads", 0)
        steps = max(1, arguments.integer("steps", 8))
        warmup = max(0, arguments.integer("warmup", 2))
        dtype = arguments.text("dtype", "float32") == "bfloat16" ? .bfloat16 : .float32
        recomputes = arguments.integer("checkpointing", 0) != 0
    }

    func run() throws -> JSONObject {
        let backend = CPUBackend(threadCount: threads)
        let limit = Self.productLimit(threads: backend.threadCount)
        let model = try shape.make(backend: backend, dtype: dtype)
        if isLora {
            var random = RandomGenerator(seed: 2)
            try model.addLowRankAdapters(AdapterSettings(rank: rank), random: &random)
        }
        model.recomputesBlocks = recomputes
        let optimizer = Optimizer.adamW(model.trainableParameters, backend: backend)
        var random = RandomGenerator(seed: 3)
        var seconds: [Double] = []
        var norm = 0.0
        var loss = 0.0
        for step in 0..<(warmup + steps) {
            let start = Clock.monotonicSeconds()
            (loss, norm) = trainStep(model, optimizer, &random)
            if step >= warmup { seconds.append(Clock.monotonicSeconds() - start) }
        }
        let tokens = Double(batch * length)
        let median = Statistics.median(seconds)
        let rate = floatingPointOperations(model) / median / 1e9
        return JSONObject([
            ("case", "train"), ("method", isLora ? "lora" : "full"), ("device", .string(backend.summary)), ("batch", .integer(batch)),
            ("length", .integer(length)), ("tokens_per_second", .number(tokens / median)),
            ("step_seconds", .array(seconds.map { .number($0) })), ("peak_rss_bytes", .integer(Int(SystemInfo.peakResidentBytes()))),
            ("planned_bytes", .integer(Int(try plannedBytes()))), ("flops_per_step", .number(floatingPointOperations(model))),
            ("gflops", .number(rate)), ("sgemm_gflops", .number(limit)), ("share_of_sgemm", .number(rate / limit)), ("gradient_norm", .number(norm)), ("loss", .number(loss)),
        ])
    }

    /// What the estimate before a run would say.
    private func plannedBytes() throws -> Int64 {
        let model = try Transformer.planned(
            folder: ModelFolder(configuration: shape.configuration), backend: PlanningBackend(), dtype: dtype, trainsBase: !isLora)
        if isLora {
            var random = RandomGenerator(seed: 2)
            try model.addLowRankAdapters(AdapterSettings(rank: rank), random: &random)
        }
        model.recomputesBlocks = recomputes
        let tokens = [Int32](repeating: 1, count: length)
        let samples = [TrainingSample](repeating: TrainingSample(tokens: tokens, labels: tokens), count: batch)
        return MemoryPlan(
            model: model, optimizer: .adamW(model.trainableParameters, backend: model.backend), largest: Batch(samples)).peakBytes
    }

    private func trainStep(_ model: Transformer, _ optimizer: Optimizer, _ random: inout RandomGenerator) -> (loss: Double, norm: Double) {
        let count = batch * length
        let tokens = (0..<count).map { _ in Int32(random.index(below: shape.vocabulary)) }
        let targets = (0..<count).map { ($0 + 1) % length == 0 ? -100 : tokens[$0 + 1] }
        let tape = Tape(backend: model.backend, isRecording: true)
        let hidden = model.hidden(tape, tokens: tokens, layout: SequenceLayout(lengths: [Int](repeating: length, count: batch)))
        let output = tape.linearCrossEntropy(hidden, head: model.head, targets: targets, normalizer: Float(batch * (length - 1)))
        tape.backward(output.loss)
        let norm = optimizer.gradientNorm()
        optimizer.update(learningRate: 1e-4, gradientScale: Optimizer.clipFactor(norm: norm, maximum: 1))
        return (output.lossSum / Double(output.tokenCount), norm)
    }

    private func floatingPointOperations(_ model: Transformer) -> Double {
        let tokens = Double(batch * length)
        let layers = Double(model.linears.reduce(0) { $0 + $1.inputCount * $1.outputCount })
        let head = Double(model.head.inputCount * model.head.outputCount)
        let adapters = Double(model.adapterParameters.reduce(0) { $0 + $1.count })
        let weightPasses = (isLora ? 4.0 : 6.0) + (recomputes ? 2 : 0)
        let products = weightPasses * layers + (isLora ? 4.0 : 6.0) * head * Double(length - 1) / Double(length) + 6 * adapters
        let width = Double(model.spec.queryWidth)
        let attention = 3.5 * 2 * Double(length) * width * Double(model.spec.layerCount)
        return tokens * (products + attention)
    }

    /// GFLOP/s of OpenBLAS at a product of the model's size, the best of several.
    private static func productLimit(threads: Int) -> Double {
        let (rows, columns, inner) = (1024, 2048, 768)
        let a = [Float](repeating: 0.5, count: rows * inner)
        let b = [Float](repeating: 0.25, count: columns * inner)
        var c = [Float](repeating: 0, count: rows * columns)
        openblas_set_num_threads(Int32(threads))
        defer { openblas_set_num_threads(1) }
        var best = Double.infinity
        for _ in 0..<12 {
            let start = Clock.monotonicSeconds()
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(columns), blasint(inner), 1, a, blasint(inner), b,
                blasint(inner), 0, &c, blasint(columns))
            best = min(best, Clock.monotonicSeconds() - start)
        }
        return 2 * Double(rows * columns * inner) / best / 1e9
    }
}
