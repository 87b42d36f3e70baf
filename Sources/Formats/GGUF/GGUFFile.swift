import Platform

/// A tensor of a GGUF file.
public struct GGUFTensor: Sendable, Equatable {
    public let name: String
    public let type: GGUFTensorType
    /// Row-major, outermost first (files say it the other way round).
    public let shape: [Int]
    /// Bytes within the file.
    public let byteRange: Range<Int>

    public var elementCount: Int { shape.reduce(1, *) }
}

/// A GGUF file, mapped and never copied: metadata, and tensors at the places that its header names.
///
///     "GGUF" | u32 version | u64 tensors | u64 values | values: key, type, value | tensors: name, shape, type, offset
///     | padding to the alignment | data
///
/// Headers are not trusted: counts, lengths, shapes, offsets and nesting are checked against the file before anything is lent out.
public final class GGUFFile: Sendable {
    public let path: String
    public let mapping: MappedFile
    public let version: UInt32
    /// By their place in the file.
    public let tensors: [GGUFTensor]
    /// Keys in the order of the file.
    public let keys: [String]
    private let values: [ByteKey: GGUFValue]
    private let places: [ByteKey: Int]

    public init(path: String) throws(GGUFError) {
        do throws(PlatformError) { mapping = try MappedFile(path: path) } catch { throw .cannotRead(error) }
        self.path = path
        var header = GGUFHeader(path: path, bytes: mapping.bytes)
        try header.parse()
        version = header.version
        tensors = header.tensors
        keys = header.keys
        values = header.values
        places = Dictionary(header.tensors.enumerated().map { (ByteKey($1.name), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Whether a file begins as GGUF files do.
    public static func isGGUF(_ path: String) -> Bool {
        guard FileSystem.isFile(path), let file = try? MappedFile(path: path) else { return false }
        return file.withBytes { $0.count >= 4 && $0.prefix(4).elementsEqual(GGUFHeader.magic) }
    }

    public func value(_ key: String) -> GGUFValue? { values[ByteKey(key)] }

    public func tensor(named name: String) -> GGUFTensor? { places[ByteKey(name)].map { tensors[$0] } }

    /// The tensor's bytes inside the mapping; they live as long as `mapping`.
    public func bytes(_ tensor: GGUFTensor) -> UnsafeRawBufferPointer {
        // Tensors of another file are cut to what is there.
        UnsafeRawBufferPointer(rebasing: mapping.bytes[tensor.byteRange.clamped(to: 0..<mapping.count)])
    }

    // MARK: Values of a kind

    public func text(_ key: String) throws(GGUFError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.textValue else { throw wrong(key, "a text", value) }
        return text
    }

    public func integer(_ key: String) throws(GGUFError) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.integerValue else { throw wrong(key, "a whole number", value) }
        return number
    }

    public func number(_ key: String) throws(GGUFError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.doubleValue, number.isFinite else { throw wrong(key, "a number", value) }
        return number
    }

    public func flag(_ key: String) throws(GGUFError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard let flag = value.flagValue else { throw wrong(key, "true or false", value) }
        return flag
    }

    /// Visits the texts of a list in order.
    /// - Returns: false when the key is not there.
    @discardableResult
    public func forEachText(_ key: String, _ body: (Int, UnsafeRawBufferPointer) -> Void) throws(GGUFError) -> Bool {
        guard let value = value(key) else { return false }
        guard let list = value.listValue, list.elementType == .string else { throw wrong(key, "a list of texts", value) }
        let bytes = mapping.bytes
        var offset = list.range.lowerBound
        for index in 0..<list.count {
            let length = Int(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
            body(index, UnsafeRawBufferPointer(rebasing: bytes[offset + 8..<offset + 8 + length]))
            offset += 8 + length
        }
        withExtendedLifetime(mapping) {}
        return true
    }

    /// A list of numbers of any width; nil when the key is not there.
    public func numbers(_ key: String) throws(GGUFError) -> [Double]? {
        guard let value = value(key) else { return nil }
        guard let list = value.listValue, let width = list.elementType.byteCount else { throw wrong(key, "a list of numbers", value) }
        let bytes = mapping.bytes, start = list.range.lowerBound
        func all<Number: FixedWidthInteger>(_: Number.Type, _ value: (Number) -> Double) -> [Double] {
            (0..<list.count).map { value(Number(littleEndian: bytes.loadUnaligned(fromByteOffset: start + $0 * width, as: Number.self))) }
        }
        defer { withExtendedLifetime(mapping) {} }
        switch list.elementType {
        case .uint8: return all(UInt8.self) { Double($0) }
        case .int8: return all(Int8.self) { Double($0) }
        case .uint16: return all(UInt16.self) { Double($0) }
        case .int16: return all(Int16.self) { Double($0) }
        case .uint32: return all(UInt32.self) { Double($0) }
        case .int32: return all(Int32.self) { Double($0) }
        case .float32: return all(UInt32.self) { Double(Float(bitPattern: $0)) }
        case .bool: return all(UInt8.self) { $0 == 0 ? 0 : 1 }
        case .uint64: return all(UInt64.self) { Double($0) }
        case .int64: return all(Int64.self) { Double($0) }
        case .float64: return all(UInt64.self) { Double(bitPattern: $0) }
        case .string, .array: throw wrong(key, "a list of numbers", value)
        }
    }

    func wrong(_ key: String, _ expected: String, _ found: GGUFValue) -> GGUFError {
        .wrongValue(path: path, key: key, expected: expected, found: found.kindName)
    }
}
