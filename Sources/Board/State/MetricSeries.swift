import Terminal

/// A quantity that the chart can show.
public struct Metric: Sendable, Hashable {
    /// `loss`, `learning_rate`, `grad_norm`, `tokens_per_second`, or a name that the run logged.
    public let name: String

    public init(_ name: String) { self.name = name }

    public static let loss = Metric("loss")
    public static let evaluationLoss = Metric("eval_loss")
    public static let learningRate = Metric("learning_rate")
    public static let gradientNorm = Metric("grad_norm")
    public static let tokensPerSecond = Metric("tokens_per_second")

    /// What follows a plan, as the learning rate does, and what is measured once in a while needs no smoothing.
    public var isSmoothed: Bool { self != .learningRate && self != .evaluationLoss }

    public var title: String {
        switch name {
        case "learning_rate": say("learning rate")
        case "grad_norm": say("gradient norm")
        case "tokens_per_second": "tokens/s"
        case "eval_loss": say("eval loss")
        default: name
        }
    }
}

/// Every series of a run over its steps, by name, in order of first appearance. NaN is kept and shown as a gap.
public struct MetricsStore: Sendable, Equatable {
    public private(set) var order: [Metric] = []
    private var series: [Metric: PlotSeries] = [:]
    private var smoothing: Double

    public init(smoothing: Double = 0) { self.smoothing = smoothing }

    public subscript(_ metric: Metric) -> PlotSeries { series[metric] ?? PlotSeries(name: metric.title) }

    /// Adds a point. A step that was there already (a resumed run repeats some) replaces everything from it on.
    public mutating func append(_ metric: Metric, step: Int, value: Double) {
        if series[metric] == nil {
            order.append(metric)
            let isEvaluation = metric == .evaluationLoss
            series[metric] = PlotSeries(
                name: isEvaluation ? "eval" : metric.title, kind: isEvaluation ? .points : .line,
                smoothing: metric.isSmoothed ? smoothing : 0)
        }
        series[metric]?.append(x: Double(step), y: value)
    }

    public mutating func setSmoothing(_ factor: Double) {
        smoothing = factor
        for metric in order where metric.isSmoothed { series[metric]?.setSmoothing(factor) }
    }

    /// What `m` walks through: the usual four first, then whatever else was logged. Evaluation loss is drawn over the loss
    /// and is a chart of its own only when there is no training loss.
    public var charts: [Metric] {
        let usual: [Metric] = [.loss, .learningRate, .gradientNorm, .tokensPerSecond]
        let known = usual.filter { series[$0] != nil }
        let rest = order.filter { !usual.contains($0) && ($0 != .evaluationLoss || series[.loss] == nil) }
        let all = known + rest
        return all.isEmpty ? [.loss] : all
    }
}
