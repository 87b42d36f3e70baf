import Platform

@testable import Tensors

extension OperationCase {
    private static func weight(_ tensor: Tensor) -> WeightStore { .dense(Parameter(name: "weight", value: tensor)) }

    /// A weight [out, in] in each way of keeping quantised weights, made on the processor.
    private static func quantized(_ weight: Tensor) -> [QuantizedMatrix] {
        let cpu = CPUBackend(threadCount: 1)
        let kinds: [WeightQuantizer.Kind] = [
            .table(.nf4, doubleQuantized: false), .table(.nf4, doubleQuantized: true), .table(.fp4, doubleQuantized: false), .int8,
        ]
        return kinds.map { WeightQuantizer($0).quantize(weight, backend: cpu) }
    }

    static let products: [OperationCase] = [
        OperationCase("linear") { backend, inputs in
            let x = inputs.activation([21, 64]), result = backend.empty([21, 48], inputs.type)
            backend.linear(x, weight: weight(inputs.half([48, 64], 0.2)), bias: inputs.floats([48]), low: nil, up: nil, into: result)
            return [result]
        },
        OperationCase("linear with an adapter") { backend, inputs in
            let x = inputs.activation([21, 64]), result = backend.empty([21, 48], inputs.type), low = inputs.activation([21, 24])
            backend.linear(
                x, weight: weight(inputs.half([48, 64], 0.2)), bias: nil, low: MatrixView(low, columns: 8..<16), up: inputs.floats([48, 8]),
                into: result)
            return [result]
        },
        OperationCase("linear of few rows") { backend, inputs in
            [1, 2, 3, 8].map { rows in
                let x = inputs.activation([rows, 64]), result = backend.empty([rows, 48], inputs.type), low = inputs.activation([rows, 24])
                backend.linear(
                    x, weight: weight(inputs.half([48, 64], 0.2)), bias: inputs.half([48]), low: MatrixView(low, columns: 8..<16),
                    up: inputs.floats([48, 8]), into: result)
                return result
            }
        },
        OperationCase("linear with quantised weights") { backend, inputs in
            let dense = inputs.floats([48, 128], 0.2)
            return quantized(dense).flatMap { matrix in
                [21, 2].map { rows in
                    let x = inputs.activation([rows, 128]), result = backend.empty([rows, 48], inputs.type)
                    backend.linear(x, weight: .quantized(matrix), bias: nil, low: nil, up: nil, into: result)
                    return result
                }
            }
        },
        OperationCase("embedding of a quantised table") { backend, inputs in
            quantized(inputs.floats([40, 64])).map { matrix in
                let result = backend.empty([9, 64], inputs.type)
                backend.embedding(table: matrix, tokens: backend.upload(inputs.integers(9, below: 40)), scale: 3, into: result)
                return result
            }
        },
        OperationCase("linearInputGradient") { backend, inputs in
            let d = inputs.activation([21, 48]), first = backend.empty([21, 64], inputs.type), sum = inputs.activation([21, 64])
            let store = weight(inputs.half([48, 64], 0.2)), low = inputs.activation([21, 8]), down = inputs.activation([8, 64])
            backend.linearInputGradient(
                gradient: d, weight: store, lowGradient: nil, down: nil, into: GradientTarget(first, isAccumulating: false))
            backend.linearInputGradient(
                gradient: d, weight: store, lowGradient: MatrixView(low), down: down, into: GradientTarget(sum, isAccumulating: true))
            return [first, sum]
        },
        OperationCase("linearInputGradient through quantised weights") { backend, inputs in
            let d = inputs.activation([21, 48])
            return quantized(inputs.floats([48, 128], 0.2)).map { matrix in
                let result = backend.empty([21, 128], inputs.type)
                backend.linearInputGradient(
                    gradient: d, weight: .quantized(matrix), lowGradient: nil, down: nil, into: GradientTarget(result, isAccumulating: false))
                return result
            }
        },
        OperationCase("weightGradient") { backend, inputs in
            let d = inputs.activation([40, 24]), x = inputs.activation([40, 32]), first = backend.empty([24, 32], .float32), sum = inputs.floats([24, 32])
            backend.weightGradient(gradient: d, x: x, into: GradientTarget(first, isAccumulating: false))
            backend.weightGradient(gradient: d, x: x, into: GradientTarget(sum, isAccumulating: true))
            return [first, sum]
        },
        OperationCase("product of views") { backend, inputs in
            let x = inputs.activation([21, 64]), down = inputs.activation([16, 64]), low = inputs.activation([21, 32]), b = inputs.floats([48, 8])
            let d = inputs.activation([21, 48]), sum = inputs.floats([48, 8])
            backend.product(MatrixView(x), MatrixView(down, transposed: true), alpha: 1, beta: 0, into: MatrixView(low, columns: 8..<24))
            backend.product(MatrixView(d, transposed: true), MatrixView(low, columns: 0..<8), alpha: 0.5, beta: 1, into: MatrixView(sum))
            let back = backend.empty([21, 8], inputs.type)
            backend.product(MatrixView(d), MatrixView(b), alpha: 1, beta: 0, into: MatrixView(back))
            return [low, sum, back]
        },
    ]

    static let attentions: [OperationCase] = [
        attention("attention, grouped heads", AttentionShape(headCount: 4, keyValueHeadCount: 2, headDimension: 64), [70, 1, 20]),
        attention("attention, sliding window", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 64, slidingWindow: 16), [90]),
        attention("attention, soft cap", AttentionShape(headCount: 2, keyValueHeadCount: 2, headDimension: 128, softCap: 5), [40, 33]),
        attention(
            "attention, slopes", AttentionShape(headCount: 2, keyValueHeadCount: 2, headDimension: 64, slopes: [0.5, 0.0625]), [50]),
        attention("attention, all see all", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 64, isCausal: false), [37, 20]),
        attention("attention, odd heads", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 20), [18, 5]),
        attention("attention, heads of 160", AttentionShape(headCount: 2, keyValueHeadCount: 1, headDimension: 160), [18, 5]),
        OperationCase("attentionWithCaches") { backend, inputs in
            let shape = AttentionShape(headCount: 4, keyValueHeadCount: 2, headDimension: 64)
            let caches = (0..<2).map { _ in
                KeyValueCache(layerCount: 1, keyValueHeadCount: 2, headDimension: 64, capacity: 64, dtype: .bfloat16)
            }
            // A prompt, a second part of different lengths, then one token each.
            return [[20, 7], [5, 3], [1, 1], [1, 1]].map { lengths in
                let count = lengths.reduce(0, +)
                var positions: [Int32] = []
                for (cache, length) in zip(caches, lengths) { positions += (0..<length).map { Int32(cache.length + $0) } }
                let layout = SequenceLayout(
                    cumulativeLengths: [0, Int32(lengths[0]), Int32(count)], positions: positions, caches: caches)
                let query = inputs.activation([count, 256]), key = inputs.activation([count, 128]), value = inputs.activation([count, 128])
                let result = backend.empty([count, 256], inputs.type)
                backend.attentionWithCaches(query: query, key: key, value: value, shape: shape, layout: layout, layer: 0, into: result)
                for (cache, length) in zip(caches, lengths) { cache.advance(by: length) }
                return result
            }
        },
    ]

    private static func attention(_ name: String, _ shape: AttentionShape, _ lengths: [Int]) -> OperationCase {
        OperationCase(name) { backend, inputs in
            let layout = SequenceLayout(lengths: lengths), rows = layout.tokenCount
            let width = shape.headCount * shape.headDimension, keyWidth = shape.keyValueHeadCount * shape.headDimension
            let q = inputs.activation([rows, width]), k = inputs.activation([rows, keyWidth]), v = inputs.activation([rows, keyWidth])
            let d = inputs.activation([rows, width]), result = backend.empty([rows, width], inputs.type)
            let logSumExp = backend.empty([shape.headCount, rows], .float32)
            backend.attention(query: q, key: k, value: v, shape: shape, layout: layout, into: result, logSumExp: logSumExp)
            let dq = backend.empty(q.shape, inputs.type), dk = backend.empty(k.shape, inputs.type), dv = backend.empty(v.shape, inputs.type)
            backend.attentionBackward(
                gradient: d, query: q, key: k, value: v, result: result, logSumExp: logSumExp, shape: shape, layout: layout,
                queryGradient: dq, keyGradient: dk, valueGradient: dv)
            return [result, logSumExp, dq, dk, dv]
        }
    }

    static let optimizers: [OperationCase] = [
        OperationCase("adamW", isForActivations: false) { backend, inputs in
            [DType.float32, .bfloat16].flatMap { type in
                let p = inputs.floats([9, 50]).converted(to: type), m = inputs.floats([9, 50], 0.1), v = inputs.positive([9, 50])
                backend.adamW(
                    parameter: p, gradient: inputs.floats([9, 50]), firstMoment: m, secondMoment: v,
                    step: AdamWStep(learningRate: 0.01, weightDecay: 0.1, step: 3, gradientScale: 0.5))
                return [p, m, v]
            }
        },
        OperationCase("directions", isForActivations: false) { backend, inputs in
            let g = inputs.floats([9, 50]), m = inputs.floats([9, 50]), v = inputs.positive([9, 50]), w = inputs.positive([9, 50])
            let a = backend.empty([9, 50], .float32), b = backend.empty([9, 50], .float32), p = inputs.floats([9, 50])
            backend.adamDirection(gradient: g, firstMoment: m, secondMoment: v, beta1: 0.9, beta2: 0.99, epsilon: 1e-6, into: a)
            backend.rootMeanSquareDirection(
                gradient: g, secondMoment: w, decay: 0.9, gain: 0.1, squareEpsilon: 1e-30, epsilon: 1e-8, into: b)
            backend.descend(p, along: a, rate: 0.1, decay: 0.99)
            return [a, m, v, b, w, p]
        },
    ]

    static let adapters: [OperationCase] = [
        OperationCase("inverseUpdatedNorms", isForActivations: false) { backend, inputs in
            let result = backend.empty([30], .float32)
            backend.inverseUpdatedNorms(
                squares: inputs.positive([30]), up: inputs.floats([30, 4], 0.1), cross: inputs.floats([4, 30], 0.1),
                gram: inputs.floats([30, 4], 0.1), scale: 0.5, into: result)
            return [result]
        },
        OperationCase("rotations", isForActivations: false) { backend, inputs in
            [CayleySeries.exact, .neumann(terms: 5)].flatMap { series -> [Tensor] in
                let side = 8, generators = inputs.floats([4, side * (side - 1) / 2], 0.1), x = inputs.floats([11, 32]), d = inputs.floats([11, 32])
                let rotations = backend.empty([4, side, side], .float32), turned = backend.empty([11, 32], .float32)
                let back = backend.empty([11, 32], .float32), dr = backend.empty([4, side, side], .float32), dg = inputs.floats(generators.shape)
                backend.cayleyRotations(generators, blockSize: side, series: series, into: rotations)
                backend.rotateBlocks(x, rotations: rotations, isTransposed: false, into: turned)
                backend.rotateBlocks(d, rotations: rotations, isTransposed: true, into: back)
                backend.rotationGradient(x, gradient: d, into: dr)
                backend.cayleyRotationsBackward(
                    gradient: dr, generators: generators, blockSize: side, series: series, into: GradientTarget(dg, isAccumulating: true))
                return [rotations, turned, back, dr, dg]
            }
        },
    ]
}
