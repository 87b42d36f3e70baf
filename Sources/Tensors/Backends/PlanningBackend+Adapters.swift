extension PlanningBackend {
    public func squaredRowNorms(_ weight: WeightStore, into result: Tensor) {}
    public func inverseUpdatedNorms(squares: Tensor, up: Tensor, cross: Tensor, gram: Tensor, scale: Float, into result: Tensor) {}
    public func scaleAndShiftColumns(_ source: Tensor, factors: Tensor, offsets: Tensor?, into result: Tensor) {}
    public func columnDots(_ a: Tensor, _ b: Tensor, factors: Tensor?, into result: GradientTarget) {}
    public func uniformNoise(_ source: Tensor, bounds: Tensor, seed: UInt64, into result: Tensor) {}
    public func cayleyRotations(_ generators: Tensor, blockSize: Int, series: CayleySeries, into result: Tensor) {}
    public func cayleyRotationsBackward(
        gradient: Tensor, generators: Tensor, blockSize: Int, series: CayleySeries, into result: GradientTarget
    ) {}
    public func rotateBlocks(_ x: Tensor, rotations: Tensor, isTransposed: Bool, into result: Tensor) {}
    public func rotationGradient(_ x: Tensor, gradient: Tensor, into result: Tensor) {}
}
