import Tensors

/// A decoder-only language model: an embedding, blocks of attention and feed-forward, a norm and a head, as its spec says.
///
/// Training and decoding go through the same code; a decoding call differs only by the caches in its `SequenceLayout`. A model is
/// used by one thread at a time.
public final class Transformer: @unchecked Sendable {
    public var spec: ArchitectureSpec { folder.spec }
    public var names: WeightNames { folder.definition.names }
    /// Where its tensors live and who computes.
    public let backend: any Backend
    /// [vocabulary, hidden]
    public let embedding: Parameter
    public let layers: [TransformerLayer]
    /// [hidden]
    public let finalNorm: Parameter
    /// Maps hidden states to logits; shares the embedding's parameter where the spec ties them.
    public let head: Linear
    /// The base weights under the checkpoint's names, each once. Adapters are not among them.
    public let parameters: [Parameter]
    /// Every linear layer but the head: what `lora_target: all` means.
    public let linears: [Linear]
    /// The configuration that it was built from, and the files beside it.
    public let folder: ModelFolder
    /// What loading noticed and put right, for the log.
    public let notes: [String]
    /// What the adapter on the linears is, as its file will say.
    public var adapterConfiguration: AdapterConfiguration?
    /// Recompute each block on the way back instead of keeping its activations.
    public var recomputesBlocks = false

    private let rotary: RotaryEmbedding

    /// Builds the model from its weights.
    /// - Parameter parameter: gives the parameter for a description: read from a file, drawn at random, or planned.
    init(
        folder: ModelFolder, backend: any Backend, notes: [String] = [],
        parameter: (WeightDescription) throws(ModelError) -> Parameter
    ) throws(ModelError) {
        let spec = folder.spec
        let names = folder.definition.names
        self.folder = folder
        self.backend = backend
        self.notes = notes
        rotary = RotaryEmbedding(spec: spec.rotary, headDimension: spec.headDimension, maximumPositions: spec.maximumPositions)

        var parameters: [Parameter] = []
        var found: [String: Parameter] = [:]
        for weight in spec.weights(names: names) {
            let made = try parameter(weight)
            found[weight.name] = made
            parameters.append(made)
        }
        func part(_ role: WeightRole, _ layer: Int = 0, _ suffix: String = ".weight") throws(ModelError) -> Parameter {
            let name = names.module(role, layer: layer) + suffix
            guard let parameter = found[name] else {
                throw .missingTensor(file: folder.fields.file, tensor: name, expected: [], also: 0)
            }
            return parameter
        }
        func linear(_ role: WeightRole, _ layer: Int) throws(ModelError) -> Linear {
            let module = names.module(role, layer: layer)
            return Linear(name: module, weight: .dense(try part(role, layer)), bias: found[module + ".bias"])
        }
        embedding = try part(.embedding)
        finalNorm = try part(.finalNorm)
        head = Linear(name: names.module(.head), weight: .dense(spec.tiesEmbeddings ? embedding : try part(.head)))
        var layers: [TransformerLayer] = []
        for index in 0..<spec.layerCount {
            layers.append(
                TransformerLayer(
                    index: index, attentionNorm: try part(.attentionNorm, index), query: try linear(.query, index),
                    key: try linear(.key, index), value: try linear(.value, index), attentionOutput: try linear(.attentionOutput, index),
                    feedForwardNorm: try part(.feedForwardNorm, index), gate: try linear(.gate, index), up: try linear(.up, index),
                    down: try linear(.down, index), attentionShape: spec.attentionShape(layer: index)))
        }
        self.layers = layers
        self.parameters = parameters
        linears = layers.flatMap(\.linears)
    }

    /// Where the model was loaded from; empty for one made from a configuration alone.
    public var directory: String { folder.directory }

    /// Base weights and adapters whose `requiresGradient` is set.
    public var trainableParameters: [Parameter] { (parameters + adapterParameters).filter(\.requiresGradient) }

    /// A and B of every adapter, layer by layer.
    public var adapterParameters: [Parameter] { linears.compactMap(\.adapter).flatMap { [$0.a, $0.b] } }

    /// A table that reaches position `length - 1`.
    func rotaryTable(length: Int) -> RotaryTable { rotary.table(length: length) }

    public func makeCache(capacity: Int, dtype: DType = .float32) -> KeyValueCache {
        KeyValueCache(
            layerCount: spec.layerCount, keyValueHeadCount: spec.keyValueHeadCount, headDimension: spec.headDimension, capacity: capacity,
            dtype: dtype)
    }
}

/// The weights of one block.
public struct TransformerLayer: Sendable {
    public let index: Int
    public let attentionNorm: Parameter
    public let query: Linear
    public let key: Linear
    public let value: Linear
    public let attentionOutput: Linear
    public let feedForwardNorm: Parameter
    public let gate: Linear
    public let up: Linear
    public let down: Linear
    let attentionShape: AttentionShape

    public var linears: [Linear] { [query, key, value, attentionOutput, gate, up, down] }
}
