import Formats
import Tensors

/// bitsandbytes' own checkpoints: the packed codes under the weight's name, scales and tables beside them.
extension QuantizedCheckpoint {
    /// `weight`, `.absmax`, `.quant_map`, `.quant_state.bitsandbytes__nf4` (JSON), and `.nested_absmax`, `.nested_quant_map` where
    /// the scales are quantised themselves.
    func fourBits(_ weight: WeightDescription, _ tensors: StoredTensors) throws(ModelError) -> QuantizedMatrix {
        guard let (kind, stateName) = quantState(weight, tensors.reader) else {
            throw .missingTensor(file: tensors.reader.mainFile, tensor: weight.name + ".quant_state", expected: [], also: 0)
        }
        let state = try state(stateName, tensors)
        let shape = (state.value("shape")?.arrayValue ?? []).compactMap(\.intValue)
        guard shape == weight.storedShape else {
            throw .wrongShape(file: state.file, tensor: weight.name, expected: weight.storedShape, found: shape)
        }
        guard !weight.isStoredTransposed else {
            throw .unsupported(
                file: file, what: "\(weight.name), a quantised matrix stored the other way round,",
                whatToDo: "Quantise while loading instead: quantization_bit: 4.")
        }
        let block = try state.integer("blocksize", atMost: 4096)
        let blocks = (weight.count + block - 1) / block
        let codes = try tensors.bytes(weight.name, count: (weight.count + 1) / 2)
        let table = try tensors.floats(weight.name + ".quant_map", shape: [16])
        let absmax = weight.name + ".absmax"
        guard tensors.contains(weight.name + ".nested_absmax") else {
            return .table(
                kind, shape: weight.shape, codes: codes, table: table, block: block, scales: try tensors.floats(absmax, shape: [blocks]))
        }
        let nestedBlock = try state.integer("nested_blocksize", atMost: 4096)
        guard let offset = try state.number("nested_offset") else { throw .missingKey(file: state.file, key: "nested_offset") }
        return .table(
            kind, shape: weight.shape, codes: codes, table: table, block: block, scaleCodes: try tensors.bytes(absmax, count: blocks),
            scaleTable: try tensors.floats(weight.name + ".nested_quant_map", shape: [256]),
            scales: try tensors.floats(weight.name + ".nested_absmax", shape: [(blocks + nestedBlock - 1) / nestedBlock]),
            nestedBlock: nestedBlock, offset: Float(offset))
    }

    /// The JSON object in the bytes of a tensor.
    private func state(_ name: String, _ tensors: StoredTensors) throws(ModelError) -> ConfigurationFields {
        let location = try tensors.location(name)
        let file = "\(location.path), tensor \(name)"
        let text = String(decoding: location.bytes, as: UTF8.self)
        let value: JSONValue
        do { value = try JSONValue.parse(text, name: file) } catch { throw .unreadable(reason: String(describing: error)) }
        guard let object = value.objectValue else {
            throw .unreadable(reason: "\(file): expected a JSON object, found \(value.kindName).")
        }
        return ConfigurationFields(object, file: file)
    }

    /// Signed bytes, and under `SCB` the largest number of each row.
    func eightBits(_ weight: WeightDescription, _ tensors: StoredTensors) throws(ModelError) -> QuantizedMatrix {
        let location = try tensors.location(weight.name)
        guard location.entry.shape == weight.shape else {
            throw .wrongShape(file: location.path, tensor: weight.name, expected: weight.shape, found: location.entry.shape)
        }
        guard location.entry.dtype == .int8 else {
            throw .unsupportedType(file: location.path, tensor: weight.name, found: location.entry.dtype.rawValue)
        }
        let formatName = weight.module + ".weight_format"
        if tensors.contains(formatName) {
            let format = try tensors.bytes(formatName, count: 1)
            guard format.bytes.first == 0 else {
                throw .unsupported(
                    file: location.path, what: "\(weight.name) in a GPU's tiled layout",
                    whatToDo: "Save the model again with bitsandbytes 0.45 or later.")
            }
        }
        let largest = try tensors.floats(weight.module + ".SCB", shape: [weight.shape[0]])
        let scales = Tensor(largest.floats().map { $0 * Float(1.0 / 127.0) }, shape: [weight.shape[0]])
        return .rowInt8(shape: weight.shape, codes: try tensors.bytes(weight.name, count: weight.count), scales: scales)
    }
}
