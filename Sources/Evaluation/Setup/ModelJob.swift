/// What every job on a finished model does first: it makes its output folder, reads its data, and loads the model when the data are
/// known to be good. And how it ends when somebody stops it.

import Configuration
import Events
import Models

public struct ModelJob {
    public let configuration: Configuration
    public let reporter: JobReporter
    public let control: JobControl

    public init(configuration: Configuration, sink: any EventSink, control: JobControl) {
        self.configuration = configuration
        reporter = JobReporter(sink)
        self.control = control
    }

    /// Does the work in `output_dir`; when somebody stops it, the summary says what became of it.
    public func run(stopped: (_ output: String) -> String, _ work: (_ output: String) throws -> JobSummary) throws -> JobSummary {
        try run(in: try EngineSetup.outputDirectory(configuration), stopped: stopped, work)
    }

    /// The same in a folder of its own, or in none.
    func run(in output: String, stopped: (_ output: String) -> String, _ work: (_ output: String) throws -> JobSummary) throws -> JobSummary {
        do { return try work(output) } catch Interruption.stopped {
            reporter.sink.emit(.state(.stopped))
            return JobSummary(outputDirectory: output, text: stopped(output))
        }
    }

    /// Reads the data with the model's tokenizer, then loads the model.
    /// - Parameters:
    ///   - read: the data.
    ///   - check: refuses data that the model cannot take.
    public func load<Content>(
        _ read: (TextSetup) throws -> Content, check: (Content, Transformer) throws -> Void
    ) throws -> (data: Content, model: Transformer) {
        let backend = try EngineSetup.backend(configuration)
        reporter.phase("tokenising")
        let data = try read(try TextSetup(configuration, directory: EngineSetup.modelDirectory(configuration), reporter: reporter))
        reporter.phase("loading the model")
        let model = try EngineSetup.model(configuration, backend: backend)
        for note in model.adapterNotes { reporter.log(.warning, note) }
        try check(data, model)
        return (data, model)
    }

    /// Between two pieces of work: waits while paused, leaves when asked to.
    public func heed() throws { try control.heed(reporter.sink) }
}
