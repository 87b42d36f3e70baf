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
        /// b's element (p, j) at j * stride + p, or p * stride + j when transposed. Elements of type `bType`.
        let b: UnsafeRawPointer
        let bStride: Int
        let bIsTransposed: Bool
        let bType: DType

        fileprivate func a(row: Int, depth: Int) -> UnsafePointer<Float> {
            aIsTransposed ? a + depth * aStride + row : a + row * aStride + depth
        }

        fileprivate func b(column: Int, depth: Int) -> UnsafeRawPointer {
            b + (bIsTransposed ? depth * bStride + column : column * bStride + depth) * bType.byteCount
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

    /// Terms of a sum that are added in registers before they go to c: a tile's share of a and b then fits the first-level cache.
    private static let depthPerBlock = 256
    /// Rows of a packed at a time.
    private static let rowsPerRound = 1024
    /// Elements of a packed at a time: 16 MiB.
    private static let elementsPerRound = 1 << 22

    /// A stretch of k inside one part.
    private struct Stretch {
        let part, start, count: Int
    }

    /// Blocks of k: stretches that go through the registers together. A short second part joins the last block of the first.
    private func blocks() -> [[Stretch]] {
        var result: [[Stretch]] = []
        for (index, part) in parts.enumerated() {
            if index > 0, part.depth <= 64, !result.isEmpty {
                result[result.count - 1].append(Stretch(part: index, start: 0, count: part.depth))
                continue
            }
            for start in stride(from: 0, to: part.depth, by: PackedProduct.depthPerBlock) {
                result.append([Stretch(part: index, start: start, count: min(PackedProduct.depthPerBlock, part.depth - start))])
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
                    let more = blocks[last].reduce(0) { $0 + $1.count }
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
                    let part = parts[stretch.part]
                    tb_gemm_pack_rows(
                        part.a(row: row, depth: stretch.start), part.aStride, part.aIsTransposed ? 1 : 0, count, stretch.count, tileStride, to)
                    to += stretch.count * tileRows
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
                    blocks: blocks, packed: packed + tileRange.lowerBound * tileStride, tileStride: tileStride, tileRows: tileRows, tileColumns: tileColumns,
                    isFirst: isFirst, scratch)
            }
        }
    }

    /// One chunk: a few columns of c for some rows, block by block of k.
    private func panel(
        row: Int, rowCount: Int, columns: Range<Int>, nextColumns: Range<Int>?, blocks: ArraySlice<[Stretch]>, packed: UnsafePointer<Float>, tileStride: Int,
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
        let longest = PackedProduct.depthPerBlock + 64
        scratch.withFloats(panels * tileColumns * longest) { buffer in
            var a = packed
            for (index, block) in zip(blocks.indices, blocks) {
                let depth = block.reduce(0) { $0 + $1.count }
                let ahead = index + 1 < blocks.endIndex ? ahead(blocks[index + 1], columns) : ahead(blocks[blocks.startIndex], nextColumns)
                var to = buffer
                for stretch in block {
                    let part = parts[stretch.part]
                    tb_gemm_pack_columns(
                        part.b(column: columns.lowerBound, depth: stretch.start), part.bType.kernelType, part.bStride,
                        part.bIsTransposed ? 1 : 0, columns.count, stretch.count, depth * tileColumns, to)
                    to += stretch.count * tileColumns
                }
                tb_gemm_block(rowCount, columns.count, depth, a, tileStride, buffer, corner, cStride, isAdding ? 1 : 0, ahead)
                isAdding = true
                a += depth * tileRows
            }
        }
    }

    /// Where b's elements of a block lie, for the kernel to ask for them early.
    private func ahead(_ block: [Stretch], _ columns: Range<Int>?) -> tb_gemm_ahead {
        guard let columns, let stretch = block.first else { return tb_gemm_ahead(from: nil, stride_bytes: 0, rows: 0, row_bytes: 0) }
        let part = parts[stretch.part], size = part.bType.byteCount
        return tb_gemm_ahead(
            from: part.b(column: columns.lowerBound, depth: stretch.start), stride_bytes: part.bStride * size,
            rows: part.bIsTransposed ? stretch.count : columns.count, row_bytes: (part.bIsTransposed ? columns.count : stretch.count) * size)
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
