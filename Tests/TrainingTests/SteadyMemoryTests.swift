import Datasets
import Models
import Platform
import Tensors
import Testing

@testable import Training

/// A run's memory is taken in its first steps.
@Suite struct SteadyMemoryTests {
    private enum Kind: String, CaseIterable {
        case lora, full, recomputed, quantised, unevenLengths
    }

    @Test("No step after the second asks the system for memory, scratch buffers included", arguments: Kind.allCases)
    private func stepsAfterTheSecondAllocateNothing(_ kind: Kind) throws {
        let backend = CPUBackend(threadCount: 2)
        let quantizer = kind == .quantised ? WeightQuantizer(.table(.nf4, doubleQuantized: true)) : nil
        let model = try Transformer.load(
            directory: Path.join(Fixtures.directory, "models/llama"), backend: backend,
            options: LoadOptions(dtype: kind == .full ? .float32 : nil, trainsBase: kind == .full, quantizer: quantizer))
        if kind != .full {
            var random = RandomGenerator(seed: 1)
            try model.addLowRankAdapters(AdapterSettings(rank: 4), random: &random)
        }
        model.recomputesBlocks = kind == .recomputed
        let optimizer = Optimizer.adamW(model.trainableParameters, backend: backend)
        let objective = CrossEntropyObjective(model: model)
        func step(_ lengths: [Int]) {
            let samples = lengths.map { length in
                let tokens = (0..<length).map { Int32($0 * 7 % model.spec.vocabularySize) }
                return TrainingSample(tokens: tokens, labels: tokens)
            }
            let batch = Batch(samples)
            let tape = Tape(backend: backend, isRecording: true)
            _ = objective.accumulate(batch, tape: tape, divisor: batch.labelCount)
            optimizer.update(learningRate: 1e-4, gradientScale: Optimizer.clipFactor(norm: optimizer.gradientNorm(), maximum: 1))
        }
        // Steps of the same tokens, cut in other ways, are served from the same blocks.
        let later = kind == .unevenLengths ? [[60, 36], [30, 30, 36], [96], [50, 46]] : [[64, 32], [64, 32], [64, 32], [64, 32]]
        step([64, 32])
        step([64, 32])
        let misses = backend.memory.missCount
        for lengths in later { step(lengths) }
        #expect(backend.memory.missCount == misses)
        #expect(backend.memory.requestCount > 0)
    }
}
