/// `pytorch_model.bin`: a zip archive with a pickle that describes tensors (`data.pkl`) and their bytes (`data/0`, `data/1`, ...),
/// mapped and never copied. The format before PyTorch 1.6, five pickles and the bytes behind them, is read as well.

import Platform

/// Elements that tensors look into.
struct TorchStorage: Equatable, Sendable {
    let key: String
    let dtype: SafetensorsType
    let elementCount: Int
}

/// A tensor as its pickle describes it, unchecked.
struct TorchTensor: Equatable, Sendable {
    let storage: TorchStorage
    let offset: Int
    let shape: [Int]
    let strides: [Int]
}

public final class TorchFile: Sendable {
    /// A tensor whose bytes lie in the file one after the other, or `strides` apart.
    public struct Tensor: Sendable, Equatable {
        public let entry: TensorEntry
        /// Distances in elements where they are not those of a plain row-major tensor. The entry's range is then all of the storage
        /// from the first element on.
        public let strides: [Int]?
    }

    public let path: String
    public let mapping: MappedFile
    public let tensors: [Tensor]

    public init(path: String) throws(TorchError) {
        do throws(PlatformError) { mapping = try MappedFile(path: path) } catch { throw .cannotRead(error) }
        self.path = path
        let found = ZipArchive.isArchive(mapping.bytes) ? try Self.archived(mapping.bytes, path) : try Self.legacy(mapping.bytes, path)
        tensors = try Self.checked(found.tensors, storages: found.storages, length: mapping.count, path: path)
    }

    public func bytes(_ entry: TensorEntry) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: mapping.bytes[entry.byteRange.clamped(to: 0..<mapping.count)])
    }

    private typealias Contents = (tensors: [(String, TorchTensor)], storages: [ByteKey: Range<Int>])

    // MARK: Formats

    private static func archived(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(TorchError) -> Contents {
        let archive = try ZipArchive(bytes, path: path)
        guard let pickle = archive.entries.first(where: { $0.name.hasSuffix("/data.pkl") }) else {
            throw .badArchive(path: path, reason: "there is no data.pkl in it: torch.save did not write it, or it is a TorchScript program.")
        }
        let folder = String(pickle.name.dropLast("data.pkl".count))
        if archive.entry(folder + "constants.pkl") != nil {
            throw .badArchive(path: path, reason: "it is a TorchScript program, not a set of tensors.")
        }
        if let order = archive.entry(folder + "byteorder"), Array(bytes[order.range]) != Array("little".utf8) {
            throw .badArchive(path: path, reason: "its numbers are big-endian.")
        }
        var machine = TensorPickle(bytes, range: pickle.range, path: path)
        let tensors = try tensors(try machine.read(), machine, path)
        var storages: [ByteKey: Range<Int>] = [:]
        for entry in archive.entries where entry.name.hasPrefix(folder + "data/") {
            storages[ByteKey(String(entry.name.dropFirst(folder.count + 5)))] = entry.range
        }
        return (tensors, storages)
    }

    /// Magic number, version and machine; the tensors; the keys of the storages; then each storage's length and bytes.
    private static func legacy(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(TorchError) -> Contents {
        let magic: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
        guard bytes.count > 14, bytes[0] == 0x80, bytes[2] == 0x8a, bytes[3] == 10, Array(bytes[4..<14]) == magic else {
            throw .notATorchFile(path: path)
        }
        var machine = TensorPickle(bytes, range: 0..<bytes.count, path: path)
        for _ in 0..<3 { _ = try machine.read() }
        let tensors = try tensors(try machine.read(), machine, path)
        let list = try machine.read()
        let keys = machine.items(list) ?? []
        var types: [ByteKey: TorchStorage] = [:]
        for (_, tensor) in tensors { types[ByteKey(tensor.storage.key)] = tensor.storage }
        var storages: [ByteKey: Range<Int>] = [:], place = machine.place
        for key in keys {
            guard case .text(let name) = key, let storage = types[ByteKey(name)] else {
                throw .badPickle(path: path, offset: place, reason: "a storage that no tensor names.")
            }
            let width = storage.dtype.byteCount
            guard let count = ZipBytes(bytes: bytes).number(place, 8), count <= (bytes.count - place - 8) / width else {
                throw .badPickle(path: path, offset: place, reason: "the storage \(name) reaches past the end.")
            }
            storages[ByteKey(name)] = place + 8..<place + 8 + count * width
            place += 8 + count * width
        }
        return (tensors, storages)
    }

    /// The tensors of a dictionary, or of the `state_dict` in it; other values are no weights.
    private static func tensors(
        _ value: TensorPickle.Value, _ machine: TensorPickle, _ path: String
    ) throws(TorchError) -> [(String, TorchTensor)] {
        var pairs = machine.pairs(value)
        for case (.text("state_dict"), let inner) in pairs ?? [] { pairs = machine.pairs(inner) ?? pairs }
        guard let pairs else { throw .badPickle(path: path, offset: 0, reason: "it holds no dictionary of tensors.") }
        var found: [(String, TorchTensor)] = []
        for case (.text(let name), .tensor(let tensor)) in pairs { found.append((name, tensor)) }
        return found
    }

    // MARK: Checks

    private static func checked(
        _ tensors: [(String, TorchTensor)], storages: [ByteKey: Range<Int>], length: Int, path: String
    ) throws(TorchError) -> [Tensor] {
        var seen: Set<ByteKey> = [], checked: [Tensor] = [], gathered = 0
        for (name, tensor) in tensors {
            guard seen.insert(ByteKey(name)).inserted else { throw .badTensor(path: path, tensor: name, reason: "it is there twice.") }
            guard let range = storages[ByteKey(tensor.storage.key)] else {
                throw .badTensor(path: path, tensor: name, reason: "its storage \(tensor.storage.key) is missing.")
            }
            let found = try place(name, tensor, in: range, path: path)
            // Views that are no plain rows are copied when they are read: thousands of them into one storage would fill the memory.
            if found.strides != nil { gathered += range.count }
            guard gathered <= 16 * length else { throw .badTensor(path: path, tensor: name, reason: "too many tensors are views of one storage.") }
            checked.append(found)
        }
        return checked
    }

    private static func place(_ name: String, _ tensor: TorchTensor, in range: Range<Int>, path: String) throws(TorchError) -> Tensor {
        func bad(_ reason: String) -> TorchError { .badTensor(path: path, tensor: name, reason: reason) }
        let width = tensor.storage.dtype.byteCount, available = range.count / width
        guard tensor.storage.elementCount == available else {
            throw bad("its storage claims \(tensor.storage.elementCount) elements and has \(available).")
        }
        guard tensor.offset >= 0, tensor.shape.allSatisfy({ $0 >= 0 }), tensor.strides.allSatisfy({ $0 >= 0 }) else {
            throw bad("its offset, shape or strides are negative.")
        }
        let entry = { (count: Int, offset: Int) in
            TensorEntry(
                name: name, dtype: tensor.storage.dtype, shape: tensor.shape,
                byteRange: range.lowerBound + offset * width..<range.lowerBound + (offset + count) * width)
        }
        guard let total = TensorShape.elementCount(tensor.shape) else { throw bad("its shape \(tensor.shape) is impossible.") }
        if total == 0 { return Tensor(entry: entry(0, 0), strides: nil) }
        // The last element's place, and the strides of a plain tensor.
        var last = tensor.offset, count = 1, isPlain = true
        for (size, stride) in zip(tensor.shape, tensor.strides).reversed() {
            if size > 1, stride != count { isPlain = false }
            let (reach, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
            let (sum, sumOverflow) = last.addingReportingOverflow(reach)
            let (product, productOverflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, !sumOverflow, !productOverflow else { throw bad("its shape \(tensor.shape) is impossible.") }
            last = sum
            count = product
        }
        guard last < available, count <= available else {
            throw bad("its shape \(tensor.shape) needs more than the \(available) elements of its storage.")
        }
        if isPlain { return Tensor(entry: entry(count, tensor.offset), strides: nil) }
        return Tensor(entry: entry(available - tensor.offset, tensor.offset), strides: tensor.strides)
    }
}
