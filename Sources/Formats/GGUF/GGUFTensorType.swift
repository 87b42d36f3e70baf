/// How a tensor of a GGUF file is stored.
///
/// Numbers are kept in blocks along the innermost axis; plain types have blocks of one. Numbers and sizes are those of ggml's
/// `ggml_type` (gguf-py's `GGML_QUANT_SIZES`).
public struct GGUFTensorType: Sendable, Hashable {
    /// Its number in files.
    public let number: UInt32
    /// "Q4_K"
    public let name: String
    public let blockElements: Int
    public let blockBytes: Int

    public static let float32 = GGUFTensorType(0, "F32", 1, 4), float16 = GGUFTensorType(1, "F16", 1, 2)
    public static let bfloat16 = GGUFTensorType(30, "BF16", 1, 2)
    public static let q4_0 = GGUFTensorType(2, "Q4_0", 32, 18), q4_1 = GGUFTensorType(3, "Q4_1", 32, 20)
    public static let q5_0 = GGUFTensorType(6, "Q5_0", 32, 22), q5_1 = GGUFTensorType(7, "Q5_1", 32, 24)
    public static let q8_0 = GGUFTensorType(8, "Q8_0", 32, 34)
    public static let q4_k = GGUFTensorType(12, "Q4_K", 256, 144), q5_k = GGUFTensorType(13, "Q5_K", 256, 176)
    public static let q6_k = GGUFTensorType(14, "Q6_K", 256, 210)

    /// Every type that a file may hold, so that its size can be checked, whether it can be computed with or not.
    public static let all: [GGUFTensorType] = [
        .float32, .float16, .bfloat16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4_k, .q5_k, .q6_k,
        GGUFTensorType(9, "Q8_1", 32, 40), GGUFTensorType(10, "Q2_K", 256, 84), GGUFTensorType(11, "Q3_K", 256, 110),
        GGUFTensorType(15, "Q8_K", 256, 292), GGUFTensorType(16, "IQ2_XXS", 256, 66), GGUFTensorType(17, "IQ2_XS", 256, 74),
        GGUFTensorType(18, "IQ3_XXS", 256, 98), GGUFTensorType(19, "IQ1_S", 256, 50), GGUFTensorType(20, "IQ4_NL", 32, 18),
        GGUFTensorType(21, "IQ3_S", 256, 110), GGUFTensorType(22, "IQ2_S", 256, 82), GGUFTensorType(23, "IQ4_XS", 256, 136),
        GGUFTensorType(24, "I8", 1, 1), GGUFTensorType(25, "I16", 1, 2), GGUFTensorType(26, "I32", 1, 4), GGUFTensorType(27, "I64", 1, 8),
        GGUFTensorType(28, "F64", 1, 8), GGUFTensorType(29, "IQ1_M", 256, 56), GGUFTensorType(34, "TQ1_0", 256, 54),
        GGUFTensorType(35, "TQ2_0", 256, 66), GGUFTensorType(39, "MXFP4", 32, 17), GGUFTensorType(40, "NVFP4", 64, 36),
        GGUFTensorType(41, "Q1_0", 128, 18),
    ]

    private static let byNumber = Dictionary(all.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })

    /// - Returns: nil for a number that is not in use.
    public init?(number: UInt32) {
        guard let found = Self.byNumber[number] else { return nil }
        self = found
    }

    private init(_ number: UInt32, _ name: String, _ elements: Int, _ bytes: Int) {
        self.number = number
        self.name = name
        blockElements = elements
        blockBytes = bytes
    }

    /// Whether numbers share blocks.
    public var isQuantized: Bool { blockElements > 1 }

    /// Bytes of a tensor, outermost axis first; nil when a row is no whole number of blocks or the size is beyond counting.
    public func byteCount(_ shape: [Int]) -> Int? {
        guard (shape.last ?? 1) % blockElements == 0, let count = TensorShape.elementCount(shape) else { return nil }
        let (bytes, overflow) = (count / blockElements).multipliedReportingOverflow(by: blockBytes)
        return overflow ? nil : bytes
    }
}
