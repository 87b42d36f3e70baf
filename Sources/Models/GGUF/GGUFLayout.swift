import Formats
import Tensors

/// The tensors of a GGUF file of a model: what llama.cpp calls each, and of which rows of which parameters it is made.
public struct GGUFLayout: Sendable {
    public struct Tensor: Sendable {
        public let name: String
        /// Outermost first.
        public let shape: [Int]
        let role: WeightRole
        let layer: Int
        let kind: WeightDescription.Kind
        /// Names of the parameters, one after the other: the experts of a layer, else one.
        let sources: [String]
        /// Rows (of a vector: elements) of the parameter in the order of the file; nil for all as they are.
        var rows: RowOrder?
        /// Added to every number.
        var offset: Float = 0
        /// Then the first rows are multiplied by this.
        var factor: Float = 1
        var factorRows = 0
        /// Rows are brought to length one.
        var hasUnitRows = false

        /// Whether llama.cpp would give it the file's type; others stay F32.
        var canQuantize: Bool {
            (kind == .matrix || kind == .embedding) && shape.count > 1 && role != .router && role != .sharedRouter && role != .positionEmbedding
        }
    }

    public let architecture: GGUFArchitecture
    public let fileType: GGUFFileType
    public let spec: ArchitectureSpec
    public private(set) var tensors: [Tensor] = []
    /// Tensors whose numbers come from the configuration.
    let tables: [(name: String, values: [Float])]
    /// What llama.cpp will do otherwise than this program, for the log.
    public let notices: [String]
    private let mix: GGUFTypeMix

    /// - Parameter separatesHead: an adapter gives a tied model a head of its own.
    /// - Throws: with the reason why llama.cpp cannot run such a model.
    public init(folder: ModelFolder, fileType: GGUFFileType, separatesHead: Bool = false) throws(ModelError) {
        let spec = folder.spec, file = folder.fields.file
        guard let architecture = GGUFArchitecture.writing(spec.modelType) else {
            throw .unsupported(
                file: file, what: "\(spec.modelType) as GGUF", whatToDo: "llama.cpp has no such architecture; export safetensors.")
        }
        if let obstacle = architecture.obstacle(spec, separatesHead: separatesHead) {
            throw .unsupported(file: file, what: obstacle, whatToDo: "llama.cpp builds \(architecture.name) without it; export safetensors.")
        }
        self.architecture = architecture
        self.fileType = fileType
        self.spec = spec
        let hasHead = !spec.tiesEmbeddings || separatesHead || architecture.needsHead
        mix = GGUFTypeMix(fileType: fileType, architecture: architecture, spec: spec, isTied: !hasHead)
        tables = spec.rotaryTensors(architecture)
        notices = architecture.notices(spec)
        let names = folder.definition.names
        var builder = Builder(architecture: architecture, spec: spec)
        for weight in spec.weights(names: names) { builder.add(weight) }
        if spec.tiesEmbeddings, hasHead {
            // Stored under the head's name when it differs from the embedding, else the embedding a second time.
            let head = spec.headWeight(names: names)
            builder.addHead(source: separatesHead ? head.name : names.module(.embedding) + ".weight", shape: head.shape)
        }
        tensors = builder.tensors
    }

    /// The tensors that a file of this model has, whatever their types are.
    init(reading folder: ModelFolder) throws(ModelError) {
        guard let architecture = GGUFArchitecture.writing(folder.spec.modelType) else {
            throw .unknownArchitecture(file: folder.fields.file, found: folder.spec.modelType, known: GGUFArchitecture.all.map(\.name))
        }
        self.architecture = architecture
        fileType = .f32
        spec = folder.spec
        mix = GGUFTypeMix(fileType: .f32, architecture: architecture, spec: folder.spec, isTied: folder.spec.tiesEmbeddings)
        tables = []
        notices = []
        var builder = Builder(architecture: architecture, spec: folder.spec)
        for weight in folder.spec.weights(names: folder.definition.names) { builder.add(weight) }
        tensors = builder.tensors
    }

    public func type(_ tensor: Tensor) -> GGUFTensorType { mix.type(tensor) }

    /// What the header will announce.
    var declarations: [GGUFDeclaration] {
        tables.map { GGUFDeclaration(name: $0.name, type: .float32, shape: [$0.values.count]) }
            + tensors.map { GGUFDeclaration(name: $0.name, type: type($0), shape: $0.shape) }
    }

    /// Bytes of all tensors.
    public var byteCount: Int64 { declarations.reduce(0) { $0 + Int64($1.type.byteCount($1.shape) ?? 0) } }

    /// Names of the matrices that could not have the file's own kind of blocks, and what they are instead.
    public var exceptions: [(name: String, type: GGUFTensorType)] {
        tensors.compactMap { tensor in
            let found = type(tensor)
            let isWhole = (tensor.shape.last ?? 1) % fileType.base.blockElements == 0
            return tensor.canQuantize && fileType.isQuantized && !isWhole ? (tensor.name, found) : nil
        }
    }
}

/// Turns descriptions of weights into tensors of the file.
private struct Builder {
    let architecture: GGUFArchitecture
    let spec: ArchitectureSpec
    var tensors: [GGUFLayout.Tensor] = []
    private var places: [String: Int] = [:]
    /// Rows of queries, keys and values where they are one matrix: the same in every layer.
    private let fused: [RowOrder]

    init(architecture: GGUFArchitecture, spec: ArchitectureSpec) {
        self.architecture = architecture
        self.spec = spec
        fused = (spec.attention.projection == .grouped ? spec.groupedParts : spec.stackedParts).map { RowOrder($0) }
    }

    mutating func add(_ weight: WeightDescription) {
        switch weight.role {
        case .query: add(weight, rows: reordered(RowOrder([0..<spec.queryWidth])), factorRows: spec.queryWidth)
        case .key: add(weight, rows: reordered(RowOrder([0..<spec.keyValueWidth])))
        case .queryKeyValue: addProjection(weight)
        case .queryNorm: add(weight, offset: spec.norm.weightOffset, factorRows: weight.count, scalesNorm: true)
        case .expertGate, .expertUp, .expertDown: addExpert(weight)
        case .sharedRouter: add(weight, shape: [spec.hiddenSize])
        case .head: addHead(source: weight.name, shape: weight.shape)
        case .embedding, .positionEmbedding, .embeddingNorm, .attentionNorm, .value, .keyNorm, .attentionOutput, .attentionOutputNorm,
            .feedForwardNorm, .gate, .up, .down, .gateUp, .router, .sharedGate, .sharedUp, .sharedDown, .feedForwardOutputNorm, .finalNorm:
            add(weight, offset: weight.kind == .norm ? spec.norm.weightOffset : 0)
        }
    }

    mutating func addHead(source: String, shape: [Int]) {
        var tensor = GGUFLayout.Tensor(
            name: GGUFNames.stem(.head) + ".weight", shape: shape, role: .head, layer: 0, kind: .matrix, sources: [source])
        tensor.hasUnitRows = spec.logits == .unitRows
        tensors.append(tensor)
    }

    private mutating func add(
        _ weight: WeightDescription, as role: WeightRole? = nil, shape: [Int]? = nil, rows: RowOrder? = nil, offset: Float = 0, factorRows: Int = 0,
        scalesNorm: Bool = false
    ) {
        let role = role ?? weight.role
        var shape = shape ?? weight.shape
        if let rows { shape[0] = rows.count }
        var tensor = GGUFLayout.Tensor(
            name: GGUFNames.stem(role, layer: weight.layer) + (weight.kind == .bias ? ".bias" : ".weight"), shape: shape, role: role,
            layer: weight.layer, kind: weight.kind, sources: [weight.name])
        tensor.rows = rows
        tensor.offset = offset
        // Norms over the heads take the factor, because they come after the product.
        if factorRows > 0, scalesNorm == spec.attention.normalisesHeads {
            let factor = (spec.attention.scale ?? 1 / Float(spec.headDimension).squareRoot()) / architecture.scoreScale(spec)
            if abs(factor - 1) > 1e-6 {
                tensor.factor = factor
                tensor.factorRows = factorRows
            }
        }
        tensors.append(tensor)
    }

    private mutating func addProjection(_ weight: WeightDescription) {
        if architecture.separatesProjections {
            add(weight, as: .query, rows: reordered(fused[0]) ?? fused[0], factorRows: spec.queryWidth)
            add(weight, as: .key, rows: reordered(fused[1]) ?? fused[1])
            add(weight, as: .value, rows: fused[2])
        } else {
            let isInOrder = spec.attention.projection == .stacked
            add(weight, rows: isInOrder ? nil : fused[0] + fused[1] + fused[2], factorRows: spec.queryWidth)
        }
    }

    private mutating func addExpert(_ weight: WeightDescription) {
        let name = GGUFNames.stem(weight.role, layer: weight.layer) + ".weight"
        let earlier = places[name].map { tensors[$0].sources } ?? []
        let tensor = GGUFLayout.Tensor(
            name: name, shape: [earlier.count + 1] + weight.shape, role: weight.role, layer: weight.layer, kind: .matrix,
            sources: earlier + [weight.name])
        if let place = places[name] {
            tensors[place] = tensor
        } else {
            places[name] = tensors.count
            tensors.append(tensor)
        }
    }

    /// Rows of query or key in the order that llama.cpp rotates; nil where nothing changes.
    private func reordered(_ rows: RowOrder) -> RowOrder? {
        guard architecture.permutesHeads, !spec.rotary.isInterleaved, spec.positions == .rotary else { return nil }
        return rows.interleaved(headDimension: spec.headDimension, rotated: spec.rotatedDimensions)
    }
}

extension ArchitectureSpec {
    /// Dimensions of a head that are rotated.
    var rotatedDimensions: Int { rotary.rotatedDimensions(of: headDimension) }

    /// Factors of frequencies, which llama.cpp reads as tensors.
    func rotaryTensors(_ architecture: GGUFArchitecture) -> [(name: String, values: [Float])] {
        switch rotary.scaling {
        case .llama3:
            let plain = RotaryEmbedding.frequencies(
                RotarySpec(theta: rotary.theta), dimension: rotatedDimensions, length: 1)
            let scaled = RotaryEmbedding.frequencies(rotary, dimension: rotatedDimensions, length: 1)
            return [("rope_freqs.weight", zip(plain, scaled).map { $0 / $1 })]
        case .longrope(let short, let long, _, _):
            // One list for all lengths, as files of Llama 3.1's kind are read.
            if rotary.hasOneList, architecture.name != "phi3" { return [("rope_freqs.weight", short.map { Float($0) })] }
            return [("rope_factors_long.weight", long.map { Float($0) }), ("rope_factors_short.weight", short.map { Float($0) })]
        case .none, .linear, .dynamic, .yarn: return []
        }
    }
}

extension RotarySpec {
    /// LongRoPE whose factors do not depend on the length, and no temperature: plain factors of frequencies.
    var hasOneList: Bool {
        if case .longrope(let short, let long, let attentionFactor, _) = scaling { return short == long && attentionFactor == 1 }
        return false
    }
}
