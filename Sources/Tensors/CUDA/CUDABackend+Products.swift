import CKernels
import CUDAKernels

/// Products: cuBLASLt for many rows, kernels that read the weight once for a few.
extension CUDABackend {
    /// Rows up to which a product runs at the speed of reading the weight.
    private static let fewRows = 8

    public func linear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor) {
        guard x.rowCount > 0 else { return }
        if x.rowCount <= Self.fewRows { return thinLinear(x, weight: weight, bias: bias, low: low, up: up, into: result) }
        let type = x.dtype, rows = x.rowCount
        let (factor, owner) = factor(weight, type)
        let wide = bias.map { readNarrowed($0, result.dtype) }
        let from = DeviceMatrix(address: read(x), type: type, rowCount: rows, columnCount: weight.inputCount, stride: weight.inputCount)
        let to = matrix(result, address: write(result))
        multiply(from, factor.transposed, bias: wide?.address ?? 0, into: to)
        if let low, let up { product(low, MatrixView(up, transposed: true), alpha: 1, beta: 1, into: MatrixView(result)) }
        withExtendedLifetime((owner, wide?.owner)) {}
    }

    public func linearInputGradient(
        gradient: Tensor, weight: WeightStore, lowGradient: MatrixView?, down: Tensor?, into result: GradientTarget
    ) {
        let (factor, owner) = factor(weight, gradient.dtype)
        let to = matrix(result.tensor, address: target(result))
        multiply(matrix(gradient, address: read(gradient)), factor, beta: result.isAccumulating ? 1 : 0, into: to)
        if let lowGradient, let down { product(lowGradient, MatrixView(down), alpha: 1, beta: 1, into: MatrixView(result.tensor)) }
        withExtendedLifetime(owner) {}
    }

    public func weightGradient(gradient: Tensor, x: Tensor, into result: GradientTarget) {
        product(
            MatrixView(gradient, transposed: true), MatrixView(x), alpha: 1, beta: result.isAccumulating ? 1 : 0,
            into: MatrixView(result.tensor))
    }

    public func product(_ a: MatrixView, _ b: MatrixView, alpha: Float, beta: Float, into c: MatrixView) {
        precondition(!c.isTransposed, "a product into a transposed matrix")
        // The narrower type of the two: a trained f32 matrix meets activations in theirs.
        let type = a.tensor.dtype == .float32 ? b.tensor.dtype : a.tensor.dtype
        let left = readNarrowed(a.tensor, type), right = readNarrowed(b.tensor, type)
        let isWhole = beta == 0 && c.offset == 0 && c.rowCount * c.columnCount == c.tensor.count
        let to = isWhole ? write(c.tensor) : update(c.tensor)
        multiply(
            matrix(a, address: left.address, type), matrix(b, address: right.address, type), alpha: alpha, beta: beta,
            into: matrix(c, address: to, c.tensor.dtype))
        withExtendedLifetime((left.owner, right.owner)) {}
    }

    private func multiply(
        _ a: DeviceMatrix, _ b: DeviceMatrix, alpha: Float = 1, beta: Float = 0, bias: UInt64 = 0, into c: DeviceMatrix
    ) {
        guard !device.hasFailed else { return }
        if !multiplier.multiply(a, b, alpha: alpha, beta: beta, bias: bias, into: c), !device.stopsRecording("a product") {
            device.fail(
                .unsupported(
                    "a product [\(a.height), \(a.width)] x [\(b.height), \(b.width)] of \(a.type) into \(c.type), for which cuBLASLt has no algorithm,"))
        }
    }

    private func matrix(_ tensor: Tensor, address: UInt64) -> DeviceMatrix {
        DeviceMatrix(
            address: address, type: tensor.dtype, rowCount: tensor.rowCount, columnCount: tensor.columnCount, stride: tensor.columnCount)
    }

    private func matrix(_ view: MatrixView, address: UInt64, _ type: DType) -> DeviceMatrix {
        DeviceMatrix(
            address: address == 0 ? 0 : address + UInt64(view.offset * type.byteCount), type: type, rowCount: view.rowCount,
            columnCount: view.columnCount, stride: view.stride, isTransposed: view.isTransposed)
    }

    /// A weight as a factor [out, in] in the type of activations, and what must live until it has been used.
    private func factor(_ weight: WeightStore, _ type: DType) -> (matrix: DeviceMatrix, owner: Tensor) {
        let address: UInt64, owner: Tensor
        switch weight {
        case .dense(let parameter): (address, owner) = readNarrowed(parameter.value, type)
        case .quantized(let matrix):
            owner = dequantized(matrix, type)
            address = read(owner)
        }
        return (
            DeviceMatrix(
                address: address, type: type, rowCount: weight.outputCount, columnCount: weight.inputCount, stride: weight.inputCount), owner
        )
    }

    // MARK: Few rows

    private func thinLinear(_ x: Tensor, weight: WeightStore, bias: Tensor?, low: MatrixView?, up: Tensor?, into result: Tensor) {
        let rows = x.rowCount, atOnce = [1, 2, 4, 8].first { $0 >= rows } ?? 8
        let narrow = low.map { contiguous($0) }, wide = up.map { cast($0, .float32) }
        writing(result, as: x.dtype) { result in
            let outputs = weight.outputCount, inputs = weight.inputCount
            let first: [KernelArgument] = [.address(read(x)), .count(inputs), .int(Int32(rows))]
            let last: [KernelArgument] = [
                .address(read(bias)), .type(bias?.dtype ?? .float32), .address(read(narrow)), .count(narrow?.columnCount ?? 0),
                .address(read(wide)), .int(Int32(wide?.columnCount ?? 0)), .address(write(result)), .count(outputs),
            ]
            let shape = LaunchShape(grid: (outputs + 7) / 8, threads: 256)
            switch weight {
            case .dense(let parameter):
                let value = parameter.value
                run(
                    "gemv", x.dtype, rows: atOnce, shape,
                    first + [.address(read(value)), .type(value.dtype), .count(outputs), .count(inputs)] + last)
            case .quantized(let matrix):
                run("quantized_gemv", x.dtype, rows: atOnce, shape, first + [.structure(quantized(matrix))] + last)
            }
        }
        withExtendedLifetime((narrow, wide)) {}
    }

    /// Some columns of a low-rank product as an f32 matrix of their own.
    private func contiguous(_ view: MatrixView) -> Tensor {
        let columns = empty([view.rowCount, view.columnCount], view.tensor.dtype, for: .workspace)
        copyColumns(view.tensor, blocks: [ColumnBlock(from: view.offset, to: 0, count: view.columnCount)], into: columns)
        return cast(columns, .float32)
    }

    // MARK: Quantised weights

    /// A whole weight in the type of activations, for one product.
    func dequantized(_ matrix: QuantizedMatrix, _ type: DType) -> Tensor {
        let result = empty(matrix.shape, type, for: .workspace)
        run(
            "dequantize", type, LaunchShape(grid: max(1, (matrix.count + 8191) / 8192), threads: 256),
            [.structure(quantized(matrix)), .long(0), .count(matrix.rowCount), .address(write(result))])
        return result
    }

    /// The description of a quantised weight with addresses of the card for those of the host.
    func quantized(_ matrix: QuantizedMatrix) -> tb_cuda_quantized {
        let host = matrix.kernel
        func place<Element>(_ pointer: UnsafePointer<Element>?) -> UnsafePointer<Element>? {
            guard let pointer else { return nil }
            let raw = UnsafeRawPointer(pointer)
            for tensor in matrix.owned {
                guard let start = tensor.storage.hostAddress else { continue }
                let offset = raw - UnsafeRawPointer(start)
                if offset >= tensor.byteOffset, offset < tensor.byteOffset + tensor.byteCount {
                    let address = read(tensor)
                    return address == 0 ? nil : UnsafePointer(bitPattern: UInt(address) + UInt(offset - tensor.byteOffset))
                }
            }
            return nil
        }
        var result = tb_cuda_quantized()
        result.kind = host.kind
        result.bits = host.bits
        result.rows = Int64(host.rows)
        result.columns = Int64(host.columns)
        result.codes = place(host.codes)
        result.row_bytes = Int64(host.row_bytes)
        result.table = place(host.table)
        result.scales = place(host.scales)
        result.scale_codes = place(host.scale_codes)
        result.scale_table = place(host.scale_table)
        result.scale_offset = host.scale_offset
        result.scale_block = Int64(host.scale_block)
        result.block = Int64(host.block)
        result.groups = Int64(host.groups)
        result.zeros = place(host.zeros)
        result.group_of = place(host.group_of)
        return result
    }
}

extension DeviceMatrix {
    var transposed: DeviceMatrix {
        var result = self
        result.isTransposed.toggle()
        return result
    }
}
