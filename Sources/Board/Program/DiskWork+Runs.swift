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

    /// Results and arguments of several runs, where they differ.
    static func compare(_ directories: [String], _ queue: ActionQueue) {
        attempt(queue) {
            // A run of another program may have left no arguments: then its results alone are compared.
            let configurations = try directories.map { directory -> Configuration? in
                let path = RunDirectory(directory).argumentsPath
                return FileSystem.exists(path) ? try Configuration.load(file: path, overrides: []) : nil
            }
            let records = directories.map { RunRecord(directory: RunDirectory($0)) }
            var rows = [
                RunComparison.Row(name: say("best loss"), values: records.map { Words.optional($0.bestLoss) }),
                RunComparison.Row(name: say("last loss"), values: records.map { Words.optional($0.lastLoss) }),
                RunComparison.Row(name: say("steps"), values: records.map { String($0.step) }),
                RunComparison.Row(name: say("epochs done"), values: records.map { $0.epoch > 0 ? NumberText.fixed($0.epoch, digits: 2) : "-" }),
                RunComparison.Row(name: say("tokens/s"), values: records.map { $0.tokensPerSecond.map(Words.speed) ?? "-" }),
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
