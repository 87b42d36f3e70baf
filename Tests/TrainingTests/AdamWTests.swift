import Tensors
import Testing

@testable import Training

@Suite("AdamW")
struct AdamWTests {
    private func problem() throws -> (parameters: [Parameter], example: [String: [[Float]]], gradients: [[[Float]]]) {
        let json = try Fixtures.json(Fixtures.training + "/adamw.json")
        let start = (json["start"]?.arrayValue ?? []).map(\.floats)
        let names = ["layers.0.weight", "layers.0.bias"]
        let parameters = zip(names, start).map { name, values in
            Parameter(name: name, value: Tensor(values, shape: [values.count]), requiresGradient: true)
        }
        let example = ["middle": json["middle"], "end": json["end"]].mapValues { ($0?.arrayValue ?? []).map(\.floats) }
        let gradients = (json["gradients"]?.arrayValue ?? []).map { ($0.arrayValue ?? []).map(\.floats) }
        return (parameters, example, gradients)
    }

    private func make(_ parameters: [Parameter]) -> Optimizer {
        Optimizer.adamW(
            parameters, settings: AdamWSettings(beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0.1),
            backend: CPUBackend(threadCount: 1))
    }

    private func step(_ optimizer: Optimizer, _ gradients: [[Float]]) {
        for (parameter, values) in zip(optimizer.parameters, gradients) {
            parameter.gradient = Tensor(values, shape: [values.count])
        }
        optimizer.update(learningRate: 0.01)
    }

    private func largestDifference(_ parameters: [Parameter], _ expected: [[Float]]) -> Float {
        zip(parameters, expected).flatMap { parameter, values in zip(parameter.value.floats(), values).map { abs($0 - $1) } }.max() ?? 1
    }

    @Test("Twenty steps equal PyTorch's, with decay on weights and none on biases")
    func equalsTorch() throws {
        let (parameters, expected, gradients) = try problem()
        let optimizer = make(parameters)
        for (index, gradient) in gradients.enumerated() {
            step(optimizer, gradient)
            if index == 9 { #expect(largestDifference(parameters, expected["middle"] ?? []) < 1e-6) }
        }
        #expect(optimizer.stepCount == 20)
        #expect(largestDifference(parameters, expected["end"] ?? []) < 1e-6)
    }

    @Test("A saved and reloaded optimizer goes on as if nothing had happened, to the bit")
    func resumes() throws {
        let (whole, _, gradients) = try problem()
        let uninterrupted = make(whole)
        for gradient in gradients { step(uninterrupted, gradient) }

        let (parts, _, _) = try problem()
        let first = make(parts)
        for gradient in gradients.prefix(7) { step(first, gradient) }
        try Fixtures.withTemporaryDirectory { directory in
            try first.write(to: directory)
            let second = make(parts)
            try second.read(from: directory)
            #expect(second.stepCount == 7)
            for gradient in gradients.dropFirst(7) { step(second, gradient) }
        }
        for (one, other) in zip(whole, parts) { #expect(one.value.floats() == other.value.floats()) }
    }

    @Test("A state of other tensors is refused by name")
    func mismatch() throws {
        let (parameters, _, gradients) = try problem()
        let other = Parameter(name: "other.weight", value: .zeros([3]), requiresGradient: true)
        try Fixtures.withTemporaryDirectory { directory in
            let optimizer = make(parameters)
            step(optimizer, gradients[0])
            try optimizer.write(to: directory)
            #expect(throws: TrainingError.self) { try make([other, parameters[1]]).read(from: directory) }
            #expect(throws: TrainingError.self) { try make([parameters[0]]).read(from: directory) }
        }
    }

    @Test("Biases and norms do not decay")
    func decay() {
        for name in ["model.layers.0.self_attn.q_proj.bias", "model.norm.weight", "model.layers.1.input_layernorm.weight",
            "model.layers.0.self_attn.q_norm.weight", "model.layers.0.post_attention_layernorm.weight"]
        {
            #expect(!Optimizer.decays(name), "\(name)")
        }
        for name in ["model.embed_tokens.weight", "lm_head.weight", "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"] {
            #expect(Optimizer.decays(name), "\(name)")
        }
    }

    @Test("Clipping follows clip_grad_norm_")
    func clipping() {
        #expect(Optimizer.clipFactor(norm: 0.5, maximum: 1) == 1)
        #expect(Optimizer.clipFactor(norm: 4, maximum: 1) == 1 / (4 + 1e-6))
        #expect(Optimizer.clipFactor(norm: 4, maximum: 0) == 1)
    }
}
