import Glibc

/// Cosines and sines of the rotary embedding's angles.
public struct RotaryTable: Sendable {
    /// [positions, rotaryDimension / 2], f32
    public let cosines: Tensor
    public let sines: Tensor
    /// Pairs are (2i, 2i + 1) when true, (i, i + rotaryDimension / 2) as in Hugging Face's Llama when false.
    public let isInterleaved: Bool
    /// How many elements of each head are rotated, from its first.
    public let rotaryDimension: Int

    public init(cosines: Tensor, sines: Tensor, isInterleaved: Bool, rotaryDimension: Int) {
        precondition(cosines.shape == sines.shape && cosines.columnCount * 2 == rotaryDimension, "rotary table \(cosines.shape)")
        self.cosines = cosines
        self.sines = sines
        self.isInterleaved = isInterleaved
        self.rotaryDimension = rotaryDimension
    }

    /// Angles position * frequency for each of the inverse frequencies, both factors in f32 as the reference implementation has
    /// them. `attentionFactor` multiplies cosines and sines (YaRN, LongRoPE).
    public init(
        inverseFrequencies: [Float], positionCount: Int, isInterleaved: Bool = false, attentionFactor: Float = 1
    ) {
        let half = inverseFrequencies.count
        let cosines = Tensor.zeros([positionCount, half]), sines = Tensor.zeros([positionCount, half])
        for position in 0..<positionCount {
            for (i, frequency) in inverseFrequencies.enumerated() {
                let angle = Float(position) * frequency
                cosines.floatPointer[position * half + i] = cosf(angle) * attentionFactor
                sines.floatPointer[position * half + i] = sinf(angle) * attentionFactor
            }
        }
        self.init(cosines: cosines, sines: sines, isInterleaved: isInterleaved, rotaryDimension: 2 * half)
    }

    /// A table of a shape alone, for plans.
    public init(plannedPositions: Int, rotaryDimension: Int, isInterleaved: Bool) {
        let empty = PlanningBackend.placeholder([plannedPositions, rotaryDimension / 2], .float32)
        self.init(cosines: empty, sines: empty, isInterleaved: isInterleaved, rotaryDimension: rotaryDimension)
    }

    public var positionCount: Int { cosines.rowCount }
}
