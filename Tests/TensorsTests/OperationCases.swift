import Platform

@testable import Tensors

extension OperationCase {
    static let all: [OperationCase] = elementwise + norms + linears + attentions + losses + checkpoints + families + adapters + shifts

    private static let elementwise: [OperationCase] = [
        OperationCase("add", inputs: [[3, 5], [3, 5]]) { tape, x, _, _ in [tape.add(x[0], x[1])] },
        OperationCase("add of a value to itself", inputs: [[3, 5]]) { tape, x, _, _ in [tape.add(x[0], x[0])] },
        OperationCase("scaled", inputs: [[3, 5]]) { tape, x, _, _ in [tape.scaled(x[0], by: -1.5)] },
        OperationCase("selectRows with a repeated row", inputs: [[4, 5]]) { tape, x, _, _ in
            [tape.selectRows(x[0], rows: [2, 0, 2])]
        },
        OperationCase(
            "embedding with a repeated token", inputs: [],
            parameters: { [Parameter(name: "table", value: randomTensor([6, 4], &$0), requiresGradient: true)] }
        ) { tape, _, _, p in [tape.embedding(p[0], tokens: [1, 5, 1, 0], scale: 2)] },
        gated("silu", .silu), gated("gelu by tanh", .geluTanh), gated("gelu", .gelu),
    ]

    private static func gated(_ name: String, _ kind: GatedActivation) -> OperationCase {
        OperationCase("gatedActivation, \(name)", inputs: [[3, 70], [3, 70]]) { tape, x, _, _ in
            [tape.gatedActivation(gate: x[0], up: x[1], kind: kind)]
        }
    }

    private static let norms: [OperationCase] = [
        norm("rmsNorm", width: 40, offset: 0), norm("rmsNorm with an offset", width: 40, offset: 1),
        norm("rmsNorm of each head", width: 10, offset: 0),
        OperationCase("rotary in halves", inputs: [[5, 24]]) { tape, x, _, _ in
            [tape.rotary(x[0], headDimension: 12, table: table(6, false), positions: [0, 1, 2, 0, 7])]
        },
        OperationCase("rotary in pairs, of a part of each head", inputs: [[5, 24]]) { tape, x, _, _ in
            [tape.rotary(x[0], headDimension: 12, table: table(4, true), positions: [0, 1, 2, 0, 7])]
        },
    ]

    private static func norm(_ name: String, width: Int, offset: Float) -> OperationCase {
        OperationCase(
            name, inputs: [[70, 40]],
            parameters: { [Parameter(name: "weight", value: randomTensor([width], &$0), requiresGradient: true)] }
        ) { tape, x, _, p in [tape.rmsNorm(x[0], weight: p[0], epsilon: 1e-5, weightOffset: offset)] }
    }

    static func table(_ half: Int, _ isInterleaved: Bool) -> RotaryTable {
        RotaryTable(
            inverseFrequencies: (0..<half).map { 1 / Float($0 + 1) }, positionCount: 64, isInterleaved: isInterleaved)
    }

    private static let linears: [OperationCase] = [
        OperationCase("linear with bias", inputs: [[9, 20]], layers: { [randomLinear("w", 20, 12, &$0, isTrained: true, hasBias: true)] }) {
            tape, x, layers, _ in [tape.linear(x[0], layers[0])]
        },
        OperationCase("linear of few rows", inputs: [[2, 20]], layers: { [randomLinear("w", 20, 12, &$0, isTrained: true, hasBias: true)] }) {
            tape, x, layers, _ in [tape.linear(x[0], layers[0])]
        },
        OperationCase("linear stored in bf16, with an adapter", inputs: [[9, 20]], layers: {
            [randomLinear("w", 20, 12, &$0, isTrained: false, rank: 3, dtype: .bfloat16)]
        }) { tape, x, layers, _ in [tape.linear(x[0], layers[0])] },
        OperationCase("three linears of one input with adapters", inputs: [[9, 20]], layers: {
            [
                randomLinear("q", 20, 12, &$0, isTrained: false, hasBias: true, rank: 3),
                randomLinear("k", 20, 6, &$0, isTrained: true), randomLinear("v", 20, 6, &$0, isTrained: false, rank: 2, dtype: .float16),
            ]
        }) { tape, x, layers, _ in tape.linear(x[0], layers) },
        OperationCase("adapters with dropout", inputs: [[9, 20]], layers: {
            [
                randomLinear("q", 20, 12, &$0, isTrained: false, rank: 3, dropout: 0.4),
                randomLinear("k", 20, 6, &$0, isTrained: false, rank: 2, dropout: 0.4),
            ]
        }) { tape, x, layers, _ in tape.linear(x[0], layers) },
        OperationCase(
            "linear after a norm that is made again", inputs: [[9, 20]],
            layers: { [randomLinear("w", 20, 12, &$0, isTrained: true, rank: 2)] },
            parameters: { [Parameter(name: "weight", value: randomTensor([20], &$0), requiresGradient: true)] }
        ) { tape, x, layers, p in
            [tape.linear(tape.rmsNorm(x[0], weight: p[0], epsilon: 1e-5), layers[0])]
        },
        OperationCase("a wide linear in several panels", inputs: [[70, 300]], layers: {
            [randomLinear("w", 300, 700, &$0, isTrained: true, rank: 4)]
        }) { tape, x, layers, _ in [tape.linear(x[0], layers[0])] },
    ]

    private static let attentions: [OperationCase] = [
        attention("attention", AttentionShape(headCount: 2, keyValueHeadCount: 2, headDimension: 8), [11]),
        attention("attention of grouped heads, several sequences", AttentionShape(headCount: 6, keyValueHeadCount: 2, headDimension: 8), [3, 70, 1]),
        attention("attention across many tiles", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 4), [150]),
        attention("attention in a window", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 8, slidingWindow: 20), [90]),
        attention("attention with a soft cap", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 8, softCap: 2), [70]),
        attention("attention both ways", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 8, isCausal: false), [70, 5]),
    ]

    private static func attention(_ name: String, _ shape: AttentionShape, _ lengths: [Int]) -> OperationCase {
        let rows = lengths.reduce(0, +), width = shape.headCount * shape.headDimension
        let keyWidth = shape.keyValueHeadCount * shape.headDimension
        return OperationCase(name, inputs: [[rows, width], [rows, keyWidth], [rows, keyWidth]]) { tape, x, _, _ in
            [tape.attention(query: x[0], key: x[1], value: x[2], shape: shape, layout: SequenceLayout(lengths: lengths), layer: 0)]
        }
    }

    private static let losses: [OperationCase] = [
        OperationCase("tokenLogProbabilities", inputs: [[6, 20]], layers: { [randomLinear("head", 20, 30, &$0, isTrained: true)] }) {
            tape, x, layers, _ in [tape.tokenLogProbabilities(x[0], head: layers[0], targets: [3, -100, 29, 0, -100, 3])]
        },
        loss("linearCrossEntropy of every row", targets: [3, 1, 29, 0, 4, 3], smoothing: 0),
        loss("linearCrossEntropy of some rows, smoothed", targets: [3, -100, 29, 0, -100, 3], smoothing: 0.1),
    ]

    /// Its gradient is made for a seed of 1, so the check's random weight is folded in behind it, on the hidden state alone.
    private static func loss(_ name: String, targets: [Int32], smoothing: Float) -> OperationCase {
        OperationCase(name, inputs: [[6, 20]], layers: { [randomLinear("head", 20, 30, &$0, isTrained: false)] }) { tape, x, layers, _ in
            [tape.linearCrossEntropy(x[0], head: layers[0], targets: targets, normalizer: 2, labelSmoothing: smoothing).loss]
        }
    }

    private static let checkpoints: [OperationCase] = [
        OperationCase("checkpoint around a linear with dropout", inputs: [[9, 20]], layers: {
            [randomLinear("w", 20, 20, &$0, isTrained: true, rank: 2, dropout: 0.3)]
        }) { tape, x, layers, _ in
            let inner = tape.checkpoint([x[0]]) { tape, values in [tape.add(values[0], tape.linear(values[0], layers[0]))] }
            return [tape.linear(inner[0], layers[0])]
        },
    ]
}
