import CKernels

/// The operations of `OptimizerBackend`.
extension CPUBackend {
    public func adamW(parameter: Tensor, gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep) {
        precondition(parameter.count == gradient.count, "AdamW of \(parameter.shape) with gradient \(gradient.shape)")
        let numbers = step.kernelStep
        let g = gradient.floatPointer, m = firstMoment.floatPointer, v = secondMoment.floatPointer
        switch parameter.dtype {
        case .float32:
            let p = parameter.floatPointer
            forEachChunk(of: parameter.count) { tb_adamw(p + $0, g + $0, m + $0, v + $0, $1, numbers) }
        case .bfloat16:
            let p = parameter.halfPointer
            forEachChunk(of: parameter.count) { tb_adamw_bf16(p + $0, g + $0, m + $0, v + $0, $1, numbers) }
        case .float16, .int32, .int64, .uint8: preconditionFailure("AdamW of a \(parameter.dtype) parameter")
        }
    }

    public func adamDirection(
        gradient: Tensor, firstMoment: Tensor, secondMoment: Tensor, beta1: Double, beta2: Double, epsilon: Double, into result: Tensor
    ) {
        precondition(gradient.count == firstMoment.count && gradient.count == secondMoment.count, "moments of \(gradient.shape)")
        let g = gradient.floatPointer, m = firstMoment.floatPointer, v = secondMoment.floatPointer, to = result.floatPointer
        forEachChunk(of: gradient.count) {
            tb_adam_direction(g + $0, m + $0, v + $0, to + $0, $1, Float(beta1), Float(beta2), Float(epsilon))
        }
    }

    public func adamDirection8Bit(
        gradient: Tensor, first: EightBitMoment, second: EightBitMoment, step: AdamWStep, into result: Tensor
    ) {
        let numbers = step.kernelStep
        let g = gradient.floatPointer, to = result.floatPointer
        let size = 64 * EightBitMoment.blockLength
        forEachChunk(of: gradient.count, size: size) { start, count in
            tb_adam_8bit_direction(
                g + start, self.state(first, from: start), self.state(second, from: start), to + start, count, numbers)
        }
    }

    private func state(_ moment: EightBitMoment, from start: Int) -> tb_state_8bit {
        tb_state_8bit(
            codes: moment.codes.address.assumingMemoryBound(to: UInt8.self) + start,
            scales: moment.scales.floatPointer + start / EightBitMoment.blockLength, table: UnsafePointer(moment.table.floatPointer),
            midpoints: UnsafePointer(moment.midpoints.floatPointer))
    }

    public func rootMeanSquareDirection(
        gradient: Tensor, secondMoment: Tensor, decay: Double, gain: Double, squareEpsilon: Double, epsilon: Double, into result: Tensor
    ) {
        let g = gradient.floatPointer, v = secondMoment.floatPointer, to = result.floatPointer
        forEachChunk(of: gradient.count) {
            tb_rms_direction(
                g + $0, v + $0, to + $0, $1, Float(decay), Float(gain), Float(squareEpsilon), Float(epsilon))
        }
    }

    public func descend(_ parameter: Tensor, along direction: Tensor, rate: Double, decay: Double) {
        precondition(parameter.count == direction.count, "step of \(parameter.shape) along \(direction.shape)")
        let d = direction.floatPointer
        switch parameter.dtype {
        case .float32:
            let p = parameter.floatPointer
            forEachChunk(of: parameter.count) { tb_descend(p + $0, d + $0, $1, Float(rate), Float(decay)) }
        case .bfloat16:
            let p = parameter.halfPointer
            forEachChunk(of: parameter.count) { tb_descend_bf16(p + $0, d + $0, $1, Float(rate), Float(decay)) }
        case .float16, .int32, .int64, .uint8: preconditionFailure("descent of a \(parameter.dtype) parameter")
        }
    }

    public func rowMeanSquares(_ x: Tensor, into result: Tensor) {
        let rows = result.count, width = x.count / max(1, rows)
        let from = x.floatPointer, to = result.floatPointer
        forEachChunk(of: rows, size: max(1, (1 << 15) / max(1, width))) { start, count in
            for row in start..<start + count {
                to[row] = Float(tb_sum_of_squares(from + row * width, width) / Double(width))
            }
        }
    }

    public func columnMeanSquares(_ x: Tensor, into result: Tensor) {
        let width = result.count, rows = x.count / max(1, width)
        let to = result.floatPointer
        tb_fill(to, 0, width)
        tb_add_column_squares(x.floatPointer, rows, width, to)
        tb_scale(to, to, 1 / Float(rows), width)
    }
}

extension AdamWStep {
    /// The numbers as kernels take them.
    var kernelStep: tb_adamw_step {
        tb_adamw_step(
            beta1: Float(beta1), beta2: Float(beta2), epsilon: Float(epsilon),
            step_size: Float(learningRate / (1 - Self.power(beta1, step))),
            root_correction: Float(1 / (1 - Self.power(beta2, step)).squareRoot()), decay: Float(1 - learningRate * weightDecay),
            gradient_scale: Float(gradientScale))
    }

    private static func power(_ base: Double, _ exponent: Int) -> Double {
        var result = 1.0, square = base, left = exponent
        while left > 0 {
            if left & 1 == 1 { result *= square }
            square *= square
            left >>= 1
        }
        return result
    }
}
