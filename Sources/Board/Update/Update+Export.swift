import Platform
import Terminal

extension BoardState {
    /// Looks into the folder first: what is there already is replaced only when somebody says so.
    mutating func requestExport() -> [Effect] {
        [.checkExportTarget(path: forms[.export].configuration.text("export_dir"))]
    }

    mutating func exportTargetChecked(_ path: String, fileCount: Int) -> [Effect] {
        if let effects = queuedExportChecked(path, fileCount: fileCount) { return effects }
        guard startRefusal() == nil else { return [] }
        guard fileCount > 0 else { return start(.export) }
        return ask(
            DialogState(
                title: say("\(Path.name(path)) is not empty"),
                text: say("\(path) holds \(fileCount) files. An earlier export there is replaced once the new one is verified; a folder with anything else is refused and left alone."),
                choices: [.init(say("Export"), key: "e", .start(.export)), .init(say("Cancel"), key: "c", .dismiss)], selection: 1))
    }
}
