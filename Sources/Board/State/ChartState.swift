import Terminal

/// How the plots of the Monitor are looked at.
public struct ChartState: Sendable, Equatable {
    /// What s walks through; , and . go by smaller steps.
    public static let smoothingFactors = [0.0, 0.6, 0.9, 0.99]
    static let fineFactors = [
        0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999,
    ]

    public var metric = Metric.loss
    /// The part of the axes in view, the scale and the reading cursor.
    public var view = PlotView()
    /// The factor of the moving average; 0 for none.
    public var smoothing = 0.9
    public var axis = ChartAxis.step
    /// Every metric in a plot of its own, instead of one large one.
    public var isGrid = false

    public init() {}

    /// The next of the usual factors.
    mutating func cycleSmoothing() { smoothing = Self.smoothingFactors.first { $0 > smoothing + 1e-9 } ?? 0 }

    mutating func adjustSmoothing(isMore: Bool) {
        let all = Self.fineFactors
        smoothing = isMore ? all.first { $0 > smoothing + 1e-9 } ?? smoothing : all.last { $0 < smoothing - 1e-9 } ?? 0
    }
}

/// Another run laid under the charts.
public struct OverlayRun: Sendable, Equatable {
    public var directory: String
    public var metrics: MetricsStore

    public init(directory: String, metrics: MetricsStore) {
        self.directory = directory
        self.metrics = metrics
    }
}
