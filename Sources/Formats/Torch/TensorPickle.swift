/// A reader of pickles that knows tensors and nothing else. Python's pickle is a program for a stack machine; this machine has the
/// instructions with which `torch.save` writes dictionaries of tensors, and the few globals that they need. Every other global ends
/// it. Nothing is ever called.
///
/// Containers live in a list of their own and are referred to by number, so that no input can make a deep structure to recurse
/// into, nor a cycle. Each instruction makes at most one value, and those that copy a list's pairs may copy as many as the file has
/// bytes: memory is bounded by the file's length.
struct TensorPickle {
    indirect enum Value {
        case none
        case bool(Bool)
        case integer(Int)
        /// Integers beyond 64 bits: the file's magic number.
        case large([UInt8])
        case number(Double)
        case text(String)
        case tuple(Int)
        case list(Int)
        case dictionary(Int)
        case global(Global)
        case storage(TorchStorage)
        case tensor(TorchTensor)
    }

    /// All that may be named.
    enum Global: Equatable {
        case orderedDictionary
        /// `torch._utils._rebuild_tensor_v2`, and `_rebuild_tensor` of old files.
        case rebuildTensor
        case rebuildParameter
        /// `torch.FloatStorage`
        case storage(SafetensorsType)

        init?(module: String, name: String) {
            switch (module, name) {
            case ("collections", "OrderedDict"): self = .orderedDictionary
            case ("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_tensor"): self = .rebuildTensor
            case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
            case ("torch", let name):
                guard let type = Self.storageTypes[name] else { return nil }
                self = .storage(type)
            case _: return nil
            }
        }

        private static let storageTypes: [String: SafetensorsType] = [
            "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16, "DoubleStorage": .float64,
            "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8, "ByteStorage": .uint8,
            "BoolStorage": .bool,
        ]
    }

    /// PyTorch's own limit is higher; no weight has as many axes.
    private static let largestRank = 16

    private let path: String
    private let bytes: ZipBytes
    private let end: Int
    /// Where the next instruction is; after `read`, where the pickle ended.
    private(set) var place: Int
    private var stack: [Value] = []
    private var marks: [Int] = []
    private var memo: [Int: Value] = [:]
    private var sequences: [[Value]] = []
    private var dictionaries: [[(key: Value, value: Value)]] = []
    private var copiedPairs = 0

    init(_ contents: UnsafeRawBufferPointer, range: Range<Int>, path: String) {
        bytes = ZipBytes(bytes: contents)
        end = range.upperBound
        place = range.lowerBound
        self.path = path
    }

    func items(_ value: Value) -> [Value]? {
        switch value {
        case .tuple(let index), .list(let index): sequences[index]
        case _: nil
        }
    }

    func pairs(_ value: Value) -> [(key: Value, value: Value)]? {
        guard case .dictionary(let index) = value else { return nil }
        return dictionaries[index]
    }

    /// Runs to the end of one pickle.
    mutating func read() throws(TorchError) -> Value {
        stack.removeAll()
        marks.removeAll()
        memo.removeAll()
        while true {
            let code = try number(1)
            if code == UInt8(ascii: ".") { return try pop() }
            try run(UInt8(code))
        }
    }

    private mutating func run(_ code: UInt8) throws(TorchError) {
        switch code {
        case 0x80: _ = try number(1)
        case 0x95: _ = try take(8)
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88, 0x89: stack.append(.bool(code == 0x88))
        case UInt8(ascii: "K"): stack.append(.integer(try number(1)))
        case UInt8(ascii: "M"): stack.append(.integer(try number(2)))
        case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try number(4)))))
        case 0x8a: try pushLong(try number(1))
        case UInt8(ascii: "G"): try pushFloat()
        case 0x8c, UInt8(ascii: "U"): try pushText(try number(1))
        case UInt8(ascii: "X"), UInt8(ascii: "T"): try pushText(try number(4))
        case UInt8(ascii: ")"): push([]) { .tuple($0) }
        case UInt8(ascii: "]"): push([]) { .list($0) }
        case UInt8(ascii: "}"): pushDictionary([])
        case 0x85, 0x86, 0x87: try pushTuple(Int(code) - 0x84)
        case UInt8(ascii: "t"):
            let items = try popToMark()
            push(items) { .tuple($0) }
        case UInt8(ascii: "a"):
            let item = try pop()
            try extend([item])
        case UInt8(ascii: "e"): try extend(try popToMark())
        case UInt8(ascii: "s"):
            let value = try pop(), key = try pop()
            try insert([key, value])
        case UInt8(ascii: "u"): try insert(try popToMark())
        case UInt8(ascii: "q"): memo[try number(1)] = try top()
        case UInt8(ascii: "r"): memo[try number(4)] = try top()
        case 0x94: memo[memo.count] = try top()
        case UInt8(ascii: "h"): try recall(try number(1))
        case UInt8(ascii: "j"): try recall(try number(4))
        case UInt8(ascii: "c"): try pushGlobal(module: try line(), name: try line())
        case 0x93:
            guard case .text(let name) = try pop(), case .text(let module) = try pop() else { throw bad("a global without a name.") }
            try pushGlobal(module: module, name: name)
        case UInt8(ascii: "Q"): try pushStorage()
        case UInt8(ascii: "R"): try reduce()
        case UInt8(ascii: "b"): try build()
        case _: throw bad("instruction \(code) is not one of those that make tensors.")
        }
    }

    // MARK: Bytes

    private mutating func take(_ count: Int) throws(TorchError) -> Int {
        guard count <= end - place else { throw bad("it ends early.") }
        defer { place += count }
        return place
    }

    private mutating func number(_ size: Int) throws(TorchError) -> Int {
        let start = try take(size)
        guard let value = bytes.number(start, size) else { throw bad("a number is too large.") }
        return value
    }

    private mutating func line() throws(TorchError) -> String {
        let start = place
        while place < end, place - start < 1024, bytes.bytes[place] != 10 { place += 1 }
        guard place < end, bytes.bytes[place] == 10, let text = bytes.text(start, place - start) else { throw bad("a name does not end.") }
        place += 1
        return text
    }

    private mutating func pushText(_ length: Int) throws(TorchError) {
        guard let text = bytes.text(try take(length), length) else { throw bad("a text is not UTF-8.") }
        stack.append(.text(text))
    }

    /// Two's complement, little-endian.
    private mutating func pushLong(_ length: Int) throws(TorchError) {
        let start = try take(length)
        let digits = Array(bytes.bytes[start..<start + length])
        guard length <= 8 else {
            stack.append(.large(digits))
            return
        }
        var value: UInt64 = (digits.last ?? 0) & 0x80 == 0 ? 0 : .max
        for digit in digits.reversed() { value = value << 8 | UInt64(digit) }
        stack.append(.integer(Int(Int64(bitPattern: value))))
    }

    private mutating func pushFloat() throws(TorchError) {
        let start = try take(8)
        var bits: UInt64 = 0
        for index in 0..<8 { bits = bits << 8 | UInt64(bytes.bytes[start + index]) }
        stack.append(.number(Double(bitPattern: bits)))
    }

    // MARK: Stack

    private func top() throws(TorchError) -> Value {
        guard let value = stack.last, stack.count > marks.last ?? 0 else { throw bad("its stack is empty.") }
        return value
    }

    private mutating func pop() throws(TorchError) -> Value {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func popToMark() throws(TorchError) -> [Value] {
        guard let mark = marks.popLast(), mark <= stack.count else { throw bad("a mark is missing.") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private mutating func push(_ items: [Value], _ make: (Int) -> Value) {
        stack.append(make(sequences.count))
        sequences.append(items)
    }

    private mutating func pushTuple(_ count: Int) throws(TorchError) {
        var items: [Value] = []
        for _ in 0..<count { items.append(try pop()) }
        push(items.reversed()) { .tuple($0) }
    }

    private mutating func pushDictionary(_ pairs: [(key: Value, value: Value)]) {
        stack.append(.dictionary(dictionaries.count))
        dictionaries.append(pairs)
    }

    private mutating func extend(_ items: [Value]) throws(TorchError) {
        guard case .list(let index) = try top() else { throw bad("items are added to something that is no list.") }
        sequences[index] += items
    }

    private mutating func insert(_ items: [Value]) throws(TorchError) {
        guard case .dictionary(let index) = try top(), items.count % 2 == 0 else { throw bad("entries without a dictionary.") }
        for place in stride(from: 0, to: items.count, by: 2) { dictionaries[index].append((items[place], items[place + 1])) }
    }

    private mutating func recall(_ key: Int) throws(TorchError) {
        guard let value = memo[key] else { throw bad("nothing was remembered as \(key).") }
        stack.append(value)
    }

    // MARK: Globals

    private mutating func pushGlobal(module: String, name: String) throws(TorchError) {
        guard let global = Global(module: module, name: name) else {
            throw .forbiddenGlobal(path: path, name: String("\(module).\(name)".prefix(200)))
        }
        stack.append(.global(global))
    }

    /// `("storage", type, key, where it was, number of elements)`
    private mutating func pushStorage() throws(TorchError) {
        guard let items = items(try pop()), items.count >= 5, case .text("storage") = items[0], case .global(.storage(let type)) = items[1],
            case .text(let key) = items[2], case .integer(let count) = items[4], count >= 0
        else { throw bad("a reference to something that is no storage of a known type.") }
        stack.append(.storage(TorchStorage(key: key, dtype: type, elementCount: count)))
    }

    private mutating func reduce() throws(TorchError) {
        let arguments = items(try pop()) ?? []
        guard case .global(let global) = try pop() else { throw bad("something is called that is no global.") }
        switch global {
        case .orderedDictionary: try makeDictionary(arguments)
        case .rebuildTensor: stack.append(.tensor(try tensor(arguments)))
        case .rebuildParameter:
            guard let first = arguments.first, case .tensor = first else { throw bad("a parameter without a tensor.") }
            stack.append(first)
        case .storage: throw bad("a storage is called.")
        }
    }

    private mutating func makeDictionary(_ arguments: [Value]) throws(TorchError) {
        var pairs: [(key: Value, value: Value)] = []
        let given = arguments.first.flatMap({ items($0) }) ?? []
        copiedPairs += given.count
        guard copiedPairs <= bytes.count else { throw bad("its dictionaries copy one list again and again.") }
        for item in given {
            guard let pair = items(item), pair.count == 2 else { throw bad("an OrderedDict of something else than pairs.") }
            pairs.append((pair[0], pair[1]))
        }
        pushDictionary(pairs)
    }

    /// `(storage, offset, sizes, strides, ...)`
    private func tensor(_ arguments: [Value]) throws(TorchError) -> TorchTensor {
        guard arguments.count >= 4, case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
            let shape = integers(arguments[2]), let strides = integers(arguments[3]), shape.count == strides.count
        else { throw bad("a tensor with other parts than a storage, an offset, sizes and strides.") }
        return TorchTensor(storage: storage, offset: offset, shape: shape, strides: strides)
    }

    private func integers(_ value: Value) -> [Int]? {
        guard let items = items(value), items.count <= Self.largestRank else { return nil }
        var numbers: [Int] = []
        for case .integer(let number) in items { numbers.append(number) }
        return numbers.count == items.count ? numbers : nil
    }

    /// Attributes of a dictionary (`_metadata`) are no weights.
    private mutating func build() throws(TorchError) {
        _ = try pop()
        guard case .dictionary = try top() else { throw bad("attributes for something that is no dictionary.") }
    }

    private func bad(_ reason: String) -> TorchError { .badPickle(path: path, offset: place, reason: reason) }
}
