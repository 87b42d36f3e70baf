import CKernels

/// One step of a program as its threads see it: nothing but plain pointers, because counting references from several threads makes
/// them wait for each other.
struct DecodePass {
    private let stages: UnsafePointer<DecodeStage>
    private let preparations: UnsafePointer<DecodePreparation?>
    private let input: UnsafeMutablePointer<DecodeInput>
    /// [rows, layers]
    private let caches: UnsafePointer<DecodeCache>
    private let layerCount: Int
    private let full, sliding: DecodeRotation?
    private let positions: UnsafePointer<Int32>
    private let stream, normalised, projected, attended, statistics: UnsafeMutablePointer<Float>
    private let projectedWidth: Int
    private let attentionScratch: UnsafeMutablePointer<Float>
    private let attentionScratchCount: Int

    /// - Parameter tables: alive until the step is done, as the program and the caches are
    init(_ program: DecodeProgram, _ tables: (full: RotaryTable, sliding: RotaryTable)?) {
        let memory = program.memory
        stages = program.stages
        preparations = program.preparations
        input = program.input
        caches = UnsafePointer(memory.caches)
        layerCount = memory.layerCount
        full = tables.map { DecodeRotation($0.full) }
        sliding = tables.map { DecodeRotation($0.sliding) }
        positions = UnsafePointer(memory.positions)
        stream = memory.stream
        normalised = memory.normalised
        projected = memory.projected
        attended = memory.attended
        statistics = memory.statistics
        projectedWidth = memory.projectedWidth
        attentionScratch = memory.attentionScratch
        attentionScratchCount = memory.attentionScratchCount
    }

    func begin(_ stage: Int, _ worker: Int) {
        let stage = stages + stage
        guard input.pointee.rows == 1, stage.pointee.codeParts != 0 else { return }
        tb_copy_activation(input.pointee.activations, stage.pointee.codeParts, stage.pointee.codeCount, input.pointee.own + worker)
    }

    func perform(_ stage: Int, _ chunks: Range<Int>, _ worker: Int) {
        var input = input.pointee
        if input.rows == 1, stages[stage].codeParts != 0 { input.activations = input.own + worker }
        switch stages[stage].work {
        case .products(let products, let count):
            for index in DecodeProduct.index(of: chunks.lowerBound, in: products, count)..<count {
                let columns = products[index].columns(chunks)
                if !columns.isEmpty { products[index].run(columns, input: input) }
            }
        case .gated(let pair, let kind, let to):
            let columns = pair[0].columns(chunks), width = pair[0].outputs
            pair[0].run(columns, input: input)
            pair[1].run(columns, input: input)
            for row in 0..<input.rows {
                let at = row * width + columns.lowerBound
                tb_gated(pair[0].to + at, pair[1].to + at, to + at, columns.count, kind)
                if stages[stage].makesCodes { tb_quantize_activation(to + at, columns.lowerBound, columns.count, input.made + row) }
            }
        case .activated(let product, let kind, let ones):
            let columns = product.pointee.columns(chunks)
            product.pointee.run(columns, input: input)
            for row in 0..<input.rows {
                let at = product.pointee.to + row * product.pointee.stride + columns.lowerBound
                tb_gated(at, ones, at, columns.count, kind)
            }
        case .capped(let product, let cap):
            let columns = product.pointee.columns(chunks)
            product.pointee.run(columns, input: input)
            for row in 0..<input.rows {
                let at = product.pointee.to + row * product.pointee.stride + columns.lowerBound
                tb_soft_cap(at, at, nil, cap, columns.count)
            }
        case .attention(let attention):
            for task in chunks { attend(attention, task, makesCodes: stages[stage].makesCodes) }
        }
    }

    func finish(_ stage: Int) {
        if let preparation = preparations[stage + 1] { prepare(preparation) }
    }

    /// Makes the next stage's input.
    func prepare(_ preparation: DecodePreparation) {
        let rows = input.pointee.rows, width = preparation.width
        if let delta = preparation.delta {
            if let norm = preparation.deltaNorm { norm.apply(delta, rows: rows, into: delta, statistics: statistics) }
            tb_add(stream, delta, stream, rows * width)
        }
        switch preparation.source {
        case .stream(let norm):
            norm.apply(stream, rows: rows, into: normalised, statistics: statistics)
            input.pointee.numbers = UnsafePointer(normalised)
            input.pointee.activations = input.pointee.normalised
        case .buffer(let buffer):
            input.pointee.numbers = buffer
            input.pointee.activations = input.pointee.made
        }
        let input = input.pointee
        for row in 0..<rows {
            let numbers = input.numbers + row * width, activation = input.activations + row
            activation.pointee.full = numbers
            if preparation.needsCodes { tb_quantize_activation(numbers, 0, width, activation) }
            if preparation.needsHalves { tb_halve_activation(numbers, width, activation) }
            for index in 0..<preparation.downCount {
                let down = preparation.downs[index], low = input.low + row * input.lowStride + down.offset
                tb_gemv_f32(numbers, 1, width, down.matrix, down.rank, width, low, down.rank)
                if down.scale != 1 { tb_scale(low, low, down.scale, down.rank) }
            }
        }
    }

    /// One key head of one row: its queries and key are turned, key and value go into the cache, the queries look at all of it.
    private func attend(_ attention: UnsafePointer<DecodeAttention>, _ task: Int, makesCodes: Bool) {
        let dimension = attention.pointee.dimension, group = attention.pointee.group, keyHeadCount = attention.pointee.keyHeadCount
        let row = task / keyHeadCount, head = task % keyHeadCount
        let projected = projected + row * projectedWidth
        let query = projected + attention.pointee.queryColumns[head], key = projected + attention.pointee.keyColumns[head]
        let value = projected + attention.pointee.valueColumns[head]
        let scratch = attentionScratch + task * attentionScratchCount
        attention.pointee.queryNorm?.apply(query, rows: group, into: query, statistics: scratch)
        attention.pointee.keyNorm?.apply(key, rows: 1, into: key, statistics: scratch)
        if let table = attention.pointee.isSliding ? sliding : full {
            let position = positions + row
            tb_rotary(query, query, 1, group, dimension, table.half, table.isInterleaved, table.cosines, table.sines, position, 1)
            tb_rotary(key, key, 1, 1, dimension, table.half, table.isInterleaved, table.cosines, table.sines, position, 1)
        }
        let cache = caches[row * layerCount + attention.pointee.layer], size = cache.isHalf ? 2 : 4
        let start = head * cache.capacity * dimension * size
        let keys = cache.keys + start, values = cache.values + start, slot = cache.length * dimension
        if cache.isHalf {
            tb_narrow_bf16(key, keys.assumingMemoryBound(to: UInt16.self) + slot, dimension)
            tb_narrow_bf16(value, values.assumingMemoryBound(to: UInt16.self) + slot, dimension)
        } else {
            (keys.assumingMemoryBound(to: Float.self) + slot).update(from: key, count: dimension)
            (values.assumingMemoryBound(to: Float.self) + slot).update(from: value, count: dimension)
        }
        var one = tb_token_attention()
        one.keys = UnsafeRawPointer(keys)
        one.values = UnsafeRawPointer(values)
        one.is_bf16 = cache.isHalf ? 1 : 0
        one.first = attention.pointee.window.map { max(0, cache.length + 1 - $0) } ?? 0
        one.count = cache.length + 1
        one.group = group
        one.dimension = dimension
        one.scale = attention.pointee.scale
        one.soft_cap = attention.pointee.softCap
        one.slopes = attention.pointee.slopes.map { $0 + head * group }
        let width = group * dimension, result = attended + task * width
        tb_attend_token(&one, query, scratch, result)
        if makesCodes { tb_quantize_activation(result, head * width, width, input.pointee.made + row) }
    }
}
