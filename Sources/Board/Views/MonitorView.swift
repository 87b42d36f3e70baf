import Events
import Platform
import Terminal

extension Painter {
    mutating func drawMonitor() {
        guard let run = state.monitoredRun else {
            drawRuns(in: layout.monitor(focus: state.focus, hasRun: false).runs, pane: .runs)
            return
        }
        let page = layout.monitor(focus: state.focus, hasRun: true)
        drawRunProgress(run, in: page.progress)
        if !page.configuration.isEmpty { drawRunFacts(run, in: page.configuration) }
        if !page.runs.isEmpty { drawRuns(in: page.runs, pane: .runs) }
        if state.chart.isGrid, !page.smallCharts.isEmpty {
            // The grid takes the place of the small charts as well.
            let height = page.smallCharts.endY - page.chart.y
            drawChart(run, in: Rect(x: page.chart.x, y: page.chart.y, width: page.chart.width, height: height))
        } else {
            if !page.chart.isEmpty { drawChart(run, in: page.chart) }
            if !page.smallCharts.isEmpty { drawSmallCharts(run, in: page.smallCharts) }
        }
        if !page.now.isEmpty { drawNow(run, in: page.now) }
        if !page.system.isEmpty { drawSystem(in: page.system) }
        if !page.log.isEmpty { drawLog(run, in: page.log) }
    }

    /// `step 471/1240  epoch 1.14  ▕███   ▏ ETA 00:41:07`
    private mutating func drawRunProgress(_ run: RunDigest, in rect: Rect) {
        let row = rect.inset(horizontal: 1, vertical: 0)
        var words = ""
        if let latest = run.latest {
            words = say("step \(latest.step)/\(latest.totalSteps)  epoch \(NumberText.fixed(latest.epoch, digits: 2))")
        } else {
            words = say(key: run.progress.last?.phase ?? (run.phase.isEmpty ? run.state.word : run.phase))
        }
        let (ending, scope) = runEnding(run)
        // A run that has said nothing yet is not told twice what it does.
        let end = ending == words ? "" : ending
        let endWidth = TextWidth.width(of: end)
        let used = text(words, x: row.x, y: row.y, width: row.width - endWidth - 2, "ui.text")
        text(end, x: row.endX - endWidth, y: row.y, width: endWidth, scope)
        let bar = Rect(x: row.x + used + 2, y: row.y, width: row.width - used - endWidth - 4, height: 1)
        if bar.width > 8 { self.bar(run.fraction ?? 0, in: bar, scope: "progress.bar", track: "progress.track") }
    }

    /// What stands at the right of the progress line: time left, or how it ended.
    private func runEnding(_ run: RunDigest) -> (String, String) {
        let elsewhere = run.origin == .elsewhere ? say("other process") + "  " : ""
        switch run.state {
        case .paused: return (elsewhere + (run.origin == .here && state.isTalking ? say("held for the talk") : say("paused")), "ui.status.paused")
        case .stopping: return (elsewhere + say("stopping"), "ui.status.paused")
        case .finished: return (say("finished"), "ui.success")
        case .stopped: return (say("stopped, saved"), "ui.warning")
        case .failed: return (say("failed"), "ui.status.failed")
        case .aborted: return (say("aborted"), "ui.status.failed")
        case .waiting, .loading: return (elsewhere + say(key: run.state.word), "ui.status.running")
        case .running:
            if run.origin == .finished { return (say("cut off"), "ui.warning") }
            switch run.pendingRequest {
            case .pause: return (elsewhere + say("pausing…"), "ui.status.paused")
            case .stopAndSave: return (elsewhere + say("stopping…"), "ui.status.paused")
            case .save: return (elsewhere + say("saving…"), "ui.status.running")
            case .abort: return (elsewhere + say("aborting…"), "ui.status.failed")
            case .none, .resume: return (elsewhere + say("ETA") + " " + Words.duration(run.latest?.remainingSeconds ?? .nan), "ui.status.running")
            }
        }
    }

    // MARK: Panels

    private mutating func drawNow(_ run: RunDigest, in rect: Rect) {
        let step = run.latestLogged
        let loss = say("loss \(Words.optional(step?.loss))")
        let rate = say("lr \(step?.learningRate.map { NumberText.scientific($0, digits: 1) } ?? "-")")
        let norm = say("grad \(Words.optional(step?.gradientNorm))")
        let speed = say("tok/s \((run.latest?.tokensPerSecond ?? step?.tokensPerSecond).map(Words.whole) ?? "-")")
        if rect.height < 3 {
            let row = rect.inset(horizontal: 1, vertical: 0)
            let line = [loss, rate, norm, speed].joined(separator: "   ")
            let long = line + "   " + say("s/step \(Words.optional(run.secondsPerStep))")
            text(TextWidth.width(of: long) <= row.width ? long : line, in: row, "ui.text")
            return
        }
        let inside = box(rect, title: say("Now"), note: run.nonFiniteSteps > 0 ? say("NaN in \(run.nonFiniteSteps) steps") : "")
        var words = [loss, rate, norm, speed, say("s/step \(Words.optional(run.secondsPerStep))")]
        if let best = run.bestEvaluation { words.append(say("best eval \(Words.optional(best.loss)) @ \(best.step)")) }
        if let checkpoint = run.checkpoints.last { words.append(say("saved @ \(checkpoint.step)")) }
        words.append(tokenWords(run))
        if let latest = run.latest { words.append(say("elapsed \(Words.duration(latest.elapsedSeconds))")) }
        drawWords(words.filter { !$0.isEmpty }, in: inside)
    }

    /// Tokens seen so far; nothing where the run does not say.
    private func tokenWords(_ run: RunDigest) -> String {
        guard let tokens = run.latest?.tokensSeen, tokens > 0 else { return "" }
        return say("tokens \(NumberText.count(tokens))")
    }

    /// Words one under the other where there are rows for all of them, else side by side in as few rows as they need; what then has no
    /// room is left out whole, the last first.
    private mutating func drawWords(_ words: [String], in area: Rect) {
        let isColumn = words.count <= area.height
        var (x, y) = (area.x, area.y)
        for word in words {
            let width = TextWidth.width(of: word)
            if x > area.x, isColumn || x + width > area.endX { (x, y) = (area.x, y + 1) }
            guard y < area.endY else { return }
            text(word, x: x, y: y, width: min(width, area.endX - x), "ui.text")
            x += max(width + 2, area.width / 3)
        }
    }

    /// The run's plan and outcome, where there is room for a column of its own.
    private mutating func drawRunFacts(_ run: RunDigest, in rect: Rect) {
        let inside = box(rect, title: say("Run"), note: run.origin == .elsewhere ? (run.isControllable ? say("read-only: p S x work") : say("read-only")) : "")
        let lines = runFacts(run)
        // Labels are whole as far as half of the width goes.
        let longest = lines.prefix(inside.height).map { TextWidth.width(of: $0.0) }.max() ?? 8
        let nameWidth = min(max(8, longest), max(8, inside.width / 2))
        for (index, line) in lines.prefix(inside.height).enumerated() {
            let row = inside.row(index)
            let value = line.0 == say("folder") ? TextWidth.truncateStart(line.1, to: max(4, row.width - nameWidth - 1)) : line.1
            pair(line.0, value, in: row, nameWidth: nameWidth)
        }
        let rest = inside.droppingFirstRows(lines.count + 1)
        if let failure = run.failure, rest.height > 0 { paragraph(failure.words, in: rest, "ui.error") }
    }

    /// What the run is and how it went, the weightiest first.
    private func runFacts(_ run: RunDigest) -> [(String, String)] {
        var lines: [(String, String)] = [(say("folder"), RunName.short(run.directory)), (say("state"), say(key: run.state.word))]
        let arguments = run.facts?.arguments
        func add(_ name: String, _ value: String?) { if let value, !value.isEmpty { lines.append((name, TextWidth.sanitize(value))) } }
        add(say("model"), run.plan?.modelName ?? run.facts.map { Path.name($0.model) })
        add(say("family"), run.plan?.architecture)
        add(FieldLabel.short("stage"), run.facts?.stage)
        add(FieldLabel.short("finetuning_type"), run.facts?.method)
        add(FieldLabel.short("dataset"), arguments?.text("dataset"))
        add(FieldLabel.short("template"), arguments?.text("template"))
        add(FieldLabel.short("learning_rate"), arguments?.text("learning_rate"))
        add(say("batch"), (run.plan?.effectiveBatch ?? run.facts?.effectiveBatch).map { say("\($0) per step") })
        if let arguments {
            let steps = arguments[.maxSteps]
            add(steps > 0 ? FieldLabel.short("max_steps") : FieldLabel.short("num_train_epochs"), steps > 0 ? "\(steps)" : arguments.text("num_train_epochs"))
        }
        if let plan = run.plan {
            add(say("trains"), say("\(NumberText.count(plan.trainableCount)) of \(NumberText.count(plan.parameterCount))"))
            add(say("samples"), NumberText.grouped(plan.samples))
            add(say("tokens"), NumberText.count(plan.tokens))
            add(say("memory"), NumberText.bytes(plan.peakBytes))
        }
        if let started = run.facts?.startTime, started > 0 {
            add(say("started"), Words.time(started, secondsFromUTC: state.secondsFromUTC) + "  " + Age.text(since: started, now: state.now))
        }
        if let seconds = run.latest?.elapsedSeconds, seconds.isFinite, seconds > 0 { add(say("duration"), Words.duration(seconds)) }
        if let best = run.bestEvaluation { add(say("best eval"), say("\(Words.optional(best.loss)) @ \(best.step)")) }
        if let lowest = run.lowestLoss { add(say("best loss"), Words.metric(lowest)) }
        lines += run.checkpoints.suffix(3).reversed().map { (say("saved"), say("step \($0.step)  \(NumberText.bytes($0.bytes))")) }
        for value in run.summary?.values ?? [] { add(value.name, Words.metric(value.value)) }
        return lines
    }

    // MARK: Log

    private mutating func drawLog(_ run: RunDigest, in rect: Rect) {
        let pane = state.logPane
        var title = pane.isFollowing ? say("Log  (following)") : say("Log  (\(pane.linesFromEnd) lines from the end)")
        if pane.filter != .informative { title += "  " + pane.filter.title }
        if pane.draft == nil, !pane.search.isEmpty { title += "  /\(pane.search)" }
        var inside = box(rect, title: title, pane: .log)
        if let draft = pane.draft {
            let row = inside.row(inside.height - 1)
            let used = text("/", in: row, "ui.key")
            drawTextField(
                draft, in: Rect(x: row.x + used, y: row.y, width: row.width - used, height: 1),
                hasCursor: state.focus == .log && state.overlays.isEmpty)
            inside = inside.droppingLastRows(1)
        }
        let indices = state.shownLogIndices
        if indices.isEmpty {
            text(run.log.records.isEmpty ? logIsEmptyWords(run) : say("No line of this level."), in: inside.row(0), "ui.placeholder")
            return
        }
        let bottom = max(0, indices.count - pane.linesFromEnd)
        let query = pane.search.lowercased()
        // From the last line upwards: long lines take several rows.
        var position = bottom - 1
        var free = inside.height
        while position >= 0, free > 0 {
            free -= drawLogLine(run.log.records[indices[position]], query: query, endingAt: free, in: inside)
            position -= 1
        }
        let top = position + 1
        // A short log stands at the top of its pane.
        if free > 0 {
            var row = 0
            grid.fill(inside, style: theme.style("ui.text"))
            for position in top..<bottom {
                row += drawLogLine(run.log.records[indices[position]], query: query, startingAt: row, in: inside)
            }
        }
        grid.scrollBar(
            in: Rect(x: inside.endX, y: inside.y, width: 1, height: inside.height), first: top, visible: max(1, bottom - top),
            total: indices.count, theme: theme)
    }

    private func logIsEmptyWords(_ run: RunDigest) -> String {
        run.origin == .here || run.isControllable && run.origin == .elsewhere
            ? say("The log is empty so far.") : say("There is no running_log.txt in the run's folder.")
    }

    /// The rows of a record: its words, wrapped beside the time.
    private func logLines(_ record: LogRecord, width: Int) -> [String] {
        let level: String =
            switch record.level {
            case .debug: say("debug") + " "
            case .info: ""
            case .warning: say("warning") + " "
            case .error: say("error") + " "
            case .output: say("out") + " "
            }
        let words = level + TextWidth.sanitize(LogText.readable(record.text))
        if TextWidth.width(of: words) <= width { return [words] }
        return Array(TextWidth.wrap(words, to: max(8, width)).prefix(6))
    }

    private mutating func drawLogLine(_ record: LogRecord, query: String, endingAt end: Int, in area: Rect) -> Int {
        let lines = logLines(record, width: area.width - 9)
        let first = end - lines.count
        for (index, line) in lines.enumerated() where first + index >= 0 {
            drawLogRow(line, record, isFirst: index == 0, query: query, in: area.row(first + index))
        }
        return lines.count
    }

    private mutating func drawLogLine(_ record: LogRecord, query: String, startingAt start: Int, in area: Rect) -> Int {
        let lines = logLines(record, width: area.width - 9)
        for (index, line) in lines.enumerated() where start + index < area.height {
            drawLogRow(line, record, isFirst: index == 0, query: query, in: area.row(start + index))
        }
        return lines.count
    }

    private mutating func drawLogRow(_ words: String, _ record: LogRecord, isFirst: Bool, query: String, in row: Rect) {
        if isFirst { text(Words.time(record.time, secondsFromUTC: state.secondsFromUTC), x: row.x, y: row.y, width: 8, "log.time") }
        let scope =
            switch record.level {
            case .debug: "log.debug"
            case .info: "log.info"
            case .warning: "log.warning"
            case .error: "log.error"
            case .output: "log.output"
            }
        let x = row.x + 9
        text(words, x: x, y: row.y, width: row.endX - x, scope)
        guard !query.isEmpty, let match = words.lowercased().firstRange(of: query) else { return }
        let offset = words.lowercased().distance(from: words.lowercased().startIndex, to: match.lowerBound)
        let before = TextWidth.width(of: String(words.prefix(offset)))
        let width = TextWidth.width(of: String(words.dropFirst(offset).prefix(query.count)))
        guard x + before < row.endX else { return }
        grid.overlay(
            Rect(x: x + before, y: row.y, width: min(width, row.endX - x - before), height: 1), style: theme.style("ui.match"))
    }
}
