import CKernels

/// The way back through attention for one key and value head of one sequence.
///
/// For each tile of keys, for each tile of queries that sees it: scores and probabilities again from the saved log-sum-exp, then
///
///     dV += Pᵀ dO    dP = dO Vᵀ    dS = P * (dP - delta)    dQ += scale dS K    dK += scale dSᵀ Q
///
/// where delta is the sum of dO * O over a row (FlashAttention-2, Dao, 2023).
struct AttentionBackwardPass {
    let gradient, query, key, value, result, logSumExp: Tensor
    let shape: AttentionShape
    /// Rows of the sequence in the stream.
    let tokens: Range<Int>
    let head: Int
    let queryGradient, keyGradient, valueGradient: Tensor

    private var group: Int { shape.headCount / shape.keyValueHeadCount }
    private var dimension: Int { shape.headDimension }
    private var tile: Int { AttentionTiles.keys }
    private var width: Int { shape.headCount * dimension }
    private var keyWidth: Int { shape.keyValueHeadCount * dimension }

    /// Floats that `run` needs: three tiles of scores, delta.
    var scratchCount: Int { 3 * tile * AttentionTiles.queries + group * tokens.count }

    func run(_ buffer: UnsafeMutablePointer<Float>) {
        let queryOffset = tokens.lowerBound * width + head * group * dimension
        let keyOffset = tokens.lowerBound * keyWidth + head * dimension
        let d = gradient.floatPointer + queryOffset, q = query.floatPointer + queryOffset
        let dq = queryGradient.floatPointer + queryOffset, o = result.floatPointer + queryOffset
        let k = key.floatPointer + keyOffset, v = value.floatPointer + keyOffset
        let dk = keyGradient.floatPointer + keyOffset, dv = valueGradient.floatPointer + keyOffset

        let scores = buffer, changes = scores + tile * AttentionTiles.queries
        let slopes = changes + tile * AttentionTiles.queries, delta = slopes + tile * AttentionTiles.queries

        for row in tokens.indices {
            let index = row - tokens.lowerBound
            tb_fill(dk + index * keyWidth, 0, dimension)
            tb_fill(dv + index * keyWidth, 0, dimension)
            tb_fill(dq + index * width, 0, group * dimension)
            for member in 0..<group {
                let at = index * width + member * dimension
                delta[member * tokens.count + index] = Float(tb_dot(d + at, o + at, dimension))
            }
        }
        for start in stride(from: 0, to: tokens.count, by: tile) {
            let length = min(tile, tokens.count - start)
            let keys = k + start * keyWidth, values = v + start * keyWidth
            let keyChanges = dk + start * keyWidth, valueChanges = dv + start * keyWidth
            let earliest = shape.isCausal ? start : 0
            let latest = shape.slidingWindow.map { min(tokens.count, start + length - 1 + $0) } ?? tokens.count
            for first in stride(from: earliest, to: latest, by: AttentionTiles.queries) {
                let count = min(AttentionTiles.queries, latest - first)
                for member in 0..<group {
                    let at = first * width + member * dimension
                    sgemm(false, true, count, length, dimension, shape.scale, q + at, width, keys, keyWidth, 0, scores, tile)
                    sgemm(false, true, count, length, dimension, 1, d + at, width, values, keyWidth, 0, changes, tile)
                    scoreGradients(member, first, count, start, length, scores, changes, slopes, delta)
                    sgemm(true, false, length, dimension, count, 1, scores, tile, d + at, width, 1, valueChanges, keyWidth)
                    sgemm(true, false, length, dimension, count, shape.scale, changes, tile, q + at, width, 1, keyChanges, keyWidth)
                    sgemm(false, false, count, dimension, length, shape.scale, changes, tile, keys, keyWidth, 1, dq + at, width)
                }
            }
        }
    }

    /// Scores become probabilities, and gradients of the probabilities become gradients of the scaled scores.
    private func scoreGradients(
        _ member: Int, _ first: Int, _ count: Int, _ start: Int, _ length: Int, _ scores: UnsafeMutablePointer<Float>,
        _ changes: UnsafeMutablePointer<Float>, _ slopes: UnsafeMutablePointer<Float>, _ delta: UnsafeMutablePointer<Float>
    ) {
        let sums = logSumExp.floatPointer + (head * group + member) * logSumExp.shape[1] + tokens.lowerBound
        for row in 0..<count {
            let position = first + row
            let (from, visible) = shape.visible(position: position, start: start, length: length)
            let line = scores + row * tile, change = changes + row * tile
            shape.addSlope(head * group + member, to: line, distance: start - position, length)
            tb_attention_probabilities(line, from, visible, length, shape.softCap ?? 0, sums[position], slopes)
            tb_attention_score_gradient(
                line, change, shape.softCap == nil ? nil : slopes, length, delta[member * tokens.count + position])
        }
    }
}
