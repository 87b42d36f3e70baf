/// What a stage learns. The loop knows nothing else of it: it hands over micro-batches, clips and updates.

import Datasets
import Formats
import Tensors

/// What one micro-batch gave.
public struct ObjectiveResult: Sendable {
    private let part: PendingNumber
    public var metrics = MetricSums()

    public init(loss: Double, metrics: MetricSums = MetricSums()) {
        part = PendingNumber(loss)
        self.metrics = metrics
    }

    /// - Parameter pending: a loss that may still be on its way from a card
    public init(pending: @escaping () -> Double) { part = PendingNumber(pending) }

    /// This micro-batch's part of the step's loss.
    public var loss: Double { part.value }
}

public protocol Objective: AnyObject {
    /// What a micro-batch counts in its step: the losses of a step are summed and divided by the sum of these.
    func weight(of batch: Batch) -> Int

    /// Forward and backward of one micro-batch; gradients are added to the parameters'.
    /// - Parameters:
    ///   - tape: records, and carries the random numbers that belong to the micro-batch's place in the run.
    ///   - divisor: the sum of the weights of the step's micro-batches.
    func accumulate(_ batch: Batch, tape: Tape, divisor: Int) -> ObjectiveResult

    /// The mean loss of a batch, and the metrics, without gradients.
    func measure(_ batch: Batch) -> ObjectiveResult

    /// What is trained beside the model's own parameters.
    var parameters: [Parameter] { get }

    /// What a checkpoint has to keep beside weights and optimizer; empty for most.
    var memory: JSONObject { get set }

    /// Bytes of further models that it keeps in memory.
    var residentBytes: Int64 { get }
}

extension Objective {
    public var parameters: [Parameter] { [] }
    public var memory: JSONObject {
        get { [:] }
        set {}
    }
    public var residentBytes: Int64 { 0 }
}

/// Named means in the making: sums and how much each weighs, in the order of their first appearance.
public struct MetricSums: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        var name: String
        var sum: Double
        var weight: Double
    }

    private(set) var entries: [Entry] = []

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }

    /// - Parameters:
    ///   - sum: the values together.
    ///   - weight: how many there are.
    public mutating func add(_ name: String, sum: Double, weight: Double) {
        if let index = entries.firstIndex(where: { $0.name == name }) {
            entries[index].sum += sum
            entries[index].weight += weight
        } else {
            entries.append(Entry(name: name, sum: sum, weight: weight))
        }
    }

    public mutating func add(_ name: String, _ values: [Double]) {
        if !values.isEmpty { add(name, sum: values.reduce(0, +), weight: Double(values.count)) }
    }

    public mutating func merge(_ other: MetricSums) {
        for entry in other.entries { add(entry.name, sum: entry.sum, weight: entry.weight) }
    }

    /// Name and mean of each. Where wanted and unwanted answers are counted apart, the margin is the difference of their means.
    public var means: [(name: String, value: Double)] {
        var means = entries.map { (name: $0.name, value: $0.sum / $0.weight) }
        func mean(_ name: String) -> Double? { means.first { $0.name == name }?.value }
        if mean("rewards/margins") == nil, let chosen = mean("rewards/chosen"), let rejected = mean("rewards/rejected") {
            means.append(("rewards/margins", chosen - rejected))
        }
        return means
    }

    // MARK: In a checkpoint

    init(_ object: JSONObject) {
        for (name, value) in object {
            guard let sum = value[0]?.doubleValue, let weight = value[1]?.doubleValue else { continue }
            entries.append(Entry(name: name, sum: sum, weight: weight))
        }
    }

    func json() -> JSONObject { JSONObject(entries.map { ($0.name, .array([.number($0.sum), .number($0.weight)])) }) }
}
