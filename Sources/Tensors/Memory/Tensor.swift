import CKernels
import Glibc

/// A contiguous row-major array in a `Storage`. Copying the value shares the bytes.
public struct Tensor: @unchecked Sendable {
    public internal(set) var storage: Storage
    public let byteOffset: Int
    public let shape: [Int]
    public let dtype: DType
    /// Number of elements.
    public let count: Int

    public init(storage: Storage, byteOffset: Int = 0, shape: [Int], dtype: DType) {
        self.storage = storage
        self.byteOffset = byteOffset
        self.shape = shape
        self.dtype = dtype
        self.count = shape.reduce(1, *)
        precondition(byteOffset >= 0 && byteOffset + count * dtype.byteCount <= storage.byteCount, "a tensor reaches past its storage")
    }

    /// Zeros outside any pool.
    public static func zeros(_ shape: [Int], _ dtype: DType = .float32) -> Tensor {
        Tensor(storage: Storage(zeroedByteCount: shape.reduce(1, *) * dtype.byteCount), shape: shape, dtype: dtype)
    }

    public static func zeros(shape: [Int], dtype: DType = .float32) -> Tensor { zeros(shape, dtype) }

    /// f32 from `values`, row-major.
    public init(_ values: [Float], shape: [Int]) {
        self.init(storage: Storage(zeroedByteCount: values.count * 4), shape: shape, dtype: .float32)
        precondition(values.count == count, "\(values.count) values for shape \(shape)")
        values.withUnsafeBytes { if let from = $0.baseAddress { memcpy(address, from, $0.count) } }
    }

    public init(integers values: [Int32], shape: [Int]) {
        self.init(storage: Storage(zeroedByteCount: values.count * 4), shape: shape, dtype: .int32)
        precondition(values.count == count, "\(values.count) values for shape \(shape)")
        values.withUnsafeBytes { if let from = $0.baseAddress { memcpy(address, from, $0.count) } }
    }

    /// Somebody else's bytes, such as a mapped checkpoint's. `count` is the number of elements.
    public init(borrowing address: UnsafeRawPointer, count: Int, owner: AnyObject, shape: [Int], dtype: DType) {
        self.init(
            storage: Storage(borrowing: address, byteCount: count * dtype.byteCount, owner: owner), shape: shape, dtype: dtype)
    }

    public var byteCount: Int { count * dtype.byteCount }
    public var rowCount: Int { shape.first ?? 1 }
    /// Elements in one row of the first axis.
    public var columnCount: Int { rowCount == 0 ? shape.dropFirst().reduce(1, *) : count / rowCount }

    /// The bytes on the host, for writing.
    public var address: UnsafeMutableRawPointer { storage.address + byteOffset }
    /// The bytes on the host, for reading: what a card holds stays in use.
    public var readableAddress: UnsafeRawPointer { storage.readableAddress + byteOffset }
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: readableAddress, count: byteCount) }

    /// The elements of an f32 tensor on the host. The caller keeps the tensor alive.
    public var floatPointer: UnsafeMutablePointer<Float> {
        assert(dtype == .float32)
        return address.assumingMemoryBound(to: Float.self)
    }

    var halfPointer: UnsafeMutablePointer<UInt16> {
        assert(dtype == .bfloat16 || dtype == .float16)
        return address.assumingMemoryBound(to: UInt16.self)
    }

    var integerPointer: UnsafeMutablePointer<Int32> {
        assert(dtype == .int32)
        return address.assumingMemoryBound(to: Int32.self)
    }

    /// The elements, widened to f32.
    public func floats() -> [Float] {
        if storage.isPlanned { return [Float](repeating: 0, count: count) }
        return [Float](unsafeUninitializedCapacity: count) { buffer, used in
            used = count
            guard let to = buffer.baseAddress else { return }
            let from = readableAddress
            switch dtype {
            case .float32: memcpy(to, from, byteCount)
            case .bfloat16: tb_widen_bf16(from.assumingMemoryBound(to: UInt16.self), to, count)
            case .float16: tb_widen_f16(from.assumingMemoryBound(to: UInt16.self), to, count)
            case .int32: for i in 0..<count { to[i] = Float(from.loadUnaligned(fromByteOffset: 4 * i, as: Int32.self)) }
            case .int64: for i in 0..<count { to[i] = Float(from.loadUnaligned(fromByteOffset: 8 * i, as: Int64.self)) }
            case .uint8: for i in 0..<count { to[i] = Float(from.load(fromByteOffset: i, as: UInt8.self)) }
            }
        }
    }

    public func integers() -> [Int32] {
        Array(UnsafeBufferPointer(start: readableAddress.assumingMemoryBound(to: Int32.self), count: count))
    }

    /// Overwrites a host tensor of a floating type, rounding to its type.
    public func write(_ values: [Float]) {
        precondition(values.count == count, "\(values.count) values for shape \(shape)")
        values.withUnsafeBufferPointer { buffer in
            guard let from = buffer.baseAddress else { return }
            switch dtype {
            case .float32: memcpy(address, from, byteCount)
            case .bfloat16: tb_narrow_bf16(from, halfPointer, count)
            case .float16: tb_narrow_f16(from, halfPointer, count)
            case .int32, .int64, .uint8: preconditionFailure("floats written to a tensor of integers")
            }
        }
    }

    /// A host tensor's elements in another floating type, in memory of their own.
    public func converted(to type: DType) -> Tensor {
        let result = Tensor.zeros(shape, type)
        if type == dtype {
            memcpy(result.address, readableAddress, byteCount)
            return result
        }
        result.write(floats())
        return result
    }

    /// Rows of the first axis, sharing the bytes.
    public func slice(rows: Range<Int>) -> Tensor {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= rowCount, "rows \(rows) of a tensor with \(rowCount)")
        let rowBytes = columnCount * dtype.byteCount
        return Tensor(
            storage: storage, byteOffset: byteOffset + rows.lowerBound * rowBytes, shape: [rows.count] + shape.dropFirst(), dtype: dtype)
    }

    /// The same elements in another shape.
    public func reshaped(_ shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count, "shape \(self.shape) seen as \(shape)")
        return Tensor(storage: storage, byteOffset: byteOffset, shape: shape, dtype: dtype)
    }

    /// Whether nobody else holds the storage, so that it may be overwritten.
    mutating func ownsItsStorage() -> Bool { isKnownUniquelyReferenced(&storage) && !storage.isBorrowed }
}
