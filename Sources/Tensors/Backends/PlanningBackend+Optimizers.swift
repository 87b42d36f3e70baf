extension PlanningBackend {
    public func adamW(parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep) {}
    public func adamDirection(
        gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, beta1: Double, beta2: Double, epsilon: Double, into result: Tensor
    ) {}
    public func adamDirection8Bit(
        gradient: Tensor, first: EightBitMoment, second: EightBitMoment, step: AdamWStep, into result: Tensor
    ) {}
    public func rootMeanSquareDirection(
        gradient: Tensor, secondMoment: Tensor, decay: Double, gain: Double, squareEpsilon: Double, epsilon: Double, into result: Tensor
    ) {}
    public func descend(_ parameter: Tensor, along direction: Tensor, rate: Double, decay: Double) {}
    public func rowMeanSquares(_ x: Tensor, into result: Tensor) {}
    public func columnMeanSquares(_ x: Tensor, into result: Tensor) {}
}
