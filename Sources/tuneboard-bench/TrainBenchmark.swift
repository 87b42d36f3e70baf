/// `tuneboard-bench train`: optimiser steps of LoRA or full training on random tokens, beside the machine's speed at plain matrix
/// products in the same run.
///
///     tuneboard-bench train --shape b --dtype bfloat16 --quantization nf4 --batch 1 --length 512
///     tuneboard-bench train --batch 8 --lengths 180,512,77,...      each batch the next eight, over and over
///
/// FLOPs are counted, not estimated from time: a frozen weight costs 2 per token and element forward and 2 for the gradient of its
/// input; a trained one 2 more for its own; causal attention half of its square, and three and a half times the forward in all.
/// The head counts for the rows with loss.

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
    private let lengths: [Int]
    /// Of each sequence's tokens, those at its beginning that carry no loss.
    private let masked: Double
    private let rank: Int
    private let isLora: Bool
    private let threads: Int
    private let steps: Int
    private let warmup: Int
    private let dtype: DType
    private let quantizer: WeightQuantizer?
    private let recomputes: Bool
    /// Of a card: what waits in the host's memory.
    private let offload: Offload
    private let products: CPUBackend.ProductKernels
    private let device: String
    /// Of activations on a card.
    private let precision: DType

    static let argumentNames = BenchModel.argumentNames + [
        "batch", "length", "lengths", "masked", "rank", "method", "threads", "steps", "warmup", "dtype", "quantization", "checkpointing", "products", "offload",
        "device", "precision",
    ]

    init(_ arguments: BenchArguments) throws {
        shape = BenchModel(arguments)
        batch = max(1, arguments.integer("batch", 4))
        let listed = arguments.text("lengths", "").split(separator: ",").compactMap { Int($0) }
        lengths = listed.isEmpty ? [max(2, arguments.integer("length", 256))] : listed.map { max(2, $0) }
        masked = min(0.99, max(0, Double(arguments.text("masked", "0")) ?? 0))
        rank = arguments.integer("rank", 8)
        isLora = arguments.text("method", "lora") == "lora"
        threads = arguments.integer("threads", 0)
        device = arguments.text("device", "cpu")
        precision = arguments.text("precision", "bf16") == "f32" ? .float32 : .bfloat16
        steps = max(1, arguments.integer("steps", 8))
        warmup = max(0, arguments.integer("warmup", 2))
        dtype = arguments.text("dtype", "float32") == "bfloat16" ? .bfloat16 : .float32
        quantizer = try Self.quantizer(arguments.text("quantization", "none"))
        recomputes = arguments.integer("checkpointing", 0) != 0
        offload = try Self.offload(arguments.text("offload", "none"))
        products = arguments.text("products", "float32") == "bfloat16" ? .bfloat16 : .best
        if quantizer != nil, !isLora { throw BenchError.unsuitable("--quantization goes with --method lora: a quantised weight cannot be trained") }
    }

    private static func quantizer(_ name: String) throws -> WeightQuantizer? {
        switch name {
        case "none": nil
        case "nf4": WeightQuantizer(.table(.nf4, doubleQuantized: true))
        case "fp4": WeightQuantizer(.table(.fp4, doubleQuantized: true))
        case "int8": WeightQuantizer(.int8)
        default: throw BenchError.unsuitable("--quantization \(name): expected none, nf4, fp4 or int8")
        }
    }

    private static func offload(_ name: String) throws -> Offload {
        switch name {
        case "none": Offload()
        case "optimizer": Offload(optimizer: true)
        case "checkpoints": Offload(checkpoints: true)
        case "both": Offload(optimizer: true, checkpoints: true)
        default: throw BenchError.unsuitable("--offload \(name): expected none, optimizer, checkpoints or both")
        }
    }

    /// The sequences of one step.
    private struct Step {
        let lengths: [Int]
        let tokens: [Int32]
        let targets: [Int32]
        var tokenCount: Int { tokens.count }
        var lossCount: Int { targets.count { $0 != Tape.ignoredTarget } }
    }

    func run() throws -> JSONObject {
        let backend = try BenchDevice.backend(device, threads: threads, activationType: precision, products: products)
        // Of a card: what PyTorch's largest bf16 products reach on an H100.
        let limit = (backend as? CPUBackend).map { ProductLimit.measure(threads: $0.threadCount) } ?? 798_000
        let model = try shape.make(backend: backend, dtype: dtype, quantizer: quantizer)
        try prepare(model)
        let optimizer = Optimizer.adamW(model.trainableParameters, backend: backend, isOffloaded: offload.optimizer)
        backend.offloadsCheckpoints = offload.checkpoints
        var random = RandomGenerator(seed: 3)
        var seconds: [Double] = [], tokens = 0, operations = 0.0, norm = 0.0, loss = 0.0
        var losses: [Double] = [], norms: [Double] = []
        for number in 0..<(warmup + steps) {
            let step = step(number, &random)
            let start = Clock.monotonicSeconds()
            (loss, norm) = train(step, model, optimizer)
            try backend.throwIfFailed()
            norms.append(norm)
            losses.append(loss)
            guard number >= warmup else { continue }
            seconds.append(Clock.monotonicSeconds() - start)
            tokens += step.tokenCount
            operations += floatingPointOperations(model, step)
        }
        // Steps alike: the median is the speed. Steps of different sizes: all of them together.
        let isEven = lengths.count == 1
        let total = isEven ? Statistics.median(seconds) * Double(steps) : seconds.reduce(0, +)
        let rate = operations / total / 1e9
        return JSONObject([
            ("case", "train"), ("method", isLora ? "lora" : "full"), ("device", .string(backend.summary)),
            ("base", .string(quantizer?.format.name ?? "\(dtype)")), ("products", .string("\(products)")), ("batch", .integer(batch)),
            ("tokens", .integer(tokens)),
            ("tokens_per_second", .number(Double(tokens) / total)), ("step_seconds", .array(seconds.map { .number($0) })),
            ("peak_rss_bytes", .integer(Int(SystemInfo.peakResidentBytes()))), ("planned_bytes", .integer(Int(try plannedBytes()))),
            ("flops", .number(operations)), ("gflops", .number(rate)), ("sgemm_gflops", .number(limit)),
            ("share_of_sgemm", .number(rate / limit)), ("gradient_norm", .number(norm)), ("loss", .number(loss)),
            ("losses", .array(losses.map { .number($0) })), ("gradient_norms", .array(norms.map { .number($0) })),
            ("offload", .string(offload.optimizer ? offload.checkpoints ? "both" : "optimizer" : offload.checkpoints ? "checkpoints" : "none")),
        ] + BenchDevice.facts(backend))
    }

    private func prepare(_ model: Transformer) throws {
        if isLora {
            var random = RandomGenerator(seed: 2)
            try model.addLowRankAdapters(AdapterSettings(rank: rank), random: &random)
        }
        model.recomputesBlocks = recomputes
    }

    /// What the estimate before a run would say.
    private func plannedBytes() throws -> Int64 {
        let model = try Transformer.planned(
            folder: ModelFolder(configuration: shape.configuration),
            backend: PlanningBackend(savedType: products == .bfloat16 ? .bfloat16 : .float32), dtype: dtype, trainsBase: !isLora,
            quantizer: quantizer)
        try prepare(model)
        var random = RandomGenerator(seed: 3)
        let batches = (0..<(warmup + steps)).map { batch(step($0, &random)) }
        return MemoryPlan(model: model, optimizer: .adamW(model.trainableParameters, backend: model.backend), batches: batches).peakBytes
    }

    private func batch(_ step: Step) -> Batch {
        var samples: [TrainingSample] = [], start = 0
        for length in step.lengths {
            let prompt = Int(Double(length) * masked), tokens = Array(step.tokens[start..<start + length])
            let labels = [Int32](repeating: Tape.ignoredTarget, count: prompt) + tokens.dropFirst(prompt)
            samples.append(TrainingSample(tokens: tokens, labels: labels))
            start += length
        }
        return Batch(samples)
    }

    private func step(_ number: Int, _ random: inout RandomGenerator) -> Step {
        let chosen = (0..<batch).map { lengths[(number * batch + $0) % lengths.count] }
        let tokens = (0..<chosen.reduce(0, +)).map { _ in Int32(random.index(below: shape.vocabulary)) }
        var targets: [Int32] = []
        for length in chosen {
            let start = targets.count, prompt = Int(Double(length) * masked)
            targets += (1...length).map { $0 < length && $0 >= prompt ? tokens[start + $0] : Tape.ignoredTarget }
        }
        return Step(lengths: chosen, tokens: tokens, targets: targets)
    }

    private func train(_ step: Step, _ model: Transformer, _ optimizer: Optimizer) -> (loss: Double, norm: Double) {
        let tape = Tape(backend: model.backend, isRecording: true)
        let hidden = model.hidden(tape, tokens: step.tokens, layout: SequenceLayout(lengths: step.lengths))
        let output = tape.linearCrossEntropy(hidden, head: model.head, targets: step.targets, normalizer: Float(max(1, step.lossCount)))
        tape.backward(output.loss)
        let norm: Double
        if let update = optimizer.updateGroup(learningRate: 1e-4, maximumNorm: 1) {
            norm = update.norm.value
        } else {
            norm = optimizer.gradientNorm()
            optimizer.update(learningRate: 1e-4, gradientScale: Optimizer.clipFactor(norm: norm, maximum: 1))
        }
        return (output.lossSum / Double(max(1, output.tokenCount)), norm)
    }

    private func floatingPointOperations(_ model: Transformer, _ step: Step) -> Double {
        let layers = Double(model.linears.reduce(0) { $0 + $1.inputCount * $1.outputCount })
        let head = Double(model.head.inputCount * model.head.outputCount)
        let adapters = Double(model.adapterParameters.reduce(0) { $0 + $1.count })
        let weightPasses = (isLora ? 4.0 : 6.0) + (recomputes ? 2 : 0)
        let squares = step.lengths.reduce(0.0) { $0 + Double($1) * Double($1) }
        let attention = 3.5 * 2 * squares * Double(model.spec.queryWidth) * Double(model.spec.layerCount)
        return Double(step.tokenCount) * (weightPasses * layers + 6 * adapters)
            + Double(step.lossCount) * (isLora ? 4.0 : 6.0) * head + attention
    }
}
