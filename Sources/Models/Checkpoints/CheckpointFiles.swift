import Formats
import Platform
import Tensors

/// Which files of a folder hold its weights, in the order in which transformers looks for them.
enum CheckpointFiles: CaseIterable {
    case safetensors, pickle

    /// All weights in one file.
    var single: String {
        switch self {
        case .safetensors: "model.safetensors"
        case .pickle: "pytorch_model.bin"
        }
    }

    /// Names the shard of each tensor.
    var index: String { single + ".index.json" }

    /// For people.
    var text: String {
        switch self {
        case .safetensors: "safetensors"
        case .pickle: "PyTorch pickles"
        }
    }

    /// What a folder has; nil without weights that can be read.
    static func kind(of directory: String) -> CheckpointFiles? {
        allCases.first { FileSystem.exists(Path.join(directory, $0.single)) || FileSystem.exists(Path.join(directory, $0.index)) }
    }

    /// Every tensor of one file.
    func locations(_ path: String) throws(ModelError) -> [CheckpointReader.Location] {
        do {
            switch self {
            case .safetensors:
                let file = try SafetensorsFile(path: path)
                return file.tensors.map {
                    CheckpointReader.Location(owner: file, mapping: file.mapping, bytes: file.bytes($0), path: path, entry: $0)
                }
            case .pickle:
                let file = try TorchFile(path: path)
                return file.tensors.map { tensor in
                    let bytes = file.bytes(tensor.entry)
                    guard let strides = tensor.strides else {
                        return CheckpointReader.Location(owner: file, mapping: file.mapping, bytes: bytes, path: path, entry: tensor.entry)
                    }
                    return Self.gathered(tensor.entry, bytes, strides: strides, path: path)
                }
            }
        } catch {
            throw .unreadable(reason: String(describing: error))
        }
    }

    /// A tensor that was saved transposed or as part of another, copied into row-major order. Its places were checked when the file
    /// was opened.
    private static func gathered(
        _ entry: TensorEntry, _ bytes: UnsafeRawBufferPointer, strides: [Int], path: String
    ) -> CheckpointReader.Location {
        let width = entry.dtype.byteCount, count = entry.shape.reduce(1, *)
        let storage = Storage(zeroedByteCount: count * width)
        var index = [Int](repeating: 0, count: entry.shape.count), from = 0
        guard let base = bytes.baseAddress else { preconditionFailure("a tensor without bytes has no strides") }
        for element in 0..<count {
            storage.address.advanced(by: element * width).copyMemory(from: base + from * width, byteCount: width)
            var axis = entry.shape.count - 1
            while axis >= 0 {
                index[axis] += 1
                from += strides[axis]
                if index[axis] < entry.shape[axis] { break }
                from -= strides[axis] * entry.shape[axis]
                index[axis] = 0
                axis -= 1
            }
        }
        let own = UnsafeRawBufferPointer(start: storage.address, count: count * width)
        return CheckpointReader.Location(
            owner: storage, mapping: nil, bytes: own, path: path,
            entry: TensorEntry(name: entry.name, dtype: entry.dtype, shape: entry.shape, byteRange: 0..<count * width))
    }
}
