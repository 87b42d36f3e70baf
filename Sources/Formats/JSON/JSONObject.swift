/// An object whose members stay in the order in which they came.

/// A string that equals another only when their UTF-8 bytes are the same. Swift's own comparison holds "e" + combining accent
/// and the precomposed letter for equal, which would lose entries of a vocabulary.
public struct ByteKey: Hashable, Sendable {
    public let text: String

    public init(_ text: String) { self.text = text }

    public static func == (left: ByteKey, right: ByteKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    public func hash(into hasher: inout Hasher) {
        var copy = text
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// Ordered members. Small objects are searched from front to back, large ones through an index that is built as they grow.
public struct JSONObject: Sendable, ExpressibleByDictionaryLiteral {
    public private(set) var pairs: [(key: String, value: JSONValue)] = []
    /// Where each key is in `pairs`; empty while the object is small.
    private var index: [ByteKey: Int] = [:]
    private static let indexedFrom = 16

    public init() {}

    /// A key given twice keeps its first place and its last value, as in Python.
    public init(_ pairs: [(String, JSONValue)]) {
        for (key, value) in pairs { set(key, value) }
    }

    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    public var count: Int { pairs.count }
    public var isEmpty: Bool { pairs.isEmpty }
    public var keys: [String] { pairs.map(\.key) }
    public var values: [JSONValue] { pairs.map(\.value) }

    /// Setting nil removes the member; a new member goes to the end.
    public subscript(_ key: String) -> JSONValue? {
        get { position(of: key).map { pairs[$0].value } }
        set {
            if let newValue { set(key, newValue) } else { remove(key) }
        }
    }

    public func contains(_ key: String) -> Bool { position(of: key) != nil }

    public mutating func set(_ key: String, _ value: JSONValue) {
        if let found = position(of: key) {
            pairs[found].value = value
            return
        }
        pairs.append((key, value))
        if pairs.count == Self.indexedFrom {
            for (place, pair) in pairs.enumerated() { index[ByteKey(pair.key)] = place }
        } else if pairs.count > Self.indexedFrom {
            index[ByteKey(key)] = pairs.count - 1
        }
    }

    @discardableResult
    public mutating func remove(_ key: String) -> JSONValue? {
        guard let found = position(of: key) else { return nil }
        let value = pairs.remove(at: found).value
        index.removeAll()
        if pairs.count >= Self.indexedFrom {
            for (place, pair) in pairs.enumerated() { index[ByteKey(pair.key)] = place }
        }
        return value
    }

    /// Takes over every member of `other`, replacing those of the same name.
    public mutating func merge(_ other: JSONObject) {
        for (key, value) in other.pairs { set(key, value) }
    }

    private func position(of key: String) -> Int? {
        if !index.isEmpty { return index[ByteKey(key)] }
        return pairs.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }
}

extension JSONObject: Equatable {
    /// Equal when they have the same members, in any order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.pairs.allSatisfy { right[$0.key] == $0.value }
    }
}

extension JSONObject: Sequence {
    public func makeIterator() -> IndexingIterator<[(key: String, value: JSONValue)]> { pairs.makeIterator() }
}
