/// How an element is stored. Arithmetic is always in f32; the narrow types are for storage.
public enum DType: UInt8, Sendable, CaseIterable {
    case float32, bfloat16, float16, int32, int64, uint8

    public var byteCount: Int {
        switch self {
        case .float32, .int32: 4
        case .bfloat16, .float16: 2
        case .int64: 8
        case .uint8: 1
        }
    }

    public var isFloatingPoint: Bool {
        switch self {
        case .float32, .bfloat16, .float16: true
        case .int32, .int64, .uint8: false
        }
    }
}
