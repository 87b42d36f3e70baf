/// What optimizers compute, element by element or by rows and columns. Parameters are f32 or bf16, everything else f32. Each update
/// rule in Training is composed of these and of products.
public protocol OptimizerBackend: AnyObject, Sendable {
    /// One AdamW step.
    func adamW(parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep)
    /// Clips the gradients of a group by their common norm and makes an AdamW step of every member, without waiting for anybody; members
    /// with moments in 8 bits share their tables. After a
    /// norm that is no number neither this nor any later call changes a parameter, until `resumeUpdates`.
    /// - Parameters:
    ///   - maximumNorm: 0 for no clipping
    ///   - gradientScale: multiplies the gradients first, and so is in the norm: what takes the scale of a loss out of them
    /// - Returns: the norm before clipping; nil where the backend updates parameters one by one, and then nothing has happened.
    func updateGroup(_ members: [AdamWMember], maximumNorm: Double, gradientScale: Double) -> PendingNumber?
    func resumeUpdates()
    /// Both moments take in the gradient; result = first / (sqrt(second) + epsilon), without correction of their bias.
    /// result may be gradient.
    func adamDirection(
        gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, beta1: Double, beta2: Double, epsilon: Double, into result: Tensor)
    /// The bias-corrected direction with both moments kept in 8 bits; `step` gives betas, epsilon, number and gradientScale.
    func adamDirection8Bit(gradient: Tensor, first: EightBitMoment, second: EightBitMoment, step: AdamWStep, into result: Tensor)
    /// second = decay * second + gain * (gradient² + squareEpsilon); result = gradient / (sqrt(second) + epsilon).
    func rootMeanSquareDirection(
        gradient: Tensor, secondMoment: Tensor, decay: Double, gain: Double, squareEpsilon: Double, epsilon: Double, into result: Tensor)
    /// parameter = decay * parameter - rate * direction
    func descend(_ parameter: Tensor, along direction: Tensor, rate: Double, decay: Double)
    /// result[r] = mean over c of x[r, c]²
    func rowMeanSquares(_ x: Tensor, into result: Tensor)
    /// result[c] = mean over r of x[r, c]²
    func columnMeanSquares(_ x: Tensor, into result: Tensor)
}

/// A moment in 8 bits: blocks of 256 codes into a table of 256 rising values between -1 and 1, times the block's scale.
public struct EightBitMoment: Sendable {
    public static let blockLength = 256
    /// uint8, one per element.
    public let codes: Tensor
    /// f32, one per block.
    public let scales: Tensor
    /// f32 [256]
    public let table: Tensor
    /// f32 [255]: halfway between neighbours of the table.
    public let midpoints: Tensor

    public init(codes: Tensor, scales: Tensor, table: Tensor, midpoints: Tensor) {
        self.codes = codes
        self.scales = scales
        self.table = table
        self.midpoints = midpoints
    }
}

extension OptimizerBackend {
    public func updateGroup(_ members: [AdamWMember], maximumNorm: Double, gradientScale: Double) -> PendingNumber? { nil }
    public func resumeUpdates() {}
}

/// A parameter of a group that is clipped and updated together.
public struct AdamWMember {
    public enum Moments: Sendable {
        case wide(first: Tensor, second: Tensor)
        case eightBit(first: EightBitMoment, second: EightBitMoment)
    }

    public let parameter, gradient: Tensor
    public let moments: Moments
    /// Its own rate, decay and count; its gradientScale counts beside the group's.
    public let step: AdamWStep

    public init(parameter: Tensor, gradient: Tensor, moments: Moments, step: AdamWStep) {
        self.parameter = parameter
        self.gradient = gradient
        self.moments = moments
        self.step = step
    }
}

/// The numbers of one AdamW step (torch.optim.AdamW's formula).
public struct AdamWStep: Sendable {
    public var learningRate, beta1, beta2, epsilon, weightDecay: Double
    /// Counts from 1.
    public var step: Int
    /// Multiplies the gradient first: clipping.
    public var gradientScale: Double

    public init(
        learningRate: Double, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0, step: Int,
        gradientScale: Double = 1
    ) {
        self.learningRate = learningRate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        self.step = step
        self.gradientScale = gradientScale
    }
}
