/// AdamW whose moments take one byte each (Dettmers et al., 8-bit Optimizers via Block-wise Quantization, arXiv 2110.02861): blocks of
/// 256 values share a scale, and a code stands for one of 256 values that lie denser towards zero. As bitsandbytes computes it.

import Tensors

final class EightBitAdamW: GroupedRule {
    /// Smaller parameters keep f32 moments, as in bitsandbytes.
    static let smallestCount = 4096

    private let settings: AdamWSettings
    private let backend: any Backend
    private let first, second: EightBitMoment

    init(count: Int, settings: AdamWSettings, tables: EightBitTables, memory: StateMemory) {
        self.settings = settings
        backend = memory.backend
        let blocks = (count + EightBitMoment.blockLength - 1) / EightBitMoment.blockLength
        func moment(_ table: EightBitTables.Table) -> EightBitMoment {
            let codes = memory.zeros([count], .uint8)
            if !memory.backend.isPlanning {
                codes.address.initializeMemory(as: UInt8.self, repeating: table.zeroCode, count: count)
            }
            return EightBitMoment(codes: codes, scales: memory.zeros([blocks]), table: table.values, midpoints: table.midpoints)
        }
        first = moment(tables.signed)
        second = moment(tables.unsigned)
    }

    var state: [OptimizerState] {
        [
            OptimizerState(name: "state1", tensor: first.codes), OptimizerState(name: "absmax1", tensor: first.scales),
            OptimizerState(name: "state2", tensor: second.codes), OptimizerState(name: "absmax2", tensor: second.scales),
        ]
    }

    func member(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) -> AdamWMember {
        AdamWMember(
            parameter: parameter.value, gradient: gradient, moments: .eightBit(first: first, second: second), step: settings.kernelStep(step))
    }

    func update(_ parameter: Parameter, gradient: Tensor, step: UpdateStep) {
        backend.adamDirection8Bit(gradient: gradient, first: first, second: second, step: settings.kernelStep(step), into: gradient)
        backend.descend(
            parameter.value, along: gradient, rate: step.learningRate / settings.corrections(step.number).first,
            decay: 1 - step.learningRate * step.weightDecay)
    }
}

/// The two tables of 256 values that the codes of all parameters point into.
final class EightBitTables {
    struct Table {
        /// f32 [256], rising.
        let values: Tensor
        /// f32 [255]
        let midpoints: Tensor
        let zeroCode: UInt8

        init(isSigned: Bool) {
            let values = EightBitTables.dynamicValues(isSigned: isSigned)
            self.values = Tensor(values, shape: [256])
            midpoints = Tensor(zip(values, values.dropFirst()).map { ($0 + $1) / 2 }, shape: [255])
            zeroCode = UInt8(values.firstIndex(of: 0) ?? 0)
        }
    }

    let signed = Table(isSigned: true)
    let unsigned = Table(isSigned: false)

    /// The dynamic tree data type: seven decades, each cut into twice as many parts as the one below it; a value stands for the
    /// middle of its part. Zero and one are values of their own.
    private static func dynamicValues(isSigned: Bool) -> [Float] {
        var values: [Float] = [0, 1]
        for exponent in 0..<7 {
            let parts = isSigned ? 1 << exponent : 2 << exponent
            var scale = 1.0
            for _ in exponent..<6 { scale /= 10 }
            let edges = (0...parts).map { Float(0.1 + 0.9 * Double($0) / Double(parts)) }
            for (low, high) in zip(edges, edges.dropFirst()) {
                let value = Float(scale * Double((low + high) / 2))
                values.append(value)
                if isSigned { values.append(-value) }
            }
        }
        return values.sorted()
    }
}
