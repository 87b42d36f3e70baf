/// Operations that adapters need beside products: lengths of updated weight rows (DoRA), rotations in blocks (OFT), noise (NEFTune).
/// They belong to `Backend`.
///
/// Letters in the shapes: T tokens, O outputs, R rank, D blocks of a rotation, B the side of a block.
public protocol AdapterBackend: AnyObject, Sendable {
    // Rows of a weight whose lengths are learned apart
    /// result [O] = squared length of each row of the weight.
    func squaredRowNorms(_ weight: WeightStore, into result: Tensor)
    /// result[j] = 1 / |W_j + scale B_j A|, 0 where that row is zero, from
    /// |W_j|² = squares[j], W Aᵀ = crossᵀ with cross [R, O], and B (A Aᵀ) = gram [O, R].
    func inverseUpdatedNorms(squares: Tensor, up: Tensor, cross: Tensor, gram: Tensor, scale: Float, into result: Tensor)
    /// result[t, j] = factors[j] * source[t, j] + offsets[j]; result may be source.
    func scaleAndShiftColumns(_ source: Tensor, factors: Tensor, offsets: Tensor?, into result: Tensor)
    /// result[j] (+)= factors[j] * sum over t of a[t, j] b[t, j]; without factors they are 1.
    func columnDots(_ a: Tensor, _ b: Tensor, factors: Tensor?, into result: GradientTarget)

    // Noise
    /// result[t] = source[t] + noise uniform in (-bounds[t], bounds[t]), a function of seed and element.
    func uniformNoise(_ source: Tensor, bounds: Tensor, seed: UInt64, into result: Tensor)

    // Rotations
    /// result [D, B, B]: the rotation of each row of generators [D, B (B - 1) / 2], the upper triangle of a skew-symmetric matrix.
    func cayleyRotations(_ generators: Tensor, blockSize: Int, series: CayleySeries, into result: Tensor)
    /// Gradient of the generators from that of the rotations [D, B, B].
    func cayleyRotationsBackward(
        gradient: Tensor, generators: Tensor, blockSize: Int, series: CayleySeries, into result: GradientTarget)
    /// Turns each B columns of x by their block; one block serves all when there is only one. `isTransposed` turns back.
    func rotateBlocks(_ x: Tensor, rotations: Tensor, isTransposed: Bool, into result: Tensor)
    /// result [D, B, B] = xᵀ gradient of each block; summed over all when there is only one.
    func rotationGradient(_ x: Tensor, gradient: Tensor, into result: Tensor)
}

/// How the orthogonal matrix of a skew-symmetric Q is made.
public enum CayleySeries: Sendable, Equatable {
    /// (I - Q)(I + Q)⁻¹
    case exact
    /// Its Neumann series, as PEFT truncates it: I + 2Q + 2Q² + ... with the last power once. `terms` is PEFT's number.
    case neumann(terms: Int)

    /// Factors of I, Q, Q², ...
    var coefficients: [Float] {
        guard case .neumann(let terms) = self else { return [] }
        if terms <= 1 { return [1] }
        if terms == 2 { return [1, 2] }
        return [1, 2, 2] + [Float](repeating: 2, count: max(0, terms - 4)) + [1]
    }
}
