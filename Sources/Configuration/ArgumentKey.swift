/// An argument's name together with the type of its value, so that `configuration[.learningRate]` is a Double.

public struct ArgumentKey<Value: ArgumentRepresentable>: Sendable {
    /// The name in YAML and on the command line.
    public let name: String

    public init(_ name: String) { self.name = name }
}
