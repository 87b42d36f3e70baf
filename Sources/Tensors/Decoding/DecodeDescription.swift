/// A model as decoding sees it: what `DecodeProgram` is built from.
public struct DecodeDescription {
    public struct Norm {
        public enum Kind: Sendable { case rootMeanSquare, layer }

        public let kind: Kind
        public let weight: Parameter
        public let bias: Parameter?
        public let epsilon: Float
        public let weightOffset: Float

        public init(kind: Kind, weight: Parameter, bias: Parameter?, epsilon: Float, weightOffset: Float) {
            self.kind = kind
            self.weight = weight
            self.bias = bias
            self.epsilon = epsilon
            self.weightOffset = weightOffset
        }
    }

    public enum FeedForward {
        case gated(gate: Linear, up: Linear, down: Linear)
        /// Gate and up in one matrix, gate first.
        case fusedGated(gateUp: Linear, down: Linear)
        case plain(up: Linear, down: Linear)
    }

    public struct Block {
        public let attentionNorm: Norm
        /// Query, key and value, or one layer for all three.
        public let projections: [Linear]
        /// Columns of the projections' results, side by side, that are queries, keys and values.
        public let parts: [[Range<Int>]]
        /// Over each head, before the rotation.
        public let queryNorm: Norm?
        public let keyNorm: Norm?
        public let shape: AttentionShape
        /// Which rotary table: that of sliding layers or the other.
        public let isSliding: Bool
        public let output: Linear
        public let outputNorm: Norm?
        public let feedForwardNorm: Norm
        public let feedForward: FeedForward
        public let activation: GatedActivation
        public let feedForwardOutputNorm: Norm?

        public init(
            attentionNorm: Norm, projections: [Linear], parts: [[Range<Int>]], queryNorm: Norm?, keyNorm: Norm?, shape: AttentionShape,
            isSliding: Bool, output: Linear, outputNorm: Norm?, feedForwardNorm: Norm, feedForward: FeedForward,
            activation: GatedActivation, feedForwardOutputNorm: Norm?
        ) {
            self.attentionNorm = attentionNorm
            self.projections = projections
            self.parts = parts
            self.queryNorm = queryNorm
            self.keyNorm = keyNorm
            self.shape = shape
            self.isSliding = isSliding
            self.output = output
            self.outputNorm = outputNorm
            self.feedForwardNorm = feedForwardNorm
            self.feedForward = feedForward
            self.activation = activation
            self.feedForwardOutputNorm = feedForwardOutputNorm
        }

        var linears: [Linear] {
            switch feedForward {
            case .gated(let gate, let up, let down): projections + [output, gate, up, down]
            case .fusedGated(let gateUp, let down): projections + [output, gateUp, down]
            case .plain(let up, let down): projections + [output, up, down]
            }
        }
    }

    public let embedding: Parameter
    public let embeddingScale: Float
    /// Learned positions, added to the embedding.
    public let positionEmbedding: Parameter?
    public let embeddingNorm: Norm?
    public let blocks: [Block]
    public let finalNorm: Norm
    public let head: Linear

    public init(
        embedding: Parameter, embeddingScale: Float, positionEmbedding: Parameter?, embeddingNorm: Norm?, blocks: [Block], finalNorm: Norm,
        head: Linear
    ) {
        self.embedding = embedding
        self.embeddingScale = embeddingScale
        self.positionEmbedding = positionEmbedding
        self.embeddingNorm = embeddingNorm
        self.blocks = blocks
        self.finalNorm = finalNorm
        self.head = head
    }

    /// Whether the program can do all of it: adapters must be plain sums, and logits at most capped.
    var isSupported: Bool {
        guard (blocks.flatMap(\.linears) + [head]).allSatisfy(\.isPlain) else { return false }
        guard blocks.allSatisfy({ ($0.queryNorm?.weight.count ?? $0.shape.headDimension) == $0.shape.headDimension
                && ($0.keyNorm?.weight.count ?? $0.shape.headDimension) == $0.shape.headDimension })
        else { return false }
        switch head.outputTransform {
        case nil, .softCap?: return true
        case .unitRows?: return false
        }
    }
}
