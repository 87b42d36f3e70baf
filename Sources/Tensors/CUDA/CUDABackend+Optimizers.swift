import CKernels
import CUDAKernels

/// The operations of `OptimizerBackend`.
extension CUDABackend {
    public func adamW(parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep) {
        precondition(parameter.count == gradient.count, "AdamW of \(parameter.shape) with gradient \(gradient.shape)")
        claim([firstMoment, secondMoment])
        run(
            "adamw", nil, anyGrid(parameter.count),
            [
                .address(update(parameter)), .type(parameter.dtype), .address(read(gradient)), .type(gradient.dtype),
                .address(update(firstMoment)), .address(update(secondMoment)), .count(parameter.count), .structure(numbers(step)), .address(0),
            ])
    }

    public func adamDirection(
        gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, beta1: Double, beta2: Double, epsilon: Double, into result: Tensor
    ) {
        precondition(gradient.count == firstMoment.count && gradient.count == secondMoment.count, "moments of \(gradient.shape)")
        claim([firstMoment, secondMoment])
        let from = cast(gradient, .float32)
        writing(result, as: .float32) { result in
            run(
                "adam_direction", nil, anyGrid(gradient.count),
                [
                    .address(read(from)), .address(update(firstMoment)), .address(update(secondMoment)), .address(write(result)),
                    .count(gradient.count), .float(Float(beta1)), .float(Float(beta2)), .float(Float(epsilon)),
                ])
        }
        withExtendedLifetime(from) {}
    }

    public func adamDirection8Bit(
        gradient: Tensor, first: EightBitMoment, second: EightBitMoment, step: AdamWStep, into result: Tensor
    ) {
        claim([first.codes, first.scales, second.codes, second.scales])
        let from = cast(gradient, .float32)
        writing(result, as: .float32) { result in
            run(
                "adam_direction_8bit", nil, LaunchShape(grid: max(1, (gradient.count + 255) / 256), threads: 256),
                [
                    .address(read(from)), .structure(moment(first)), .structure(moment(second)), .address(write(result)),
                    .count(gradient.count), .structure(numbers(step)),
                ])
        }
        withExtendedLifetime(from) {}
    }

    public func rootMeanSquareDirection(
        gradient: Tensor, secondMoment: Tensor, decay: Double, gain: Double, squareEpsilon: Double, epsilon: Double, into result: Tensor
    ) {
        claim([secondMoment])
        let from = cast(gradient, .float32)
        writing(result, as: .float32) { result in
            run(
                "rms_direction", nil, anyGrid(gradient.count),
                [
                    .address(read(from)), .address(update(secondMoment)), .address(write(result)), .count(gradient.count),
                    .float(Float(decay)), .float(Float(gain)), .float(Float(squareEpsilon)), .float(Float(epsilon)),
                ])
        }
        withExtendedLifetime(from) {}
    }

    public func descend(_ parameter: Tensor, along direction: Tensor, rate: Double, decay: Double) {
        precondition(parameter.count == direction.count, "step of \(parameter.shape) along \(direction.shape)")
        let from = cast(direction, .float32)
        run(
            "descend", nil, anyGrid(parameter.count),
            [
                .address(update(parameter)), .type(parameter.dtype), .address(read(from)), .count(parameter.count), .float(Float(rate)),
                .float(Float(decay)),
            ])
        withExtendedLifetime(from) {}
    }

    /// Says in the statistics what the memory of an optimizer's state is for, before it is first used here.
    private func claim(_ tensors: [Tensor]) {
        for tensor in tensors where tensor.storage.mirror == nil { tensor.storage.purpose = .optimizer }
    }

    private func numbers(_ step: AdamWStep) -> tb_cuda_adamw {
        let numbers = step.kernelStep
        return tb_cuda_adamw(
            beta1: numbers.beta1, beta2: numbers.beta2, epsilon: numbers.epsilon, step_size: numbers.step_size,
            root_correction: numbers.root_correction, decay: numbers.decay, gradient_scale: numbers.gradient_scale)
    }

    private func moment(_ moment: EightBitMoment) -> tb_cuda_moment {
        tb_cuda_moment(
            codes: UnsafeMutablePointer(bitPattern: UInt(update(moment.codes))),
            scales: UnsafeMutablePointer(bitPattern: UInt(update(moment.scales))),
            table: UnsafePointer(bitPattern: UInt(read(moment.table))), midpoints: UnsafePointer(bitPattern: UInt(read(moment.midpoints))))
    }
}
