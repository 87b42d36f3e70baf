import Glibc
import Platform
import Tensors

extension Transformer {
    /// A model for measurements of speed and memory: matrices repeat a stretch of a million random numbers, norms are one, biases
    /// zero. Eight billion weights are there in seconds; what the model says means nothing.
    /// - Parameter quantizer: quantises the layers that a quantised base would have.
    public static func patterned(
        folder: ModelFolder, backend: any Backend, dtype: DType, quantizer: WeightQuantizer? = nil, trainsBase: Bool = true
    ) throws(ModelError) -> Transformer {
        var random = RandomGenerator(seed: 1)
        let deviation = folder.spec.initializerRange, offset = folder.spec.norm.weightOffset
        // An odd length, so that rows of no width repeat each other.
        let stretch = Tensor.zeros([1_048_573], dtype)
        stretch.write((0..<stretch.count).map { _ in Float(random.normal() * deviation) })
        var place = 0
        return try Transformer(folder: folder, backend: backend) { weight throws(ModelError) in
            let value = Tensor.zeros(weight.shape, dtype)
            switch weight.kind {
            case .embedding, .matrix:
                let to = value.address, from = stretch.readableAddress
                var done = 0
                while done < value.byteCount {
                    let count = min(value.byteCount - done, stretch.byteCount - place)
                    memcpy(to + done, from + place, count)
                    done += count
                    place = (place + count) % stretch.byteCount
                }
            case .norm: value.write([Float](repeating: 1 - offset, count: weight.count))
            case .bias: break
            }
            if let quantizer, weight.isQuantizable {
                return Parameter(name: weight.name, quantized: quantizer.quantize(value, backend: backend))
            }
            return Parameter(name: weight.name, value: value, requiresGradient: trainsBase)
        }
    }
}
