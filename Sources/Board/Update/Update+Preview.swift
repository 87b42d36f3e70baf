import Configuration
import Platform
import Terminal

extension BoardState {
    mutating func openPreview() -> [Effect] {
        overlays.append(.preview(PreviewState(tab: activeFormTab ?? pageForm)))
        return []
    }

    private mutating func changePreview(_ change: (inout PreviewState) -> Void) -> [Effect] {
        guard case .preview(var preview) = overlays.last else { return [] }
        change(&preview)
        overlays[overlays.count - 1] = .preview(preview)
        return []
    }

    mutating func cyclePreview(by count: Int) -> [Effect] {
        changePreview { preview in
            let all = LaunchStyle.allCases.filter { $0.suits(preview.tab.command) }
            let index = all.firstIndex(of: preview.style) ?? 0
            preview.style = all[((index + count) % all.count + all.count) % all.count]
            preview.scroll = 0
        }
    }

    /// Why the number of machines cannot be changed now, or nil.
    func shapeRefusal() -> String? {
        if case .preview(let preview) = overlays.last, preview.style.isDistributed { return nil }
        return say("Machines and GPUs count for torchrun and Slurm only: a goes on to them.")
    }

    mutating func changeMachines(by count: Int) -> [Effect] {
        changePreview { $0.shape = LaunchShape(machines: $0.shape.machines + count, devicesPerMachine: $0.shape.devicesPerMachine) }
    }

    /// Twice or half as many GPUs on each machine.
    mutating func changeDevices(isMore: Bool) -> [Effect] {
        changePreview { preview in
            let count = preview.shape.devicesPerMachine
            preview.shape = LaunchShape(machines: preview.shape.machines, devicesPerMachine: isMore ? count * 2 : count / 2)
        }
    }

    mutating func scrollPreview(_ movement: Movement, page: Int) {
        guard case .preview(let preview) = overlays.last else { return }
        let width = layout.listPopup.width - 4
        let lines = CommandPreview.wrapped(forms[preview.tab], style: preview.style, shape: preview.shape, width: width)
        _ = changePreview { $0.scroll = movement.applied(to: $0.scroll, count: lines.count, page: page) }
    }

    private var shownPreview: PreviewState {
        if case .preview(let preview) = overlays.last { return preview }
        return PreviewState(tab: pageForm)
    }

    mutating func copyPreview() -> [Effect] {
        let preview = shownPreview
        let launch = CommandPreview.launch(forms[preview.tab], preview.style, preview.shape)
        if let note = launch.notes.first, !overlays.isEmpty { status = StatusMessage(.note, note) }
        return [.copy(launch.text, what: say(key: preview.style.title))]
    }

    mutating func promptForPreviewFile() -> [Effect] {
        let preview = shownPreview
        let launch = CommandPreview.launch(forms[preview.tab], preview.style, preview.shape)
        overlays.append(
            .prompt(
                PromptState(
                    title: say("Write it to"), text: launch.fileName, purpose: .writePreview(preview.tab, preview.style, preview.shape))))
        return []
    }

    mutating func writePreview(_ tab: Tab, _ style: LaunchStyle, _ shape: LaunchShape, to path: String) -> [Effect] {
        let launch = CommandPreview.launch(forms[tab], style, shape)
        var content = launch.text
        if launch.isScript, !content.hasPrefix("#!") {
            content = "#!/usr/bin/env bash\n" + launch.notes.map { "# \($0)\n" }.joined() + content
        }
        return [.writeText(path: path, text: content.hasSuffix("\n") ? content : content + "\n", overwrites: false)]
    }

    /// A file of that name is there: it is replaced only when somebody says so.
    mutating func askToReplace(_ path: String, _ content: String) -> [Effect] {
        ask(
            DialogState(
                title: say("Replace the file?"), text: say("\(path) exists already. What it holds would be lost."),
                choices: [
                    .init(say("Replace"), key: "r", .replaceFile(path: path, text: content)), .init(say("Cancel"), key: "c", .dismiss),
                ], selection: 1))
    }
}
