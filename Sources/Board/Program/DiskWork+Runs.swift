import Configuration
import Formats
import Platform
import Runs
import Terminal

extension DiskWork {
    static func rename(_ directory: String, to name: String, _ queue: ActionQueue) {
        begin(queue) {
            do {
                try RunDirectory(directory).rename(to: name)
                return [.runRenamed(directory: directory, to: name)]
            } catch {
                return failure(error)
            }
        }
    }

    /// Results and arguments of several runs, where they differ.
    static func compare(_ directories: [String], _ queue: ActionQueue) {
        begin(queue) {
            do {
                // A run of another program may have left no arguments: then its results alone are compared.
                let configurations = try directories.map { directory -> Configuration? in
                    let path = RunDirectory(directory).argumentsPath
                    return FileSystem.exists(path) ? try Configuration.load(file: path, overrides: []) : nil
                }
                let records = directories.map { RunRecord(directory: RunDirectory($0)) }
                var rows = [
                    RunComparison.Row(name: "best loss", values: records.map { Words.optional($0.bestLoss) }),
                    RunComparison.Row(name: "last loss", values: records.map { Words.optional($0.lastLoss) }),
                    RunComparison.Row(name: "steps", values: records.map { String($0.step) }),
                    RunComparison.Row(name: "epochs done", values: records.map { $0.epoch > 0 ? NumberText.fixed($0.epoch, digits: 2) : "-" }),
                    RunComparison.Row(name: "tokens/s", values: records.map { $0.tokensPerSecond.map(Words.speed) ?? "-" }),
                ].filter { row in row.values.contains { $0 != "-" } }
                var equalCount = 0
                for argument in ArgumentTable.all where !argument.isSecret {
                    let known = configurations.compactMap { $0?.text(argument.name) }
                    if Set(known).count > 1 {
                        rows.append(RunComparison.Row(name: argument.name, values: configurations.map { $0?.text(argument.name) ?? "?" }))
                    } else if known.count > 1, configurations.contains(where: { $0?.isChanged(argument.name) == true }) {
                        equalCount += 1
                    }
                }
                return [.runsCompared(RunComparison(directories: directories, rows: rows, equalCount: equalCount))]
            } catch {
                return failure(error)
            }
        }
    }

    static func checkExportTarget(_ path: String, _ queue: ActionQueue) {
        begin(queue) {
            let count = FileSystem.isDirectory(path) ? ((try? FileSystem.list(path)) ?? []).count : 0
            return [.exportTargetChecked(path: path, fileCount: count)]
        }
    }

    /// One line per point: series, place on the axis, value, smoothed value.
    static func exportChart(_ series: [PlotSeries], axis: String, to path: String, _ queue: ActionQueue) {
        begin(queue) {
            do {
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
                guard !FileSystem.exists(path) else { return [.fileExists(path: path, text: text)] }
                try prepareDirectory(of: path)
                try FileSystem.writeAtomically(path, text: text)
                return [.notify(StatusMessage(.success, say("Wrote \(path)")))]
            } catch {
                return failure(error)
            }
        }
    }

    // MARK: Queue

    private static let queuePath = "saves/.queue.json"

    /// Keeps the queue beside the runs that it is about, so that it is there when the board opens again.
    static func saveQueue(_ jobs: [QueuedRun], _ queue: ActionQueue) {
        begin(queue) { storeQueue(jobs).map(failure) ?? [] }
    }

    /// - Returns: what went wrong, if anything did.
    @discardableResult
    static func storeQueue(_ jobs: [QueuedRun]) -> (any Error)? {
        do {
            if jobs.isEmpty {
                if FileSystem.exists(queuePath) { try FileSystem.remove(queuePath) }
                return nil
            }
            let list = jobs.map { job in
                JSONValue.object(JSONObject([
                    ("command", .string(job.tab.command.rawValue)), ("title", .string(job.title)), ("recipe", .string(job.recipe)),
                ]))
            }
            try prepareDirectory(of: queuePath)
            try FileSystem.writeAtomically(queuePath, text: JSONValue.array(list).text(style: .indented(2)) + "\n")
            return nil
        } catch {
            return error
        }
    }

    /// The queue as an earlier session left it; entries that cannot be read are passed over.
    static func loadQueue() -> [QueuedRun] {
        guard let text = try? FileSystem.readText(queuePath), let list = (try? JSONValue.parse(text, name: queuePath))?.arrayValue else { return [] }
        return list.compactMap { entry in
            guard let object = entry.objectValue, let recipe = object["recipe"]?.stringValue,
                let tab = [Tab.train, .evaluate, .export].first(where: { $0.command.rawValue == object["command"]?.stringValue })
            else { return nil }
            return QueuedRun(tab: tab, title: object["title"]?.stringValue ?? tab.title, recipe: recipe)
        }
    }
}
