import Platform

/// Turns a header into checked values and tensors.
struct GGUFHeader {
    static let magic: [UInt8] = [0x47, 0x47, 0x55, 0x46]

    /// Far above every file that exists; they keep a hostile one from costing memory.
    private static let valueLimit = 1 << 16, tensorLimit = 1 << 20, nameLimit = 1 << 12, nestingLimit = 4
    private static let alignmentLimit = 1 << 20

    let path: String
    let bytes: UnsafeRawBufferPointer
    private var offset = 4
    private(set) var version: UInt32 = 0
    private(set) var tensors: [GGUFTensor] = []
    private(set) var keys: [String] = []
    private(set) var values: [ByteKey: GGUFValue] = [:]

    init(path: String, bytes: UnsafeRawBufferPointer) {
        self.path = path
        self.bytes = bytes
    }

    mutating func parse() throws(GGUFError) {
        guard bytes.count >= 4, bytes.prefix(4).elementsEqual(Self.magic) else { throw .notGGUF(path: path) }
        version = try number(UInt32.self, "the version")
        if version != 0, version.byteSwapped <= 3 { throw .bigEndian(path: path) }
        guard version == 2 || version == 3 else { throw .unsupportedVersion(path: path, found: version) }
        // A tensor's entry has at least 24 bytes and a value's 13.
        let tensorCount = try count("the number of tensors", limit: Self.tensorLimit, least: 24)
        let valueCount = try count("the number of values", limit: Self.valueLimit, least: 13)
        for _ in 0..<valueCount { try readValue() }
        try readTensors(tensorCount, alignment: try alignment())
    }

    private func alignment() throws(GGUFError) -> Int {
        guard let value = values[ByteKey("general.alignment")] else { return 32 }
        guard let alignment = value.integerValue, alignment > 0, alignment <= Self.alignmentLimit, alignment & (alignment - 1) == 0 else {
            throw .wrongValue(
                path: path, key: "general.alignment", expected: "a power of two up to \(Self.alignmentLimit)", found: value.kindName)
        }
        return alignment
    }

    // MARK: Values

    private mutating func readValue() throws(GGUFError) {
        let key = try string("a key", limit: 1 << 16)
        let part = "the value of \(key.prefix(80))"
        guard !key.isEmpty else { throw .badHeader(path: path, part: "a key", reason: "it is empty.") }
        let value = try value(of: try valueType(part), part)
        if values.updateValue(value, forKey: ByteKey(key)) != nil {
            throw .badHeader(path: path, part: key, reason: "the key is there twice.")
        }
        keys.append(key)
    }

    private mutating func valueType(_ part: String) throws(GGUFError) -> GGUFValueType {
        let found = try number(UInt32.self, part)
        guard let type = GGUFValueType(rawValue: found) else {
            throw .badHeader(path: path, part: part, reason: "its type is \(found); known are 0 to 12.")
        }
        return type
    }

    private mutating func value(of type: GGUFValueType, _ part: String) throws(GGUFError) -> GGUFValue {
        if type == .string { return .text(try string(part, limit: .max)) }
        if type == .array {
            let list = try list(part, depth: 0)
            return .list(list)
        }
        let width = type.byteCount ?? 8
        try require(width, part)
        defer { offset += width }
        let value = Self.scalar(type, bytes, at: offset)
        if type == .uint64, case .number = value { throw .badHeader(path: path, part: part, reason: "the number is beyond 2^63.") }
        return value
    }

    /// Walks over a list and checks every length in it.
    private mutating func list(_ part: String, depth: Int) throws(GGUFError) -> GGUFList {
        guard depth < Self.nestingLimit else { throw .badHeader(path: path, part: part, reason: "lists lie in lists too deeply.") }
        let type = try valueType(part)
        let count = try count("the length of \(part)", limit: .max, least: type.byteCount ?? (type == .string ? 8 : 12))
        let start = offset
        if let width = type.byteCount {
            offset += count * width
        } else if type == .string {
            for _ in 0..<count { offset += try length(part) }
        } else {
            for _ in 0..<count { _ = try list(part, depth: depth + 1) }
        }
        return GGUFList(elementType: type, count: count, range: start..<offset)
    }

    /// A single value that lies wholly within the bytes. An unsigned number beyond Int64 becomes a floating one.
    static func scalar(_ type: GGUFValueType, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> GGUFValue {
        func load<Number: FixedWidthInteger>(_: Number.Type) -> Number {
            Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
        }
        switch type {
        case .uint8: return .integer(Int64(load(UInt8.self)))
        case .int8: return .integer(Int64(load(Int8.self)))
        case .uint16: return .integer(Int64(load(UInt16.self)))
        case .int16: return .integer(Int64(load(Int16.self)))
        case .uint32: return .integer(Int64(load(UInt32.self)))
        case .int32: return .integer(Int64(load(Int32.self)))
        case .float32: return .number(Double(Float(bitPattern: load(UInt32.self))))
        case .bool: return .flag(load(UInt8.self) != 0)
        case .uint64:
            let value = load(UInt64.self)
            return Int64(exactly: value).map { .integer($0) } ?? .number(Double(value))
        case .int64: return .integer(load(Int64.self))
        case .float64: return .number(Double(bitPattern: load(UInt64.self)))
        case .string, .array: preconditionFailure("lists and texts are no single values")
        }
    }

    // MARK: Tensors

    private mutating func readTensors(_ count: Int, alignment: Int) throws(GGUFError) {
        var found: [(name: String, type: GGUFTensorType, shape: [Int], offset: Int, bytes: Int)] = []
        found.reserveCapacity(count)
        var names: Set<ByteKey> = []
        for _ in 0..<count {
            let name = try string("a tensor's name", limit: Self.nameLimit)
            if !names.insert(ByteKey(name)).inserted { throw .badTensor(path: path, tensor: name, reason: "the name is there twice.") }
            let rank = try number(UInt32.self, "tensor \(name)")
            guard rank <= 4 else { throw .badTensor(path: path, tensor: name, reason: "it has \(rank) axes; at most 4 are possible.") }
            var shape: [Int] = []
            for _ in 0..<rank {
                let dimension = try number(UInt64.self, "tensor \(name)")
                guard let dimension = Int(exactly: dimension), dimension <= 1 << 48 else {
                    throw .badTensor(path: path, tensor: name, reason: "an axis of \(dimension) is impossible.")
                }
                shape.insert(dimension, at: 0)
            }
            let number = try number(UInt32.self, "tensor \(name)")
            guard let type = GGUFTensorType(number: number) else {
                throw .badTensor(path: path, tensor: name, reason: "its type is \(number), which is not known.")
            }
            let start = try self.number(UInt64.self, "tensor \(name)")
            guard let size = type.byteCount(shape) else {
                throw .badTensor(
                    path: path, tensor: name,
                    reason: "its shape \(shape) of \(type.name) is no whole number of blocks of \(type.blockElements), or too large.")
            }
            guard start % UInt64(alignment) == 0 else {
                throw .badTensor(path: path, tensor: name, reason: "its offset \(start) is no multiple of the alignment \(alignment).")
            }
            guard let start = Int(exactly: start), start <= bytes.count else {
                throw .badTensor(path: path, tensor: name, reason: "its offset \(start) is beyond the end of the file.")
            }
            found.append((name, type, shape, start, size))
        }
        let dataStart = (offset + alignment - 1) / alignment * alignment
        for tensor in found {
            let left = bytes.count - dataStart - tensor.offset
            guard tensor.bytes <= left || tensor.bytes == 0 else {
                throw .badTensor(
                    path: path, tensor: tensor.name,
                    reason: "it needs \(tensor.bytes) bytes and the file has \(max(0, left)) there. Download or copy it again.")
            }
            let start = tensor.bytes == 0 ? min(dataStart + tensor.offset, bytes.count) : dataStart + tensor.offset
            tensors.append(
                GGUFTensor(name: tensor.name, type: tensor.type, shape: tensor.shape, byteRange: start..<start + tensor.bytes))
        }
        if let twice = tensors.sortByPlace() { throw .overlap(path: path, first: twice.first, second: twice.second) }
    }

    // MARK: Pieces

    private func require(_ count: Int, _ part: String) throws(GGUFError) {
        guard count <= bytes.count - offset else {
            throw .truncated(path: path, part: part, expected: UInt64(count), left: bytes.count - offset)
        }
    }

    private mutating func number<Number: FixedWidthInteger>(_: Number.Type, _ part: String) throws(GGUFError) -> Number {
        let width = MemoryLayout<Number>.size
        try require(width, part)
        defer { offset += width }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// A count of things that take at least `least` bytes each.
    private mutating func count(_ part: String, limit: Int, least: Int) throws(GGUFError) -> Int {
        let found = try number(UInt64.self, part)
        guard let count = Int(exactly: found), count <= limit else {
            throw .badHeader(path: path, part: part, reason: "\(found) is too much.")
        }
        guard count <= (bytes.count - offset) / least else {
            throw .truncated(path: path, part: part, expected: found, left: bytes.count - offset)
        }
        return count
    }

    /// Length of the text that follows, which is wholly there.
    private mutating func length(_ part: String) throws(GGUFError) -> Int {
        let found = try number(UInt64.self, part)
        guard found <= UInt64(bytes.count - offset) else {
            throw .truncated(path: path, part: part, expected: found, left: bytes.count - offset)
        }
        return Int(found)
    }

    private mutating func string(_ part: String, limit: Int) throws(GGUFError) -> String {
        let length = try length(part)
        guard length <= limit else { throw .badHeader(path: path, part: part, reason: "a text of \(length) bytes is too long.") }
        defer { offset += length }
        return String(decoding: bytes[offset..<offset + length], as: UTF8.self)
    }
}
