import CKernels

/// c [m, n] (+)= a [m, k] b [k, n] with the kernels of CKernels: a is packed once for all threads, b panel by panel by whoever
/// computes the panel, widened on the way.
///
/// A second pair of factors may follow the first in k: an adapter's update is so part of the same pass over c.
struct PackedProduct {
    /// Factors that share a stretch of k.
    struct Part {
        let depth: Int
        /// a's element (i, p) at i * stride + p, or p * stride + i when transposed.
        let a: UnsafePointer<Float>
        let aStride: Int
        let aIsTransposed: Bool
        /// b's element (p, j) is in row j and column p of this, or in row p and column j when transposed.
        let b: StoredMatrix
        let bIsTransposed: Bool
        /// Both factors are rounded to bf16 and go through the kernels in pairs. Only where `canRound` says so, with a not transposed.
        var isRounded = false

        /// Whether b is kept in so few bits that rounding it to bf16 loses little or nothing, and pairs come out even.
        static func canRound(_ b: StoredMatrix, depth: Int) -> Bool {
            guard depth % 2 == 0 else { return false }
            switch b {
            case .dense(let tensor): return tensor.dtype == .bfloat16 && tensor.columnCount % 2 == 0
            case .quantized: return true
            }
        }

        /// Numbers of f32's size that a stretch of depth takes when it is packed.
        fileprivate func units(_ depth: Int) -> Int { isRounded ? depth / 2 : depth }

        fileprivate func a(row: Int, depth: Int) -> UnsafePointer<Float> {
            aIsTransposed ? a + depth * aStride + row : a + row * aStride + depth
        }

        /// Packs some columns of b for a stretch of depth: panels of `tileColumns` columns, `panelStride` floats apart.
        fileprivate func packB(
            columns: Range<Int>, depth: Range<Int>, panelStride: Int, tileColumns: Int, into to: UnsafeMutablePointer<Float>,
            strip: UnsafeMutablePointer<Float>
        ) {
            switch b {
            case .dense(let tensor) where isRounded:
                let stride = tensor.columnCount
                let first = bIsTransposed ? depth.lowerBound * stride + columns.lowerBound : columns.lowerBound * stride + depth.lowerBound
                tb_gemm_pack_columns_bf16(
                    tensor.halfPointer + first, stride, bIsTransposed ? 1 : 0, columns.count, depth.count, panelStride, to)
            case .dense(let tensor):
                let stride = tensor.columnCount
                let first = bIsTransposed ? depth.lowerBound * stride + columns.lowerBound : columns.lowerBound * stride + depth.lowerBound
                tb_gemm_pack_columns(
                    tensor.address + first * tensor.dtype.byteCount, tensor.dtype.kernelType, stride, bIsTransposed ? 1 : 0, columns.count,
                    depth.count, panelStride, to)
            case .quantized where bIsTransposed:
                // A few rows of the weight at a time, so that the strip stays in the first-level cache.
                let rows = max(2, PackedProduct.stripElements / columns.count / 2 * 2)
                for start in stride(from: depth.lowerBound, to: depth.upperBound, by: rows) {
                    let count = min(rows, depth.upperBound - start)
                    b.widen(rows: start..<start + count, columns: columns, into: strip)
                    let place = to + units(start - depth.lowerBound) * tileColumns
                    if isRounded {
                        tb_gemm_pack_widened_bf16(strip, columns.count, 1, columns.count, count, panelStride, place)
                    } else {
                        tb_gemm_pack_columns(
                            strip, DType.float32.kernelType, columns.count, 1, columns.count, count, panelStride, place)
                    }
                }
            case .quantized:
                for (panel, start) in stride(from: columns.lowerBound, to: columns.upperBound, by: tileColumns).enumerated() {
                    let count = min(tileColumns, columns.upperBound - start)
                    b.widen(rows: start..<start + count, columns: depth, into: strip)
                    if isRounded {
                        tb_gemm_pack_widened_bf16(strip, depth.count, 0, count, depth.count, panelStride, to + panel * panelStride)
                    } else {
                        tb_gemm_pack_columns(
                            strip, DType.float32.kernelType, depth.count, 0, count, depth.count, panelStride, to + panel * panelStride)
                    }
                }
            }
        }
    }

    let rowCount, columnCount: Int
    let parts: [Part]
    /// Added to each row.
    let bias: UnsafePointer<Float>?
    let isAccumulating: Bool
    let c: UnsafeMutablePointer<Float>
    let cStride: Int

    /// Whether this machine has the kernels.
    static let isAvailable: Bool = {
        var rows = 0, columns = 0
        return tb_gemm_tile(&rows, &columns) != 0
    }()

    /// Units of depth (terms of a sum, or pairs of them) that are added in registers before they go to c: a tile's share of a and b
    /// then fits the first-level cache.
    private static let unitsPerBlock = 256
    /// Numbers of a quantised weight that are made f32 at a time, and room for a tile's columns times a block of pairs.
    private static let stripElements = 1 << 13, stripCapacity = 1 << 14
    /// Rows of a packed at a time.
    private static let rowsPerRound = 1024
    /// Elements of a packed at a time: 16 MiB.
    private static let elementsPerRound = 1 << 22

    /// A stretch of k inside one part.
    private struct Stretch {
        let part, start, count, units: Int
    }

    /// Blocks of k: stretches that go through the registers together. A short second part joins the last block of the first.
    private func blocks() -> [[Stretch]] {
        var result: [[Stretch]] = []
        for (index, part) in parts.enumerated() {
            func stretch(_ start: Int, _ count: Int) -> Stretch {
                Stretch(part: index, start: start, count: count, units: part.units(count))
            }
            if index > 0, part.depth <= 64, !result.isEmpty, parts[index - 1].isRounded == part.isRounded {
                result[result.count - 1].append(stretch(0, part.depth))
                continue
            }
            let most = part.isRounded ? 2 * PackedProduct.unitsPerBlock : PackedProduct.unitsPerBlock
            for start in stride(from: 0, to: part.depth, by: most) {
                result.append([stretch(start, min(most, part.depth - start))])
            }
        }
        return result
    }

    func run(threads: ThreadPool, packing: ScratchBuffers, scratch: ScratchBuffers) {
        let blocks = blocks()
        for firstRow in stride(from: 0, to: rowCount, by: PackedProduct.rowsPerRound) {
            let rows = min(PackedProduct.rowsPerRound, rowCount - firstRow)
            var first = 0
            while first < blocks.count {
                // As many blocks as fit the packing buffer.
                var last = first, depth = 0
                while last < blocks.count {
                    let more = blocks[last].reduce(0) { $0 + $1.units }
                    if last > first, (depth + more) * rows > PackedProduct.elementsPerRound { break }
                    depth += more
                    last += 1
                }
                round(
                    rows: firstRow..<firstRow + rows, blocks: blocks[first..<last], depth: depth, isFirst: first == 0, threads, packing, scratch)
                first = last
            }
        }
    }

    /// Packs some rows and blocks of a, then multiplies them with every panel of b.
    private func round(
        rows: Range<Int>, blocks: ArraySlice<[Stretch]>, depth: Int, isFirst: Bool, _ threads: ThreadPool, _ packing: ScratchBuffers,
        _ scratch: ScratchBuffers
    ) {
        var tileRows = 0, tileColumns = 0
        _ = tb_gemm_tile(&tileRows, &tileColumns)
        let tiles = (rows.count + tileRows - 1) / tileRows, tileStride = depth * tileRows + 4
        packing.withFloats(tiles * tileStride) { packed in
            let tilesPerChunk = max(1, (1 << 15) / (depth * tileRows))
            threads.run((tiles + tilesPerChunk - 1) / tilesPerChunk) { chunk in
                let first = chunk * tilesPerChunk, row = rows.lowerBound + first * tileRows
                let count = min(tilesPerChunk * tileRows, rows.upperBound - row)
                var to = packed + first * tileStride
                for stretch in blocks.joined() {
                    let part = parts[stretch.part], from = part.a(row: row, depth: stretch.start)
                    if part.isRounded {
                        tb_gemm_pack_rows_bf16(from, part.aStride, count, stretch.count, tileStride, to)
                    } else {
                        tb_gemm_pack_rows(from, part.aStride, part.aIsTransposed ? 1 : 0, count, stretch.count, tileStride, to)
                    }
                    to += stretch.units * tileRows
                }
            }
            let grid = Grid(rows: tiles, columns: columnCount, tileRows: tileRows, tileColumns: tileColumns, threads: threads.threadCount)
            threads.run(grid.count) { chunk in
                let (tileRange, columns) = grid.chunk(chunk)
                let row = rows.lowerBound + tileRange.lowerBound * tileRows
                // With all threads at the same pace, this thread's next chunk is this far on.
                let next = chunk + threads.threadCount < grid.count ? grid.chunk(chunk + threads.threadCount).columns : nil
                panel(
                    row: row, rowCount: min(tileRange.count * tileRows, rows.upperBound - row), columns: columns, nextColumns: next,
                    blocks: blocks, packed: packed + tileRange.lowerBound * tileStride, tileStride: tileStride, tileRows: tileRows,
                    tileColumns: tileColumns,
                    isFirst: isFirst, scratch)
            }
        }
    }

    /// One chunk: a few columns of c for some rows, block by block of k.
    private func panel(
        row: Int, rowCount: Int, columns: Range<Int>, nextColumns: Range<Int>?, blocks: ArraySlice<[Stretch]>, packed: UnsafePointer<Float>,
        tileStride: Int,
        tileRows: Int, tileColumns: Int, isFirst: Bool, _ scratch: ScratchBuffers
    ) {
        let corner = c + row * cStride + columns.lowerBound
        var isAdding = isAccumulating || !isFirst
        if let bias, isFirst {
            for line in 0..<rowCount {
                if isAccumulating {
                    tb_accumulate(bias + columns.lowerBound, corner + line * cStride, 1, columns.count)
                } else {
                    (corner + line * cStride).update(from: bias + columns.lowerBound, count: columns.count)
                }
            }
            isAdding = true
        }
        let panels = (columns.count + tileColumns - 1) / tileColumns
        let longest = PackedProduct.unitsPerBlock + 64
        let strip = parts.contains { if case .quantized = $0.b { true } else { false } } ? PackedProduct.stripCapacity + 2 * columns.count : 0
        scratch.withFloats(panels * tileColumns * longest + strip) { memory in
            let buffer = memory + strip
            var a = packed
            for (index, block) in zip(blocks.indices, blocks) {
                let depth = block.reduce(0) { $0 + $1.units }
                let ahead = index + 1 < blocks.endIndex ? ahead(blocks[index + 1], columns) : ahead(blocks[blocks.startIndex], nextColumns)
                var to = buffer
                for stretch in block {
                    let part = parts[stretch.part]
                    part.packB(
                        columns: columns, depth: stretch.start..<stretch.start + stretch.count, panelStride: depth * tileColumns,
                        tileColumns: tileColumns, into: to, strip: memory)
                    to += stretch.units * tileColumns
                }
                if parts[block[0].part].isRounded {
                    tb_gemm_block_bf16(rowCount, columns.count, depth, a, tileStride, buffer, corner, cStride, isAdding ? 1 : 0, ahead)
                } else {
                    tb_gemm_block(rowCount, columns.count, depth, a, tileStride, buffer, corner, cStride, isAdding ? 1 : 0, ahead)
                }
                isAdding = true
                a += depth * tileRows
            }
        }
    }

    /// Where b's elements of a block lie, for the kernel to ask for them early.
    private func ahead(_ block: [Stretch], _ columns: Range<Int>?) -> tb_gemm_ahead {
        guard let columns, let stretch = block.first else { return .none }
        let isTransposed = parts[stretch.part].bIsTransposed
        switch parts[stretch.part].b {
        case .dense(let tensor):
            let size = tensor.dtype.byteCount
            let row = isTransposed ? stretch.start : columns.lowerBound, column = isTransposed ? columns.lowerBound : stretch.start
            return tb_gemm_ahead(
                from: tensor.address + (row * tensor.columnCount + column) * size, stride_bytes: tensor.columnCount * size,
                rows: isTransposed ? stretch.count : columns.count, row_bytes: (isTransposed ? columns.count : stretch.count) * size)
        case .quantized(let matrix):
            let rowBytes = matrix.kernel.row_bytes, width = matrix.columnCount
            guard !isTransposed, rowBytes > 0, let codes = matrix.kernel.codes else { return .none }
            return tb_gemm_ahead(
                from: codes + columns.lowerBound * rowBytes + stretch.start * rowBytes / width, stride_bytes: rowBytes, rows: columns.count,
                row_bytes: stretch.count * rowBytes / width)
        }
    }

    /// How c is cut into chunks. The cut changes no result, so it may look at the number of threads: several chunks for each, to
    /// even out what they find.
    private struct Grid {
        let tilesPerChunk, columnsPerChunk, across, tiles, columns: Int
        let count: Int

        init(rows tiles: Int, columns: Int, tileRows: Int, tileColumns: Int, threads: Int) {
            let wanted = threads == 1 ? 1 : 4 * threads
            let even = (columns + wanted - 1) / wanted
            let perChunk = max(2 * tileColumns, min(8 * tileColumns, (even + tileColumns - 1) / tileColumns * tileColumns))
            across = max(1, (columns + perChunk - 1) / perChunk)
            let down = max(1, min((tiles + 7) / 8, (wanted / 2 + across - 1) / across))
            tilesPerChunk = (tiles + down - 1) / down
            columnsPerChunk = perChunk
            self.tiles = tiles
            self.columns = columns
            count = across * ((tiles + tilesPerChunk - 1) / max(1, tilesPerChunk))
        }

        func chunk(_ number: Int) -> (tiles: Range<Int>, columns: Range<Int>) {
            let first = number / across * tilesPerChunk, column = number % across * columnsPerChunk
            return (first..<min(tiles, first + tilesPerChunk), column..<min(columns, column + columnsPerChunk))
        }
    }
}

extension tb_gemm_ahead {
    fileprivate static var none: tb_gemm_ahead { tb_gemm_ahead(from: nil, stride_bytes: 0, rows: 0, row_bytes: 0) }
}

extension DType {
    /// The kernels' number for a floating type.
    var kernelType: Int32 {
        switch self {
        case .float32: Int32(TB_FLOAT32)
        case .bfloat16: Int32(TB_BFLOAT16)
        case .float16: Int32(TB_FLOAT16)
        case .int32, .int64, .uint8: preconditionFailure("a \(self) tensor where a floating one belongs")
        }
    }
}
