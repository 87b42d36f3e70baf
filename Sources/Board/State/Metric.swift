import Terminal

/// A quantity that the chart can show.
public struct Metric: Sendable, Hashable {
    /// `loss`, `learning_rate`, `grad_norm`, `tokens_per_second`, or a name that the run logged.
    public let name: String

    public init(_ name: String) { self.name = name }

    public static let loss = Metric("loss")
    public static let evaluationLoss = Metric("eval_loss")
    public static let learningRate = Metric("learning_rate")
    public static let gradientNorm = Metric("grad_norm")
    public static let tokensPerSecond = Metric("tokens_per_second")
    /// Of this program, in GiB: measured by the board while it watches its own run, and not logged.
    public static let memory = Metric("memory")
    /// Of a card, in GiB, as LLaMA-Factory logs it where RECORD_VRAM is set: tensors, and all that is kept for them.
    public static let cardMemory = Metric("vram_allocated")
    public static let reservedCardMemory = Metric("vram_reserved")

    private static let unsmoothed: Set<Metric> = [.learningRate, .evaluationLoss, .memory, .cardMemory, .reservedCardMemory]

    /// What follows a plan, as the learning rate does, and what is measured once in a while needs no smoothing.
    public var isSmoothed: Bool { !Self.unsmoothed.contains(self) }

    public var title: String {
        switch name {
        case "learning_rate": say("learning rate")
        case "grad_norm": say("gradient norm")
        case "tokens_per_second": "tokens/s"
        case "eval_loss": say("eval loss")
        case "memory": say("memory, GiB")
        case "vram_allocated": say("GPU memory, GiB")
        case "vram_reserved": say("GPU memory reserved, GiB")
        default: name
        }
    }
}
