/// A named weight and, when it is trained, its gradient.
public final class Parameter: @unchecked Sendable {
    public let name: String
    public var value: Tensor
    /// f32 in the value's shape. Nil means zero: the first product of a step then writes it instead of adding to zeros,
    /// and between steps its memory serves others.
    public var gradient: Tensor?
    public var requiresGradient: Bool

    public init(name: String, value: Tensor, requiresGradient: Bool = false) {
        self.name = name
        self.value = value
        self.requiresGradient = requiresGradient
    }

    public var shape: [Int] { value.shape }
    public var count: Int { value.count }
}
