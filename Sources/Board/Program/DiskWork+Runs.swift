import Configuration
import Formats
import Platform
import Runs
import Terminal

extension DiskWork {
    static func rename(_ directory: String, to name: String, _ queue: ActionQueue) {
        attempt(queue) {
            try RunDirectory(directory).rename(to: name)
            return [.runRenamed(directory: directory, to: name)]
        }
    }

    /// What a form needs that is to take the run up.
    static func readFacts(_ directory: String, _ tab: Tab, _ queue: ActionQueue) {
        begin(queue) { [.runFactsRead(directory: directory, RunFacts.read(directory), for: tab)] }
    }

    /// Results and arguments of several runs, where they differ.
    static func compare(_ directories: [String], _ queue: ActionQueue) {
        attempt(queue) {
            let arguments = directories.map(KnownArguments.init)
            let records = directories.map { RunRecord(directory: RunDirectory($0)) }
            var rows = [
                RunComparison.Row(name: say("best loss"), values: records.map { Words.optional($0.bestLoss ?? $0.lowestLoss) }),
                RunComparison.Row(name: say("last loss"), values: records.map { Words.optional($0.lastLoss) }),
                RunComparison.Row(name: say("steps"), values: records.map { String($0.step) }),
                RunComparison.Row(name: say("epochs done"), values: records.map { $0.epoch > 0 ? NumberText.fixed($0.epoch, digits: 2) : "-" }),
                RunComparison.Row(name: say("tokens/s"), values: records.map { $0.tokensPerSecond.map(Words.speed) ?? "-" }),
            ].filter { row in row.values.contains { $0 != "-" } }
            if records.contains(where: { $0.status == .failed || $0.status == .crashed }) {
                rows.insert(RunComparison.Row(name: say("state"), values: records.map { say(key: $0.status.rawValue) }), at: 0)
            }
            var comparison = RunComparison(directories: directories, rows: rows, equalCount: 0)
            comparison.remarks = arguments.compactMap(\.remark)
            let complete = arguments.filter { $0.configuration != nil }
            // One configuration has nothing to be equal to.
            if complete.count < 2 { comparison.equalCount = nil }
            for argument in ArgumentTable.all where !argument.isSecret {
                let values = arguments.map { $0.text(argument.name) }
                if Set(values.compactMap { $0 }).count > 1 {
                    comparison.rows.append(RunComparison.Row(name: argument.name, values: values.map { $0 ?? "?" }))
                } else if let count = comparison.equalCount, complete.contains(where: { $0.configuration?.isChanged(argument.name) == true }) {
                    comparison.equalCount = count + 1
                }
            }
            return [.runsCompared(comparison)]
        }
    }

    static func checkExportTarget(_ path: String, _ queue: ActionQueue) {
        begin(queue) {
            let count = FileSystem.isDirectory(path) ? ((try? FileSystem.list(path)) ?? []).count : 0
            let neighbours = count > 0 ? (try? FileSystem.list(Path.directory(Path.absolute(Path.expandingTilde(path))))) ?? [] : []
            return [.exportTargetChecked(path: path, fileCount: count, neighbours: neighbours)]
        }
    }

    /// One line per point: series, place on the axis, value, smoothed value.
    static func exportChart(_ series: [PlotSeries], axis: String, to path: String, _ queue: ActionQueue) {
        attempt(queue) {
            var text = "series,\(axis),value,smoothed\n"
            for one in series {
                let name = one.name.contains(where: { ",\"\n".contains($0) }) ? "\"" + one.name.replacing("\"", with: "\"\"") + "\"" : one.name
                let smoothed = one.smoothedValues
                let ys = one.ys
                for (index, x) in one.xs.enumerated() {
                    let smooth = smoothed.indices.contains(index) ? NumberText.pythonFloat(smoothed[index]) : ""
                    text += "\(name),\(NumberText.pythonFloat(x)),\(NumberText.pythonFloat(ys[index])),\(smooth)\n"
                }
            }
            return try writing(text, to: path, overwrites: false)
        }
    }
}

/// The arguments of a run, as far as its folder tells. A run that failed early, or one of another program, may have left few or none.
private struct KnownArguments {
    let configuration: Configuration?
    /// What state.json says of a run without arguments.
    private let told: [String: String]
    /// What is not known and why; nil where all is.
    let remark: String?

    init(_ directory: String) {
        let run = RunDirectory(directory)
        let name = RunName.short(directory)
        guard FileSystem.exists(run.argumentsPath) else {
            configuration = nil
            let state = run.state()
            let pairs = [("model_name_or_path", state?.model), ("stage", state?.stage), ("finetuning_type", state?.method)]
            told = Dictionary(uniqueKeysWithValues: pairs.compactMap { key, value in value.flatMap { $0.isEmpty ? nil : (key, $0) } })
            remark = say("\(name) left no training_args.yaml: its arguments are not known.")
            return
        }
        told = [:]
        do {
            configuration = try Configuration.load(file: run.argumentsPath, overrides: [])
            remark = nil
        } catch {
            configuration = nil
            remark = say("\(name): its training_args.yaml cannot be read: \(String(describing: error))")
        }
    }

    func text(_ argument: String) -> String? { configuration?.text(argument) ?? told[argument] }
}
