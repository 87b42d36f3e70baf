import CKernels
import Glibc

/// The forward pass of a few rows, one new token of one conversation each, as a fixed list of stages without a tape: no memory is
/// asked for, threads meet five times a block, and norms, rotations, activations and adapters ride along.
///
///     norm -> [query key value] | rotate, store, attend | [output] | add, norm -> [gate up, activation] | [down] | add ...
///
/// Every conversation's numbers are the same whoever shares the step. Built from the weights as they are; build it anew when
/// they, an adapter or its switch have changed.
public final class DecodeProgram {
    /// Conversations that one step can take.
    public static let maximumRows = 8

    public let vocabularySize: Int
    let backend: CPUBackend
    let memory: DecodeMemory
    let stages: [DecodeStage]
    /// What comes before each stage, and nothing after the last.
    let preparations: [DecodePreparation?]
    private let runners: [StageRunner]
    private let table: StoredMatrix
    private let positionTable: StoredMatrix?
    private let embeddingScale: Float
    private let embeddingNorm: DecodeNorm?
    private let hidden: Int
    let input: UnsafeMutablePointer<DecodeInput>
    /// The stages where threads read them: without counting references.
    let plainStages: UnsafePointer<DecodeStage>

    /// Nil where the backend is another or the model has something that the program does not know.
    public init?(_ description: DecodeDescription, backend: any Backend) {
        guard let backend = backend as? CPUBackend, description.isSupported else { return nil }
        self.backend = backend
        let builder = DecodeBuilder(description)
        (stages, preparations) = builder.build()
        memory = builder.memory
        input = memory.place(builder.input)
        plainStages = memory.copied(stages)
        hidden = builder.hidden
        vocabularySize = description.head.outputCount
        table = DecodeBuilder.stored(description.embedding)
        positionTable = description.positionEmbedding.map(DecodeBuilder.stored)
        embeddingScale = description.embeddingScale
        embeddingNorm = description.embeddingNorm.map(builder.norm)
        let stages = stages
        runners = (1...Self.maximumRows).map { rows in
            StageRunner(sizes: stages.map { $0.isPerRow ? $0.chunkCount * rows : $0.chunkCount }, threadCount: backend.threadCount)
        }
    }

    /// One new token of each conversation goes into its cache.
    /// - Parameters:
    ///   - tokens: at most `maximumRows`, each within the vocabulary
    ///   - tables: rotations of full and of sliding layers, reaching every cache's length; nil where nothing is rotated
    /// - Returns: logits [tokens, vocabulary], which the next step overwrites
    public func step(
        tokens: [Int32], caches: [KeyValueCache], tables: (full: RotaryTable, sliding: RotaryTable)?
    ) -> UnsafeMutableBufferPointer<Float> {
        let rows = tokens.count
        precondition(rows > 0 && rows <= Self.maximumRows && caches.count == rows, "\(rows) tokens for \(caches.count) caches")
        for cache in caches { precondition(cache.length < cache.capacity, "a cache of \(cache.capacity) tokens is full") }
        input.pointee.rows = rows
        for row in 0..<rows {
            memory.positions[row] = Int32(caches[row].length)
            embed(tokens[row], position: caches[row].length, into: memory.stream + row * hidden)
        }
        if let first = preparations[0] { prepare(first) }
        let pass = DecodePass(program: self, caches: caches, tables: tables, stages: plainStages, input: UnsafePointer(input))
        runners[rows - 1].run(on: backend.threads, perform: pass.perform, ahead: pass.ahead, finish: pass.finish)
        for cache in caches { cache.advance(by: 1) }
        return UnsafeMutableBufferPointer(start: memory.logits, count: rows * vocabularySize)
    }

    private func embed(_ token: Int32, position: Int, into to: UnsafeMutablePointer<Float>) {
        precondition(token >= 0 && Int(token) < table.rowCount, "token \(token) outside a vocabulary of \(table.rowCount)")
        table.widen(rows: Int(token)..<Int(token) + 1, columns: 0..<hidden, into: to)
        if embeddingScale != 1 { tb_scale(to, to, embeddingScale, hidden) }
        if let positionTable {
            precondition(position < positionTable.rowCount, "position \(position) of \(positionTable.rowCount)")
            positionTable.widen(rows: position..<position + 1, columns: 0..<hidden, into: memory.normalised)
            tb_add(to, memory.normalised, to, hidden)
        }
        embeddingNorm?.apply(to, rows: 1, into: to, statistics: memory.statistics)
    }

    /// Makes the next stage's input.
    func prepare(_ preparation: DecodePreparation) {
        let rows = input.pointee.rows, stream = memory.stream
        if let delta = preparation.delta {
            if let norm = preparation.deltaNorm { norm.apply(delta, rows: rows, into: delta, statistics: memory.statistics) }
            tb_add(stream, delta, stream, rows * hidden)
        }
        switch preparation.source {
        case .stream(let norm):
            norm.apply(stream, rows: rows, into: memory.normalised, statistics: memory.statistics)
            input.pointee.numbers = UnsafePointer(memory.normalised)
        case .buffer(let buffer): input.pointee.numbers = buffer
        }
        let width = preparation.width, input = input.pointee
        for row in 0..<rows {
            let numbers = input.numbers + row * width, activation = input.activations + row
            activation.pointee.full = numbers
            if preparation.needsCodes { tb_quantize_activation(numbers, width, activation) }
            if preparation.needsHalves { tb_halve_activation(numbers, width, activation) }
            for down in preparation.downs {
                let low = input.low + row * input.lowStride + down.offset
                tb_gemv_f32(numbers, 1, width, down.matrix, down.rank, width, low, down.rank)
                if down.scale != 1 { tb_scale(low, low, down.scale, down.rank) }
            }
        }
    }
}

/// One step's view of the program: its caches, as plain pointers for the threads.
struct DecodePass {
    let program: DecodeProgram
    let caches: [KeyValueCache]
    let tables: (full: RotaryTable, sliding: RotaryTable)?
    let stages: UnsafePointer<DecodeStage>
    let input: UnsafePointer<DecodeInput>

    func perform(_ stage: Int, _ chunk: Int) {
        let input = input.pointee
        switch stages[stage].work {
        case .products(let products, let count):
            var index = count - 1
            while products[index].firstChunk > chunk { index -= 1 }
            products[index].run(products[index].columns(chunk), input: input)
        case .gated(let pair, let kind, let to):
            let columns = pair[0].columns(chunk), width = pair[0].outputs
            pair[0].run(columns, input: input)
            pair[1].run(columns, input: input)
            for row in 0..<input.rows {
                let at = row * width + columns.lowerBound
                tb_gated(pair[0].to + at, pair[1].to + at, to + at, columns.count, kind)
            }
        case .activated(let product, let kind, let ones):
            let columns = product.pointee.columns(chunk)
            product.pointee.run(columns, input: input)
            for row in 0..<input.rows {
                let at = product.pointee.to + row * product.pointee.stride + columns.lowerBound
                tb_gated(at, ones, at, columns.count, kind)
            }
        case .capped(let product, let cap):
            let columns = product.pointee.columns(chunk)
            product.pointee.run(columns, input: input)
            for row in 0..<input.rows {
                let at = product.pointee.to + row * product.pointee.stride + columns.lowerBound
                tb_soft_cap(at, at, nil, cap, columns.count)
            }
        case .attention(let attention): attend(attention, chunk)
        }
    }

    /// While a thread waits for the others, the memory that it will read next comes nearer.
    func ahead(_ stage: Int, _ chunk: Int) {
        switch stages[stage].work {
        case .products(let products, let count):
            var index = count - 1
            while products[index].firstChunk > chunk { index -= 1 }
            products[index].fetch(products[index].columns(chunk))
        case .gated(let pair, _, _):
            pair[0].fetch(pair[0].columns(chunk))
            pair[1].fetch(pair[1].columns(chunk))
        case .activated(let product, _, _), .capped(let product, _): product.pointee.fetch(product.pointee.columns(chunk))
        case .attention: break
        }
    }

    func finish(_ stage: Int) {
        if let preparation = program.preparations[stage + 1] { program.prepare(preparation) }
    }

    /// One key head of one row: its queries and key are turned, key and value go into the cache, the queries look at all of it.
    private func attend(_ pointer: UnsafePointer<DecodeAttention>, _ task: Int) {
        let attention = pointer.pointee, shape = attention.shape, memory = program.memory, dimension = shape.headDimension
        let row = task / shape.keyValueHeadCount, head = task % shape.keyValueHeadCount
        let group = shape.headCount / shape.keyValueHeadCount
        let projected = memory.projected + row * memory.projectedWidth
        let query = projected + attention.queryColumns[head], key = projected + attention.keyColumns[head]
        let value = projected + attention.valueColumns[head]
        let scratch = memory.attentionScratch + task * memory.attentionScratchCount
        attention.queryNorm?.apply(query, rows: group, into: query, statistics: scratch)
        attention.keyNorm?.apply(key, rows: 1, into: key, statistics: scratch)
        if let tables {
            let table = attention.isSliding ? tables.sliding : tables.full
            let half = table.rotaryDimension / 2, interleaved: Int32 = table.isInterleaved ? 1 : 0
            let cosines = table.cosines.floatPointer, sines = table.sines.floatPointer, position = memory.positions + row
            tb_rotary(query, query, 1, group, dimension, half, interleaved, cosines, sines, position, 1)
            tb_rotary(key, key, 1, 1, dimension, half, interleaved, cosines, sines, position, 1)
        }
        let cache = caches[row], keys = cache.keys(layer: attention.layer), values = cache.values(layer: attention.layer)
        let isHalf = keys.dtype == .bfloat16, start = head * cache.capacity * dimension, slot = start + cache.length * dimension
        if isHalf {
            tb_narrow_bf16(key, keys.halfPointer + slot, dimension)
            tb_narrow_bf16(value, values.halfPointer + slot, dimension)
        } else {
            (keys.floatPointer + slot).update(from: key, count: dimension)
            (values.floatPointer + slot).update(from: value, count: dimension)
        }
        let size = isHalf ? 2 : 4, seen = shape.visibleKeys(first: cache.length, count: 1, total: cache.length + 1)
        var one = tb_token_attention()
        one.keys = UnsafeRawPointer(keys.address + start * size)
        one.values = UnsafeRawPointer(values.address + start * size)
        one.is_bf16 = isHalf ? 1 : 0
        one.first = seen.lowerBound
        one.count = seen.upperBound
        one.group = group
        one.dimension = dimension
        one.scale = shape.scale
        one.soft_cap = shape.softCap ?? 0
        one.slopes = attention.slopes.map { $0 + head * group }
        tb_attend_token(&one, query, scratch, memory.attended + row * shape.headCount * dimension + head * group * dimension)
    }
}
