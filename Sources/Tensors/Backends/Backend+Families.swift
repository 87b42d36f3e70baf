/// Operations that some families of models need beside those that all share: other norms, plain activations, projections fused
/// into one matrix, transformed logits, experts. They belong to `Backend`; they stand in a protocol of their own because most
/// models never call them.
public protocol FamilyBackend: AnyObject, Sendable {
    // Normalisation
    /// result = (x - mean) / deviation * weight + bias over each row; the means and inverse deviations are saved.
    func layerNorm(
        _ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float, into result: Tensor, means: Tensor, inverseDeviations: Tensor)
    /// Writes (or adds to) inputGradient, weightGradient and biasGradient.
    func layerNormBackward(
        gradient: Tensor, x: Tensor, weight: Tensor, means: Tensor, inverseDeviations: Tensor, inputGradient: GradientTarget?,
        weightGradient: GradientTarget?, biasGradient: GradientTarget?)

    // Activations without a gate
    func activation(_ x: Tensor, kind: GatedActivation, into result: Tensor)
    func activationBackward(gradient: Tensor, x: Tensor, kind: GatedActivation, into inputGradient: Tensor)

    // Columns and rows
    /// Copies blocks of columns of source [T, n] to places in result [T, m].
    func copyColumns(_ source: Tensor, blocks: [ColumnBlock], into result: Tensor)
    /// result[t] = factors[t] * source[t] for rows of any width; result may be source.
    func scaleRows(_ source: Tensor, factors: Tensor, into result: Tensor)
    /// result[t] = a[t] · b[t]
    func rowDots(_ a: Tensor, _ b: Tensor, into result: Tensor)
    /// result[t, j] = factors[j] * source[t, j]; result may be source.
    func scaleColumns(_ source: Tensor, factors: Tensor, into result: Tensor)
    /// result = a * b, element by element; result may be either.
    func multiply(_ a: Tensor, _ b: Tensor, into result: Tensor)

    // Logits
    /// result = cap * tanh(x / cap); slopes get the derivative where they are wanted.
    func softCap(_ x: Tensor, cap: Float, into result: Tensor, slopes: Tensor?)
    /// result[j] = 1 / |row j of weight|
    func inverseRowNorms(_ weight: Tensor, into result: Tensor)

    // Experts
    /// Softmax of each row of x; result may be x.
    func softmax(_ x: Tensor, into result: Tensor)
    /// inputGradient = result * (gradient - result · gradient) for each row.
    func softmaxBackward(gradient: Tensor, result: Tensor, into inputGradient: Tensor)
    /// The values on this side of the machine, for decisions that the host takes. Zeros when planning.
    func download(_ tensor: Tensor) -> [Float]
}

/// Columns `from ..< from + count` of a source and where they go.
public struct ColumnBlock: Sendable, Equatable {
    public let from, to, count: Int

    public init(from: Int, to: Int, count: Int) {
        self.from = from
        self.to = to
        self.count = count
    }
}
