/// A micro-batch as the engine wants it: all sequences one after the other, no padding.
///
///     tokens             a0 a1 a2 | b0 b1
///     targets            a1 a2 -100 | b1 -100      the label of the next token, inside each sequence
///     positions          0 1 2 | 0 1
///     cumulativeLengths  0 3 5
public struct Batch: Sendable, Equatable {
    public var tokens: [Int32]
    /// What each token is to predict; -100 where nothing is learnt.
    public var targets: [Int32]
    public var positions: [Int32]
    /// Where sequences begin, and the end: one more than there are sequences.
    public var cumulativeLengths: [Int32]
    /// Samples (or packs) that `per_device_train_batch_size` counts.
    public var sampleCount: Int
    /// Targets that are not -100.
    public var lossTokenCount: Int
    /// Labels that are not -100, each sequence's first included, though nothing predicts it: what the Trainer divides losses by.
    public var labelCount: Int
    /// How the sequences belong together: with `.pairs` and `.feedback` the second half answers the first.
    public var arrangement = SampleStore.Arrangement.single
    /// Of feedback: whether each judged answer was wanted.
    public var isDesirable: [Bool] = []

    public init(
        tokens: [Int32] = [], targets: [Int32] = [], positions: [Int32] = [], cumulativeLengths: [Int32] = [0], sampleCount: Int = 0,
        lossTokenCount: Int = 0, labelCount: Int? = nil
    ) {
        self.tokens = tokens
        self.targets = targets
        self.positions = positions
        self.cumulativeLengths = cumulativeLengths
        self.sampleCount = sampleCount
        self.lossTokenCount = lossTokenCount
        self.labelCount = labelCount ?? lossTokenCount
    }

    /// A batch of these samples.
    public init(_ samples: [TrainingSample]) {
        self.init()
        for sample in samples { append(sample) }
        sampleCount = samples.count
    }

    /// Adds a sequence.
    public mutating func append(_ sample: TrainingSample) {
        let count = sample.tokens.count
        if count == 0 { return }
        let counted = lossTokenCount
        tokens += sample.tokens
        for index in 0..<count {
            let target = index + 1 < count ? sample.labels[index + 1] : ignoredLabel
            targets.append(target)
            if target != ignoredLabel { lossTokenCount += 1 }
            positions.append(Int32(index))
        }
        labelCount += lossTokenCount - counted + (sample.labels[0] == ignoredLabel ? 0 : 1)
        cumulativeLengths.append(Int32(tokens.count))
    }

    public var sequenceCount: Int { cumulativeLengths.count - 1 }
    public var longestSequence: Int { zip(cumulativeLengths.dropFirst(), cumulativeLengths).map { Int($0 - $1) }.max() ?? 0 }
}
