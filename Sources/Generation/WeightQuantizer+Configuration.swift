import Configuration
import Tensors

extension WeightQuantizer {
    /// What `quantization_bit`, `quantization_type` and `double_quantization` ask for; nil without `quantization_bit`.
    public init?(_ configuration: Configuration) {
        switch configuration[.quantizationBit] {
        case 4:
            let table = QuantizationFormat.TableKind(rawValue: configuration[.quantizationType]) ?? .nf4
            self.init(.table(table, doubleQuantized: configuration[.doubleQuantization]))
        case 8: self.init(.int8)
        case _: return nil
        }
    }
}
