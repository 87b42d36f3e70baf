import CUDAKernels

/// What adapters need beside products.
extension CUDABackend {
    public func squaredRowNorms(_ weight: WeightStore, into result: Tensor) {
        switch weight {
        case .dense(let parameter): rowSquares(parameter.value, rows: weight.outputCount, mode: 0, into: result)
        case .quantized(let matrix):
            let wide = dequantized(matrix, .float32)
            rowSquares(wide, rows: weight.outputCount, mode: 0, into: result)
        }
    }

    public func inverseUpdatedNorms(squares: Tensor, up: Tensor, cross: Tensor, gram: Tensor, scale: Float, into result: Tensor) {
        let outputs = result.count, rank = up.columnCount
        precondition(squares.count == outputs && cross.shape == [rank, outputs] && gram.shape == up.shape, "lengths of \(outputs) rows")
        run(
            "inverse_updated_norms", cross.dtype, LaunchShape(grid: (outputs + 255) / 256, threads: 256),
            [
                .address(read(squares)), .address(read(up)), .type(up.dtype), .address(read(cross)), .address(read(gram)), .float(scale),
                .address(write(result)), .count(outputs), .count(rank),
            ])
    }

    // MARK: Rotations

    public func cayleyRotations(_ generators: Tensor, blockSize: Int, series: CayleySeries, into result: Tensor) {
        let blocks = generators.rowCount, side = blockSize
        run(
            "cayley_rotations", nil, LaunchShape(grid: blocks, threads: 256, sharedBytes: 4 * (4 * side * side + 2 * side)),
            [.address(read(generators)), .int(Int32(side)), .int(terms(series)), .address(write(result))])
    }

    public func cayleyRotationsBackward(
        gradient: Tensor, generators: Tensor, blockSize: Int, series: CayleySeries, into result: GradientTarget
    ) {
        let blocks = generators.rowCount, side = blockSize, terms = terms(series)
        // Powers of every block's generator, for the series' derivative.
        let workspace = empty([blocks, max(1, Int(terms) + 1), side, side], .float32, for: .workspace)
        run(
            "cayley_rotations_backward", nil, LaunchShape(grid: blocks, threads: 256, sharedBytes: 4 * (6 * side * side + 2 * side)),
            [
                .address(read(gradient)), .address(read(generators)), .int(Int32(side)), .int(terms), .address(write(workspace)),
                .address(target(result)), .int(result.isAccumulating ? 1 : 0),
            ])
        withExtendedLifetime(workspace) {}
    }

    /// How many powers of the series; 0 for the exact form.
    private func terms(_ series: CayleySeries) -> Int32 {
        switch series {
        case .exact: 0
        case .neumann(let terms): Int32(clamping: max(1, terms))
        }
    }

    public func rotateBlocks(_ x: Tensor, rotations: Tensor, isTransposed: Bool, into result: Tensor) {
        let side = rotations.columnCount == 0 ? 1 : rotations.shape[rotations.shape.count - 1]
        let width = x.columnCount, rows = x.rowCount
        writing(result, as: x.dtype) { result in
            run(
                "rotate_blocks", nil, LaunchShape(grid: width / side, (rows + 63) / 64, threads: 256, sharedBytes: 4 * side * side),
                [
                    .address(read(x)), .type(x.dtype), .address(read(rotations)), .int(rotations.rowCount == 1 ? 1 : 0),
                    .int(isTransposed ? 1 : 0), .address(write(result)), .count(rows), .count(width), .int(Int32(side)),
                ])
        }
    }

    public func rotationGradient(_ x: Tensor, gradient: Tensor, into result: Tensor) {
        let side = result.shape[result.shape.count - 1], arrived = cast(gradient, x.dtype)
        run(
            "rotation_gradient", nil, LaunchShape(grid: result.rowCount, threads: 256, sharedBytes: 4 * 2 * 32 * side),
            [
                .address(read(x)), .type(x.dtype), .address(read(arrived)), .address(write(result)),
                .int(result.rowCount == 1 ? 1 : 0), .count(x.rowCount), .count(x.columnCount), .int(Int32(side)),
            ])
        withExtendedLifetime(arrived) {}
    }
}
