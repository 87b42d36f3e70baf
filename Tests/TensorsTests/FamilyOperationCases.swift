import Platform

@testable import Tensors

/// The rows of the table for operations that only some families use.
extension OperationCase {
    static let families: [OperationCase] = [
        OperationCase(
            "layerNorm", inputs: [[70, 40]],
            parameters: {
                [
                    Parameter(name: "weight", value: randomTensor([40], &$0), requiresGradient: true),
                    Parameter(name: "bias", value: randomTensor([40], &$0), requiresGradient: true),
                ]
            }
        ) { tape, x, _, p in [tape.layerNorm(x[0], weight: p[0], bias: p[1], epsilon: 1e-5)] },
        OperationCase("activation, gelu by tanh", inputs: [[3, 70]]) { tape, x, _, _ in [tape.activation(x[0], kind: .geluTanh)] },
        OperationCase("activation, silu", inputs: [[3, 70]]) { tape, x, _, _ in [tape.activation(x[0], kind: .silu)] },
        mixture("weights that add up to one", normalises: true), mixture("weights among all experts", normalises: false),
        OperationCase("sigmoidScaled", inputs: [[5, 12], [5, 1]]) { tape, x, _, _ in [tape.sigmoidScaled(x[0], gate: x[1])] },
        OperationCase("loadBalancingLoss", inputs: [[5, 4], [5, 4]]) { tape, x, _, _ in
            [tape.loadBalancingLoss([tape.add(x[0], tape.constant(preferences)), tape.add(tape.constant(preferences), x[1])], expertsPerToken: 2)]
        },
        OperationCase("columns of a fused projection", inputs: [[5, 12]]) { tape, x, _, _ in
            tape.columns(x[0], [[0..<4, 6..<10], [4..<5, 10..<11], [5..<6, 11..<12]])
        },
        OperationCase("columns of which one part is not used", inputs: [[5, 12]]) { tape, x, _, _ in
            [tape.columns(x[0], [[0..<4], [4..<12]])[1]]
        },
        OperationCase("softCap", inputs: [[5, 12]]) { tape, x, _, _ in [tape.softCap(x[0], cap: 1.5)] },
        head("linearCrossEntropy of capped logits", .softCap(3)), head("linearCrossEntropy of a head with unit rows", .unitRows),
        logProbabilities("tokenLogProbabilities of capped logits", .softCap(3)),
        logProbabilities("tokenLogProbabilities of a head with unit rows", .unitRows),
        OperationCase("attention with slopes", inputs: [[73, 32], [73, 16], [73, 16]]) { tape, x, _, _ in
            let shape = AttentionShape(headCount: 4, keyValueHeadCount: 2, headDimension: 8, slopes: [0.5, 0.25, 0.125, 0.0625])
            return [tape.attention(query: x[0], key: x[1], value: x[2], shape: shape, layout: SequenceLayout(lengths: [70, 3]), layer: 0)]
        },
    ]

    /// Far apart, so that no small change of the logits sends a token elsewhere. Nobody chooses the last of four experts first.
    private static let preferences = Tensor([0, 2, 4, 1, 4, 2, 0, -1, 2, 4, 0, 1, 4, 0, 2, -1, 2, 0, 4, 1], shape: [5, 4])

    /// Four experts with different ways of being trained; five tokens go to two each.
    private static func mixture(_ name: String, normalises: Bool) -> OperationCase {
        OperationCase("a mixture of experts, \(name)", inputs: [[5, 20], [5, 4]], layers: {
            [
                randomLinear("0", 20, 12, &$0, isTrained: true), randomLinear("1", 20, 12, &$0, isTrained: false, rank: 2),
                randomLinear("2", 20, 12, &$0, isTrained: false, dtype: .bfloat16), randomLinear("3", 20, 12, &$0, isTrained: true),
            ]
        }) { tape, x, layers, _ in
            let logits = tape.add(tape.scaled(x[1], by: 0.3), tape.constant(preferences))
            let routing = tape.route(logits, expertsPerToken: 2, normalises: normalises)
            for (layer, load) in zip(layers, routing.loads) where load == 0 { tape.touch([layer]) }
            return [tape.experts(x[0], routing: routing) { tape, expert, rows in tape.linear(rows, layers[expert]) }]
        }
    }

    private static func transformedHead(_ transform: OutputTransform, _ random: inout RandomGenerator, isTrained: Bool) -> Linear {
        let weight = Parameter(name: "head", value: randomTensor([30, 20], &random, scale: 0.5), requiresGradient: isTrained)
        return Linear(name: "head", weight: .dense(weight), outputTransform: transform)
    }

    private static func logProbabilities(_ name: String, _ transform: OutputTransform) -> OperationCase {
        OperationCase(name, inputs: [[6, 20]], layers: { [transformedHead(transform, &$0, isTrained: true)] }) { tape, x, layers, _ in
            [tape.tokenLogProbabilities(x[0], head: layers[0], targets: [3, -100, 29, 0, -100, 3])]
        }
    }

    /// The head stays as it is: a loss with a trained head takes no weight of the check's.
    private static func head(_ name: String, _ transform: OutputTransform) -> OperationCase {
        OperationCase(name, inputs: [[6, 20]], layers: { [transformedHead(transform, &$0, isTrained: false)] }) { tape, x, layers, _ in
            [tape.linearCrossEntropy(x[0], head: layers[0], targets: [3, -100, 29, 0, -100, 3], normalizer: 2).loss]
        }
    }
}
