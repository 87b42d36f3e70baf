import Models
import Tensors
import Testing

/// Training with products in bf16 and activations that wait in bf16, against the same in f32.
@Suite struct RoundedTrainingTests {
    private func gradients(_ products: CPUBackend.ProductKernels, _ quantizer: WeightQuantizer?) throws -> (loss: Double, gradients: [[Float]]) {
        let backend = CPUBackend(threadCount: 2, products: products)
        let model = try Transformer.load(
            directory: Fixtures.llama, backend: backend, options: LoadOptions(dtype: .bfloat16, quantizer: quantizer))
        try AdapterFile.load(Fixtures.adapter, into: model, isTrainable: true)
        let batch = try Fixtures.batch()
        let tape = Tape(backend: backend, isRecording: true)
        let output = model.crossEntropy(
            tape, tokens: batch.tokens, layout: batch.layout, targets: batch.targets, normalizer: Float(batch.lossTokenCount)
        ).output
        tape.backward(output.loss)
        return (output.lossSum / Double(output.tokenCount), model.trainableParameters.compactMap { $0.gradient?.floats() })
    }

    @Test("Every gradient keeps its direction and its length", arguments: [false, true])
    func gradientsKeepTheirDirection(_ isQuantised: Bool) throws {
        let quantizer = isQuantised ? WeightQuantizer(.table(.nf4, doubleQuantized: true)) : nil
        let full = try gradients(.best, quantizer), rounded = try gradients(.bfloat16, quantizer)
        #expect(abs(full.loss - rounded.loss) < 1e-2 * full.loss)
        #expect(full.gradients.count == rounded.gradients.count && !full.gradients.isEmpty)
        for (one, other) in zip(full.gradients, rounded.gradients) {
            func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
            let lengths = dot(one, one).squareRoot() * dot(other, other).squareRoot()
            #expect(dot(one, other) / lengths > 0.999)
            #expect(abs(dot(other, other) / dot(one, one) - 1) < 0.04)
        }
    }
}
