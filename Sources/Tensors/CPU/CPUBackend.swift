import CKernels
import COpenBLAS
import Platform

/// The reference backend: OpenBLAS for the products, one thread inside each call and as many calls at once as there are threads,
/// and the kernels of CKernels for the rest. Results do not depend on the number of threads.
public final class CPUBackend: Backend {
    let threads: ThreadPool
    let scratch: ScratchBuffers
    /// For packed factors: one buffer, far larger than the others.
    let packing = ScratchBuffers(count: 1)
    private let pool = MemoryPool()

    let usesOwnProducts, roundsProducts: Bool
    public let savedType: DType

    /// Who multiplies matrices.
    public enum ProductKernels: Sendable {
        /// The kernels of CKernels where this machine has them, else OpenBLAS.
        case best
        case blas
        /// As `best`, but what meets a bf16 or quantised weight in a product is rounded to bf16, as autocast does, where this machine
        /// multiplies such pairs faster; and what waits for the way back in the feed-forward part waits in bf16. Sums stay f32.
        case bfloat16
    }

    /// - Parameter threadCount: 0 for all processors that this process may use
    public init(threadCount: Int = 0, products: ProductKernels = .best) {
        threads = ThreadPool(threadCount: threadCount > 0 ? threadCount : SystemInfo.cpuCount)
        scratch = ScratchBuffers(count: threads.threadCount)
        usesOwnProducts = products != .blas && PackedProduct.isAvailable
        roundsProducts = products == .bfloat16 && usesOwnProducts && tb_gemm_has_bf16() != 0
        savedType = products == .bfloat16 ? .bfloat16 : .float32
        openblas_set_num_threads(1)
    }

    public var threadCount: Int { threads.threadCount }
    public var summary: String {
        let count = threadCount
        return "CPU, \(String(cString: tb_instruction_set())), \(count) \(count == 1 ? "thread" : "threads")"
    }

    public var isPlanning: Bool { false }
    public var memory: MemoryStatistics {
        var statistics = pool.statistics
        statistics.missCount += scratch.missCount + packing.missCount
        return statistics
    }
    public func resetPeakMemory() { pool.resetPeak() }
    public func trimMemory() { pool.trim() }

    public func empty(_ shape: [Int], _ dtype: DType) -> Tensor {
        let count = shape.reduce(1, *)
        return Tensor(storage: pool.storage(byteCount: count * dtype.byteCount), shape: shape, dtype: dtype)
    }

    public func upload(_ values: [Int32]) -> Tensor {
        let tensor = empty([values.count], .int32)
        values.withUnsafeBytes { if let from = $0.baseAddress { tensor.address.copyMemory(from: from, byteCount: $0.count) } }
        return tensor
    }

    /// Elements in a chunk of an elementwise operation.
    private static let elementsPerChunk = 1 << 16

    /// Runs `body(start, count)` over all of `count` elements in chunks.
    func forEachChunk(of count: Int, size: Int = CPUBackend.elementsPerChunk, _ body: (Int, Int) -> Void) {
        let chunks = (count + size - 1) / size
        threads.run(chunks) { chunk in
            let start = chunk * size
            body(start, min(size, count - start))
        }
    }

    /// Rows that make a chunk worth a thread's while.
    func rowsPerChunk(_ columns: Int) -> Int { max(1, (1 << 15) / max(1, columns)) }

    // MARK: Elementwise

    public func fill(_ tensor: Tensor, with value: Float) {
        precondition(tensor.dtype == .float32, "fill of a \(tensor.dtype) tensor")
        let to = tensor.floatPointer
        forEachChunk(of: tensor.count) { tb_fill(to + $0, value, $1) }
    }

    public func convert(_ source: Tensor, into result: Tensor) {
        precondition(source.count == result.count, "conversion of \(source.shape) into \(result.shape)")
        if source.dtype == result.dtype {
            let size = source.dtype.byteCount, from = source.address, to = result.address
            forEachChunk(of: source.count) { to.advanced(by: $0 * size).copyMemory(from: from + $0 * size, byteCount: $1 * size) }
            return
        }
        if result.dtype == .float32 {
            forEachChunk(of: source.count) { source.widen(from: $0, count: $1, into: result.floatPointer + $0) }
            return
        }
        if source.dtype == .float32 {
            let from = source.floatPointer, to = result.halfPointer
            if result.dtype == .bfloat16 {
                forEachChunk(of: source.count) { tb_narrow_bf16(from + $0, to + $0, $1) }
            } else {
                forEachChunk(of: source.count) { tb_narrow_f16(from + $0, to + $0, $1) }
            }
            return
        }
        let between = empty(source.shape, .float32)
        convert(source, into: between)
        convert(between, into: result)
    }

    public func scale(_ source: Tensor, by factor: Float, into result: Tensor) {
        precondition(source.count == result.count, "scaling of \(source.shape) into \(result.shape)")
        let from = source.floatPointer, to = result.floatPointer
        forEachChunk(of: source.count) { tb_scale(from + $0, to + $0, factor, $1) }
    }

    public func add(_ a: Tensor, _ b: Tensor, into result: Tensor) {
        precondition(a.count == result.count && b.count == result.count, "sum of \(a.shape) and \(b.shape) into \(result.shape)")
        let left = a.floatPointer, right = b.floatPointer, to = result.floatPointer
        forEachChunk(of: a.count) { tb_add(left + $0, right + $0, to + $0, $1) }
    }

    public func accumulate(_ source: Tensor, factor: Float, into result: Tensor) {
        precondition(source.count == result.count, "accumulation of \(source.shape) into \(result.shape)")
        let from = source.floatPointer, to = result.floatPointer
        forEachChunk(of: source.count) { tb_accumulate(from + $0, to + $0, factor, $1) }
    }

    public func sumOfSquares(_ tensor: Tensor) -> Double {
        let from = tensor.floatPointer
        return sumOfChunks(tensor.count) { tb_sum_of_squares(from + $0, $1) }
    }

    public func dot(_ a: Tensor, _ b: Tensor) -> Double {
        precondition(a.count == b.count, "dot product of \(a.shape) and \(b.shape)")
        let left = a.floatPointer, right = b.floatPointer
        return sumOfChunks(a.count) { tb_dot(left + $0, right + $0, $1) }
    }

    /// Partial sums of chunks, added in the order of the chunks.
    private func sumOfChunks(_ count: Int, _ body: (Int, Int) -> Double) -> Double {
        let size = CPUBackend.elementsPerChunk
        let chunks = (count + size - 1) / size
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: max(1, chunks)) { partial in
            guard let sums = partial.baseAddress else { return 0 }
            forEachChunk(of: count) { start, length in sums[start / size] = body(start, length) }
            var total = 0.0
            for chunk in 0..<chunks { total += sums[chunk] }
            return total
        }
    }

    public func dropout(_ source: Tensor, probability: Float, seed: UInt64, into result: Tensor) {
        precondition(source.count == result.count, "dropout of \(source.shape) into \(result.shape)")
        let from = source.floatPointer, to = result.floatPointer
        forEachChunk(of: source.count) { tb_dropout(from + $0, to + $0, $1, seed, UInt64($0), probability) }
    }

    public func gatedActivation(gate: Tensor, up: Tensor, kind: GatedActivation, into result: Tensor) {
        precondition(gate.count == up.count && gate.count == result.count, "gated activation of \(gate.shape) and \(up.shape)")
        let left = gate.floatPointer, right = up.floatPointer, to = result.floatPointer
        forEachChunk(of: gate.count, size: 1 << 14) { tb_gated(left + $0, right + $0, to + $0, $1, kind.rawValue) }
    }

    public func gatedActivationBackward(
        gradient: Tensor, gate: Tensor, up: Tensor, kind: GatedActivation, gateGradient: Tensor, upGradient: Tensor
    ) {
        let d = gradient.floatPointer, left = gate.floatPointer, right = up.floatPointer
        let leftGradient = gateGradient.floatPointer, rightGradient = upGradient.floatPointer
        forEachChunk(of: gate.count, size: 1 << 14) {
            tb_gated_backward(d + $0, left + $0, right + $0, leftGradient + $0, rightGradient + $0, $1, kind.rawValue)
        }
    }

    /// A small tensor's elements as f32: itself, or a widened copy.
    func asFloats(_ source: Tensor) -> Tensor {
        if source.dtype == .float32 { return source }
        let result = empty(source.shape, .float32)
        source.widen(from: 0, count: source.count, into: result.floatPointer)
        return result
    }
}
