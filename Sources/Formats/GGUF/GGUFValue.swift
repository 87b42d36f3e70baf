/// A value of a GGUF file's metadata as it is read. The widths of numbers are told apart in files only.
public enum GGUFValue: Sendable, Equatable {
    case integer(Int64)
    case number(Double)
    case flag(Bool)
    case text(String)
    case list(GGUFList)

    public var integerValue: Int? {
        if case .integer(let value) = self { return Int(value) }
        return nil
    }

    /// A number of either kind.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .flag, .text, .list: nil
        }
    }

    public var flagValue: Bool? {
        if case .flag(let value) = self { return value }
        return nil
    }

    public var textValue: String? {
        if case .text(let value) = self { return value }
        return nil
    }

    public var listValue: GGUFList? {
        if case .list(let value) = self { return value }
        return nil
    }

    /// For people: "a text", "a list of 3 numbers".
    public var kindName: String {
        switch self {
        case .integer(let value): "the number \(value)"
        case .number(let value): "the number \(value)"
        case .flag(let value): "\(value)"
        case .text: "a text"
        case .list(let list): "a list of \(list.count)"
        }
    }
}

/// A list in the file's metadata: where it lies. Its elements are read when they are asked for, because vocabularies are long.
public struct GGUFList: Sendable, Equatable {
    public let elementType: GGUFValueType
    public let count: Int
    /// Bytes of the elements within the file, which were checked when it was opened.
    let range: Range<Int>
}

/// What a value is in the file, by its number there.
public enum GGUFValueType: UInt32, Sendable {
    case uint8 = 0, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

    /// Bytes of one; nil where they differ.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }
}

/// A value as it is written.
public enum GGUFEntry: Sendable, Equatable {
    case uint32(UInt32)
    case int32(Int32)
    case uint64(UInt64)
    case float32(Float)
    case bool(Bool)
    case text(String)
    case texts([[UInt8]])
    case float32s([Float])
    case int32s([Int32])
    case uint32s([UInt32])
    case bools([Bool])

    var type: GGUFValueType {
        switch self {
        case .uint32: .uint32
        case .int32: .int32
        case .uint64: .uint64
        case .float32: .float32
        case .bool: .bool
        case .text: .string
        case .texts, .float32s, .int32s, .uint32s, .bools: .array
        }
    }
}
