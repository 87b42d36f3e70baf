import CKernels

/// Lays out a program.
struct DecodeBuilder {
    let description: DecodeDescription
    let memory: DecodeMemory
    let input: DecodeInput
    let hidden: Int
    private let threadCount: Int

    /// Bytes of weights in a chunk, the least that a thread takes: half a microsecond of reading.
    private static let chunkBytes = 16 << 10

    init(_ description: DecodeDescription, threadCount: Int) {
        self.threadCount = threadCount
        self.description = description
        hidden = description.embedding.shape[1]
        let blocks = description.blocks, rows = DecodeProgram.maximumRows
        let inner = blocks.map { $0.innerWidth }.max() ?? 0
        let attended = blocks.map { $0.shape.headCount * $0.shape.headDimension }.max() ?? 0
        memory = DecodeMemory(
            hidden: hidden, projected: blocks.map { $0.projections.reduce(0) { $0 + $1.outputCount } }.max() ?? 0, attended: attended,
            inner: inner, vocabulary: description.head.outputCount,
            group: blocks.map { $0.shape.headCount / $0.shape.keyValueHeadCount }.max() ?? 1,
            keyHeads: blocks.map(\.shape.keyValueHeadCount).max() ?? 1, layers: blocks.count)
        let widest = max(hidden, inner, attended), bytes = (tb_activation_bytes(widest) + 63) / 64 * 64
        // First the norms', then those that stages make, then the threads'.
        let count = 2 * rows + threadCount
        let activations = memory.allocate(byteCount: count * MemoryLayout<tb_activation>.stride).assumingMemoryBound(to: tb_activation.self)
        let parts = memory.allocate(byteCount: count * bytes)
        for row in 0..<count { activations[row] = tb_activation_in(parts + row * bytes, widest) }
        let stages = blocks.flatMap { [$0.projections, [$0.output], $0.feedForward.first, [$0.feedForward.down]] } + [[description.head]]
        let ranks = stages.map { $0.reduce(0) { $0 + ($1.activeAdapter?.rank ?? 0) } }.max() ?? 0
        input = DecodeInput(
            rows: 0, numbers: UnsafePointer(memory.normalised), activations: activations, normalised: activations, made: activations + rows,
            own: activations + 2 * rows,
            low: memory.allocate(byteCount: rows * ranks * 4).assumingMemoryBound(to: Float.self), lowStride: ranks)
    }

    /// A list that is being laid out.
    private struct Layout {
        var stages: [DecodeStage] = []
        var preparations: [DecodePreparation?] = []
        /// What threads read of each stage beside weights.
        var reading: [UnsafeRawBufferPointer?] = []
        private var mark = 0
        let memory: DecodeMemory

        init(_ memory: DecodeMemory) {
            self.memory = memory
            mark = memory.taken
        }

        mutating func add(_ work: DecodeStage.Work, _ chunks: Int, of products: [DecodeProduct] = [], after preparation: DecodePreparation?) {
            var stage = DecodeStage(work: work, chunkCount: chunks)
            for product in products {
                guard case .quantized(let matrix) = product.weight else { continue }
                stage.codeCount = product.inputs
                stage.codeParts |= tb_activation_parts(matrix.pointee.kind)
            }
            // All or none: products of another kind read parts that are not copied.
            if products.contains(where: { !$0.readsKnownParts }) { stage.codeParts = 0 }
            stages.append(stage)
            preparations.append(preparation)
            reading.append(memory.since(mark))
            mark = memory.taken
        }

        /// The last stage makes the codes that a preparation would have made.
        mutating func makeCodes(for preparation: inout DecodePreparation) {
            stages[stages.count - 1].makesCodes = preparation.needsCodes
            preparation.needsCodes = false
        }
    }

    /// The stages, and what comes before each; one entry more, which is empty.
    func build() -> (stages: [DecodeStage], preparations: [DecodePreparation?], reading: [UnsafeRawBufferPointer?]) {
        var layout = Layout(memory)
        var delta: UnsafeMutablePointer<Float>?, deltaNorm: DecodeNorm?
        for (layer, block) in description.blocks.enumerated() {
            var first = preparation(block.projections, source: .stream(norm(block.attentionNorm)), width: hidden)
            first.delta = delta
            first.deltaNorm = deltaNorm
            var products: [DecodeProduct] = [], column = 0, lowOffset = 0
            for linear in block.projections {
                products.append(product(linear, to: memory.projected + column, stride: memory.projectedWidth, lowOffset: lowOffset))
                column += linear.outputCount
                lowOffset += linear.activeAdapter?.rank ?? 0
            }
            add(products, to: &layout, after: first)
            // Attention reads the projections as they are.
            layout.add(.attention(copied([attention(block, layer)])), block.shape.keyValueHeadCount, after: nil)
            var second = preparation([block.output], source: .buffer(UnsafePointer(memory.attended)), width: block.output.inputCount)
            let headWidth = block.shape.headCount / block.shape.keyValueHeadCount * block.shape.headDimension
            if headWidth % Self.codesTogether == 0 { layout.makeCodes(for: &second) }
            add([product(block.output, to: memory.delta, stride: hidden)], to: &layout, after: second)
            feedForward(block, &layout)
            delta = memory.delta
            deltaNorm = block.feedForwardOutputNorm.map(norm)
        }
        var last = preparation([description.head], source: .stream(norm(description.finalNorm)), width: hidden)
        last.delta = delta
        last.deltaNorm = deltaNorm
        let head = product(description.head, to: memory.logits, stride: description.head.outputCount)
        if case .softCap(let cap)? = description.head.outputTransform {
            let chunked = together([head])
            layout.add(.capped(copied(chunked), cap: cap), chunked[0].chunkCount, of: chunked, after: last)
        } else {
            add([head], to: &layout, after: last)
        }
        return (layout.stages, layout.preparations + [nil], layout.reading)
    }

    private func add(_ products: [DecodeProduct], to layout: inout Layout, after preparation: DecodePreparation) {
        var products = products, total = 0
        for index in products.indices {
            products[index].columnsPerChunk = Self.columnsPerChunk(bytes: products[index].rowBytes)
            products[index].firstChunk = total
            total += products[index].chunkCount
        }
        layout.add(.products(copied(products), count: products.count), total, of: products, after: preparation)
    }

    private func feedForward(_ block: DecodeDescription.Block, _ layout: inout Layout) {
        let linears = block.feedForward.first, down = block.feedForward.down, inner = down.inputCount
        var before = preparation(linears, source: .stream(norm(block.feedForwardNorm)), width: hidden)
        before.delta = memory.delta
        before.deltaNorm = block.outputNorm.map(norm)
        let kind = block.activation.rawValue
        var products: [DecodeProduct] = []
        switch block.feedForward {
        case .gated(let gate, let up, _):
            products = [
                product(gate, to: memory.gate, stride: inner),
                product(up, to: memory.up, stride: inner, lowOffset: gate.activeAdapter?.rank ?? 0),
            ]
        case .fusedGated(let gateUp, _):
            // One adapter, whose A x both halves read.
            products = [
                product(gateUp, rows: 0..<inner, to: memory.gate, stride: inner),
                product(gateUp, rows: inner..<2 * inner, to: memory.up, stride: inner),
            ]
        case .plain(let up, _): products = [product(up, to: memory.inner, stride: inner)]
        }
        products = together(products)
        var last = preparation([down], source: .buffer(UnsafePointer(memory.inner)), width: inner)
        if products.count == 2 {
            defer { layout.makeCodes(for: &last) }
            layout.add(.gated(copied(products), kind: kind, to: memory.inner), products[0].chunkCount, of: products, after: before)
        } else {
            let ones = memory.allocate(byteCount: inner * 4).assumingMemoryBound(to: Float.self)
            tb_fill(ones, 1, inner)
            layout.add(.activated(copied(products), kind: kind, ones: UnsafePointer(ones)), products[0].chunkCount, of: products, after: before)
        }
        add([product(down, to: memory.delta, stride: hidden)], to: &layout, after: last)
    }

    /// Products of one shape whose chunks are computed together.
    private func together(_ products: [DecodeProduct]) -> [DecodeProduct] {
        let least = Self.columnsPerChunk(bytes: products.reduce(0) { $0 + $1.rowBytes })
        // Their results are made codes chunk by chunk.
        let columns = (least + Self.codesTogether - 1) / Self.codesTogether * Self.codesTogether
        return products.map {
            var product = $0
            product.columnsPerChunk = columns
            return product
        }
    }

    /// A multiple of the rows that kernels take at a time.
    private static func columnsPerChunk(bytes: Int) -> Int { max(4, chunkBytes / max(1, bytes) / 4 * 4) }

    /// Numbers that share a scale when they become codes.
    private static let codesTogether = 32

    private func copied<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafePointer<Element> { memory.copied(elements) }

    private func preparation(_ linears: [Linear], source: DecodePreparation.Source, width: Int) -> DecodePreparation {
        var downs: [DecodePreparation.Down] = [], offset = 0
        for case let adapter? in linears.map(\.activeAdapter) {
            downs.append(DecodePreparation.Down(matrix: floats(adapter.a.value), rank: adapter.rank, offset: offset, scale: adapter.scale))
            offset += adapter.rank
        }
        var result = DecodePreparation(source: source, width: width, downs: copied(downs), downCount: downs.count)
        for linear in linears {
            switch linear.weight {
            case .dense(let parameter): result.needsHalves = result.needsHalves || parameter.dtype != .float32
            case .quantized(let matrix): result.needsCodes = result.needsCodes || tb_has_block_dot(matrix.kernel.kind) != 0
            }
        }
        return result
    }

    /// - Parameters:
    ///   - rows: the part of the weight to use; nil for all
    ///   - lowOffset: ranks of adapters that come before its own in `low`
    private func product(
        _ linear: Linear, rows: Range<Int>? = nil, to: UnsafeMutablePointer<Float>, stride: Int, lowOffset: Int = 0
    ) -> DecodeProduct {
        let first = rows?.lowerBound ?? 0, inputs = linear.inputCount
        let weight: DecodeProduct.Weight
        switch linear.weight {
        case .dense(let parameter):
            let tensor = parameter.value
            memory.keep(tensor)
            let start = UnsafeRawPointer(tensor.address)
            weight = tensor.dtype == .float32 ? .float32(start.assumingMemoryBound(to: Float.self)) : .half(tensor.dtype.kernelType, start)
        case .quantized(let matrix):
            memory.keep(matrix)
            let kernel = memory.allocate(byteCount: MemoryLayout<tb_quantized>.size).assumingMemoryBound(to: tb_quantized.self)
            kernel.initialize(to: matrix.kernel)
            weight = .quantized(kernel)
        }
        var product = DecodeProduct(
            weight: weight, inputs: inputs, outputs: rows?.count ?? linear.outputCount, bias: linear.bias.map { floats($0.value) + first }, to: to,
            stride: stride)
        product.firstRow = first
        if let adapter = linear.activeAdapter {
            product.up = floats(adapter.b.value) + first * adapter.rank
            product.rank = adapter.rank
            product.lowOffset = lowOffset
        }
        return product
    }

    /// A small tensor's numbers in f32, alive as long as the program.
    private func floats(_ tensor: Tensor) -> UnsafePointer<Float> {
        if tensor.dtype == .float32 {
            memory.keep(tensor)
            return UnsafePointer(tensor.floatPointer)
        }
        let copy = memory.allocate(byteCount: tensor.count * 4).assumingMemoryBound(to: Float.self)
        tensor.widen(from: 0, count: tensor.count, into: copy)
        return UnsafePointer(copy)
    }

    func norm(_ norm: DecodeDescription.Norm) -> DecodeNorm {
        DecodeNorm(
            isLayerNorm: norm.kind == .layer, width: norm.weight.count, weight: floats(norm.weight.value),
            bias: norm.bias.map { floats($0.value) }, epsilon: norm.epsilon, offset: norm.weightOffset)
    }

    private func attention(_ block: DecodeDescription.Block, _ layer: Int) -> DecodeAttention {
        let shape = block.shape, group = shape.headCount / shape.keyValueHeadCount
        /// The column of the heads' element `place` when all ranges are laid side by side.
        func column(_ ranges: [Range<Int>], _ place: Int) -> Int {
            var left = place
            for range in ranges {
                if left < range.count { return range.lowerBound + left }
                left -= range.count
            }
            preconditionFailure("heads beyond the projections")
        }
        let heads = 0..<shape.keyValueHeadCount, dimension = shape.headDimension
        var slopes: UnsafePointer<Float>?
        if let given = shape.slopes {
            let copy = memory.allocate(byteCount: given.count * 4).assumingMemoryBound(to: Float.self)
            for (index, slope) in given.enumerated() { copy[index] = slope }
            slopes = UnsafePointer(copy)
        }
        return DecodeAttention(
            layer: layer, keyHeadCount: shape.keyValueHeadCount, group: group, dimension: dimension, scale: shape.scale,
            softCap: shape.softCap ?? 0, window: shape.slidingWindow, isSliding: block.isSliding, queryNorm: block.queryNorm.map(norm),
            keyNorm: block.keyNorm.map(norm), queryColumns: copied(heads.map { column(block.parts[0], $0 * group * dimension) }),
            keyColumns: copied(heads.map { column(block.parts[1], $0 * dimension) }),
            valueColumns: copied(heads.map { column(block.parts[2], $0 * dimension) }), slopes: slopes)
    }

    /// What each thread reads first in each stage, [stages, threads].
    func upcoming(
        _ stages: [DecodeStage], _ preparations: [DecodePreparation?], _ reading: [UnsafeRawBufferPointer?]
    ) -> UnsafePointer<StageRunner.Upcoming> {
        let all = stages.indices.flatMap { index in
            (0..<threadCount).map { thread in
                var upcoming = weights(stages[index...], thread)
                if let reading = reading[index] { (upcoming.small, upcoming.smallBytes) = (reading.baseAddress, reading.count) }
                if case .stream(let norm)? = preparations[index]?.source {
                    (upcoming.other, upcoming.otherBytes) = (UnsafeRawPointer(norm.weight), 4 * norm.width)
                }
                return upcoming
            }
        }
        return copied(all)
    }

    /// Bytes that a thread asks for while it waits: a quarter of a second-level cache.
    private static let upcomingBytes = 256 << 10

    private func weights(_ stages: ArraySlice<DecodeStage>, _ thread: Int) -> StageRunner.Upcoming {
        guard let stage = stages.first else { return StageRunner.Upcoming() }
        let chunk = stage.chunkCount * thread / threadCount
        /// To the end of the matrix at most.
        func reach(_ product: DecodeProduct, _ bytes: Int) -> (UnsafeRawPointer, Int) {
            let first = product.columns(chunk..<chunk + 1).lowerBound
            return (product.address(first), min(bytes, (product.outputs - first) * product.rowBytes))
        }
        switch stage.work {
        case .products(let products, let count):
            let product = products[DecodeProduct.index(of: chunk, in: products, count)]
            let (first, bytes) = reach(product, Self.upcomingBytes)
            return StageRunner.Upcoming(first: first, byteCount: bytes)
        case .gated(let pair, _, _):
            let (first, bytes) = reach(pair[0], Self.upcomingBytes / 2), (second, others) = reach(pair[1], Self.upcomingBytes / 2)
            return StageRunner.Upcoming(first: first, second: second, byteCount: min(bytes, others))
        case .activated(let product, _, _), .capped(let product, _):
            let (first, bytes) = reach(product.pointee, Self.upcomingBytes)
            return StageRunner.Upcoming(first: first, byteCount: bytes)
        // Reads no weights itself.
        case .attention: return weights(stages.dropFirst(), thread)
        }
    }

    static func stored(_ parameter: Parameter) -> StoredMatrix {
        parameter.quantized.map { .quantized($0) } ?? .dense(parameter.value)
    }
}

extension DecodeDescription.FeedForward {
    /// The layers that read the norm's output.
    var first: [Linear] {
        switch self {
        case .gated(let gate, let up, _): [gate, up]
        case .fusedGated(let gateUp, _): [gateUp]
        case .plain(let up, _): [up]
        }
    }

    var down: Linear {
        switch self {
        case .gated(_, _, let down), .fusedGated(_, let down), .plain(_, let down): down
        }
    }
}

extension DecodeDescription.Block {
    fileprivate var innerWidth: Int { feedForward.down.inputCount }
}
