/// Noise in the formats of weights, for measurements.
extension Tensor {
    /// bf16 numbers of either sign between 1/128 and 1/32.
    public static func randomHalves(_ shape: [Int], state: inout UInt64) -> Tensor {
        let tensor = Tensor.zeros(shape, .bfloat16)
        let words = UnsafeMutableRawPointer(tensor.address).assumingMemoryBound(to: UInt64.self)
        for index in 0..<tensor.byteCount / 8 { words[index] = scrambled(&state) & 0x80FF_80FF_80FF_80FF | 0x3C00_3C00_3C00_3C00 }
        return tensor
    }
}

extension QuantizedMatrix {
    /// Random codes with small factors.
    public static func randomBlocks(_ type: BlockType, shape: [Int], state: inout UInt64) -> QuantizedMatrix {
        let codes = Tensor.zeros([type.byteCount(shape)], .uint8)
        let bytes = UnsafeMutableRawPointer(codes.address).assumingMemoryBound(to: UInt8.self)
        let words = UnsafeMutableRawPointer(codes.address).assumingMemoryBound(to: UInt64.self)
        for index in 0..<codes.byteCount / 8 { words[index] = scrambled(&state) }
        // f16 2^-12 for each of a block's factors.
        for block in 0..<codes.byteCount / type.blockBytes {
            for place in type.factorOffsets {
                bytes[block * type.blockBytes + place] = 0
                bytes[block * type.blockBytes + place + 1] = 0x0C
            }
        }
        return .blocks(type, shape: shape, codes: codes)
    }
}

extension BlockType {
    /// Where a block's f16 factors lie.
    fileprivate var factorOffsets: [Int] {
        switch self {
        case .q4_1, .q5_1, .q4_k, .q5_k: [0, 2]
        case .q2_k: [80, 82]
        case .q3_k: [108]
        case .q6_k: [208]
        default: [0]
        }
    }
}

/// SplitMix64.
private func scrambled(_ state: inout UInt64) -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
