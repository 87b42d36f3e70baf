import Configuration
import Tensors

extension WeightQuantizer {
    /// What `quantization_bit`, `quantization_type` and `double_quantization` ask for; nil without `quantization_bit`.
    public init?(_ configuration: Configuration) { self.init(configuration, bits: configuration[.quantizationBit]) }

    /// The same with other bits: those of a reference or reward model, whose 4-bit numbers are of the same kind.
    public init?(_ configuration: Configuration, bits: Int?) {
        switch bits {
        case 4:
            let table = QuantizationFormat.TableKind(rawValue: configuration[.quantizationType]) ?? .nf4
            self.init(.table(table, doubleQuantized: configuration[.doubleQuantization]))
        case 8: self.init(.int8)
        case _: return nil
        }
    }
}
