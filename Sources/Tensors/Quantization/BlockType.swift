import CKernels

/// A GGUF block type: how many numbers share a block and what it takes. One row of a table for each.
public struct BlockType: Sendable, Equatable {
    /// Its number in files and kernels.
    public let number: Int
    /// "Q4_K"
    public let name: String
    public let elementCount: Int
    public let blockBytes: Int

    public static let q4_0 = BlockType(2, "Q4_0"), q4_1 = BlockType(3, "Q4_1"), q5_0 = BlockType(6, "Q5_0"), q5_1 = BlockType(7, "Q5_1")
    public static let q8_0 = BlockType(8, "Q8_0")
    public static let q2_k = BlockType(10, "Q2_K"), q3_k = BlockType(11, "Q3_K"), q4_k = BlockType(12, "Q4_K"), q5_k = BlockType(13, "Q5_K")
    public static let q6_k = BlockType(14, "Q6_K")

    public static let all: [BlockType] = [q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k]

    /// - Returns: nil for a number that is none of these types.
    public init?(number: Int) {
        guard let found = Self.all.first(where: { $0.number == number }) else { return nil }
        self = found
    }

    private init(_ number: Int, _ name: String) {
        var elements = 0, bytes = 0
        precondition(tb_block_layout(Int32(number), &elements, &bytes) != 0, "block type \(name)")
        self.number = number
        self.name = name
        elementCount = elements
        blockBytes = bytes
    }

    /// Bytes of a tensor whose last axis is a whole number of blocks.
    public func byteCount(_ shape: [Int]) -> Int { shape.reduce(1, *) / elementCount * blockBytes }
}
