import CKernels

extension CPUBackend {
    public func entropies(logits: Tensor) -> [Float] {
        let rows = logits.rowCount, width = logits.columnCount
        let values = logits.floatPointer
        let found = empty([rows], .float32)
        let each = found.floatPointer
        forEachChunk(of: rows, size: max(1, (1 << 14) / max(1, width))) { start, count in
            for row in start..<start + count {
                var best: Int32 = 0, sum: Float = 0
                let line = values + row * width
                each[row] = tb_entropy(line, width, tb_log_sum_exp(line, width, &best, &sum))
            }
        }
        return found.floats()
    }

    public func crossEntropy(
        logits: Tensor, targets: Tensor, weight: CrossEntropyWeight?, labelSmoothing: Float, losses: Tensor?
    ) -> CrossEntropySums {
        let rows = logits.rowCount, width = logits.columnCount
        let values = logits.floatPointer, wanted = targets.integerPointer
        let each = losses ?? empty([rows], .float32)
        let hits = empty([rows], .int32)
        let loss = each.floatPointer, hit = hits.integerPointer
        let rowsPerChunk = max(1, (1 << 14) / max(1, width))
        func finish(_ row: Int) {
            let line = values + row * width, target = wanted[row]
            precondition(target >= 0 && Int(target) < width, "target \(target) outside \(width) logits")
            var best: Int32 = 0, sum: Float = 0
            let logSumExp = tb_log_sum_exp(line, width, &best, &sum)
            let mean = labelSmoothing == 0 ? 0 : labelSmoothing * sum / Float(width)
            loss[row] = logSumExp - (1 - labelSmoothing) * line[Int(target)] - mean
            hit[row] = best == target ? 1 : 0
            switch weight {
            case nil: break
            case .uniform(let factor): tb_cross_entropy_gradient(line, width, logSumExp, target, factor, labelSmoothing)
            case .perRow(let factors):
                tb_cross_entropy_gradient(line, width, logSumExp, target, factors.floatPointer[row], labelSmoothing)
            }
        }
        forEachChunk(of: rows, size: rowsPerChunk) { start, count in
            for row in start..<start + count { finish(row) }
        }
        var sum = 0.0, correctCount = 0
        for row in 0..<rows {
            sum += Double(loss[row])
            correctCount += Int(hit[row])
        }
        return CrossEntropySums(loss: sum, correctCount: correctCount)
    }
}
