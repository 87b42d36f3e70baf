import Formats
import Tensors

/// A checkpoint whose linear layers are stored quantised, as `quantization_config` in config.json says. Layers that it holds
/// in full are loaded as ever.
struct QuantizedCheckpoint {
    enum Method: Equatable {
        case bitsandbytes4
        case bitsandbytes8
        /// AutoGPTQ's layout; in its first version zeros are stored one lower.
        case gptq(bits: Int, groupSize: Int?, zeroOffset: Int)
        /// AWQ's gemm layout, always four bits.
        case awq(groupSize: Int?)
    }

    let method: Method
    /// config.json, for errors.
    let file: String

    /// - Returns: nil for a checkpoint that is not quantised.
    init?(_ folder: ModelFolder) throws(ModelError) {
        guard let fields = try folder.fields.fields("quantization_config") else { return nil }
        file = folder.fields.file
        switch try fields.text("quant_method") {
        case "bitsandbytes":
            method = try fields.flag("load_in_8bit", default: false) ? .bitsandbytes8 : .bitsandbytes4
        case "gptq":
            let bits = try fields.integer("bits", atMost: 8)
            guard [2, 3, 4, 8].contains(bits) else {
                throw fields.invalid("bits", "2, 3, 4 or 8", .integer(bits))
            }
            let format = try fields.text("checkpoint_format") ?? "gptq"
            guard format == "gptq" || format == "gptq_v2" else {
                throw .unsupported(
                    file: file, what: "a GPTQ checkpoint of format \(format)", whatToDo: "Those of format gptq and gptq_v2 can be read.")
            }
            method = .gptq(bits: bits, groupSize: try Self.groupSize(fields, "group_size"), zeroOffset: format == "gptq" ? 1 : 0)
        case "awq":
            let version = try fields.text("version")?.lowercased() ?? "gemm"
            guard version == "gemm" else {
                throw .unsupported(
                    file: file, what: "an AWQ checkpoint of version \(version)", whatToDo: "Those of version gemm can be read.")
            }
            let bits = try fields.integer(fields.value("bits") == nil ? "w_bit" : "bits", default: 4)
            guard bits == 4 else { throw fields.invalid("bits", "4", .integer(bits)) }
            method = .awq(groupSize: try Self.groupSize(fields, fields.value("group_size") == nil ? "q_group_size" : "group_size"))
        case let other:
            throw .unsupported(
                file: file, what: "a checkpoint quantised with \(other ?? "an unnamed method")",
                whatToDo: "bitsandbytes, GPTQ and AWQ checkpoints can be read; or use the model's F32, F16 or BF16 checkpoint.")
        }
    }

    /// -1 stands for a single group.
    private static func groupSize(_ fields: ConfigurationFields, _ key: String) throws(ModelError) -> Int? {
        guard let value = fields.value(key) else { return nil }
        if value.intValue == -1 { return nil }
        return try fields.integer(key)
    }

    /// The names under which a matrix is stored quantised; nil when it is stored in full.
    func names(_ weight: WeightDescription, _ reader: CheckpointReader) -> [String]? {
        guard weight.kind == .matrix else { return nil }
        let module = weight.module + "."
        switch method {
        case .bitsandbytes4:
            guard let state = quantState(weight, reader)?.name else { return nil }
            // Looked up by name: mixtures of experts have tens of thousands of matrices, too many to search all names for each.
            let parts = ["", ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"].map { weight.name + $0 }
            return (parts + [state]).filter { reader.tensors[$0] != nil }
        case .bitsandbytes8:
            guard reader.tensors[module + "SCB"] != nil else { return nil }
            return [weight.name, module + "SCB", module + "weight_format"].filter { reader.tensors[$0] != nil }
        case .gptq, .awq:
            guard reader.tensors[module + "qweight"] != nil else { return nil }
            let own = ["qweight", "qzeros", "scales", "g_idx"].map { module + $0 }.filter { reader.tensors[$0] != nil }
            // Quantisers write a bias for every layer, of zeros where the model has none.
            return own + (hasEmptyBias(module, reader) ? [module + "bias"] : [])
        }
    }

    func quantState(_ weight: WeightDescription, _ reader: CheckpointReader) -> (kind: QuantizationFormat.TableKind, name: String)? {
        for kind in [QuantizationFormat.TableKind.nf4, .fp4] {
            let name = weight.name + ".quant_state.bitsandbytes__" + kind.rawValue
            if reader.tensors[name] != nil { return (kind, name) }
        }
        return nil
    }

    private func hasEmptyBias(_ module: String, _ reader: CheckpointReader) -> Bool {
        guard let bias = reader.tensors[module + "bias"] else { return false }
        return bias.bytes.allSatisfy { $0 == 0 }
    }

    /// How a matrix will be kept, for plans; nil when it is stored in full.
    func format(_ weight: WeightDescription, _ reader: CheckpointReader) -> QuantizationFormat? {
        guard names(weight, reader) != nil else { return nil }
        switch method {
        case .bitsandbytes4:
            guard let state = quantState(weight, reader) else { return nil }
            return .table(state.kind, doubleQuantized: reader.tensors[weight.name + ".nested_absmax"] != nil)
        case .bitsandbytes8: return .rowInt8
        case .gptq(let bits, let size, _): return .grouped(bits: bits == 3 ? 4 : bits, groupSize: size ?? weight.shape[1])
        case .awq(let size): return .grouped(bits: 4, groupSize: size ?? weight.shape[1])
        }
    }

    /// Reads a matrix that is stored quantised; nil when it is stored in full.
    func matrix(_ weight: WeightDescription, _ reader: CheckpointReader) throws(ModelError) -> QuantizedMatrix? {
        guard names(weight, reader) != nil else { return nil }
        let tensors = StoredTensors(reader: reader)
        switch method {
        case .bitsandbytes4: return try fourBits(weight, tensors)
        case .bitsandbytes8: return try eightBits(weight, tensors)
        case .gptq(let bits, let size, let offset):
            return try GroupedReader(weight: weight, tensors: tensors, bits: bits, groupSize: size).gptq(zeroOffset: offset)
        case .awq(let size): return try GroupedReader(weight: weight, tensors: tensors, bits: 4, groupSize: size).awq()
        }
    }
}

/// The parts of a quantised weight as they lie in a checkpoint, checked for size.
struct StoredTensors {
    let reader: CheckpointReader

    func contains(_ name: String) -> Bool { reader.tensors[name] != nil }

    /// A tensor's bytes as uint8, in the file's own pages.
    func bytes(_ name: String, count: Int) throws(ModelError) -> Tensor {
        let location = try location(name)
        let bytes = location.bytes
        guard bytes.count == count, let address = bytes.baseAddress else {
            throw .wrongShape(file: location.path, tensor: name, expected: [count], found: location.entry.shape)
        }
        return Tensor(borrowing: address, count: count, owner: location.owner, shape: [count], dtype: .uint8)
    }

    /// A floating tensor as f32, in memory of its own.
    func floats(_ name: String, shape: [Int]) throws(ModelError) -> Tensor {
        let location = try location(name)
        guard location.entry.shape.reduce(1, *) == shape.reduce(1, *) else {
            throw .wrongShape(file: location.path, tensor: name, expected: shape, found: location.entry.shape)
        }
        return try aligned(location, shape: shape, allowed: [.float32, .float16, .bfloat16]).converted(to: .float32)
    }

    /// An int32 tensor.
    func integers(_ name: String, shape: [Int]) throws(ModelError) -> Tensor {
        let location = try location(name)
        guard location.entry.shape == shape else {
            throw .wrongShape(file: location.path, tensor: name, expected: shape, found: location.entry.shape)
        }
        return try aligned(location, shape: shape, allowed: [.int32])
    }

    func location(_ name: String) throws(ModelError) -> CheckpointReader.Location {
        guard let location = reader.tensors[name] else {
            throw .missingTensor(file: reader.mainFile, tensor: name, expected: [], also: 0)
        }
        return location
    }

    /// A copy, because old files put tensors on odd addresses.
    private func aligned(_ location: CheckpointReader.Location, shape: [Int], allowed: [DType]) throws(ModelError) -> Tensor {
        guard let type = DType(location.entry.dtype), allowed.contains(type) else {
            throw .unsupportedType(file: location.path, tensor: location.entry.name, found: location.entry.dtype.rawValue)
        }
        let copy = Tensor.zeros(shape, type)
        let bytes = location.bytes
        if let from = bytes.baseAddress { copy.address.copyMemory(from: from, byteCount: min(bytes.count, copy.byteCount)) }
        return copy
    }
}
