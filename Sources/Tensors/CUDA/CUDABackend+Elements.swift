import CUDAKernels

/// Element by element, sums, rows by index.
extension CUDABackend {
    // MARK: Elementwise

    public func fill(_ tensor: Tensor, with value: Float) {
        let to = write(tensor)
        if value == 0 { return device.zero(to, byteCount: tensor.byteCount) }
        run("fill", tensor.dtype, anyGrid(tensor.count), [.address(to), .float(value), .count(tensor.count)])
    }

    public func convert(_ source: Tensor, into result: Tensor) {
        precondition(source.count == result.count, "conversion of \(source.shape) into \(result.shape)")
        let from = read(source), to = write(result)
        if source.dtype == result.dtype { return device.copy(from: from, to: to, byteCount: source.byteCount) }
        run(
            "convert", nil, anyGrid(source.count),
            [.address(from), .type(source.dtype), .address(to), .type(result.dtype), .count(source.count)])
    }

    public func scale(_ source: Tensor, by factor: Float, into result: Tensor) {
        precondition(source.count == result.count, "scaling of \(source.shape) into \(result.shape)")
        writing(result, as: source.dtype) { result in
            let from = read(source), to = write(result)
            run("scale", source.dtype, anyGrid(source.count), [.address(from), .float(factor), .address(to), .count(source.count)])
        }
    }

    public func add(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        precondition(a.count == result.count && b.count == result.count, "sum of \(a.shape) and \(b.shape) into \(result.shape)")
        binary("add", a, b, into: result)
    }

    public func multiply(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        precondition(a.count == b.count && a.count == result.count, "product of \(a.shape) and \(b.shape)")
        binary("multiply", a, b, into: result)
    }

    private func binary(_ name: String, _ a: Tensor, _ b: Tensor, into result: Tensor) {
        let type = result.dtype, left = cast(a, type), right = cast(b, type)
        let arguments: [KernelArgument] = [.address(read(left)), .address(read(right)), .address(write(result)), .count(result.count)]
        run(name, type, anyGrid(result.count), arguments)
        withExtendedLifetime((left, right)) {}
    }

    public func accumulate(_ source: Tensor, factor: Float, into result: Tensor) {
        precondition(source.count == result.count, "accumulation of \(source.shape) into \(result.shape)")
        let isWide = result.dtype == .float32 && source.dtype != .float32
        let from = isWide ? source : cast(source, result.dtype)
        run(
            isWide ? "accumulate_wide" : "accumulate", from.dtype, anyGrid(source.count),
            [.address(read(from)), .float(factor), .address(update(result)), .count(source.count)])
        withExtendedLifetime(from) {}
    }

    public func dropout(_ source: Tensor, probability: Float, seed: UInt64, into result: Tensor) {
        precondition(source.count == result.count, "dropout of \(source.shape) into \(result.shape)")
        writing(result, as: source.dtype) { result in
            let from = read(source), to = write(result)
            run(
                "dropout", source.dtype, anyGrid(source.count),
                [.address(from), .address(to), .count(source.count), .unsigned(seed), .float(probability)])
        }
    }

    public func uniformNoise(_ source: Tensor, bounds: Tensor, seed: UInt64, into result: Tensor) {
        let rows = bounds.count, width = source.count / max(1, rows)
        writing(result, as: source.dtype) { result in
            let from = read(source), limits = read(bounds), to = write(result)
            run(
                "uniform_noise", source.dtype, anyGrid(source.count),
                [.address(from), .address(limits), .unsigned(seed), .address(to), .count(rows), .count(width)])
        }
    }

    // MARK: Sums

    /// Parts of a sum: a number of blocks that does not depend on the card.
    private func partCount(_ count: Int) -> Int { max(1, min(1024, count / 4096)) }

    public func sumOfSquares(_ tensor: Tensor) -> Double { sumOfSquares([tensor]) }

    public func sumOfSquares(_ tensors: [Tensor]) -> Double {
        let partials = empty([1024], .int64, for: .workspace), result = empty([1], .int64, for: .workspace)
        let parts = write(partials), total = write(result)
        device.zero(total, byteCount: 8)
        for tensor in tensors where tensor.count > 0 {
            let count = partCount(tensor.count)
            run(
                "sum_of_squares_partial", tensor.dtype, LaunchShape(grid: count, threads: 256),
                [.address(read(tensor)), .count(tensor.count), .address(parts)])
            run(
                "sum_finish", .float32, LaunchShape(grid: 1, threads: 256),
                [.address(parts), .count(count), .address(total), .int(1)])
        }
        withExtendedLifetime(partials) {}
        return double(result)
    }

    public func dot(_ a: Tensor, _ b: Tensor) -> Double {
        precondition(a.count == b.count, "dot product of \(a.shape) and \(b.shape)")
        let partials = empty([1024], .int64, for: .workspace), result = empty([1], .int64, for: .workspace)
        let count = partCount(a.count), right = cast(b, a.dtype)
        run(
            "dot_partial", a.dtype, LaunchShape(grid: count, threads: 256),
            [.address(read(a)), .address(read(right)), .count(a.count), .address(write(partials))])
        run(
            "sum_finish", .float32, LaunchShape(grid: 1, threads: 256),
            [.address(read(partials)), .count(count), .address(write(result)), .int(0)])
        withExtendedLifetime(right) {}
        return double(result)
    }

    /// The f64 that lies in an int64 tensor of one element. Waits for the card.
    func double(_ tensor: Tensor) -> Double { tensor.readableAddress.loadUnaligned(as: Double.self) }

    public func rowDots(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        let rows = result.count, width = a.count / max(1, rows), right = cast(b, a.dtype)
        writing(result, as: a.dtype) { result in
            run(
                "row_dots", a.dtype, LaunchShape(grid: rows, threads: 256),
                [.address(read(a)), .address(read(right)), .address(write(result)), .count(rows), .count(width)])
        }
        withExtendedLifetime(right) {}
    }

    /// mode 0: sums of squares, 1: inverse roots of them, 2: means.
    func rowSquares(_ x: Tensor, rows: Int, mode: Int32, into result: Tensor) {
        run(
            "row_squares", .float32, LaunchShape(grid: rows, threads: 256),
            [.address(read(x)), .type(x.dtype), .address(write(result)), .count(rows), .count(x.count / max(1, rows)), .int(mode)])
    }

    public func inverseRowNorms(_ weight: Tensor, into result: Tensor) { rowSquares(weight, rows: weight.shape[0], mode: 1, into: result) }
    public func rowMeanSquares(_ x: Tensor, into result: Tensor) { rowSquares(x, rows: result.count, mode: 2, into: result) }

    public func columnMeanSquares(_ x: Tensor, into result: Tensor) {
        let rows = x.count / max(1, result.count)
        columnSums(x, times: x, factor: 1 / Float(max(1, rows)), into: GradientTarget(result, isAccumulating: false))
    }

    public func columnDots(_ a: Tensor, _ b: Tensor, factors: Tensor?, into result: GradientTarget) {
        let right = cast(b, a.dtype)
        columnSums(a, times: right, columnFactors: factors, into: result)
        withExtendedLifetime(right) {}
    }

    public func biasGradient(gradient: Tensor, into result: GradientTarget) { columnSums(gradient, times: nil, into: result) }

    /// result[j] (+)= factor columnFactors[j] * sum over rows of a (b - shift) rowFactor.
    func columnSums(
        _ a: Tensor, times b: Tensor?, rowFactors: Tensor? = nil, rowShifts: Tensor? = nil, columnFactors: Tensor? = nil, factor: Float = 1,
        into result: GradientTarget
    ) {
        let width = result.tensor.count, rows = a.count / max(1, width), parts = max(1, min(256, rows / 32))
        let partials = empty([parts, width], .float32, for: .workspace)
        run(
            "column_dots_partial", a.dtype, LaunchShape(grid: (width + 255) / 256, parts, threads: 256),
            [
                .address(read(a)), .address(read(b)), .address(read(rowFactors)), .address(read(rowShifts)), .count(rows), .count(width),
                .address(write(partials)),
            ])
        run(
            "column_sums_finish", .float32, LaunchShape(grid: (width + 255) / 256, threads: 256),
            [
                .address(read(partials)), .count(parts), .count(width), .address(read(columnFactors)),
                .type(columnFactors?.dtype ?? .float32), .float(factor), .address(target(result)), .int(result.isAccumulating ? 1 : 0),
            ])
        withExtendedLifetime(partials) {}
    }

    // MARK: Rows and columns

    public func embedding(table: Tensor, tokens: Tensor, scale: Float, into result: Tensor) {
        let rows = tokens.count
        run(
            "embedding", result.dtype, LaunchShape(grid: rows, threads: 128),
            [
                .address(read(table)), .type(table.dtype), .address(read(tokens)), .float(scale), .address(write(result)), .count(rows),
                .count(result.count / max(1, rows)),
            ])
    }

    public func embedding(table: QuantizedMatrix, tokens: Tensor, scale: Float, into result: Tensor) {
        run(
            "quantized_embedding", result.dtype, LaunchShape(grid: tokens.count, threads: 128),
            [.structure(quantized(table)), .address(read(tokens)), .float(scale), .address(write(result)), .count(tokens.count)])
    }

    public func embeddingBackward(gradient: Tensor, tokens: Tensor, scale: Float, tableGradient: Tensor) {
        addRows(gradient, tokens, factor: scale, into: tableGradient)
    }

    public func scatterAddRows(_ gradient: Tensor, rows: Tensor, into result: Tensor) { addRows(gradient, rows, factor: 1, into: result) }

    private func addRows(_ source: Tensor, _ indices: Tensor, factor: Float, into result: Tensor) {
        let rows = indices.count, width = source.count / max(1, rows)
        run(
            "add_rows", source.dtype, LaunchShape(grid: rows, (width + 511) / 512, threads: 128),
            [
                .address(read(source)), .address(read(indices)), .float(factor), .address(update(result)), .type(result.dtype),
                .count(rows), .count(width),
            ])
    }

    public func selectRows(_ source: Tensor, rows: Tensor, into result: Tensor) {
        let count = rows.count, width = result.count / max(1, count)
        writing(result, as: source.dtype) { result in
            run(
                "select_rows", source.dtype, LaunchShape(grid: count, threads: 128),
                [.address(read(source)), .address(read(rows)), .address(write(result)), .count(count), .count(width)])
        }
    }

    public func copyColumns(_ source: Tensor, blocks: [ColumnBlock], into result: Tensor) {
        let from = cast(source, result.dtype), fromWidth = source.columnCount, toWidth = result.columnCount, rows = source.rowCount
        for block in blocks where block.count > 0 {
            precondition(block.from + block.count <= fromWidth && block.to + block.count <= toWidth, "columns beyond \(source.shape)")
            run(
                "copy_columns", result.dtype, anyGrid(rows * block.count),
                [
                    .address(read(from)), .address(update(result)), .count(rows), .count(fromWidth), .count(toWidth), .count(block.from),
                    .count(block.to), .count(block.count),
                ])
        }
        withExtendedLifetime(from) {}
    }

    public func scaleRows(_ source: Tensor, factors: Tensor, into result: Tensor) {
        let rows = factors.count
        writing(result, as: source.dtype) { result in
            run(
                "scale_rows", source.dtype, anyGrid(source.count),
                [
                    .address(read(source)), .address(read(factors)), .type(factors.dtype), .address(write(result)), .count(rows),
                    .count(source.count / max(1, rows)),
                ])
        }
    }

    public func scaleColumns(_ source: Tensor, factors: Tensor, into result: Tensor) {
        scaleAndShiftColumns(source, factors: factors, offsets: nil, into: result)
    }

    public func scaleAndShiftColumns(_ source: Tensor, factors: Tensor, offsets: Tensor?, into result: Tensor) {
        let width = factors.count
        writing(result, as: source.dtype) { result in
            run(
                "scale_columns", source.dtype, anyGrid(source.count),
                [
                    .address(read(source)), .address(read(factors)), .type(factors.dtype), .address(read(offsets)),
                    .type(offsets?.dtype ?? .float32), .address(write(result)), .count(source.count / max(1, width)), .count(width),
                ])
        }
    }
}
