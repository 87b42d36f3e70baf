import CKernels

/// What samplers look for in a row of logits, at the speed of reading it.
public enum LogitScan {
    /// The place of the first of the largest.
    public static func largest(_ logits: UnsafeBufferPointer<Float>) -> Int {
        guard let from = logits.baseAddress else { return 0 }
        return tb_largest(from, logits.count)
    }

    /// The sum of `exp(scale * (logit - largest))`; `scale` is above 0.
    public static func mass(_ logits: UnsafeBufferPointer<Float>, scale: Float) -> Float {
        guard let from = logits.baseAddress else { return 0 }
        return Float(tb_exponential_mass(from, logits.count, scale, from[tb_largest(from, logits.count)]))
    }

    /// Calls `body` with the places of stretches that hold a number of at least `limit()`, which is asked again for each stretch;
    /// `body` still has to look itself.
    public static func forEachStretch(
        of logits: UnsafeBufferPointer<Float>, from first: Int, above limit: () -> Float, _ body: (Int) -> Void
    ) {
        guard let from = logits.baseAddress else { return }
        for start in stride(from: first, to: logits.count, by: 128) {
            let count = min(128, logits.count - start)
            guard tb_reaches(from + start, count, limit()) != 0 else { continue }
            for index in start..<start + count { body(index) }
        }
    }
}
