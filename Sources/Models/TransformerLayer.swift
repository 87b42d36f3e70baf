import Tensors

/// The weight of a norm, and its bias where the family has one.
public struct Norm: Sendable {
    public let weight: Parameter
    public let bias: Parameter?
}

/// Angles for layers that see everything and for those with a window.
struct RotaryTables {
    let full: RotaryTable
    let sliding: RotaryTable
}

/// The weights of one block.
public struct TransformerLayer: Sendable {
    /// How the block makes queries, keys and values.
    public enum Projection: Sendable {
        case separate(query: Linear, key: Linear, value: Linear)
        /// One matrix, and the columns of its output that are queries, keys and values.
        case fused(Linear, parts: [[Range<Int>]])

        var linears: [Linear] {
            switch self {
            case .separate(let query, let key, let value): [query, key, value]
            case .fused(let linear, _): [linear]
            }
        }
    }

    /// The feed-forward part.
    public enum FeedForward: Sendable {
        case gated(gate: Linear, up: Linear, down: Linear)
        /// Gate and up in one matrix, gate first.
        case fusedGated(gateUp: Linear, down: Linear)
        case plain(up: Linear, down: Linear)
        case mixture(Mixture)

        var linears: [Linear] {
            switch self {
            case .gated(let gate, let up, let down): [gate, up, down]
            case .fusedGated(let gateUp, let down): [gateUp, down]
            case .plain(let up, let down): [up, down]
            case .mixture(let mixture): mixture.linears
            }
        }
    }

    /// A mixture of experts.
    public struct Mixture: Sendable {
        public struct Expert: Sendable {
            public let gate, up, down: Linear
            var linears: [Linear] { [gate, up, down] }
        }

        public let router: Linear
        public let experts: [Expert]
        /// For all tokens, and the gate in front of it.
        public let shared: (expert: Expert, gate: Linear)?

        var sharedLinears: [Linear] { shared.map { $0.expert.linears + [$0.gate] } ?? [] }
        var linears: [Linear] { [router] + experts.flatMap(\.linears) + sharedLinears }
    }

    public let index: Int
    public let attentionNorm: Norm
    public let projection: Projection
    /// Over each head, before the rotation.
    public let queryNorm: Parameter?
    public let keyNorm: Parameter?
    public let attentionOutput: Linear
    public let attentionOutputNorm: Norm?
    public let feedForwardNorm: Norm
    public let feedForward: FeedForward
    public let feedForwardOutputNorm: Norm?
    let attentionShape: AttentionShape
    /// Whether the layer has a window, and with it perhaps a rotation of its own.
    let isSliding: Bool

    public var linears: [Linear] { projection.linears + [attentionOutput] + feedForward.linears }

    /// What `lora_target: all` means: the linear layers as transformers 5 has them, where routers and experts are none.
    public var usualTargets: [Linear] {
        guard case .mixture(let mixture) = feedForward else { return linears }
        return projection.linears + [attentionOutput] + mixture.sharedLinears
    }

    init(_ spec: ArchitectureSpec, _ index: Int, _ parts: WeightParts) throws(ModelError) {
        self.index = index
        attentionNorm = try parts.norm(.attentionNorm, index)
        switch spec.attention.projection {
        case .separate:
            projection = .separate(
                query: try parts.linear(.query, index), key: try parts.linear(.key, index), value: try parts.linear(.value, index))
        case .stacked: projection = .fused(try parts.linear(.queryKeyValue, index), parts: spec.stackedParts)
        case .grouped: projection = .fused(try parts.linear(.queryKeyValue, index), parts: spec.groupedParts)
        }
        queryNorm = spec.attention.normalisesHeads ? try parts.parameter(.queryNorm, index) : nil
        keyNorm = spec.attention.normalisesHeads ? try parts.parameter(.keyNorm, index) : nil
        attentionOutput = try parts.linear(.attentionOutput, index)
        attentionOutputNorm = spec.hasOutputNorms ? try parts.norm(.attentionOutputNorm, index) : nil
        feedForwardNorm = try parts.norm(.feedForwardNorm, index)
        feedForward = try parts.feedForward(spec, index)
        feedForwardOutputNorm = spec.hasOutputNorms ? try parts.norm(.feedForwardOutputNorm, index) : nil
        attentionShape = spec.attentionShape(layer: index)
        isSliding = spec.attention.slidingLayers.contains(index)
    }
}

extension ArchitectureSpec {
    /// Columns of queries, keys and values, one group after the other.
    var stackedParts: [[Range<Int>]] {
        let keys = queryWidth..<queryWidth + keyValueWidth
        return [[0..<queryWidth], [keys], [keys.upperBound..<keys.upperBound + keyValueWidth]]
    }

    /// Columns of queries, keys and values, where each key head's queries, key and value lie together.
    var groupedParts: [[Range<Int>]] {
        let queries = queryWidth / keyValueHeadCount, width = queries + 2 * headDimension
        let starts = (0..<keyValueHeadCount).map { $0 * width }
        return [
            starts.map { $0..<$0 + queries }, starts.map { $0 + queries..<$0 + queries + headDimension },
            starts.map { $0 + queries + headDimension..<$0 + width },
        ]
    }
}

/// Finds a model's parameters by their roles.
struct WeightParts {
    let found: [String: Parameter]
    let names: WeightNames
    let file: String

    func parameter(_ role: WeightRole, _ layer: Int = 0, expert: Int = 0) throws(ModelError) -> Parameter {
        let name = names.module(role, layer: layer, expert: expert) + ".weight"
        guard let parameter = found[name] else { throw .missingTensor(file: file, tensor: name, expected: [], also: 0) }
        return parameter
    }

    func norm(_ role: WeightRole, _ layer: Int = 0) throws(ModelError) -> Norm {
        Norm(weight: try parameter(role, layer), bias: found[names.module(role, layer: layer) + ".bias"])
    }

    func linear(_ role: WeightRole, _ layer: Int, expert: Int = 0) throws(ModelError) -> Linear {
        let module = names.module(role, layer: layer, expert: expert)
        return Linear(name: module, weight: WeightStore(try parameter(role, layer, expert: expert)), bias: found[module + ".bias"])
    }

    func feedForward(_ spec: ArchitectureSpec, _ layer: Int) throws(ModelError) -> TransformerLayer.FeedForward {
        if let mixture = spec.mixture, mixture.layers.contains(layer) { return .mixture(try self.mixture(mixture, layer)) }
        let down = try linear(.down, layer)
        switch spec.feedForward.layout {
        case .gated: return .gated(gate: try linear(.gate, layer), up: try linear(.up, layer), down: down)
        case .fusedGated: return .fusedGated(gateUp: try linear(.gateUp, layer), down: down)
        case .plain: return .plain(up: try linear(.up, layer), down: down)
        }
    }

    private func mixture(_ spec: MixtureSpec, _ layer: Int) throws(ModelError) -> TransformerLayer.Mixture {
        var experts: [TransformerLayer.Mixture.Expert] = []
        for number in 0..<spec.expertCount {
            experts.append(
                .init(
                    gate: try linear(.expertGate, layer, expert: number), up: try linear(.expertUp, layer, expert: number),
                    down: try linear(.expertDown, layer, expert: number)))
        }
        var shared: (expert: TransformerLayer.Mixture.Expert, gate: Linear)?
        if spec.sharedIntermediateSize != nil {
            shared = (
                .init(gate: try linear(.sharedGate, layer), up: try linear(.sharedUp, layer), down: try linear(.sharedDown, layer)),
                try linear(.sharedRouter, layer)
            )
        }
        return .init(router: try linear(.router, layer), experts: experts, shared: shared)
    }
}
