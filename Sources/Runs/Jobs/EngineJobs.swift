/// The jobs of the engine by their kind.

import Configuration
import Evaluation
import Events
import Exporting
import Training

/// What each kind of job does.
public enum EngineJobs {
    public static let run: JobBody = { kind, configuration, sink, control in
        let configuration = try ModelLocation.resolved(configuration)
        switch kind {
        case .train:
            return try TrainingJob(configuration: configuration, sink: sink, control: control).run()
        case .evaluate where !configuration[.task].isEmpty:
            return try BenchmarkJob(configuration: configuration, sink: sink, control: control).run()
        case .evaluate where StageEvaluationJob.serves(configuration):
            return try StageEvaluationJob(configuration: configuration, sink: sink, control: control).run()
        case .evaluate:
            return try EvaluationJob(configuration: configuration, sink: sink, control: control).run()
        case .predict:
            return try PredictionJob(configuration: configuration, sink: sink, control: control).run()
        case .export:
            return try ExportJob(configuration: configuration, sink: sink, control: control).run()
        case .chat:
            throw RunError.cannotStart(reason: "a chat is not a job; ChatService runs it.")
        }
    }

    /// Best-of-N sampling into a file of scored answers; what happens meanwhile is told in lines.
    public static func sampleAnswers(
        _ configuration: Configuration, count: Int, output: String, best: String?, overwrites: Bool, tell: @escaping @Sendable (String) -> Void
    ) throws -> (questions: Int, mean: Double, meanOfBest: Double) {
        try AnswerSampling(
            try ModelLocation.resolved(configuration), answerCount: count, overwrites: overwrites, sink: LineSink(tell: tell), control: JobControl()
        ).run(output: output, best: best)
    }

    /// What tells the perplexity of texts under the configuration's model.
    public static func perplexities(_ configuration: Configuration, tell: @escaping @Sendable (String) -> Void) throws -> ([String]) throws -> [Double] {
        let scorer = try TextPerplexity(try ModelLocation.resolved(configuration), sink: LineSink(tell: tell), control: JobControl())
        return { try scorer.measure($0) }
    }

    private final class LineSink: EventSink {
        private let tell: @Sendable (String) -> Void

        init(tell: @escaping @Sendable (String) -> Void) { self.tell = tell }

        func emit(_ event: JobEvent) {
            switch event {
            case .log(let record): tell(record.text)
            case .progress(let record): tell("\(record.phase) \(record.completed)/\(record.total)")
            case .phase, .planned, .step, .evaluation, .checkpoint, .sample, .state, .finished, .failed: break
            }
        }
    }

    /// The estimate of a training. It reads the data and the model's headers and cannot be interrupted; one that is no longer
    /// wanted is thrown away when it is done.
    public static let plan: Planner.Body = { configuration, _ in
        try TrainingJob.plan(try ModelLocation.resolved(configuration))
    }

    /// The same with a step measured on the loaded model.
    public static let measuredPlan: Planner.Body = { configuration, _ in
        try TrainingJob.plan(try ModelLocation.resolved(configuration), measuresStep: true)
    }
}
