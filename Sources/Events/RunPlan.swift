/// What a run will do and need, known before its first step.

/// One named piece of the memory a run needs, such as "weights" or "optimizer".
public struct MemoryPart: Sendable, Equatable {
    public var part: String
    public var bytes: Int64

    public init(part: String, bytes: Int64) {
        self.part = part
        self.bytes = bytes
    }
}

/// The estimate that is shown before a run starts.
public struct RunPlan: Sendable, Equatable {
    public var modelName: String
    public var architecture: String
    public var parameterCount: Int
    public var trainableCount: Int

    public var samples: Int
    public var evalSamples: Int
    public var tokens: Int
    /// Tokens that carry loss; the rest is prompt.
    public var lossTokens: Int
    public var truncatedSamples: Int
    public var droppedSamples: Int
    /// Samples without one token that carries loss.
    public var fullyMaskedSamples: Int
    /// Tokens of the longest sample.
    public var longestSample: Int

    public var stepsPerEpoch: Int
    public var totalSteps: Int
    /// Samples per optimiser step: batch size times accumulation.
    public var effectiveBatch: Int

    /// Seconds of a step, where something has measured one.
    public var stepSeconds: Double?
    /// The earlier run that the time is told by; empty when a step was measured for this plan.
    public var measuredBy = ""
    /// Seconds of all steps together, evaluations and checkpoints left out.
    public var trainingSeconds: Double? { stepSeconds.map { $0 * Double(totalSteps) } }

    public var memory: [MemoryPart]
    public var peakBytes: Int64
    public var availableBytes: Int64
    public var checkpointBytes: Int64
    public var freeDiskBytes: Int64
    public var warnings: [String]
    /// Files that the job writes, where they are known by name.
    public var outputs: [MemoryPart] = []
    /// In what those are written: "bfloat16", "GGUF Q4_K_M"; empty where there is nothing to tell.
    public var outputFormat = ""

    public init(
        modelName: String = "", architecture: String = "", parameterCount: Int = 0, trainableCount: Int = 0, samples: Int = 0,
        evalSamples: Int = 0, tokens: Int = 0, lossTokens: Int = 0, truncatedSamples: Int = 0, droppedSamples: Int = 0,
        fullyMaskedSamples: Int = 0, longestSample: Int = 0, stepsPerEpoch: Int = 0, totalSteps: Int = 0,
        effectiveBatch: Int = 0, memory: [MemoryPart] = [], peakBytes: Int64 = 0, availableBytes: Int64 = 0,
        checkpointBytes: Int64 = 0, freeDiskBytes: Int64 = 0, warnings: [String] = []
    ) {
        self.modelName = modelName
        self.architecture = architecture
        self.parameterCount = parameterCount
        self.trainableCount = trainableCount
        self.samples = samples
        self.evalSamples = evalSamples
        self.tokens = tokens
        self.lossTokens = lossTokens
        self.truncatedSamples = truncatedSamples
        self.droppedSamples = droppedSamples
        self.fullyMaskedSamples = fullyMaskedSamples
        self.longestSample = longestSample
        self.stepsPerEpoch = stepsPerEpoch
        self.totalSteps = totalSteps
        self.effectiveBatch = effectiveBatch
        self.memory = memory
        self.peakBytes = peakBytes
        self.availableBytes = availableBytes
        self.checkpointBytes = checkpointBytes
        self.freeDiskBytes = freeDiskBytes
        self.warnings = warnings
    }
}
