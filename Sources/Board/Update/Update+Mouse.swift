import Terminal

extension BoardState {
    /// A mouse event, with what was drawn under it.
    mutating func handle(_ event: MouseEvent, on target: HitTarget?) -> [Effect] {
        switch event.kind {
        case .wheelUp: return scroll(.up, on: target, at: event.point)
        case .wheelDown: return scroll(.down, on: target, at: event.point)
        case .press: return press(event, on: target)
        case .drag:
            if let drag = splitDrag { return dragSplit(drag, to: event.point) }
            if case .chart(let left, let width) = target { return inspect(at: event.point.x, left: left, width: width) }
            return []
        case .release:
            splitDrag = nil
            return []
        }
    }

    private mutating func press(_ event: MouseEvent, on target: HitTarget?) -> [Effect] {
        status = nil
        guard let target else {
            // A click beside a list closes it; a question wants an answer.
            switch overlays.last {
            case .help, .palette, .picker, .preview, .runs, .form, .comparison, .queue, .dataset, .jump: return closeOverlay()
            case .dialog, .prompt, .editor, nil: return []
            }
        }
        switch target {
        case .tab(let tab): return select(tab)
        case .pane(let pane): focus = pane
        case .formRow(let tab, let identity):
            if overlays.isEmpty { focus = .form }
            let wasSelected = forms[tab].selection == identity
            if forms[tab].edit != nil { _ = acceptEdit() }
            forms[tab].selection = identity
            if wasSelected, editRefusal() == nil { return editField() }
        case .listRow(let pane, let index): return pressRow(index, in: pane)
        case .overlayRow(let index): return pressOverlayRow(index)
        case .choice(let index):
            guard case .dialog(var dialog) = overlays.last else { return [] }
            dialog.selection = index
            overlays[overlays.count - 1] = .dialog(dialog)
            return acceptChoice()
        case .command(let identifier):
            guard let command = CommandTable.command(identifier) else { return [] }
            return perform(command)
        case .overlay: break
        case .metric(let metric): return press(metric)
        case .split(let split): splitDrag = split
        case .chart(let left, let width):
            focus = .chart
            return inspect(at: event.point.x, left: left, width: width)
        }
        return []
    }

    private mutating func pressRow(_ index: Int, in pane: Pane) -> [Effect] {
        if overlays.isEmpty { focus = pane }
        switch pane {
        case .runs:
            let wasSelected = runList.selection == index
            runList.selection = index
            clampSelections()
            return wasSelected && runRefusal() == nil ? openSelectedRun() : []
        case .results:
            evaluation.resultSelection = index
            clampSelections()
        case .form, .samples, .transcript, .message, .chart, .log: break
        }
        return []
    }

    private mutating func pressOverlayRow(_ index: Int) -> [Effect] {
        switch overlays.last {
        case .help(var list):
            let wasSelected = list.selection == index
            list.selection = index
            overlays[overlays.count - 1] = .help(list)
            return wasSelected ? runSelectedCommand() : []
        case .palette(var list):
            list.selection = index
            overlays[overlays.count - 1] = .palette(list)
            return runSelectedCommand()
        case .picker(var picker):
            let wasSelected = picker.selection == index
            picker.selection = index
            overlays[overlays.count - 1] = .picker(picker)
            if picker.takesSeveral { return markPick() }
            return wasSelected ? acceptPick() : []
        case .queue:
            overlays[overlays.count - 1] = .queue(selection: index)
            return []
        case .dialog, .preview, .prompt, .runs, .form, .comparison, .editor, .jump, .dataset, nil: return []
        }
    }

    private mutating func scroll(_ movement: Movement, on target: HitTarget?, at point: Point) -> [Effect] {
        if case .chart(let left, let width) = target, overlays.isEmpty {
            chart.view.isFollowing = false
            let share = Double(point.x - left) / Double(max(1, width - 1))
            chart.view.zoom(by: movement == .up ? 0.5 : 2, around: share, data: chartPlot.dataRange)
            return []
        }
        if overlays.isEmpty {
            switch target {
            case .pane(let pane), .listRow(let pane, _): focus = pane
            case .formRow: focus = .form
            case .metric: focus = .chart
            default: break
            }
            if focus == .message { return scrollTranscript(by: movement == .up ? 3 : -3) }
        }
        for _ in 0..<3 { _ = move(movement) }
        return []
    }

    private mutating func inspect(at x: Int, left: Int, width: Int) -> [Effect] {
        var plot = chartPlot
        plot.setCursor(share: Double(x - left) / Double(max(1, width - 1)))
        chart.view = plot.view
        return []
    }
}
