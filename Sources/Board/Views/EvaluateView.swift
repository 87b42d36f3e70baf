import Events
import Platform
import Terminal

extension Painter {
    mutating func drawEvaluate() {
        let page = layout.evaluate(focus: state.focus)
        if !page.form.isEmpty { drawForm(.evaluate, in: page.form) }
        if !page.help.isEmpty { drawFieldHelp(.evaluate, in: page.help, withPlan: false) }
        if !page.results.isEmpty { drawResults(in: page.results) }
        if !page.samples.isEmpty { drawSamples(in: page.samples) }
    }

    // MARK: Results

    private mutating func drawResults(in rect: Rect) {
        let marked = state.evaluation.marked.count
        let inside = box(rect, title: marked > 0 ? say("Results  (\(marked) marked)") : say("Results"), pane: .results)
        let results = state.evaluationResults
        guard !results.isEmpty else {
            paragraph(
                state.catalog.isScanned ? say("No results yet. F5 evaluates what the form describes.") : say("Looking for results…"), in: inside,
                "ui.placeholder")
            return
        }
        let columns = EvaluationScores.columns(for: results, count: max(1, (inside.width - 14) / 8))
        let nameWidth = inside.width - columns.count * 8 - 2
        text(say("run"), x: inside.x + 2, y: inside.y, width: nameWidth, "ui.table.header")
        for (index, column) in columns.enumerated() { drawCell(column.title, index, nameWidth, in: inside.row(0), "ui.table.header") }
        let pair = state.evaluation.marked.compactMap { directory in results.first { $0.directory == directory } }
        let compared = pair.count == 2 ? EvaluationScores.columns.filter { column in pair.allSatisfy { $0.value(column.name) != nil } } : []
        // Both runs stay in view above their differences.
        let room = inside.height - 1 - min(2, results.count)
        let differences = compared.prefix(max(0, min(columns.count, room - 1)))
        let differenceRows = differences.isEmpty ? (pair.count == 2 && compared.isEmpty && room > 0 ? 1 : 0) : differences.count + (differences.count + 2 <= room ? 2 : 1)
        let list = Rect(x: inside.x, y: inside.y + 1, width: inside.width, height: max(1, inside.height - 1 - differenceRows))
        let selection = state.evaluation.resultSelection
        let top = max(0, min(selection - list.height / 2, results.count - list.height))
        let names = RunName.withoutSharedFolders(results.map { RunName.short($0.directory) })
        for (index, result) in results.enumerated().dropFirst(top).prefix(list.height) {
            let row = list.row(index - top)
            let isMarked = state.evaluation.marked.contains(result.directory)
            text(isMarked ? "●" : " ", x: row.x, y: row.y, width: 1, "ui.mark")
            text(TextWidth.truncateStart(names[index], to: nameWidth), x: row.x + 2, y: row.y, width: nameWidth, "ui.text")
            for (place, column) in columns.enumerated() { drawCell(Words.optional(result.value(column.name)), place, nameWidth, in: row, "ui.text") }
            hits.append(HitRegion(row, .listRow(.results, index)))
            if index == selection {
                let focused = state.focus == .results && state.overlays.isEmpty
                grid.overlay(row, style: theme.style(focused ? "ui.selection" : "ui.selection.unfocused"))
            }
        }
        if pair.count == 2, compared.isEmpty, room > 0 {
            text(say("no score in common"), in: inside.row(inside.height - 1), "ui.text.dim")
        }
        if !differences.isEmpty { drawDifference(Array(differences), pair, in: inside.droppingFirstRows(inside.height - differences.count - 1)) }
    }

    private mutating func drawCell(_ value: String, _ index: Int, _ nameWidth: Int, in row: Rect, _ scope: String) {
        let x = row.x + 2 + nameWidth + index * 8
        text(value, in: Rect(x: x + 1, y: row.y, width: 7, height: 1), scope, alignment: .trailing)
    }

    /// What the second of two results has more or less than the first: a heading, then a row for each score that both have.
    private mutating func drawDifference(_ columns: [(name: String, title: String)], _ results: [ResultEntry], in area: Rect) {
        let names = say("\(Path.name(results[1].directory)) against \(Path.name(results[0].directory))")
        text(say("difference: \(names)"), in: area.row(0), "ui.text.dim")
        for (index, column) in columns.enumerated() {
            guard let old = results[0].value(column.name), let new = results[1].value(column.name) else { continue }
            let change = new - old
            pair("  " + column.title, (change > 0 ? "+" : "") + Words.metric(change), in: area.row(1 + index), nameWidth: 10)
        }
    }

    // MARK: Samples and progress

    private mutating func drawSamples(in rect: Rect) {
        let run = state.jobs[.evaluate]
        let sets = state.shownSamples
        let order = state.sampleOrder
        let index = min(state.evaluation.sampleIndex, max(0, order.count - 1))
        var title = order.isEmpty ? say("Samples") : say("Samples  \(index + 1)/\(order.count)")
        if state.evaluation.isWorstFirst, !order.isEmpty { title += "  " + say("worst first") }
        var inside = box(rect, title: title, note: sets.count == 1 && !state.evaluation.browsed.isEmpty ? sets[0].name : "", pane: .samples)
        if let run, run.isActive {
            drawProgressLine(run, in: inside.row(inside.height - 1))
            inside = inside.droppingLastRows(1)
        } else if state.evaluation.browsed.isEmpty, let run, let words = outcomeWords(run) {
            text(words.0, in: inside.row(inside.height - 1), words.1)
            inside = inside.droppingLastRows(1)
        }
        guard order.indices.contains(index) else {
            paragraph(
                run?.isActive == true
                    ? say("Samples appear here as they are generated.") : say("With generate on, each prompt is shown here with the expected and the predicted answer."), in: inside, "ui.placeholder")
            return
        }
        drawSample(order[index], of: sets, in: inside)
    }

    /// A prompt with what was expected and what each run answered.
    private mutating func drawSample(_ place: Int, of sets: [(name: String, samples: [PredictionSample])], in area: Rect) {
        guard let first = sets.first?.samples[place] else { return }
        let names = [say("prompt"), say("expect"), say("predict"), say("scores")]
        let nameWidth = max(8, names.map(TextWidth.width(of:)).max() ?? 8)
        var lines: [(String, String, String)] = []
        func add(_ name: String, _ value: String, _ scope: String) {
            for (index, line) in TextWidth.wrap(TextWidth.sanitize(value), to: max(8, area.width - nameWidth - 1)).enumerated() {
                lines.append((index == 0 ? name : "", line, scope))
            }
        }
        add(say("prompt"), first.prompt, "ui.text")
        let promptCount = lines.count
        add(say("expect"), first.label, "ui.success")
        for (index, set) in sets.enumerated() {
            guard set.samples.indices.contains(place) else { continue }
            let sample = set.samples[place]
            if sets.count > 1 { lines.append((index == 0 ? "A" : "B", set.name, "ui.title")) }
            add(say("predict"), sample.prediction, index == 0 ? "ui.info" : "ui.field.changed")
            if sample.prompt != first.prompt { add("!", say("The runs were asked different questions here."), "ui.warning") }
            guard !sample.scores.isEmpty else { continue }
            let scores = sample.scores.sorted { $0.key < $1.key }.map { "\($0.key) \(Words.metric($0.value))" }
            add(say("scores"), scores.joined(separator: "   "), "ui.text.dim")
        }
        if lines.count > area.height {
            // The answer counts most: a prompt that leaves no room for it comes after it.
            lines = Array(lines[promptCount...] + lines[..<promptCount])
        }
        let top = min(state.evaluation.sampleScroll, max(0, lines.count - area.height))
        for (index, line) in lines.dropFirst(top).prefix(area.height).enumerated() {
            pair(line.0, line.1, in: area.row(index), nameWidth: nameWidth, scope: line.2)
        }
    }

    /// Phase, bar and what is left, for jobs that are not training.
    mutating func drawProgressLine(_ run: RunDigest, in row: Rect) {
        guard row.width > 20 else { return }
        let record = run.progress.last
        let phase = record?.phase ?? (run.phase.isEmpty ? say(key: run.state.word) : run.phase)
        let nameWidth = min(24, row.width / 3)
        text(say(key: phase), x: row.x, y: row.y, width: nameWidth, "ui.text")
        guard let record, record.total > 0 else { return }
        let counts = " \(NumberText.grouped(record.completed))/\(NumberText.grouped(record.total))  \(record.detail)"
        let countWidth = min(TextWidth.width(of: counts), row.width / 2)
        let bar = Rect(x: row.x + nameWidth + 1, y: row.y, width: row.width - nameWidth - countWidth - 2, height: 1)
        self.bar(Double(record.completed) / Double(record.total), in: bar, scope: "progress.bar", track: "progress.track")
        text(counts, x: bar.endX, y: row.y, width: countWidth, "ui.text.dim")
    }

    /// `predict_rouge-l` is `rouge-l` where only scores stand.
    private static func shortScore(_ name: String) -> String {
        for prefix in ["predict_", "eval_"] where name.hasPrefix(prefix) { return String(name.dropFirst(prefix.count)) }
        return name
    }

    /// How a job ended, in a line.
    func outcomeWords(_ run: RunDigest) -> (String, String)? {
        switch run.state {
        case .finished, .stopped:
            // Scores; how long it took is in the log.
            let scores = run.summary?.values.filter { value in
                !["runtime", "per_second", "_bytes", "_time", "tokens", "epoch"].contains { value.name.contains($0) }
            } ?? []
            let values = scores.map { "\(Self.shortScore($0.name)) \(Words.metric($0.value))" }.joined(separator: "  ")
            let text = values.isEmpty ? run.summary.map { say(engine: $0.text) } ?? say(key: run.state.word) : values
            return ("✓ " + text, "ui.success")
        case .failed: return ("✗ " + (run.failure?.description ?? "failed"), "ui.error")
        case .aborted: return (say("! aborted"), "ui.warning")
        case .waiting, .loading, .running, .paused, .stopping: return nil
        }
    }
}

/// The scores that have a column in the results table, in order of preference.
enum EvaluationScores {
    static let columns: [(name: String, title: String)] = [
        ("eval_loss", "loss"), ("eval_perplexity", "ppl"), ("eval_accuracy", "acc"), ("predict_rouge-l", "rougeL"),
        ("predict_bleu-4", "bleu4"), ("predict_rouge-1", "rouge1"), ("predict_rouge-2", "rouge2"),
    ]

    /// The columns that there is room for: none of the results stands there without a number, as far as that can be, and then the
    /// preferred ones.
    static func columns(for results: [ResultEntry], count: Int) -> [(name: String, title: String)] {
        let present = columns.indices.filter { place in results.contains { $0.value(columns[place].name) != nil } }
        var chosen: [Int] = []
        var bare = results
        func fills(_ place: Int) -> Int { bare.count { $0.value(columns[place].name) != nil } }
        while chosen.count < count, !bare.isEmpty {
            // Of equals `max` gives the first.
            guard let best = present.max(by: { fills($0) < fills($1) }), fills(best) > 0 else { break }
            chosen.append(best)
            bare.removeAll { $0.value(columns[best].name) != nil }
        }
        chosen += present.filter { !chosen.contains($0) }.prefix(max(0, count - chosen.count))
        return chosen.sorted().map { columns[$0] }
    }
}

extension BoardState {
    /// Directories that hold scores; a training without evaluation has none.
    var evaluationResults: [ResultEntry] {
        catalog.results.filter { result in EvaluationScores.columns.contains { result.value($0.name) != nil } }
    }
}
