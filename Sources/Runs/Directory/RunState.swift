/// state.json: who runs a job and how far it has come, written by the run and read by everybody else.

import Events
import Formats

/// The contents of state.json. Rewritten about once a second while a job runs, always as a whole (written beside and renamed).
public struct RunState: Sendable, Equatable {
    public var kind: JobKind
    public var status: JobState
    public var process: ProcessIdentity
    /// Seconds since 1970-01-01 UTC.
    public var startTime: Double
    public var updateTime: Double
    public var endTime: Double?
    public var phase: String
    public var step: Int
    public var totalSteps: Int
    public var epoch: Double
    public var loss: Double?
    /// Lowest evaluation loss so far and the step it was seen at.
    public var bestLoss: Double?
    public var bestStep: Int?
    public var tokensPerSecond: Double?
    public var remainingSeconds: Double?
    public var model: String
    public var stage: String
    public var method: String
    /// The sentence that goes with the end: what was reached, or what failed.
    public var message: String

    public init(
        kind: JobKind, status: JobState, process: ProcessIdentity, startTime: Double, model: String = "", stage: String = "",
        method: String = ""
    ) {
        self.kind = kind
        self.status = status
        self.process = process
        self.startTime = startTime
        self.updateTime = startTime
        self.phase = ""
        self.step = 0
        self.totalSteps = 0
        self.epoch = 0
        self.model = model
        self.stage = stage
        self.method = method
        self.message = ""
    }

    /// The file's text, indented, keys in reading order.
    public func text() -> String {
        var pairs: [(String, JSONValue)] = [
            ("program", .string("tuneboard")),
            ("kind", .string(kind.rawValue)),
            ("status", .string(status.rawValue)),
            ("pid", .integer(Int64(process.processIdentifier))),
            ("process_start", .integer(Int64(process.startTicks))),
            ("host", .string(process.host)),
            ("boot_id", .string(process.bootIdentifier)),
            ("started_at", .number(startTime)),
            ("updated_at", .number(updateTime)),
        ]
        if let endTime { pairs.append(("ended_at", .number(endTime))) }
        pairs += [
            ("phase", .string(phase)),
            ("step", .integer(Int64(step))),
            ("total_steps", .integer(Int64(totalSteps))),
            ("epoch", .number(epoch)),
        ]
        if let loss { pairs.append(("loss", .number(loss))) }
        if let bestLoss { pairs.append(("best_eval_loss", .number(bestLoss))) }
        if let bestStep { pairs.append(("best_step", .integer(Int64(bestStep)))) }
        if let tokensPerSecond { pairs.append(("tokens_per_second", .number(tokensPerSecond))) }
        if let remainingSeconds { pairs.append(("remaining_seconds", .number(remainingSeconds))) }
        pairs += [
            ("model", .string(model)),
            ("stage", .string(stage)),
            ("finetuning_type", .string(method)),
            ("message", .string(message)),
        ]
        return JSONValue.object(JSONObject(pairs)).text(style: .indented(2)) + "\n"
    }

    /// Reads a state.json. Nil when the text is not one: half-written, broken, or another program's file of that name.
    public init?(text: String) {
        guard let object = (try? JSONValue.parse(text, name: "state.json"))?.objectValue,
            let kind = object["kind"]?.stringValue.flatMap(JobKind.init(rawValue:)),
            let status = object["status"]?.stringValue.flatMap(JobState.init(rawValue:)),
            let processIdentifier = object["pid"]?.intValue
        else { return nil }
        let process = ProcessIdentity(
            processIdentifier: Int32(truncatingIfNeeded: processIdentifier), startTicks: object["process_start"]?.intValue ?? 0,
            host: object["host"]?.stringValue ?? "", bootIdentifier: object["boot_id"]?.stringValue ?? "")
        self.init(
            kind: kind, status: status, process: process, startTime: object["started_at"]?.doubleValue ?? 0,
            model: object["model"]?.stringValue ?? "", stage: object["stage"]?.stringValue ?? "",
            method: object["finetuning_type"]?.stringValue ?? "")
        updateTime = object["updated_at"]?.doubleValue ?? startTime
        endTime = object["ended_at"]?.doubleValue
        phase = object["phase"]?.stringValue ?? ""
        step = object["step"]?.intValue ?? 0
        totalSteps = object["total_steps"]?.intValue ?? 0
        epoch = object["epoch"]?.doubleValue ?? 0
        loss = object["loss"]?.doubleValue
        bestLoss = object["best_eval_loss"]?.doubleValue
        bestStep = object["best_step"]?.intValue
        tokensPerSecond = object["tokens_per_second"]?.doubleValue
        remainingSeconds = object["remaining_seconds"]?.doubleValue
        message = object["message"]?.stringValue ?? ""
    }

    /// Takes over what an event says.
    mutating func apply(_ event: JobEvent) {
        switch event {
        case .phase(let name):
            phase = name
        case .planned(let plan):
            if totalSteps == 0 { totalSteps = plan.totalSteps }
        case .step(let metrics):
            step = metrics.step
            totalSteps = metrics.totalSteps
            epoch = metrics.epoch
            if let value = metrics.loss { loss = value }
            if let value = metrics.tokensPerSecond { tokensPerSecond = value }
            remainingSeconds = metrics.remainingSeconds
        case .evaluation(let metrics):
            guard let value = metrics.loss, value.isFinite, value < bestLoss ?? .infinity else { return }
            bestLoss = value
            bestStep = metrics.step
        case .progress(let record):
            guard kind != .train else { return }
            step = record.completed
            totalSteps = record.total
        case .state(let state):
            status = state
        case .finished(let summary):
            message = summary.text
        case .failed(let failure):
            message = failure.description
        case .log, .checkpoint, .sample:
            break
        }
    }
}
