import Tensors

/// A base weight that an adapter brings a copy of its own for: PEFT's `modules_to_save`, trained biases, trained rows of an
/// embedding. While it is on the parameter holds the copy, while it is off the base's value, so nothing else has to know.
public final class WeightOverlay: @unchecked Sendable {
    /// The model's parameter, whose name is the checkpoint's.
    public let parameter: Parameter
    /// Its name in the adapter's file, without the prefix.
    let savedName: String
    /// The value that is not in use.
    private var other: Tensor
    public private(set) var isEnabled = true

    /// - Parameter value: f32, in memory of its own.
    init(_ parameter: Parameter, value: Tensor, savedName: String? = nil) {
        self.parameter = parameter
        self.savedName = savedName ?? parameter.name
        other = parameter.value
        parameter.value = value
    }

    /// The adapter's copy.
    public var own: Tensor { isEnabled ? parameter.value : other }
    /// The base's value.
    public var base: Tensor { isEnabled ? other : parameter.value }

    func set(enabled: Bool) {
        guard enabled != isEnabled else { return }
        swap(&parameter.value, &other)
        isEnabled = enabled
    }
}
