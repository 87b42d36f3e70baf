import Formats
import Platform
import Tensors

/// Writes a model as a GGUF file, adapters folded in, a few rows at a time.
public struct GGUFModelWriter {
    public let model: Transformer
    public let layout: GGUFLayout
    private let backend: CPUBackend
    private let parameters: [String: Parameter]
    private let linears: [String: Linear]

    public init(_ model: Transformer, layout: GGUFLayout, backend: CPUBackend) {
        self.model = model
        self.layout = layout
        self.backend = backend
        var parameters = Dictionary(model.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        if let head = model.separatedHead { parameters[head.name] = head }
        self.parameters = parameters
        linears = Dictionary(model.adaptableLinears.map { ($0.name + ".weight", $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// - Parameters:
    ///   - metadata: of the model and the tokenizer, in order.
    ///   - progress: told the tensors written and their total after each; returning false stops.
    /// - Returns: the bytes of the file; nil when it was stopped and there is none.
    public func write(
        to path: String, metadata: [(String, GGUFEntry)], progress: (Int, Int) -> Bool = { _, _ in true }
    ) throws(ModelError) -> Int? {
        do {
            let writer = try GGUFWriter(path: path, metadata: metadata, tensors: layout.declarations)
            for table in layout.tables { try table.values.withUnsafeBytes { try writer.write($0, to: table.name) } }
            for (index, tensor) in layout.tensors.enumerated() {
                guard progress(index, layout.tensors.count) else { return nil }
                try write(tensor, with: writer)
            }
            guard progress(layout.tensors.count, layout.tensors.count) else { return nil }
            try writer.finish()
            return writer.byteCount
        } catch let error as ModelError {
            throw error
        } catch {
            throw .cannotWrite(reason: String(describing: error))
        }
    }

    private func write(_ tensor: GGUFLayout.Tensor, with writer: GGUFWriter) throws {
        let type = layout.type(tensor)
        for source in tensor.sources {
            guard let parameter = parameters[source] else {
                throw ModelError.missingTensor(file: model.directory, tensor: source, expected: tensor.shape, also: 0)
            }
            let linear = linears[source]
            let isChanged = linear?.adapter != nil || linear?.rotation != nil || parameter.quantized != nil
            guard let value = model.writtenValue(of: parameter, linear: linear, merging: true, dtype: isChanged ? .float32 : parameter.dtype) else {
                throw ModelError.cannotWrite(reason: "\(source): the adapter cannot be merged into the quantised weight.")
            }
            // A vector's elements are rows of one number.
            let columns = value.shape.count > 1 ? value.columnCount : 1, rowCount = value.count / max(1, columns)
            let atOnce = max(1, (1 << 22) / max(1, columns))
            let total = tensor.rows?.count ?? rowCount
            for start in stride(from: 0, to: total, by: atOnce) {
                let places = start..<min(start + atOnce, total)
                let piece = rows(places, of: value, tensor, columns: columns)
                try stored(piece, as: type, columns: tensor.shape.count > 1 ? columns : piece.count) { try writer.write($0, to: tensor.name) }
            }
        }
    }

    /// Rows of a tensor as the file has them, in f32.
    private func rows(_ places: Range<Int>, of value: Tensor, _ tensor: GGUFLayout.Tensor, columns: Int) -> Tensor {
        let result = backend.empty([places.count, columns], .float32)
        let flat = Tensor(storage: value.storage, byteOffset: value.byteOffset, shape: [value.count / max(1, columns), columns], dtype: value.dtype)
        if let rows = tensor.rows {
            for (index, place) in places.enumerated() {
                backend.convert(flat.slice(rows: rows[place]..<rows[place] + 1), into: result.slice(rows: index..<index + 1))
            }
        } else {
            backend.convert(flat.slice(rows: places), into: result)
        }
        let numbers = result.floatPointer
        if tensor.offset != 0 { for index in 0..<result.count { numbers[index] += tensor.offset } }
        let scaled = min(max(0, tensor.factorRows - places.lowerBound), places.count)
        if tensor.factor != 1 { for index in 0..<scaled * columns { numbers[index] *= tensor.factor } }
        if tensor.hasUnitRows {
            for row in 0..<places.count {
                let line = numbers + row * columns
                var squares = 0.0
                for index in 0..<columns { squares += Double(line[index]) * Double(line[index]) }
                let length = Float(max(squares.squareRoot(), 1e-7))
                for index in 0..<columns { line[index] /= length }
            }
        }
        return result
    }

    private func stored(_ piece: Tensor, as type: GGUFTensorType, columns: Int, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        let bytes: Tensor
        switch type {
        case .float32: bytes = piece
        case .float16, .bfloat16:
            bytes = backend.empty(piece.shape, type == .float16 ? .float16 : .bfloat16)
            backend.convert(piece, into: bytes)
        default:
            guard let blocks = BlockType(number: Int(type.number)), blocks.canQuantize else {
                throw ModelError.cannotWrite(reason: "\(type.name) blocks cannot be made here.")
            }
            bytes = backend.blocks(piece, as: blocks)
        }
        try write(bytes.bytes)
        withExtendedLifetime(bytes) {}
    }
}
