import CUDAKernels

/// Norms, rotation, activations, softmax, logits, losses.
extension CUDABackend {
    // MARK: Norms

    public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float, weightOffset: Float, into result: Tensor, inverseRMS: Tensor) {
        let width = weight.count, rows = x.count / max(1, width)
        writing(result, as: x.dtype) { result in
            run(
                "rms_norm", x.dtype, LaunchShape(grid: rows, threads: 256),
                [
                    .address(read(x)), .address(0), .address(read(weight)), .type(weight.dtype), .float(epsilon), .float(weightOffset),
                    .address(0), .address(write(result)), .address(write(inverseRMS)), .count(rows), .count(width),
                ])
        }
    }

    public func rmsNormAgain(_ x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor, into result: Tensor) {
        let width = weight.count, rows = x.count / max(1, width)
        writing(result, as: x.dtype) { result in
            run(
                "rms_norm_again", x.dtype, LaunchShape(grid: rows, threads: 256),
                [
                    .address(read(x)), .address(read(weight)), .type(weight.dtype), .float(weightOffset), .address(read(inverseRMS)),
                    .address(write(result)), .count(rows), .count(width),
                ])
        }
    }

    public func rmsNormBackward(
        gradient: Tensor, x: Tensor, weight: Tensor, weightOffset: Float, inverseRMS: Tensor, inputGradient: GradientTarget?,
        weightGradient: GradientTarget?
    ) {
        let width = weight.count, rows = x.count / max(1, width), arrived = cast(gradient, x.dtype)
        if let weightGradient { columnSums(arrived, times: x, rowFactors: inverseRMS, into: weightGradient) }
        guard let inputGradient else { return }
        gradients(inputGradient, as: x.dtype) { to in
            run(
                "rms_norm_backward", x.dtype, LaunchShape(grid: rows, threads: 256),
                [
                    .address(read(arrived)), .address(read(x)), .address(read(weight)), .type(weight.dtype), .float(weightOffset),
                    .address(read(inverseRMS)), .address(target(to)), .int(to.isAccumulating ? 1 : 0), .count(rows), .count(width),
                ])
        }
        withExtendedLifetime(arrived) {}
    }

    public func layerNorm(
        _ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float, into result: Tensor, means: Tensor, inverseDeviations: Tensor
    ) {
        let width = weight.count, rows = x.count / max(1, width)
        writing(result, as: x.dtype) { result in
            run(
                "layer_norm", x.dtype, LaunchShape(grid: rows, threads: 256),
                [
                    .address(read(x)), .address(0), .address(read(weight)), .type(weight.dtype), .address(read(bias)), .type(bias.dtype),
                    .float(epsilon), .address(0), .address(write(result)), .address(write(means)), .address(write(inverseDeviations)),
                    .count(rows), .count(width),
                ])
        }
    }

    public func layerNormBackward(
        gradient: Tensor, x: Tensor, weight: Tensor, means: Tensor, inverseDeviations: Tensor, inputGradient: GradientTarget?,
        weightGradient: GradientTarget?, biasGradient: GradientTarget?
    ) {
        let width = weight.count, rows = x.count / max(1, width), arrived = cast(gradient, x.dtype)
        if let weightGradient { columnSums(arrived, times: x, rowFactors: inverseDeviations, rowShifts: means, into: weightGradient) }
        if let biasGradient { columnSums(arrived, times: nil, into: biasGradient) }
        guard let inputGradient else { return }
        gradients(inputGradient, as: x.dtype) { to in
            run(
                "layer_norm_backward", x.dtype, LaunchShape(grid: rows, threads: 256),
                [
                    .address(read(arrived)), .address(read(x)), .address(read(weight)), .type(weight.dtype), .address(read(means)),
                    .address(read(inverseDeviations)), .address(target(to)), .int(to.isAccumulating ? 1 : 0), .count(rows), .count(width),
                ])
        }
        withExtendedLifetime(arrived) {}
    }

    /// Lets `body` write or add to a gradient in the type of its kernel.
    func gradients(_ result: GradientTarget, as type: DType, _ body: (GradientTarget) -> Void) {
        if result.tensor.dtype == type { return body(result) }
        let own = empty(result.tensor.shape, type, for: .workspace)
        body(GradientTarget(own, isAccumulating: false))
        if result.isAccumulating { accumulate(own, factor: 1, into: result.tensor) } else { convert(own, into: result.tensor) }
    }

    // MARK: Rotation and activations

    public func rotary(_ x: Tensor, headDimension: Int, table: RotaryTable, positions: Tensor, isInverse: Bool, into result: Tensor) {
        let width = x.columnCount, rows = x.rowCount, heads = width / headDimension, half = table.rotaryDimension / 2
        writing(result, as: x.dtype) { result in
            run(
                "rotary", x.dtype, anyGrid(rows * heads * ((half + 7) / 8) * 8),
                [
                    .address(read(x)), .address(write(result)), .address(read(table.cosines)), .address(read(table.sines)),
                    .address(read(positions)), .count(rows), .int(Int32(heads)), .int(Int32(headDimension)), .int(Int32(half)),
                    .int(table.isInterleaved ? 1 : 0), .float(isInverse ? -1 : 1), .count(width), .count(width),
                ])
        }
    }

    public func activation(_ x: Tensor, kind: GatedActivation, into result: Tensor) {
        writing(result, as: x.dtype) { result in
            run(
                "activation", x.dtype, anyGrid(x.count),
                [.address(read(x)), .address(write(result)), .count(x.count), .int(kind.rawValue)])
        }
    }

    public func activationBackward(gradient: Tensor, x: Tensor, kind: GatedActivation, into inputGradient: Tensor) {
        let arrived = cast(gradient, x.dtype)
        writing(inputGradient, as: x.dtype) { result in
            run(
                "activation_backward", x.dtype, anyGrid(x.count),
                [.address(read(arrived)), .address(read(x)), .address(write(result)), .count(x.count), .int(kind.rawValue)])
        }
        withExtendedLifetime(arrived) {}
    }

    public func gatedActivation(gate: Tensor, up: Tensor, kind: GatedActivation, into result: Tensor) {
        precondition(gate.count == up.count && gate.count == result.count, "gated activation of \(gate.shape) and \(up.shape)")
        let width = gate.columnCount, rows = gate.rowCount, other = cast(up, gate.dtype)
        writing(result, as: gate.dtype) { result in
            run(
                "gated_activation", gate.dtype, anyGrid(gate.count),
                [
                    .address(read(gate)), .address(read(other)), .address(write(result)), .count(rows), .count(width), .count(width),
                    .count(width), .int(kind.rawValue),
                ])
        }
        withExtendedLifetime(other) {}
    }

    public func gatedActivationBackward(
        gradient: Tensor, gate: Tensor, up: Tensor, kind: GatedActivation, gateGradient: Tensor, upGradient: Tensor
    ) {
        let type = gate.dtype, width = gate.columnCount, rows = gate.rowCount, arrived = cast(gradient, type), other = cast(up, type)
        writing(gateGradient, as: type) { gateGradient in
            writing(upGradient, as: type) { upGradient in
                run(
                    "gated_activation_backward", type, anyGrid(gate.count),
                    [
                        .address(read(arrived)), .address(read(gate)), .address(read(other)), .address(write(gateGradient)),
                        .address(write(upGradient)), .count(rows), .count(width), .count(width), .count(width), .count(width), .count(width),
                        .int(kind.rawValue),
                    ])
            }
        }
        withExtendedLifetime((arrived, other)) {}
    }

    // MARK: Logits and losses

    public func softCap(_ x: Tensor, cap: Float, into result: Tensor, slopes: Tensor?) {
        let type = x.dtype
        precondition(slopes == nil || slopes?.dtype == type, "slopes of another type than their logits")
        writing(result, as: type) { result in
            run(
                "soft_cap", type, anyGrid(x.count),
                [
                    .address(read(x)), .address(write(result)), .address(slopes.map { write($0) } ?? 0), .float(cap), .count(x.count),
                ])
        }
    }

    public func softmax(_ x: Tensor, into result: Tensor) {
        let rows = x.rowCount, type = result.dtype, from = cast(x, type)
        run(
            "softmax", type, LaunchShape(grid: rows, threads: 256),
            [.address(read(from)), .address(write(result)), .count(rows), .count(x.columnCount)])
        withExtendedLifetime(from) {}
    }

    public func softmaxBackward(gradient: Tensor, result: Tensor, into inputGradient: Tensor) {
        let type = result.dtype, rows = result.rowCount, arrived = cast(gradient, type)
        writing(inputGradient, as: type) { to in
            run(
                "softmax_backward", type, LaunchShape(grid: rows, threads: 256),
                [.address(read(arrived)), .address(read(result)), .address(write(to)), .count(rows), .count(result.columnCount)])
        }
        withExtendedLifetime(arrived) {}
    }

    public func crossEntropy(
        logits: Tensor, targets: Tensor, weight: CrossEntropyWeight?, labelSmoothing: Float, losses: Tensor?
    ) -> CrossEntropySums {
        let rows = targets.count, width = logits.columnCount
        guard rows > 0 else { return CrossEntropySums() }
        let own = losses ?? empty([rows], .float32, for: .workspace), hits = empty([rows], .int32, for: .workspace)
        var uniform: Float = 0, perRow: Tensor?
        switch weight {
        case .uniform(let value)?: uniform = value
        case .perRow(let weights)?: perRow = cast(weights, .float32)
        case nil: break
        }
        run(
            "cross_entropy", logits.dtype, LaunchShape(grid: rows, threads: 512),
            [
                .address(weight == nil ? read(logits) : update(logits)), .address(read(targets)), .float(uniform), .address(read(perRow)),
                .int(weight == nil ? 0 : 1), .float(labelSmoothing), .address(write(own)), .address(0), .address(write(hits)), .count(rows),
                .count(width),
            ])
        let sums = empty([2], .int64, for: .workspace), address = write(sums)
        run(
            "loss_sums", .float32, LaunchShape(grid: 1, threads: 256),
            [.address(read(own)), .address(read(hits)), .count(rows), .address(address), .address(address + 8), .int(0)])
        withExtendedLifetime((perRow, hits)) {}
        let reading = readings.read(address, byteCount: 16)
        return CrossEntropySums {
            let from = reading?.bytes() ?? sums.readableAddress
            return (from.loadUnaligned(as: Double.self), Int(from.loadUnaligned(fromByteOffset: 8, as: Int64.self)))
        }
    }
}
