/// `tuneboard runs`: what is in saves/, and requests to runs that are at work.

import Events
import Formats
import Glibc
import Platform
import Runs

enum RunsCommand {
    static func run(_ invocation: Invocation) throws -> Int32 {
        var words = invocation.words
        let action = words.isEmpty ? "list" : words.removeFirst()
        switch action {
        case "list":
            return list(words.first ?? "saves", isJSON: invocation.isJSON)
        case "show":
            return show(try find(words, action), isJSON: invocation.isJSON)
        case "follow":
            return follow(try find(words, action), isJSON: invocation.isJSON)
        case "stop":
            return try request(.stopAndSave, try find(words, action), isJSON: invocation.isJSON)
        case "save", "pause", "resume", "abort":
            guard let request = ControlRequest(controlWord: action) else { return ExitCode.usage }
            return try self.request(request, try find(words, action), isJSON: invocation.isJSON)
        case "delete":
            return try delete(try find(words, action), isSure: invocation.has("yes"))
        default:
            if FileSystem.isDirectory(action), words.isEmpty { return list(action, isJSON: invocation.isJSON) }
            throw UsageError("`\(action)` is not one of list, show, follow, stop, save, pause, resume, abort, delete.")
        }
    }

    /// A run by its directory, or by the end of its path under saves/.
    private static func find(_ words: [String], _ action: String) throws -> RunRecord {
        guard let word = words.first, words.count == 1 else { throw UsageError("which run? tuneboard runs \(action) RUN") }
        if RunDirectory(word).isRun { return try RunCatalog.record(at: word) }
        let matches = RunCatalog.scan().filter { $0.directory.path == word || $0.directory.path.hasSuffix("/" + word) }
        guard let record = matches.first else { throw RunError.notARun(path: word) }
        guard matches.count == 1 else {
            let paths = matches.map { shortPath($0) }.joined(separator: ", ")
            throw UsageError("`\(word)` may be any of \(paths): give more of the path.")
        }
        return record
    }

    private static func list(_ root: String, isJSON: Bool) -> Int32 {
        let records = RunCatalog.scan(root)
        if isJSON {
            for record in records { Output.print(JSONValue.object(object(record)).text(style: .python)) }
            return ExitCode.done
        }
        guard !records.isEmpty else {
            Output.message("There are no runs under \(root).")
            return ExitCode.done
        }
        var rows = [["RUN", "STATUS", "KIND", "STEP", "LOSS", "BEST EVAL", "UPDATED"]]
        rows += records.map { record in
            [
                shortPath(record), record.status.rawValue, kind(record), steps(record), loss(record.lastLoss), loss(record.bestLoss),
                record.updateTime > 0 ? Clock.isoText(record.updateTime) : "-",
            ]
        }
        for line in Columns.lines(rows) { Output.print(line) }
        return ExitCode.done
    }

    private static func show(_ record: RunRecord, isJSON: Bool) -> Int32 {
        if isJSON {
            Output.print(JSONValue.object(object(record)).text(style: .indented(2)))
            return ExitCode.done
        }
        var rows = [
            ["run", shortPath(record)], ["status", record.status.rawValue], ["kind", kind(record)], ["model", record.model],
            ["step", steps(record)], ["epoch", NumberText.plain(record.epoch, digits: 2)], ["loss", loss(record.lastLoss)],
            ["best eval loss", loss(record.bestLoss)],
        ]
        if let speed = record.tokensPerSecond { rows.append(["speed", EventText.rate(speed)]) }
        if record.isLive, let seconds = record.remainingSeconds { rows.append(["remaining", NumberText.duration(seconds)]) }
        if record.startTime > 0 { rows.append(["started", Clock.isoText(record.startTime)]) }
        if record.updateTime > 0 { rows.append(["updated", Clock.isoText(record.updateTime)]) }
        if let process = record.processIdentifier, record.isLive { rows.append(["process", String(process)]) }
        for checkpoint in record.checkpoints {
            rows.append(["checkpoint", "\(Path.name(checkpoint.path))  \(NumberText.bytes(checkpoint.bytes))"])
        }
        if !record.message.isEmpty { rows.append(["message", record.message]) }
        for line in Columns.lines(rows) { Output.print(line) }
        return ExitCode.done
    }

    /// Prints what the run says until it ends. Ctrl+C ends the following, not the run.
    private static func follow(_ record: RunRecord, isJSON: Bool) -> Int32 {
        let follower = RunFollower(record.directory)
        while true {
            let update = follower.poll()
            for event in update.events { printFollowed(event, isJSON: isJSON) }
            if update.hasMore { continue }
            guard follower.record.isLive else { break }
            Clock.sleep(seconds: 0.3)
        }
        return follower.record.status == .finished || follower.record.status == .stopped ? ExitCode.done : ExitCode.failed
    }

    private static func printFollowed(_ event: JobEvent, isJSON: Bool) {
        if isJSON {
            Output.print(EventJSON.line(event))
            return
        }
        switch event {
        case .step(let metrics): if metrics.isLogged { Output.print(EventText.line(metrics)) }
        case .evaluation(let metrics): Output.print(EventText.line(metrics))
        case .log(let record): Output.message(EventText.line(record))
        case .checkpoint(let record): Output.print(EventText.line(record))
        case .state(let state): Output.message("[" + state.rawValue + "]")
        case .phase, .planned, .progress, .sample, .finished, .failed: break
        }
    }

    private static func request(_ request: ControlRequest, _ record: RunRecord, isJSON: Bool) throws -> Int32 {
        try record.directory.request(request)
        // The run takes the file away when it has read it.
        let end = Clock.monotonicSeconds() + 5
        while FileSystem.exists(record.directory.controlPath), Clock.monotonicSeconds() < end { Clock.sleep(seconds: 0.05) }
        let isTaken = !FileSystem.exists(record.directory.controlPath)
        let text = isTaken ? "asked \(shortPath(record)) to \(request.controlWord ?? "")" : "the run in \(shortPath(record)) has not answered yet"
        if isJSON {
            let pairs: [(String, JSONValue)] = [
                ("run", .string(record.directory.path)), ("request", .string(request.controlWord ?? "")), ("taken", .bool(isTaken)),
            ]
            Output.print(JSONValue.object(JSONObject(pairs)).text(style: .python))
        } else {
            Output.print(text)
        }
        return isTaken ? ExitCode.done : ExitCode.failed
    }

    private static func delete(_ record: RunRecord, isSure: Bool) throws -> Int32 {
        if !isSure {
            guard Output.isInputTerminal else { throw UsageError("deleting needs --yes when nobody can be asked.") }
            Output.message("Delete \(shortPath(record)) with \(NumberText.bytes(FileSystem.treeSize(record.directory.path)))? [y/N] ", terminator: "")
            guard let answer = readLine(), answer.lowercased().hasPrefix("y") else { return ExitCode.failed }
        }
        try record.directory.delete()
        Output.print("deleted \(shortPath(record))")
        return ExitCode.done
    }

    private static func shortPath(_ record: RunRecord) -> String { Path.relative(record.directory.path, to: FileSystem.currentDirectory) }
    private static func loss(_ value: Double?) -> String { value.map { NumberText.plain($0, digits: 4) } ?? "-" }
    private static func steps(_ record: RunRecord) -> String { record.totalSteps > 0 ? "\(record.step)/\(record.totalSteps)" : "-" }

    private static func kind(_ record: RunRecord) -> String {
        record.kind == .train ? [record.stage, record.method].filter { !$0.isEmpty }.joined(separator: " ") : record.kind.rawValue
    }

    private static func object(_ record: RunRecord) -> JSONObject {
        func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
        return JSONObject([
            ("directory", .string(record.directory.path)), ("origin", .string(record.origin.rawValue)),
            ("status", .string(record.status.rawValue)), ("kind", .string(record.kind.rawValue)), ("model", .string(record.model)),
            ("stage", .string(record.stage)), ("finetuning_type", .string(record.method)), ("phase", .string(record.phase)),
            ("step", .integer(Int64(record.step))), ("total_steps", .integer(Int64(record.totalSteps))), ("epoch", .number(record.epoch)),
            ("loss", number(record.lastLoss)), ("best_eval_loss", number(record.bestLoss)),
            ("tokens_per_second", number(record.tokensPerSecond)), ("remaining_seconds", number(record.remainingSeconds)),
            ("started_at", .number(record.startTime)), ("updated_at", .number(record.updateTime)),
            ("pid", record.processIdentifier.map { .integer(Int64($0)) } ?? .null),
            ("checkpoints", .array(record.checkpoints.map { .string($0.path) })), ("message", .string(record.message)),
        ])
    }
}
