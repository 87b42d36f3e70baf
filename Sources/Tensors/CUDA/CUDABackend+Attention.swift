import CUDAKernels

/// Attention: tiles on tensor cores for bf16 and fp16, plain f32 kernels for f32 and for heads that no tile fits, and a kernel of its
/// own for single tokens with a cache.
extension CUDABackend {
    public func attention(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, into result: Tensor, logSumExp: Tensor?
    ) {
        guard hasAttention(shape) else { return }
        let type = query.dtype, keys = cast(key, type), values = cast(value, type)
        let cumulative = upload(layout.cumulativeLengths), slopes = shape.slopes.map { upload(floats: $0) }
        writing(result, as: type) { result in
            var a = description(shape, tokens: layout.tokenCount, sequences: layout.sequenceCount)
            a.query = pointer(read(query))
            a.key = pointer(read(keys))
            a.value = pointer(read(values))
            a.result = mutable(write(result))
            a.log_sum_exp = floats(logSumExp.map { write($0) } ?? 0)
            a.cumulative = integers(read(cumulative))
            a.slopes = constants(read(slopes))
            forward(a, type)
        }
        withExtendedLifetime((keys, values, cumulative, slopes)) {}
    }

    public func attentionBackward(
        gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, result: Tensor, logSumExp: Tensor, shape: AttentionShape,
        layout: SequenceLayout, queryGradient: Tensor, keyGradient: Tensor, valueGradient: Tensor
    ) {
        guard hasAttention(shape) else { return }
        let type = query.dtype, tokens = layout.tokenCount, heads = shape.headCount, dimension = shape.headDimension
        let arrived = cast(gradient, type), keys = cast(key, type), values = cast(value, type), attended = cast(result, type)
        let cumulative = upload(layout.cumulativeLengths), slopes = shape.slopes.map { upload(floats: $0) }
        let delta = empty([heads, tokens], .float32, for: .workspace)
        // A gradient may lie where its input lies: each kernel writes what only later kernels no longer read, so both get room.
        let isShared = [queryGradient, keyGradient, valueGradient].contains { gradient in
            [query, key, value].contains { $0.storage === gradient.storage }
        }
        func own(_ tensor: Tensor) -> Tensor {
            isShared || tensor.dtype != type ? empty(tensor.shape, type, for: .workspace) : tensor
        }
        let dq = own(queryGradient), dk = own(keyGradient), dv = own(valueGradient)
        var a = description(shape, tokens: tokens, sequences: layout.sequenceCount)
        a.query = pointer(read(query))
        a.key = pointer(read(keys))
        a.value = pointer(read(values))
        a.result = mutable(read(attended))
        a.log_sum_exp = floats(read(logSumExp))
        a.gradient = pointer(read(arrived))
        a.delta = floats(write(delta))
        a.query_gradient = mutable(write(dq))
        a.key_gradient = mutable(write(dk))
        a.value_gradient = mutable(write(dv))
        a.cumulative = integers(read(cumulative))
        a.slopes = constants(read(slopes))
        let words = KernelArgument.structure(a)
        run("attention_delta", type, LaunchShape(grid: (tokens + 3) / 4, heads, threads: 128), [words])
        if usesTiles(type, dimension) {
            let tile = dimension <= 128 ? 64 : 32, tiles = (tokens + tile - 1) / tile + layout.sequenceCount
            let shared = 6 * tile * dimension * 2
            run(
                "attention_backward_keys", type, dimension: dimension,
                LaunchShape(
                    grid: tiles, shape.keyValueHeadCount, dimension == 256 ? 2 : 1, threads: 2 * tile, sharedBytes: shared + 16 * tile), [words])
            run(
                "attention_backward_queries", type, dimension: dimension,
                LaunchShape(grid: tiles, heads, threads: 2 * tile, sharedBytes: shared), [words])
        } else {
            let tiles = (tokens + 15) / 16 + layout.sequenceCount, shared = (64 * (dimension + 1) + 32 * dimension) * 4
            run(
                "plain_attention_backward_keys", type,
                LaunchShape(grid: tiles, shape.keyValueHeadCount, threads: 128, sharedBytes: shared), [words])
            run(
                "plain_attention_backward_queries", type, LaunchShape(grid: tiles, heads, threads: 128, sharedBytes: shared), [words])
        }
        for (made, wanted) in [(dq, queryGradient), (dk, keyGradient), (dv, valueGradient)] where made.storage !== wanted.storage {
            convert(made, into: wanted)
        }
        withExtendedLifetime((arrived, keys, values, attended, delta)) {}
    }

    /// Kernels keep a row's columns in registers, at most 256 of them.
    private func hasAttention(_ shape: AttentionShape) -> Bool {
        if shape.headDimension <= 256, shape.headDimension % 2 == 0 { return true }
        if !device.stopsRecording("attention") { device.fail(.unsupported("attention with \(shape.headDimension) columns a head")) }
        return false
    }

    /// The heads that the tensor-core kernels are written for (kernels.tsv).
    private func usesTiles(_ type: DType, _ dimension: Int) -> Bool {
        (type == .bfloat16 || type == .float16) && dimension % 16 == 0 && (dimension <= 128 || dimension == 256)
    }

    private func forward(_ a: tb_cuda_attention, _ type: DType) {
        let dimension = Int(a.dimension), tokens = Int(a.tokens), sequences = Int(a.sequences), heads = Int(a.heads)
        if usesTiles(type, dimension) {
            let tile = dimension <= 128 ? 64 : 32, queries = dimension <= 128 ? 128 : 64
            run(
                "attention_forward", type, dimension: dimension,
                LaunchShape(
                    grid: (tokens + queries - 1) / queries + sequences, heads, threads: 128, sharedBytes: (queries + 4 * tile) * dimension * 2),
                [.structure(a)])
        } else {
            run(
                "plain_attention_forward", type,
                LaunchShape(
                    grid: (tokens + 15) / 16 + sequences, heads, threads: 128, sharedBytes: (64 * (dimension + 1) + 16 * dimension) * 4),
                [.structure(a)])
        }
    }

    private func description(_ shape: AttentionShape, tokens: Int, sequences: Int) -> tb_cuda_attention {
        var a = tb_cuda_attention()
        let width = Int64(shape.headCount * shape.headDimension), keyWidth = Int64(shape.keyValueHeadCount * shape.headDimension)
        a.query_stride = width
        a.key_stride = keyWidth
        a.value_stride = keyWidth
        a.result_stride = width
        a.gradient_stride = width
        a.query_gradient_stride = width
        a.key_gradient_stride = keyWidth
        a.value_gradient_stride = keyWidth
        a.sequences = Int32(sequences)
        a.tokens = Int32(tokens)
        a.heads = Int32(shape.headCount)
        a.key_value_heads = Int32(shape.keyValueHeadCount)
        a.dimension = Int32(shape.headDimension)
        a.window = Int32(shape.slidingWindow ?? 0)
        a.is_causal = shape.isCausal ? 1 : 0
        a.scale = shape.scale
        a.soft_cap = shape.softCap ?? 0
        return a
    }

    // MARK: With caches

    public func attentionWithCaches(
        query: Tensor, key: Tensor, value: Tensor, shape: AttentionShape, layout: SequenceLayout, layer: Int, into result: Tensor
    ) {
        guard hasAttention(shape) else { return }
        let type = query.dtype, heads = shape.headCount, dimension = shape.headDimension, keyHeads = shape.keyValueHeadCount
        let keyWidth = keyHeads * dimension, keys = cast(key, type), values = cast(value, type)
        guard let table = pages(layout, shape, layer: layer) else { return }
        run(
            "cache_append", type, LaunchShape(grid: layout.tokenCount, keyHeads, threads: 128),
            [
                .address(read(keys)), .address(read(values)), .count(keyWidth), .count(keyWidth), .address(read(table.cumulative)),
                .structure(table.cache), .int(Int32(dimension)),
            ])
        let slopes = shape.slopes.map { upload(floats: $0) }
        writing(result, as: type) { result in
            if layout.tokenCount == layout.sequenceCount {
                decode(query, table.cache, slopes, shape, longest: table.longest, into: result)
            } else {
                prefill(query, table.cache, table.cumulative, slopes, shape, layout, keyWidth: keyWidth, width: heads * dimension, into: result)
            }
        }
        withExtendedLifetime((keys, values, table, slopes)) {}
    }

    /// Where a layer's keys and values lie, and what keeps the tables alive.
    private struct PageTable {
        var cache: tb_cuda_cache
        let cumulative: Tensor
        /// Keys that the longest sequence has after the step.
        let longest: Int
        let owners: [Tensor]
    }

    private func pages(_ layout: SequenceLayout, _ shape: AttentionShape, layer: Int) -> PageTable? {
        if let standing = layout.standing {
            precondition(
                standing.geometry.headDimension == shape.headDimension && standing.geometry.keyValueHeadCount == shape.keyValueHeadCount,
                "caches of another shape")
            var cache = standing.geometry.description(layer: layer)
            cache.key_pages = UnsafePointer(bitPattern: UInt(read(standing.pages)))
            cache.value_pages = cache.key_pages
            cache.lengths = integers(read(standing.lengths))
            cache.most_pages = Int32(standing.pages.columnCount)
            cache.sequences = Int32(standing.rowCount)
            return PageTable(cache: cache, cumulative: standing.cumulative, longest: standing.longest, owners: [])
        }
        let caches = layout.caches
        guard let first = caches.first else { return nil }
        var longest = 0
        for (sequence, cache) in caches.enumerated() {
            let length = cache.length + layout.rows(of: sequence).count
            precondition(length <= cache.capacity, "a cache of \(cache.capacity) tokens is full")
            precondition(
                cache.headDimension == shape.headDimension && cache.keyValueHeadCount == shape.keyValueHeadCount, "a cache of another shape")
            cache.pages?.reserve(tokens: length)
            longest = max(longest, length)
        }
        let cumulative = upload(layout.cumulativeLengths), lengths = upload(caches.map { Int32($0.length) })
        var cache = first.pages?.geometry.description(layer: layer) ?? wholeCache(first)
        let keyPages: Tensor, valuePages: Tensor
        if let geometry = first.pages?.geometry {
            precondition(caches.allSatisfy { $0.pages?.geometry == geometry }, "caches of different kinds")
            let lists = caches.map { $0.pages?.addresses ?? [] }, most = lists.reduce(1) { max($0, $1.count) }
            keyPages = upload(
                longs: lists.flatMap { list in list.map { Int64(bitPattern: $0) } + [Int64](repeating: 0, count: most - list.count) })
            valuePages = keyPages
            cache.most_pages = Int32(most)
        } else {
            precondition(
                caches.allSatisfy { $0.pages == nil && $0.capacity == first.capacity && $0.dtype == first.dtype }, "caches of different capacities")
            keyPages = upload(longs: caches.map { Int64(bitPattern: updateCache($0.keys(layer: layer))) })
            valuePages = upload(longs: caches.map { Int64(bitPattern: updateCache($0.values(layer: layer))) })
            cache.most_pages = 1
        }
        cache.key_pages = UnsafePointer(bitPattern: UInt(read(keyPages)))
        cache.value_pages = UnsafePointer(bitPattern: UInt(read(valuePages)))
        cache.lengths = integers(read(lengths))
        cache.sequences = Int32(caches.count)
        return PageTable(cache: cache, cumulative: cumulative, longest: longest, owners: [lengths, keyPages, valuePages])
    }

    /// One page of the whole capacity.
    private func wholeCache(_ cache: KeyValueCache) -> tb_cuda_cache {
        var whole = tb_cuda_cache()
        whole.head_stride = Int64(cache.capacity * cache.headDimension)
        whole.token_stride = Int64(cache.headDimension)
        whole.page_tokens = Int32(cache.capacity)
        whole.type = KernelArgument.number(cache.dtype)
        return whole
    }

    private func updateCache(_ tensor: Tensor) -> UInt64 {
        tensor.storage.purpose = .caches
        return update(tensor)
    }

    /// One new token of each sequence. The keys are split between blocks so that few sequences fill the card too.
    private func decode(
        _ query: Tensor, _ pages: tb_cuda_cache, _ slopes: Tensor?, _ shape: AttentionShape, longest: Int, into result: Tensor
    ) {
        let type = query.dtype, sequences = Int(pages.sequences), heads = shape.headCount, dimension = shape.headDimension
        // A block serves up to 16 query heads of a key head.
        let servers = shape.keyValueHeadCount * ((heads / shape.keyValueHeadCount + 15) / 16)
        let blocks = max(1, 2 * properties.multiprocessorCount / max(1, sequences * servers))
        let splits = max(1, min(64, blocks, (longest + 255) / 256))
        // Each split leaves a sum, a maximum and a result for every head.
        let workspace = empty([sequences, heads, splits, dimension + 2], .float32, for: .workspace)
        let place = write(workspace)
        run(
            "attention_decode", type,
            LaunchShape(
                grid: splits, servers, sequences, threads: 128, sharedBytes: (16 * dimension + 16 * 64 + 64) * 4),
            [
                .address(read(query)), .count(heads * dimension), .structure(pages), .address(read(slopes)), .int(Int32(heads)),
                .int(Int32(shape.keyValueHeadCount)), .int(Int32(dimension)), .int(Int32(shape.slidingWindow ?? 0)), .float(shape.scale),
                .float(shape.softCap ?? 0), .address(place),
            ])
        run(
            "attention_decode_combine", type, LaunchShape(grid: heads, sequences, threads: 128),
            [
                .address(place), .int(Int32(splits)), .int(Int32(heads)), .int(Int32(dimension)), .address(write(result)),
                .count(heads * dimension),
            ])
        withExtendedLifetime(workspace) {}
    }

    /// Several new tokens: what the caches hold is laid out as a stream of keys and attended to in tiles.
    private func prefill(
        _ query: Tensor, _ pages: tb_cuda_cache, _ cumulative: Tensor, _ slopes: Tensor?, _ shape: AttentionShape,
        _ layout: SequenceLayout, keyWidth: Int, width: Int, into result: Tensor
    ) {
        let type = query.dtype
        var ends: [Int32] = [0]
        for (sequence, cache) in layout.caches.enumerated() {
            ends.append((ends.last ?? 0) + Int32(cache.length + layout.rows(of: sequence).count))
        }
        let total = Int(ends.last ?? 0), keyCumulative = upload(ends)
        let keys = empty([total, keyWidth], type, for: .workspace), values = empty([total, keyWidth], type, for: .workspace)
        run(
            "cache_gather", type, LaunchShape(grid: total, shape.keyValueHeadCount, threads: 128),
            [
                .structure(pages), .address(read(keyCumulative)), .address(write(keys)), .address(write(values)), .count(keyWidth),
                .count(keyWidth), .int(Int32(shape.headDimension)),
            ])
        var a = description(shape, tokens: layout.tokenCount, sequences: layout.sequenceCount)
        a.query = pointer(read(query))
        a.key = pointer(read(keys))
        a.value = pointer(read(values))
        a.result = mutable(write(result))
        a.cumulative = integers(read(cumulative))
        a.key_cumulative = integers(read(keyCumulative))
        a.slopes = constants(read(slopes))
        forward(a, type)
        withExtendedLifetime((keys, values, keyCumulative)) {}
    }

    private func pointer(_ address: UInt64) -> UnsafeRawPointer? { UnsafeRawPointer(bitPattern: UInt(address)) }
    private func mutable(_ address: UInt64) -> UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: UInt(address)) }
    private func floats(_ address: UInt64) -> UnsafeMutablePointer<Float>? { UnsafeMutablePointer(bitPattern: UInt(address)) }
    private func constants(_ address: UInt64) -> UnsafePointer<Float>? { UnsafePointer(bitPattern: UInt(address)) }
    private func integers(_ address: UInt64) -> UnsafePointer<Int32>? { UnsafePointer(bitPattern: UInt(address)) }
}
