import Tensors

extension Transformer {
    /// A model whose weights are noise in the given formats, made as fast as memory is written: for measuring how fast they are
    /// read. What it says has no meaning.
    /// - Parameter format: of each matrix; nil leaves it in bf16. Norms are one, biases zero.
    public static func random(
        folder: ModelFolder, backend: any Backend, format: (WeightDescription) -> BlockType?
    ) throws(ModelError) -> Transformer {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return try Transformer(folder: folder, backend: backend) { weight throws(ModelError) in
            switch weight.kind {
            case .norm:
                return Parameter(
                    name: weight.name, value: Tensor([Float](repeating: 1 - folder.spec.norm.weightOffset, count: weight.count), shape: weight.shape))
            case .bias: return Parameter(name: weight.name, value: Tensor.zeros(weight.shape))
            case .embedding, .matrix:
                if let type = format(weight) {
                    return Parameter(name: weight.name, quantized: .randomBlocks(type, shape: weight.shape, state: &state))
                }
                return Parameter(name: weight.name, value: .randomHalves(weight.shape, state: &state))
            }
        }
    }
}
