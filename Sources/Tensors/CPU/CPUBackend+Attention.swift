import CKernels
import Glibc

/// Attention in tiles: scores of 64 queries and 64 keys at a time, never all of them (Dao et al., 2022). A task owns one key and
/// value head of one sequence with all the query heads it serves, so nothing is shared between tasks.
extension CPUBackend {
    public func attention(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, into result: Tensor,
        logSumExp: Tensor?
    ) {
        let tiles = AttentionTiles.tasks(layout)
        let keyWidth = shape.keyValueHeadCount * shape.headDimension, rows = layout.tokenCount
        threads.run(tiles.count * shape.keyValueHeadCount) { task in
            let (sequence, first, count) = tiles[task / shape.keyValueHeadCount], head = task % shape.keyValueHeadCount
            let tokens = layout.rows(of: sequence)
            let offset = tokens.lowerBound * keyWidth + head * shape.headDimension
            let keys = HeadRows(key, offset: offset, stride: keyWidth, count: tokens.count)
            let values = HeadRows(value, offset: offset, stride: keyWidth, count: tokens.count)
            self.forwardTile(
                query: query, tokens: tokens.lowerBound + first..<tokens.lowerBound + first + count, position: first, head: head,
                keys: keys, values: values, shape: shape, into: result, logSumExp: logSumExp, rows: rows)
        }
    }

    public func attentionWithCaches(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, layer: Int, into result: Tensor
    ) {
        let tiles = AttentionTiles.tasks(layout), dimension = shape.headDimension
        let keyWidth = shape.keyValueHeadCount * dimension
        for (sequence, cache) in layout.caches.enumerated() {
            let tokens = layout.rows(of: sequence)
            precondition(cache.length + tokens.count <= cache.capacity, "a cache of \(cache.capacity) tokens is full")
            precondition(cache.headDimension == dimension && cache.keyValueHeadCount == shape.keyValueHeadCount, "a cache of another shape")
        }
        // Several tokens of one head can be stored at once by one chunk; the attention reads only after all are stored.
        threads.run(layout.caches.count * shape.keyValueHeadCount) { task in
            let sequence = task / shape.keyValueHeadCount, head = task % shape.keyValueHeadCount
            let cache = layout.caches[sequence]
            for row in layout.rows(of: sequence) {
                let slot = cache.length + row - layout.rows(of: sequence).lowerBound
                let to = (head * cache.capacity + slot) * dimension, from = row * keyWidth + head * dimension
                store(key.floatPointer + from, into: cache.keys(layer: layer), at: to, count: dimension)
                store(value.floatPointer + from, into: cache.values(layer: layer), at: to, count: dimension)
            }
        }
        threads.run(tiles.count * shape.keyValueHeadCount) { task in
            let (sequence, first, count) = tiles[task / shape.keyValueHeadCount], head = task % shape.keyValueHeadCount
            let cache = layout.caches[sequence], tokens = layout.rows(of: sequence)
            let offset = head * cache.capacity * dimension, known = cache.length + tokens.count
            let keys = HeadRows(cache.keys(layer: layer), offset: offset, stride: dimension, count: known)
            let values = HeadRows(cache.values(layer: layer), offset: offset, stride: dimension, count: known)
            if tokens.count == 1 {
                self.forwardToken(query: query, token: tokens.lowerBound, head: head, keys: keys, values: values, shape: shape, into: result)
                return
            }
            self.forwardTile(
                query: query, tokens: tokens.lowerBound + first..<tokens.lowerBound + first + count, position: cache.length + first,
                head: head, keys: keys, values: values, shape: shape, into: result, logSumExp: nil, rows: layout.tokenCount)
        }
    }

    /// Results of some queries of one sequence, for the query heads that `head` serves.
    /// - Parameter position: the place of the first query among the keys
    private func forwardTile(
        query: Tensor, tokens: Range<Int>, position: Int, head: Int, keys: HeadRows, values: HeadRows, shape: AttentionShape,
        into result: Tensor, logSumExp: Tensor?, rows: Int
    ) {
        let group = shape.headCount / shape.keyValueHeadCount, dimension = shape.headDimension, count = tokens.count
        let width = shape.headCount * dimension, tile = AttentionTiles.keys, lines = group * count
        let seen = shape.visibleKeys(first: position, count: count, total: keys.count)
        scratch.withFloats(2 * tile * dimension + lines * (tile + 2)) { buffer in
            let scores = buffer + 2 * tile * dimension, maxima = scores + lines * tile, sums = maxima + lines
            tb_fill(maxima, -Float.infinity, lines)
            tb_fill(sums, 0, lines)
            let queries = query.floatPointer + tokens.lowerBound * width + head * group * dimension
            let output = result.floatPointer + tokens.lowerBound * width + head * group * dimension
            for row in 0..<count { tb_fill(output + row * width, 0, group * dimension) }
            for start in stride(from: seen.lowerBound / tile * tile, to: seen.upperBound, by: tile) {
                let length = min(tile, seen.upperBound - start)
                let (k, keyStride) = keys.rows(start, length, dimension: dimension, scratch: buffer)
                let (v, valueStride) = values.rows(start, length, dimension: dimension, scratch: buffer + tile * dimension)
                for member in 0..<group {
                    let lineScores = scores + member * count * tile
                    sgemm(
                        false, true, count, length, dimension, shape.scale, queries + member * dimension, width, k, keyStride, 0,
                        lineScores, tile)
                    for row in 0..<count {
                        let (from, visible) = shape.visible(position: position + row, start: start, length: length)
                        shape.addSlope(head * group + member, to: lineScores + row * tile, distance: start - position - row, length)
                        let index = member * count + row
                        let shrink = tb_online_softmax(
                            lineScores + row * tile, from, visible, length, shape.softCap ?? 0, maxima + index, sums + index)
                        let to = output + row * width + member * dimension
                        if shrink != 1 { tb_scale(to, to, shrink, dimension) }
                    }
                    sgemm(
                        false, false, count, dimension, length, 1, lineScores, tile, v, valueStride, 1, output + member * dimension, width)
                }
            }
            for member in 0..<group {
                for row in 0..<count {
                    let index = member * count + row, to = output + row * width + member * dimension
                    tb_scale(to, to, 1 / sums[index], dimension)
                    logSumExp?.floatPointer[(head * group + member) * rows + tokens.lowerBound + row] = maxima[index] + logf(sums[index])
                }
            }
        }
    }

    /// The result of one token in a cache, which must be read only once: all query heads of the group go over each key together.
    private func forwardToken(query: Tensor, token: Int, head: Int, keys: HeadRows, values: HeadRows, shape: AttentionShape, into result: Tensor) {
        let group = shape.headCount / shape.keyValueHeadCount, dimension = shape.headDimension, tile = AttentionTiles.cachedKeys
        let seen = shape.visibleKeys(first: keys.count - 1, count: 1, total: keys.count)
        scratch.withFloats(group * (tile + 2)) { buffer in
            let maxima = buffer + group * tile, sums = maxima + group
            tb_fill(maxima, -Float.infinity, group)
            tb_fill(sums, 0, group)
            let at = token * shape.headCount * dimension + head * group * dimension
            let queries = query.floatPointer + at, output = result.floatPointer + at
            tb_fill(output, 0, group * dimension)
            for start in stride(from: seen.lowerBound, to: seen.upperBound, by: tile) {
                let length = min(tile, seen.upperBound - start)
                keys.dotProducts(start, length, with: queries, rows: group, dimension: dimension, into: buffer, stride: tile)
                for member in 0..<group {
                    let line = buffer + member * tile
                    tb_scale(line, line, shape.scale, length)
                    shape.addSlope(head * group + member, to: line, distance: start + 1 - keys.count, length)
                    let shrink = tb_online_softmax(line, 0, length, length, shape.softCap ?? 0, maxima + member, sums + member)
                    if shrink != 1 { tb_scale(output + member * dimension, output + member * dimension, shrink, dimension) }
                }
                values.addWeighted(start, length, by: buffer, stride: tile, rows: group, dimension: dimension, into: output)
            }
            for member in 0..<group {
                tb_scale(output + member * dimension, output + member * dimension, 1 / sums[member], dimension)
            }
        }
    }

    public func attentionBackward(
        gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logSumExp: Tensor, shape: AttentionShape,
        layout: SequenceLayout, queryGradient: Tensor, keyGradient: Tensor, valueGradient: Tensor
    ) {
        threads.run(layout.sequenceCount * shape.keyValueHeadCount) { task in
            let sequence = task / shape.keyValueHeadCount, head = task % shape.keyValueHeadCount
            let pass = AttentionBackwardPass(
                gradient: gradient, query: query, key: key, value: value, result: result, logSumExp: logSumExp, shape: shape,
                tokens: layout.rows(of: sequence), head: head, queryGradient: queryGradient, keyGradient: keyGradient,
                valueGradient: valueGradient)
            self.scratch.withFloats(pass.scratchCount) { pass.run($0) }
        }
    }
}

private func store(_ from: UnsafePointer<Float>, into cache: Tensor, at offset: Int, count: Int) {
    if cache.dtype == .float32 {
        (cache.floatPointer + offset).update(from: from, count: count)
    } else {
        tb_narrow_bf16(from, cache.halfPointer + offset, count)
    }
}

/// How attention is cut.
enum AttentionTiles {
    static let queries = 64
    static let keys = 64
    /// Keys of a cache that one token reads at a time.
    static let cachedKeys = 512

    /// Query tiles of all sequences: (sequence, first token of the tile, tokens in it).
    static func tasks(_ layout: SequenceLayout) -> [(sequence: Int, first: Int, count: Int)] {
        var result: [(sequence: Int, first: Int, count: Int)] = []
        for sequence in 0..<layout.sequenceCount {
            let length = layout.rows(of: sequence).count
            // Late tiles see more keys: longest first keeps the threads busy to the end.
            for first in stride(from: 0, to: length, by: queries).reversed() {
                result.append((sequence, first, min(queries, length - first)))
            }
        }
        return result
    }
}

extension AttentionShape {
    /// Keys that the query at `position` sees, as (first, count) inside the tile that starts at `start`.
    func visible(position: Int, start: Int, length: Int) -> (Int, Int) {
        var low = 0, high = length
        if isCausal { high = min(high, position + 1 - start) }
        if let slidingWindow { low = max(low, position + 1 - slidingWindow - start) }
        return (min(low, length), max(0, high - low))
    }

    /// Adds slope * (key - query) to the scores of `length` keys, the first of which lies `distance` after the query.
    func addSlope(_ head: Int, to scores: UnsafeMutablePointer<Float>, distance: Int, _ length: Int) {
        if let slopes { tb_add_ramp(scores, Float(distance), slopes[head], length) }
    }

    /// Keys that any of `count` queries from `first` on sees.
    func visibleKeys(first: Int, count: Int, total: Int) -> Range<Int> {
        let high = isCausal ? min(total, first + count) : total
        let low = slidingWindow.map { max(0, first + 1 - $0) } ?? 0
        return min(low, high)..<high
    }
}

/// The rows of one head inside a wider tensor or a cache.
struct HeadRows {
    let tensor: Tensor
    let offset: Int
    let stride: Int
    let count: Int

    init(_ tensor: Tensor, offset: Int, stride: Int, count: Int) {
        self.tensor = tensor
        self.offset = offset
        self.stride = stride
        self.count = count
    }

    /// Rows as f32 with their stride: in place, or widened into scratch memory.
    func rows(_ start: Int, _ length: Int, dimension: Int, scratch: UnsafeMutablePointer<Float>) -> (UnsafePointer<Float>, Int) {
        if tensor.dtype == .float32 { return (UnsafePointer(tensor.floatPointer + offset + start * stride), stride) }
        for row in 0..<length {
            tb_widen_bf16(tensor.halfPointer + offset + (start + row) * stride, scratch + row * dimension, dimension)
        }
        return (UnsafePointer(scratch), dimension)
    }

    /// to[i, key] = row i of x . key, for a few rows of x that follow each other.
    func dotProducts(
        _ start: Int, _ length: Int, with x: UnsafePointer<Float>, rows: Int, dimension: Int, into to: UnsafeMutablePointer<Float>,
        stride toStride: Int
    ) {
        precondition(stride == dimension, "rows of a cache follow each other")
        let first = offset + start * stride
        if tensor.dtype == .float32 {
            tb_gemv_f32(x, rows, dimension, tensor.floatPointer + first, length, dimension, to, toStride)
        } else {
            tb_gemv_bf16(x, rows, dimension, tensor.halfPointer + first, length, dimension, to, toStride)
        }
    }

    /// Adds the rows, weighted by row i of `weights`, to row i of `to`.
    func addWeighted(
        _ start: Int, _ length: Int, by weights: UnsafePointer<Float>, stride weightStride: Int, rows: Int, dimension: Int,
        into to: UnsafeMutablePointer<Float>
    ) {
        let first = offset + start * stride
        if tensor.dtype == .float32 {
            tb_gevm_f32(weights, rows, weightStride, tensor.floatPointer + first, length, dimension, stride, to, dimension)
        } else {
            tb_gevm_bf16(weights, rows, weightStride, tensor.halfPointer + first, length, dimension, stride, to, dimension)
        }
    }
}
