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

    /// Four launches whatever the number of members: squares, their sum, the factor of clipping, which stays on the card, and the update.
    public func updateGroup(_ members: [AdamWMember], maximumNorm: Double, gradientScale: Double) -> PendingNumber? {
        guard !members.isEmpty else { return PendingNumber(0) }
        var list: [tb_cuda_adamw_member] = [], blocks = 0
        for member in members {
            let count = member.parameter.count
            precondition(member.gradient.count == count && member.firstMoment.count == count, "AdamW of \(member.parameter.shape)")
            claim([member.firstMoment, member.secondMoment])
            list.append(
                tb_cuda_adamw_member(
                    parameter: UnsafeMutableRawPointer(bitPattern: UInt(update(member.parameter))),
                    gradient: UnsafeRawPointer(bitPattern: UInt(read(member.gradient))),
                    first: UnsafeMutablePointer(bitPattern: UInt(update(member.firstMoment))),
                    second: UnsafeMutablePointer(bitPattern: UInt(update(member.secondMoment))), count: Int64(count),
                    first_block: Int64(blocks), parameter_type: KernelArgument.number(member.parameter.dtype),
                    gradient_type: KernelArgument.number(member.gradient.dtype), step: numbers(member.step), reserved: 0))
            blocks += (count + Int(TB_MEMBER_BLOCK) - 1) / Int(TB_MEMBER_BLOCK)
        }
        let table = empty([list.count * MemoryLayout<tb_cuda_adamw_member>.stride], .uint8, for: .workspace)
        let partials = empty([blocks], .int64, for: .workspace), sums = empty([2], .int64, for: .workspace)
        let factor = empty([1], .float32, for: .workspace), gate = updateGate()
        let members = write(table), squares = write(sums), clip = write(factor)
        list.withUnsafeBytes { if let from = $0.baseAddress { staging.upload(from, to: members, byteCount: $0.count) } }
        run("squares_group", nil, LaunchShape(grid: blocks, threads: 256), [.address(members), .int(Int32(list.count)), .address(write(partials))])
        run(
            "sum_finish", .float32, LaunchShape(grid: 1, threads: 256),
            [.address(read(partials)), .count(blocks), .address(squares), .int(0)])
        run(
            "clip_factor", .float32, LaunchShape(grid: 1, threads: 1),
            [.address(squares), .double(gradientScale), .double(maximumNorm), .address(clip), .address(squares + 8), .address(update(gate))])
        run("adamw_group", nil, LaunchShape(grid: blocks, threads: 256), [.address(members), .int(Int32(list.count)), .address(clip)])
        withExtendedLifetime((table, partials, factor)) {}
        guard let reading = readings.read(squares + 8, byteCount: 8) else { return PendingNumber { sums.bytes.loadUnaligned(fromByteOffset: 8, as: Double.self) } }
        return PendingNumber { reading.bytes().loadUnaligned(as: Double.self) }
    }

    public func resumeUpdates() { fill(updateGate(), with: 0) }

    /// 1 on the card after a norm that was no number.
    private func updateGate() -> Tensor {
        if let gate = standingGate { return gate }
        let gate = empty([1], .int32, for: .optimizer)
        device.zero(write(gate), byteCount: 4)
        if !device.hasFailed { standingGate = gate }
        return gate
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
