import CCUDA

/// A factor or the result of a product in the card's memory: row-major, rows `stride` elements apart.
struct DeviceMatrix {
    let address: UInt64
    let type: DType
    /// As stored, before `isTransposed`.
    let rowCount: Int
    let columnCount: Int
    let stride: Int
    var isTransposed = false

    var height: Int { isTransposed ? columnCount : rowCount }
    var width: Int { isTransposed ? rowCount : columnCount }
}

/// Products by cuBLASLt, with f32 accumulation. cuBLASLt counts columns first; a row-major matrix is to it a transposed one, so
///
///     C = op(A) op(B)   is asked for as   Cᵀ = op(B)ᵀ op(A)ᵀ
///
/// What its heuristics choose for a shape is remembered with everything that describes the call: a product that was seen before
/// costs one call.
final class MatrixMultiplier {
    private struct Key: Hashable {
        let m, n, k, aStride, bStride, cStride: Int
        let aIsTransposed, bIsTransposed, hasBias: Bool
        let factors, result: DType
        let usesTF32: Bool
        /// Powers of two that divide the addresses, at most 256.
        let aAlignment, bAlignment, cAlignment: Int
        /// Of the bias and the result, whichever is less.
        let resultAlignment: Int
    }

    private final class Plan {
        var description, a, b, c: UnsafeMutableRawPointer?
        var algorithm = tb_matmul_heuristic()
        let library: CUDALibraries

        init(_ library: CUDALibraries) { self.library = library }

        deinit {
            let products = library.products
            for layout in [a, b, c] where layout != nil { _ = products.cublasLtMatrixLayoutDestroy(layout) }
            if description != nil { _ = products.cublasLtMatmulDescDestroy(description) }
        }
    }

    /// What cuBLASLt may use for itself; NVIDIA's advice for Hopper.
    static let workspaceBytes = 32 << 20

    private let device: CUDADevice
    private let pool: DevicePool
    private let handle: UnsafeMutableRawPointer
    private var workspace: DevicePool.Block?
    private var plans: [Key: Plan?] = [:]
    /// Products of f32 factors in the 19-bit format of the tensor cores.
    var usesTF32 = false

    init(device: CUDADevice, pool: DevicePool) throws(CUDAError) {
        self.device = device
        self.pool = pool
        device.bind()
        var handle: UnsafeMutableRawPointer?
        let result = device.libraries.products.cublasLtCreate(&handle)
        guard result == 0, let handle else { throw .failed(call: "cublasLtCreate", reason: Self.text(result)) }
        self.handle = handle
    }

    deinit {
        if let workspace { pool.giveBack(workspace, purpose: .workspace) }
        // In a thread without a context the library would make one, on the first card.
        device.bind()
        _ = device.libraries.products.cublasLtDestroy(handle)
    }

    /// Shapes seen so far.
    var planCount: Int { plans.count }

    /// c = alpha op(a) op(b) + beta c (+ bias for every row). Both factors have one type.
    /// - Parameter bias: [columns of c] in c's type; 0 for none
    /// - Returns: false when cuBLASLt has no such product; nothing is computed then.
    func multiply(
        _ a: DeviceMatrix, _ b: DeviceMatrix, alpha: Float = 1, beta: Float = 0, bias: UInt64 = 0, into c: DeviceMatrix
    ) -> Bool {
        precondition(a.width == b.height && a.height == c.rowCount && b.width == c.columnCount, "a product whose shapes do not fit")
        precondition(a.type == b.type && !c.isTransposed, "a product of two types")
        guard !device.hasFailed else { return true }
        guard c.rowCount > 0, c.columnCount > 0 else { return true }
        device.bind()
        let key = Key(
            m: c.rowCount, n: c.columnCount, k: a.width, aStride: a.stride, bStride: b.stride, cStride: c.stride,
            aIsTransposed: a.isTransposed, bIsTransposed: b.isTransposed, hasBias: bias != 0, factors: a.type, result: c.type,
            usesTF32: usesTF32, aAlignment: Self.alignment(a.address), bAlignment: Self.alignment(b.address),
            cAlignment: Self.alignment(c.address), resultAlignment: min(Self.alignment(c.address), Self.alignment(bias)))
        let plan: Plan?
        if let known = plans[key] { plan = known } else {
            plan = makePlan(key, a, b, c, bias: bias)
            plans[key] = plan
        }
        guard let plan else { return false }
        if workspace == nil { workspace = pool.take(Self.workspaceBytes, for: .workspace) }
        guard let workspace else { return true }
        if bias != 0 {
            var address = bias
            _ = device.libraries.products.cublasLtMatmulDescSetAttribute(plan.description, 8 /* BIAS_POINTER */, &address, 8)
        }
        var alpha = alpha, beta = beta
        let result = withUnsafePointer(to: plan.algorithm.algorithm) { algorithm in
            device.libraries.products.cublasLtMatmul(
                handle, plan.description, &alpha, Self.pointer(b.address), plan.a, Self.pointer(a.address), plan.b, &beta,
                Self.pointer(c.address), plan.c, Self.mutable(c.address), plan.c, algorithm, Self.mutable(workspace.address),
                Self.workspaceBytes, device.stream)
        }
        if result != 0, !device.stopsRecording("a product") {
            device.fail(
                .failed(call: "a product [\(key.m), \(key.k)] x [\(key.k), \(key.n)] by cuBLASLt", reason: Self.text(result)))
        }
        return true
    }

    private func makePlan(_ key: Key, _ a: DeviceMatrix, _ b: DeviceMatrix, _ c: DeviceMatrix, bias: UInt64) -> Plan? {
        let products = device.libraries.products, plan = Plan(device.libraries)
        // CUBLAS_COMPUTE_32F, or with TF32; the scale is f32.
        let compute: Int32 = key.usesTF32 && key.factors == .float32 ? 77 : 68
        guard products.cublasLtMatmulDescCreate(&plan.description, compute, 0) == 0 else { return nil }
        // cuBLASLt's first factor is our second.
        var first: Int32 = key.bIsTransposed ? 1 : 0, second: Int32 = key.aIsTransposed ? 1 : 0
        _ = products.cublasLtMatmulDescSetAttribute(plan.description, 3 /* TRANSA */, &first, 4)
        _ = products.cublasLtMatmulDescSetAttribute(plan.description, 4 /* TRANSB */, &second, 4)
        if key.hasBias {
            // The bias has the type of the result. Heuristics have no algorithm for a bias that points nowhere.
            var epilogue: Int32 = 4 /* CUBLASLT_EPILOGUE_BIAS */, address = bias
            _ = products.cublasLtMatmulDescSetAttribute(plan.description, 8 /* BIAS_POINTER */, &address, 8)
            _ = products.cublasLtMatmulDescSetAttribute(plan.description, 7 /* EPILOGUE */, &epilogue, 4)
        }
        guard products.cublasLtMatrixLayoutCreate(&plan.a, Self.code(b.type), UInt64(b.columnCount), UInt64(b.rowCount), Int64(b.stride)) == 0,
            products.cublasLtMatrixLayoutCreate(&plan.b, Self.code(a.type), UInt64(a.columnCount), UInt64(a.rowCount), Int64(a.stride)) == 0,
            products.cublasLtMatrixLayoutCreate(&plan.c, Self.code(c.type), UInt64(c.columnCount), UInt64(c.rowCount), Int64(c.stride)) == 0
        else { return nil }
        var preference: UnsafeMutableRawPointer?
        guard products.cublasLtMatmulPreferenceCreate(&preference) == 0 else { return nil }
        defer { _ = products.cublasLtMatmulPreferenceDestroy(preference) }
        var workspace = Self.workspaceBytes
        _ = products.cublasLtMatmulPreferenceSetAttribute(preference, 1 /* MAX_WORKSPACE_BYTES */, &workspace, 8)
        for (attribute, alignment) in [(5, key.bAlignment), (6, key.aAlignment), (7, key.cAlignment), (8, key.resultAlignment)] {
            var bytes = UInt32(alignment)
            _ = products.cublasLtMatmulPreferenceSetAttribute(preference, Int32(attribute), &bytes, 4)
        }
        var found: Int32 = 0
        let result = products.cublasLtMatmulAlgoGetHeuristic(
            handle, plan.description, plan.a, plan.b, plan.c, plan.c, preference, 1, &plan.algorithm, &found)
        guard result == 0, found > 0, plan.algorithm.state == 0 else { return nil }
        return plan
    }

    private static func alignment(_ address: UInt64) -> Int { address == 0 ? 256 : min(256, 1 << address.trailingZeroBitCount) }

    /// cudaDataType_t
    private static func code(_ type: DType) -> Int32 {
        switch type {
        case .float32: 0
        case .float16: 2
        case .bfloat16: 14
        case .int32: 10
        case .int64: 24
        case .uint8: 8
        }
    }

    private static func pointer(_ address: UInt64) -> UnsafeRawPointer? { UnsafeRawPointer(bitPattern: UInt(address)) }
    private static func mutable(_ address: UInt64) -> UnsafeMutableRawPointer? { UnsafeMutableRawPointer(bitPattern: UInt(address)) }

    /// cublasStatus_t
    static func text(_ status: Int32) -> String {
        switch status {
        case 1: "not initialised: no device, or a driver that is too old (CUBLAS_STATUS_NOT_INITIALIZED)"
        case 3: "no memory (CUBLAS_STATUS_ALLOC_FAILED)"
        case 7: "a wrong argument (CUBLAS_STATUS_INVALID_VALUE)"
        case 8: "not for this card (CUBLAS_STATUS_ARCH_MISMATCH)"
        case 13: "execution failed (CUBLAS_STATUS_EXECUTION_FAILED)"
        case 14: "an internal error (CUBLAS_STATUS_INTERNAL_ERROR)"
        case 15: "not supported (CUBLAS_STATUS_NOT_SUPPORTED)"
        default: "status \(status)"
        }
    }
}
