import Platform

@testable import Tensors

/// What adapters add to linear layers, and noise.
extension OperationCase {
    static let adapters: [OperationCase] = [
        magnitude("rows of learned length", dropout: 0, dtype: .float32),
        magnitude("rows of learned length over bf16", dropout: 0, dtype: .bfloat16),
        magnitude("rows of learned length after dropout", dropout: 0.4, dtype: .float32),
        OperationCase("layers of one input with and without learned lengths", inputs: [[9, 20]], layers: {
            [
                magnitudeLinear("q", &$0, dropout: 0), randomLinear("k", 20, 6, &$0, isTrained: false, rank: 2),
                rotatedLinear("v", &$0, blockSize: 4, blocks: 5, series: .exact),
            ]
        }) { tape, x, layers, _ in tape.linear(x[0], layers) },
        rotation("turned by Cayley's formula", .exact, blocks: 5),
        rotation("turned by five terms of its series", .neumann(terms: 5), blocks: 5),
        rotation("turned by three terms", .neumann(terms: 3), blocks: 5), rotation("turned by two terms", .neumann(terms: 2), blocks: 5),
        rotation("turned by one block for all", .neumann(terms: 6), blocks: 1),
        rotation("turned, but for some blocks", .neumann(terms: 5), blocks: 5, dropout: 0.45),
    ]

    private static func magnitude(_ name: String, dropout: Float, dtype: DType) -> OperationCase {
        OperationCase(name, inputs: [[9, 20]], layers: { [magnitudeLinear("w", &$0, dropout: dropout, dtype: dtype)] }) { tape, x, layers, _ in
            [tape.linear(x[0], layers[0])]
        }
    }

    /// A and B stand still: their gradients take the rows' lengths for constants, which differences do not. PEFT's numbers check them.
    private static func magnitudeLinear(_ name: String, _ random: inout RandomGenerator, dropout: Float, dtype: DType = .float32) -> Linear {
        let linear = randomLinear(name, 20, 12, &random, isTrained: false, hasBias: true, rank: 3, dtype: dtype)
        guard let plain = linear.adapter else { return linear }
        plain.a.requiresGradient = false
        plain.b.requiresGradient = false
        linear.adapter = LowRankAdapter(
            a: plain.a, b: plain.b,
            magnitude: Parameter(name: "\(name).magnitude", value: randomTensor([12], &random), requiresGradient: true), scale: 0.5,
            dropout: dropout)
        return linear
    }

    private static func rotation(_ name: String, _ series: CayleySeries, blocks: Int, dropout: Float = 0) -> OperationCase {
        OperationCase(name, inputs: [[9, 20]], layers: { [rotatedLinear("w", &$0, blockSize: 4, blocks: blocks, series: series, dropout: dropout)] }) {
            tape, x, layers, _ in [tape.linear(x[0], layers[0])]
        }
    }

    private static func rotatedLinear(
        _ name: String, _ random: inout RandomGenerator, blockSize: Int, blocks: Int, series: CayleySeries, dropout: Float = 0
    ) -> Linear {
        let linear = randomLinear(name, 20, 12, &random, isTrained: false, hasBias: true)
        let generators = randomTensor([blocks, blockSize * (blockSize - 1) / 2], &random, scale: 0.2)
        linear.rotation = RotationAdapter(
            generators: Parameter(name: "\(name).generators", value: generators, requiresGradient: true), blockSize: blockSize, series: series,
            dropout: dropout)
        return linear
    }
}

extension OperationCase {
    static let shifts: [OperationCase] = [
        shifted("attention in shifted groups", heads: 4, keyHeads: 2, [16, 8]),
        shifted("attention in shifted groups of one key head, over lengths that are no multiple of eight", heads: 4, keyHeads: 1, [19, 3, 1]),
        OperationCase("joined columns", inputs: [[5, 3], [5, 7]]) { tape, x, _, _ in [tape.joined([x[0], x[1], x[0]])] },
        OperationCase("noise on embeddings", inputs: [[9, 6]]) { tape, x, _, _ in
            [tape.noisyEmbedding(x[0], alpha: 5, layout: SequenceLayout(lengths: [4, 5]))]
        },
    ]

    private static func shifted(_ name: String, heads: Int, keyHeads: Int, _ lengths: [Int]) -> OperationCase {
        let rows = lengths.reduce(0, +), shape = AttentionShape(headCount: heads, keyValueHeadCount: keyHeads, headDimension: 4)
        return OperationCase(name, inputs: [[rows, heads * 4], [rows, keyHeads * 4], [rows, keyHeads * 4]]) { tape, x, _, _ in
            [tape.shiftedAttention(query: x[0], key: x[1], value: x[2], shape: shape, layout: SequenceLayout(lengths: lengths), layer: 0)]
        }
    }
}
