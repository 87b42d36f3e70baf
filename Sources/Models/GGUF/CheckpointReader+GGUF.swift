import Formats
import Tensors

/// Where a weight lies in a GGUF file, and how it differs from the Hugging Face one.
struct GGUFPlacement {
    /// Nil for floating numbers.
    let blocks: BlockType?
    /// Rows of the Hugging Face weight in the order of the file; nil for the same order.
    let rows: RowOrder?
    /// What the file has added.
    let offset: Float
}

extension ModelFolder {
    /// Families whose weights may lie in another order in the file compute with that order: nothing has to be copied.
    mutating func adoptFileLayout() {
        guard let gguf else { return }
        let hasOffset = spec.norm.weightOffset != 0, isGrouped = spec.attention.projection == .grouped
        let reordersHeads = gguf.architecture.permutesHeads && spec.positions == .rotary
        spec.norm.weightOffset = 0
        if reordersHeads { spec.rotary.isInterleaved = true }
        if isGrouped { spec.attention.projection = .stacked }
        usesFileLayout = hasOffset || isGrouped || reordersHeads
    }

    /// Makes the spec one of the tensors that the file has.
    mutating func matchFile() {
        guard let gguf, gguf.architecture.name == "chatglm" || gguf.architecture.name == "glm4" else { return }
        if gguf.has("blk.0.attn_qkv.weight") { spec.attention.projection = .stacked }
    }
}

extension CheckpointReader {
    /// The tensors of a GGUF file under the names of the family.
    convenience init(_ gguf: GGUFSource, folder: ModelFolder) throws(ModelError) {
        self.init(directory: folder.directory, mainFile: gguf.file.path)
        let layout = try GGUFLayout(reading: folder)
        var known: Set<String> = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"]
        for tensor in layout.tensors {
            known.insert(tensor.name)
            guard let found = gguf.file.tensor(named: tensor.name) else {
                throw .missingTensor(file: gguf.file.path, tensor: tensor.name, expected: tensor.shape, also: 0)
            }
            guard Self.trimmed(found.shape) == Self.trimmed(tensor.shape) else {
                throw .wrongShape(file: gguf.file.path, tensor: tensor.name, expected: tensor.shape, found: found.shape)
            }
            try add(tensor, found, gguf)
        }
        if let stranger = gguf.file.tensors.first(where: { !known.contains($0.name) }) {
            throw .unexpectedTensor(file: gguf.file.path, tensor: stranger.name, also: gguf.file.tensors.count { !known.contains($0.name) } - 1)
        }
    }

    /// Files leave out axes of one.
    private static func trimmed(_ shape: [Int]) -> [Int] { shape.filter { $0 != 1 } }

    private func add(_ tensor: GGUFLayout.Tensor, _ found: GGUFTensor, _ gguf: GGUFSource) throws(ModelError) {
        let type: SafetensorsType, blocks: BlockType?
        switch found.type {
        case .float32: (type, blocks) = (.float32, nil)
        case .float16: (type, blocks) = (.float16, nil)
        case .bfloat16: (type, blocks) = (.bfloat16, nil)
        default:
            guard let known = BlockType(number: Int(found.type.number)) else {
                throw .unsupported(
                    file: gguf.file.path, what: "the tensor \(found.name) as \(found.type.name)",
                    whatToDo: "F32, F16, BF16, Q4_0 to Q8_0 and Q2_K to Q6_K can be read.")
            }
            (type, blocks) = (.uint8, known)
        }
        if blocks != nil, tensor.kind == .norm || tensor.kind == .bias {
            throw .unsupportedType(file: gguf.file.path, tensor: found.name, found: found.type.name)
        }
        if let blocks, (tensor.sourceShape.last ?? 1) % blocks.elementCount != 0 {
            throw .wrongShape(file: gguf.file.path, tensor: found.name, expected: tensor.shape, found: found.shape)
        }
        let bytes = gguf.file.bytes(found), each = bytes.count / max(1, tensor.sources.count)
        for (index, source) in tensor.sources.enumerated() {
            let own = index * each..<(index + 1) * each
            var location = Location(
                owner: gguf.file.mapping, mapping: gguf.file.mapping, bytes: UnsafeRawBufferPointer(rebasing: bytes[own]), path: gguf.file.path,
                entry: TensorEntry(
                    name: source, dtype: type, shape: tensor.sourceShape,
                    byteRange: found.byteRange.lowerBound + own.lowerBound..<found.byteRange.lowerBound + own.upperBound))
            location.gguf = GGUFPlacement(blocks: blocks, rows: tensor.rows, offset: tensor.offset)
            add(location)
        }
    }
}

extension GGUFLayout.Tensor {
    /// Of one source, outermost first.
    var sourceShape: [Int] {
        if role == .sharedRouter { return [1] + shape }
        return sources.count > 1 || shape.count == 3 ? Array(shape.dropFirst()) : shape
    }
}

extension CheckpointReader {
    /// A quantised matrix in the file's own pages, or with its rows put back in order.
    static func matrix(_ location: Location, _ placement: GGUFPlacement, restores: Bool) -> QuantizedMatrix? {
        guard let type = placement.blocks, let address = location.bytes.baseAddress else { return nil }
        let shape = location.entry.shape
        guard restores, let rows = placement.rows else {
            let codes = Tensor(borrowing: address, count: location.bytes.count, owner: location.owner, shape: [location.bytes.count], dtype: .uint8)
            return .blocks(type, shape: shape, codes: codes)
        }
        let codes = Tensor.zeros([location.bytes.count], .uint8)
        let width = location.bytes.count / max(1, shape[0])
        for place in 0..<rows.count {
            codes.address.advanced(by: rows[place] * width).copyMemory(from: address + place * width, byteCount: width)
        }
        withExtendedLifetime(location.owner) {}
        return .blocks(type, shape: shape, codes: codes)
    }

    /// A floating tensor as the family has it.
    static func restored(_ tensor: Tensor, _ placement: GGUFPlacement) -> Tensor {
        var tensor = tensor
        if let rows = placement.rows {
            let result = Tensor.zeros(tensor.shape, tensor.dtype)
            let width = tensor.byteCount / max(1, tensor.shape[0])
            for place in 0..<rows.count {
                result.address.advanced(by: rows[place] * width).copyMemory(from: tensor.address + place * width, byteCount: width)
            }
            tensor = result
        }
        guard placement.offset != 0 else { return tensor }
        let changed = tensor.floats().map { $0 - placement.offset }
        return Tensor(changed, shape: tensor.shape).converted(to: tensor.dtype)
    }
}
