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

    /// Four or five launches whatever the number of members: squares, their sum, the factor of clipping, which stays on the card, and the
    /// update of those with wide moments and of those with moments in 8 bits.
    public func updateGroup(_ members: [AdamWMember], maximumNorm: Double, gradientScale: Double) -> PendingNumber? {
        guard !members.isEmpty else { return PendingNumber(0) }
        var wide: [tb_cuda_adamw_member] = [], narrow: [tb_cuda_adamw_member] = [], tables: (first: EightBitMoment, second: EightBitMoment)?
        for case .eightBit(let first, let second) in members.lazy.map(\.moments) {
            let known = tables ?? (first, second)
            guard first.table.storage === known.first.table.storage, second.table.storage === known.second.table.storage else { return nil }
            tables = known
        }
        for member in members {
            precondition(member.gradient.count == member.parameter.count, "AdamW of \(member.parameter.shape)")
            switch member.moments {
            case .wide: wide.append(description(member))
            case .eightBit: narrow.append(description(member))
            }
        }
        var list = wide + narrow, blocks = 0, wideBlocks = 0
        for index in list.indices {
            if index == wide.count { wideBlocks = blocks }
            list[index].first_block = Int64(blocks)
            blocks += (Int(list[index].count) + Int(TB_MEMBER_BLOCK) - 1) / Int(TB_MEMBER_BLOCK)
        }
        if narrow.isEmpty { wideBlocks = blocks }
        let table = empty([list.count * MemoryLayout<tb_cuda_adamw_member>.stride], .uint8, for: .workspace)
        let partials = empty([blocks], .int64, for: .workspace), sums = empty([2], .int64, for: .workspace)
        let factor = empty([1], .float32, for: .workspace), gate = updateGate()
        let first = write(table), squares = write(sums), clip = write(factor)
        list.withUnsafeBytes { if let from = $0.baseAddress { staging.upload(from, to: first, byteCount: $0.count) } }
        run("squares_group", nil, LaunchShape(grid: blocks, threads: 256), [.address(first), .int(Int32(list.count)), .address(write(partials))])
        run(
            "sum_finish", .float32, LaunchShape(grid: 1, threads: 256),
            [.address(read(partials)), .count(blocks), .address(squares), .int(0)])
        run(
            "clip_factor", .float32, LaunchShape(grid: 1, threads: 1),
            [.address(squares), .double(gradientScale), .double(maximumNorm), .address(clip), .address(squares + 8), .address(update(gate))])
        if !wide.isEmpty {
            run("adamw_group", nil, LaunchShape(grid: wideBlocks, threads: 256), [.address(first), .int(Int32(wide.count)), .address(clip)])
        }
        if let tables {
            run(
                "adamw_8bit_group", nil, LaunchShape(grid: blocks - wideBlocks, threads: 256),
                [
                    .address(first + UInt64(wide.count * MemoryLayout<tb_cuda_adamw_member>.stride)), .int(Int32(narrow.count)),
                    .count(wideBlocks), .structure(moment(tables.first)), .structure(moment(tables.second)), .address(clip),
                ])
        }
        withExtendedLifetime((table, partials, factor)) {}
        guard let reading = readings.read(squares + 8, byteCount: 8) else { return PendingNumber { sums.bytes.loadUnaligned(fromByteOffset: 8, as: Double.self) } }
        return PendingNumber { reading.bytes().loadUnaligned(as: Double.self) }
    }

    /// A member as kernels see it; its blocks are counted later.
    private func description(_ member: AdamWMember) -> tb_cuda_adamw_member {
        var result = tb_cuda_adamw_member()
        switch member.moments {
        case .wide(let first, let second):
            precondition(first.count == member.parameter.count && second.count == first.count, "moments of \(member.parameter.shape)")
            claim([first, second])
            result.first = UnsafeMutablePointer(bitPattern: UInt(update(first)))
            result.second = UnsafeMutablePointer(bitPattern: UInt(update(second)))
        case .eightBit(let first, let second):
            precondition(first.codes.count == member.parameter.count, "moments of \(member.parameter.shape)")
            claim([first.codes, first.scales, second.codes, second.scales])
            let (low, high) = (moment(first), moment(second))
            result.first = low.scales
            result.first_codes = low.codes
            result.second = high.scales
            result.second_codes = high.codes
        }
        result.parameter = UnsafeMutableRawPointer(bitPattern: UInt(update(member.parameter)))
        result.gradient = UnsafeRawPointer(bitPattern: UInt(read(member.gradient)))
        result.count = Int64(member.parameter.count)
        result.parameter_type = KernelArgument.number(member.parameter.dtype)
        result.gradient_type = KernelArgument.number(member.gradient.dtype)
        result.step = numbers(member.step)
        return result
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
