import Formats
import Models
import Tensors
import Testing

/// Ten AdamW steps on one batch, with clipping, against torch.optim.AdamW.
@Suite struct TrainingStepsTests {
    @Test func tenAdapterStepsFollowPEFT() throws {
        let model = try Transformer.load(directory: Fixtures.llama, backend: backend)
        try AdapterFile.load(Fixtures.adapter, into: model, isTrainable: true)
        let expected = Fixtures.numbers(try Fixtures.json("expected.json")["llama"]?["adapterLosses"])
        try compare(losses(model, learningRate: 5e-3), expected)
    }

    @Test func tenFullStepsFollowTransformers() throws {
        let options = LoadOptions(dtype: .float32, trainsBase: true)
        let model = try Transformer.load(directory: Fixtures.qwen2, backend: backend, options: options)
        let expected = Fixtures.numbers(try Fixtures.json("expected.json")["qwen2"]?["losses"])
        try compare(losses(model, learningRate: 1e-3), expected)
    }

    private func compare(_ found: [Double], _ expected: [Double]) throws {
        try #require(expected.count == 10)
        for (loss, reference) in zip(found, expected) { #expect(abs(loss - reference) / reference < 1e-3) }
    }

    private func losses(_ model: Transformer, learningRate: Double) throws -> [Double] {
        let batch = try Fixtures.batch()
        return tenSteps(model, learningRate: learningRate) { trainingLoss(model, batch) }
    }
}

/// Losses of ten AdamW steps with clipping, each measured before its step.
/// - Parameter loss: computes the loss and leaves gradients in the parameters
func tenSteps(_ model: Transformer, learningRate: Double, loss: () -> Double) -> [Double] {
    let trained = model.trainableParameters
    let moments = trained.map { (Tensor.zeros($0.shape), Tensor.zeros($0.shape)) }
    return (1...10).map { step in
        let found = loss()
        let norm = trained.compactMap(\.gradient).reduce(0) { $0 + backend.sumOfSquares($1) }.squareRoot()
        let settings = AdamWStep(learningRate: learningRate, weightDecay: 0.01, step: step, gradientScale: min(1, 1 / (norm + 1e-6)))
        for (parameter, moment) in zip(trained, moments) {
            guard let gradient = parameter.gradient else { continue }
            backend.adamW(
                parameter: parameter.value, gradient: gradient, firstMoment: moment.0, secondMoment: moment.1, step: settings)
            parameter.gradient = nil
        }
        return found
    }
}
