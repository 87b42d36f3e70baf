import Tensors

extension Transformer {
    /// A model of shapes alone, for a dry run on a `PlanningBackend`: no weight is read and none takes memory.
    /// - Parameters:
    ///   - dtype: how the weights would be stored.
    ///   - quantizer: what would be made of the linear layers of a checkpoint that is not quantised itself.
    ///   - growth: rows that embedding and head would get.
    public static func planned(
        folder: ModelFolder, backend: PlanningBackend, dtype: DType, trainsBase: Bool, quantizer: WeightQuantizer? = nil,
        growth: VocabularyGrowth? = nil
    ) throws(ModelError) -> Transformer {
        let stored = try StoredFormats(folder: folder)
        var folder = folder
        if let growth {
            try refuseGrowth(growth, of: folder, isQuantized: stored.isQuantized || quantizer != nil)
            folder.setVocabulary(growth.rows(stored: folder.spec.vocabularySize))
        }
        return try Transformer(folder: folder, backend: backend) { weight throws(ModelError) in
            if let format = stored.format(weight) ?? (weight.isQuantizable && !stored.isQuantized ? quantizer?.format : nil) {
                return Parameter(name: weight.name, quantized: .placeholder(format, shape: weight.shape))
            }
            return Parameter(name: weight.name, value: PlanningBackend.placeholder(weight.shape, dtype), requiresGradient: trainsBase)
        }
    }
}

/// Which matrices of a folder's checkpoint are stored quantised, and how.
struct StoredFormats {
    private let checkpoint: QuantizedCheckpoint?
    private let reader: CheckpointReader?

    init(folder: ModelFolder, reader: CheckpointReader? = nil) throws(ModelError) {
        checkpoint = try QuantizedCheckpoint(folder)
        guard checkpoint != nil || folder.isGGUF, CheckpointReader.hasWeights(folder.directory) else {
            self.reader = reader
            return
        }
        if let reader {
            self.reader = reader
        } else {
            var folder = folder
            self.reader = try CheckpointReader(&folder)
        }
    }

    var isQuantized: Bool { checkpoint != nil }

    func format(_ weight: WeightDescription) -> QuantizationFormat? {
        if let blocks = reader?.tensors[weight.name]?.gguf?.blocks { return .blocks(blocks) }
        guard let checkpoint, let reader else { return nil }
        return checkpoint.format(weight, reader)
    }
}
